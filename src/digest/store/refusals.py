"""What SQLite's errors mean to a person (https://www.sqlite.org/rescode.html); without SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from digest.errors import DigestError, DiskFailed, StoreBusy, StoreError, TryAgain


@contextmanager
def one_line_errors(file: Path | None, *, readonly: bool = False) -> Iterator[None]:
    """Turn what a user can do something about into a DigestError of one line; bugs pass untouched."""
    try:
        yield
    except msgspec.DecodeError as exc:
        raise StoreError(
            f"{file}: holds what was not written by digest ({exc}): put a backup in its place"
        ) from exc
    except Exception as exc:
        cause = getattr(exc, "orig", exc)  # SQLAlchemy wraps what the driver raised
        if isinstance(cause, sqlite3.Error) and (known := _explain(cause, file, readonly)):
            raise known from exc
        raise


def _explain(exc: sqlite3.Error, file: Path | None, readonly: bool) -> DigestError | None:
    """The error of ours for one of SQLite's; None for a bug."""
    code = getattr(exc, "sqlite_errorcode", 0)
    primary = sqlite3.SQLITE_FULL if code == sqlite3.SQLITE_IOERR_SHMSIZE else code & 0xFF
    if code == sqlite3.SQLITE_READONLY and readonly:  # else its folder may not be written, which WAL needs
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
    sqlite3.SQLITE_IOERR: (DiskFailed, "the disk failed ({}): check it, then run again"),
}
