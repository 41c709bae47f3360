"""The reader of a database of either kind; SQLAlchemy is not loaded for a file that is as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from digest.errors import StoreError
from digest.store.reader import Reader

if TYPE_CHECKING:
    from digest.store.database import Store
    from digest.store.postgres_reader import ServerReader


def open_reader(url: str, store: Callable[[], Store]) -> Reader | ServerReader:
    """Open an archive to search it. ``store`` opens it for all else: before that a file which is not there
    yet, or an older one, and instead of it what a server has. Raises StoreError for a database in memory."""
    if url.startswith("postgresql"):
        from digest.store.postgres_reader import ServerReader

        return ServerReader(store())
    found = Reader.open(url)
    if found is None:
        store()
        found = Reader.open(url)
    if found is None:
        raise StoreError(f"{url}: search needs a database in a file")
    return found
