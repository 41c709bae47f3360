"""At each of its calls of the system a process is killed, or the call fails (strace, Linux)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from digest.errors import DigestError, refused
from tried import commit

CALLS = "write pwrite64 ftruncate fsync fdatasync rename renameat unlink sendto".split()
FAILS = {
    "write": "EIO ENOSPC",
    "pwrite64": "EIO ENOSPC",
    "pread64": "EIO",
    "read": "EIO",
    "fsync": "EIO",
    "fdatasync": "EIO",
    "ftruncate": "EIO",
    "rename": "EIO EROFS",
    "renameat": "EIO EROFS",
    "unlink": "EIO EROFS",
    "mkdir": "EROFS",
    "openat": "EMFILE EROFS ENOMEM",
    "mmap": "ENOMEM",
    "socket": "EMFILE",
}
"""Calls and the errors that they are made to end with."""
LONGEST = 3600
"""Seconds after which a process is taken to hang, and ends by SIGALRM."""
GOOD = {"whole", "held"}
"""What a day may come to."""


class Day(Protocol):
    """A day that can begin again, and what comes of it."""

    def begin(self) -> None:
        """It is morning again."""

    def start(self, *, stopped: bool = False) -> int:
        """What the day is about, in a process that is forked for it, and stopped to be traced; its id."""

    def end(self, child: int) -> int:
        """Its exit code, -9 where it was killed."""

    def settle(self) -> str:
        """What came of the day once processes were left alone: "whole", "held", or what is wrong."""


def forked(act: Callable[[], int], *, stopped: bool = False) -> int:
    """A process that acts and ends with its exit code, or as `digest` ends with errors; 70 with a traceback.
    It may wait to be traced. Its id."""
    child = os.fork()
    if child:
        return child
    code = 70
    signal.alarm(LONGEST)
    try:
        if stopped:
            os.kill(os.getpid(), signal.SIGSTOP)
        code = act()
    except DigestError as error:
        code = error.exit_code
    except OSError as error:  # as digest.cli.main does
        code = refused(error).exit_code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def traced(
    day: Day, trace: Path, *what: str, options: Sequence[str] = ()
) -> tuple[int, dict[int, Counter[str]]]:
    """A run under strace: its exit code, and by thread how often it made which call."""
    child = day.start(stopped=True)
    os.waitpid(child, os.WUNTRACED)
    command = ["strace", "-f", "-o", str(trace), *options, *(word for one in what for word in ("-e", one))]
    with subprocess.Popen([*command, "-p", str(child)], stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        assert "attached" in strace.stderr.readline()
        os.kill(child, signal.SIGCONT)
        code = day.end(child)
    made: dict[int, Counter[str]] = {}
    for line in trace.read_text("utf-8", "replace").splitlines():
        if found := re.match(r"(\d+) +(\w+)\(", line):
            made.setdefault(int(found[1]), Counter())[found[2]] += 1
    return code, made


def points(made: dict[int, Counter[str]], calls: list[str]) -> Iterator[tuple[str, int]]:
    """Calls and the numbers at which something befalls them. strace counts for each thread; the one that
    comes to a number first is struck."""
    for call in calls:
        most = max((one[call] for one in made.values()), default=0)
        yield from ((call, at) for at in range(1, most + 1))


class Struck(msgspec.Struct):
    """What came of a day on which something befell a call."""

    what: str
    call: str
    code: int
    verdict: str
    commit: str


def strike(day: Day, trace: Path, kept: Path | None, every: int, until: float, *, errors: bool) -> int:
    """Something befalls each call, or each so many; told on standard output. What was tried is in a file,
    where one is ``kept``."""
    began = time.monotonic()
    calls = list(FAILS) if errors else CALLS
    day.begin()
    code, made = traced(day, trace, f"trace={','.join(calls)}")
    assert code == 0, f"an undisturbed day ended with {code}"
    whats = list(_whats(made, calls, errors=errors))[::every]
    done = {one.what: one for one in _read(kept)}
    for what in whats:
        if what in done or time.monotonic() > until:
            continue
        done[what] = one = _struck(day, trace, what)
        if kept:
            with kept.open("ab") as file:
                file.write(msgspec.json.encode(one) + b"\n")
        if one.verdict not in GOOD:
            print(f"{what}: {one.verdict}", flush=True)
        print(f"{len(done)} of {len(whats)}: {what} {one.code} {one.verdict}", file=sys.stderr, flush=True)
    there = Counter({call: sum(one[call] for one in made.values()) for call in calls})
    return _tell([done[one] for one in whats if one in done], len(whats), there, time.monotonic() - began)


def _whats(made: dict[int, Counter[str]], calls: list[str], *, errors: bool) -> Iterator[str]:
    for call, at in points(made, calls):
        for what in [f"error={one}" for one in FAILS[call].split()] if errors else ["signal=SIGKILL"]:
            yield f"inject={call}:{what}:when={at}"


def _struck(day: Day, trace: Path, what: str) -> Struck:
    call = re.split("[=:]", what)[1]
    day.begin()
    code, _ = traced(day, trace, f"trace={call}", what)
    return Struck(what, call, code, "a traceback" if code == 70 else day.settle(), commit())


def _read(kept: Path | None) -> list[Struck]:
    lines = kept.read_bytes().splitlines() if kept and kept.exists() else []
    return [msgspec.json.decode(line, type=Struck) for line in lines]


def _tell(done: list[Struck], wanted: int, there: Counter[str], seconds: float) -> int:
    verdicts, codes = Counter(one.verdict for one in done), Counter(str(one.code) for one in done)
    print(f"calls of one day: {dict(+there)}, {there.total()} in all")
    print(f"reached {len(done)} of {wanted} points: {dict(Counter(one.call for one in done))}")
    print(
        f"the struck run ended with {dict(codes)}; commits {', '.join(sorted({one.commit for one in done}))}"
    )
    print(f"{dict(verdicts)} in {seconds:.0f} s")
    return int(bool(verdicts.keys() - GOOD))
