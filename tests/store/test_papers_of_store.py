"""Papers: what goes in comes out, once and whole, in its newest version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from digest.store import Store
from digest.store.papers import merge
from digest.types import (
    Paper,
    Version,
)
from stored import DAY, MODEL, NAIVE, NOW, Archive, found, page, paper, reading, words_are_in_step


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
    assert found(store, "better") == [1]


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
    assert found(store, "kept") == []  # withdrawn


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
    assert [one.id for one in reading(store).papers([4, 99, 2])] == [paper(4).id, paper(2).id]
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
    assert ids(store.spread_with_phrases(["forget set", "forgetting in"], DAY, 9)) == ids(
        [paper(1), paper(2)]
    )
    assert len(store.spread_with_phrases(["forget set", "forgetting in"], DAY, 1)) == 1
    assert store.spread_with_phrases([], DAY, 9) == []
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
    assert found(store, "later") == []
    words_are_in_step(store)


@pytest.mark.parametrize("offset", [-9, 0, 5.5])
def test_times_come_back_aware_and_in_utc(store: Store, offset: float) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=offset)))
    store.add_papers("oai", page(paper(submitted=there)), NOW)
    [stored] = store.papers([paper().id])
    assert (stored.submitted, stored.submitted.tzinfo) == (NOW, UTC)


def test_papers_by_their_ids_are_looked_up_and_not_searched_for() -> None:
    from sqlalchemy import select
    from sqlalchemy.dialects import sqlite

    from digest.store.dialect import is_one_of
    from digest.store.tables import paper

    said = str(select(paper.c.id).where(is_one_of(paper.c.id, ["a"])).compile(dialect=sqlite.dialect()))
    assert said.endswith("json_each(?))")  # with "= 1" behind it SQLite reads the whole table
