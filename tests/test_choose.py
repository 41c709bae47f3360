"""Choosing: floor, no repeats, near-duplicates, variety, one silent find, and a reason for each left out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from digest.choose import (
    Chosen,
    choose,
    due,
    empty_reason,
    everything,
    fold_title,
    home,
    is_young,
    latest,
    quality,
)
from digest.types import Evidence, LeftOut, Limits, Match, Paper, Rhythm, Topic

NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)


def paper(number: int, *, title: str = "", abstract: str = "", **changes: object) -> Paper:
    values: dict[str, object] = {
        "id": f"2605.{number:05}",
        "version": 1,
        "title": title or f"An invented paper number {number} on lamps",
        "abstract": abstract or " ".join(f"word{number}x{n}" for n in range(40)),
        "authors": ("Ada Example",),
        "categories": ("cs.LG",),
        "submitted": NOON,
        "updated": NOON,
        "announced": NOON.date(),
    }
    return Paper(**values | changes)  # type: ignore[arg-type]


def match(one: Paper, score: float, *, silent: bool = False, topic: str = "unlearning") -> Match:
    return Match(topic=topic, paper=one.id, score=score, silent=silent, evidence=Evidence(), scorer="test")


def topic(detailed: int = 5, brief: int = 5, floor: float = 0.5, named: int = 0) -> Topic:
    return Topic(
        name="unlearning",
        term="unlearning",
        seed_keys=("unlearning",),
        floor=floor,
        limits=Limits(detailed, brief, named),
    )


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def chosen(*pairs: tuple[Paper, Match], of: Topic | None = None, **more: object) -> Chosen:
    papers = {one.id: one for one, _ in pairs}
    vectors = more.pop("vectors", {})
    return choose(of or topic(), [found for _, found in pairs], papers, vectors, **more)  # type: ignore[arg-type]


def of_floors(**floors: float) -> dict[str, Topic]:
    return {name: replace(topic(), name=name, floor=floor) for name, floor in floors.items()}


def ids(result: Chosen) -> list[str]:
    return [choice.paper for choice in result.choices]


def reasons(result: Chosen) -> dict[str, str]:
    return {left.paper: left.reason for left in result.left_out}


def test_the_best_of_the_rest_are_named_and_the_others_over_the_limit() -> None:
    papers = [paper(number, title=f"Lamp {number}", abstract=f"Colour {number}.") for number in range(1, 6)]
    pairs = [(one, match(one, 1 - number / 10)) for number, one in enumerate(papers)]
    result = chosen(*pairs, of=topic(1, 1, named=2))
    assert [choice.tier for choice in result.choices] == ["detailed", "brief", "named", "named"]
    assert ids(result) == [one.id for one in papers[:4]]
    assert list(reasons(result)) == [papers[4].id]
    assert reasons(result)[papers[4].id].startswith("over the limit of 4 papers, which score 0.")


def test_in_a_young_archive_what_only_looks_like_the_topic_needs_a_high_score() -> None:
    looks, sure, named = paper(1), paper(2, title="B", abstract="b"), paper(3, title="C", abstract="c")
    by_key = replace(match(named, 0.55, silent=True), evidence=Evidence(other_keys=("concept erasure",)))
    pairs = [(looks, match(looks, 0.6, silent=True)), (sure, match(sure, 0.8, silent=True)), (named, by_key)]
    assert ids(chosen(*pairs, young=True)) == [sure.id, named.id]
    assert ids(chosen(*pairs)) == [sure.id, looks.id, named.id]


def test_what_only_looks_like_the_topic_needs_a_higher_score_than_what_holds_a_key() -> None:
    looks, named = paper(1), paper(2, title="B", abstract="b")
    by_key = replace(match(named, 0.5, silent=True), evidence=Evidence(other_keys=("concept erasure",)))
    result = chosen((looks, match(looks, 0.59, silent=True)), (named, by_key))
    assert ids(result) == [named.id]
    assert reasons(result) == {
        looks.id: "only looks like the topic: below the floor for a paper without a key, 0.60"
    }


def test_a_topic_without_keys_has_nothing_but_looks() -> None:
    looks = paper(1)
    of = replace(topic(), seed_keys=(), seed_papers=("2301.00001",))
    assert ids(chosen((looks, match(looks, 0.55, silent=True)), of=of)) == [looks.id]


@pytest.mark.parametrize(
    ("whole", "thin", "young"),
    [(0, 0, True), (1, 14, True), (9, 14, True), (10, 0, False), (10, 14, False)],
)
def test_an_archive_is_young_until_it_holds_ten_whole_days(whole: int, thin: int, young: bool) -> None:
    days = {date(2026, 4, 1) + timedelta(days=at): 600 if at < whole else 40 for at in range(whole + thin)}
    assert is_young(days) is young


def test_everything_keeps_what_was_posted_and_merges_what_is_the_same() -> None:
    one, twin, low, gone = (
        paper(1, title="A", abstract="a"),
        paper(2, title="A"),
        paper(3, title="Z", abstract="z"),
        paper(4, withdrawn=True),
    )
    matches = [match(one, 0.9), match(twin, 0.8), match(low, 0.1), match(gone, 0.9)]
    papers = {each.id: each for each in (one, twin, low, gone)}
    [kept] = everything(topic(), matches, papers, {}, {one.id: ("diffusion", "unlearning")})
    assert (kept.paper, kept.tier, kept.duplicates) == (one.id, "named", (twin.id,))
    assert kept.topics == ("unlearning", "diffusion")


def test_a_paper_of_two_topics_stands_once_where_it_scores_best_and_names_both() -> None:
    both, one = paper(1), paper(2)
    homes = home(
        {
            "unlearning": [match(both, 0.7), match(one, 0.6)],
            "diffusion": [match(both, 0.9, topic="diffusion")],
        },
        of_floors(unlearning=0.5, diffusion=0.5),
    )
    assert [found.paper for found in homes.matches["unlearning"]] == [one.id]
    assert [found.paper for found in homes.matches["diffusion"]] == [both.id]
    assert homes.topics[both.id] == ("diffusion", "unlearning")
    assert homes.topics[one.id] == ("unlearning",)


def test_on_a_tie_a_paper_stands_in_the_topic_given_first() -> None:
    both = paper(1)
    homes = home(
        {"b": [match(both, 0.7, topic="b")], "a": [match(both, 0.7, topic="a")]}, of_floors(b=0, a=0)
    )
    assert homes.topics[both.id] == ("b", "a")


def test_a_paper_stands_where_it_reaches_the_floor_rather_than_where_it_scores_more() -> None:
    both = paper(1)
    homes = home(
        {"strict": [match(both, 0.8, topic="strict")], "mild": [match(both, 0.6, topic="mild")]},
        of_floors(strict=0.9, mild=0.5),
    )
    assert homes.topics[both.id] == ("mild",)


@pytest.mark.parametrize(("young", "at_home"), [(False, ("looks", "named")), (True, ("named",))])
def test_a_paper_is_never_given_to_a_topic_that_refuses_it_while_another_takes_it(
    young: bool, at_home: tuple[str, ...]
) -> None:
    """What only looks like a topic needs more than the topic's floor."""
    both = paper(1)
    looks, named = match(both, 0.65, silent=True, topic="looks"), match(both, 0.62, topic="named")
    topics = of_floors(looks=0.5, named=0.5)
    homes = home({"looks": [looks], "named": [named]}, topics, young=young)
    assert homes.topics[both.id] == at_home
    taken = [ids(chosen((both, one), of=topics[name], young=young))
             for name, some in homes.matches.items() for one in some]  # fmt: skip
    assert taken == [[both.id]]


def test_a_choice_names_its_own_topic_first_then_the_others() -> None:
    one = paper(1)
    result = chosen((one, match(one, 0.9)), topics={one.id: ("unlearning", "diffusion")})
    assert result.choices[0].topics == ("unlearning", "diffusion")


@pytest.mark.parametrize(
    ("changes", "more", "reason"),
    [
        ({}, {}, "below the floor"),
        ({"withdrawn": True}, {}, "withdrawn"),
        ({}, {"posted": {"2605.00001"}}, "posted before"),
        ({"title": "The Lamp, Again"}, {"posted_titles": {fold_title("The lamp: again!")}}, "posted before"),
    ],
)
def test_what_cannot_be_posted_is_left_out_with_its_reason(
    changes: dict[str, object], more: dict[str, object], reason: str
) -> None:
    one = paper(1, **changes)  # type: ignore[arg-type]
    score = 0.4 if reason == "below the floor" else 0.9
    result = chosen((one, match(one, score)), **more)
    assert ids(result) == []
    assert reasons(result) == {one.id: reason}


def test_a_paper_that_repeats_a_posted_one_in_other_words_is_left_out() -> None:
    one = paper(1)
    result = chosen(
        (one, match(one, 0.9)), vectors={one.id: unit(1, 0.1)}, posted_vectors=np.array([unit(1, 0)])
    )
    assert reasons(result) == {one.id: "near-duplicate of a paper posted before"}


def test_a_paper_at_the_floor_is_posted() -> None:
    one = paper(1)
    assert ids(chosen((one, match(one, 0.5)))) == [one.id]


@pytest.mark.parametrize("kind", ["title", "vector", "words"])
def test_near_duplicates_are_merged_into_the_better_one(kind: str) -> None:
    words = "we invent a lamp that forgets the colours which it has shown before and measure how well"
    better, worse = paper(1), paper(2)
    vectors = {better.id: unit(1, 0), worse.id: unit(0, 1)}
    if kind == "title":
        better, worse = paper(1, title="Lamps $that$ Forget"), paper(2, title="LAMPS that forget.")
    elif kind == "vector":
        vectors[worse.id] = unit(1, 0.1)
    else:
        better, worse = paper(1, title="A", abstract=words), paper(2, title="B", abstract=words)
    result = chosen((worse, match(worse, 0.8)), (better, match(better, 0.9)), vectors=vectors)
    assert ids(result) == [better.id]
    assert result.choices[0].duplicates == (worse.id,)
    assert reasons(result) == {worse.id: f"near-duplicate of {better.id}"}


def test_alike_papers_below_the_thresholds_both_stay() -> None:
    one, other = paper(1), paper(2)
    vectors = {one.id: unit(1, 0), other.id: unit(0.9, np.sqrt(1 - 0.81))}  # cosine .90
    result = chosen((one, match(one, 0.9)), (other, match(other, 0.8)), vectors=vectors)
    assert sorted(ids(result)) == [one.id, other.id]


def test_the_score_weighs_relevance_novelty_and_quality() -> None:
    one = paper(
        1,
        abstract="Code: https://github.com/example/lamp",
        comments="Accepted at LAMP 2026",
        categories=("cs.LG", "cs.CV"),
    )
    vectors, before = {one.id: unit(1, 1)}, np.array([unit(1, 0)])
    result = chosen((one, match(one, 0.8)), vectors=vectors, posted_vectors=before)
    assert result.choices[0].score == pytest.approx(0.6 * 0.8 + 0.25 * (1 - np.sqrt(0.5)) + 0.15)


def test_quality_is_the_share_of_three_signs() -> None:
    assert quality(paper(1)) == 0
    assert quality(paper(1, categories=("cs.LG", "cs.CL"))) == pytest.approx(1 / 3)


def test_the_first_papers_are_detailed_the_next_brief_and_the_rest_over_the_limit() -> None:
    papers = [paper(number) for number in range(5)]
    result = chosen(*((one, match(one, 0.9 - 0.01 * n)) for n, one in enumerate(papers)), of=topic(2, 1))
    assert [(choice.paper, choice.tier) for choice in result.choices] == [
        (papers[0].id, "detailed"),
        (papers[1].id, "detailed"),
        (papers[2].id, "brief"),
    ]
    assert list(reasons(result)) == [papers[3].id, papers[4].id]
    assert all(
        each.startswith("over the limit of 3 papers, which score 0.") for each in reasons(result).values()
    )


def test_variety_prefers_another_subject_to_more_of_the_same() -> None:
    first, same, other = paper(1), paper(2), paper(3)
    vectors = {first.id: unit(1, 0), same.id: unit(1, 0.5), other.id: unit(0, 1)}
    result = chosen(
        (first, match(first, 0.9)), (same, match(same, 0.89)), (other, match(other, 0.7)),
        vectors=vectors, of=topic(2, 0),
    )  # fmt: skip
    assert ids(result) == [first.id, other.id]


def test_a_silent_find_above_the_floor_gets_the_last_place() -> None:
    loud = [paper(number) for number in range(4)]
    silent, faint = paper(8), paper(9)
    pairs = [(one, match(one, 0.95)) for one in loud]
    pairs += [(silent, match(silent, 0.6, silent=True)), (faint, match(faint, 0.3, silent=True))]
    result = chosen(*pairs, of=topic(2, 1))
    assert ids(result)[-1] == silent.id
    assert result.choices[-1].silent
    assert result.choices[-1].tier == "brief"
    assert reasons(result)[faint.id] == "below the floor"


def test_no_place_is_made_for_a_silent_find_where_one_stands_already() -> None:
    papers = [paper(number) for number in range(4)]
    pairs = [(one, match(one, 0.9 - n / 100, silent=n in (0, 3))) for n, one in enumerate(papers)]
    assert ids(chosen(*pairs, of=topic(2, 1))) == [one.id for one in papers[:3]]


def test_the_only_place_is_not_given_away() -> None:
    loud, silent = paper(1), paper(2)
    result = chosen((loud, match(loud, 0.9)), (silent, match(silent, 0.8, silent=True)), of=topic(1, 0))
    assert ids(result) == [loud.id]


def test_papers_without_vectors_are_chosen_all_the_same() -> None:
    one, other = paper(1), paper(2)
    result = chosen(
        (one, match(one, 0.9)), (other, match(other, 0.8)), posted_vectors=np.zeros((0, 2), np.float32)
    )
    assert ids(result) == [one.id, other.id]


def test_nothing_to_choose_from_gives_nothing() -> None:
    assert chosen() == Chosen((), ())


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.booleans(), st.booleans(), st.floats(0, 3)), max_size=14, unique=True
    ),
    st.permutations(range(14)),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_every_paper_is_chosen_or_left_out_once_whatever_the_order(
    given_papers: list[tuple[float, bool, bool, float]], order: list[int], detailed: int, brief: int
) -> None:
    pairs, vectors = [], {}
    for number, (score, silent, withdrawn, angle) in enumerate(given_papers):
        one = paper(number, withdrawn=withdrawn)
        pairs.append((one, match(one, score, silent=silent)))
        vectors[one.id] = unit(np.cos(angle), np.sin(angle))
    result = chosen(*pairs, vectors=dict(vectors), of=topic(detailed, brief))
    shuffled = [pairs[n] for n in order if n < len(pairs)]
    assert chosen(*shuffled, vectors=dict(vectors), of=topic(detailed, brief)) == result
    told = ids(result) + [left.paper for left in result.left_out]
    assert sorted(told) == sorted(one.id for one, _ in pairs)
    assert len(result.choices) <= detailed + brief


MONDAY = date(2026, 5, 11)


@pytest.mark.parametrize(
    ("rhythm", "waiting", "slot", "expected"),
    [
        (Rhythm(), [], MONDAY, False),
        (Rhythm(), [MONDAY], MONDAY, True),
        (Rhythm(at_least=3, at_latest_days=7), [MONDAY, MONDAY], MONDAY, False),
        (Rhythm(at_least=3, at_latest_days=7), [MONDAY] * 3, MONDAY, True),
        (Rhythm(at_least=3, at_latest_days=7), [MONDAY], date(2026, 5, 16), False),
        (Rhythm(at_least=3, at_latest_days=7), [date(2026, 5, 15), MONDAY], date(2026, 5, 17), True),
    ],
)
def test_a_post_is_due_when_enough_wait_or_one_has_waited_long(
    rhythm: Rhythm, waiting: list[date], slot: date, expected: bool
) -> None:
    assert due(rhythm, waiting, slot) is expected


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 40))
def test_no_paper_leaves_the_window_unposted(at_least: int, days: int, age: int) -> None:
    """Run every day, a post is due while the paper is still among the last ``days`` days."""
    rhythm = Rhythm(at_least, days)
    posted_on = next(
        day for day in range(41) if due(rhythm, [MONDAY], date.fromordinal(MONDAY.toordinal() + day))
    )
    assert posted_on <= days - 1
    assert latest(rhythm, [MONDAY]).toordinal() - MONDAY.toordinal() == days - 1


def test_a_folded_title_forgets_case_accents_punctuation_and_commands() -> None:
    assert fold_title("\\emph{Né} à $Paris$!") == fold_title("NE A PARIS")
    assert fold_title("机器遗忘") == "机器遗忘"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"announced": 0, "slot": date(2026, 5, 16)}, "weekend: arXiv announces nothing"),
        ({"announced": 0}, "nothing announced"),
        ({"announced": 203}, "nothing on topic among 203 papers announced"),
        (
            {"announced": 203, "scores": [0.41, 0.2]},
            "nothing over the floor 0.50: the best of 2 matches scores 0.41, of 203 papers announced",
        ),
        (
            {"announced": 9, "scores": [0.8] * 3,
             "left_out": [LeftOut("1", "posted before"), LeftOut("2", "near-duplicate of 1"),
                          LeftOut("3", "posted before")]},
            "nothing new among 3 matches: 1 near-duplicate, 2 posted before",
        ),
        (
            {"announced": 9, "scores": [0.8], "waiting": [MONDAY]},
            "waiting for 3 papers: 1 waits, posted on 2026-05-17 at the latest",
        ),
    ],
)  # fmt: skip
def test_a_day_without_a_post_says_why(changes: dict[str, object], expected: str) -> None:
    of = Topic(
        name="unlearning",
        term="unlearning",
        seed_keys=("unlearning",),
        rhythm=Rhythm(at_least=3, at_latest_days=7),
    )
    slot = changes.pop("slot", date(2026, 5, 12))
    assert empty_reason(of, slot, **changes) == expected  # type: ignore[arg-type]


def test_the_surest_paper_stands_first_whatever_variety_picked() -> None:
    near, sure, other = paper(1), paper(2), paper(3)
    vectors = {near.id: unit(1, 0.6), sure.id: unit(1, 0), other.id: unit(0, 1)}
    result = chosen(
        (near, match(near, 0.8)), (sure, match(sure, 0.9)), (other, match(other, 0.6)), vectors=vectors
    )
    assert ids(result) == [sure.id, near.id, other.id]
