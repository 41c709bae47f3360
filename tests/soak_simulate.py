"""The whole program through simulated years: crawl, embed, match, write, deliver, on a machine that is ill.

    python tests/soak_simulate.py [--seeds 3] [--days 37] [--minutes 10] [--folder DIR]
    python tests/soak_simulate.py --seeds 1000 --folder DIR    # 100 years; --backwards on a second core
    python tests/soak_simulate.py --seed 17 --log LOG            # one life again, and its log

A seed is a life of some weeks (simulator/life.py): the real program in this process, on simulated servers
and a simulated clock. Only the embedding model has a cheap stand-in. What a life came to is kept in the
folder: the same command goes on where it was ended. Ends with exit code 1 where something was violated; the
seed and the commit are printed, and the seed alone brings it back, step by step.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before numpy: for matrices as small as these
        os.environ.setdefault(name, "1")

import msgspec

from simulator.life import DAYS, Life
from simulator.oracle import Violation
from tried import commit

_SHOWN = (
    *("papers", "papers on topic posted", "papers on topic left out for a reason"),
    *("parts", "parts that stand once", "parts held, and told"),
    *("commands", "crash", "disk full", "disk full for ever", "locked"),
    *("days off", "days on a wrong clock", "changes of the clock", "leap days", "new years"),
)


class Came(msgspec.Struct, frozen=True):
    """What a life came to: its days, counts, a checksum of all that happened, what was violated."""

    seed: int
    days: int
    counts: dict[str, int]
    trace: str
    commit: str
    violated: str = ""


def lived(seed: int, days: int, commit: str, log: Path | None = None) -> Came:
    """Live one life."""
    violated, folder = "", _folder()
    life = Life(seed, folder, days)
    try:
        life.live()
    except Violation as error:
        violated = str(error)
    finally:
        if log is not None:
            log.write_text("\n".join(life.log) + "\n", encoding="utf-8")
        trace = life.trace
        shutil.rmtree(folder)
    return Came(seed, days, dict(life.counts), trace, commit, violated)


@cache
def _folder() -> Path:
    """Where this process lives its lives, in memory where there is such a disk; the same for all, so that an
    engine, which goes by its file, need not compile each statement anew."""
    memory = Path("/dev/shm")
    own = Path(tempfile.mkdtemp(prefix="life-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own / "life"


def _live_all(folder: Path, seeds: Iterable[int], days: int, minutes: float) -> None:
    """The lives that were not lived yet, until the time is over."""
    until, here = time.monotonic() + 60 * minutes, commit()
    for seed in seeds:
        file = folder / f"life-{seed}-{days}.json"
        if file.exists():
            continue
        if time.monotonic() > until:
            return
        came = lived(seed, days, here)
        file.write_bytes(msgspec.json.encode(came))
        print(f"seed {seed}: {came.violated or 'well'}", file=sys.stderr, flush=True)


def _tell(done: list[Came], seeds: int, days: int) -> None:
    counts = sum((Counter(one.counts) for one in done), Counter[str]())
    lives, commits = sum(one.counts.get("days", 0) for one in done), sorted({one.commit for one in done})
    print(
        f"reached {lives / 365.25:.2f} of {seeds * days / 365.25:.2f} years: {len(done)} of {seeds} seeds, "
        f"{lives} days; 20 % of requests failing; commits {', '.join(commits)}"
    )
    print(", ".join(f"{counts[name]} {name}" for name in _SHOWN))
    for one in done:
        if one.violated:
            print(f"VIOLATED at {one.commit}: python tests/soak_simulate.py --seed {one.seed} --days {days}")
            print(f"  {one.violated}")
    violated = sum(bool(one.violated) for one in done)
    print(f"{violated} lives with a violation: a paper lost, a post doubled, a repeat, order, topics, states")


def main() -> int:
    """Live, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="1 to so many")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--days", type=int, default=DAYS, help="of a life")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further life after so many")
    parser.add_argument("--folder", type=Path, help="where to keep what the lives came to")
    parser.add_argument(
        "--backwards", action="store_true", help="the last seed first, to meet another process"
    )
    parser.add_argument("--log", type=Path, help="all that happened in the life of --seed")
    given = parser.parse_args()
    if given.seed is not None:
        done = [lived(given.seed, given.days, commit(), given.log)]
    else:
        with tempfile.TemporaryDirectory() as own:
            folder = given.folder or Path(own)
            folder.mkdir(parents=True, exist_ok=True)
            seeds = range(1, given.seeds + 1)
            _live_all(folder, reversed(seeds) if given.backwards else seeds, given.days, given.minutes)
            files = sorted(folder.glob(f"life-*-{given.days}.json"))
            done = [msgspec.json.decode(file.read_bytes(), type=Came) for file in files]
    _tell(done, 1 if given.seed is not None else given.seeds, given.days)
    return int(any(one.violated for one in done))


if __name__ == "__main__":
    sys.exit(main())
