"""Likes and dislikes: kept for ever, the last one counts, and the ranking learns from them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

import fields
from digest import pipeline
from digest.errors import StoreError
from digest.store import Store
from digest.types import Key, Match, Plan, Topic
from fields import papers_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOPIC = Topic(name="unlearning", term="unlearning", seed_keys=("unlearning",), floor=0.0)


@pytest.fixture
def store() -> Iterator[Store]:
    with fields.archive(NOW) as opened:
        yield opened


def matched(store: Store, now: datetime = NOW) -> dict[str, Match]:
    plan = Plan(topics=(TOPIC,), model="none", lookback=3650, state="draft", channels={"unlearning": {}})
    pipeline.match(store, plan, now)
    return {one.paper: one for one in store.matches("unlearning", date(2000, 1, 1), NOW.date(), 0.0)}


def test_the_last_opinion_counts_and_all_are_kept(store: Store) -> None:
    [first, second] = [paper.id for paper in papers_of("unlearning", 2)]
    for at, (paper, opinion) in enumerate(
        [(first, "like"), (second, "dislike"), (first, "dislike"), (second, None)]
    ):
        assert store.add_feedback("unlearning", paper, opinion, "human", NOW + timedelta(hours=at))
    assert store.opinions("unlearning") == {first: "dislike"}
    assert [each.opinion for each in store.feedback("unlearning")] == ["like", "dislike", "dislike", None]
    assert [each.opinion for each in store.feedback_of(second)] == ["dislike", None]
    assert store.opinions("xai") == {}


def test_saying_the_same_again_or_taking_back_nothing_adds_no_row(store: Store) -> None:
    paper = papers_of("unlearning", 1)[0].id
    assert store.add_feedback("unlearning", paper, None, "human", NOW) is False
    assert store.add_feedback("unlearning", paper, "like", "human", NOW)
    assert store.add_feedback("unlearning", paper, "like", "human", NOW) is False
    assert len(store.feedback("unlearning")) == 1


def test_a_paper_that_is_not_stored_cannot_be_judged(store: Store) -> None:
    with pytest.raises(StoreError, match="2601.99999 is not in the database"):
        store.add_feedback("unlearning", "2601.99999", "like", "human", NOW)


def test_opinions_and_decisions_of_people_are_counted_and_the_programs_are_not(store: Store) -> None:
    paper = papers_of("unlearning", 1)[0].id
    store.add_feedback("unlearning", paper, "like", "human", NOW)
    proposed = Key(
        topic="unlearning", text="retain set", normal="retain set", state="proposed", origin="auto"
    )
    store.propose_keys([proposed], NOW)
    assert store.count_feedback("unlearning") == 1
    store.decide_key("unlearning", "retain set", "retain set", "active", by="human", reason="", now=NOW)
    assert store.count_feedback("unlearning") == 2
    assert store.count_feedback("unlearning", since=NOW) == 0
    assert store.count_feedback("unlearning", since=NOW - timedelta(seconds=1)) == 2


def test_a_disliked_paper_matches_no_more_until_that_is_taken_back(store: Store) -> None:
    paper = next(iter(matched(store)))
    store.add_feedback("unlearning", paper, "dislike", "human", NOW)
    assert paper not in matched(store)
    store.add_feedback("unlearning", paper, None, "human", NOW)
    assert paper in matched(store)


def test_liked_silent_papers_draw_their_like_nearer(store: Store) -> None:
    erasure = [paper.id for paper in papers_of("erasure", 12)]
    before = matched(store)
    for paper in erasure[:6]:
        store.add_feedback("unlearning", paper, "like", "human", NOW)
    after = matched(store)
    nearer = [sum(found[paper].score for paper in erasure[6:] if paper in found) for found in (before, after)]
    assert nearer[1] > nearer[0]


def test_matches_are_left_alone_where_no_opinion_has_changed(store: Store) -> None:
    matched(store)
    first = store.fit_fingerprint("unlearning")
    matched(store, NOW + timedelta(minutes=5))
    assert store.fit_fingerprint("unlearning") == first
    store.add_feedback("unlearning", papers_of("continual", 1)[0].id, "dislike", "human", NOW)
    matched(store, NOW + timedelta(minutes=5))
    assert store.fit_fingerprint("unlearning") != first
