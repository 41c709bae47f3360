"""What is SQLite's own: how a database file is opened, what its errors mean, and FTS5.

Every connection has foreign keys on and ``synchronous=FULL``: in WAL mode, less than that may lose
the last commits when the power fails, and a lost "sent" would be posted again
(https://www.sqlite.org/pragma.html#pragma_synchronous). The driver's own transactions are switched
off (``isolation_level=None``): it would commit before DDL and begin late. SQLAlchemy's "begin" sends
BEGIN, or BEGIN IMMEDIATE on an engine made with ``for_writing``: a writer that begins as a reader can
be refused at its first write without the busy timeout being waited for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from digest.errors import DigestError, StoreBusy, StoreError, TryAgain

T = TypeVar("T")

__all__ = [
    "APPLICATION_ID",
    "database_file",
    "executemany",
    "for_writing",
    "foreign_keys_off",
    "insert",
    "is_one_of",
    "new_engine",
    "one_line_errors",
    "use_wal",
]

# "dgst": tells our file from any other SQLite database (https://www.sqlite.org/fileformat.html#application_id).
APPLICATION_ID = 0x64677374

VERSION = sqlite3.sqlite_version_info
"""The version of SQLite that is used."""

# page_size counts where the file is made: of 4 KB, SQLite's own measure, two papers fill a page and a tenth
# is wasted; of 16 KB, changing a row writes too much. cache_size: 64 MB.
_PRAGMAS = ("page_size=8192", "foreign_keys=ON", "synchronous=FULL", "cache_size=-65536")


def database_file(url: str) -> Path | None:
    """The file a URL names; None for a database in memory. Raises StoreError for any other database."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"{url!r} is no database URL: write sqlite:///path/to/digest.db") from None
    if parsed.get_backend_name() != "sqlite":
        name = parsed.get_backend_name()
        raise StoreError(f"the database is {name}, and only SQLite can be used: sqlite:///path/to/digest.db")
    return None if parsed.database in (None, "", ":memory:") else Path(str(parsed.database))


def new_engine(file: Path | None, *, readonly: bool, busy_timeout: float) -> Engine:
    """An engine for a file (made when it is not there, unless ``readonly``) or for memory."""

    def connect() -> sqlite3.Connection:
        mode = "ro" if readonly else "rwc"
        name = ":memory:" if file is None else f"file:{quote(str(file))}?mode={mode}"
        raw = sqlite3.connect(
            name, uri=file is not None, timeout=busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in _PRAGMAS:
                raw.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            raw.close()
            raise
        return raw

    pool = StaticPool if file is None else QueuePool
    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=pool)
    event.listen(engine, "begin", _begin)
    return engine


def for_writing(engine: Engine) -> Engine:
    """The same engine and pool, whose transactions hold the write lock from their start."""
    return engine.execution_options(digest_writes=True)


def is_one_of(column: ColumnElement[T], values: Iterable[T]) -> ColumnElement[bool]:
    """``column IN (values)``, however many: all of them are one parameter, as JSON
    (https://www.sqlite.org/json1.html#jeach), where SQLite takes 32,766 and SQLAlchemy names each."""
    given = func.json_each(msgspec.json.encode(list(values)).decode()).table_valued("value")
    return column.in_(select(given.c.value))


def executemany(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Hand rows to the driver as they are made: none is kept, where SQLAlchemy wants a list of them."""
    _raw(connection).executemany(statement, rows)


def use_wal(engine: Engine) -> None:
    """Readers and one writer at a time do not wait for each other; stays with the file."""
    with engine.connect() as connection:
        _raw(connection).execute("PRAGMA journal_mode=WAL")


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Around a transaction: within one the pragma does nothing."""
    raw = _raw(connection)
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _raw(connection: Connection) -> sqlite3.Connection:
    """The driver's connection, on which nothing begins a transaction by itself."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("digest_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def one_line_errors(file: Path | None, *, readonly: bool = False) -> Iterator[None]:
    """Turn what a user can do something about into a DigestError of one line; bugs pass untouched."""
    try:
        yield
    except DBAPIError as exc:
        if isinstance(exc.orig, sqlite3.Error) and (known := _explain(exc.orig, file, readonly)):
            raise known from exc
        raise
    except sqlite3.Error as exc:
        if known := _explain(exc, file, readonly):
            raise known from exc
        raise
    except msgspec.DecodeError as exc:
        raise StoreError(
            f"{file}: holds what was not written by digest ({exc}): put a backup in its place"
        ) from exc


def _explain(exc: sqlite3.Error, file: Path | None, readonly: bool) -> DigestError | None:
    """The error of ours for one of SQLite's (https://www.sqlite.org/rescode.html); None for a bug."""
    code = getattr(exc, "sqlite_errorcode", 0)
    primary = sqlite3.SQLITE_FULL if code == sqlite3.SQLITE_IOERR_SHMSIZE else code & 0xFF
    if primary == sqlite3.SQLITE_READONLY and readonly:
        return StoreError(f"{file}: was opened for reading only")
    if primary not in _MEANING:
        return None
    kind, meaning = _MEANING[primary]
    return kind(f"{file or 'the database in memory'}: {meaning.format(exc)}")


_NOT_OURS = "may not be written: check who owns the file and its folder"
_MEANING: dict[int, tuple[type[DigestError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreBusy, "another process is writing: try again in a moment"),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "another process is writing: try again in a moment"),
    sqlite3.SQLITE_FULL: (TryAgain, "the disk is full, this step was not stored: make room and run again"),
    sqlite3.SQLITE_NOTADB: (StoreError, "is not a database of digest: name another file"),
    sqlite3.SQLITE_CORRUPT: (StoreError, "is damaged ({}): put a backup in its place"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "cannot be opened: check that its folder is there and is yours"),
    sqlite3.SQLITE_READONLY: (StoreError, _NOT_OURS),
    sqlite3.SQLITE_PERM: (StoreError, _NOT_OURS),
    sqlite3.SQLITE_AUTH: (StoreError, _NOT_OURS),
    sqlite3.SQLITE_IOERR: (StoreError, "the disk failed ({}): check it, then run again"),
}
