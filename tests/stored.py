"""Papers, keys, matches and posts to store, and a database file to store them in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from digest.query import read
from digest.store import Reader, Store
from digest.store.papers import text_hash
from digest.store.postgres_reader import ServerReader
from digest.store.tables import metadata
from digest.types import (
    Choice,
    Draft,
    Evidence,
    Key,
    KeyEvidence,
    Match,
    Neighbour,
    Page,
    Paper,
    Part,
    RunReport,
    StageReport,
    TextEntity,
    Version,
)

NOW = datetime(2026, 5, 5, 6, 0, tzinfo=UTC)
DAY = date(2026, 5, 5)
NAIVE = NOW.replace(tzinfo=None)
"""What the store refuses; it stands here for whatever breaks in the middle of a write."""
MODEL = "a-model"
CHILD = {"PYTHONPATH": f"{Path(__file__).parents[1] / 'src'}:{Path(__file__).parent}"}
"""The environment in which another process finds the program and these builders."""


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


def reading(store: Store) -> Any:
    """A reader of the same database, in a file, in memory or on a server."""
    if store.is_on_server:
        return ServerReader(store)
    with store._reading() as connection:
        raw = connection.connection.driver_connection
    return Reader(raw, store.file)


def found(store: Store, text: str, k: int = 9) -> list[int]:
    """The row numbers of the best papers for a query."""
    return [number for number, _ in reading(store).words(read(text), k)]


def contents(store: Store) -> dict[str, list[Any]]:
    """All rows of all tables as the program reads them."""
    with store._reading() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key))
            ]
            for table in metadata.sorted_tables
        }


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
    """A database that can be closed and opened again."""

    url: str
    store: Store
    before: list[Store] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.store.name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another process is writing."""
        with Store.open(self.url) as other, other._writing():
            yield

    def by_hand(self, statement: str) -> None:
        """Change the database behind the program's back."""
        with Store.open(self.url) as other, other._writing() as connection:
            connection.exec_driver_sql(statement)

    def reopen(self) -> Store:
        self.store.close()
        self.before.append(self.store)
        self.store = Store.open(self.url)
        return self.store

    def close(self) -> None:
        """Close all that was opened: a store that was closed opens again when it is asked."""
        for store in (*self.before, self.store):
            store.close()


def filled(archive: Archive) -> Archive:
    """The archive with a paper and a model."""
    archive.store.add_papers("oai", page(paper(1)), NOW)
    archive.store.ensure_model(MODEL, 2)
    return archive


def rows(*numbers: int) -> list[tuple[bytes, Any]]:
    """Vectors that tell by themselves whose they are."""
    return [(text_hash(paper(n).text), np.array([n, n + 0.5], np.float32)) for n in numbers]


def add(store: Store, *drafts: Draft, state: Any = "approved", channels: Any = None) -> list[int]:
    """Store drafts as seen until now."""
    known: Any = {"en": ["news"], "ru": ["новости", "archive"]} if channels is None else channels
    return store.add_posts(drafts, known, state, store.highest_number(), NOW)


def words_are_in_step(store: Store) -> None:
    """FTS5's own check of an external content index: it fails where a word is missing or left over. On a
    server the words are generated with the row."""
    if store.is_on_server:
        return
    with store._writing() as connection:
        check = "INSERT INTO paper_word(paper_word, rank) VALUES ('integrity-check', 1)"
        connection.exec_driver_sql(check)
