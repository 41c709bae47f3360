"""A user's machine for tests: a home, a configuration, a gate of its own, and the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import road
from digest.store import Store
from loopback.world import Announcement, Record, RecordVersion

TUESDAY = date(2026, 5, 12)
TOPIC = """
[topics.unlearning]
term = "unlearning"
seed_keys = ["machine unlearning"{more}]
categories = [{categories}]
"""


def record(
    name: str, day: date, *, version: int = 1, about: str = "machine unlearning", **more: str
) -> Record:
    """A paper of our own words, submitted the day before; each version a day after the one before."""
    first = datetime(day.year, day.month, day.day, 10, tzinfo=UTC) - timedelta(days=1)
    made = [first + timedelta(days=number) for number in range(version)]
    versions = tuple(
        RecordVersion(f"v{number}", f"{time:%a, %d %b %Y %H:%M:%S} GMT")
        for number, time in enumerate(made, 1)
    )
    told = {"title": f"On {about}, part {name}", "abstract": f"We study {about}.", "categories": "cs.LG"}
    return Record(id=name, versions=versions, authors="A. Author", **{**told, **more})  # type: ignore[arg-type]


def batch(day: date, count: int = 3, **more: Any) -> list[Announcement]:
    """Some new papers of a day."""
    return [
        Announcement(day, record(f"{day:%y%m}.{day.day:02}{at:03}", day, **more))
        for at in range(1, count + 1)
    ]


@dataclass
class Done:
    """How a command ended; ``notes`` are those of the crawl it reports."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> Any:
        return json.loads(self.out)

    @property
    def notes(self) -> str:
        return " | ".join(self.report["stages"][0]["notes"])


@dataclass
class Machine:
    """A user's machine: a home, a state folder, and the arXiv its variables lead to."""

    folder: Path
    fork: Callable[..., int]
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.joinpath("home").mkdir()
        self.environ["DIGEST_HOME"] = str(self.folder / "home")
        self.environ["XDG_STATE_HOME"] = str(self.folder / "state")
        self.configure()

    def configure(self, categories: str = '"cs.LG"', more: str = "") -> None:
        text = 'contact = "me@example.org"\n' + TOPIC.format(categories=categories, more=more)
        (self.folder / "home/digest.toml").write_text(text)

    def __call__(self, *words: str, **environ: str) -> Done:
        out, err = self.folder / "out", self.folder / "err"
        code = self.fork(road.command, words, self.folder, self.environ | environ, out, err)
        return Done(code, out.read_text(), err.read_text())

    def open_the_gate(self) -> None:
        (self.folder / "state/digest/loopback-gate.json").unlink()

    @contextmanager
    def store(self) -> Iterator[Store]:
        with Store.open(f"sqlite:///{self.folder / 'home/digest.sqlite3'}") as store:
            yield store
