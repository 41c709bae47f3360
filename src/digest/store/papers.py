"""Papers: what a source gave is merged with what is known, a page and its cursor at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, select, update

from digest.store import dialect, words
from digest.store.base import StoreBase, numbers_of, put_cursor, renew_stamp
from digest.store.dialect import greatest, is_one_of, year_of
from digest.store.prepared import prepared
from digest.store.tables import cursor, paper
from digest.types import Listed, Page, Paper, Version

TEXTS = "text"
"""The stamp of all papers' texts."""


class Added(Struct, frozen=True):
    """What became of the papers of a page: ids never seen before, ids with a newer version, ids whose
    categories or references changed, and how many brought nothing new."""

    new: tuple[str, ...]
    newer: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int


class PaperStore(StoreBase):
    """Everything that is asked about papers as such."""

    def add_papers(self, source: str, page: Page, now: datetime) -> Added:
        """Store the papers of a page and the source's cursor in one transaction (see `merge`).

        The same page again changes nothing. A cursor of None is stored as such.
        """
        with self._writing() as connection:
            added = _add(connection, page.papers)
            put_cursor(connection, source, page.cursor, now)
        return added

    def papers(self, ids: Sequence[str]) -> list[Paper]:
        """These papers in the order asked for; those that are not stored are left out."""
        with self._reading() as connection:
            found = {old.id: old for _, old in _stored(connection, ids)}
        return [found[id_] for id_ in ids if id_ in found]

    def papers_at(self, numbers: Sequence[int]) -> list[Paper]:
        """The papers with these row numbers in the order asked for, left out where there is none."""
        with self._reading() as connection:
            found = dict(_read(connection, select(paper).where(is_one_of(paper.c.number, numbers))))
        return [found[number] for number in numbers if number in found]

    def paper_numbers(self, ids: Iterable[str]) -> dict[str, int]:
        """The row numbers of those of these papers that are stored."""
        with self._reading() as connection:
            return numbers_of(connection, ids)

    def arrivals(self, ids: Iterable[str]) -> dict[str, int]:
        """When each of these papers came, or was announced if that was later, on the scale of row numbers."""
        query = select(paper.c.id, greatest(paper.c.number, paper.c.told))
        with self._reading() as connection:
            return dict(connection.execute(query.where(is_one_of(paper.c.id, ids))).all())

    def announced_between(self, since: date, until: date) -> list[Paper]:
        """All papers of these days (both included), oldest first; withdrawn ones left out."""
        with self._reading() as connection:
            return [found for _, found in _read(connection, *_announced(since, until))]

    def listed_between(self, since: date | None, until: date | None) -> list[Listed]:
        """All papers announced on these days (both included, None for no limit), withdrawn ones too, in
        the order of days and ids."""
        query = select(*(paper.c[name] for name in _LISTED)).order_by(paper.c.announced, paper.c.id)
        if since is not None:
            query = query.where(paper.c.announced >= since)
        if until is not None:
            query = query.where(paper.c.announced <= until)
        with self._reading() as connection:
            return [_as_listed(**row) for row in connection.execute(query).mappings()]

    def newest_until(self, day: date, limit: int) -> list[Paper]:
        """The last ``limit`` papers announced until a day, newest day first; withdrawn ones left out."""
        return self._list(_newest_first(paper.c.announced <= day, limit))

    def all_papers(self) -> list[Paper]:
        """All papers, withdrawn ones left out, in the order in which they came."""
        return self._list(select(paper).where(~paper.c.withdrawn).order_by(paper.c.number))

    def with_phrases(self, phrases: Sequence[str], until: date, limit: int) -> list[Paper]:
        """Papers with any of these phrases in title or abstract, newest day first.

        The words' index stems, so this finds candidates: more than hold the phrase to the letter.
        """
        if not phrases:
            return []
        with self._reading() as connection:
            holds = dialect.of(connection).holds_any(phrases)
            query = _newest_first(holds & (paper.c.announced <= until), limit)
            return [found for _, found in _read(connection, query)]

    def spread_with_phrases(self, phrases: Sequence[str], until: date, limit: int) -> list[Paper]:
        """As `with_phrases`, but at most so many papers evenly spread over the order in which they came."""
        if not phrases:
            return []
        with self._reading() as connection:
            holds = dialect.of(connection).holds_any(phrases)
            inside = (holds, paper.c.announced <= until, ~paper.c.withdrawn)
            return _spread(connection, inside, limit)

    def day_counts(self, since: date, until: date) -> dict[date, int]:
        """How many papers were announced on each of these days (withdrawn ones too), where any were."""
        with self._reading() as connection:
            return dict(connection.execute(*_day_counts(since, until)).all())

    def papers_by_year(self, until: date) -> Counter[tuple[int, str]]:
        """How many papers announced until a day stand here, by year of their first version and primary
        category; withdrawn ones left out."""
        year = year_of(paper.c.submitted)
        cells = select(year, paper.c.categories, func.count()).group_by(year, paper.c.categories)
        found: Counter[tuple[int, str]] = Counter()
        with self._reading() as connection:
            for when, codes, number in connection.execute(
                cells.where(paper.c.announced <= until, ~paper.c.withdrawn)
            ):
                found[when, codes.split()[0]] += number
        return found

    def spread_of_years(self, since: int, until: int, announced: date, limit: int) -> list[Paper]:
        """At most so many papers whose first version is of these years (both included), evenly spread
        over the order in which they came; announced until a day, withdrawn ones left out."""
        inside = (
            year_of(paper.c.submitted).between(since, until),
            paper.c.announced <= announced,
            ~paper.c.withdrawn,
        )
        with self._reading() as connection:
            return _spread(connection, inside, limit)

    def latest_announced(self, until: date) -> date | None:
        """The last day until this one on which papers were announced."""
        with self._reading() as connection:
            latest: date | None = connection.scalar(
                select(func.max(paper.c.announced)).where(paper.c.announced <= until)
            )
        return latest

    def count_papers(self) -> int:
        """How many papers are stored."""
        with self._reading() as connection:
            return connection.scalar(select(func.count()).select_from(paper)) or 0

    def highest_number(self) -> int:
        """The row number of the paper stored last; 0 where there is none."""
        with self._reading() as connection:
            return _highest(connection)

    def cursor(self, source: str) -> str | None:
        """How far a source was read, in its own words; None to begin at the beginning."""
        with self._reading() as connection:
            value: str | None = connection.scalar(*_cursor(source))
        return value

    def _list(self, query: Select[Any]) -> list[Paper]:
        with self._reading() as connection:
            return [found for _, found in _read(connection, query)]


def merge(old: Paper, new: Paper) -> Paper:
    """What is known of a paper once ``new`` was read.

    A higher version replaces text and dates. The same version brings its categories (a later
    cross-list), a withdrawal, and what was not known: sources differ in what they tell. One that
    tells no versions (a daily feed) knows no date of submission. A lower version brings nothing
    of these. Day and type of the announcement are those of the first source that knows them.
    """
    if old.estimated and not new.estimated:
        old = replace(old, announced=new.announced, announce_type=new.announce_type, estimated=False)
    if new.version < old.version or new == old:
        return old
    versions = tuple(sorted({v.number: v for v in (*new.versions, *old.versions)}.values(), key=_number))
    dated = new if new.versions and not old.versions else old
    if new.version == old.version:
        return replace(
            old,
            submitted=dated.submitted,
            updated=dated.updated,
            categories=new.categories,
            authors=old.authors or new.authors,
            comments=new.comments or old.comments,
            journal_ref=new.journal_ref or old.journal_ref,
            doi=new.doi or old.doi,
            withdrawn=old.withdrawn or new.withdrawn,
            versions=versions,
        )
    return replace(
        new,
        submitted=dated.submitted,
        announced=old.announced,
        announce_type=old.announce_type,
        estimated=old.estimated,
        comments=new.comments if new.versions else old.comments,
        journal_ref=new.journal_ref or old.journal_ref,
        doi=new.doi or old.doi,
        versions=versions,
    )


def text_hash(text: str) -> bytes:
    """The 16 bytes a text's vector goes by (BLAKE2b, RFC 7693)."""
    return blake2b(text.encode(), digest_size=16).digest()


def as_paper(row: Row[Any]) -> Paper:
    """A row of the whole table as a paper."""
    return Paper(
        id=row.id,
        version=row.version,
        title=row.title,
        abstract=row.abstract,
        authors=row.authors,
        categories=tuple(row.categories.split()),
        submitted=row.submitted,
        updated=row.updated,
        announced=row.announced,
        announce_type=row.announce_type,
        comments=row.comments,
        journal_ref=row.journal_ref,
        doi=row.doi,
        withdrawn=row.withdrawn,
        versions=row.versions,
        estimated=not row.told,
    )


_OWN = tuple(name for name in Paper.__struct_fields__ if name not in ("categories", "estimated"))


_LISTED = ("id", "version", "categories", "submitted", "announced", "announce_type", "withdrawn")


def _as_listed(*, categories: str, **facts: Any) -> Listed:
    codes = tuple(categories.split())
    return Listed(primary=codes[0], categories=codes, **facts)


def _spread(connection: Connection, conditions: Sequence[ColumnElement[bool]], limit: int) -> list[Paper]:
    every = list(connection.scalars(select(paper.c.number).where(*conditions).order_by(paper.c.number)))
    chosen = every[:: -(-len(every) // limit) or 1]
    query = select(paper).where(is_one_of(paper.c.number, chosen)).order_by(paper.c.number)
    return [found for _, found in _read(connection, query)]


def _number(version: Version) -> int:
    return version.number


def _add(connection: Connection, papers: Sequence[Paper]) -> Added:
    stored = {old.id: (number, old) for number, old in _stored(connection, [p.id for p in papers])}
    after = {id_: old for id_, (_, old) in stored.items()}
    for one in papers:
        after[one.id] = merge(after[one.id], one) if one.id in after else one
    new = [one for id_, one in after.items() if id_ not in stored]
    changed = [(number, old, after[id_]) for id_, (number, old) in stored.items() if after[id_] != old]
    _insert(connection, new)
    rewritten = _update(connection, changed)
    if new or rewritten:
        words.note(connection, _highest(connection), rewritten)
    newer = tuple(one.id for _, old, one in changed if one.version > old.version)
    others = tuple(one.id for _, old, one in changed if one.version == old.version)
    return Added(tuple(p.id for p in new), newer, others, len(papers) - len(new) - len(changed))


def _insert(connection: Connection, papers: Sequence[Paper]) -> None:
    if not papers:
        return
    first = _highest(connection) + 1
    numbers = range(first, first + len(papers))
    told = [0 if one.estimated else number for number, one in zip(numbers, papers, strict=True)]
    speaks = dialect.of(connection)
    speaks.insert_columns(connection, paper, {"number": numbers, "told": told, **_columns(papers)})
    speaks.index_words(connection, paper.c.number >= first)
    renew_stamp(connection, TEXTS)


def _update(connection: Connection, changed: Sequence[tuple[int, Paper, Paper]]) -> list[int]:
    """Write changed papers; gives the numbers of those whose words are others now."""
    if not changed:
        return []
    words_changed = [number for number, old, new in changed if _words(old) != _words(new)]
    speaks = dialect.of(connection)
    speaks.forget_words(connection, words_changed)  # FTS5 must be given the old text to forget it
    given = {"row": [number for number, _, _ in changed], **_columns([new for _, _, new in changed])}
    rows = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    connection.execute(update(paper).where(paper.c.number == bindparam("row")), rows)
    speaks.index_words(connection, is_one_of(paper.c.number, words_changed))
    announced = [number for number, old, new in changed if old.estimated and not new.estimated]
    if announced:
        now = update(paper).values(told=_highest(connection) + 1)
        connection.execute(now.where(is_one_of(paper.c.number, announced)))
    if announced or any(old.text != new.text for _, old, new in changed):
        renew_stamp(connection, TEXTS)
    return words_changed


def _words(one: Paper) -> tuple[str, str, tuple[str, ...]]:
    return one.title, one.abstract, one.authors


def _highest(connection: Connection) -> int:
    return connection.scalar(_HIGHEST) or 0


_HIGHEST = select(func.max(paper.c.number))


@prepared
def _cursor(source: str) -> Select[Any]:
    return select(cursor.c.value).where(cursor.c.source == source)


@prepared
def _announced(since: date, until: date) -> Select[Any]:
    query = select(paper).where(paper.c.announced.between(since, until), ~paper.c.withdrawn)
    return query.order_by(paper.c.announced, paper.c.number)


@prepared
def _day_counts(since: date, until: date) -> Select[Any]:
    days = select(paper.c.announced, func.count()).where(paper.c.announced.between(since, until))
    return days.group_by(paper.c.announced).order_by(paper.c.announced)


def _newest_first(condition: ColumnElement[bool], limit: int) -> Select[Any]:
    papers = select(paper).where(condition, ~paper.c.withdrawn)
    return papers.order_by(paper.c.announced.desc(), paper.c.number).limit(limit)


def _stored(connection: Connection, ids: Iterable[str]) -> list[tuple[int, Paper]]:
    return _read(connection, *_papers(list(ids)))


@prepared
def _papers(ids: list[str]) -> Select[Any]:
    return select(paper).where(is_one_of(paper.c.id, ids))


def _read(
    connection: Connection, query: Select[Any], given: dict[str, Any] | None = None
) -> list[tuple[int, Paper]]:
    """The papers a query on the whole table finds, each with its number; ``given`` are its parameters."""
    return [(row.number, as_paper(row)) for row in connection.execute(query, given)]


def _columns(papers: Sequence[Paper]) -> dict[str, Sequence[object]]:
    """What the table has of some papers, column by column."""
    own = zip(*map(attrgetter(*_OWN), papers), strict=True)  # one look at each paper
    return dict(zip(_OWN, own, strict=True)) | {
        "categories": [" ".join(one.categories) for one in papers],
        "text_hash": [text_hash(one.text) for one in papers],
    }
