"""What all of the store stands on: one engine, transactions, and papers' numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import Column, Connection, Engine, Select, Table, select

from digest.errors import StoreError
from digest.store import sqlite
from digest.store.tables import cursor, paper, stamp

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

CHUNK = 5_000
"""How many values go into one IN (...); SQLite takes 32,766."""


class StoreBase:
    """An open database. Reads see one state of it; every write is one transaction."""

    def __init__(self, engine: Engine, file: Path | None, *, readonly: bool = False) -> None:
        self.file = file
        self.readonly = readonly
        self._engine = engine
        self._writer = sqlite.for_writing(engine)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with sqlite.one_line_errors(self.file), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """All that is written within is stored together, or not at all."""
        errors = sqlite.one_line_errors(self.file, readonly=self.readonly)
        with errors, self._writer.begin() as connection:
            yield connection


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """The values, so many at a time."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    """Insert all rows with one prepared statement; none is fine."""
    if rows:
        connection.execute(table.insert(), rows)


def columns(table: Table, kind: type[Struct]) -> dict[str, Column[Any]]:
    """The columns of a table that a type has fields for, by name."""
    return {name: table.c[name] for name in kind.__struct_fields__ if name in table.c}


def read_as(kind: type[S], connection: Connection, query: Select[Any]) -> list[S]:
    """What a query finds, whose columns are named as the fields of a type."""
    return [kind(**row) for row in connection.execute(query).mappings()]


def numbers_of(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """The row numbers of those papers that are stored, by id."""
    found: dict[str, int] = {}
    for chunk in chunks(ids):
        rows = connection.execute(select(paper.c.id, paper.c.number).where(paper.c.id.in_(chunk)))
        found.update((row.id, row.number) for row in rows)
    return found


def known_numbers(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """As `numbers_of`, but every paper must be stored; StoreError names the first that is not."""
    found = numbers_of(connection, dict.fromkeys(ids))
    for id_ in ids:
        if id_ not in found:
            raise StoreError(f"paper {id_} is not in the database: crawl it first")
    return found


def renew_stamp(connection: Connection, name: str) -> None:
    """Mark what is named as changed. A random word and no counter: after a backup was put back, a
    counter may reach the same value again with other content."""
    value = uuid4().hex
    new = sqlite.insert(stamp).values(name=name, value=value)
    connection.execute(new.on_conflict_do_update(["name"], set_={"value": value}))


def read_stamp(connection: Connection, name: str) -> str:
    """The current word of what is named; "" before its first change."""
    return connection.scalar(select(stamp.c.value).where(stamp.c.name == name)) or ""


def put_cursor(connection: Connection, source: str, value: str | None, now: datetime) -> None:
    """Note how far a source was read."""
    row = sqlite.insert(cursor).values(source=source, value=value, updated=now)
    connection.execute(row.on_conflict_do_update(["source"], set_={"value": value, "updated": now}))
