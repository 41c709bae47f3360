"""What all of the store stands on: one engine, transactions, and papers' numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import Column, Connection, Select, Table, bindparam, select
from sqlalchemy.dialects.sqlite import Insert

from digest.errors import StoreError
from digest.store import dialect
from digest.store.dialect import Opened, is_one_of
from digest.store.prepared import prepared
from digest.store.tables import cursor, paper, stamp

S = TypeVar("S", bound=Struct)


class StoreBase:
    """An open database. Reads see one state of it; every write is one transaction."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._engine = opened.engine

    @property
    def name(self) -> str:
        """What messages call the database."""
        return self._opened.name

    @property
    def file(self) -> Path | None:
        """The file that the database is in; None in memory and on a server."""
        return self._opened.file

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._opened.one_line_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """All that is written within is stored together, or not at all."""
        with self._opened.one_line_errors(), self._opened.writer.begin() as connection:
            yield connection


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    """Insert all rows, which name the same columns, with one prepared statement; none is fine."""
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        dialect.of(connection).insert_columns(connection, table, columns)


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say what to do with rows that are there."""
    return dialect.of(connection).insert(table)


def columns(table: Table, kind: type[Struct]) -> dict[str, Column[Any]]:
    """The columns of a table that a type has fields for, by name."""
    return {name: table.c[name] for name in kind.__struct_fields__ if name in table.c}


def read_as(
    kind: type[S], connection: Connection, query: Select[Any], given: dict[str, Any] | None = None
) -> list[S]:
    """What a query finds, whose columns are named as the fields of a type; ``given`` are its parameters."""
    return [kind(**row) for row in connection.execute(query, given).mappings()]


def numbers_of(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """The row numbers of those papers that are stored, by id."""
    return dict(connection.execute(*_numbers(list(ids))).all())


@prepared
def _numbers(ids: list[str]) -> Select[Any]:
    return select(paper.c.id, paper.c.number).where(is_one_of(paper.c.id, ids))


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
    put_row(connection, stamp, {"name": name, "value": random_word()})


def random_word() -> str:
    """A word that was never there before."""
    return uuid4().hex


def read_stamp(connection: Connection, name: str) -> str:
    """The current word of what is named; "" before its first change."""
    return connection.scalar(*_stamp(name)) or ""


@prepared
def _stamp(name: str) -> Select[Any]:
    return select(stamp.c.value).where(stamp.c.name == name)


def put_cursor(connection: Connection, source: str, value: str | None, now: datetime) -> None:
    """Note how far a source was read."""
    put_row(connection, cursor, {"source": source, "value": value, "updated": now})


def put_row(
    connection: Connection, table: Table, row: dict[str, Any], *, by: tuple[str, ...] | None = None
) -> None:
    """Store a row; where there is one that is the same ``by`` some columns, by default its primary key, it
    gets these values."""
    keys = by or tuple(one.name for one in table.primary_key.columns)
    connection.execute(_upsert(connection.dialect.name, table, keys, tuple(row)), row)


@cache
def _upsert(kind: str, table: Table, keys: tuple[str, ...], names: tuple[str, ...]) -> Insert:
    new = dialect.named(kind).insert(table).values({name: bindparam(name) for name in names})
    changed = {name: new.excluded[name] for name in names if name not in keys}
    return new.on_conflict_do_update(index_elements=keys, set_=changed)
