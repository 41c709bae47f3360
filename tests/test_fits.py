"""Weights are fitted once, kept, and fitted anew when there is a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import fields
from digest import pipeline, relevance
from digest.archive import Archive
from digest.fits import Fits, Kept, Label, stale
from digest.relevance import Scorer
from digest.store import Store
from digest.types import Match, Page, Paper, Plan, Topic
from fields import corpus, paper, papers_of, vectors_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOPIC = Topic(name="unlearning", term="unlearning", seed_keys=("unlearning",), floor=0.0)
LABEL = Label(day=date(2026, 6, 1), topic="t", papers=100, vectors=80, own=30, judged=4)


@pytest.fixture(scope="module")
def papers() -> list[Paper]:
    return corpus(unlearning=110, erasure=15, continual=60, robots=60, speech=60)


@pytest.fixture(scope="module")
def archive(papers: list[Paper]) -> Archive:
    fields = sorted({each.id.split(".")[0] for each in papers})
    return Archive.build(papers, vectors_of(papers, {name: at for at, name in enumerate(fields)}))


@pytest.fixture(scope="module")
def scorer(archive: Archive) -> Scorer:
    return relevance.fit(TOPIC, (), archive)


def matches(archive: Archive, scorer: Scorer, ids: list[str], **said: object) -> dict[str, Match]:
    found = relevance.match(TOPIC, (), archive, ids, scorer=scorer, **said)  # type: ignore[arg-type]
    return {each.paper: each for each in found.matches}


def test_a_paper_scores_the_same_alone_as_among_all(archive: Archive, scorer: Scorer) -> None:
    every = matches(archive, scorer, list(archive.row))
    for name in ("unlearning.0003", "erasure.0001", "robots.0002"):
        row = archive.row[name]
        assert archive.vectors is not None
        alone = Archive([archive.papers[row]], archive.vectors[[row]], scorer.vocabulary)
        found = matches(alone, scorer, [name])
        assert found.keys() == every.keys() & {name}
        if found:
            assert found[name].score == pytest.approx(every[name].score, abs=0.001)
            assert found[name].evidence.neighbours == every[name].evidence.neighbours


def test_what_is_kept_scores_as_what_was_fitted(archive: Archive, scorer: Scorer, tmp_path: Path) -> None:
    ids = list(archive.row)
    bare = Archive.build(archive.papers)
    for at, each, seen in ((0, scorer, archive), (1, relevance.fit(TOPIC, (), bare), bare)):
        Fits(tmp_path).save(f"t{at}", Kept(LABEL, each))
        kept, reason = Fits(tmp_path).load(f"t{at}", LABEL)
        assert kept is not None
        assert reason == ""
        assert matches(seen, kept.scorer, ids) == matches(seen, each, ids)


def test_a_topic_without_papers_is_kept_too(archive: Archive, tmp_path: Path) -> None:
    nothing = replace(TOPIC, seed_keys=("quantum gravity",))
    Fits(tmp_path).save("t", Kept(LABEL, relevance.fit(nothing, (), archive)))
    kept, _ = Fits(tmp_path).load("t", LABEL)
    assert kept is not None
    assert relevance.match(nothing, (), archive, list(archive.row), scorer=kept.scorer).matches == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"scorer": "other"}, "another version"),
        ({"topic": "other"}, "keys or settings have changed"),
        ({"day": date(2026, 5, 31)}, "of 2026-06-01, which is later"),
        ({"day": date(2026, 6, 7)}, None),
        ({"day": date(2026, 6, 8)}, "7 days old"),
        ({"judged": 23}, None),
        ({"judged": 24}, "judged 20 times"),
        ({"papers": 125}, None),
        ({"papers": 126}, "grew from 100 to 126 papers"),
        ({"vectors": 101}, "grew from 80 to 101 vectors"),
    ],
)
def test_weights_are_used_until_something_speaks_against_them(
    change: dict[str, object], reason: str | None
) -> None:
    told = stale(LABEL, replace(LABEL, **change))
    assert told is None if reason is None else reason in (told or "")


def test_damaged_weights_are_told_in_one_line(scorer: Scorer, tmp_path: Path) -> None:
    fits, file = Fits(tmp_path), tmp_path / "t.npz"
    assert fits.load("t", LABEL) == (None, "there were none before")
    fits.save("t", Kept(LABEL, scorer))
    whole = file.read_bytes()
    middle = len(whole) // 2
    for damaged in (b"", b"PK", whole[:middle], whole[:middle] + b"\0\0\1\1" + whole[middle + 4 :]):
        file.write_bytes(damaged)
        kept, reason = fits.load("t", LABEL)
        assert kept is None
        assert reason.startswith("the file was damaged")
        assert "\n" not in reason
    assert [each.name for each in tmp_path.iterdir()] == ["t.npz"]


def test_pickles_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", label=np.array([object()]))
    assert Fits(tmp_path).load("t", LABEL)[0] is None


def test_what_people_say_acts_at_once(papers: list[Paper]) -> None:
    archive = Archive.build(papers)
    ids, scorer = list(archive.row), relevance.fit(TOPIC, (), archive)
    before = matches(archive, scorer, ids)
    liked = matches(archive, scorer, ids, liked=["erasure.0000"])
    assert liked["erasure.0000"].score == 1.0
    assert liked["erasure.0003"].score > before["erasure.0003"].score
    disliked = matches(archive, scorer, ids, disliked=["erasure.0000"])
    assert "erasure.0000" not in disliked
    assert disliked["erasure.0003"].score < before["erasure.0003"].score


def test_papers_ruled_out_are_told_with_the_reason(archive: Archive, scorer: Scorer) -> None:
    topic = replace(TOPIC, exclude_keys=("unlearnable example",), categories=("cs.LG",))
    extra = [
        paper("gone", "Machine unlearning", "Unlearning.", withdrawn=True),
        paper("other", "Machine unlearning", "Unlearning.", ("q-bio.NC",)),
        paper("excluded", "On unlearnable examples", "An unlearnable example."),
        paper("refused", "Machine unlearning", "Unlearning."),
        paper("robot", "Grasping", "A gripper."),
    ]
    found = relevance.match(
        topic, (), Archive(extra, vocabulary=scorer.vocabulary), [each.id for each in extra], (),
        ["refused"], scorer=scorer,
    )  # fmt: skip
    assert {each.paper: each.reason for each in found.left_out} == {
        "gone": "withdrawn",
        "other": "not in the topic's categories",
        "excluded": "holds an excluded phrase",
        "refused": "disliked",
    }
    assert "gone" not in {each.paper for each in found.matches}


# In the pipeline.


@pytest.fixture
def store() -> Iterator[Store]:
    with fields.archive(NOW) as opened:
        yield opened


def run(store: Store, folder: Path, now: datetime = NOW, topic: Topic = TOPIC, **more: object) -> str:
    plan = Plan(topics=(topic,), model="none", lookback=3650, state="draft", channels={"unlearning": {}})
    report = pipeline.match(store, plan, now, Fits(folder), **more)  # type: ignore[arg-type]
    return next((note for note in report.notes if "weights" in note), "")


def test_weights_are_fitted_once_and_again_after_a_week(store: Store, tmp_path: Path) -> None:
    assert "fitted anew, from 30 papers of the topic among 102: there were none before" in run(
        store, tmp_path
    )
    assert run(store, tmp_path, NOW + timedelta(minutes=5)) == ""  # nothing has changed
    assert run(store, tmp_path, NOW + timedelta(days=1)).startswith("unlearning: weights of 2026-06-01")
    assert "the last ones were 7 days old" in run(store, tmp_path, NOW + timedelta(days=7))


def test_twenty_judgements_are_learned_from_before_the_week_is_over(store: Store, tmp_path: Path) -> None:
    run(store, tmp_path)
    for at, each in enumerate(papers_of("continual", 20)):
        store.add_feedback("unlearning", each.id, "dislike", "human", NOW)
        told = run(store, tmp_path, NOW + timedelta(hours=1))
        assert ("fitted anew" in told) == (at == 19)


def test_a_changed_topic_is_learned_anew_and_a_changed_floor_is_not(store: Store, tmp_path: Path) -> None:
    run(store, tmp_path)
    later = NOW + timedelta(days=1)
    assert "weights of 2026-06-01" in run(store, tmp_path, later, replace(TOPIC, floor=0.4))
    changed = replace(TOPIC, seed_keys=("unlearning", "forget set"))
    assert "keys or settings have changed" in run(store, tmp_path, later, changed)


def test_damaged_weights_are_fitted_anew(store: Store, tmp_path: Path) -> None:
    run(store, tmp_path)
    (tmp_path / "unlearning.npz").write_bytes(b"PK nothing")
    later = NOW + timedelta(days=1)
    assert "the file was damaged" in run(store, tmp_path, later)
    assert "weights of 2026-06-02" in run(store, tmp_path, later + timedelta(days=1))


def test_older_papers_are_scored_when_asked_for(store: Store, tmp_path: Path) -> None:
    old = replace(papers_of("unlearning", 31)[30], announced=date(2012, 5, 1))
    store.add_papers("test", Page(papers=(old,), cursor=None), NOW)
    run(store, tmp_path)
    assert store.matches_of(old.id) == []
    run(store, tmp_path, since=date(2012, 1, 1))
    assert store.matches_of(old.id)[0].score > 0.5
    run(store, tmp_path, NOW + timedelta(days=1))
    assert store.matches_of(old.id)[0].score > 0.5
