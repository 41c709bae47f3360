"""Search by words: SQLite's FTS5 over title, abstract and authors, stemmed, accents left aside.

The index keeps no copy of the texts (external content). It is kept in step by statements beside
those that write papers, in their transaction: one INSERT ... SELECT a page is faster than a trigger a row.
FTS5's tokenizer does not split Han text, so a Chinese query finds only whole runs of characters.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    column,
    exists,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.exc import OperationalError

from digest.errors import InputError
from digest.store import sqlite
from digest.store.base import StoreBase
from digest.store.tables import match, paper
from digest.types import Facets, Window

EVERYTHING = Window()

_index = table("paper_word", column("rowid"), column("rank"))


class WordStore(StoreBase):
    """Search by words, and the filters all searches share."""

    def search_words(self, expression: str, k: int, window: Window = EVERYTHING) -> list[tuple[int, float]]:
        """The ``k`` best papers for an FTS5 expression: (row number, BM25 score), best first.

        A higher score is better; a word counts 8 in the title, 1 in the abstract, 0.5 in the authors: of
        the weights 1 to 12 on 131 queries made of expert lists' headings, those from 5 did best.
        Withdrawn papers are left out. Raises InputError for what is no expression
        (https://www.sqlite.org/fts5.html#full_text_query_syntax); quote single words with `fts_quote`.
        """
        found = (
            select(_index.c.rowid, -_index.c.rank)
            .select_from(_index)
            .join(paper, paper.c.number == _index.c.rowid)
        )
        weighted = _index.c.rank.op("MATCH", is_comparison=True)("bm25(8.0, 1.0, 0.5)")
        query = found.where(_holds(expression), weighted, *_within(window))
        query = query.order_by(_index.c.rank).limit(k)
        with self._reading() as connection:
            try:
                return [(number, score) for number, score in connection.execute(query)]
            except UnicodeEncodeError as exc:  # half of a surrogate pair
                raise InputError(f"this cannot be searched for: {expression!r} (it is no text)") from exc
            except OperationalError as exc:
                if getattr(exc.orig, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
                    raise
                raise InputError(f"this cannot be searched for: {expression!r} ({exc.orig})") from exc

    def filter_numbers(
        self, numbers: Sequence[int], window: Window, holding: str = "", without: str = ""
    ) -> list[int]:
        """Those of these row numbers whose papers lie in the window, stand, hold one FTS5 expression and
        do not hold the other ("": no matter), in the order given."""
        query = select(paper.c.number).where(sqlite.is_one_of(paper.c.number, numbers), *_within(window))
        if holding:
            query = query.where(paper.c.number.in_(select(_index.c.rowid).where(_holds(holding))))
        if without:
            query = query.where(_lacks(without))
        with self._reading() as connection:
            inside = set(connection.scalars(query))
        return [number for number in numbers if number in inside]

    def newest_numbers(self, window: Window, limit: int, without: str = "") -> list[int]:
        """The row numbers of the last papers announced in a window that do not hold an FTS5 expression,
        newest first."""
        query = select(paper.c.number).where(*_within(window)).limit(limit)
        if without:
            query = query.where(_lacks(without))
        with self._reading() as connection:
            return list(connection.scalars(query.order_by(paper.c.announced.desc(), paper.c.number)))

    def facets(self, numbers: Sequence[int]) -> Facets:
        """What the papers with these row numbers are; the most of each first, years newest first."""
        here = sqlite.is_one_of(paper.c.number, numbers)
        topics = select(match.c.topic, match.c.paper, match.c.silent).where(
            sqlite.is_one_of(match.c.paper, numbers)
        )
        with self._reading() as connection:
            rows = connection.execute(select(paper.c.announced, paper.c.categories).where(here)).all()
            matched = connection.execute(topics).all()
        years = Counter(row.announced.year for row in rows)
        return Facets(
            topics=dict(Counter(row.topic for row in matched).most_common()),
            years=dict(sorted(years.items(), reverse=True)),
            categories=dict(Counter(code for row in rows for code in row.categories.split()).most_common()),
            silent=len({row.paper for row in matched if row.silent}),
        )

    def rebuild_words(self) -> None:
        """Make the words' index anew from the papers; needed only after the file was repaired by hand."""
        with self._writing() as connection:
            connection.execute(text("INSERT INTO paper_word(paper_word) VALUES ('rebuild')"))


def fts_quote(words: str) -> str:
    """A string that FTS5 takes as these words in this order, whatever they hold."""
    clean = words.encode(errors="ignore").decode().replace("\0", " ")
    return '"' + clean.replace('"', '""') + '"'


def rows_with(phrases: Iterable[str]) -> Select[Any]:
    """The rows with any of these phrases in title or abstract."""
    any_of = " OR ".join(map(fts_quote, phrases))
    return select(_index.c.rowid).where(_holds(f"{{title abstract}} : ({any_of})"))


def add(connection: Connection, papers: ColumnElement[bool]) -> None:
    """Index papers that were written a moment ago."""
    _write(connection, "rowid, title, abstract, authors", "number, title, abstract, authors", papers)


def remove(connection: Connection, numbers: Sequence[int]) -> None:
    """Take papers out of the index while their row still holds the words they were indexed with."""
    fields = "paper_word, rowid, title, abstract, authors"
    papers = sqlite.is_one_of(paper.c.number, numbers)
    _write(connection, fields, "'delete', number, title, abstract, authors", papers)


def _write(connection: Connection, fields: str, values: str, papers: ColumnElement[bool]) -> None:
    into = table("paper_word", *map(column, fields.split(", ")))
    read: list[ColumnElement[Any]] = [literal_column(value) for value in values.split(", ")]
    rows = select(*read).select_from(paper).where(papers)
    connection.execute(into.insert().from_select(fields.split(", "), rows))


def _holds(expression: str) -> ColumnElement[bool]:
    return literal_column("paper_word").op("MATCH", is_comparison=True)(expression)


def _lacks(expression: str) -> ColumnElement[bool]:
    return paper.c.number.not_in(select(_index.c.rowid).where(_holds(expression)))


def _within(window: Window) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [~paper.c.withdrawn]
    if window.since:
        conditions.append(paper.c.announced >= window.since)
    if window.until:
        conditions.append(paper.c.announced <= window.until)
    if window.topics or window.silent:
        conditions.append(_matched(window.topics, silent=window.silent))
    if window.not_topics:
        conditions.append(~_matched(window.not_topics))
    if window.categories:
        conditions.append(_listed(window.categories))
    if window.not_categories:
        conditions.append(~_listed(window.not_categories))
    return conditions


def _matched(topics: Sequence[str], *, silent: bool = False) -> ColumnElement[bool]:
    """The paper belongs to any of these topics (any at all where none is named)."""
    belongs = exists().where(match.c.paper == paper.c.number)
    if topics:
        belongs = belongs.where(match.c.topic.in_(topics))
    return belongs.where(match.c.silent) if silent else belongs


def _listed(categories: Sequence[str]) -> ColumnElement[bool]:
    codes = literal(" ") + paper.c.categories + " "
    return or_(*(codes.contains(f" {code} ", autoescape=True) for code in categories))
