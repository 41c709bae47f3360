"""Everything that speaks SQL. One class, put together from a file for each thing it is asked about, and a
reader for those that only search.

Methods take and give the types of `digest.types`, never rows; every method is one transaction. What a
user can do something about is raised as StoreError, StoreBusy or TryAgain, in one line. The class costs
0.45 CPU-seconds to import (SQLAlchemy), so it is imported with the first look at its name (PEP 562);
`digest.store.reader` does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digest.store.database import Store, size_of
    from digest.store.papers import Added
    from digest.store.postgres_reader import ServerReader
    from digest.store.reader import Reader

__all__ = ["Added", "Reader", "ServerReader", "Store", "size_of"]

_HOME = {
    "Store": "database",
    "Added": "papers",
    "Reader": "reader",
    "ServerReader": "postgres_reader",
    "size_of": "database",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
