"""All of an archive from one database to another, of either kind, in one transaction: whole, and shown to be
equal, or not there at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, MetaData, Table, func, select, text

from digest.errors import StoreError
from digest.store import dialect
from digest.store.database import Store
from digest.store.tables import Json, Words, metadata, paper
from digest.types import CopiedTable

_ROWS = 2000


def copy(
    source: Store, target: Store, told: Callable[[CopiedTable], None] = lambda _: None
) -> list[CopiedTable]:
    """Copy all tables into an archive that holds nothing yet; ``told`` what of each.

    Nobody writes to either meanwhile. Every row is read back from the target, and its tables' checksums are
    compared with those of what was read, before anything is committed. Raises StoreError where something is
    in the target, or differs.
    """
    copied = []
    with source._writing() as read, target._writing() as write:  # noqa: SLF001 - both are the store
        _check_empty(write, target)
        for table in metadata.sorted_tables:
            one = _copy(read, write, _plain(table))
            if one.checksum != _checksum(_rows(write, _plain(table)))[1]:
                raise StoreError(f"{target.name}: {table.name} is not what was read: nothing was copied")
            told(one)
            copied.append(one)
        _complete(write)
    return copied


def _check_empty(connection: Connection, target: Store) -> None:
    for table in metadata.sorted_tables:
        if connection.scalar(select(func.count()).select_from(table)):
            raise StoreError(
                f"{target.name}: is not empty ({table.name} has rows): name a database without an archive"
            )


def _plain(table: Table) -> Table:
    """The same table, whose JSON is the text that it is kept as."""
    return Table(
        table.name,
        MetaData(),
        *(
            Column(one.name, Words if isinstance(one.type, Json) else one.type, primary_key=one.primary_key)
            for one in table.columns
        ),
    )


def _copy(read: Connection, write: Connection, table: Table) -> CopiedTable:
    speaks = dialect.of(write)
    changed = 0

    def taken() -> Iterator[Sequence[Any]]:
        nonlocal changed
        for rows in _pages(read, table):
            given = [tuple(map(_without_nul, row)) for row in rows] if _refuses_nul(write) else rows
            changed += sum(after != before for after, before in zip(given, rows, strict=True))
            columns = zip(*given, strict=True)
            speaks.insert_columns(write, table, dict(zip(table.c.keys(), map(list, columns), strict=True)))
            yield from given

    rows, checksum = _checksum(taken())
    return CopiedTable(table=table.name, rows=rows, checksum=checksum, changed=changed)


def _refuses_nul(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _without_nul(value: Any) -> Any:
    """As `tables.Words` writes it."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    for rows in _pages(connection, table):
        yield from rows


def _pages(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in the order of their key, some thousand at a time."""
    query = select(table).order_by(*table.primary_key.columns)
    result = connection.execute(query, execution_options={"yield_per": _ROWS})
    for page in result.partitions():
        yield [tuple(row) for row in page]


def _checksum(rows: Iterator[Sequence[Any]]) -> tuple[int, str]:
    """How many rows there are, and the BLAKE2b of all their values (times in UTC, numbers as such)."""
    found, count, encode = blake2b(digest_size=16), 0, msgspec.msgpack.Encoder().encode
    for row in rows:
        found.update(encode(tuple(row)))
        count += 1
    return count, found.hexdigest()


def _complete(connection: Connection) -> None:
    """Make what the new database has beside the rows: indexes of words and vectors, the next numbers, and
    what the planner must know of them before autovacuum comes round."""
    if connection.dialect.name == "sqlite":
        dialect.of(connection).index_words(connection, paper.c.number > 0)
        return
    from digest.store import postgres

    postgres.complete_near(connection)
    connection.execute(text(f"ANALYZE near, {', '.join(table.name for table in metadata.sorted_tables)}"))
    for table in metadata.sorted_tables:
        for column in table.primary_key.columns:
            sequence = connection.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": f"digest.{table.name}", "column": column.name},
            )
            if sequence is not None:
                highest = connection.scalar(select(func.max(column)))
                connection.execute(
                    text("SELECT setval(:sequence, :number, :used)"),
                    {"sequence": sequence, "number": highest or 1, "used": highest is not None},
                )
