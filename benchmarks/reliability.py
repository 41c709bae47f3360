"""What the program survives, counted: docs/reliability.md.

    python benchmarks/reliability.py                 # all rows in the size of every commit, some ten minutes
    python benchmarks/reliability.py --full R1 R8    # these rows in full size
    python benchmarks/reliability.py --write         # only write the page anew from the last counts

Each row runs tests or a soak of its own in another process and keeps what that printed, with the commit, the
day and the seconds, in docs/reliability.json. Ends with exit code 1 where one of them fails.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/reliability.json"
PAGE = ROOT / "docs/reliability.md"
SHARED = "../shared/data"
DAYS = f"{SHARED}/days-2026-05-01_2026-07-05.json"
PYTEST = "-m pytest -q --no-header -p no:cacheprovider"


@dataclass(frozen=True)
class Row:
    """A promise, how it is tried on every commit (``gate``) and in full, and what is not tried yet."""

    number: str
    promise: str
    gate: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    missing: str = ""


class Result(msgspec.Struct, frozen=True):
    """How a command of a row ended: its last lines, where, when, and how long it took."""

    ok: bool
    told: tuple[str, ...]
    commit: str
    day: str
    seconds: int


ROWS = (
    Row(
        "R1",
        "Killed at any moment, it posts nothing twice and loses nothing",
        (
            "tests/soak_telegram.py --days 3 --kills 60 --rate 0.1",
            f"{PYTEST} tests/test_crawl.py -k killed",
            "tests/soak_syscalls.py --every 20",
        ),
        (
            "tests/soak_telegram.py --days 30 --kills 2000 --posts 45 --rate 0.01 --shards 10",
            f"tests/soak_crawl.py --papers {SHARED}/corpus/2026.jsonl.xz --days {DAYS}",
            "tests/soak_syscalls.py",
        ),
        "10,000 kills of the whole `digest run`; embed, match and write are killed in tests only",
    ),
    Row(
        "R2",
        "Killed again while it recovers",
        missing="not counted apart: the kills of R1 hit recoveries, too",
    ),
    Row(
        "R3",
        "Power fails: what was told as stored is stored",
        missing="not tried; synchronous=FULL is tested",
    ),
    Row(
        "R4",
        "The disk is full or locked: one line, nothing lost",
        (f"{PYTEST} tests/test_crawling.py tests/store/test_failures_of_store.py -k disk or locked or full",),
        missing="EIO, EROFS, EMFILE and ENOMEM at every call",
    ),
    Row(
        "R5",
        "Every named fault of the network ends as documented",
        (f"{PYTEST} tests/test_crawl.py tests/test_polite.py tests/test_uncertain.py tests/test_sending.py",),
        missing="each with 25 seeds, all pairs, proxies and DNS",
    ),
    Row(
        "R6",
        "Years of days under a seeded clock, with faults",
        (f"{PYTEST} tests/test_crawl_weeks.py",),
        missing="100 years over 1,000 seeds: weeks of the crawler are simulated, not the whole program",
    ),
    Row(
        "R7",
        "What stands in the channel is what was approved, once and in order, or is held and told",
        ("tests/soak_telegram.py --days 5 --kills 20 --rate 0.01 --seed 7",),
        ("tests/soak_telegram.py --days 250 --kills 100 --rate 0.01 --seed 7",),
    ),
    Row(
        "R8",
        "No input crashes or hangs a parser; Telegram's own parser agrees with ours",
        (f"{PYTEST} tests/test_markup.py tests/test_split.py tests/test_strict.py",),
        (f"{PYTEST} --slow tests/test_markup.py tests/test_split.py tests/test_strict.py",),
        "10 million inputs: the full size is 220,000",
    ),
    Row(
        "R9",
        "An archive of any earlier version keeps every row",
        (f"{PYTEST} tests/test_migrate.py",),
        missing="kills within an upgrade but for one; 100,000 papers",
    ),
    Row(
        "R10",
        "Processes at the same time neither double nor lose",
        (f"{PYTEST} tests/test_senders.py tests/store -k process or sender or lost",),
        missing="8 processes with 10,000 operations each",
    ),
    Row(
        "R12",
        "A backup under writes is one state; a damaged one is told",
        ("tests/soak_backup.py",),
        ("tests/soak_backup.py --loops 500 --damages 1000",),
    ),
    Row("R13", "A damaged index is made again", (f"{PYTEST} tests/test_index.py",)),
    Row("R14", "Mutants of storage and posting are caught", missing="no mutation run yet"),
    Row("R16", "A thousand daily runs in one process do not grow", missing="not measured"),
    Row(
        "R20",
        "Planted mistakes are caught by a named test",
        (f"{PYTEST} tests/test_teeth.py",),
    ),
)


def run(command: str, environ: Mapping[str, str]) -> Result:
    """Run a command of a row in the project's folder."""
    began = time.monotonic()
    words = split(command)
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env=environ, check=False
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    told = lines[-1:] if "pytest" in command else lines[-4:]
    return Result(
        done.returncode == 0,
        tuple(re.sub(r" in [\d.]+s( \([\d:]+\))?|=", "", line).strip() for line in told),
        commit(),
        f"{datetime.now(UTC):%Y-%m-%d}",
        round(time.monotonic() - began),
    )


def split(command: str) -> list[str]:
    """The words of a command; what follows -k is one word."""
    before, option, after = command.partition(" -k ")
    return [*before.split(), *(["-k", after] if option else [])]


def commit() -> str:
    """The commit that is tried, with a + where files were changed since."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def page(results: Mapping[str, Result]) -> str:
    """The page, from the last result of each command."""
    head = (
        "# What it survives, counted\n\n"
        "Made by `python benchmarks/reliability.py` (`--full` for the full sizes) from what tests and soaks\n"
        "print; they count what stands at the other end: a server's messages, the rows of a database.\n\n"
        "| | promise | tried | told | commit, day, seconds |\n|---|---|---|---|---|\n"
    )
    return head + "".join(f"{line}\n" for row in ROWS for line in _lines(row, results))


def _lines(row: Row, results: Mapping[str, Result]) -> Iterator[str]:
    name, promise = row.number, row.promise
    for command in (*row.gate, *row.full):
        if command in results:
            one = results[command]
            shown = command.replace(f"{SHARED}/", "").replace(PYTEST, "pytest")
            told = "<br>".join(one.told) if one.ok else "**FAILED** " + "<br>".join(one.told)
            where = f"{one.commit}, {one.day}, {one.seconds} s"
            yield f"| {name} | {promise} | `{shown}` | {told} | {where} |"
            name = promise = ""
    if row.missing:
        yield f"| {name} | {promise} | | not reached: {row.missing} | |"


def main() -> int:
    """Run what was asked for, keep the counts, write the page."""
    import os

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    results = msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, Result]) if RESULTS.exists() else {}
    environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    for row in [] if given.write else ROWS:
        for command in (
            (row.full if given.full else row.gate) if row.number in (given.rows or [row.number]) else ()
        ):
            results[command] = run(command, environ)
            print(f"{row.number} {command}: {results[command].told}", flush=True)
            known = {key: results[key] for one in ROWS for key in (*one.gate, *one.full) if key in results}
            RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(known)) + b"\n")
    PAGE.write_text(page(results), encoding="utf-8")
    return 0 if all(one.ok for one in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
