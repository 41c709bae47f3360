"""What the program survives, counted: docs/reliability.md.

    python benchmarks/reliability.py                        # all rows in the size of every commit
    python benchmarks/reliability.py --full --minutes 60    # the full sizes, as far as an hour goes
    python benchmarks/reliability.py --full R6 R8           # these rows in full size, to their end
    python benchmarks/reliability.py --full R1 --only crawl # of a row the commands with this word
    python benchmarks/reliability.py --write                # only write the page anew from the last counts

Each row runs tests or a soak of its own in another process and keeps what that printed, with the commit, the
day and the seconds, in docs/reliability.json. What has a good result is left alone (but for --again), so the
command goes on where it was ended; soaks keep how far they came in build/reliability, and say what they
reached of what was asked. Ends with exit code 1 where one of them fails.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/reliability.json"
PAGE = ROOT / "docs/reliability.md"
SHARED = "../shared/data"
DAYS = f"{SHARED}/days-2026-05-01_2026-07-05.json"
FOLDER = ROOT / "build/reliability"
GRACE = 90.0
"""Seconds for what a soak has begun; tests that know no time are cut off after them."""
WEEK = 7 * 24 * 60.0
"""Minutes; no wait of Python's may be longer than 24 days."""
TWO_THOUSAND = "--days 30 --kills 2000 --posts 45 --rate 0.01 --shards 10"
RUNS = "tests/soak_run.py --kills 10000 --folder {folder}/run --minutes {minutes}"
REFUSALS = "tests/test_crawling.py tests/store/test_failures_of_store.py"
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
    """How a command of a row ended: its last lines, where, when, and how long it took. ``ended``: the time
    that was given was enough."""

    ok: bool
    told: tuple[str, ...]
    commit: str
    day: str
    seconds: int
    ended: bool = True


ROWS = (
    Row(
        "R1",
        "Killed at any moment, it posts nothing twice and loses nothing",
        (
            "tests/soak_telegram.py --days 3 --kills 60 --rate 0.1",
            f"{PYTEST} tests/test_crawl.py -k killed",
            "tests/soak_syscalls.py --every 19",
            "tests/soak_run.py --kills 40",
            "tests/soak_run.py --calls --every 41",
        ),
        (
            "tests/soak_run.py --calls --folder {folder}/run --minutes {minutes}",
            RUNS,
            f"tests/soak_telegram.py {TWO_THOUSAND} --folder {{folder}}/telegram",
            f"tests/soak_crawl.py --papers {SHARED}/corpus/2026.jsonl.xz --days {DAYS}",
            "tests/soak_syscalls.py --folder {folder}/syscalls --minutes {minutes}",
        ),
    ),
    Row(
        "R2",
        "Killed again, and a third time, before what a kill left in doubt is settled",
        ("tests/soak_telegram.py --days 2 --kills 40 --rate 0.1 --seed 2",),
        (RUNS, f"tests/soak_telegram.py {TWO_THOUSAND} --folder {{folder}}/telegram"),
    ),
    Row(
        "R3",
        "Power fails: what was told as stored is stored",
        ("tests/soak_power.py --states 2000", "tests/soak_run.py --power 20"),
        (
            "tests/soak_power.py --states 1000000 --folder {folder}/power --minutes {minutes}",
            "tests/soak_run.py --power 2000 --folder {folder}/run --minutes {minutes}",
        ),
    ),
    Row(
        "R4",
        "The disk is full or locked: one line, nothing lost",
        (
            f"{PYTEST} {REFUSALS} -k disk or locked or full",
            "tests/soak_run.py --errors --every 61",
        ),
        (
            "tests/soak_syscalls.py --errors --folder {folder}/syscalls --minutes {minutes}",
            "tests/soak_run.py --errors --folder {folder}/run --minutes {minutes}",
        ),
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
        (f"{PYTEST} tests/test_crawl_weeks.py tests/test_simulator.py",),
        ("tests/soak_simulate.py --seeds 1000 --folder {folder}/lives --minutes {minutes}",),
        "the model has a stand-in, one process lives at a time, approval is by command only",
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
        (
            "tests/soak_fuzz.py --inputs 10000000 --folder {folder}/fuzz --minutes {minutes}",
            f"{PYTEST} --slow tests/test_markup.py tests/test_split.py tests/test_strict.py",
        ),
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
        (
            f"{PYTEST} tests/test_senders.py tests/store -k process or sender or lost",
            "tests/soak_processes.py",
        ),
        ("tests/soak_processes.py --operations 10000 --minutes {minutes}",),
    ),
    Row(
        "R11",
        "An SQLite that can damage a file is told",
        (f"{PYTEST} tests/test_doctor.py -k sqlite",),
        missing="R1 on other versions of SQLite than this machine's",
    ),
    Row(
        "R12",
        "A backup under writes is one state; a damaged one is told",
        ("tests/soak_backup.py",),
        ("tests/soak_backup.py --loops 500 --damages 1000 --minutes {minutes}",),
    ),
    Row("R13", "A damaged index is made again", (f"{PYTEST} tests/test_index.py",)),
    Row(
        "R14",
        "Mutants of storage and posting are caught",
        ("benchmarks/mutants.py --mutants 16 --folder {folder}/mutants",),
        ("benchmarks/mutants.py --mutants 1000 --folder {folder}/mutants --minutes {minutes}",),
    ),
    Row(
        "R15",
        "Branches of storage and posting are covered",
        ("benchmarks/branches.py",),
        missing="100 %; not counted: what tests do in other processes, and what a function does after it ran "
        "asyncio, of which coverage.py loses sight on Python 3.11",
    ),
    Row(
        "R16",
        "A thousand daily runs in one process do not grow",
        ("tests/soak_days.py",),
        ("tests/soak_days.py --days 1000 --minutes {minutes}",),
    ),
    Row(
        "R17",
        "Told to end, it ends within seconds and leaves nothing half done",
        (f"{PYTEST} tests/test_stopping.py",),
        missing="1,000 moments",
    ),
    Row(
        "R18",
        "Hostile papers, pages and requests do no harm; the token is shown nowhere",
        (f"{PYTEST} tests/test_bad_input.py tests/test_token.py tests/test_web_door.py",),
        missing="schemathesis, 20,000 requests",
    ),
    Row(
        "R19",
        "What is installed is what was locked",
        ("benchmarks/locked.py",),
        missing="checksums, an SBOM, known advisories",
    ),
    Row(
        "R20",
        "Planted mistakes are caught by a named test",
        (f"{PYTEST} tests/test_teeth.py",),
        (f"{PYTEST} --slow tests/test_simulator.py -k planted",),
    ),
)


def run(command: str, environ: Mapping[str, str], minutes: float) -> Result:
    """Run a command of a row in the project's folder, for so many minutes at most."""
    began, ended = time.monotonic(), True
    given = command.format(folder=FOLDER, minutes=f"{minutes:.1f}")
    try:
        done = subprocess.run(
            [sys.executable, *split(given)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if "pytest" in command else None,
            env=environ,
            timeout=60 * minutes + GRACE,
            check=False,
        )
        out, ok = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as late:
        out, ok, ended = late.stdout or b"", True, False
    lines = [line.strip() for line in out.decode("utf-8", "replace").splitlines() if line.strip()]
    told = lines[-1:] if "pytest" in command and ended else lines[-4:] if ended else ()
    return Result(
        ok,
        tuple(re.sub(r" in [\d.]+s( \([\d:]+\))?|==+", "", line).strip() for line in told),
        commit(),
        f"{datetime.now(UTC):%Y-%m-%d}",
        round(time.monotonic() - began),
        ended,
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
        "Written by `python benchmarks/reliability.py`: a row is a promise, and what tries it in the size\n"
        "of every commit, then (**full**) in its full size, as far as time went: *reached* says how far.\n"
        "What is counted stands at the other end: a server's messages, the rows of a database. In R6 a\n"
        "seed is 37 days of the whole program in one process, with a cheap stand-in for the model; a\n"
        "violation is told with its seed, and `python tests/soak_simulate.py --seed N` brings it back.\n\n"
        "| | promise | tried | told | commit, day, seconds |\n|---|---|---|---|---|\n"
    )
    return head + "".join(f"{line}\n" for row in ROWS for line in _lines(row, results))


def _lines(row: Row, results: Mapping[str, Result]) -> Iterator[str]:
    name, promise = row.number, row.promise
    for command in (*row.gate, *row.full):
        if command in results:
            one = results[command]
            where = f"{one.commit}, {one.day}, {one.seconds} s"
            yield f"| {name} | {promise} | {_shown(row, command)} | {_told(one)} | {where} |"
        else:
            yield f"| {name} | {promise} | {_shown(row, command)} | not run | |"
        name = promise = ""
    if row.missing:
        yield f"| {name} | {promise} | | not reached: {row.missing} | |"


def _shown(row: Row, command: str) -> str:
    short = command.replace(f"{SHARED}/", "").replace(PYTEST, "pytest")
    short = re.sub(r" --(folder \{folder\}/\w+|minutes \{minutes\})", "", short)
    return f"**full** `{short}`" if command in row.full else f"`{short}`"


def _told(one: Result) -> str:
    told = "<br>".join(one.told)
    if not one.ended:
        return f"not reached: no end within {one.seconds} s"
    return told if one.ok else f"**FAILED** {told}"


def commands(wanted: Sequence[str], *, full: bool) -> Iterator[str]:
    """The commands of some rows, or of all, in one of their two sizes."""
    for row in ROWS:
        if row.number in (wanted or [row.number]):
            yield from row.full if full else row.gate


def main() -> int:
    """Run what was asked for, keep the counts, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default="", metavar="WORD", help="commands with this word")
    parser.add_argument("--again", action="store_true", help="also what has a result")
    parser.add_argument("--minutes", type=float, default=WEEK, help="for all of it")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    results = msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, Result]) if RESULTS.exists() else {}
    environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    until = time.monotonic() + 60 * given.minutes
    waiting = [
        one
        for one in (() if given.write else commands(given.rows, full=given.full))
        if given.only in one
        if given.again or one not in results or not (results[one].ended and results[one].ok)
    ]
    for at, command in enumerate(waiting):
        left = (until - time.monotonic()) / 60
        if left <= 0:
            break
        share = left / (len(waiting) - at) if "{minutes}" in command else left
        results[command] = run(command, environ, share)
        print(f"{command}: {results[command].told}", flush=True)
        known = [one for row in ROWS for one in (*row.gate, *row.full)]
        kept = {one: results[one] for one in known if one in results}
        RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    PAGE.write_text(page(results), encoding="utf-8")
    return 0 if all(one.ok for one in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
