"""The real crawl (pipeline, sources, gate, store) against the loopback arXiv, in a time that runs
faster: a gap of 50 s is one of 10 ms at the server, and an hour is over in less than a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

from digest import pipeline
from digest.errors import TryAgain
from digest.sources import Source
from digest.sources.api import Api
from digest.sources.oai import Oai
from digest.sources.polite import Gate
from digest.sources.rss import Rss
from digest.store import Store
from digest.types import Paper, StageReport
from loopback.world import World
from replay import Asked, LoopbackArxiv
from stored import reading

SPEED = 5000.0
GAP = 50.0
SETS = ("cs", "stat", "eess")
CATEGORIES = ("cs.LG", "cs.CV", "stat.ML")


class FastClock:
    """A clock that runs SPEED times as fast as the system's since it was made, and its sleep."""

    def __init__(self) -> None:
        self.began = time.time()
        self.skipped = 0.0

    def __call__(self) -> float:
        return self.began + (time.time() - self.began) * SPEED + self.skipped

    def sleep(self, seconds: float) -> None:
        """Let so many of its seconds pass."""
        time.sleep(seconds / SPEED)

    def skip(self, seconds: float) -> None:
        """Set the clock forward."""
        self.skipped += seconds


class Crawler:
    """A digest home, its archive, and the gate of its machine."""

    def __init__(
        self,
        home: Path,
        base: str,
        clock: FastClock,
        *,
        sets: Sequence[str] = SETS,
        patience: float = 3600.0,
        total: float = 1.5,
        state: Path | None = None,
    ) -> None:
        self.home, self.base, self.clock, self.sets = home, base, clock, tuple(sets)
        self.patience, self.total, self.state = patience, total, state or home / "gate.json"
        self.page_size = 40
        self._gate: Gate | None = None

    @property
    def gate(self) -> Gate:
        """The gate; what it remembers is in its file, which other processes may share. It is closed
        after each answer and holds no connection."""
        if self._gate is None:
            timing = {"gap": GAP, "patience": self.patience, "total": self.total}
            self._gate = Gate(
                "digest/test", state=self.state, clock=self.clock, sleep=self.clock.sleep, **timing
            )
        return self._gate

    def close(self) -> None:
        """Let go of what the gate holds."""
        if self._gate is not None:
            self._gate.close()
            self._gate = None

    def source(self, name: str, store: Store) -> Source:
        """A source as the program makes it."""
        if name == "oai":
            return Oai(self.gate, f"{self.base}/oai", self.sets)
        if name == "rss":
            return Rss(self.gate, f"{self.base}/rss", CATEGORIES, lambda ids: set(store.paper_numbers(ids)))
        return Api(self.gate, f"{self.base}/api/query", CATEGORIES, page_size=self.page_size)

    def crawl(self, now: datetime, source: str = "oai") -> StageReport:
        """One crawl, as `digest crawl` does it."""
        with self.store() as store:
            return pipeline.crawl(store, [self.source(source, store)], now)

    def crawl_until_done(
        self, now: datetime, source: str = "oai", tries: int = 20
    ) -> list[StageReport | TryAgain]:
        """Crawls, each once the gate is open again, until one is not deferred; what each one gave."""
        given: list[StageReport | TryAgain] = []
        for _ in range(tries):
            try:
                return [*given, self.crawl(now, source)]
            except TryAgain as error:
                given.append(error)
                self.wait()
        raise AssertionError(f"deferred {tries} times: {given}")

    def wait(self) -> None:
        """Let the time pass until the gate is open again."""
        self.clock.skip(self.gate.state().closed_left(self.clock()))
        self.clock.sleep(GAP)

    def store(self) -> Store:
        """The archive."""
        return Store.open(f"sqlite:///{self.home}/digest.sqlite3", busy_timeout=30)

    def papers(self) -> dict[str, Paper]:
        """All papers of the archive. Its database holds each id once; that is counted too."""
        with self.store() as store:
            found = reading(store).papers(range(1, store.highest_number() + 1))
            assert len(found) == store.count_papers() == len({paper.id for paper in found})
            return {paper.id: paper for paper in found}

    def versions(self) -> dict[str, int]:
        """The version of each paper of the archive."""
        return {id_: paper.version for id_, paper in self.papers().items()}


def announced(world: World, day: date, within: Callable[[str], bool] = lambda code: True) -> dict[str, int]:
    """What an archive should hold once the batch of a day is out: each paper's version."""
    papers = world.until(day).papers.items()
    return {id_: one.record.version for id_, one in papers if any(map(within, one.record.codes))}


def end_with_the_reader(asked: Sequence[Asked], kills: Sequence[float]) -> None:
    """A request ends when its reader is killed; the server may learn it later, or never."""
    for one in asked:
        killed = [kill for kill in kills if one.arrived <= kill <= (one.ended or kill)]
        if killed:
            one.ended, one.given_up = killed[0], True


def assert_polite(arxiv: LoopbackArxiv) -> None:
    """Nobody was asked who is not arXiv, and never before the gap had passed since the last answer. (When
    a reader gave up, the server cannot know to the millisecond.)"""
    assert not [one.path for one in arxiv.requests if one.service == "elsewhere"]
    assert min(arxiv.gaps(), default=GAP) >= GAP / SPEED
