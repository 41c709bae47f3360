"""Files that are whole or not there: a reader, also after a crash, sees the old bytes or the new ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def written_whole(path: Path, *, shared: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, which takes its name when the block ends well, and is then on the disk.

    What a killed process has left of it is written over by the next try; ``shared``: several processes may
    write at once, each under a name of its own, ``.NAME-*.tmp``. What is no file, such as /dev/null or a
    pipe, is written to as it is: to take its name would be to remove it from the machine.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as other:
            yield other
        return
    temporary = path.with_name(f".{path.name}-{uuid4().hex[:8]}.tmp" if shared else f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, *, shared: bool = False) -> None:
    """As :func:`written_whole`, with all of the content at hand."""
    with written_whole(path, shared=shared) as file:
        file.write(content)


def make_folder(folder: Path) -> None:
    """Make a folder where there is none, and its parents; each new one then has its name on the disk, without
    which all that is synced in it would go with it."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in new:
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Makes names in the folder last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
