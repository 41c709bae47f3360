"""The estimate of recall: honest where the truth is known, narrower where people have judged."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from digest import relevance
from digest.archive import Archive
from digest.evaluation.intervals import Measured
from digest.evaluation.labels import Truth
from digest.evaluation.recall import Month, RecallCheck, coverage, monthly
from digest.recall import DEPENDENCE, RANKED, Catch, catch, catch_of, estimate
from digest.report import evaluate as report
from digest.report import topics
from digest.types import Evidence, Match, Topic
from digest.yields import Overview
from fields import papers_of


def month(seed: int, *, named: int = 60, silent: int = 25, others: int = 900) -> tuple[Catch, float]:
    """A month as the estimate sees it, and the share that was truly found: two nets that depend on each
    other as lists have shown, and papers on other things in both."""
    generator = np.random.default_rng(seed)
    odds = 2.5
    rates = (odds / (1 + odds), DEPENDENCE * odds / (1 + DEPENDENCE * odds))
    ranked = generator.random(named + silent) < np.repeat(rates, (named, silent))
    looks = generator.uniform(np.where(ranked, RANKED, 0), np.where(ranked, 1, RANKED))
    keys = np.concatenate([generator.choice([0.25, 0.4, 0.6], named), np.zeros(silent)])
    noise = generator.beta(0.3, 8, others)
    on_topic = np.concatenate([np.ones(named + silent, bool), np.zeros(others, bool)])
    keys, looks = np.concatenate([keys, np.zeros(others)]), np.concatenate([looks, noise])
    found = 1 - (1 - keys) * (1 - 0.4 * looks) >= 0.3
    return catch_of(keys, looks, found), float((found & on_topic).sum() / on_topic.sum())


def test_the_interval_holds_the_truth_in_eight_of_ten_months() -> None:
    held = 0
    for seed in range(30):
        caught, truth = month(seed, silent=10 + 2 * seed)
        told = estimate(caught)
        held += told.low <= truth <= told.high
    assert held >= 24


def test_the_same_catch_gives_the_same_estimate() -> None:
    assert estimate(month(1)[0]) == estimate(month(1)[0])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.6]), st.floats(0, 1), st.booleans()), max_size=30))
def test_any_catch_gives_shares_in_order(papers: list[tuple[float, float, bool]]) -> None:
    keys, looks, found = (np.array([each[at] for each in papers]) for at in range(3))
    told = estimate(catch_of(keys.astype(float), looks.astype(float), found.astype(bool)))
    assert 0 <= told.low <= told.share <= told.high <= 1
    assert 0 <= told.fewest <= told.missed <= told.most
    assert told.by_both <= min(told.by_keys, told.by_looks)


def test_more_silent_finds_mean_more_that_are_missed() -> None:
    few, many = (estimate(month(3, silent=size, others=0)[0]) for size in (0, 80))
    assert many.missed > few.missed
    assert many.share < few.share


def match(number: int, score: float, keys: float, looks: float) -> Match:
    return Match(
        topic="unlearning",
        paper=f"2606.{number:05}",
        score=score,
        silent=not keys,
        evidence=Evidence(scores={"keys": keys, "looks": looks}),
        scorer="s",
    )


def test_what_people_said_settles_whether_a_paper_is_on_topic() -> None:
    matches = [match(at, 0.4, 0.0, 0.7) for at in range(12)]
    matches += [match(50 + at, 0.8, 0.6, 0.8 if at % 2 else 0.1) for at in range(20)]
    unsure = estimate(catch(matches, 0.3, {}))
    refused = estimate(catch(matches, 0.3, {f"2606.{at:05}": "dislike" for at in range(12)}))
    liked = estimate(catch(matches, 0.3, {f"2606.{at:05}": "like" for at in range(12)}))
    assert refused.missed < unsure.missed < liked.missed
    caught = catch(matches, 0.3, {"2606.00000": "dislike"})
    assert (caught.likely[0], caught.sure[0], caught.sure[1]) == (0.0, True, False)
    assert caught.found.all()


def test_nothing_caught_is_no_recall_of_nothing() -> None:
    told = estimate(catch([], 0.3, {}))
    assert (told.found, told.by_keys) == (0, 0)


def test_recall_is_shown_with_its_interval_and_what_it_stands_on() -> None:
    bare = Overview(topic="unlearning", day=date(2026, 6, 1), papers=9, keys=(), feedback=0)
    told = estimate(month(5)[0])
    text = " ".join(topics.overview(replace(bare, recall=told, floor=0.3)).split())
    assert f"{told.fewest:.0f} to {told.most:.0f} missed, {told.low:.0%} to {told.high:.0%} found" in text
    assert "the floor of 0.3 keeps out of posts" in text
    assert "60 papers hold a key" in text
    assert "missed in the last 30 days: no paper was scored" in topics.overview(bare)


def measured(share: float, low: float, high: float, *, found: int, listed: int) -> Month:
    estimates = {"digest": Measured(share, low, high)}
    return Month(month="2026-06", papers=100, listed=listed, found=found, estimates=estimates)


def test_coverage_counts_months_with_and_without_the_error_of_short_lists() -> None:
    held = measured(0.8, 0.6, 0.9, found=8, listed=10)
    close = measured(0.8, 0.6, 0.9, found=5, listed=10)
    wrong = measured(0.8, 0.6, 0.9, found=3, listed=30)
    assert coverage([held, close, wrong], "digest") == (1, 2, 3)
    assert coverage([held, close, wrong], "digest", least=20) == (0, 0, 1)
    text = report.recall(RecallCheck(about="recall", months=(held, close, wrong)))
    assert "holds the share in 1 of 3 months" in text
    rows = [line for line in text.splitlines() if line.startswith("2026-06")]
    assert [row.endswith("*") for row in rows] == [False, True, True]


def test_months_are_measured_by_lists_that_the_estimate_does_not_see() -> None:
    on_topic = [*papers_of("unlearning", 30), *papers_of("erasure", 12)]
    archive = Archive.build([*on_topic, *papers_of("continual", 60), *papers_of("training", 60)])
    listed = np.array([paper in on_topic for paper in archive.papers])
    topic = Topic(name="unlearning", term="unlearning", seed_keys=("unlearning",))
    judged = relevance.judged(topic, (), archive)
    [found] = monthly(archive, judged, 0.3, Truth(listed, ~listed, np.zeros(len(listed), bool)))
    assert (found.papers, found.listed) == (len(archive), 42)
    assert 0 < found.found <= 42
    assert set(found.estimates) == {"digest", "Chapman", "Chao"}
    assert all(each.low <= each.value <= each.high for each in found.estimates.values())
    nothing = Truth(np.zeros(len(listed), bool), listed, np.zeros(len(listed), bool))
    assert monthly(archive, judged, 0.3, nothing) == []
