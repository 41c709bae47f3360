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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Engine,
    Table,
    column,
    create_engine,
    event,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from digest.errors import StoreError
from digest.store.dialect import is_one_of
from digest.store.refusals import one_line_errors
from digest.store.tables import paper

__all__ = [
    "APPLICATION_ID",
    "Sqlite",
    "database_file",
    "for_writing",
    "foreign_keys_off",
    "insert",
    "new_engine",
    "one_line_errors",
    "size",
    "use_wal",
]

# "dgst": tells our file from any other SQLite database (https://www.sqlite.org/fileformat.html#application_id).
APPLICATION_ID = 0x64677374

BUSY = 5.0
"""Seconds that a process waits for another one's lock."""

VERSION = sqlite3.sqlite_version_info
"""The version of SQLite that is used."""

# page_size counts where the file is made: of 4 KB, SQLite's own measure, two papers fill a page and a tenth
# is wasted; of 16 KB, changing a row writes too much. cache_size: 64 MB.
_PRAGMAS = ("page_size=8192", "foreign_keys=ON", "synchronous=FULL", "cache_size=-65536")


class Sqlite:
    """An open file, or a database in memory."""

    def __init__(self, engine: Engine, file: Path | None, *, readonly: bool = False) -> None:
        self.name = str(file)
        self.file = file
        self.engine = engine
        self.writer = for_writing(engine)
        self._readonly = readonly

    def one_line_errors(self) -> AbstractContextManager[None]:
        """Errors in words for a person."""
        return one_line_errors(self.file, readonly=self._readonly)

    def held(self, _: Sequence[str]) -> AbstractContextManager[None]:
        """Nothing: a file is one machine's, where the lock of the digest home does (`digest.home`)."""
        return nullcontext()

    def share(self, _: str, texts: list[bytes]) -> list[bytes]:
        """All texts are ours."""
        return texts

    def close(self) -> None:
        """Give all connections back; the last one to leave a file tidies up its WAL."""
        self.engine.dispose()


def database_file(url: str) -> Path | None:
    """The file a URL names; None for a database in memory. Raises StoreError for any other database."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"{url!r} is no database URL: write sqlite:///path/to/digest.db") from None
    if parsed.get_backend_name() != "sqlite":
        name = parsed.get_backend_name()
        raise StoreError(f"the database is {name}, where SQLite is needed: sqlite:///path/to/digest.db")
    return None if parsed.database in (None, "", ":memory:") else Path(str(parsed.database))


def size(file: Path | None) -> int:
    """Bytes of a file and of what SQLite keeps beside it; 0 where it is not there, or in memory."""
    if file is None:
        return 0
    beside = (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm")))
    return sum(one.stat().st_size for one in beside if one.exists())


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


def insert_columns(connection: Connection, into: Table, values: Mapping[str, Sequence[object]]) -> None:
    """Insert rows given as the values of each column.

    The columns' types bind them, a column at a time, and the driver takes them as they are made, none is
    kept: SQLAlchemy's own way, a list of rows, takes longer than SQLite takes to store a paper.
    """
    dialect = connection.dialect
    statement = into.insert().compile(dialect=dialect, column_keys=list(values))
    bound: list[Iterable[object]] = []
    for name in statement.positiontup or ():
        kind = into.c[name].type
        bind = kind.dialect_impl(dialect).bind_processor(dialect)
        if bind and isinstance(kind, Date):
            bind = cache(bind)  # few days, and SQLAlchemy takes its time
        bound.append(map(bind, values[name]) if bind else values[name])
    _raw(connection).executemany(str(statement), zip(*bound, strict=True))


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
    if connection.get_execution_options().get("digest_writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # takes no lock yet, so that it cannot fail: past SQLAlchemy, which takes as long as for a query
        _raw(connection).execute("BEGIN")


# Words: FTS5. The index keeps no copy of the texts (external content), and is kept in step by statements
# beside those that write papers: one INSERT ... SELECT a page is faster than a trigger a row.

_index = table("paper_word", column("rowid"), column("rank"))


def holds_any(phrases: Iterable[str]) -> ColumnElement[bool]:
    """Whether a paper holds any of these phrases in title or abstract, up to stemming."""
    any_of = " OR ".join(map(fts_quote, phrases))
    holds = literal_column("paper_word").op("MATCH", is_comparison=True)(f"{{title abstract}} : ({any_of})")
    return paper.c.number.in_(select(_index.c.rowid).where(holds))


def fts_quote(words: str) -> str:
    """A string that FTS5 takes as these words in this order, whatever they hold."""
    clean = words.encode(errors="ignore").decode().replace("\0", " ")
    return '"' + clean.replace('"', '""') + '"'


def index_words(connection: Connection, papers: ColumnElement[bool]) -> None:
    """Index papers that were written a moment ago."""
    _write(connection, "rowid, title, abstract, authors", "number, title, abstract, authors", papers)


def forget_words(connection: Connection, numbers: Sequence[int]) -> None:
    """Take papers out of the index while their row still holds the words they were indexed with."""
    fields = "paper_word, rowid, title, abstract, authors"
    papers = is_one_of(paper.c.number, numbers)
    _write(connection, fields, "'delete', number, title, abstract, authors", papers)


def rebuild_words(connection: Connection) -> None:
    """Make the words' index anew from the papers."""
    connection.execute(text("INSERT INTO paper_word(paper_word) VALUES ('rebuild')"))


def _write(connection: Connection, fields: str, values: str, papers: ColumnElement[bool]) -> None:
    into = table("paper_word", *map(column, fields.split(", ")))
    read: list[ColumnElement[Any]] = [literal_column(value) for value in values.split(", ")]
    rows = select(*read).select_from(paper).where(papers)
    connection.execute(into.insert().from_select(fields.split(", "), rows))


def added_vectors(connection: Connection, model: int, rows: Sequence[tuple[bytes, Any]]) -> None:
    """Nothing: the index of vectors lies beside the database."""
