"""Everything that speaks SQL. One class, put together from a file for each thing it is asked about.

Methods take and give the types of `digest.types`, never rows; every method is one transaction. What a
user can do something about is raised as StoreError, StoreBusy or TryAgain, in one line.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from digest.errors import StoreError
from digest.store import sqlite
from digest.store.feedback import FeedbackStore
from digest.store.followups import FollowUpStore
from digest.store.health import HealthStore
from digest.store.history import HistoryStore
from digest.store.migrate import bring_up_to_date, newest_revision
from digest.store.papers import Added, PaperStore
from digest.store.posts import PostStore
from digest.store.runs import RunStore
from digest.store.topics import TopicStore
from digest.store.vectors import VectorStore
from digest.store.words import WordStore, fts_quote

__all__ = ["Added", "Store", "fts_quote", "size_of"]


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
):
    """An open database, to be used as a context manager or closed."""

    @classmethod
    def open(cls, url: str, *, readonly: bool = False, busy_timeout: float = 5.0) -> Self:
        """Open ``sqlite:///path`` (``sqlite://``: in memory), made or upgraded where that is needed.

        ``busy_timeout``: seconds to wait for another process's lock before StoreBusy. Raises StoreError
        where the file cannot be used, NewerDatabase where the program is too old for it.
        """
        file = sqlite.database_file(url)
        if readonly and file is not None and not file.exists():
            raise StoreError(f"{file}: there is no database yet: run `digest run` first")
        engine = sqlite.new_engine(file, readonly=readonly, busy_timeout=busy_timeout)
        try:
            bring_up_to_date(engine, file, readonly=readonly)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, file, readonly=readonly)

    @property
    def schema(self) -> str:
        """The number of the newest migration, to which this database was brought."""
        return newest_revision()

    @property
    def sqlite_version(self) -> tuple[int, int, int]:
        """The version of SQLite that is used."""
        major, minor, patch = sqlite.VERSION[:3]
        return major, minor, patch

    def close(self) -> None:
        """Give all connections back; the last one to leave a file tidies up its WAL."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def size_of(url: str) -> int:
    """Bytes of a database, with what SQLite keeps beside it; 0 where there is none."""
    file = sqlite.database_file(url)
    if file is None:
        return 0
    beside = (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm")))
    return sum(one.stat().st_size for one in beside if one.exists())
