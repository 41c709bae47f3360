"""The road over the bundled sample, made quick enough to be run often, and to be killed anywhere.

The vectors are the real model's, computed once and looked up afterwards. All else is the real thing.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import structs
from sqlalchemy import Engine, event

from digest import cli, config, corpus, pipeline
from digest.app import App
from digest.embed import DEFAULT_MODEL, load_embedder, model_name
from digest.sources.sample import sample
from digest.sources.snapshot import Snapshot
from digest.store import Store
from digest.types import Paper, RunReport
from fakes import Outbox

BATCH = 64
"""Papers a page and texts a batch, so that the sample takes several of each."""

# For a server of forks: what a road imports, so that each process need not.
PRELOAD = [
    "road",
    "digest.cli",
    "alembic.command",
    "alembic.config",
    "digest.choose",
    "digest.keys",
    "digest.relevance",
]
PRELOAD += ["digest.render", "digest.report", "digest.summarize", "digest.channels.files", "filelock"]
PRELOAD += ["scipy.sparse", "scipy.stats", "sklearn.decomposition", "sklearn.feature_extraction.text"]
PRELOAD += ["sklearn.linear_model", "sklearn.naive_bayes", "sklearn.svm"]


class Remembered:
    """An Embedder that gives back the vectors a real one has made."""

    def __init__(self, name: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self.name = name
        self.at_once = BATCH
        self.vectors = vectors
        self.dimension = len(next(iter(vectors.values())))

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self.compute(self.prepare(texts))

    def prepare(self, texts: Sequence[str]) -> list[str]:
        return list(texts)

    def compute(self, prepared: list[str]) -> npt.NDArray[np.float32]:
        return np.stack([self.vectors[text] for text in prepared])

    @classmethod
    def load(cls, file: Path) -> Remembered:
        rows = np.load(file)
        return cls(model_name(DEFAULT_MODEL), dict(zip((one.text for one in papers()), rows, strict=True)))


def papers() -> list[Paper]:
    """All papers of the sample."""
    return [paper for page in sample().fetch(None, datetime.now().astimezone()) for paper in page.papers]


def embed_sample(file: Path) -> None:
    """Write the real model's vectors of all papers of the sample, float32 [n, 384] (15 CPU-seconds)."""
    part = file.with_suffix(".part.npy")
    np.save(part, load_embedder(DEFAULT_MODEL, "cpu").embed([paper.text for paper in papers()]))
    part.replace(file)


def app(
    home: Path,
    now: datetime,
    embedder: Remembered,
    environ: Mapping[str, str] | None = None,
    topics: Sequence[str] = (),
) -> App:
    """The program over the default configuration, with remembered vectors and all topics or some."""
    settings = config.load(None, home, environ or {})
    kept = {name: topic for name, topic in settings.topics.items() if not topics or name in topics}
    made = App(structs.replace(settings, topics=kept), now, quiet=True)
    made.embedder = embedder
    return made


def all_stages(home: Path, vectors: Path) -> None:
    """Make a home: `digest run` over the sample on Friday, 2026-07-03."""
    with app(home, datetime(2026, 7, 3, 12, tzinfo=UTC), Remembered.load(vectors)) as made:
        made.run("sample")


def stages(app: App, *sources: Snapshot) -> RunReport:
    """All stages but with sources of the test's own."""
    reports = [pipeline.crawl(app.store, sources, app.now)] if sources else []
    reports += [app._embed(), app._match()]
    wrote, posts = app._write()
    return RunReport(as_of=app.now, stages=(*reports, *wrote, app._deliver()), posts=tuple(posts))


def command(arguments: Sequence[str], folder: Path, environ: Mapping[str, str], out: Path, err: Path) -> None:
    """What `python -m digest` does, with its output to files."""
    os.chdir(folder)
    os.environ.update(environ)
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["digest", *arguments]
    cli.main()


# --- killing it -----------------------------------------------------------------------------------


@dataclass
class Moments:
    """Counts the moments of a run at which it may be killed, and ends the process at the fatal one."""

    fatal: int | None = None
    passed: list[str] = field(default_factory=list)

    def __call__(self, what: str) -> None:
        if len(self.passed) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed.append(what)


class Watched:
    """A store; the end of each of its calls is a moment."""

    def __init__(self, store: Store, moment: Moments) -> None:
        self._store, self._moment = store, moment

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **more: Any) -> Any:
            found = value(*arguments, **more)
            self._moment(f"after {name}")
            return found

        return call


def watch(app: App, moment: Moments) -> None:
    """Make the end of each call of the store, each statement that writes, each commit and each renaming
    of a file a moment, from the making of the database on. For a process that ends afterwards."""

    def wrote(_: Any, __: Any, statement: str, *___: Any) -> None:
        verb = statement.split(maxsplit=1)[0]
        if verb in ("CREATE", "INSERT", "UPDATE", "DELETE"):
            moment(f"within a transaction, after {verb}")

    def heard(name: str, _: Any) -> None:
        if name == "os.rename":
            moment("before a file gets its name")

    event.listen(Engine, "after_cursor_execute", wrote)
    event.listen(Engine, "commit", lambda _: moment("before a commit"))
    sys.addaudithook(heard)
    app.store = Watched(app.store, moment)  # type: ignore[assignment]


def run(home: Path, now: datetime, vectors: Path, fatal: int | None, passed: Path | None = None) -> None:
    """One `digest run`, killed at the fatal moment; the moments it passed are written to a file."""
    corpus.BACKGROUND = BATCH
    moment = Moments(fatal)
    with app(home, now, Remembered.load(vectors)) as made:
        made.source = lambda name: replace(sample(), page_size=BATCH)  # type: ignore[method-assign]
        watch(made, moment)
        made.run("sample")
    if passed:
        passed.write_text("\n".join(moment.passed))


# --- what is left of it ---------------------------------------------------------------------------

# Not compared: random words that only say "changed", how often a part was tried (a killed try is one),
# and when.
NOT_COMPARED = {
    "stamp": {"value"},
    "word_change": {"stamp"},
    "topic_fit": {"fingerprint"},
    "delivery": {"attempts", "attempted", "updated"},
}

Rows = dict[str, list[tuple[Any, ...]]]


def dump(home: Path) -> Rows:
    """The rows of every table but ``run``, in order; the home is written as "HOME"."""
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {name: _rows(connection, name, str(home)) for name in sorted(names) if name != "run"}


def _rows(connection: sqlite3.Connection, table: str, home: str) -> list[tuple[Any, ...]]:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    kept = ", ".join(f'"{name}"' for name in columns if name not in NOT_COMPARED.get(table, ()))
    rows = connection.execute(f"SELECT {kept} FROM {table}")
    return sorted((tuple(_anywhere(value, home) for value in row) for row in rows), key=repr)


def _anywhere(value: Any, home: str) -> Any:
    return value.replace(home, "HOME") if isinstance(value, str) else value


def files(folder: Path) -> dict[str, bytes]:
    """All files of a folder with their bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def left_by(home: Path) -> tuple[Rows, dict[str, bytes], list[str]]:
    """All that a run leaves: rows, posts, and the names of the files at home."""
    return dump(home), files(home / "posts"), sorted(path.name for path in home.iterdir())


def deliver_and_die(home: Path, now: datetime, vectors: Path, sent: Path, fatal: int, after: bool) -> None:
    """Deliver to an outbox, killed around its part number ``fatal``."""
    outbox = Outbox("files", sent, fatal=fatal, after=after)
    with app(home, now, Remembered.load(vectors)) as opened:
        opened.channels = lambda: [outbox]  # type: ignore[method-assign]
        opened.stage("deliver")
