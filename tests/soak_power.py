"""The power fails: what was told as stored is stored, what was not is whole or absent (strace, Linux).

    python tests/soak_power.py [--states 2000] [--seed 1] [--minutes 10]
    python tests/soak_power.py --states 1000000 --folder DIR
    python tests/soak_power.py --off                 # with synchronous=OFF: it must find something

A writer stores pages of papers, and claims and records deliveries; after each commit it says so. strace
writes down its calls. A state is what a disk may hold when the power fails at one of them: all that was
synced, and of the writes after that any, each whole, in part (sectors of 512 bytes) or not at all. In each
the database must be sound, hold whole pages only, and all that was said to be stored.

Of states that are the same to SQLite one is opened, and a share of the others: SQLite reads a WAL up to the
first frame that is not whole (https://www.sqlite.org/walformat.html), and nothing behind it.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

import msgspec

from digest.store import Store, sqlite
from outbox import NOON, draft, new_database
from stored import page, paper
from tried import commit, scratch

PAGES, PARTS, SIZE, SECTOR = 60, 12, 3, 512
OFTEN = 40
"""Pages in the WAL after which it is brought into the file: so that it happens, again and again."""
AGAIN = 0.02
"""Of the states that are the same to SQLite as one before, so many are opened all the same."""
BATCH = 50_000
"""States that are tried of one writer, and kept together."""
HEAD, FRAME = 32, 24 + 8192
CALLS = "openat,close,pwrite64,write,ftruncate,fsync,fdatasync,unlink"
_CALL = re.compile(r'(\w+)\((?:AT_FDCWD, )?(?:"([^"]*)"|(\d+))(?:, "([^"]*)")?(?:, ([^)]*))?\)\s+= (\d+)')


def write(database: Path) -> None:
    """What the writer does; a line on its standard output after each commit."""
    with Store.open(f"sqlite:///{database}") as store:
        texts = [f"part {number}" for number in range(PARTS)]
        store.add_posts([draft(*texts)], {"en": ["news"]}, "approved", 0, NOON)
        _say("posts 1")
        for at in range(1, PAGES + 1):
            papers = [paper(at * SIZE - number) for number in range(SIZE)]
            store.add_papers("oai", page(*papers, cursor=str(at)), NOON)
            _say(f"page {at}")
            if at % (PAGES // PARTS) == 0:
                one = store.claim_delivery("news", NOON)
                assert one is not None
                _say(f"claimed {one.id}")
                store.record_delivery(one.id, "sent", NOON, receipt="r")
                _say(f"sent {one.id}")
    _say("closed 1")


def _say(what: str) -> None:
    os.write(1, f"{what}\n".encode())


# --- what was written ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A call of the writer's: a write to a file, a cut, a sync, a removal, or a word of its own."""

    kind: str
    file: str = ""
    data: bytes = b""
    at: int = 0


def traced(folder: Path, *, off: bool) -> list[Step]:
    """The steps of one writer."""
    database, trace = folder / "digest.sqlite3", folder / "trace"
    database.write_bytes(new_database())
    command = ["strace", "-xx", "-s", "10000000", "-e", f"trace={CALLS}", "-o", str(trace), sys.executable]
    command += [__file__, "--write", str(database), *(["--off"] if off else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return list(_steps(trace.read_text().splitlines(), str(database)))


def _steps(lines: list[str], database: str) -> Iterator[Step]:
    names: dict[int, str] = {}
    for line in lines:
        found = _CALL.match(line)
        if found is None:
            continue
        call, name, number, text, rest, result = found.groups()
        file = names.get(int(number), "") if number else _decoded(name).decode()
        if call == "openat":
            names[int(result)] = file
        elif call == "close":
            names.pop(int(number), None)
        elif call == "write" and number == "1":
            yield Step("said", data=_decoded(text).strip())
        elif file.startswith(database) and not file.endswith("-shm"):
            yield from _step(call, Path(file).name, text, rest)


def _step(call: str, file: str, text: str | None, rest: str | None) -> Iterator[Step]:
    match call:
        case "pwrite64":
            yield Step("write", file, _decoded(text or ""), int((rest or "").split(", ")[-1]))
        case "ftruncate":
            yield Step("cut", file, at=int(rest or "0"))
        case "fsync" | "fdatasync":
            yield Step("sync", file)
        case "unlink":
            yield Step("remove", file)


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


# --- what may be left of it ------------------------------------------------------------------------


@dataclass
class Disk:
    """What is on the disk for sure, and what was written since the last sync of each file."""

    sure: dict[str, bytearray] = field(default_factory=dict)
    since: dict[str, list[Step]] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    full: dict[str, bytearray] = field(default_factory=dict)
    """As all that was written would have it."""
    syncs: int = 0
    _sums: list[bytes] = field(default_factory=list)
    """Of the WAL as it was written: one of its head, and one of all up to each frame."""

    def take(self, step: Step) -> None:
        """A step was done."""
        if step.kind == "said":
            what, _, number = step.data.decode().partition(" ")
            self.said[what] = int(number)
            return
        self.sure.setdefault(step.file, bytearray())
        waiting = self.since.setdefault(step.file, [])
        full = self.full.setdefault(step.file, bytearray(self.sure[step.file]))
        self.syncs += step.kind == "sync"
        if step.kind == "sync":
            for one in waiting:
                _apply(self.sure[step.file], one)
            waiting.clear()
        elif step.kind == "remove":
            del self.sure[step.file], self.since[step.file], self.full[step.file]
            self._sums.clear()
        else:
            waiting.append(step)
            _apply(full, step)
            if step.file.endswith("-wal"):  # the sums of the frames before it stay as they are
                del self._sums[max(0, (step.at - HEAD) // FRAME + 1) :]

    def left(self, chance: random.Random) -> dict[str, bytearray]:
        """The files as they may be when the power fails now."""
        found = {name: bytearray(content) for name, content in self.sure.items()}
        share = chance.choice((0.0, 0.2, 0.5, 0.8, 1.0))
        for name, waiting in self.since.items():
            for one in waiting:
                if chance.random() < share:
                    _apply(found[name], _torn(one, chance) if chance.random() < 0.2 else one)
        return found

    def seen(self, left: dict[str, bytearray]) -> bytes:
        """A checksum of what SQLite sees of the files, and of what was said."""
        found = blake2b(repr(sorted(self.said.items())).encode(), digest_size=16)
        for name, content in sorted(left.items()):
            found.update(name.encode())
            if name.endswith("-wal"):
                found.update(self._read(content, self.full[name]))
            elif content == self.sure[name]:
                found.update(b"%d" % self.syncs)  # as it was at the last sync of any file
            else:
                found.update(content)
        return found.digest()

    def _read(self, wal: bytearray, full: bytearray) -> bytes:
        """A checksum of what SQLite reads of a WAL: up to the first frame that is not as it was written."""
        if wal[:HEAD] != full[:HEAD]:
            return blake2b(wal).digest()  # of another generation: all of it, to be sure
        frames = range(HEAD, min(len(wal), len(full)) - FRAME + 1, FRAME)
        whole = sum(1 for _ in takewhile(lambda at: wal.startswith(full[at : at + FRAME], at), frames))
        self._sums = self._sums or [bytes(full[:HEAD])]
        for at in frames[len(self._sums) - 1 : whole]:
            self._sums.append(blake2b(self._sums[-1] + full[at : at + FRAME]).digest())
        return self._sums[whole]


def _apply(content: bytearray, step: Step) -> None:
    if step.kind == "cut":
        del content[step.at :]
        content.extend(bytes(step.at - len(content)))
        return
    content.extend(bytes(max(0, step.at - len(content))))
    content[step.at : step.at + len(step.data)] = step.data


def _torn(step: Step, chance: random.Random) -> Step:
    """A write of which some sectors at the beginning or the end were done."""
    if step.kind != "write" or len(step.data) <= SECTOR:
        return step
    middle = SECTOR * chance.randrange(1, -(-len(step.data) // SECTOR))
    if chance.random() < 0.5:
        return Step("write", step.file, step.data[:middle], step.at)
    return Step("write", step.file, step.data[middle:], step.at + middle)


def verdict(folder: Path, left: dict[str, bytearray], said: dict[str, int]) -> str:
    """What is wrong with a state; "" where all is well."""
    for old in folder.iterdir():
        old.unlink()
    for name, content in left.items():
        (folder / name).write_bytes(content)
    try:
        with closing(sqlite3.connect(folder / "digest.sqlite3")) as rows:
            return _wrong(rows, said)
    except sqlite3.Error as error:
        return repr(error)


def _wrong(rows: sqlite3.Connection, said: dict[str, int]) -> str:
    if (sound := rows.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
        return f"damaged: {sound}"
    cursor = rows.execute("SELECT value FROM cursor WHERE source = 'oai'").fetchone()
    pages = int(cursor[0]) if cursor else 0
    [count] = rows.execute("SELECT count(*) FROM paper").fetchone()
    if pages < said.get("page", 0) or count != pages * SIZE:
        return f"{count} papers and cursor {pages}, where {said.get('page', 0)} pages were stored"
    states = dict(rows.execute("SELECT id, state FROM delivery"))
    for number in range(1, said.get("sent", 0) + 1):
        if states.get(number) != "sent":
            return f"delivery {number} was sent and is {states.get(number)}"
    claimed = said.get("claimed", 0)
    if claimed and states.get(claimed) not in ("sending", "sent"):
        return f"delivery {claimed} was claimed and is {states.get(claimed)}"
    return ""


def main() -> int:
    """Try states, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--states", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--folder", type=Path, help="where to keep what was tried")
    parser.add_argument("--off", action="store_true", help="with synchronous=OFF")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sqlite._PRAGMAS = (*sqlite._PRAGMAS, f"wal_autocheckpoint={OFTEN}")
    if given.off:
        sqlite._PRAGMAS = tuple(one.replace("=FULL", "=OFF") for one in sqlite._PRAGMAS)
    if given.write:
        write(given.write)
        return 0
    if shutil.which("strace") is None:
        print("strace is not here: nothing was tried")
        return 1
    with tempfile.TemporaryDirectory() as own:
        kept = (given.folder or Path(own)) / "power.jsonl"
        kept.parent.mkdir(parents=True, exist_ok=True)
        return soak(kept, given.states, given.seed, 60 * given.minutes, off=given.off)


class Came(msgspec.Struct):
    """What the states of one writer came to. ``known``: so many of them differ in what SQLite sees."""

    seed: int
    tried: int
    known: int
    opened: int
    bad: int
    commit: str


def soak(kept: Path, states: int, seed: int, seconds: float, *, off: bool) -> int:
    """Writers and their states until there are enough; told on standard output."""
    until = time.monotonic() + seconds
    lines = kept.read_bytes().splitlines() if kept.exists() else []
    done = [msgspec.json.decode(line, type=Came) for line in lines]
    while (left := states - sum(one.tried for one in done)) > 0 and time.monotonic() < until:
        with scratch() as folder:
            came = _try(folder, min(left, BATCH), seed + len(done), until, off=off)
        done.append(Came(came.seed, came.tried, len(came.known), came.opened, came.bad, commit()))
        with kept.open("ab") as file:
            file.write(msgspec.json.encode(done[-1]) + b"\n")
        print(f"{states - left + came.tried:,} states", file=sys.stderr, flush=True)
    tried, known, opened, bad = (sum(getattr(one, name) for one in done) for name in _COUNTED)
    print(f"reached {tried:,} of {states:,} states, seeds {seed} to {seed + len(done) - 1}, a writer each")
    print(f"{known:,} of them differ in what SQLite sees; {opened:,} were opened")
    print(f"{bad:,} bad; commits {', '.join(sorted({one.commit for one in done}))}")
    return int(bad > 0)


_COUNTED = ("tried", "known", "opened", "bad")


@dataclass
class Trial:
    """What is counted. ``known``: the states that were opened, as SQLite sees them, and their verdicts."""

    folder: Path
    seed: int
    chance: random.Random
    tried: int = 0
    opened: int = 0
    bad: int = 0
    known: dict[bytes, str] = field(default_factory=dict)

    def state(self, disk: Disk) -> None:
        """A state that the disk may be left in."""
        left = disk.left(self.chance)
        seen, self.tried = disk.seen(left), self.tried + 1
        if seen not in self.known or self.chance.random() < AGAIN:
            wrong, self.opened = verdict(self.folder, left, disk.said), self.opened + 1
            if wrong and self.bad < 3:
                print(f"after {disk.said}: {wrong}", flush=True)
            assert self.known.get(seen, wrong) == wrong, f"not the same: {self.known[seen]!r} and {wrong!r}"
            self.known[seen] = wrong
        self.bad += bool(self.known[seen])


def _try(folder: Path, states: int, seed: int, until: float, *, off: bool) -> Trial:
    """Try as many states at each step as at any other."""
    steps = traced(folder, off=off)
    (other := folder / "left").mkdir()
    trial = Trial(other, seed, random.Random(seed))
    while trial.tried < states and time.monotonic() < until:
        disk = Disk({"digest.sqlite3": bytearray(new_database())})
        rounds = max(1, min(100, states // len(steps)))
        share = min(1.0, (states - trial.tried) / (rounds * len(steps)))
        for step in steps:
            disk.take(step)
            for _ in range(rounds):
                if trial.tried < states and trial.chance.random() < share:
                    trial.state(disk)
            if time.monotonic() > until:
                break
    return trial


if __name__ == "__main__":
    sys.exit(main())
