"""What is PostgreSQL's own: how a server is reached, what its errors mean, tsvector and pgvector.

Writers come one after the other, as in SQLite: a transaction that writes first takes one advisory lock, which
its end gives back (https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS). So what is
read before something is written is still true then, and numbers appear in the order in which they were
given: an index that goes on from the last number it saw misses none. Nothing slow happens in a transaction,
so that many machines can take turns. Reads see one state (REPEATABLE READ) and wait for nobody.
"""

from __future__ import annotations

import os
import re
import socket
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Table,
    bindparam,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import insert as _insert
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from digest.errors import DigestError, StoreBusy, StoreError, TryAgain

if TYPE_CHECKING:
    import psycopg

Floats = npt.NDArray[np.float32]

BUSY = 30.0
"""Seconds that a writer waits for the others. Longer than for a file: the wait is a queue, and others' pages
come over a network."""

_ARCHIVE = 0x64677374  # "dgst", the number of all our advisory locks
_WORKERS = _ARCHIVE + 1
SCHEMA = "digest"
"""Where our tables are: one of them has the name of pgvector's type, and public may be others'."""

_SESSION = (
    f"SET search_path = {SCHEMA}, public, extensions; SET TIME ZONE 'UTC'; SET jit = off; "
    "SET client_min_messages = warning; "
    # A machine that is gone without a word keeps a lock for a minute and not for hours.
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
)


_FORGET_THE_DEAD = (
    "DELETE FROM claim WHERE worker NOT IN (SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' "
    f"AND classid = {_WORKERS} AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database()))"
)
# What has a vector by now was embedded since it was read.
_CLAIM = (
    "INSERT INTO claim SELECT :model, text_hash, :worker FROM unnest(CAST(:texts AS bytea[])) AS text_hash "
    "WHERE NOT EXISTS (SELECT FROM vector JOIN model ON model.id = vector.model "
    "WHERE model.name = :model AND vector.text_hash = text_hash.text_hash) "
    "ON CONFLICT (model, text_hash) DO UPDATE SET worker = excluded.worker "
    "WHERE claim.worker = excluded.worker RETURNING text_hash"
)


class Postgres:
    """An open database of a server."""

    file: Path | None = None

    def __init__(self, url: URL, *, readonly: bool, busy_timeout: float | None) -> None:
        self.name = name_of(url)
        self.url = url
        self._readonly = readonly
        self._worker: tuple[Connection, int] | None = None
        engine = _new_engine(url)
        self.engine: Engine = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        wait = int(1000 * (BUSY if busy_timeout is None else busy_timeout))
        self.writer: Engine = engine.execution_options(
            digest_waits=max(wait, 1), postgresql_readonly=readonly
        )

    def one_line_errors(self) -> AbstractContextManager[None]:
        """Errors in words for a person."""
        return one_line_errors(self.name, readonly=self._readonly)

    @contextmanager
    def held(self, duties: Sequence[str]) -> Iterator[None]:
        """Do what these words name as the only one on all machines. Raises TryAgain where another does.

        The lock is the session's: the server lets go of it when the process or its machine is gone.
        """
        with self.one_line_errors():
            connection = _session(self.url)
        try:
            for duty in duties:
                with self.one_line_errors():
                    _take(connection, self.name, duty)
            yield
        finally:
            connection.close()

    def share(self, model: str, texts: list[bytes]) -> list[bytes]:
        """Of texts that wait for a model's vectors those that nobody else embeds: they are ours from now on.

        Whose a text is stands in the table ``claim``, by the number of a worker. A worker is alive until this
        is closed, as its session holds the lock of its number: of one that was killed, others take the texts.
        """
        with self.one_line_errors():
            if self._worker is None:
                self._worker = _session(self.url), int.from_bytes(os.urandom(4), "big") >> 1
                self._worker[0].execute(text(f"SELECT pg_advisory_lock({_WORKERS}, {self._worker[1]})"))
            asked = {"model": model, "worker": self._worker[1], "texts": texts}
            with self.writer.begin() as connection:
                connection.execute(text(_FORGET_THE_DEAD))
                ours = set(connection.scalars(text(_CLAIM), asked))
        return [one for one in texts if one in ours]

    def close(self) -> None:
        """Give all connections back."""
        if self._worker is not None:
            self._worker[0].close()
            self._worker = None
        self.engine.dispose()


def name_of(url: URL) -> str:
    """What messages call a database: no user, no password, nothing of what follows the name."""
    host = url.host or url.query.get("host", "")
    where = "" if not isinstance(host, str) or host.startswith("/") else host
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{where}{port}/{url.database or ''}"


def read_url(url: str) -> URL:
    """A URL for psycopg. Raises StoreError, which does not repeat it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError("database: write postgresql+psycopg://user@host/name") from None
    if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        raise StoreError(
            f"{name_of(parsed)}: the driver is psycopg: write postgresql+psycopg://user@host/name"
        )
    return parsed.set(drivername="postgresql+psycopg")


def opened(url: str, *, readonly: bool, busy_timeout: float | None = None) -> Postgres:
    """The database of a URL; nothing is asked of the server yet. Raises StoreError."""
    try:
        import pgvector  # noqa: F401
        import psycopg  # noqa: F401
    except ImportError as missing:
        raise StoreError(
            f"a database of PostgreSQL needs {missing.name}: pip install 'digest[postgres]'"
        ) from None
    return Postgres(read_url(url), readonly=readonly, busy_timeout=busy_timeout)


def _new_engine(url: URL, **options: Any) -> Engine:
    """The host may change what it is while this runs: a connection is looked at before it is used again."""
    arguments = {"application_name": f"digest on {socket.gethostname()}"[:63], "connect_timeout": 10}
    given = {key: value for key, value in arguments.items() if key not in url.query}
    engine = create_engine(
        url, connect_args=given, pool_pre_ping=not options, use_native_hstore=False, **options
    )
    event.listen(engine, "connect", _begin_session)
    event.listen(engine, "begin", _begin)
    return engine


def _begin_session(raw: Any, _: object) -> None:
    raw.execute(_SESSION)
    raw.commit()


def _begin(connection: Connection) -> None:
    """A writer waits for its turn."""
    wait = connection.get_execution_options().get("digest_waits")
    if wait is not None:
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {wait}; SELECT pg_advisory_xact_lock({_ARCHIVE})"
        )


def _session(url: URL) -> Connection:
    """A connection of its own, which ends when it is closed, without transactions."""
    engine = _new_engine(url, poolclass=NullPool)
    return engine.execution_options(isolation_level="AUTOCOMMIT").connect()


def _take(connection: Connection, name: str, duty: str) -> None:
    number = zlib.crc32(duty.encode()) >> 1
    if connection.scalar(text(f"SELECT pg_try_advisory_lock({_ARCHIVE}, {number})")):
        return
    who = connection.execute(
        text(
            "SELECT a.application_name, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI') FROM pg_locks l "
            "JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted "
            f"AND l.classid = {_ARCHIVE} AND l.objid = {number} AND l.database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    ).first()
    whose = f"{who[0] or 'another digest'}, since {who[1]} UTC" if who else "another digest"
    raise TryAgain(f"{name}: a {duty} is under way ({whose}); try again when it is done")


# Errors (https://www.postgresql.org/docs/current/errcodes-appendix.html).


@contextmanager
def one_line_errors(name: str, *, readonly: bool = False) -> Iterator[None]:
    """Turn what a user can do something about into a DigestError of one line; bugs pass untouched."""
    try:
        yield
    except msgspec.DecodeError as exc:
        raise StoreError(f"{name}: holds what was not written by digest ({exc}): put a backup back") from exc
    except Exception as exc:
        cause = getattr(exc, "orig", exc)  # SQLAlchemy wraps what the driver raised
        if known := _explain(cause, name, readonly=readonly):
            raise known from None  # the cause may repeat the URL
        raise


def _explain(exc: BaseException, name: str, *, readonly: bool) -> DigestError | None:
    """The error of ours for one of PostgreSQL's; None for a bug."""
    import psycopg

    if not isinstance(exc, psycopg.Error):
        return None
    code = exc.sqlstate
    if code is None:
        return _unreached(exc, name) if isinstance(exc, psycopg.OperationalError) else None
    if code == "25006" and readonly:
        return StoreError(f"{name}: was opened for reading only")
    if (known := _MEANING.get(code) or _MEANING.get(code[:2])) is None:
        return None
    kind, meaning = known
    return kind(f"{name}: {meaning.format(_first_line(exc))}")


def _unreached(exc: psycopg.Error, name: str) -> DigestError:
    """Of a connection that never came about libpq gives no code, only what was said."""
    said = _first_line(exc).rpartition("FATAL: ")[2].strip()
    if said.startswith("database ") and said.endswith("does not exist"):
        return StoreError(f"{name}: there is no such database: createdb makes it (docs/postgresql.md)")
    if re.search(r"^(role|no pg_hba|password|Peer|Ident)|no password supplied", said):
        return StoreError(f"{name}: the server lets nobody in ({said}): correct user and password")
    return TryAgain(f"{name}: the server cannot be reached ({said})")


def _first_line(exc: BaseException) -> str:
    """What the server said; libpq repeats host and user of a URL, never the password."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[0].removeprefix("ERROR: ") if lines else type(exc).__name__


_MEANING: dict[str, tuple[type[DigestError], str]] = {
    "08": (TryAgain, "the server cannot be reached ({})"),
    "28": (StoreError, "the server lets nobody in ({}): correct user and password"),
    "3D000": (StoreError, "{}: createdb makes it"),
    "25006": (TryAgain, "the server takes no writes now ({}): is it a standby?"),
    "40": (StoreBusy, "another process is writing: try again in a moment"),
    "55P03": (StoreBusy, "another process is writing: try again in a moment"),
    "42501": (StoreError, "{}: let the user of the URL own the database"),
    "53100": (TryAgain, "the server's disk is full, this step was not stored: make room and run again"),
    "53": (TryAgain, "the server has no room now ({}): run again later"),
    "57P": (TryAgain, "the server is stopping or starting: run again later"),
    "57P01": (TryAgain, "the server is stopping or starting: run again later"),
    "57P02": (TryAgain, "the server is stopping or starting: run again later"),
    "57P03": (TryAgain, "the server is stopping or starting: run again later"),
    "57P05": (TryAgain, "the server ended an idle connection: run again"),
    "58": (StoreError, "the server's disk failed ({}): look at its log"),
    "XX001": (StoreError, "is damaged ({}): put a backup in its place"),
    "XX002": (StoreError, "an index is damaged ({}): digest doctor --repair, or put a backup in its place"),
}


# What both databases are asked for (`dialect.Speaks`).


def insert(table: Table) -> Insert:
    """An INSERT that can say what to do with rows that are there: its methods are those of SQLite's."""
    return cast("Insert", _insert(table))


def insert_columns(connection: Connection, table: Table, values: Mapping[str, Sequence[object]]) -> None:
    """Insert rows given as the values of each column."""
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    if rows:
        connection.execute(table.insert(), rows)


def holds_any(phrases: Iterable[str]) -> ColumnElement[bool]:
    """Whether a paper holds any of these phrases in title or abstract, up to stemming."""
    clean = [phrase.encode(errors="ignore").decode().replace("\0", " ") for phrase in phrases]
    asked = text(
        "paper.search @@ (SELECT string_agg('(' || asked.query || ')', ' | ')::tsquery FROM "
        "(SELECT digest_query(phrase, label)::text AS query FROM unnest(CAST(:phrases AS text[])) AS phrase, "
        "unnest(ARRAY['A', 'B']) AS label) AS asked WHERE asked.query <> '')"
    )
    return cast("ColumnElement[bool]", asked.bindparams(bindparam("phrases", clean, unique=True)))


def index_words(connection: Connection, papers: ColumnElement[bool]) -> None:
    """Nothing: ``paper.search`` is generated from the row."""


def forget_words(connection: Connection, numbers: Sequence[int]) -> None:
    """Nothing: ``paper.search`` is generated from the row."""


def rebuild_words(connection: Connection) -> None:
    """The words are generated with the row; only their index, and that of the vectors, can be damaged."""
    connection.execute(text("REINDEX INDEX ix_paper_search"))
    rebuild_near(connection)


# Vectors: `near` holds each vector in half precision under the number of its row, with an HNSW index for each
# model (https://github.com/pgvector/pgvector#hnsw). It only finds candidates, which are then compared by
# the float32 numbers of `vector`.


def added_vectors(connection: Connection, model: int, rows: Sequence[tuple[bytes, Any]]) -> None:
    """Index vectors (hash of text, float32 [dimension]) that were stored a moment ago."""
    from pgvector import HalfVector

    insert_near = (
        "INSERT INTO near SELECT number, model, %s FROM vector WHERE model = %s AND text_hash = %s "
        "ON CONFLICT DO NOTHING"
    )
    with _raw(connection).cursor() as cursor:
        cursor.executemany(insert_near, [(HalfVector(vector), model, hash_) for hash_, vector in rows])
    _index_of_model(connection, model)


def complete_near(connection: Connection) -> None:
    """Index all vectors that are not indexed; what has no index yet gets it when all rows are there, which
    is several times as quick."""
    lacking = text(
        "SELECT number, data FROM vector WHERE model = :model AND number > :after AND NOT EXISTS "
        "(SELECT FROM near WHERE near.number = vector.number) ORDER BY number LIMIT 4096"
    )
    connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    for (model,) in connection.execute(text("SELECT id FROM model ORDER BY id")).all():
        after = 0
        while rows := connection.execute(lacking, {"model": model, "after": after}).all():
            _copy_near(connection, model, rows)
            after = rows[-1].number
        _index_of_model(connection, model)


def _copy_near(connection: Connection, model: int, rows: Sequence[Any]) -> None:
    from pgvector import HalfVector

    with _raw(connection).cursor() as cursor, cursor.copy("COPY near FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int8", "int8", "halfvec"])
        for number, data in rows:
            copy.write_row((number, model, HalfVector(np.frombuffer(data, "<f4"))))


def rebuild_near(connection: Connection) -> None:
    """Make the index of vectors anew from the vectors."""
    connection.execute(text("TRUNCATE near"))
    for (index,) in connection.execute(
        text("SELECT indexname FROM pg_indexes WHERE schemaname = 'digest' AND indexname LIKE 'ix_near_%'")
    ).all():
        connection.execute(text(f"DROP INDEX {index}"))
    complete_near(connection)


def count_near(connection: Connection, model: int) -> int:
    """How many vectors of a model are indexed."""
    return connection.scalar(text("SELECT count(*) FROM near WHERE model = :model"), {"model": model}) or 0


def nearest(connection: Connection, model: int, vector: Floats, k: int) -> list[tuple[bytes, bytes]]:
    """Candidates for the ``k`` nearest of float32 [dimension]: hashes of texts and float32 bytes. Beyond some
    hundreds all are looked at, which is then quicker than to walk through the index."""
    from pgvector import HalfVector

    wanted = k + max(k // 5, 50)
    if wanted > _MOST_BY_INDEX:
        connection.execute(text("SET LOCAL enable_indexscan = off"))
    else:
        connection.execute(text(f"SET LOCAL hnsw.ef_search = {max(200, 2 * wanted)}"))
        connection.execute(text("SET LOCAL hnsw.iterative_scan = strict_order"))
    # The index is of one model, and the planner must see of which.
    query = (
        "SELECT v.text_hash, v.data FROM (SELECT number FROM near "
        f"WHERE model = {int(model)} ORDER BY half::halfvec({len(vector)}) <#> %s LIMIT %s) AS n "
        "JOIN vector AS v ON v.number = n.number"
    )
    with _raw(connection).cursor() as cursor:
        return list(cursor.execute(query, (HalfVector(vector), wanted)).fetchall())


_MOST_BY_INDEX = 500  # ef_search is 1,000 at most


def _index_of_model(connection: Connection, model: int) -> None:
    if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"ix_near_{model}"}) is None:
        size = connection.scalar(text("SELECT dimension FROM model WHERE id = :id"), {"id": model})
        make = f"ON near USING hnsw ((half::halfvec({size})) halfvec_ip_ops) WHERE model = {int(model)}"
        connection.execute(text(f"CREATE INDEX ix_near_{int(model)} {make}"))


def _raw(connection: Connection) -> Any:
    """The driver's connection, which knows pgvector's types."""
    from pgvector.psycopg.halfvec import register_halfvec_info
    from psycopg.types import TypeInfo

    raw: Any = connection.connection.driver_connection
    if raw.adapters.types.get("halfvec") is None:  # a connection learns it once: it is asked of the server
        register_halfvec_info(raw, TypeInfo.fetch(raw, "halfvec"))
    return raw
