"""Posts: golden roundups in three languages, what a budget drops, and what no title may break.

The papers and people are invented. After a change that is meant, write the golden files anew:
``PYTHONPATH=src python tests/test_render.py``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import UsageError
from digest.markup import check, parse, utf16_length
from digest.render import PostSettings, Writer, hashtags, short_title, templates, write_post
from digest.summarize import summarize
from digest.types import Choice, Draft, Evidence, Language, Limits, Neighbour, Paper, Tier, Topic

PACKAGED = Path(__file__).parents[1] / "templates"
GOLDEN = Path(__file__).parent / "golden"
NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)
SLOT = date(2026, 5, 12)
LANGUAGES: tuple[Language, ...] = ("en", "ru", "zh")

UNLEARNING = Topic(
    name="unlearning",
    term="unlearning",
    seed_keys=("machine unlearning",),
    titles={"en": "Machine unlearning", "ru": "Машинное разобучение", "zh": "机器遗忘"},
    hashtags=("machine_unlearning",),
    languages=LANGUAGES,
)
DIFFUSION = Topic(
    name="diffusion",
    term="diffusion",
    seed_keys=("diffusion model",),
    titles={"en": "Diffusion models", "ru": "Диффузионные модели", "zh": "扩散模型"},
)
VOICE = PostSettings(
    greetings={"en": ("Good morning!",), "ru": ("Привет, друзья!",), "zh": ("早上好！",)},
    sign_offs={"ru": ("Отличного вам вечера,\nваш Лампочный автор!",)},
)
WRITER = Writer(templates(None, PACKAGED), VOICE, {"unlearning": UNLEARNING, "diffusion": DIFFUSION})


def paper(number: int, title: str, abstract: str = "", **changes: object) -> Paper:
    values: dict[str, object] = {
        "id": f"2605.{number:05}",
        "version": 1,
        "title": title,
        "abstract": abstract or f"We propose lamp number {number}, which forgets what it is asked to forget.",
        "authors": ("Ada Example", "Boris Пример"),
        "categories": ("cs.LG",),
        "submitted": NOON,
        "updated": NOON,
        "announced": NOON.date(),
    }
    return Paper(**values | changes)  # type: ignore[arg-type]


NAMED = Evidence(seed_keys=("machine unlearning", "forget set"))
BY_KEY = Evidence(
    other_keys=("concept erasure",),
    neighbours=(Neighbour("2604.00009", "Lamps that Forget: A Field Guide", 0.81),),
)
BY_NEIGHBOUR = Evidence(neighbours=(Neighbour("2604.00009", "Lamps that Forget: A Field Guide", 0.81),))


def choice(one: Paper, tier: Tier = "detailed", evidence: Evidence = NAMED, **changes: object) -> Choice:
    values: dict[str, object] = {
        "paper": one.id,
        "tier": tier,
        "score": 0.8,
        "silent": not evidence.seed_keys,
        "evidence": evidence,
        "topics": ("unlearning",),
    }
    return Choice(**values | changes)  # type: ignore[arg-type]


def written(
    choices: Sequence[Choice],
    papers: Sequence[Paper],
    language: Language = "en",
    topic: Topic = UNLEARNING,
    writer: Writer = WRITER,
    slot: date = SLOT,
) -> Draft:
    summaries = {one.id: summarize(one, 2) for one in papers}
    return write_post(writer, topic, slot, language, choices, {one.id: one for one in papers}, summaries)


def one_post(one: Paper, language: Language = "en", **changes: object) -> str:
    """The HTML of a post of one paper."""
    (part,) = written([choice(one, **changes)], [one], language).parts  # type: ignore[arg-type]
    return part.html


def visible(draft: Draft) -> str:
    return "\n".join(part.text for part in draft.parts)


# --- golden posts ---------------------------------------------------------------------------------


def roundup(language: Language) -> Draft:
    papers = [
        paper(
            1,
            "DIM: Removing One Colour from a Lamp",
            "Lamps remember every colour. We propose DIM, which removes one colour and keeps the others. "
            "It needs no history. On nine invented lamps DIM forgets 98.5\\% of a colour at 4.2x the speed.",
            authors=("Ada Example", "Boris Пример", "陈例", "Dora Muster", "Emil Ejemplo"),
            categories=("cs.LG", "cs.CV"),
            comments="9 pages. Accepted at LAMP 2026. Code: https://github.com/example/dim, page: "
            "https://example.github.io/dim",
        ),
        paper(
            2,
            'Erasing Concepts when $x<y$ & "Nothing" Else',
            "We show that a concept with $x<y$ can be erased by one cut. The cut costs 3\\% of quality.",
            categories=("cs.CV",),
            comments="Models: https://huggingface.co/example/cut",
        ),
        paper(
            3, "A Lamp that Was Never Lit", "This paper asks what a lamp knows before it is lit.", authors=()
        ),
        paper(
            4,
            "Notes on Dark Rooms",
            "We study forty dark rooms and what is seen in them.",
            categories=("stat.ML",),
        ),
        paper(5, "Which Lamps Can Be Trusted to Forget?", categories=("eess.XX",)),
    ]
    choices = [
        choice(papers[0], topics=("unlearning", "diffusion"), duplicates=("2605.00099",)),
        choice(papers[1], evidence=BY_KEY),
        choice(papers[2], evidence=BY_NEIGHBOUR),
        choice(papers[3], "brief", BY_KEY),
        choice(papers[4], "brief"),
    ]
    return written(choices, papers, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_roundup_reads_as_its_golden_file(language: Language) -> None:
    (part,) = roundup(language).parts
    check(part.html)  # Telegram would neither refuse nor repair anything
    assert part.html + "\n" == (GOLDEN / f"roundup.{language}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_roundup_names_each_paper_and_why_it_is_there(language: Language) -> None:
    draft = roundup(language)
    text = visible(draft)
    assert (draft.topics, draft.slot, draft.genre, draft.language) == (
        ("unlearning",),
        SLOT,
        "roundup",
        language,
    )
    assert [one.paper for one in draft.choices] == [f"2605.{number:05}" for number in range(1, 6)]
    for one in draft.choices:
        assert f"https://arxiv.org/abs/{one.paper}" in draft.parts[0].html
        assert all(key in text for key in (*one.evidence.seed_keys, *one.evidence.other_keys))
    assert "[stat.ML]" in text
    assert "[eess.XX]" in text  # an unknown category stands by its code
    assert "eess.XX" not in text.replace("[eess.XX]", "")


# --- what a title or an author may hold -------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_markup_in_a_title_is_text(language: Language) -> None:
    title = "<b>1 < 2</b> & \"quotes\" 'n' &amp; $x<y$ <br>"
    part = written([choice(paper(1, title))], [paper(1, title)], language).parts[0]
    assert "<b>1 < 2</b> & \"quotes\" 'n' &amp; x<y <br>" in part.text


def test_a_formula_is_shown_readable() -> None:
    assert "Lamps with O(n²) colours" in visible(
        written([choice(one := paper(1, "Lamps with $O(n^2)$ colours"))], [one])
    )


def test_no_line_of_authors_stands_where_they_are_unknown() -> None:
    assert "\n[LG] A Lamp\nWe propose" in visible(
        written([choice(one := paper(1, "A Lamp", authors=()))], [one])
    )


@pytest.mark.parametrize(("language", "more"), [("en", " et al."), ("ru", " и др."), ("zh", " 等")])
@pytest.mark.parametrize(("count", "shown"), [(1, 1), (4, 4), (5, 3), (60, 3)])
def test_of_many_authors_the_first_three_are_named(
    language: Language, more: str, count: int, shown: int
) -> None:
    names = tuple(f"Person {number}" for number in range(count))
    expected = ", ".join(names[:shown]) + (more if count > shown else "")
    assert f"\n{expected}\n" in one_post(paper(1, "A Lamp", authors=names), language)


def test_a_name_from_right_to_left_is_isolated_so_that_it_does_not_turn_the_line() -> None:
    html = one_post(paper(1, "A Lamp", authors=("Ada Example", "פלונית אלמונית", "فلان الفلاني")))
    assert "Ada Example, \u2068פלונית אלמונית\u2069, \u2068فلان الفلاني\u2069\n" in html


def test_names_are_composed_because_telegram_drops_combining_rings() -> None:
    assert "Ångström" in one_post(paper(1, "A Lamp", authors=("A\u030angstro\u0308m",)))


def test_emoji_pass_whole() -> None:
    assert "👩‍🔬🇳🇴 lamps" in visible(written([choice(one := paper(1, "👩‍🔬🇳🇴 lamps"))], [one]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_paper_without_an_abstract_stands_without_a_quotation(language: Language) -> None:
    one = paper(1, "A Lamp", abstract=" ")
    html = one_post(one, language)
    assert "<blockquote>" not in html
    assert "«»" not in html
    assert "\n\n\n" not in html


def test_sentences_are_quoted_verbatim_and_a_gap_is_shown() -> None:
    first, gap, last = (
        "We propose a lamp that forgets.",
        "It is small and it is red.",
        "It improves recall by 9%.",
    )
    near = one_post(paper(1, "A Lamp", f"{first} {last}"))
    far = one_post(paper(1, "A Lamp", f"{first} {gap} {last}"))
    assert f"<blockquote>{first} {last}</blockquote>" in near
    assert f"<blockquote>{first} […] {last}</blockquote>" in far


@pytest.mark.parametrize(
    ("language", "evidence", "words"),
    [
        ("en", NAMED, "Names it: machine unlearning, forget set"),
        (
            "en",
            BY_KEY,
            "Never says “unlearning”; found by: concept erasure; near: “Lamps that Forget: A Field Guide”",
        ),
        ("en", BY_NEIGHBOUR, "Never says “unlearning”; near: “Lamps that Forget: A Field Guide”"),
        ("en", Evidence(), "Never says “unlearning”; found by its meaning"),
        ("ru", NAMED, "Тема названа прямо: «machine unlearning», «forget set»"),
        (
            "ru",
            BY_KEY,
            (
                "Без слова «unlearning», нашлась по смежному ключу «concept erasure»; "
                "близкая работа — «Lamps that Forget: A Field Guide»"
            ),
        ),
        (
            "ru",
            Evidence(other_keys=("concept erasure", "data deletion")),
            "Без слова «unlearning», нашлась по смежным ключам «concept erasure», «data deletion»",
        ),
        (
            "ru",
            BY_NEIGHBOUR,
            "Без слова «unlearning», нашлась по сходству с «Lamps that Forget: A Field Guide»",
        ),
        ("ru", Evidence(), "Без слова «unlearning», нашлась по смыслу"),
        ("zh", NAMED, "入选理由：文中直接提到“machine unlearning”、“forget set”"),
        (
            "zh",
            BY_KEY,
            (
                "入选理由：标题和摘要均未出现“unlearning”，由相邻关键词“concept erasure”找到；"
                "相近论文：《Lamps that Forget: A Field Guide》"
            ),
        ),
        ("zh", BY_NEIGHBOUR, "因与《Lamps that Forget: A Field Guide》相近而入选"),
        ("zh", Evidence(), "入选理由：标题和摘要均未出现“unlearning”，按语义找到"),
    ],
)
def test_each_post_says_why_in_words(language: Language, evidence: Evidence, words: str) -> None:
    one = paper(1, "A Lamp")
    lines = visible(written([choice(one, evidence=evidence)], [one], language)).splitlines()
    assert any(line.endswith(words) for line in lines)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 работа"),
        (2, "2 работы"),
        (5, "5 работ"),
        (11, "11 работ"),
        (21, "21 работа"),
        (23, "23 работы"),
    ],
)
def test_russian_plurals_agree(count: int, words: str) -> None:
    papers = [paper(number, f"Lamp {number}") for number in range(count)]
    topic = Topic(name="unlearning", term="unlearning", seed_keys=("x",), limits=Limits(count, 0, 0))
    draft = written([choice(one) for one in papers], papers, "ru", topic)
    assert f"12 мая 2026, вторник · {words}\n" in draft.parts[0].text


@pytest.mark.parametrize(
    ("silent", "language", "words"),
    [
        (2, "en", "3 papers, 2 without the word “unlearning”"),
        (3, "en", "3 papers, all without the word “unlearning”"),
        (2, "ru", "3 работы, из них 2 — без слова «unlearning»"),
        (3, "ru", "3 работы, все — без слова «unlearning»"),
        (2, "zh", "3 篇论文，其中 2 篇未提“unlearning”"),
        (3, "zh", "3 篇论文，均未提“unlearning”"),
        (0, "zh", "3 篇论文\n"),
    ],
)
def test_the_head_counts_what_the_word_would_have_missed(silent: int, language: Language, words: str) -> None:
    papers = [paper(number, f"Lamp {number}") for number in range(3)]
    choices = [choice(one, evidence=BY_KEY if n < silent else NAMED) for n, one in enumerate(papers)]
    assert words in visible(written(choices, papers, language))


def test_greetings_and_closings_take_turns_from_slot_to_slot() -> None:
    voice = PostSettings(greetings={"en": ("One!", "Two!")}, sign_offs={"en": ("Bye.",)})
    writer = Writer(WRITER.templates, voice, WRITER.topics)
    one = paper(1, "A Lamp")
    posts = [
        visible(written([choice(one)], [one], writer=writer, slot=date(2026, 5, day)))
        for day in (12, 13, 14, 12)
    ]
    assert [post.splitlines()[0] for post in posts] in (
        ["One!", "Two!", "One!", "One!"],
        ["Two!", "One!", "Two!", "Two!"],
    )
    assert all(post.endswith("\n\nBye.") for post in posts)


@pytest.mark.parametrize(
    ("given_tags", "term", "expected"),
    [
        (("machine_unlearning", "#xai"), "x", ("#machine_unlearning", "#xai")),
        ((), "machine unlearning", ("#machine_unlearning",)),
        ((), "C++ / zero-shot", ("#C_zero_shot",)),
        (("机器遗忘", "разобучение"), "x", ("#机器遗忘", "#разобучение")),
        (("2026", "---"), "x", ()),
    ],
)
def test_hashtags_are_what_telegram_reads_as_one(
    given_tags: tuple[str, ...], term: str, expected: tuple[str, ...]
) -> None:
    assert hashtags(Topic(name="x", term=term, seed_keys=("x",), hashtags=given_tags)) == expected


# --- short titles -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("A Lamp", "A Lamp"),
        ("Lamps that Forget: A Long and Careful Study of Forty Rooms", "Lamps that Forget"),
        ("DIM: Removing Colours Quickly via Targeted Cooling of Filaments", "DIM: Removing Colours Quickly"),
        ("Do Lamps in Ordinary Rooms Really Remember Their Colours? A Study",
         "Do Lamps in Ordinary Rooms Really Remember Their Colours?"),
        ("Removing Every Unwanted Colour and Its Shadows of Any Ordinary Lamp",
         "Removing Every Unwanted Colour and Its Shadows…"),
        ("Fast Removal of $x y z a b c d e f g h i j k l m$ in Lamps at Night", "Fast Removal…"),
        *((title, title) for title in (
            "Nearly $x y z a b c d e f g h i j k l m n o p q r s t$ Lamps at Night",
            "Lamps-with-one-endless-word-that-cannot-be-cut-anywhere-at-all",
        )),
    ],
)  # fmt: skip
def test_a_short_title_ends_where_a_reader_would_pause(title: str, short: str) -> None:
    assert short_title(title) == short


@given(st.text(st.sampled_from("ab $:{}()?, "), max_size=120))
def test_a_short_title_is_never_cut_inside_a_formula(title: str) -> None:
    short = short_title(title)
    if short != title:
        cut = short.removesuffix("…")
        assert title.startswith(cut)
        assert cut.count("$") % 2 == 0
        assert cut.count("{") == cut.count("}")


# --- length ------------------------------------------------------------------------------------------


def long_papers(count: int, words: int) -> tuple[list[Paper], list[Choice], Topic]:
    """Papers whose two sentences hold so many words each."""
    filler = " ".join(["colours"] * words)
    papers = [
        paper(
            number,
            f"Lamp Number {number}",
            f"We propose lamp {number} which forgets {filler}. "
            f"Results show it improves {number}% over {filler}.",
            authors=("Ada Example", "Boris Пример", "Dora Muster", "Emil Ejemplo", "Fay Mallink"),
        )
        for number in range(1, count + 1)
    ]
    detailed = (count + 1) // 2
    choices = [choice(one, "detailed" if n < detailed else "brief") for n, one in enumerate(papers)]
    limits = Limits(detailed, count - detailed)
    return papers, choices, Topic(name="unlearning", term="unlearning", seed_keys=("x",), limits=limits)


def shown(draft: Draft) -> tuple[int, int, int]:
    """How many first sentences, second sentences and lines of authors a post shows."""
    text = visible(draft)
    return text.count("We propose"), text.count("Results show"), text.count("Ada Example")


def test_a_short_post_keeps_everything() -> None:
    papers, choices, topic = long_papers(6, 3)
    assert shown(written(choices, papers, topic=topic)) == (6, 3, 3)


def test_a_long_post_first_loses_second_sentences_from_the_last_paper_up() -> None:
    papers, choices, topic = long_papers(6, 46)
    draft = written(choices, papers, topic=topic)
    first, second, authors = shown(draft)
    assert len(draft.parts) == 1
    assert (first, authors) == (6, 3)
    assert second < 3
    kept = [number for number in range(1, 4) if f"improves {number}%" in visible(draft)]
    assert kept == list(range(1, second + 1))


def test_then_the_sentences_of_brief_papers_then_all_authors() -> None:
    seen = set()
    for words in range(40, 110, 4):
        papers, choices, topic = long_papers(8, words)
        draft = written(choices, papers, topic=topic)
        first, second, authors = shown(draft)
        seen.add((first, second, authors))
        if first < 8:
            assert second == 0
        if authors == 0:
            assert first == 4
    assert any(first in range(5, 8) and authors == 4 for first, _, authors in seen)
    assert any(authors == 0 for _, _, authors in seen)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cannot_fit_one_message_is_cut_between_papers(language: Language) -> None:
    papers, choices, topic = long_papers(30, 110)
    draft = written(choices, papers, language, topic)
    assert len(draft.parts) >= 4
    for part in draft.parts:
        assert utf16_length(part.text) <= 4096
        assert parse(part.html).text == part.text
    for number, one in enumerate(papers, 1):
        heads = [part for part in draft.parts if f"] {one.title}\n" in part.text]
        if one.id in {chosen.paper for chosen in choices if chosen.tier == "detailed"}:
            assert len(heads) == 1
            assert f"improves {number}%" not in heads[0].text  # the budget had taken it before
            assert re.search(rf"We propose lamp {number} which forgets [colurs ]+\.\n", heads[0].text)
        else:
            assert not heads  # it is only named by then
            assert (
                draft.parts[-1].html.count(f'<a href="https://arxiv.org/abs/{one.id}">{one.title}</a>') == 1
            )


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=40)
@given(title=st.text(max_size=60), abstract=st.text(max_size=200), author=st.text(max_size=30))
def test_whatever_a_paper_holds_its_post_parses(
    language: Language, title: str, abstract: str, author: str
) -> None:
    one = paper(1, title or "A Lamp", abstract, authors=(author,), comments=abstract)
    for part in written([choice(one, evidence=BY_KEY)], [one], language).parts:
        assert parse(part.html).text == part.text


# --- templates of the user's own ------------------------------------------------------------------------


def own(folder: Path, text: str, name: str = "en/roundup.html.j2") -> Writer:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return Writer(templates(folder, PACKAGED), PostSettings(), {})


def test_a_users_template_stands_before_the_packaged_one(tmp_path: Path) -> None:
    writer = own(tmp_path, "<b>{{ title }}</b>\n\n{% for item in items %}{{ item.title }}{% endfor %}")
    one = paper(1, "A Lamp & a Room")
    assert (
        written([choice(one)], [one], writer=writer).parts[0].html
        == "<b>Machine unlearning</b>\n\nA Lamp &amp; a Room"
    )
    assert "Машинное разобучение" in visible(written([choice(one)], [one], "ru", writer=writer))


def test_a_users_macros_stand_before_the_packaged_ones(tmp_path: Path) -> None:
    shared = (PACKAGED / "shared/paper.j2").read_text(encoding="utf-8")
    writer = own(tmp_path, shared.replace('" · "', '" | "'), "shared/paper.j2")
    one = paper(1, "A Lamp")
    assert "paper | pdf" in visible(written([choice(one)], [one], writer=writer))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("<b>\n{{ title", 2, "unexpected end of template"),
        ("one\n\n{{ titel }}", 3, "'titel' is undefined"),
        ("{{ items[0].name_of_lamp }}", 1, "no attribute 'name_of_lamp'"),
        ("\n{{ title.__class__.__mro__ }}", 2, "unsafe"),
        ("\n{{ 1 / 0 }}", 2, "division by zero"),
        ("\n{{ slot | day(7) }}", 2, ""),
        ("\n{% include 'missing.j2' %}", 2, "missing.j2"),
        ("\n\n{{ title | shout }}", 3, "No filter named 'shout'"),
    ],
)
def test_a_broken_template_gives_one_line_with_file_and_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    one = paper(1, "A Lamp")
    with pytest.raises(UsageError) as caught:
        written([choice(one)], [one], writer=own(tmp_path, text))
    told = str(caught.value)
    assert f"roundup.html.j2, line {line}: " in told
    assert message in told
    assert "\n" not in told


@pytest.mark.parametrize("text", ["<p>no</p>", "<b>open", "a < b", "<br>"])
def test_a_template_that_telegram_would_refuse_is_named(tmp_path: Path, text: str) -> None:
    writer = own(tmp_path, text)
    one = paper(1, "A Lamp")
    with pytest.raises(UsageError, match=r"en/roundup\.html\.j2.*Telegram"):
        written([choice(one)], [one], writer=writer)


def test_all_mistakes_in_the_users_templates_are_told_at_once_even_of_languages_no_post_needs(
    tmp_path: Path,
) -> None:
    own(tmp_path, "{{ title }}", "en/roundup.html.j2")
    for name in ("ru/review.html.j2", "zh/links.html.j2"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("\n{% if %}", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        templates(tmp_path, PACKAGED)
    told = str(caught.value).splitlines()
    assert [
        ("ru/review.html.j2, line 2: " in line, "zh/links.html.j2, line 2: " in line) for line in told
    ] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("language", "words"), [("en", "And 2 more: "), ("ru", "И ещё 2: "), ("zh", "另有 2 篇：")]
)
def test_papers_that_are_only_named_stand_in_one_line_with_their_links(
    language: Language, words: str
) -> None:
    papers = [paper(number, f"Lamp Number {number}") for number in range(1, 5)]
    tiers: tuple[Tier, ...] = ("detailed", "brief", "named", "named")
    draft = written([choice(one, tier) for one, tier in zip(papers, tiers, strict=True)], papers, language)
    [line] = [line for line in draft.parts[0].text.splitlines() if line.startswith(words)]
    assert re.split("; |；", line.removeprefix(words)) == ["Lamp Number 3", "Lamp Number 4"]
    assert "https://arxiv.org/abs/2605.00004" in draft.parts[0].html
    assert "We propose lamp number 3" not in visible(draft)


def test_the_three_languages_name_the_same_categories() -> None:
    def names(language: str) -> dict[str, str]:
        module = WRITER.templates.get_template(f"{language}/categories.j2").module
        return module.names  # type: ignore[attr-defined, no-any-return]

    assert names("en").keys() == names("ru").keys() == names("zh").keys()
    assert names("zh")["cs.RO"] == "机器人"


if __name__ == "__main__":
    for tongue in LANGUAGES:
        (golden_part,) = roundup(tongue).parts
        (GOLDEN / f"roundup.{tongue}.html").write_text(golden_part.html + "\n", encoding="utf-8")
        sys.stdout.write(f"{golden_part.text}\n{'=' * 80}\n")
