"""A thousand daily runs in one process: memory, open files and threads stay as they are.

    python tests/soak_days.py [--days 40] [--minutes 10]
    python tests/soak_days.py --days 1000

Each day brings four papers, which are stored, embedded (by the simulator's stand-in), matched, written and
delivered to files, by an App of its own in this process. What is left behind is counted after each day: it
must not grow by more than 5 % from day 20 to the last one, but for what the archive itself takes, which a new
process tells that goes on with it. Of memory the least of ten days counts, on one of which Python collects
its garbage: after some days 50 MB more are held, and given back later; what leaks stays.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before numpy: for matrices as small as these
        os.environ.setdefault(name, "1")

import msgspec
from msgspec.structs import replace

from digest import config, memory
from digest.app import App
from digest.sources.snapshot import paper_from_record
from digest.types import Page
from outbox import new_database
from simulator import papers
from simulator.life import Words

_CONFIG = """
approval = "automatic"
[topics.unlearning]
term = "unlearning"
titles = { en = "Machine unlearning" }
seed_keys = ["machine unlearning"]
categories = ["cs.LG"]
languages = ["en"]
floor = 0.3
"""
WARM = 20
"""Days after which all that is loaded once is loaded."""
TIDY = 10
"""Days after which garbage is collected."""


class Few:
    """A source: four papers a day."""

    name = "oai"

    def __init__(self, random: Random) -> None:
        self._random = random

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        """The papers of today, once."""
        day = now.date()
        if cursor == str(day):
            return
        names = [f"{day:%y%m}.{day.day:02}{at:03}" for at in range(1, 5)]
        records = (papers._paper(self._random, name, day) for name in names)
        made = (paper_from_record(msgspec.to_builtins(one)) for one in records)
        new = (replace(one, announced=day, announce_type="new", estimated=False) for one in made)
        yield Page(tuple(new), str(day))


def a_day(home: Path, day: date, source: Few) -> None:
    """What the program does on a day."""
    with App(config.load(None, home, {}), datetime(*day.timetuple()[:3], 12, tzinfo=UTC), quiet=True) as app:
        app.__dict__.update(embedder=Words(), model=Words.name, encode=Words().embed)
        app.source = lambda _: source  # type: ignore[method-assign]
        assert app.run(None).exit_code == 0


def held(day: int) -> tuple[int, int, int]:
    """Kilobytes of memory in use after a day, open files, threads."""
    if day % TIDY == 0:
        gc.collect()  # a third of what a day takes
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]), len([*Path("/proc/self/fd").iterdir()]), threading.active_count()


def lived(home: Path, first: date, days: int, minutes: float) -> list[tuple[int, int, int]]:
    """What was held before the first day, and after each."""
    began, source, seen = time.monotonic(), Few(Random(first.toordinal())), [held(0)]
    for number in range(days):
        a_day(home, first + timedelta(days=number), source)
        seen.append(held(number + 1))
        if number % 50 == 49:
            print(f"day {number + 1}: {seen[-1]}", file=sys.stderr, flush=True)
        if time.monotonic() - began > 60 * minutes:
            break
    return seen


def taken(home: Path, first: date) -> int:
    """Kilobytes that the archive takes: those of a new process that goes on with it, once it is warm."""
    command = [sys.executable, __file__, "--home", str(home), "--first", str(first)]
    told = subprocess.run(
        [*command, "--days", str(WARM + TIDY)], stdout=subprocess.PIPE, text=True, check=True
    )
    return int(told.stdout)


def _least(seen: Sequence[tuple[int, int, int]]) -> int:
    return min(one[0] for one in seen)


def main() -> int:
    """Live the days, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--home", type=Path, help="go on there, and tell kilobytes alone")
    parser.add_argument("--first", type=date.fromisoformat, default=date(2026, 1, 1))
    given = parser.parse_args()
    memory.share_arenas()  # as the commands do that stay
    if given.home:
        print(_least(lived(given.home, given.first, given.days, given.minutes)[-TIDY:]))
        return 0
    disk = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=disk if disk.is_dir() else None) as folder:
        home = Path(folder)
        (home / "digest.toml").write_text(_CONFIG)
        (home / "digest.sqlite3").write_bytes(new_database())
        seen = lived(home, given.first, given.days, given.minutes)
        archive = taken(home, given.first + timedelta(days=len(seen) - 1))
    tidy = seen[::TIDY]  # what waits for the garbage collector holds files, too
    warm, last = tidy[min(WARM // TIDY, len(tidy) - 1)], tidy[-1]
    before, after = _least(seen[1 : WARM + 11][-TIDY:]), _least(seen[-TIDY:])
    growth = 100 * (after / max(before, archive) - 1)
    print(f"reached {len(seen) - 1} of {given.days} daily runs in one process")
    print(
        f"memory {before / 1024:.1f} MB after day {WARM}, {after / 1024:.1f} MB in the last ten days, "
        f"{archive / 1024:.1f} MB in a new process on the same archive ({growth:+.1f} %); "
        f"open files {warm[1]} and {last[1]}, threads {warm[2]} and {last[2]}"
    )
    return int(growth > 5 or last[1:] != warm[1:])


if __name__ == "__main__":
    sys.exit(main())
