"""Search by words: SQLite's FTS5 over title, abstract and authors, stemmed, accents left aside.

The index keeps no copy of the texts (external content). It is kept in step by statements beside
those that write papers, in their transaction: one INSERT ... SELECT a page is faster than a trigger a row.
FTS5's tokenizer does not split Han text, so a Chinese query finds only whole runs of characters. What
changed is noted too, for the index beside the database (`digest.inverted`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, column, literal_column, select, table, text

from digest.store import sqlite
from digest.store.base import StoreBase, random_word
from digest.store.tables import match, paper, word_change
from digest.types import Facets

_index = table("paper_word", column("rowid"), column("rank"))


class WordStore(StoreBase):
    """What is written of the words; `digest.store.reader` searches them."""

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


def note(connection: Connection, highest: int, changed: Sequence[int]) -> None:
    """Note that words changed: of new papers up to a row number, and of these that were there before."""
    row = {"stamp": random_word(), "highest": highest, "changed": tuple(changed)}
    connection.execute(word_change.insert().values(row))


def _write(connection: Connection, fields: str, values: str, papers: ColumnElement[bool]) -> None:
    into = table("paper_word", *map(column, fields.split(", ")))
    read: list[ColumnElement[Any]] = [literal_column(value) for value in values.split(", ")]
    rows = select(*read).select_from(paper).where(papers)
    connection.execute(into.insert().from_select(fields.split(", "), rows))


def _holds(expression: str) -> ColumnElement[bool]:
    return literal_column("paper_word").op("MATCH", is_comparison=True)(expression)
