"""Stand-ins for what no test may touch."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from botapi import BotApi, Remote
from digest.types import Post


class Outbox:
    """A channel to which a part sent twice is a public double. What has arrived is in a file, where a
    killed process leaves it; ``fatal`` is the number of the part around which the process is killed."""

    repeatable = False

    def __init__(self, name: str, file: Path, *, fatal: int = 0, after: bool = False) -> None:
        self.name = name
        self.file = file
        self.fatal = fatal
        self.after = after
        self._parts = 0

    def send(self, post: Post, part: int) -> str:
        self._parts += 1
        if self._parts == self.fatal and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{post.id}.{part}\n")
        if self._parts == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{self.file}:{self._parts}"


class ServerClock:
    """The clock of a loopback server, on which sleeping costs no time."""

    def __init__(self, api: BotApi | Remote) -> None:
        self.api = api
        self.slept = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.api.skip(0), UTC)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.api.skip(seconds)
