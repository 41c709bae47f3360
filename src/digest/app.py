"""The wiring: settings to store, source, embedder, index, writer and channels."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from digest.errors import InputError, TryAgain, UsageError
from digest.types import Hit, Key, KeyState, Post, PostState, RunReport, StageReport, Topic, Window

if TYPE_CHECKING:
    from digest.channels import Channel
    from digest.config import Settings
    from digest.embed import Embedder
    from digest.index import VectorIndex
    from digest.pipeline import Plan
    from digest.sources import Source
    from digest.store import Store


class App:
    """The program over one set of settings, acting as if it were ``now``."""

    def __init__(self, settings: Settings, now: datetime, *, quiet: bool = False) -> None:
        self.settings = settings
        self.now = now
        self._quiet = quiet
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    # The parts, each made when it is first needed.

    @cached_property
    def store(self) -> Store:
        """The archive, brought to the newest schema."""
        from digest.store import Store

        self._make_home()
        return self._open.enter_context(Store.open(self.settings.database))

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model on its device."""
        from digest.embed import load_embedder

        chosen = self.settings.embed
        return load_embedder(chosen.model, chosen.device, chosen.batch_size)

    @property
    def topics(self) -> list[Topic]:
        """The configured topics, in their order."""
        return list(self.settings.topics.values())

    def topic(self, name: str) -> Topic:
        """A topic by name; raises UsageError that names the nearest one."""
        if name in self.settings.topics:
            return self.settings.topics[name]
        from difflib import get_close_matches

        near = get_close_matches(name, self.settings.topics, n=1)
        hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(self.settings.topics)
        raise UsageError(f"no topic {name!r}; {hint}")

    def source(self, name: str | None) -> Source:
        """A source by name, the configured one by default."""
        from digest.sources.sample import sample

        known = {"sample": sample}
        chosen = name or self.settings.source
        if chosen not in known:
            raise UsageError(f"no source {chosen!r}; there are {', '.join(known)} (files: digest import FILE)")
        return known[chosen]()

    def channels(self) -> list[Channel]:
        """The configured channels."""
        from digest.channels.files import FileChannel

        return [
            FileChannel(name, self.settings.home / channel.folder)
            for name, channel in self.settings.channels.items()
        ]

    # The road.

    def run(self, source: str | None) -> RunReport:
        """All stages in order."""
        with self._alone("run"):
            stages = [self._crawl([self.source(source)])]
            stages += [self._embed(), self._match()]
            wrote, posts = self._write()
            stages += [wrote, self._deliver()]
            return self._record("run", stages, posts)

    def crawl(self, source: str | None) -> RunReport:
        """The first stage alone."""
        with self._alone("crawl"):
            return self._record("crawl", [self._crawl([self.source(source)])])

    def import_files(self, files: Sequence[Path], announced: date | None) -> RunReport:
        """The first stage from snapshot files."""
        from digest.sources.snapshot import Snapshot

        sources = [Snapshot(path, announced) for path in files]
        with self._alone("import"):
            return self._record("import", [self._crawl(sources)])

    def stage(self, name: str) -> RunReport:
        """One of embed, match, write and deliver alone."""
        with self._alone(name):
            if name == "write":
                wrote, posts = self._write()
                return self._record(name, [wrote], posts)
            stages = {"embed": self._embed, "match": self._match, "deliver": self._deliver}
            return self._record(name, [stages[name]()])

    def _crawl(self, sources: Sequence[Source]) -> StageReport:
        from digest import pipeline

        return pipeline.crawl(self.store, sources, self.now)

    def _embed(self) -> StageReport:
        from digest import pipeline

        if not self.store.count_without_vector(self.settings.embed.model):
            return StageReport("embed", 0.0, {"embedded": 0})
        with self._progress("embed") as progress:
            return pipeline.embed(self.store, self.embedder, progress)

    def _match(self) -> StageReport:
        from digest import pipeline

        return pipeline.match(self.store, self._plan, self.now)

    def _write(self) -> tuple[StageReport, list[int]]:
        from digest import pipeline

        return pipeline.write(self.store, self._plan, self.now)

    def _deliver(self) -> StageReport:
        from digest import pipeline

        return pipeline.deliver(self.store, self.channels(), self.now)

    def _record(self, command: str, stages: list[StageReport], posts: Sequence[int] = ()) -> RunReport:
        report = RunReport(as_of=self.now, stages=tuple(stages), posts=tuple(posts))
        self.store.put_run(command, report)
        return report
