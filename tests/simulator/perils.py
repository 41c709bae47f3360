"""A machine's clock and what may befall a process on it: it dies at any step, or its disk is full.

A step is a statement of SQL, a commit, a request to a server and its answer, a pause, a file that is written
or renamed. Whoever has died stays dead: every further step of the same process fails too, so that
nothing is tidied up that a killed process would have left.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from errno import ENOSPC
from functools import cache
from random import Random
from typing import Any, Literal

from sqlalchemy import Engine, event

Kind = Literal["crash", "disk full", "disk full for ever", "locked"]

ANSWERED = "before Telegram's answer is read"
_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE")
_FILES = {"open", "os.rename", "os.remove"}
_SAID = {
    "locked": ("database is locked", sqlite3.SQLITE_BUSY),
    "disk full": ("database or disk is full", sqlite3.SQLITE_FULL),
}


class Crash(BaseException):
    """The process has died."""


@dataclass
class Perils:
    """What befalls the process that is at work: ``fatal`` is the step at which ``kind`` strikes; steps of
    the name ``only`` are counted, where there is one."""

    folder: str
    kind: Kind | None = None
    fatal: int = 0
    only: str = ""
    steps: int = 0
    struck: str = ""
    passed: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        """A step that needs nothing of the disk; the process dies here, or is dead."""
        if self.kind is None:
            return
        if self.struck and self.kind == "crash":
            raise Crash(self.struck)
        self.steps += self.only in ("", what)
        if self.kind == "crash" and self.steps > self.fatal:
            self.struck = what
            raise Crash(what)

    def fails(self, what: str) -> bool:
        """Whether the disk, or the lock of the database, fails at a step that writes."""
        if self.kind in (None, "crash"):
            return False
        self.steps += 1
        if self.steps <= self.fatal or (self.struck and self.kind != "disk full for ever"):
            return False
        self.struck = self.struck or what
        return True

    def draw(self, random: Random, usual: int, share: float) -> None:
        """Decide what befalls the next process, which takes about ``usual`` steps: a ``share`` of them."""
        draw = random.random() / share
        kinds: tuple[tuple[float, Kind], ...] = (
            (0.75, "crash"),
            (0.85, "disk full"),
            (0.95, "disk full for ever"),
            (1.0, "locked"),
        )
        self.kind = next((kind for limit, kind in kinds if draw < limit), None)
        self.fatal, self.only, self.steps, self.struck = random.randrange(max(usual, 1)), "", 0, ""
        if self.kind == "crash" and random.random() < 0.5:  # where it hurts: done, and nobody knows
            self.fatal, self.only = random.randrange(4), ANSWERED


_at_work: Perils | None = None


@contextmanager
def befalling(perils: Perils) -> Iterator[Perils]:
    """Let them befall what is done within, on this thread."""
    global _at_work  # noqa: PLW0603 - the hooks of Python and SQLAlchemy are the process's own
    _listen()
    _at_work = perils
    try:
        yield perils
    finally:
        _at_work = None


@cache
def _listen() -> None:
    """Hear of each statement, commit and file, from now on; hooks of Python's cannot be taken out."""
    sys.addaudithook(_file)
    event.listen(Engine, "before_cursor_execute", _statement)
    event.listen(Engine, "do_execute", _execute)
    event.listen(Engine, "commit", lambda _: _at_work and _at_work.step("before a commit"))


def _statement(_: Any, __: Any, statement: str, *___: Any) -> None:
    if _at_work is not None:
        _at_work.step(f"before {statement.split(maxsplit=1)[0]}")


def _execute(_: Any, statement: str, *__: Any) -> None:
    verb = statement.split(maxsplit=1)[0]
    if _at_work is not None and verb in _WRITES and _at_work.fails(verb):
        said, code = _SAID["locked" if _at_work.kind == "locked" else "disk full"]
        error = sqlite3.OperationalError(said)
        error.sqlite_errorcode = code
        raise error


def _file(name: str, given: Any) -> None:
    if name not in _FILES or _at_work is None or threading.get_ident() != threading.main_thread().ident:
        return
    path = str(given[0])
    if not path.startswith(_at_work.folder) or (name == "open" and not _is_for_writing(given)):
        return
    _at_work.step(f"before {name}")
    if name == "open" and _at_work.kind != "locked" and _at_work.fails(name):
        raise OSError(ENOSPC, "No space left on device", path)


def _is_for_writing(given: Any) -> bool:
    mode = given[1]
    return isinstance(mode, str) and bool(set(mode) & set("wax+"))


class Clock:
    """The time of the world, and what the machine's clock shows, which may be ``wrong`` by some seconds."""

    def __init__(self, begin: datetime, perils: Perils) -> None:
        self.at = begin.timestamp()
        self.wrong = 0.0
        self._perils = perils

    def __call__(self) -> float:
        """What the machine's clock shows, in seconds since 1970."""
        self._perils.step("looking at the clock")
        return self.at + self.wrong

    def now(self) -> datetime:
        """The same as a moment."""
        return datetime.fromtimestamp(self(), UTC)

    def true(self) -> datetime:
        """What the time is."""
        return datetime.fromtimestamp(self.at, UTC)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._perils.step("a pause")
        self.at += max(seconds, 0.0)
