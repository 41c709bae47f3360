"""A backup: one zip file with the database, the configuration and what else a digest home holds that
cannot be made again, and a manifest with the SHA-256 of each.

Secrets are left out (files of tokens and keys), and so is the index, which is made again. Every file is
written beside its name first and then renamed: what has its name is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec

from digest import __version__
from digest.errors import InputError, refused
from digest.store import copies
from digest.whole import make_folder, sync_folder

DATABASE = "digest.sqlite3"
CONFIG = "digest.toml"
MANIFEST = "digest-backup.json"
_FORMAT = 1
_MADE_AGAIN = ("index", "edits", "digest.lock", "daemon.lock")
_SECRETS = ("page.secret", "page.password")
_ASIDE = "before-restore"
_BLOCK = 1 << 20
_BROKEN = (
    BadZipFile,
    zlib.error,
    struct.error,
    msgspec.DecodeError,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
)
"""What zipfile and msgspec raise for what they cannot read."""


class Member(msgspec.Struct, frozen=True):
    """A file of a backup: its path in the home, its length in bytes and its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, and which version of the program made it when."""

    format: int = _FORMAT
    program: str = __version__
    made: datetime
    files: tuple[Member, ...]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore put where, what it moved aside, and which channels it holds back: ``held`` counts
    their parts that waited when the backup was made."""

    made: datetime
    home: Path
    files: int
    aside: Path | None
    paused: tuple[str, ...]
    held: int


def make(
    home: Path, database: Path, config: Path | None, secrets: Collection[Path], target: Path, now: datetime
) -> Manifest:
    """Write a backup of a home and its database, which may be in use. Raises StoreError for a damaged
    database, of which no backup is made, and DigestError where ``target`` cannot be written."""
    copied, draft = (target.with_name(f".{target.name}.{end}") for end in ("database", "part"))
    try:
        make_folder(target.parent)
        copies.copy(database, copied)
        copies.check(copied, database)
        named = dict(_others(home, database, {*secrets, target, copied, draft}))
        manifest = _write(draft, named | {DATABASE: copied} | ({CONFIG: config} if config else {}), now)
        draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise refused(error, "choose another place for the backup") from error
    finally:
        copied.unlink(missing_ok=True)
        draft.unlink(missing_ok=True)
    return manifest


def read(file: Path) -> Manifest:
    """The manifest of a backup, all of which was read and compared with it. Raises InputError."""
    try:
        with ZipFile(file) as archive:
            manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
            if manifest.format != _FORMAT:
                raise InputError(f"{file}: is a backup of a newer version of digest: upgrade the program")
            for member in manifest.files:
                with archive.open(_safe(member.name)) as content:
                    if _copied(content, None) != (member.size, member.sha256):
                        raise InputError(f"{file}: {member.name} is damaged: use another backup")
    except _BROKEN as error:
        raise InputError(f"{file}: is no backup of digest, or is cut off: use another one") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    return manifest


def unpack(file: Path, manifest: Manifest, folder: Path) -> None:
    """Write the files of a backup that was read before into an empty folder."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        with ZipFile(file) as archive:
            for member in manifest.files:
                path = folder / _safe(member.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member.name) as content, path.open("wb") as written:
                    _copied(content, written)
                    written.flush()
                    os.fsync(written.fileno())
    except OSError as error:
        raise refused(error, "make room there, or choose another --home") from error


def put_in_place(folder: Path, home: Path, database: Path, now: datetime) -> Path | None:
    """Move what was unpacked into a home, the database last; what it replaces is moved aside, into the
    folder that is returned. Cut off, it can be done again."""
    aside = home / f"{_ASIDE}-{now:%Y%m%dT%H%M%S}"
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    wanted = [(folder / name, home / name) for name in files if str(name) != DATABASE]
    try:
        for old in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
            _move_aside(old, aside / old.name)
        for new, place in [*wanted, (folder / DATABASE, database)]:
            _move_aside(place, aside / new.relative_to(folder))
            make_folder(place.parent)
            shutil.move(new, place)
        for changed in {place.parent for _, place in wanted} | {database.parent, home}:
            sync_folder(changed)
        shutil.rmtree(folder)
    except OSError as error:
        raise refused(error, "mend that, then restore again") from error
    return aside if aside.exists() else None


def _move_aside(path: Path, to: Path) -> None:
    if path.exists():
        make_folder(to.parent)
        shutil.move(path, to)
        sync_folder(to.parent)


def _others(home: Path, database: Path, left_out: Collection[Path]) -> Iterator[tuple[str, Path]]:
    """The files of a home besides the database and what is made again, by their paths in it."""
    absolute = {path.absolute() for path in left_out}
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home)
        top = name.parts[0]
        made = (
            top in (*_MADE_AGAIN, *_SECRETS)
            or top.startswith((".", _ASIDE))
            or path.name.startswith(database.name)
        )
        if path.is_file() and not path.is_symlink() and not made and path.absolute() not in absolute:
            yield name.as_posix(), path


def _write(draft: Path, named: dict[str, Path], now: datetime) -> Manifest:
    members = []
    with draft.open("wb") as file:
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=3) as archive:
            for name, path in named.items():
                with (
                    suppress(FileNotFoundError),  # a feed or a post that was just replaced
                    path.open("rb") as content,
                    archive.open(name, "w", force_zip64=True) as written,
                ):
                    members.append(Member(name, *_copied(content, written)))
            manifest = Manifest(made=now, files=tuple(members))
            archive.writestr(MANIFEST, msgspec.json.encode(manifest))
        file.flush()
        os.fsync(file.fileno())
    return manifest


def _copied(content: IO[bytes], to: IO[bytes] | None) -> tuple[int, str]:
    """Copy, or only read, a file; its length and its SHA-256."""
    size, digest = 0, hashlib.sha256()
    while block := content.read(_BLOCK):
        size += len(block)
        digest.update(block)
        if to is not None:
            to.write(block)
    return size, digest.hexdigest()


def _safe(name: str) -> str:
    """The path of a member, which stays in the folder it is unpacked into."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise InputError(f"the backup names a file {name!r}, which is outside of a home: do not use it")
    return name
