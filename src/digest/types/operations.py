"""How the program and its machine are, for the person who keeps them running."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from digest.types.archive import Run
from digest.types.sending import Pause

Level = Literal["ok", "note", "wrong"]


class Check(Struct, frozen=True):
    """Something the doctor looked at, and how it is. ``advice`` is what to do; a note can wait, what is
    wrong cannot."""

    name: str
    level: Level
    text: str
    advice: str = ""


class Backlog(Struct, frozen=True, kw_only=True):
    """What waits: texts without a vector, drafts that nobody has decided on, parts of approved posts by
    their state, and since when the oldest of those that are queued does."""

    unembedded: int = 0
    drafts: int = 0
    queued: int = 0
    queued_since: datetime | None = None
    uncertain: int = 0
    failed: int = 0


class CopiedTable(Struct, frozen=True, kw_only=True):
    """A table as it was copied to another database: its rows and the checksum of all their values, which is
    the same on both sides; in how many rows a NUL, which PostgreSQL refuses, became U+FFFD."""

    table: str
    rows: int
    checksum: str
    changed: int = 0


class Room(Struct, frozen=True, kw_only=True):
    """Bytes where the digest home lies: free, and of the database that lies there, with what SQLite keeps
    beside it; a server's takes none."""

    free: int
    database: int = 0


class Health(Struct, frozen=True, kw_only=True):
    """What can be told without asking anybody outside: counts by name, posts and deliveries by state, the
    day of the newest batch, the last run of each command, channels that take nothing, until when the gate to
    arXiv is closed, and the bytes of the database, here or on a server."""

    now: datetime
    counts: Mapping[str, int]
    posts: Mapping[str, int]
    deliveries: Mapping[str, int]
    backlog: Backlog
    room: Room
    runs: Mapping[str, Run] = {}
    newest_batch: date | None = None
    paused: tuple[Pause, ...] = ()
    gate_closed: str | None = None
    database: int = 0


class Alarm(Struct, frozen=True):
    """Something an editor must know. It is the same one as long as ``what`` is the same."""

    name: str
    what: str
    text: str
