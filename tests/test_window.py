"""Links, reviews, essays and listings: golden posts in three languages, what a room gives up, TDLib's word.

The papers and people are invented. After a change that is meant, write the golden files anew:
``PYTHONPATH=src:tests python tests/test_window.py``.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from digest.markup import check, parse, utf16_length
from digest.overview import overview
from digest.render import PostSettings, Writer, quotations, templates, write_window
from digest.render.item import named
from digest.text import readable
from digest.types import (
    Beside,
    Choice,
    Curve,
    Draft,
    Evidence,
    Group,
    Jump,
    Language,
    Neighbour,
    Overview,
    Paper,
    Stretch,
    Topic,
    Trend,
    WindowGenre,
    YearShare,
)

PACKAGED = Path(__file__).parents[1] / "templates"
GOLDEN = Path(__file__).parent / "golden"
GENRES: tuple[WindowGenre, ...] = get_args(WindowGenre)
LANGUAGES: tuple[Language, ...] = ("en", "ru", "zh")
NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)
SINCE, UNTIL = date(2026, 5, 1), date(2026, 5, 15)
TOPIC = Topic(
    name="unlearning",
    term="unlearning",
    seed_keys=("machine unlearning", "unlearning"),
    titles={"en": "Machine unlearning", "ru": "Машинное разобучение", "zh": "机器遗忘"},
    hashtags=("machine_unlearning",),
    languages=LANGUAGES,
)
OTHER = Topic(
    name="xai",
    term="explainable AI",
    seed_keys=("XAI",),
    titles={"en": "Explainable AI", "ru": "Объяснимый ИИ", "zh": "可解释人工智能"},
)
VOICE = PostSettings(
    greetings={"en": ("Good morning!",), "ru": ("Привет, друзья!",), "zh": ("早上好！",)},
    sign_offs={"ru": ("Отличного вам вечера,\nваш Лампочный автор!",)},
)
WRITER = Writer(templates(None, PACKAGED), VOICE, {"unlearning": TOPIC, "xai": OTHER})

NAMED = Evidence(seed_keys=("unlearning",))
BY_KEY = Evidence(other_keys=("colour removal",))
BY_LOOKS = Evidence(neighbours=(Neighbour("2604.00009", "Lamps that Forget: A Field Guide", 0.81),))


def paper(number: int, title: str, abstract: str, **changes: object) -> Paper:
    values: dict[str, object] = {
        "id": f"2605.{number:05}",
        "version": 1,
        "title": title,
        "abstract": abstract,
        "authors": ("Ada Example", "Boris Пример"),
        "categories": ("cs.LG",),
        "submitted": NOON,
        "updated": NOON,
        "announced": date(2026, 5, 1 + number % 14),
    }
    return Paper(**values | changes)  # type: ignore[arg-type]


PAPERS = (
    paper(
        1,
        "DIM: Removing One Colour from a Lamp",
        "Machine unlearning aims to remove a colour from a lamp that was lit with it. However, most "
        "lamps fail to forget a colour without losing all others. We propose DIM, which dims a copper wire "
        "until one colour $c_1$ is gone. On nine invented lamps DIM forgets 98.5\\% of a colour at 4.2x the "
        "speed.",
        comments="Accepted at LAMP 2026. Code: https://github.com/example/dim",
    ),
    paper(
        2,
        "Copper Wires that Unlearn",
        "Existing copper wires are costly and degrade at night. We introduce a copper wire for unlearning.",
    ),
    paper(
        3,
        "Can Unlearning Light a Lamp? A Copper Wire Study",
        "We ask which copper wire of a lamp remembers unlearning.",
    ),
    paper(
        4,
        'Erasing Shades when $x<y$ & "Nothing" Else',
        "Paper shades suffer from a lack of care in most of the houses. We show that a paper shade with "
        "$x<y$ is erased by one cut.",
        categories=("cs.CV",),
        comments="Models: https://huggingface.co/example/cut",
    ),
    paper(
        5,
        "A Paper Shade for Everyone",
        "Our results show that a paper shade does not hide what unlearning took. We study a paper shade.",
    ),
    paper(6, "Folding: the Paper Shade and Unlearning", "We fold a paper shade so that it may unlearn."),
    paper(
        7,
        "A Survey of Forgetful Lamps",
        "How unlearning finds the first colour of a lamp remains poorly understood. This survey gathers what "
        "is known; a list is kept at https://github.com/example/awesome-lamps.",
    ),
    paper(8, "Explaining what a Lamp Forgot", "We explain, colour by colour, what a lamp forgot."),
)
EVIDENCE = {4: BY_KEY, 8: BY_LOOKS}
BOTH = {8: ("unlearning", "xai")}


def choices(papers: Sequence[Paper] = PAPERS) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            paper=one.id,
            tier="named",
            score=0.9 - at / 100,
            silent=at + 1 in EVIDENCE,
            evidence=EVIDENCE.get(at + 1, NAMED),
            topics=BOTH.get(at + 1, ("unlearning",)),
        )
        for at, one in enumerate(papers)
    )


def found() -> Overview:
    """The overview of the invented papers; their groups are given, eight papers being few to find any."""
    by_id = {one.id: one for one in PAPERS}
    made = overview(TOPIC, SINCE, UNTIL, choices(), by_id, {})
    ids = [one.id for one in PAPERS]
    return replace(made, groups=(Group("copper wire", tuple(ids[:3])), Group("paper shade", tuple(ids[3:6]))))


def year(number: int, held: int, share: float) -> YearShare:
    return YearShare(year=number, held=held, found=int(held * share), share=share, low=share, high=share)


def beside(*words: str) -> tuple[Beside, ...]:
    return tuple(Beside(text=word, share=0.2, elsewhere=0.01) for word in words)


TREND = Trend(
    term="unlearning",
    papers=33_000,
    said=Curve(
        years=(
            year(2018, 40, 0.3),
            year(2023, 9_000, 0.004),
            year(2024, 11_000, 0.012),
            year(2025, 13_000, 0.031),
        ),
        stretches=(
            Stretch(
                since=1993,
                until=2022,
                found=25,
                share=0.002,
                beside=beside("filament", "soot", "wick", "oil"),
            ),
            Stretch(since=2023, until=2025, found=700, share=0.02, beside=beside("dimmer", "LED")),
        ),
        jump=Jump(year=2024, ratio=4.2, at_least=3.0, earliest=2024, latest=2025),
    ),
)


def post(
    genre: WindowGenre, language: Language, seen: Overview | None = None, writer: Writer = WRITER
) -> Draft:
    by_id = {one.id: one for one in PAPERS}
    return write_window(writer, TOPIC, genre, language, seen or found(), by_id, TREND)


def visible(draft: Draft) -> str:
    return "\n".join(part.text for part in draft.parts)


def source(draft: Draft) -> str:
    return "\n\n".join(part.html for part in draft.parts) + "\n"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("genre", GENRES)
def test_each_genre_reads_as_its_golden_file(genre: WindowGenre, language: Language) -> None:
    draft = post(genre, language)
    for part in draft.parts:
        check(part.html)  # Telegram would neither refuse nor repair anything
    assert source(draft) == (GOLDEN / f"{genre}.{language}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("genre", GENRES)
def test_tdlib_reads_each_genre_as_it_is_meant(genre: WindowGenre, language: Language) -> None:
    import tdlib

    for part in post(genre, language).parts:
        read = tdlib.parse(part.html)
        assert read["@type"] == "formattedText", read
        assert (read["text"], tdlib.entities(read)) == (part.text, part.entities)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("genre", GENRES)
def test_every_sentence_in_quotation_marks_stands_in_a_paper(genre: WindowGenre, language: Language) -> None:
    marks = {"en": "“([^”]*)”", "ru": "«([^»]*)»", "zh": "“([^”]*)”"}[language]
    held = " ".join(readable(f"{one.title} {one.abstract}") for one in PAPERS)
    known = (TOPIC.term, *(name for other in (TOPIC, OTHER) for name in other.titles.values()))
    quoted = re.findall(marks, visible(post(genre, language)))
    others = [one for one in quoted if one not in known and one not in (*BY_KEY.other_keys, *NAMED.seed_keys)]
    near = BY_LOOKS.neighbours[0].title
    assert [one for one in others if one not in held and one != near] == []


@pytest.mark.parametrize("genre", GENRES)
def test_a_post_names_the_papers_it_links_to_and_no_others(genre: WindowGenre) -> None:
    draft = post(genre, "en")
    linked = {one.id for one in PAPERS if f'"https://arxiv.org/abs/{one.id}"' in source(draft)}
    assert {one.paper for one in draft.choices} == linked
    assert (draft.topics, draft.slot, draft.genre, draft.language) == (("unlearning",), UNTIL, genre, "en")


def test_a_review_tells_the_elements_of_its_genre_in_their_order() -> None:
    text = visible(post("review", "ru"))
    elements = [
        "Привет, друзья!",
        "мини-обзор",
        "Как её отучить",
        "А одна из работ спрашивает так: «Can Unlearning Light a Lamp?»",
        "Machine unlearning (MU)",
        "Термин по годам",
        "Подходы",
        "Key Idea",
        "Нашлись без слова «unlearning»",
        "по ключу «colour removal»",
        "смежные ключи нужно генерировать",
        "Пара полезных ссылок",
        "Что пока открыто",
        "комментарии",
        "Отличного вам вечера",
    ]
    places = [text.find(element) for element in elements]
    assert -1 not in places, dict(zip(elements, places, strict=True))
    assert places == sorted(places)


def test_a_thin_year_is_not_compared_with_others() -> None:
    text = visible(post("review", "en"))
    assert "2023 — 0.4 %, 2024 — 1.2 %, 2025 — 3.1 %." in text
    assert "The jump: 2024, to 4.2 times" in text
    assert "2018" not in text


def test_a_review_tells_what_stood_beside_the_term_in_its_times() -> None:
    told = "more than in other years: 1993–2022 — filament, soot, wick; 2023–2025 — dimmer, LED."
    assert told in visible(post("review", "en"))
    assert "1993–2022 年 filament、soot、wick；2023–2025 年 dimmer、LED。" in visible(post("review", "zh"))


def test_words_that_say_nothing_alone_do_not_stand_beside_a_term() -> None:
    old, new = TREND.said.stretches
    vague = (
        Beside(text="best", share=0.3, elsewhere=0.1),
        Beside(text="wax lamps", share=0.3, elsewhere=0.1),
    )
    mixed = replace(TREND, said=replace(TREND.said, stretches=(replace(old, beside=vague), new)))
    by_id = {one.id: one for one in PAPERS}
    text = visible(write_window(WRITER, TOPIC, "review", "en", found(), by_id, mixed))
    assert "1993–2022 — wax lamps; 2023–2025 — dimmer, LED." in text


def test_of_one_time_alone_nothing_is_told_beside_the_term() -> None:
    alone = replace(TREND, said=replace(TREND.said, stretches=TREND.said.stretches[1:]))
    by_id = {one.id: one for one in PAPERS}
    assert "beside" not in visible(write_window(WRITER, TOPIC, "review", "en", found(), by_id, alone))


def test_an_archive_of_one_year_tells_of_no_years() -> None:
    alone = replace(TREND, said=replace(TREND.said, years=TREND.said.years[-1:], stretches=()))
    by_id = {one.id: one for one in PAPERS}
    draft = write_window(WRITER, TOPIC, "review", "en", found(), by_id, alone)
    assert "over the years" not in visible(draft)


def test_an_essay_connects_the_topics_of_a_paper_that_stands_in_two() -> None:
    text = visible(post("essay", "ru"))
    assert "Соединяем с темой «Объяснимый ИИ»:\n— Explaining what a Lamp Forgot" in text
    assert "Но! «Our results show that a paper shade does not hide what unlearning took.»" in text


def test_the_authors_own_question_and_definition_come_first() -> None:
    own = replace(TOPIC, questions={"ru": "Свой вопрос?"}, definitions={"ru": "Своё определение."})
    by_id = {one.id: one for one in PAPERS}
    text = visible(write_window(WRITER, own, "review", "ru", found(), by_id))
    assert "Свой вопрос?" in text
    assert "Своё определение." in text
    assert "Как её отучить" not in text


def test_a_topic_without_words_of_its_own_quotes_a_paper() -> None:
    own = replace(TOPIC, term="forgetting")
    by_id = {one.id: one for one in PAPERS}
    text = visible(write_window(WRITER, own, "review", "en", found(), by_id))
    assert "One of the papers asks: “Can Unlearning Light a Lamp?”" in text
    assert "In the words of one of them: “Machine unlearning aims to remove a colour" in text


def test_a_sentence_that_is_not_about_the_topic_is_not_quoted_alone() -> None:
    other = paper(9, "Unlearning a Lamp at Noon", "Why houses have many rooms remains poorly understood.")
    seen = overview(TOPIC, SINCE, UNTIL, choices([other]), {other.id: other}, {})
    assert seen.unsolved == {}


def test_papers_that_only_look_like_the_topic_stand_apart_and_vouch_for_nothing() -> None:
    lonely = paper(4, "A Survey of Lamp Shades", "How unlearning works remains poorly understood.")
    looks = replace(choices()[7], paper=lonely.id, score=0.5)
    seen = overview(
        TOPIC, SINCE, UNTIL, [choices()[0], looks], {one.id: one for one in (*PAPERS, lonely)}, {}
    )
    assert (seen.unsure, seen.resources, seen.unsolved) == ((lonely.id,), (), {})
    by_id = {one.id: one for one in (*PAPERS, lonely)}
    text = visible(write_window(WRITER, TOPIC, "review", "en", seen, by_id))
    assert "Found without" not in text
    assert "judge for yourselves: A Survey of Lamp Shades." in text


def test_a_few_papers_without_groups_are_told_of_with_their_lines_and_links() -> None:
    by_id = {one.id: one for one in PAPERS}
    few = overview(TOPIC, SINCE, UNTIL, choices(PAPERS[:3]), by_id, {})
    text = visible(write_window(WRITER, TOPIC, "links", "en", few, by_id))
    assert "— DIM — Removing One Colour from a Lamp (paper, GitHub), accepted: LAMP 2026" in text
    assert "“We introduce a copper wire for unlearning.”" in text
    assert "Not looked into" not in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("genre", ["links", "review", "essay"])
def test_other_words_stand_before_the_quotation_which_is_folded_below(
    genre: WindowGenre, language: Language
) -> None:
    by_id = {one.id: one for one in PAPERS}
    quoted = quotations(post(genre, language), found(), by_id)
    assert "We show that a paper shade with x<y is erased by one cut." in quoted
    told = {text: f"[{at}]" for at, text in enumerate(quoted)}
    [part] = write_window(WRITER, TOPIC, genre, language, found(), by_id, told=told).parts
    check(part.html)
    folded = [
        html.unescape(one) for one in re.findall(r"<blockquote expandable>(.*?)</blockquote>", part.html)
    ]
    assert folded
    assert set(folded) <= set(quoted)
    for text in folded:
        assert part.text.index(told[text]) < part.text.index(text)


def test_a_listing_goes_from_the_newest_to_the_oldest() -> None:
    days = re.findall(r"\| (2026-05-\d\d) \|", visible(post("listing", "en")))
    assert days == sorted(days, reverse=True)
    assert len(days) == len(PAPERS)


def many(count: int, words: int) -> tuple[list[Paper], Overview]:
    filler = " ".join(["colours"] * words)
    papers = [
        paper(at, f"Lamp {at}: Of Many Colours", f"We propose lamp {at} which forgets {filler}.")
        for at in range(1, count + 1)
    ]
    ids = [one.id for one in papers]
    groups = tuple(Group(f"kind {at}", tuple(ids[at::5])) for at in range(5))
    leads = {one.id: (one.abstract,) for one in papers}
    problems = {one.id: one.abstract for one in papers}
    seen = Overview(
        since=SINCE, until=UNTIL, choices=choices(papers), groups=groups, leads=leads, problems=problems
    )
    return papers, seen


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("genre", ["links", "review", "essay"])
@pytest.mark.parametrize("words", [3, 30, 60])
def test_a_post_about_many_papers_is_one_message_and_counts_them_all(
    genre: WindowGenre, language: Language, words: int
) -> None:
    papers, seen = many(90, words)
    by_id = {one.id: one for one in papers}
    [part] = write_window(WRITER, TOPIC, genre, language, seen, by_id).parts
    assert utf16_length(part.text) <= 4096
    assert len(part.entities) <= 100
    assert "90" in part.text
    if genre == "links":
        told = part.html.count("https://arxiv.org/abs/")
        [more] = re.findall(
            r"(?:and|и ещё|另有) ?(\d+) ?(?:more|篇)?(?=\n\n|$)", part.text.split("kind 4")[-1]
        )[-1:]
        assert told + int(more) == 90


def test_a_listing_is_cut_between_papers_and_tells_how_many_are_left() -> None:
    papers, seen = many(50, 60)
    by_id = {one.id: one for one in papers}
    parts = write_window(WRITER, TOPIC, "listing", "en", seen, by_id).parts
    assert len(parts) > 1
    assert all(part.text.startswith("Lamp ") for part in parts[1:])
    assert parts[-1].text.endswith("…and 10 more")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("genre", GENRES)
def test_a_window_of_one_silent_abstract_still_makes_a_post(genre: WindowGenre, language: Language) -> None:
    bare = paper(1, "A Lamp", "")
    seen = overview(TOPIC, SINCE, SINCE, choices([bare]), {bare.id: bare}, {})
    [part] = write_window(WRITER, TOPIC, genre, language, seen, {bare.id: bare}).parts
    check(part.html)
    assert "A Lamp" in part.text
    assert "“”" not in part.text
    assert "«»" not in part.text


@pytest.mark.parametrize("genre", GENRES)
@settings(max_examples=15, deadline=None)
@given(title=st.text(max_size=60), abstract=st.text(max_size=200))
def test_whatever_a_paper_holds_its_post_parses(genre: WindowGenre, title: str, abstract: str) -> None:
    one = paper(1, title or "A Lamp", abstract, comments=abstract)
    seen = overview(TOPIC, SINCE, UNTIL, choices([one]), {one.id: one}, {})
    for part in write_window(WRITER, TOPIC, genre, "ru", seen, {one.id: one}).parts:
        assert parse(part.html).text == part.text


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("DIM: Removing Colours", ("DIM", "Removing Colours")),
        ("ICU-Bench:Benchmarking Lamps", ("ICU-Bench", "Benchmarking Lamps")),
        ("Lamps that Forget Slowly: A Study", ("Lamps that Forget Slowly: A Study", "")),
        ("At 10:30 in the Evening", ("At 10:30 in the Evening", "")),
        ("Why? Because: Lamps", ("Why? Because: Lamps", "")),
        ("$a:b$ Lamps", ("$a:b$ Lamps", "")),
    ],
)
def test_a_work_goes_by_the_name_its_title_begins_with(title: str, expected: tuple[str, str]) -> None:
    assert named(title) == expected


if __name__ == "__main__":
    for kind in GENRES:
        for tongue in LANGUAGES:
            golden = post(kind, tongue)
            (GOLDEN / f"{kind}.{tongue}.html").write_text(source(golden), encoding="utf-8")
            sys.stdout.write(f"{visible(golden)}\n{'=' * 80}\n")
