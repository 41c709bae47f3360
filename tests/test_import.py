"""`digest import`: a snapshot of any size is read once, whatever stops it, and all of it can be searched."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digest import pipeline
from digest.sources.snapshot import Snapshot
from digest.store import Store
from stored import found

NOW = datetime(2026, 5, 5, tzinfo=UTC)
CHILD = {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A line of a snapshot: every abstract says "everywhere", every hundredth "seldom"."""
    usual = {
        "id": f"26{1 + number // 90_000:02}.{1 + number % 90_000:05}",
        "title": f"The {number}th paper",
        "abstract": f"A word that stands everywhere: w{number}." + " And seldom." * (number % 100 == 0),
        "categories": "cs.LG cs.CV" if number % 2 else "stat.ML",
        "versions": [{"version": "v1", "created": "Fri, 1 May 2026 17:59:59 GMT"}],
        "authors_parsed": [["Álvarez", "José", ""], ["Lovelace", "Ada", ""]],
    }
    return usual | changes


def write(file: Path, records: list[dict[str, Any]]) -> Path:
    file.write_text("".join(f"{json.dumps(one)}\n" for one in records))
    return file


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,000 papers, the last of them a second version of the first."""
    records = [record(number) for number in range(3_999)]
    second = [
        {"version": "v1", "created": "Fri, 1 May 2026 17:59:59 GMT"},
        {"version": "v2", "created": "Sat, 2 May 2026 17:59:59 GMT"},
    ]
    records.append(record(0, title="The first paper, again", versions=second))
    return write(tmp_path_factory.mktemp("import") / "snapshot.jsonl", records)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def store(tmp_path: Path, empty: Path) -> Iterator[Store]:
    with opened(tmp_path / "digest.db", empty) as store:
        yield store


def opened(file: Path, empty: Path) -> Store:
    shutil.copy(empty, file)
    return Store.open(f"sqlite:///{file}")


def load(store: Store, file: Path, **how: Any) -> Mapping[str, int]:
    return pipeline.crawl(store, [Snapshot(file, **how)], NOW).counts


def content(store: Store) -> tuple[object, ...]:
    """All there is of papers, and what searching them answers."""
    assert store.file is not None
    with closing(sqlite3.connect(store.file)) as raw:
        check = "INSERT INTO paper_word(paper_word, rank) VALUES ('integrity-check', 1)"
        raw.execute(check)  # fails where a word is missing or left over
        papers = raw.execute("SELECT * FROM paper ORDER BY number").fetchall()
    return papers, found(store, "seldom", 99), found(store, "again")


def test_it_does_not_matter_how_many_lines_are_stored_at_a_time(
    tmp_path: Path, empty: Path, snapshot: Path
) -> None:
    found = []
    for size in (37, 1_000, 5_000):
        with opened(tmp_path / f"{size}.db", empty) as store:
            assert load(store, snapshot, page_size=size)["new"] == 3_999
            found.append(content(store))
    assert found[0] == found[1] == found[2]
    papers, seldom, again = found[0]
    assert (len(papers), len(seldom), len(again)) == (3_999, 40, 1)  # type: ignore[arg-type]


def test_the_same_file_again_is_not_read_and_a_copy_changes_nothing(
    store: Store, snapshot: Path, tmp_path: Path
) -> None:
    load(store, snapshot)
    before, state = content(store), store.vector_state("a-model")
    assert not any(load(store, snapshot).values())
    copy = shutil.copy(snapshot, tmp_path / "copy.jsonl")
    counts = load(store, copy)
    assert (counts["new"], counts["newer"], counts["unchanged"]) == (0, 0, 4_000)
    assert (content(store), store.vector_state("a-model")) == (before, state)


def test_the_next_snapshot_brings_what_is_new_and_what_has_changed(store: Store, tmp_path: Path) -> None:
    records = [record(number) for number in range(300)]
    load(store, write(tmp_path / "may.jsonl", records))
    versions = [*records[7]["versions"], {"version": "v2", "created": "Sat, 2 May 2026 17:59:59 GMT"}]
    records[7] = record(7, abstract="Rewritten.", versions=versions)
    counts = load(store, write(tmp_path / "june.jsonl", [*records, record(300)]))
    assert (counts["new"], counts["newer"], counts["unchanged"]) == (1, 1, 299)
    assert len(found(store, "everywhere", 999)) == 300
    assert found(store, "rewritten") == [8]
    assert found(store, "w7") == []


def test_of_many_bad_lines_the_first_hundred_are_told_and_all_are_counted(
    store: Store, tmp_path: Path
) -> None:
    lines = [json.dumps(record(0)), *(f"bad line {number}" for number in range(250))]
    file = tmp_path / "half.jsonl"
    file.write_text("\n".join(lines))
    report = pipeline.crawl(store, [Snapshot(file, page_size=60)], NOW)
    assert (report.counts["new"], report.counts["skipped"]) == (1, 250)
    assert len(report.notes) == 101
    assert report.notes[0].startswith("skipped half.jsonl:2: ")
    assert report.notes[-1] == "skipped 150 more records"


IMPORT = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from digest import pipeline
from digest.sources.snapshot import Snapshot
from digest.store import Store
with Store.open(sys.argv[1]) as store:
    pipeline.crawl(store, [Snapshot(Path(sys.argv[2]), page_size=200)], datetime(2026, 5, 5, tzinfo=UTC))
"""


def test_an_import_killed_at_any_moment_goes_on_and_search_never_misses_a_paper(
    tmp_path: Path, empty: Path, snapshot: Path
) -> None:
    """SIGKILL at random moments: what is stored can be searched, and the end is as if nothing had been."""
    with opened(tmp_path / "whole.db", empty) as whole:
        load(whole, snapshot, page_size=200)
        expected = content(whole)
    file = tmp_path / "killed.db"
    shutil.copy(empty, file)
    seen = []
    for share in (1, 700, 1_500, 2_900, sys.maxsize):
        run_until(file, snapshot, papers=share)
        with Store.open(f"sqlite:///{file}") as store:
            seen.append(store.count_papers())
            assert len(found(store, "everywhere", 9_999)) == seen[-1]
    assert seen == sorted(seen)
    assert 0 < seen[0] < 3_999, "no kill fell into the middle"
    with Store.open(f"sqlite:///{file}") as store:
        assert content(store) == expected
        assert not any(load(store, snapshot).values())


def run_until(file: Path, snapshot: Path, *, papers: int) -> None:
    """Import until so many papers are stored and a moment longer, then kill; or to the end."""
    command = [sys.executable, "-c", IMPORT, f"sqlite:///{file}", str(snapshot)]
    with subprocess.Popen(command, env=os.environ | CHILD) as process, closing(sqlite3.connect(file)) as raw:
        while process.poll() is None:
            (stored,) = raw.execute("SELECT count(*) FROM paper").fetchone()
            if stored >= papers:
                time.sleep(random.random() / 50)
                process.kill()
                break
            time.sleep(0.002)
    assert process.returncode in (0, -9)
