"""The store: what goes in comes out, once, whole, and after any failure either all of it or none."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from digest.errors import DigestError, StoreBusy, StoreError, TryAgain
from digest.store import Store
from digest.store.papers import merge, text_hash
from digest.store.sqlite import one_line_errors
from digest.types import (
    Choice,
    Draft,
    Evidence,
    FollowUp,
    Key,
    KeyEvidence,
    LeftOut,
    Match,
    Neighbour,
    Page,
    Paper,
    Part,
    Question,
    Review,
    RunReport,
    StageReport,
    TextEntity,
    Turn,
    Version,
    Window,
    Wording,
)

NOW = datetime(2026, 5, 5, 6, 0, tzinfo=UTC)
DAY = date(2026, 5, 5)
NAIVE = NOW.replace(tzinfo=None)
"""What the store refuses; it stands here for whatever breaks in the middle of a write."""
MODEL = "a-model"
CHILD = {"PYTHONPATH": f"{Path(__file__).parents[1] / 'src'}:{Path(__file__).parent}"}
"""The environment in which another process finds the program and these tests."""


def paper(number: int = 1, **changes: Any) -> Paper:
    """A paper with an id, a text and a day of its own."""
    usual = Paper(
        id=f"2605.{number:05}",
        version=1,
        title=f"Paper {number}",
        abstract=f"What paper {number} says of its $x_{number}$.",
        authors=("Ada Lovelace", "José Álvarez"),
        categories=("cs.LG", "cs.CV"),
        submitted=NOW - timedelta(days=1),
        updated=NOW - timedelta(days=1),
        announced=DAY,
        versions=(Version(1, NOW - timedelta(days=1)),),
    )
    return replace(usual, **changes)


def page(*papers: Paper, cursor: str | None = "here") -> Page:
    """A page of a source."""
    return Page(papers, cursor)


def match(number: int = 1, score: float = 0.9, topic: str = "unlearning") -> Match:
    """A match with some evidence."""
    near = Neighbour("2401.00001", "Another paper", 0.8)
    evidence = Evidence(seed_keys=("unlearning",), neighbours=(near,), scores={"svm": score})
    return Match(
        topic=topic, paper=paper(number).id, score=score, silent=False, evidence=evidence, scorer="svm-1"
    )


def choice(number: int = 1, **changes: Any) -> Choice:
    """A choice of a paper."""
    usual = Choice(
        paper=paper(number).id,
        tier="detailed",
        score=0.9,
        silent=True,
        evidence=Evidence(other_keys=("forget set",)),
        topics=("unlearning", "xai"),
    )
    return replace(usual, **changes)


def draft(*numbers: int, **changes: Any) -> Draft:
    """A draft with one paper a number, and a part for each."""
    usual = Draft(
        topics=("unlearning", "xai"),
        slot=DAY,
        genre="roundup",
        language="en",
        choices=tuple(choice(number) for number in numbers),
        parts=tuple(
            Part(f"<b>part {number}</b>", f"part {number}", (TextEntity("bold", 0, 6),)) for number in numbers
        ),
    )
    return replace(usual, **changes)


def key(text: str = "forget set", **changes: Any) -> Key:
    """A key that the program proposes."""
    evidence = KeyEvidence(matches=9, adds=5, verified=4, lower_bound=0.6, contrast=0.3, best=("2605.1",))
    usual = Key(
        topic="unlearning",
        text=text,
        normal=text.lower(),
        state="proposed",
        origin="auto",
        evidence=evidence,
    )
    return replace(usual, **changes)


def seed(text: str = "machine unlearning") -> Key:
    """A seed key of the configuration."""
    return Key(topic="unlearning", text=text, normal=text.lower(), state="active", origin="seed")


REPORT = RunReport(as_of=NOW, stages=(StageReport("crawl", 1.5, {"new": 3}, ("a note",)),), posts=(1,))


@dataclass
class Archive:
    """A database file that can be closed and opened again."""

    file: Path
    store: Store

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def reopen(self) -> Store:
        self.store.close()
        self.store = Store.open(self.url)
        return self.store


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, made once: copying it is quicker than migrating."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def archive(tmp_path: Path, empty: Path) -> Iterator[Archive]:
    file = tmp_path / "digest.db"
    shutil.copy(empty, file)
    made = Archive(file, Store.open(f"sqlite:///{file}"))
    yield made
    made.store.close()


@pytest.fixture
def store(archive: Archive) -> Store:
    return archive.store


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process is writing."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# Papers


def test_a_paper_comes_back_as_it_was_stored(archive: Archive) -> None:
    full = paper(
        announce_type="cross",
        comments="12 pages",
        journal_ref="J. 1 (2026)",
        doi="10.1/1",
        withdrawn=True,
        version=2,
        versions=(Version(1, NOW - timedelta(days=3)), Version(2, NOW)),
        submitted=NOW.replace(microsecond=123456),
    )
    archive.store.add_papers("oai", page(full), NOW)
    assert archive.store.papers([full.id]) == [full]
    assert archive.reopen().papers([full.id]) == [full]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
PAPERS = st.builds(
    paper,
    st.integers(1, 5),
    version=st.integers(1, 3),
    title=TEXTS,
    abstract=TEXTS,
    authors=st.lists(TEXTS, max_size=3).map(tuple),
    comments=st.none() | TEXTS,
    doi=st.none() | TEXTS,
    withdrawn=st.booleans(),
    announced=st.dates(),
    submitted=st.datetimes(timezones=st.just(UTC)),
    categories=st.permutations(["cs.LG", "cs.CV", "stat.ML"]).map(tuple),
    versions=st.sets(st.integers(1, 3)).map(lambda found: tuple(Version(n, NOW) for n in sorted(found))),
    estimated=st.booleans(),
)


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    with Store.open("sqlite://") as store:
        yield store


@settings(max_examples=60, deadline=None)
@given(pages=st.lists(st.lists(PAPERS, max_size=6), max_size=3))
def test_any_pages_leave_what_merging_them_one_by_one_leaves(memory: Store, pages: list[list[Paper]]) -> None:
    """The store agrees with `merge`, page by page, and FTS5 agrees with the store."""
    with memory._writing() as connection:
        connection.exec_driver_sql("DELETE FROM paper")
        connection.exec_driver_sql("INSERT INTO paper_word(paper_word) VALUES ('delete-all')")
    known: dict[str, Paper] = {}
    for papers in pages:
        for one in papers:
            known[one.id] = merge(known[one.id], one) if one.id in known else one
        memory.add_papers("any", page(*papers), NOW)
        assert {one.id: one for one in memory.papers(list(known))} == known
        words_are_in_step(memory)


def words_are_in_step(store: Store) -> None:
    """FTS5's own check of an external content index: it fails where a word is missing or left over."""
    with store._writing() as connection:
        check = "INSERT INTO paper_word(paper_word, rank) VALUES ('integrity-check', 1)"
        connection.exec_driver_sql(check)


def test_the_same_page_again_changes_nothing(store: Store) -> None:
    first = store.add_papers("oai", page(paper(1), paper(2)), NOW)
    state = store.vector_state(MODEL)
    again = store.add_papers("oai", page(paper(1), paper(2)), NOW)
    assert first.new == (paper(1).id, paper(2).id)
    assert (again.new, again.newer, again.changed, again.unchanged) == ((), (), (), 2)
    assert store.count_papers() == 2
    assert store.vector_state(MODEL) == state


def test_a_higher_version_replaces_the_text_and_keeps_the_day_of_the_first_sight(store: Store) -> None:
    store.add_papers("oai", page(paper(doi="10.1/1", comments="old")), NOW)
    second = paper(
        version=2, title="Better", announced=DAY + timedelta(9), announce_type="replace", updated=NOW
    )
    assert store.add_papers("oai", page(second), NOW).newer == (second.id,)
    [stored] = store.papers([second.id])
    assert (stored.title, stored.version, stored.updated) == ("Better", 2, NOW)
    assert (stored.announced, stored.announce_type) == (DAY, "new")
    assert (stored.doi, stored.comments) == ("10.1/1", None)
    assert [number for number, _ in store.search_words("better", 9)] == [1]


def test_a_lower_version_never_overwrites(store: Store) -> None:
    store.add_papers("oai", page(paper(version=2, title="Second")), NOW)
    added = store.add_papers("rss", page(paper(title="First", categories=("cs.AI",), doi="10.1/9")), NOW)
    assert added.unchanged == 1
    assert store.papers([paper().id]) == [paper(version=2, title="Second")]


def test_a_source_that_tells_no_versions_knows_no_date_of_submission(store: Store) -> None:
    told = paper(comments="9 pages")
    feed = replace(told, submitted=NOW, updated=NOW, comments=None, versions=())
    store.add_papers("rss", page(feed), NOW)
    store.add_papers("oai", page(told), NOW)
    assert store.papers([told.id]) == [told]
    store.add_papers("rss", page(replace(feed, version=2, title="Better")), NOW)
    [stored] = store.papers([told.id])
    assert (stored.version, stored.title, stored.comments) == (2, "Better", "9 pages")
    assert (stored.submitted, stored.updated) == (told.submitted, NOW)


def test_the_same_version_may_bring_a_cross_list_references_and_a_withdrawal(store: Store) -> None:
    store.add_papers("rss", page(paper(authors=(), title="Kept")), NOW)
    later = paper(title="Ignored", categories=("cs.LG", "cs.CL"), comments="c", journal_ref="j", doi="d")
    later = replace(later, withdrawn=True, authors=("A. Uthor",), updated=NOW)
    added = store.add_papers("oai", page(later), NOW)
    assert added.changed == (later.id,)
    assert store.papers([later.id]) == [replace(later, title="Kept", updated=paper().updated)]
    assert store.search_words("kept", 9) == []  # withdrawn


def test_a_source_that_tells_less_erases_nothing(store: Store) -> None:
    full = paper(comments="12 pages", journal_ref="J", doi="10.1/1", withdrawn=True)
    store.add_papers("oai", page(full), NOW)
    store.add_papers("rss", page(paper(authors=())), NOW)
    assert store.papers([full.id]) == [full]


def test_an_estimated_day_gives_way_to_that_of_the_announcement_and_the_paper_arrives_anew(
    store: Store,
) -> None:
    guess = {"announced": DAY - timedelta(9), "announce_type": "replace", "estimated": True}
    store.add_papers("backfill", page(paper(1, **guess), paper(2, **guess)), NOW)
    store.add_papers("oai", page(paper(3)), NOW)
    state = store.vector_state(MODEL)
    store.add_papers("oai", page(paper(1, **guess), paper(2)), NOW)
    assert store.papers([paper(1).id, paper(2).id]) == [paper(1, **guess), paper(2)]
    assert store.arrivals(map(paper_id, range(1, 4))) == {paper(1).id: 1, paper(2).id: 4, paper(3).id: 3}
    assert store.vector_state(MODEL) != state
    store.add_papers("rss", page(paper(2, announced=DAY + timedelta(1))), NOW)
    store.add_papers("backfill", page(paper(2, **guess), paper(3, **guess)), NOW)
    assert store.papers([paper(2).id, paper(3).id]) == [paper(2), paper(3)], "what is known stays"


def paper_id(number: int) -> str:
    return paper(number).id


def test_a_paper_twice_on_a_page_is_one_paper(store: Store) -> None:
    added = store.add_papers("oai", page(paper(version=2), paper(), paper(version=3)), NOW)
    assert added.new == (paper().id,)
    assert [one.version for one in store.papers([paper().id])] == [3]


def test_papers_come_in_the_order_asked_for_and_missing_ones_are_left_out(store: Store) -> None:
    store.add_papers("oai", page(*map(paper, range(1, 5))), NOW)
    ids = [paper(3).id, "9999.00000", paper(1).id]
    assert [one.id for one in store.papers(ids)] == [paper(3).id, paper(1).id]
    numbers = store.paper_numbers(ids)
    assert numbers == {paper(1).id: 1, paper(3).id: 3}
    assert [one.id for one in store.papers_by_number([4, 99, 2])] == [paper(4).id, paper(2).id]
    assert store.highest_number() == 4


def test_old_and_new_identifiers_are_told_apart(store: Store) -> None:
    store.add_papers("oai", page(paper(id="hep-ph/0201082"), paper(id="quant-ph/0201082")), NOW)
    assert store.count_papers() == 2


def test_more_papers_than_fit_into_one_query_are_found(store: Store) -> None:
    papers = [paper(number) for number in range(1, 5_003)]
    store.add_papers("snapshot", page(*papers), NOW)
    assert store.papers([one.id for one in papers]) == papers
    assert store.add_papers("snapshot", page(*papers), NOW).unchanged == len(papers)
    many = [f"9999.{number:05}" for number in range(40_000)]  # SQLite takes 32,766 parameters
    assert store.paper_numbers([*many, papers[8].id]) == {papers[8].id: 9}


def test_an_empty_archive_answers_too(store: Store) -> None:
    assert store.papers(["2605.00001"]) == []
    assert (store.count_papers(), store.highest_number()) == (0, 0)
    assert store.latest_announced(DAY) is None
    assert store.day_counts(DAY, DAY) == {}
    assert store.newest_until(DAY, 5) == []
    assert store.vectors(MODEL, ["2605.00001"])[0] == []
    assert store.posted_papers() == set()
    assert store.last_post("xai", "roundup", DAY) is None


def test_days_are_counted_and_read(store: Store) -> None:
    days = [DAY - timedelta(days=n) for n in (0, 0, 1, 3)]
    store.add_papers("oai", page(*(paper(n, announced=day) for n, day in enumerate(days, 1))), NOW)
    store.add_papers("oai", page(paper(9, announced=DAY, withdrawn=True)), NOW)
    assert store.day_counts(DAY - timedelta(1), DAY) == {DAY: 3, DAY - timedelta(1): 1}
    assert store.latest_announced(DAY - timedelta(2)) == DAY - timedelta(3)
    assert ids(store.announced_between(DAY - timedelta(1), DAY)) == ids([paper(3), paper(1), paper(2)])
    assert ids(store.newest_until(DAY, 3)) == ids([paper(1), paper(2), paper(3)])
    assert ids(store.newest_until(DAY - timedelta(1), 9)) == ids([paper(3), paper(4)])


def ids(papers: list[Paper]) -> list[str]:
    return [one.id for one in papers]


def test_papers_with_phrases_are_candidates_newest_first(store: Store) -> None:
    store.add_papers(
        "oai",
        page(
            paper(1, title="Forgetting in networks", announced=DAY - timedelta(2)),
            paper(2, abstract="We study the forget set of a model."),
            paper(3, abstract="The set we forget."),
            paper(4, title="On forget sets", withdrawn=True),
            paper(5, authors=("Forget Set",)),
            paper(6, title="Forget sets", announced=DAY + timedelta(1)),
        ),
        NOW,
    )
    assert ids(store.with_phrases(["forget set", "forgetting in"], DAY, 9)) == ids([paper(2), paper(1)])
    assert ids(store.with_phrases(["forget set", "forgetting in"], DAY, 1)) == ids([paper(2)])
    assert store.with_phrases([], DAY, 9) == []
    assert store.with_phrases(['"', "AND", "*", "a\0b", "\ud800"], DAY, 9) == []


def test_the_cursor_is_stored_with_the_page_or_not_at_all(archive: Archive) -> None:
    store = archive.store
    assert store.cursor("oai") is None
    store.add_papers("oai", page(cursor="token-1"), NOW)
    broken = paper(2, submitted=NAIVE)
    with pytest.raises(Exception, match="zone"):
        store.add_papers("oai", page(paper(1), broken, cursor="token-2"), NOW)
    assert archive.reopen().cursor("oai") == "token-1"
    assert archive.store.count_papers() == 0
    archive.store.add_papers("oai", page(cursor=None), NOW)
    assert archive.store.cursor("oai") is None


def test_an_update_that_breaks_half_way_leaves_paper_and_words_as_they_were(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2)), NOW)
    later = paper(2, version=2, title="Later", updated=NAIVE)
    with pytest.raises(Exception, match="zone"):
        store.add_papers("oai", page(paper(1, version=2, title="Later"), later), NOW)
    assert store.papers([paper(1).id]) == [paper(1)]
    assert store.search_words("later", 9) == []
    words_are_in_step(store)


@pytest.mark.parametrize("offset", [-9, 0, 5.5])
def test_times_come_back_aware_and_in_utc(store: Store, offset: float) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=offset)))
    store.add_papers("oai", page(paper(submitted=there)), NOW)
    [stored] = store.papers([paper().id])
    assert (stored.submitted, stored.submitted.tzinfo) == (NOW, UTC)


# Vectors


def rows(*numbers: int) -> list[tuple[bytes, Any]]:
    """Vectors that tell by themselves whose they are."""
    return [(text_hash(paper(n).text), np.array([n, n + 0.5], np.float32)) for n in numbers]


def test_vectors_come_back_exactly_and_in_the_order_asked_for(archive: Archive) -> None:
    archive.store.add_papers("oai", page(*map(paper, range(1, 5))), NOW)
    archive.store.ensure_model(MODEL, 2)
    archive.store.add_vectors(MODEL, rows(1, 2, 4))
    for store in (archive.store, archive.reopen()):
        found, matrix = store.vectors(MODEL, [paper(n).id for n in (4, 3, 1)])
        assert found == [paper(4).id, paper(1).id]
        assert matrix.dtype == np.float32
        assert matrix.tolist() == [[4, 4.5], [1, 1.5]]
        assert store.model_dimension(MODEL) == 2
        assert store.model_dimension("another") is None


def test_all_texts_are_embedded_once_newest_papers_first(store: Store) -> None:
    papers = [paper(n, announced=DAY - timedelta(days=n // 3)) for n in range(1, 9)]
    twin = paper(20, title=papers[0].title, abstract=papers[0].abstract)
    store.add_papers("oai", page(*papers, twin), NOW)
    store.ensure_model(MODEL, 2)
    assert store.count_without_vector(MODEL) == len(papers)
    told: list[str] = []
    for batch in store.texts_without_vector(MODEL, 3):
        told += [text for _, text in batch]
        store.add_vectors(MODEL, [(text_hash, np.zeros(2, np.float32)) for text_hash, _ in batch])
    assert told == [one.text for one in papers]
    assert store.count_without_vector(MODEL) == 0
    assert list(store.texts_without_vector(MODEL, 3)) == []


def test_a_changed_text_waits_for_its_vector_and_an_unchanged_one_does_not(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2)), NOW)
    store.ensure_model(MODEL, 2)
    store.add_vectors(MODEL, rows(1, 2))
    store.add_papers("oai", page(paper(1, version=2, abstract="New."), paper(2, version=2)), NOW)
    assert list(store.texts_without_vector(MODEL, 9)) == [[(text_hash("Paper 1. New."), "Paper 1. New.")]]
    assert store.vectors(MODEL, [paper(1).id, paper(2).id])[0] == [paper(2).id]


def test_vectors_of_two_models_never_mix(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2)), NOW)
    store.ensure_model(MODEL, 2)
    store.ensure_model("other", 3)
    store.add_vectors(MODEL, rows(1))
    store.add_vectors("other", [(text_hash(paper(2).text), np.ones(3, np.float32))])
    assert store.vectors(MODEL, [paper(1).id, paper(2).id])[0] == [paper(1).id]
    assert store.vectors("other", [paper(1).id, paper(2).id])[1].shape == (1, 3)
    assert [numbers.tolist() for numbers, _ in store.all_vectors(MODEL)] == [[1]]
    assert store.count_without_vector("other") == 1
    assert store.count_without_vector("unknown") == 2


def test_a_vector_that_does_not_fit_is_refused_and_nothing_is_stored(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2)), NOW)
    store.ensure_model(MODEL, 2)
    with pytest.raises(StoreError, match="give the changed model a name of its own"):
        store.ensure_model(MODEL, 3)
    for bad in (np.ones(3, np.float32), np.array([1, np.nan], np.float32)):
        with pytest.raises(StoreError, match="a vector of a-model"):
            store.add_vectors(MODEL, [*rows(1), (text_hash(paper(2).text), bad)])
    with pytest.raises(StoreError, match="knows no model nobody"):
        store.add_vectors("nobody", rows(1))
    assert store.count_without_vector(MODEL) == 2


def test_all_vectors_are_those_of_papers_that_are_stored(store: Store) -> None:
    store.add_papers("oai", page(*map(paper, range(1, 8))), NOW)
    store.ensure_model(MODEL, 2)
    store.add_vectors(MODEL, rows(7, 100, 101, 102, 3, 1))  # three belong to no paper
    batches = list(store.all_vectors(MODEL, size=2))
    numbers = np.concatenate([numbers for numbers, _ in batches])
    matrix = np.concatenate([matrix for _, matrix in batches])
    assert numbers.dtype == np.int64
    assert matrix.dtype == np.float32
    assert numbers.tolist() == [7, 3, 1]
    assert matrix.tolist() == [[7, 7.5], [3, 3.5], [1, 1.5]]
    assert list(store.all_vectors("nobody")) == []


def test_two_papers_of_one_text_share_a_vector(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2, title=paper(1).title, abstract=paper(1).abstract)), NOW)
    store.ensure_model(MODEL, 2)
    store.add_vectors(MODEL, rows(1))
    [(numbers, matrix)] = store.all_vectors(MODEL)
    assert (sorted(numbers.tolist()), matrix.shape) == ([1, 2], (2, 2))


def test_the_vector_state_changes_exactly_when_the_vectors_of_papers_may_have(archive: Archive) -> None:
    def changes(act: Callable[[Store], object]) -> bool:
        before = archive.store.vector_state(MODEL)
        act(archive.store)
        return archive.reopen().vector_state(MODEL) != before

    archive.store.ensure_model(MODEL, 2)
    archive.store.ensure_model("other", 2)
    assert changes(lambda store: store.add_papers("oai", page(paper(1)), NOW))
    assert changes(lambda store: store.add_vectors(MODEL, rows(1)))
    assert changes(lambda store: store.add_papers("oai", page(paper(1, version=2, title="New")), NOW))
    assert not changes(lambda store: store.add_papers("oai", page(paper(1, version=2, doi="10.1/1")), NOW))
    assert not changes(lambda store: store.add_papers("oai", page(cursor="further"), NOW))
    assert not changes(lambda store: store.add_vectors("other", rows(1)))
    assert not changes(lambda store: store.add_vectors(MODEL, []))


# Topics


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


# Posts


@pytest.fixture
def posting(store: Store) -> Store:
    """A store with nine papers."""
    store.add_papers("oai", page(*map(paper, range(1, 10))), NOW)
    return store


def add(store: Store, *drafts: Draft, state: Any = "approved", channels: Any = None) -> list[int]:
    """Store drafts as seen until now."""
    known: Any = {"en": ["news"], "ru": ["новости", "archive"]} if channels is None else channels
    return store.add_posts(drafts, known, state, store.highest_number(), NOW)


def test_a_post_comes_back_as_it_was_written(archive: Archive, posting: Store) -> None:
    [number] = add(posting, draft(3, 1))
    for store in (posting, archive.reopen()):
        post = store.post(number)
        assert post is not None
        assert (post.topics, post.slot, post.genre, post.language) == (
            ("unlearning", "xai"),
            DAY,
            "roundup",
            "en",
        )
        assert post.papers == (paper(3).id, paper(1).id)
        assert post.parts == draft(3, 1).parts
        assert store.choices(number) == list(draft(3, 1).choices)
        assert store.post(number + 1) is None


def test_a_post_is_written_once_per_topic_slot_genre_and_language(posting: Store) -> None:
    assert len(add(posting, draft(1), draft(1, language="ru"))) == 2
    assert add(posting, draft(2), draft(2, language="ru")) == []
    assert len(add(posting, draft(2), draft(2, language="zh"))) == 1
    assert [post.papers for post in posting.posts(language="en")] == [(paper(1).id,)]
    assert len(posting.deliveries()) == 3  # en: one channel, ru: two, zh: none


def test_all_languages_are_written_or_none(posting: Store) -> None:
    with pytest.raises(StoreError, match=r"2605\.00099"):
        add(posting, draft(1), draft(99, language="ru"))
    assert (posting.posts(), posting.deliveries(), posting.posted_papers()) == ([], [], set())


def test_posts_are_found_by_what_they_are(posting: Store) -> None:
    earlier = draft(1, slot=DAY - timedelta(1))
    other = draft(2, topics=("xai",), language="ru")
    numbers = add(posting, draft(3), other, earlier, draft(4, genre="review"))
    posting.set_post_state(numbers[0], ("approved",), "rejected", NOW)

    def found(**filters: Any) -> list[int]:
        return [post.id for post in posting.posts(**filters)]

    assert found() == [numbers[2], numbers[0], numbers[1], numbers[3]]
    assert found(topic="xai") == [numbers[1]]
    assert found(genre="review") == [numbers[3]]
    assert found(language="ru") == [numbers[1]]
    assert found(state="rejected") == [numbers[0]]
    assert found(since=DAY, topic="unlearning") == [numbers[0], numbers[3]]
    assert found(until=DAY - timedelta(1)) == [numbers[2]]


def test_the_last_post_tells_what_it_had_seen(posting: Store) -> None:
    posting.add_posts([draft(1, slot=DAY - timedelta(3))], {}, "approved", 7, NOW)
    posting.add_posts([draft(2, slot=DAY - timedelta(1))], {}, "draft", 9, NOW)
    [rejected] = posting.add_posts([draft(3, slot=DAY)], {}, "draft", 12, NOW)
    posting.set_post_state(rejected, ("draft",), "rejected", NOW)
    assert posting.last_post("unlearning", "roundup", DAY + timedelta(1)) == (DAY - timedelta(1), 9)
    assert posting.last_post("unlearning", "roundup", DAY - timedelta(1)) == (DAY - timedelta(3), 7)
    assert posting.last_post("unlearning", "review", DAY) is None


def test_a_rejected_post_gives_its_papers_back(posting: Store) -> None:
    merging = draft(1, choices=(choice(1, duplicates=("2605.77777",)),))
    first, second = add(posting, merging, draft(2, slot=DAY + timedelta(1)), state="draft")
    add(posting, draft(3, genre="review"))
    assert posting.posted_papers() == {paper(1).id, "2605.77777", paper(2).id}
    assert posting.posted_since(DAY + timedelta(1)) == [paper(2).id]
    assert posting.set_post_state(second, ("draft", "approved"), "rejected", NOW)
    assert posting.posted_papers() == {paper(1).id, "2605.77777"}
    assert posting.set_post_state(first, ("draft",), "approved", NOW)
    assert not posting.set_post_state(first, ("draft",), "rejected", NOW)
    assert not posting.set_post_state(99, ("draft",), "rejected", NOW)


def test_a_part_that_was_changed_in_the_file_is_not_sent(archive: Archive, posting: Store) -> None:
    [number] = add(posting, draft(1))
    with closing(sqlite3.connect(archive.file, isolation_level=None)) as other:
        other.execute("UPDATE part SET text = 'something else'")
    with pytest.raises(StoreError, match="is not what was written"):
        posting.post(number)


# Deliveries


def test_parts_go_out_in_order_and_none_before_the_one_before_it_was_sent(posting: Store) -> None:
    add(posting, draft(1, 2))
    first = posting.claim_delivery("news", NOW)
    assert first is not None
    assert (first.part, first.state, first.attempts) == (0, "sending", 1)
    assert posting.claim_delivery("news", NOW) is None
    posting.record_delivery(first.id, "sent", NOW, receipt="t.me/news/1")
    second = posting.claim_delivery("news", NOW)
    assert second is not None
    assert second.part == 1
    assert posting.claim_delivery("elsewhere", NOW) is None
    assert [one.receipt for one in posting.deliveries(states=("sent",))] == ["t.me/news/1"]


@pytest.mark.parametrize("state", ["uncertain", "failed", "cancelled"])
def test_a_part_that_did_not_arrive_holds_the_later_ones_but_not_the_next_post(
    posting: Store, state: Any
) -> None:
    add(posting, draft(1, 2), draft(3, slot=DAY + timedelta(1)))
    first = posting.claim_delivery("news", NOW)
    assert first is not None
    posting.record_delivery(first.id, state, NOW, error="no")
    following = posting.claim_delivery("news", NOW)
    assert following is not None
    assert following.post != first.post
    assert posting.claim_delivery("news", NOW) is None


def test_only_approved_posts_go_out(posting: Store) -> None:
    [number] = add(posting, draft(1), state="draft")
    assert posting.claim_delivery("news", NOW) is None
    posting.set_post_state(number, ("draft",), "approved", NOW)
    claimed = posting.claim_delivery("news", NOW)
    assert claimed is not None
    assert claimed.post == number


def test_what_surely_was_not_sent_waits_for_its_time(posting: Store) -> None:
    add(posting, draft(1))
    first = posting.claim_delivery("news", NOW)
    assert first is not None
    later = NOW + timedelta(seconds=30)
    posting.record_delivery(first.id, "queued", NOW, error="no connection", not_before=later)
    assert posting.claim_delivery("news", NOW) is None
    again = posting.claim_delivery("news", later)
    assert again is not None
    assert (again.id, again.attempts, again.error) == (first.id, 2, None)


def test_what_was_sent_never_becomes_anything_else(posting: Store) -> None:
    add(posting, draft(1))
    claimed = posting.claim_delivery("news", NOW)
    assert claimed is not None
    posting.record_delivery(claimed.id, "sent", NOW)
    with pytest.raises(StoreError, match="was not being sent"):
        posting.record_delivery(claimed.id, "queued", NOW)
    with pytest.raises(StoreError, match="was not being sent"):
        posting.record_delivery(99, "sent", NOW)
    assert posting.recover_deliveries(NOW) == 0
    assert posting.claim_delivery("news", NOW) is None


def test_what_was_being_sent_at_a_crash_is_uncertain_except_where_sending_twice_is_harmless(
    archive: Archive, posting: Store
) -> None:
    add(posting, draft(1, language="ru"))
    claimed = [posting.claim_delivery(channel, NOW) for channel in ("новости", "archive")]
    assert all(claimed)
    store = archive.reopen()
    assert store.recover_deliveries(NOW, repeatable={"archive"}) == 1
    assert [(one.channel, one.state) for one in store.deliveries()] == [
        ("новости", "uncertain"),
        ("archive", "queued"),
    ]
    assert store.claim_delivery("новости", NOW) is None
    assert store.claim_delivery("archive", NOW) is not None


def test_a_person_settles_what_is_uncertain(posting: Store) -> None:
    add(posting, draft(1))
    claimed = posting.claim_delivery("news", NOW)
    assert claimed is not None
    posting.recover_deliveries(NOW)
    assert not posting.set_delivery_state(claimed.id, ("failed",), "queued", NOW)
    assert posting.set_delivery_state(claimed.id, ("uncertain",), "queued", NOW)
    assert posting.claim_delivery("news", NOW) is not None
    posting.recover_deliveries(NOW)
    posting.record_delivery(claimed.id, "sent", NOW, receipt="t.me/news/7")
    assert [one.state for one in posting.deliveries(post_id=claimed.post, channel="news")] == ["sent"]


def test_two_processes_never_take_the_same_part(archive: Archive, posting: Store) -> None:
    """Four processes claim until nothing is left; each part is claimed exactly once."""
    add(posting, *(draft(1, slot=DAY + timedelta(days=n)) for n in range(40)))
    code = (
        "import sys; from datetime import UTC, datetime; from digest.store import Store\n"
        "with Store.open(sys.argv[1], busy_timeout=30) as store:\n"
        "    while one := store.claim_delivery('news', datetime(2026, 5, 5, tzinfo=UTC)): print(one.id)\n"
    )
    command = [sys.executable, "-c", code, archive.url]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=CHILD) for _ in range(3)]
    claimed = [line for process in running for line in process.communicate(timeout=60)[0].split()]
    assert sorted(map(int, claimed)) == list(range(1, 41))


# Runs


def test_a_rerun_takes_the_place_of_the_run(archive: Archive) -> None:
    archive.store.put_run("run", REPORT, NOW, exit_code=75)
    archive.store.put_run("run", REPORT, NOW + timedelta(minutes=1), started=NOW)
    archive.store.put_run("crawl", replace(REPORT, as_of=NOW - timedelta(1)), NOW)
    newest, oldest = archive.reopen().runs()
    assert (newest.command, newest.exit_code, newest.report) == ("run", 0, REPORT)
    assert newest.finished == NOW + timedelta(minutes=1)
    assert oldest.command == "crawl"
    assert archive.store.runs(limit=1) == [newest]


def test_the_status_counts_what_there_is(posting: Store) -> None:
    posting.ensure_model(MODEL, 2)
    posting.add_vectors(MODEL, rows(1, 2))
    posting.propose_keys([key()], NOW)
    posting.put_matches("unlearning", [match(1)], "f")
    add(posting, draft(1, 2), draft(1, language="zh"), state="draft")
    posting.put_run("run", REPORT, NOW)
    status = posting.status(MODEL)
    assert status.archive == {
        "papers": 9,
        "withdrawn": 0,
        "newest day": "2026-05-05",
        "vectors": 2,
        "matches": 1,
        "proposed keys": 1,
    }
    assert (status.posts, status.deliveries) == ({"draft": 2}, {"queued": 2})
    assert status.runs == ("2026-05-05 06:00 UTC  run: done",)


# When it goes wrong: one line, and everything is as it was

PART = Part("a", "a", ())
TURN = Turn(sender="bot", owner="me", until=NOW, chat="-1", rest=NOW)
FOLLOWUP = FollowUp(
    id=1,
    delivery=1,
    post=1,
    part=0,
    channel="news",
    chat="-1",
    message=1,
    kind="pin",
    state="sending",
    why="x",
)
WRITES: dict[str, Callable[[Store], object]] = {
    "add_papers": lambda store: store.add_papers("oai", page(paper(2)), NOW),
    "ensure_model": lambda store: store.ensure_model("new", 2),
    "add_vectors": lambda store: store.add_vectors(MODEL, rows(1)),
    "sync_keys": lambda store: store.sync_keys("unlearning", [seed()], NOW),
    "propose_keys": lambda store: store.propose_keys([key()], NOW),
    "decide_key": lambda store: store.decide_key("xai", "a", "a", "active", by="a", reason="", now=NOW),
    "put_matches": lambda store: store.put_matches("unlearning", [match(1)], "f"),
    "put_left_out": lambda store: store.put_left_out("unlearning", DAY, [LeftOut(paper(1).id, "w")]),
    "add_posts": lambda store: add(store, draft(1)),
    "set_post_state": lambda store: store.set_post_state(1, ("draft",), "approved", NOW),
    "put_version": lambda store: store.put_version(1, 1, draft(1), (), NOW, by="me", what="text"),
    "put_wording": lambda store: store.put_wording("k", Wording("tell", "en", "m", "a", "b", None)),
    "claim_delivery": lambda store: store.claim_delivery("news", NOW),
    "record_delivery": lambda store: store.record_delivery(1, "sent", NOW),
    "set_delivery_state": lambda store: store.set_delivery_state(1, ("failed",), "queued", NOW),
    "recover_deliveries": lambda store: store.recover_deliveries(NOW),
    "take_turn": lambda store: store.take_turn("bot", "me", NOW, NOW + timedelta(1)),
    "end_turn": lambda store: store.end_turn("bot", "me"),
    "rest_sender": lambda store: store.rest_sender("bot", NOW),
    "move_chat": lambda store: store.move_chat("-1", "-1001"),
    "note_message": lambda store: store.note_message("-1", 7),
    "pause_channel": lambda store: store.pause_channel("news", "-1", "kicked", NOW),
    "resume_channel": lambda store: store.resume_channel("news"),
    "put_cursor": lambda store: store.put_cursor("updates", "7", NOW),
    "put_review": lambda store: store.put_review(Review(1, "v", "7", 1)),
    "replace_part": lambda store: store.replace_part(1, 0, PART, PART),
    "add_edit": lambda store: store.add_edit(1, PART, "", "why", NOW),
    "add_once": lambda store: store.add_once(1, "pin", "why", NOW),
    "claim_followup": lambda store: store.claim_followup("news", ("edit",), NOW, TURN),
    "record_followup": lambda store: store.record_followup(FOLLOWUP, "sent", NOW),
    "recover_followups": lambda store: store.recover_followups(["news"], NOW),
    "put_told": lambda store: store.put_told([1], ["news"], NOW),
    "put_reactions": lambda store: store.put_reactions(["-1"], 7, {"👍": 1}),
    "put_question": lambda store: store.put_question(Question("7", 1, 1, 0, "v")),
    "add_feedback": lambda store: store.add_feedback("unlearning", "2605.00001", "like", "human", NOW),
    "put_run": lambda store: store.put_run("run", REPORT, NOW),
    "rebuild_words": lambda store: store.rebuild_words(),
}
READS: dict[str, Callable[[Store], object]] = {
    "papers": lambda store: store.papers(["2605.00001"]),
    "paper_numbers": lambda store: store.paper_numbers(["2605.00001"]),
    "arrivals": lambda store: store.arrivals(["2605.00001"]),
    "papers_by_number": lambda store: store.papers_by_number([1]),
    "all_papers": lambda store: list(store.all_papers()),
    "papers_by_year": lambda store: store.papers_by_year(DAY),
    "spread_of_years": lambda store: store.spread_of_years(2020, 2026, DAY, 1),
    "silent_matches": lambda store: store.silent_matches("unlearning", 0),
    "feedback": lambda store: store.feedback("unlearning"),
    "feedback_of": lambda store: store.feedback_of("2605.00001"),
    "opinions": lambda store: store.opinions("unlearning"),
    "count_feedback": lambda store: store.count_feedback("unlearning"),
    "posts_with": lambda store: store.posts_with("2605.00001"),
    "merged_into": lambda store: store.merged_into("2605.00001"),
    "newest_numbers": lambda store: store.newest_numbers(Window(), 1),
    "announced_between": lambda store: store.announced_between(DAY, DAY),
    "listed_between": lambda store: store.listed_between(DAY, None),
    "newest_until": lambda store: store.newest_until(DAY, 1),
    "with_phrases": lambda store: store.with_phrases(["paper"], DAY, 1),
    "day_counts": lambda store: store.day_counts(DAY, DAY),
    "latest_announced": lambda store: store.latest_announced(DAY),
    "count_papers": lambda store: store.count_papers(),
    "highest_number": lambda store: store.highest_number(),
    "cursor": lambda store: store.cursor("oai"),
    "model_dimension": lambda store: store.model_dimension(MODEL),
    "count_without_vector": lambda store: store.count_without_vector(MODEL),
    "texts_without_vector": lambda store: list(store.texts_without_vector(MODEL, 1)),
    "vectors": lambda store: store.vectors(MODEL, ["2605.00001"]),
    "all_vectors": lambda store: list(store.all_vectors(MODEL)),
    "vector_state": lambda store: store.vector_state(MODEL),
    "keys": lambda store: store.keys("unlearning"),
    "key_history": lambda store: store.key_history("unlearning", "a"),
    "fit_fingerprint": lambda store: store.fit_fingerprint("unlearning"),
    "matches": lambda store: store.matches("unlearning", DAY, DAY, 0),
    "matches_of": lambda store: store.matches_of("2605.00001"),
    "left_out": lambda store: store.left_out("2605.00001"),
    "last_post": lambda store: store.last_post("unlearning", "roundup", DAY),
    "turn": lambda store: store.turn("xai", "roundup", DAY),
    "wording": lambda store: store.wording("k"),
    "posted_papers": lambda store: store.posted_papers(),
    "posted_since": lambda store: store.posted_since(DAY),
    "posts": lambda store: store.posts(),
    "post": lambda store: store.post(1),
    "choices": lambda store: store.choices(1),
    "as_written": lambda store: store.as_written(1),
    "history": lambda store: store.history(1),
    "post_at": lambda store: store.post_at(1, 1),
    "updates": lambda store: store.updates("xai", "roundup", DAY),
    "updates_of": lambda store: store.updates_of(1),
    "deliveries": lambda store: store.deliveries(),
    "is_waiting": lambda store: store.is_waiting("news", NOW),
    "sender_rests": lambda store: store.sender_rests("bot", NOW),
    "chat": lambda store: store.chat("-1"),
    "pause": lambda store: store.pause("news", "-1"),
    "review": lambda store: store.review(1),
    "standing": lambda store: store.standing("news", NOW),
    "last_edits": lambda store: store.last_edits([1]),
    "followup_waits": lambda store: store.followup_waits("news", ("edit",), NOW),
    "followups": lambda store: store.followups(),
    "untold": lambda store: store.untold(["news"]),
    "reactions": lambda store: store.reactions(),
    "paper_reactions": lambda store: store.paper_reactions(),
    "question": lambda store: store.question("7", 1),
    "runs": lambda store: store.runs(),
    "status": lambda store: store.status(MODEL),
    "search_words": lambda store: store.search_words("paper", 1),
    "filter_numbers": lambda store: store.filter_numbers([1], Window()),
}


@pytest.fixture
def used(archive: Archive) -> Archive:
    """A database with something in it."""
    archive.store.add_papers("oai", page(paper(1)), NOW)
    archive.store.ensure_model(MODEL, 2)
    return archive


def test_every_public_method_stands_in_one_of_the_two_lists() -> None:
    public = {name for name in dir(Store) if not name.startswith("_")} - {"open", "close"}
    assert public == WRITES.keys() | READS.keys()


@pytest.mark.parametrize("name", WRITES)
def test_a_write_to_a_locked_database_is_told_in_one_line(used: Archive, name: str) -> None:
    busy = pytest.raises(StoreBusy, match="another process is writing")
    with Store.open(used.url, busy_timeout=0.01) as store, locked(used.file), busy as told:
        WRITES[name](store)
    assert str(used.file) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", READS)
def test_a_read_does_not_wait_for_a_writer(used: Archive, name: str) -> None:
    with Store.open(used.url, busy_timeout=0.01) as store, locked(used.file):
        READS[name](store)


@pytest.mark.parametrize("name", READS)
def test_a_readonly_store_reads(used: Archive, name: str) -> None:
    used.store.close()
    with Store.open(used.url, readonly=True) as store:
        READS[name](store)


@pytest.mark.parametrize("name", WRITES)
def test_a_readonly_store_does_not_write(used: Archive, name: str) -> None:
    refused = pytest.raises(StoreError, match="opened for reading only")
    with Store.open(used.url, readonly=True) as store, refused:
        WRITES[name](store)


def test_a_full_disk_is_told_and_leaves_the_database_whole(used: Archive) -> None:
    many = [paper(number, abstract="word " * 500) for number in range(2, 500)]
    with used.store._engine.connect() as connection:  # the pool gives the same connection again
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 20}")
    with pytest.raises(TryAgain, match=f"{used.file}: the disk is full"):
        used.store.add_papers("oai", page(*many, cursor="further"), NOW)
    store = used.reopen()
    assert (store.count_papers(), store.cursor("oai")) == (1, "here")
    words_are_in_step(store)
    assert len(store.add_papers("oai", page(*many), NOW).new) == len(many)


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"Dear diary, " * 999)
    with pytest.raises(StoreError, match=r"notes\.txt: is not a database of digest"):
        Store.open(f"sqlite:///{file}")
    assert file.read_bytes() == b"Dear diary, " * 999


def test_a_damaged_database_is_told(used: Archive) -> None:
    used.store.add_papers("oai", page(*map(paper, range(2, 400))), NOW)
    used.store.close()
    raw = bytearray(used.file.read_bytes())
    for start in range(4096, len(raw), 4096):
        raw[start : start + 64] = b"\xff" * 64
    used.file.write_bytes(raw)
    told = pytest.raises(StoreError, match=r"digest\.db: is damaged .*: put a backup in its place")
    with told, Store.open(used.url) as store:
        store.papers([paper(5).id])


def test_evidence_that_another_hand_has_broken_is_told(used: Archive) -> None:
    used.store.put_matches("unlearning", [match(1)], "f")
    with closing(sqlite3.connect(used.file, isolation_level=None)) as other:
        other.execute("UPDATE match SET evidence = '{'")
    with pytest.raises(StoreError, match="holds what was not written by digest"):
        used.store.matches_of(paper(1).id)


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreBusy, "another process is writing"),
        (sqlite3.SQLITE_FULL, TryAgain, "the disk is full"),
        (sqlite3.SQLITE_IOERR_SHMSIZE, TryAgain, "the disk is full"),
        (sqlite3.SQLITE_IOERR_READ, StoreError, "the disk failed"),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreError, "is damaged"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StoreError, "may not be written: check who owns the file"),
        (sqlite3.SQLITE_PERM, StoreError, "may not be written"),
    ],
)
def test_what_sqlite_says_is_told_in_one_line(code: int, kind: type[DigestError], told: str) -> None:
    error = sqlite3.OperationalError("as SQLite puts it")
    error.sqlite_errorcode = code
    with pytest.raises(kind, match=f"^/a/digest.db: {told}[^\n]*$"), one_line_errors(Path("/a/digest.db")):
        raise error


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://localhost/digest", "the database is postgresql, and only SQLite can be used"),
        ("digest.db", "is no database URL: write sqlite:///path/to/digest.db"),
        ("nonsense://", "the database is nonsense"),
    ],
)
def test_a_url_that_is_not_for_us_is_told(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        Store.open(url)


def test_a_missing_folder_and_a_folder_in_place_of_the_file_are_told(tmp_path: Path) -> None:
    for file in (tmp_path / "no" / "digest.db", tmp_path):
        with pytest.raises(StoreError, match="cannot be opened: check that its folder is there"):
            Store.open(f"sqlite:///{file}")
    assert list(tmp_path.iterdir()) == []


def test_reading_where_there_is_no_database_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database yet"):
        Store.open(f"sqlite:///{tmp_path}/digest.db", readonly=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_strange_name_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "новые статьи #1 100%.db"
    with Store.open(f"sqlite:///{file}") as store:
        store.add_papers("oai", page(paper(1)), NOW)
    assert file.exists()


def test_every_connection_is_as_safe_as_promised(used: Archive) -> None:
    """Two connections at a time: the second one is new to the pool."""
    with used.store._engine.connect(), used.store._engine.connect() as second:
        pragmas = {"foreign_keys": 1, "synchronous": 2, "journal_mode": "wal", "busy_timeout": 5000}
        assert {name: second.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas} == pragmas


def test_nobody_else_can_put_in_what_belongs_to_nothing(used: Archive) -> None:
    with used.store._engine.connect() as connection, pytest.raises(Exception, match="FOREIGN KEY"):
        connection.exec_driver_sql("INSERT INTO match VALUES ('unlearning', 99, 0.5, 0, '{}', 's')")


def test_errors_of_our_own_are_not_hidden(used: Archive) -> None:
    """A mistake in the program must not look like something the user can mend."""
    with pytest.raises(Exception, match="no such table") as told, used.store._reading() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert not isinstance(told.value, DigestError)


def test_a_killed_process_leaves_the_database_whole(archive: Archive) -> None:
    """Killed in the middle of a transaction, by a signal no handler sees."""
    code = (
        "import os, sys; from digest.store import Store, papers\n"
        "from test_store import NOW, page, paper\n"
        "papers.put_cursor = lambda *a: os.kill(os.getpid(), 9)\n"
        "Store.open(sys.argv[1]).add_papers('oai', page(*map(paper, range(1, 50))), NOW)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, archive.url], env=CHILD, check=False)
    assert done.returncode == -9
    store = archive.reopen()
    assert (store.count_papers(), store.cursor("oai")) == (0, None)
    with closing(sqlite3.connect(archive.file)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_two_processes_write_at_once_and_neither_is_lost(archive: Archive) -> None:
    code = (
        "import sys; from digest.store import Store\n"
        "from test_store import NOW, page, paper\n"
        "first = int(sys.argv[2])\n"
        "with Store.open(sys.argv[1], busy_timeout=30) as store:\n"
        "    for number in range(first, first + 60):\n"
        "        store.add_papers(str(first), page(paper(number), cursor=str(number)), NOW)\n"
    )
    command = [sys.executable, "-c", code, archive.url]
    running = [subprocess.Popen([*command, first], env=CHILD) for first in ("100", "200")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert archive.store.count_papers() == 120
    assert (archive.store.cursor("100"), archive.store.cursor("200")) == ("159", "259")
    words_are_in_step(archive.store)
