"""What a disk may hold of a folder after a power failure; a program that does not sync is caught by it."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from calls import forked, traced
from digest import backup
from digest.store import sqlite
from outbox import NOON, new_database
from soak_run import lose
from unsynced import CALLS as TRACED
from unsynced import Watched, put, read_tree
from whole_day import Home, server

WRITTEN = """\
7 openat(AT_FDCWD, "\\x2f\\x68\\x2f\\x61", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 3
7 write(3, "\\x6f\\x6e\\x65", 3)  = 3
8 mkdir("\\x2f\\x68\\x2f\\x64", 0777 <unfinished ...>
7 pwrite64(3, "\\x54\\x57", 2, 4) = 2
8 <... mkdir resumed>) = 0
7 openat(AT_FDCWD, "\\x2f\\x68\\x2f\\x62", O_RDONLY) = -1 ENOENT (No such file or directory)
"""
SYNCED = "7 fsync(3) = 0\n"
RENAMED = 'rename("\\x2f\\x68\\x2f\\x61", "\\x2f\\x68\\x2f\\x64\\x2f\\x62") = 0\n'
FOLDER = '7 openat(AT_FDCWD, "\\x2f\\x68", O_RDONLY) = 4\n7 fsync(4) = 0\n'


def _states(tmp_path: Path, trace: str) -> set[tuple[tuple[str, bytes | None], ...]]:
    (tmp_path / "h").mkdir()
    watched = Watched(Path("/h"), read_tree(tmp_path / "h"))
    watched.take(trace)
    return {tuple(watched.left(Random(seed))) for seed in range(300)}


def test_what_was_not_synced_may_be_there_in_any_part(tmp_path: Path) -> None:
    contents = {b"", b"one", b"\0\0\0\0TW", b"one\0TW"}
    files = {(("/a", content),) for content in contents}
    assert _states(tmp_path, WRITTEN) == {(), *files, *((*one, ("/d", None)) for one in files)}


def test_a_file_that_was_synced_has_its_name_once_the_folder_was(tmp_path: Path) -> None:
    whole = ("/a", b"one\0TW")
    assert _states(tmp_path, WRITTEN + SYNCED) == {(), (whole,), (whole, ("/d", None))}
    shutil.rmtree(tmp_path / "h")
    assert _states(tmp_path, WRITTEN + SYNCED + FOLDER) == {(whole, ("/d", None))}


def test_a_renamed_file_has_its_old_name_or_the_new_one_or_both(tmp_path: Path) -> None:
    trace = WRITTEN + SYNCED + FOLDER + "7 " + RENAMED
    names = {tuple(path for path, _ in one) for one in _states(tmp_path, trace)}
    assert names == {("/a", "/d"), ("/a", "/d", "/d/b"), ("/d", "/d/b"), ("/d",)}


def test_a_folder_is_made_what_is_left_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "h"
    folder.mkdir()
    (folder / "old").write_bytes(b"x")
    put(folder, iter([("/d", None), ("/d/b", b"new")]))
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*")) == ["d", "d/b"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home on its first morning."""
    monkeypatch.setattr(sqlite, "new_engine", sqlite.new_engine)
    monkeypatch.setenv("DIGEST_TELEGRAM_TOKEN", "set by the home")
    with server() as api:
        made = Home(tmp_path / "whole", api, 1, 1)
        made.begin(next(made.mornings(1)))
        yield made


def _verdicts(home: Home, trace: Path, times: int) -> Counter[str]:
    found = Counter[str]()
    for seed in range(times):
        home.begin()
        found[lose(home, trace, Random(seed), "sendto", 20 + 6 * seed)] += 1
    return found


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("mistake", ["", "the database is not synced", "files are not synced"])
def test_who_does_not_sync_loses_or_doubles_when_the_power_fails(
    mistake: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mistake == "the database is not synced":
        careless = tuple(one.replace("=FULL", "=OFF") for one in sqlite._PRAGMAS)
        monkeypatch.setattr(sqlite, "_PRAGMAS", careless)
    if mistake == "files are not synced":
        monkeypatch.setattr(os, "fsync", lambda _: None)
    found = _verdicts(home, tmp_path / "trace", 8)
    assert bool(found.keys() - {"whole", "held"}) == bool(mistake), found


class Once:
    """Something that is done once, to be traced."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def begin(self) -> None:
        """Nothing to be made ready."""

    def start(self, *, stopped: bool = False) -> int:
        """The process that does it."""
        return forked(lambda: bool(self.act()) * 0, stopped=stopped)

    def end(self, child: int) -> int:
        """Its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def settle(self) -> str:
        """Nothing comes after it."""
        return "whole"


def _after(folder: Path, trace: Path, act: Callable[[], object]) -> list[dict[str, bytes | None]]:
    """What the power may leave of a folder right after something was done there."""
    watched = Watched(folder, read_tree(folder))
    options = ("-xx", "-s", "9999999")
    code, _ = traced(Once(act), trace, f"trace={','.join(TRACED)}", options=options)
    assert code == 0
    watched.take(trace.read_text())
    return [dict(watched.left(Random(seed))) for seed in range(60)]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_backup_that_was_told_as_made_is_there_and_one_that_was_restored(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "copies"
    (home / "posts").mkdir(parents=True)
    folder.mkdir()
    (home / "digest.sqlite3").write_bytes(new_database())
    (home / "posts" / "a.html").write_text("a post")
    target = folder / "new" / "one.zip"
    made = lambda: backup.make(home, home / "digest.sqlite3", None, (), target, NOON)  # noqa: E731
    assert all(b"a.html" in (one.get("/new/one.zip") or b"") for one in _after(folder, tmp_path / "t", made))

    manifest = backup.read(target)
    backup.unpack(target, manifest, home / ".restore")
    (home / "posts" / "a.html").write_text("another")

    def restored() -> None:
        backup.put_in_place(home / ".restore", home, home / "digest.sqlite3", NOON)

    for left in _after(home, tmp_path / "t", restored):
        assert left["/posts/a.html"] == b"a post"
        assert left["/digest.sqlite3"]
        assert b"another" in left.values()
