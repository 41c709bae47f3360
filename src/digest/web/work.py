"""Work that takes minutes: commands of digest itself, in a process of their own, one at a time.

A process of its own leaves the pages quick, can be ended at any moment as any run can, and is what a person
would have typed.
"""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from digest.errors import DigestError, TryAgain, refused

MOST_LINES = 400
MOST_JOBS = 20
GRACE_SECONDS = 10.0
"""What a command has to end by itself when it is told to."""


class Job:
    """A command that was begun. ``code`` is how it ended, None while it is at work."""

    def __init__(self, number: int, arguments: Sequence[str], process: subprocess.Popen[str]) -> None:
        self.number = number
        self.arguments = tuple(arguments)
        self.started: datetime
        self.ended: datetime | None = None
        self._process = process
        self._lines: deque[str] = deque(maxlen=MOST_LINES)

    @property
    def command(self) -> str:
        """What a person would have typed."""
        return " ".join(("digest", *self.arguments))

    @property
    def code(self) -> int | None:
        """The exit code; None while it is at work."""
        return None if self.ended is None else self._process.returncode

    @property
    def lines(self) -> list[str]:
        """The last lines that it has said."""
        return list(self._lines)

    def stop(self) -> None:
        """Tell it to end; not by SIGINT, which a program that a script began may ignore (POSIX, sh, 2.11)."""
        if self._process.poll() is None:
            self._process.terminate()

    def follow(self, now: Callable[[], datetime]) -> None:
        """Take what it says until it ends."""
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self._lines.append(line.rstrip("\n"))
        self._process.wait()
        self.ended = now()

    def end(self) -> None:
        """End it, kindly at first."""
        self.stop()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()


class Jobs:
    """The commands that were begun here; the last ones are remembered. ``program`` is how digest is
    called, ``options`` are what every command is given."""

    def __init__(
        self, program: Sequence[str], now: Callable[[], datetime], options: Sequence[str] = ()
    ) -> None:
        self._program = tuple(program)
        self._options = tuple(options)
        self._now = now
        self._lock = Lock()
        self._jobs: deque[Job] = deque(maxlen=MOST_JOBS)
        self._threads: list[Thread] = []
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for job in self.all():
            job.end()
        for thread in self._threads:
            thread.join()

    def all(self) -> list[Job]:
        """The jobs, newest first."""
        with self._lock:
            return list(self._jobs)[::-1]

    def find(self, number: int) -> Job | None:
        """A job by its number."""
        return next((job for job in self.all() if job.number == number), None)

    @property
    def running(self) -> Job | None:
        """The job that is at work."""
        return next((job for job in self.all() if job.code is None), None)

    def start(self, *arguments: str) -> Job:
        """Begin a command of digest. Raises TryAgain while another one is at work."""
        with self._lock:
            if self._jobs and self._jobs[-1].code is None:
                raise TryAgain(f"{self._jobs[-1].command} is at work; try again when it is done")
            self._count += 1
            job = Job(self._count, arguments, self._process(arguments))
            job.started = self._now()
            self._jobs.append(job)
        thread = Thread(target=job.follow, args=(self._now,), name=f"job {job.number}")
        thread.start()
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        return job

    def _process(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        if not self._program:
            raise DigestError("this page was not started by digest serve: it begins no work")
        try:
            return subprocess.Popen(  # noqa: S603 - our own program; each argument is one of ours
                [*self._program, *arguments, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise refused(error) from error
