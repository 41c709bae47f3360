"""`digest run` killed, again and again, in every stage: crawl, embed, match, write, deliver.

    python tests/soak_run.py [--kills 40] [--seed 1]    # at random moments
    python tests/soak_run.py --kills 10000 --folder DIR [--minutes 60]
    python tests/soak_run.py --calls [--every N]        # at each call that writes, syncs, names or sends
    python tests/soak_run.py --errors [--every N]       # each call of these and more fails, once
    python tests/soak_run.py --power 1000               # killed at a call, and what was not synced is lost

The last three want strace, and Linux.

A try begins on a morning of a digest home (whole_day.py). Its run is killed (SIGKILL) up to seven times, each
time at a random moment of the time that an undisturbed run takes; or once, at a call; or one call fails. Then
runs are left alone, an hour apart, and what came of the day is compared with what came of it undisturbed:
all rows, the messages of the channel, the files. Ends with exit code 1 where that differs.

What was tried is kept in the folder: the same command goes on where it was ended.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before numpy: for matrices as small as these
        os.environ.setdefault(name, "1")

import msgspec

from calls import CALLS, GOOD, points, strike, traced
from tried import commit, scratch
from unsynced import CALLS as TRACED
from unsynced import Watched, put, read_tree
from whole_day import Home, Morning, server

DAYS = 9
MOST = 7
"""So often a day's run is killed at most."""
BATCH = 50
"""Kills, or states, that are kept together."""
NOT_FILES = ("-shm", ".lock")
"""Written to through memory, or empty."""


class Came(msgspec.Struct):
    """What some tries came to. ``kills``: by stage; ``rows``: how many days were killed so often;
    ``found``: verdicts."""

    kills: dict[str, int]
    rows: dict[str, int]
    found: dict[str, int]
    seconds: float
    commit: str


# --- at random moments ----------------------------------------------------------------------------


class Killer:
    """Kills runs of a home at random moments."""

    def __init__(self, home: Home, mornings: list[Morning]) -> None:
        self.home, self.mornings = home, mornings
        self.usual = 0.5  # seconds that an undisturbed run takes

    def batch(self, seed: int, kills: int) -> Came:
        """So many kills."""
        random, began = Random(seed), time.monotonic()
        by_stage, rows, found = Counter[str](), Counter[str](), Counter[str]()
        while by_stage.total() < kills:
            morning = random.choice(self.mornings)
            self.home.begin(morning)
            stages = list(self._killed(random, random.randint(1, MOST)))
            by_stage.update(stages)
            rows[str(len(stages))] += 1
            verdict = self._settled()
            found[verdict] += 1
            if verdict != "whole":
                print(f"seed {seed}, {morning.day}, killed in {stages}: {verdict}", flush=True)
        seconds = time.monotonic() - began
        return Came(dict(by_stage), dict(rows), dict(found), seconds, commit())

    def _killed(self, random: Random, often: int) -> Iterator[str]:
        """The stages in which runs were killed; a run may end before."""
        for _ in range(often):
            child = self.home.start()
            time.sleep(random.uniform(0, self.usual))
            os.kill(child, signal.SIGKILL)
            if self.home.end(child) == -signal.SIGKILL:
                yield self.home.stage

    def _settled(self) -> str:
        began = time.monotonic()
        verdict = self.home.settle()
        self.usual += 0.02 * (time.monotonic() - began - self.usual)
        return verdict


def kill(home: Home, mornings: list[Morning], folder: Path, kills: int, seed: int, until: float) -> int:
    """Batches of kills until there are enough; told on standard output."""
    killer, file = Killer(home, mornings), folder / "kills.jsonl"
    done = [msgspec.json.decode(line, type=Came) for line in _lines(file)]
    while sum(map(_kills, done)) < kills and time.monotonic() < until:
        left = kills - sum(map(_kills, done))
        done.append(killer.batch(1000 * seed + len(done), min(BATCH, left)))
        with file.open("ab") as kept:
            kept.write(msgspec.json.encode(done[-1]) + b"\n")
        told = f"{sum(map(_kills, done))} kills, {sum(one.seconds for one in done):.0f} s"
        print(told, file=sys.stderr, flush=True)
    stages, rows, found = (
        sum((Counter(getattr(one, name)) for one in done), Counter[str]())
        for name in ("kills", "rows", "found")
    )
    commits = ", ".join(sorted({one.commit for one in done}))
    print(
        f"reached {stages.total():,} of {kills:,} kills of `digest run`, on {rows.total():,} days; "
        f"seed {seed}; commits {commits}"
    )
    print(f"in {', '.join(f'{name} {stages[name]:,}' for name in home.stages)}")
    often = sorted((int(name), number) for name, number in rows.items())
    print(
        f"days on which it was killed so often: {', '.join(f'{name}: {number:,}' for name, number in often)}"
    )
    print(f"{dict(found)} in {sum(one.seconds for one in done):.0f} s")
    return int(bool(found.keys() - {"whole"}))


def _kills(came: Came) -> int:
    return sum(came.kills.values())


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines() if file.exists() else []


# --- the power fails ------------------------------------------------------------------------------


class Lost(msgspec.Struct):
    """What came of some days on which the power failed."""

    states: int
    found: dict[str, int]
    commit: str


def power(
    home: Home, mornings: list[Morning], trace: Path, folder: Path, states: int, seed: int, until: float
) -> int:
    """States of a home after a power failure at a random call, and runs after it; told on standard output."""
    file = folder / "power.jsonl"
    done = [msgspec.json.decode(line, type=Lost) for line in _lines(file)]
    home.begin(mornings[0])
    _, made = traced(home, trace, f"trace={','.join(CALLS)}")
    at = list(points(made, CALLS))
    while (tried := sum(one.states for one in done)) < states and time.monotonic() < until:
        random = Random(1000 * seed + len(done))
        number = min(states - tried, BATCH)
        found = Counter[str]()
        for _ in range(number):
            home.begin(random.choice(mornings))
            found[lose(home, trace, random, *random.choice(at))] += 1
        done.append(Lost(number, dict(found), commit()))
        with file.open("ab") as kept:
            kept.write(msgspec.json.encode(done[-1]) + b"\n")
        print(f"{tried + number}: {dict(found)}", file=sys.stderr, flush=True)
    every = sum((Counter(one.found) for one in done), Counter[str]())
    commits = ", ".join(sorted({one.commit for one in done}))
    print(f"reached {every.total():,} of {states:,} states of a digest home; seed {seed}; commits {commits}")
    print(f"{dict(every)}")
    return int(bool(every.keys() - GOOD))


def lose(home: Home, trace: Path, random: Random, call: str, number: int) -> str:
    """The power fails at a call of a run, or after it; what comes of the day."""
    watched = Watched(home.home, read_tree(home.home))
    kill = f"inject={call}:signal=SIGKILL:when={number}"
    traced(home, trace, "trace=" + ",".join({*TRACED, call}), kill, options=("-xx", "-s", "9999999"))
    watched.take(trace.read_text())
    there, known = watched.all_of_it(), dict(_all_files(home.home))
    differ = [one for one in there.keys() | known.keys() if there.get(one) != known.get(one)]
    assert not [one for one in differ if not one.endswith(NOT_FILES)], differ
    put(home.home, watched.left(random))
    verdict = home.settle()
    if verdict not in GOOD:
        print(f"power lost at {call} {number}: {verdict}", flush=True)
    return verdict


def _all_files(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    for path in folder.rglob("*"):
        yield f"/{path.relative_to(folder)}", None if path.is_dir() else path.read_bytes()


def main() -> int:
    """Try, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--power", type=int, default=0, metavar="STATES")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--folder", type=Path, help="where to keep what was tried")
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    if (given.calls or given.errors or given.power) and shutil.which("strace") is None:
        print("strace is not here: nothing was tried")
        return 1
    with scratch() as own, server() as api, tempfile.TemporaryDirectory() as other:
        folder = given.folder or Path(other)
        folder.mkdir(parents=True, exist_ok=True)
        home = Home(own, api, given.seed, DAYS)
        mornings = list(home.mornings(DAYS))
        gc.freeze()  # what is there stays as it is in the processes that are forked
        if given.power:
            return power(home, mornings, own / "trace", folder, given.power, given.seed, until)
        if given.calls or given.errors:
            home.begin(mornings[2])
            kept = folder / f"{'errors' if given.errors else 'calls'}.jsonl"
            return strike(home, own / "trace", kept, given.every, until, errors=given.errors)
        return kill(home, mornings, folder, given.kills, given.seed, until)


if __name__ == "__main__":
    sys.exit(main())
