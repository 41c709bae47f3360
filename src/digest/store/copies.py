"""A database file as a whole: copied while others write to it, and looked through for damage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from digest.errors import StoreError
from digest.store import sqlite

_PAGES = 4096
"""Pages copied at a time (32 MB): a writer waits no longer than for these."""


def copy(file: Path, target: Path) -> None:
    """Copy a database, also one that is being written, to a file that is one state of it
    (https://www.sqlite.org/backup.html). Raises StoreError and TryAgain as the store does."""
    with (
        sqlite.one_line_errors(file),
        closing(_opened(file)) as source,
        closing(sqlite3.connect(target)) as copied,
    ):
        source.execute("BEGIN")  # else the copy begins anew with each commit of another process
        source.execute("SELECT 1 FROM sqlite_master").fetchone()
        source.backup(copied, pages=_PAGES)
        source.execute("ROLLBACK")
        copied.execute("PRAGMA journal_mode=DELETE")  # else it would have a WAL beside it when it is read


def check(file: Path, source: Path | None = None) -> None:
    """Look through every page, index and reference of a database.
    Raises StoreError that names the first damage, and for the file of another program; it speaks of
    ``source``, where the file is a copy of that."""
    name = source or file
    with sqlite.one_line_errors(name, readonly=True), closing(_opened(file)) as connection:
        if connection.execute("PRAGMA application_id").fetchone()[0] != sqlite.APPLICATION_ID:
            raise StoreError(f"{name}: is no database of digest")
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        orphans = connection.execute("PRAGMA foreign_key_check").fetchone()
    if found != "ok" or orphans:
        damage = found if found != "ok" else f"a row of {orphans[0]} belongs to nothing"
        raise StoreError(f"{name}: is damaged ({damage}): put a backup in its place")


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None)
