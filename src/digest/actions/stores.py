"""An archive from one database to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from digest.errors import UsageError
from digest.types import CopiedTable


def migrate(source: str, target: str, told: Callable[[CopiedTable], None]) -> list[CopiedTable]:
    """Copy an archive to a database that holds none; each is a file of SQLite or a database URL. Raises
    UsageError where they are the same, StoreError as the store does."""
    from digest.store import Store, transfer

    read_from, write_to = _url(source), _url(target)
    if read_from == write_to:
        raise UsageError("an archive is copied to another database: SRC and DST are the same")
    Store.open(read_from, readonly=True).close()  # one that is not there, or an older one, stays as it is
    with Store.open(read_from) as given, Store.open(write_to) as made:
        return transfer.copy(given, made, told)


def _url(name: str) -> str:
    return name if "://" in name else f"sqlite:///{Path(name).expanduser().absolute()}"
