"""The one class of all that is written and asked, put together from a file for each thing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from digest.errors import StoreError
from digest.store import sqlite
from digest.store.closing import Closing
from digest.store.feedback import FeedbackStore
from digest.store.followups import FollowUpStore
from digest.store.health import HealthStore
from digest.store.history import HistoryStore
from digest.store.migrate import bring_server_up_to_date, bring_up_to_date
from digest.store.papers import PaperStore
from digest.store.posts import PostStore
from digest.store.reader import newest_revision
from digest.store.runs import RunStore
from digest.store.topics import TopicStore
from digest.store.vectors import VectorStore
from digest.store.words import WordStore

if TYPE_CHECKING:
    from digest.store.near import ServerIndex
    from digest.store.postgres import Postgres


class Store(
    PaperStore,
    WordStore,
    VectorStore,
    TopicStore,
    FeedbackStore,
    PostStore,
    HistoryStore,
    FollowUpStore,
    RunStore,
    HealthStore,
    Closing,
):
    """An open database, to be used as a context manager or closed."""

    @classmethod
    def open(cls, url: str, *, readonly: bool = False, busy_timeout: float | None = None) -> Self:
        """Open ``sqlite:///path`` (``sqlite://``: in memory) or ``postgresql+psycopg://host/name``, made or
        upgraded where that is needed.

        ``busy_timeout``: seconds to wait for another writer before StoreBusy (5 for a file, 30 for a server).
        Raises StoreError where the database cannot be used, NewerDatabase where the program is too old for
        it, TryAgain where a server does not answer.
        """
        if url.startswith("postgresql"):
            return cls(_server(url, readonly=readonly, busy_timeout=busy_timeout))
        file = sqlite.database_file(url)
        if readonly and file is not None and not file.exists():
            raise StoreError(f"{file}: there is no database yet: run `digest run` first")
        wait = sqlite.BUSY if busy_timeout is None else busy_timeout
        engine = sqlite.new_engine(file, readonly=readonly, busy_timeout=wait)
        try:
            bring_up_to_date(engine, file, readonly=readonly)
        except BaseException:
            engine.dispose()
            raise
        return cls(sqlite.Sqlite(engine, file, readonly=readonly))

    @property
    def schema(self) -> str:
        """The number of the newest migration, to which this database was brought."""
        return newest_revision()

    @property
    def is_on_server(self) -> bool:
        """Whether the database is PostgreSQL, which other machines may use at the same time."""
        return self._engine.dialect.name == "postgresql"

    def held(self, duties: Sequence[str]) -> AbstractContextManager[None]:
        """Do what these words name as the only one on all machines. Raises TryAgain where another does."""
        return self._opened.held(duties)

    def near(self, name: str) -> ServerIndex | None:
        """The vectors of a model as a server indexes them; None where nothing is embedded."""
        from digest.store.near import ServerIndex

        return ServerIndex(self, name) if self.newest_vector(name) else None

    def server(self) -> tuple[str, str]:
        """The versions of PostgreSQL and of pgvector."""
        from digest.store import postgres_tables

        with self._reading() as connection:
            return postgres_tables.described(connection)

    def size(self) -> int:
        """Bytes of the database, wherever it is."""
        if not self.is_on_server:
            return sqlite.size(self._opened.file)
        from digest.store import postgres_tables

        with self._reading() as connection:
            return postgres_tables.size(connection)

    @property
    def sqlite_version(self) -> tuple[int, int, int]:
        """The version of SQLite that is used."""
        major, minor, patch = sqlite.VERSION[:3]
        return major, minor, patch

    def close(self) -> None:
        """Give all connections back."""
        self._opened.close()


def _server(url: str, *, readonly: bool, busy_timeout: float | None) -> Postgres:
    from digest.store import postgres

    opened = postgres.opened(url, readonly=readonly, busy_timeout=busy_timeout)
    try:
        bring_server_up_to_date(opened, readonly=readonly)
    except BaseException:
        opened.close()
        raise
    return opened


def size_of(url: str) -> int:
    """Bytes of a database's files on this machine; 0 where there are none, as for a server's."""
    return 0 if url.startswith("postgresql") else sqlite.size(sqlite.database_file(url))
