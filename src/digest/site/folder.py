"""Files into a folder that may be served meanwhile.

What was written stands in a list within the folder, so that what is made no more can be taken away and
nothing else ever is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from digest.errors import InputError, UsageError, refused
from digest.whole import write_whole

MANIFEST = ".digest-site.json"
_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*")


class Built(Struct, frozen=True):
    """What was done to a folder: how many files were written and left as they were, which were removed, and
    which somebody has changed and so were kept."""

    folder: Path
    written: int
    unchanged: int
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class _Manifest(Struct, frozen=True):
    """The files of ours, by name, each with the sha256 of what was written."""

    files: dict[str, str]


def put(folder: Path, files: Mapping[str, Callable[[], bytes]]) -> Built:
    """Make a folder hold these files. Each is whole at any moment, one that is the same is not touched, one
    of ours that is made no more is removed.

    Raises UsageError for a folder that holds anything of somebody else's where a file would go, or holds
    something and was never ours; InputError where the list of ours cannot be read.
    """
    try:
        known = _known(folder)
        _own(folder, files, known)
        folder.mkdir(parents=True, exist_ok=True)
        return _put(folder, files, known)
    except OSError as error:
        raise refused(error, "choose another folder") from error


def _put(folder: Path, files: Mapping[str, Callable[[], bytes]], known: Mapping[str, str]) -> Built:
    """What is to be written is noted first: what a killed run has left is known as ours to the next."""
    contents = {name: made() for name, made in files.items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    if new := [name for name, value in sums.items() if known.get(name) != value]:
        _note(folder, {**known, **dict.fromkeys(new, "")})
    written = sum(_write(_inside(folder, name), content) for name, content in contents.items())
    removed, kept = _remove(folder, {name: known[name] for name in known if name not in files})
    _note(folder, sums)
    return Built(folder, written, len(files) - written, tuple(removed), tuple(kept))


def _known(folder: Path) -> Mapping[str, str]:
    """What we have written there, by the folder's own list; nothing where no folder is, or an empty one."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        if folder.is_dir() and any(folder.iterdir()):
            told = "it holds files and was not made by digest site build"
            raise UsageError(f"{folder}: {told}: name an empty or a new folder")
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is no folder: name another")
        return {}
    try:
        files = msgspec.json.decode(manifest.read_bytes(), type=_Manifest).files
    except msgspec.DecodeError as error:
        raise InputError(f"{manifest}: is no list of ours ({error}): remove the folder") from error
    if strange := [name for name in files if not _NAME.fullmatch(name)]:
        raise InputError(f"{manifest}: {strange[0]!r} is no name of ours: remove the folder")
    return files


def _own(folder: Path, files: Iterable[str], known: Mapping[str, str]) -> None:
    """Raises UsageError where a file would take the place of another's."""
    for name in files:
        assert _NAME.fullmatch(name), name
        if name not in known and (_inside(folder, name).exists() or _inside(folder, name).is_symlink()):
            raise UsageError(f"{folder / name}: is there and is not ours: move it away")


def _inside(folder: Path, name: str) -> Path:
    """The path of a file. Raises UsageError where a link leads out of the folder."""
    path = folder / PurePosixPath(name)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{path.parent}: leads out of {folder}: remove the link")
    return path


def _write(path: Path, content: bytes) -> bool:
    """Write a file, whole and at once; whether it was another before."""
    if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return True


def _remove(folder: Path, gone: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Remove files of ours, with the folders that are left empty; those that somebody has changed stay."""
    removed, kept = [], []
    for name, known in gone.items():
        path = _inside(folder, name)
        if not path.is_file() or path.is_symlink():
            continue
        if known and hashlib.sha256(path.read_bytes()).hexdigest() != known:
            kept.append(name)
            continue
        path.unlink()
        removed.append(name)
        for parent in path.relative_to(folder).parents[:-1]:
            with suppress(OSError):
                (folder / parent).rmdir()
    return removed, kept


def _note(folder: Path, files: Mapping[str, str]) -> None:
    content = msgspec.json.format(msgspec.json.encode(_Manifest(dict(sorted(files.items())))))
    _write(folder / MANIFEST, content + b"\n")
