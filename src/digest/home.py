"""The folder that an archive lives in, and its lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digest.errors import StoreError, TryAgain, refused
from digest.whole import make_folder


def make_home(home: Path) -> None:
    """A folder to be a home; raises DigestError where it cannot be made."""
    try:
        make_folder(home)
    except OSError as error:
        raise refused(error, "choose another --home") from error


def refuse_emptied(home: Path, database: Path) -> None:
    """Raises StoreError for a database that has lost all it held, as files do on a disk that was full: what
    was posted would be posted again. Where one was only begun, there is no index beside it yet."""
    try:
        size = database.stat().st_size
    except OSError:
        return
    if size < 2 and (home / "index").is_dir():  # SQLite takes one byte for a new database too
        mend = "put a backup in its place; to begin anew remove it and the folder index"
        raise StoreError(f"{database}: has lost all that it held: {mend}")


@contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """Hold the lock of a digest home, so that only one process changes it; the system lets go of it
    when the process ends, however it ends. Raises TryAgain where another holds it."""
    from filelock import FileLock, Timeout

    make_home(home)
    path = home / "digest.lock"
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        reason = "another digest is at work in this home; try again when it is done"
        raise TryAgain(f"{path}: {reason}") from None
