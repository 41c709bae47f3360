"""Keys and matches of a topic, with who decided what and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from digest.errors import StoreError
from digest.store import Store
from digest.types import (
    KeyEvidence,
    LeftOut,
)
from stored import DAY, NAIVE, NOW, Archive, key, match, page, paper, seed


def test_seed_keys_are_those_of_the_configuration(archive: Archive) -> None:
    store = archive.store
    store.sync_keys("unlearning", [seed("Machine Unlearning"), seed("data deletion")], NOW)
    store.sync_keys("unlearning", [seed("Machine Unlearning"), seed("right to be forgotten")], NOW)
    store = archive.reopen()
    assert [(one.text, one.state) for one in store.keys("unlearning")] == [
        ("Machine Unlearning", "active"),
        ("data deletion", "retired"),
        ("right to be forgotten", "active"),
    ]
    history = store.key_history("unlearning", "data deletion")
    assert [(one.state, one.decided_by) for one in history] == [
        ("active", "configuration"),
        ("retired", "configuration"),
    ]
    assert len(store.key_history("unlearning", "machine unlearning")) == 1
    assert store.keys("xai") == []


def test_a_proposed_key_gets_new_evidence_and_a_decided_one_is_left_alone(store: Store) -> None:
    first = [key("forget set"), key("retain set"), key("relearning"), key("gradient ascent", state="active")]
    assert store.propose_keys(first, NOW) == first
    decide: Any = {"by": "human", "reason": "too broad", "now": NOW}
    store.decide_key("unlearning", "retain set", "retain set", "rejected", **decide)
    evidence = KeyEvidence(matches=99, adds=50, verified=1, lower_bound=0.1, contrast=0.0)
    again = [replace(one, evidence=evidence, state="active") for one in first]
    assert store.propose_keys([*again, key("new one"), key("new one")], NOW) == [key("new one")]
    states = {one.text: (one.state, one.evidence) for one in store.keys("unlearning")}
    assert states["forget set"] == ("active", evidence)
    assert states["retain set"] == ("rejected", first[1].evidence)
    assert states["gradient ascent"] == ("active", first[3].evidence)
    assert len(store.key_history("unlearning", "retain set")) == 2


def test_a_proposal_that_a_later_look_does_not_find_again_lapses_and_may_come_back(store: Store) -> None:
    found = [key("forget set"), key("retain set"), key("relearning"), key("saliency", topic="xai")]
    store.propose_keys(found, NOW, looked=["unlearning", "xai"])
    store.decide_key("unlearning", "relearning", "relearning", "active", by="ada", reason="", now=NOW)
    assert store.propose_keys([key("forget set")], NOW, looked=["unlearning"]) == []
    states = {one.text: one.state for topic in ("unlearning", "xai") for one in store.keys(topic)}
    told = {"forget set": "proposed", "retain set": "lapsed", "relearning": "active", "saliency": "proposed"}
    assert states == told
    store.propose_keys([key("retain set")], NOW, looked=["unlearning"])
    assert store.count_keys("proposed") == {"unlearning": 1, "xai": 1}
    history = store.key_history("unlearning", "retain set")
    assert [one.state for one in history] == ["proposed", "lapsed", "proposed"]


def test_the_cursor_of_a_proposal_is_stored_with_its_keys(store: Store) -> None:
    store.propose_keys([], NOW, {"keys:unlearning": "2026-05-05"})
    assert store.cursor("keys:unlearning") == "2026-05-05"
    with pytest.raises(Exception, match="zone"):
        store.propose_keys([key()], NAIVE, {"keys:unlearning": "2026-05-06"})
    assert store.cursor("keys:unlearning") == "2026-05-05"
    assert store.keys("unlearning") == []


def test_a_decision_is_kept_with_its_author_reason_and_evidence(store: Store) -> None:
    store.propose_keys([key()], NOW)
    decide: Any = {"by": "ada", "reason": "continual learning", "now": NOW + timedelta(hours=1)}
    decided = store.decide_key("unlearning", "Forget Set", "forget set", "rejected", **decide)
    assert decided == key(state="rejected")
    assert store.keys("unlearning", states=("rejected",)) == [decided]
    assert store.keys("unlearning", states=("active", "proposed")) == []
    *_, last = store.key_history("unlearning", "forget set")
    assert (last.decided_by, last.reason, last.evidence) == ("ada", "continual learning", key().evidence)
    assert last.decided_at == NOW + timedelta(hours=1)


def test_a_person_may_add_a_key_nobody_proposed(store: Store) -> None:
    added = store.decide_key("xai", "Saliency", "saliency", "active", by="ada", reason="", now=NOW)
    assert added.origin == "human"
    assert store.keys("xai") == [added]
    store.sync_keys("xai", [], NOW)
    assert store.keys("xai") == [added]  # only seeds are the configuration's


def test_matches_are_read_by_day_and_score_best_first(store: Store) -> None:
    store.add_papers("oai", page(*(paper(n, announced=DAY - timedelta(days=n)) for n in range(1, 5))), NOW)
    found = [match(1, 0.6), match(2, 0.9), match(3, 0.2), match(4, 0.8)]
    store.put_matches("unlearning", found, "f1")
    assert store.matches("unlearning", DAY - timedelta(3), DAY, 0.5) == [match(2, 0.9), match(1, 0.6)]
    assert store.matches("xai", DAY - timedelta(9), DAY, 0) == []
    assert store.matches_of(paper(4).id) == [match(4, 0.8)]
    assert store.fit_fingerprint("unlearning") == "f1"
    assert store.fit_fingerprint("xai") is None


def test_matches_are_replaced_for_the_papers_that_were_scored_and_for_no_other(store: Store) -> None:
    store.add_papers("oai", page(*map(paper, range(1, 4))), NOW)
    store.put_matches("unlearning", [match(1), match(2), match(3)], "f1")
    store.put_matches("xai", [match(2, topic="xai")], "f1")
    scored = [paper(1).id, paper(2).id]
    store.put_matches("unlearning", [match(1, 0.7)], "f2", scored=scored)
    assert store.matches("unlearning", DAY, DAY, 0) == [match(3), match(1, 0.7)]
    assert store.matches_of(paper(2).id) == [match(2, topic="xai")]
    assert store.fit_fingerprint("unlearning") == "f2"


def test_matches_of_an_unknown_paper_leave_everything_as_it_was(store: Store) -> None:
    store.add_papers("oai", page(paper(1)), NOW)
    store.put_matches("unlearning", [match(1)], "f1")
    with pytest.raises(StoreError, match=r"2605\.00002 is not in the database"):
        store.put_matches("unlearning", [match(1, 0.1), match(2)], "f2")
    assert store.matches_of(paper(1).id) == [match(1)]
    assert store.fit_fingerprint("unlearning") == "f1"


def test_a_paper_withdrawn_since_is_no_match(store: Store) -> None:
    store.add_papers("oai", page(paper(1)), NOW)
    store.put_matches("unlearning", [match(1)], "f1")
    store.add_papers("oai", page(paper(1, version=2, withdrawn=True)), NOW)
    assert store.matches("unlearning", DAY, DAY, 0) == []


def test_why_a_paper_was_left_out_is_kept_until_it_is_decided_anew(store: Store) -> None:
    store.add_papers("oai", page(*map(paper, range(1, 4))), NOW)
    ids = [paper(n).id for n in (1, 2, 3)]
    later = DAY + timedelta(days=1)
    out = [LeftOut(ids[0], "disliked"), LeftOut(ids[1], "withdrawn")]
    store.put_matches("unlearning", [match(3)], "f", scored=ids, left_out=out, day=DAY)
    assert store.left_out(ids[0]) == {"unlearning": (DAY, "disliked")}
    store.put_left_out("unlearning", DAY, [LeftOut(ids[2], "over the limit")])
    store.put_matches("unlearning", [match(1), match(3)], "g", scored=ids, left_out=out[1:], day=later)
    assert store.left_out(ids[0]) == {}
    assert store.left_out(ids[1]) == {"unlearning": (later, "withdrawn")}
    assert store.left_out(ids[2]) == {"unlearning": (DAY, "over the limit")}
    store.put_left_out("unlearning", later, [LeftOut(ids[2], "posted before")])
    assert store.left_out(ids[2]) == {"unlearning": (later, "posted before")}
