"""What is written of the words, and what the papers found are. How a database indexes words is its own
(`sqlite`, `postgres`), and so is how it searches them (`reader`, `postgres_reader`).

What changed is noted too, for the index beside the database (`digest.inverted`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, select

from digest.store import dialect
from digest.store.base import StoreBase, random_word
from digest.store.dialect import is_one_of
from digest.store.tables import match, paper, word_change
from digest.types import Facets


class WordStore(StoreBase):
    """What is written of the words."""

    def facets(self, numbers: Sequence[int]) -> Facets:
        """What the papers with these row numbers are; the most of each first, years newest first."""
        here = is_one_of(paper.c.number, numbers)
        topics = select(match.c.topic, match.c.paper, match.c.silent).where(is_one_of(match.c.paper, numbers))
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
        """Make the words' index anew from the papers; needed only after the database was repaired by hand."""
        with self._writing() as connection:
            dialect.of(connection).rebuild_words(connection)


def note(connection: Connection, highest: int, changed: Sequence[int]) -> None:
    """Note that words changed: of new papers up to a row number, and of these that were there before."""
    row = {"stamp": random_word(), "highest": highest, "changed": tuple(changed)}
    connection.execute(word_change.insert().values(row))
