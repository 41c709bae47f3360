"""How fast is `digest import`, and how fast is the naive way?

    python benchmarks/ingest.py snapshot.jsonl ...

Each way runs in a process of its own; all ways take turns, so that a busy machine slows all of them.
What counts is the CPU time of the process, user and system, from the first byte read to the database
closed. Packed files are unpacked beforehand and once more as a way of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import create_engine, select
from sqlalchemy.dialects.sqlite import pysqlite as sqlite_dialect
from sqlalchemy.orm import Mapped, Session, declarative_base, mapped_column

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from digest import pipeline
from digest.sources import snapshot
from digest.store import Store, sqlite, words

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WAYS = {
    "unpack": "unpacking alone (a part of the next row)",
    "packed": "import of the packed files, searchable",
    "parse": "reading alone: files to papers",
    "plain": "import without the words' index",
    "rows": "SQLite's part of that: `executemany` of rows that are ready, and commits",
    "import": "import, searchable",
    "words": "SQLite's part of that: the same, and FTS5",
    "again": "the same papers again, nothing new",
    "naive": "naive: json, then select, add, commit per paper (SQLAlchemy ORM)",
}


def lines(files: Sequence[Path]) -> Iterator[bytes]:
    for file in files:
        with file.open("rb") as opened:
            yield from opened


def load(files: Sequence[Path], database: Path) -> int:
    """`digest import` without its command line."""
    with Store.open(f"sqlite:///{database}") as store:
        counts = pipeline.crawl(store, [snapshot.Snapshot(file) for file in files], NOW).counts
    return counts["new"] + counts["newer"] + counts["unchanged"]


def load_without_words(files: Sequence[Path], database: Path) -> int:
    words.add = lambda *_: None
    return load(files, database)


def rows(files: Sequence[Path], database: Path) -> tuple[int, float]:
    words.add = lambda *_: None
    return in_sqlite(files, database)


def in_sqlite(files: Sequence[Path], database: Path) -> tuple[int, float]:
    """An import of which only the CPU seconds spent in SQLite count: the floor of any program that makes
    these rows."""
    clock = Clock()
    insert, dialect = sqlite.executemany, sqlite_dialect.dialect
    sqlite.executemany = lambda connection, statement, values: clock(
        insert, connection, statement, list(values)
    )
    words.add = partial(clock, words.add)
    commit = dialect.do_commit
    dialect.do_commit = lambda self, connection: clock(commit, self, connection)
    return load(files, database), clock.seconds


class Clock:
    """Counts the CPU seconds of what is called through it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, function: Callable[..., Any], *given: Any) -> Any:
        began = time.process_time()
        try:
            return function(*given)
        finally:
            self.seconds += time.process_time() - began


def parse(files: Sequence[Path], _: Path) -> int:
    pages = (page for file in files for page in snapshot.Snapshot(file).fetch(None, NOW))
    return sum(len(page.papers) for page in pages)


def unpack(files: Sequence[Path], _: Path) -> int:
    unpacked = 0
    for file in files:
        with file.open("rb") as opened:
            unpacked += sum(chunk.count(b"\n") for chunk in snapshot._chunks(opened))  # noqa: SLF001
    return unpacked


class NaivePaper(declarative_base()):  # type: ignore[misc]
    """The same columns, as ORM tutorials have them."""

    __tablename__ = "paper"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    version: Mapped[int]
    submitted: Mapped[datetime]
    updated: Mapped[datetime]
    title: Mapped[str]
    abstract: Mapped[str]
    authors: Mapped[str]
    categories: Mapped[str]
    comments: Mapped[str | None]
    journal_ref: Mapped[str | None]
    doi: Mapped[str | None]


def naive(files: Sequence[Path], database: Path) -> int:
    """What many write first: an object, a question and a commit for each paper."""
    engine = create_engine(f"sqlite:///{database}")
    NaivePaper.metadata.create_all(engine)
    done = 0
    with Session(engine) as session:
        for done, line in enumerate(lines(files), start=1):  # noqa: B007
            record = json.loads(line)
            if session.scalars(select(NaivePaper).where(NaivePaper.id == record["id"])).first() is None:
                versions = [parsedate_to_datetime(version["created"]) for version in record["versions"]]
                kept = {name: record[name] for name in ("id", "title", "abstract", "categories", "comments")}
                authors = json.dumps(record["authors_parsed"] or record["authors"])
                references = {"journal_ref": record["journal-ref"], "doi": record["doi"]}
                dates = {"version": len(versions), "submitted": versions[0], "updated": versions[-1]}
                session.add(NaivePaper(**kept, **references, **dates, authors=authors))
                session.commit()
    engine.dispose()
    return done


DO: dict[str, Callable[[Sequence[Path], Path], int | tuple[int, float]]] = {
    "unpack": unpack,
    "packed": load,
    "parse": parse,
    "plain": load_without_words,
    "rows": rows,
    "words": in_sqlite,
    "import": load,
    "again": load,
    "naive": naive,
}


def measure(way: str, files: Sequence[Path], database: Path) -> None:
    """In a process of its own: records, CPU seconds, and the most memory in MB, as JSON."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    done = DO[way](files, database)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    records, cpu = done if isinstance(done, tuple) else (done, cpu)
    print(json.dumps([records, cpu, after.ru_maxrss / 1024]))


def run(way: str, files: Sequence[Path], folder: Path) -> tuple[int, float, float]:
    database = folder / ("import.db" if way == "again" else f"{way}.db")
    if way != "again":
        for old in folder.glob(f"{database.name}*"):
            old.unlink()
        if way != "naive":
            Store.open(f"sqlite:///{database}").close()  # the tables are made once in a life
    command = [sys.executable, __file__, "--way", way, "--database", str(database), *map(str, files)]
    records, cpu, memory = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(f"  {way}: {records:,} in {cpu:.1f} s", file=sys.stderr)
    return records, cpu, memory


def prepare(files: Sequence[Path], folder: Path, sample: int) -> dict[str, Sequence[Path]]:
    """The files each way reads: unpacked ones; a copy of them; every so-manieth record for the naive way."""
    plain, few = [folder / f"{file.name}.jsonl" for file in files], folder / "sample"
    for file, target in zip(files, plain, strict=True):
        with file.open("rb") as packed, target.open("wb") as unpacked:
            unpacked.writelines(snapshot._chunks(packed))  # noqa: SLF001
    step = max(1, sum(1 for _ in lines(plain)) // sample)
    with few.open("wb") as target:
        target.writelines(line for number, line in enumerate(lines(plain)) if number % step == 0)
    copies = [shutil.copy(file, folder / f"copy of {file.name}") for file in plain]
    reads = dict.fromkeys(("parse", "plain", "rows", "import", "words"), plain) | {
        "again": copies,
        "naive": [few],
    }
    is_packed = any(
        file.stat().st_size != target.stat().st_size for file, target in zip(files, plain, strict=True)
    )
    return ({"unpack": files, "packed": files} if is_packed else {}) | reads


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("files", nargs="+", type=Path)
    options.add_argument("--repeat", type=int, default=3, help="medians of so many runs")
    options.add_argument("--sample", type=int, default=5_000, help="records for the naive way")
    options.add_argument("--folder", type=Path, help="where the databases are written (a disk, no tmpfs)")
    options.add_argument("--way", choices=DO, help=argparse.SUPPRESS)
    options.add_argument("--database", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.way:
        measure(given.way, given.files, given.database)
        return
    with TemporaryDirectory(dir=given.folder) as folder:
        reads = prepare(given.files, Path(folder), given.sample)
        began = time.time()
        results: dict[str, list[tuple[int, float, float]]] = {way: [] for way in reads}
        for _ in range(given.repeat):
            for way in reads:
                results[way].append(run(way, reads[way], Path(folder)))
        show(results, time.time() - began)


def show(results: dict[str, list[tuple[int, float, float]]], seconds: float) -> None:
    rates = {way: median(records / cpu for records, cpu, _ in runs) for way, runs in results.items()}
    print("| way | records | records per CPU-second | times the naive way | MB |\n|---|---|---|---|---|")
    for way, runs in results.items():
        memory = median(memory for _, _, memory in runs)
        times = rates[way] / rates["naive"]
        print(f"| {WAYS[way]} | {runs[0][0]:,} | {rates[way]:,.0f} | {times:.1f} | {memory:.0f} |")
    load_average = " ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"\nmedians of {len(runs)}; {seconds / 60:.0f} minutes; load {load_average}")


if __name__ == "__main__":
    main()
