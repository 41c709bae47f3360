"""What keys bring: by month, beside other keys, and rising."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest import yields
from digest.report import topics as report
from digest.types import Key, KeyDecision, KeyEvidence, Paper
from digest.yields import KeyStory, Overview

DAY = date(2026, 6, 15)


def key(text: str, **changes: object) -> Key:
    given = {
        "topic": "unlearning",
        "text": text,
        "normal": text,
        "state": "active",
        "origin": "seed",
        **changes,
    }
    return Key(**given)  # type: ignore[arg-type]


def paper(number: int, text: str, announced: date = DAY) -> Paper:
    moment = datetime(announced.year, announced.month, announced.day, tzinfo=UTC)
    return Paper(
        id=f"2606.{number:05}",
        version=1,
        title=text,
        abstract="",
        authors=("A",),
        categories=("cs.LG",),
        submitted=moment,
        updated=moment,
        announced=announced,
    )


PAPERS = [
    paper(1, "Machine unlearning"),
    paper(2, "Concept erasure"),
    paper(3, "Concept erasure is unlearning", DAY - timedelta(days=40)),
    paper(4, "Unlearnable examples"),
]
KEYS = [key("unlearning"), key("concept erasure", origin="auto")]


def found(papers: Sequence[Paper] = PAPERS) -> list[yields.Yield]:
    where = yields.standing([each.text for each in KEYS], ("unlearnable example",), papers)
    held = {DAY: 100, DAY - timedelta(days=40): 1000}
    return yields.yields(KEYS, where, ("unlearning",), {"2606.00002"}, held, DAY)


def test_a_key_brings_papers_of_which_those_without_a_seed_key_are_silent() -> None:
    seed, erasure = found()
    assert (seed.papers, seed.adds, seed.posted) == (2, 0, 0)
    assert (erasure.papers, erasure.adds, erasure.posted) == (2, 1, 1)


def test_papers_are_told_by_the_month_of_their_announcement() -> None:
    assert found()[1].months == {
        "2026-01": 0,
        "2026-02": 0,
        "2026-03": 0,
        "2026-04": 0,
        "2026-05": 1,
        "2026-06": 1,
    }


@given(st.dates(date(1991, 1, 1), date(2100, 1, 1)), st.integers(1, 30))
def test_months_follow_each_other_and_end_with_the_day(day: date, count: int) -> None:
    months = yields.months_until(day, count)
    assert len(set(months)) == count
    assert months == sorted(months)
    assert months[-1] == f"{day:%Y-%m}"


def test_a_key_that_stands_in_ten_times_the_share_rises_and_one_as_before_does_not() -> None:
    held = {DAY - timedelta(days=5): 1000, DAY - timedelta(days=90): 10_000}
    rising = yields.rise([DAY - timedelta(days=5)] * 10 + [DAY - timedelta(days=90)] * 10, held, DAY)
    level = yields.rise([DAY - timedelta(days=5)] * 2 + [DAY - timedelta(days=90)] * 20, held, DAY)
    assert (rising.recent, rising.recent_of, rising.before, rising.before_of) == (10, 1000, 10, 10_000)
    assert rising.is_certain
    assert not level.is_certain
    assert abs(level.z) < 1


def test_without_papers_on_either_side_nothing_rises() -> None:
    assert yields.rise([DAY] * 9, {DAY: 100}, DAY).z == 0
    assert yields.rise([], {}, DAY).z == 0


def test_overlaps_count_shared_papers_and_name_the_parents() -> None:
    where = yields.standing([each.text for each in KEYS], (), PAPERS)
    [shared] = yields.overlaps("concept erasure", where, {"unlearning"})
    assert (shared.key, shared.papers, shared.parent) == ("unlearning", 1, True)


def test_a_key_is_shown_with_evidence_overlap_and_every_decision() -> None:
    evidence = KeyEvidence(
        matches=12,
        adds=8,
        verified=6,
        lower_bound=0.58,
        contrast=4.2,
        best=("Good one",),
        worst=("Bad one",),
        corpus=13_402,
        scorer="s-1",
    )
    decision = KeyDecision(
        topic="unlearning",
        normal="concept erasure",
        state="rejected",
        decided_by="human",
        decided_at=datetime(2026, 5, 1, tzinfo=UTC),
        reason="too wide",
        evidence=evidence,
    )
    where = yields.standing([each.text for each in KEYS], (), PAPERS)
    told = report.key_story(
        KeyStory(
            yielded=yields.yields([key("concept erasure", evidence=evidence)], where, (), (), {}, DAY)[0],
            overlaps=tuple(yields.overlaps("concept erasure", where, ())),
            history=(decision,),
        )
    )
    for words in (
        "from 13,402 papers (scorer s-1)",
        "6 of these, 75%, at least 58%",
        "Good one",
        "Bad one",
        "1 of 2 papers  unlearning",
        "2026-05-01 00:00  rejected by human: too wide (6 of 8 verified)",
    ):
        assert words in told


def test_a_topic_is_shown_with_months_and_rising_keys() -> None:
    told = report.overview(
        Overview(topic="unlearning", day=DAY, papers=1100, keys=tuple(found()), feedback=3)
    )
    assert "2 keys active, 0 proposed; 1,100 papers held; judged 3 times by people" in told
    assert "26-06" in told
    assert "rising in the last 30 days: no key surely" in told
