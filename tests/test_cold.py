"""A search in a fresh process: what it does not load, and that it waits for nobody and changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from digest import config
from digest.app import App
from digest.data import data_dir
from digest.embed import DEFAULT_MODEL, model_name
from digest.errors import NewerDatabase, StoreError
from digest.query import read
from digest.store import Reader, Store
from digest.store.reader import known_revisions
from digest.types import Page, Paper

NOW = datetime(2026, 7, 3, 12, tzinfo=UTC)
SLOW = (
    "torch transformers sentence_transformers sqlalchemy alembic faiss sklearn scipy httpx structlog asyncio "
    "threadpoolctl filelock jinja2 lxml tokenizers"
).split()


def paper(number: int) -> Paper:
    return Paper(
        id=f"2605.{number:05}", version=1, title=f"Concept bottleneck {number}", abstract="Of concepts.",
        authors=("Ann Roe",), categories=("cs.LG",), submitted=NOW, updated=NOW, announced=date(2026, 5, 1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with papers, stand-ins for their vectors, and both indexes."""
    home = tmp_path_factory.mktemp("searched")
    rows = np.random.default_rng(0).normal(size=(30, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    name = model_name(DEFAULT_MODEL)
    with App(config.load(None, home, {}), NOW, quiet=True) as app:
        app.store.add_papers("oai", Page(tuple(map(paper, range(1, 31))), None), NOW)
        app.store.ensure_model(name, 384)
        [texts] = app.store.texts_without_vector(name, 30)
        app.store.add_vectors(name, zip((text_hash for text_hash, _ in texts), rows, strict=True))
        app.word_index()
        app.index()
    return home


@pytest.fixture
def home(searched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(searched, tmp_path / "home"))


def search(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "digest", "--home", str(home), "search", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("mode", ["both", "words", "vectors"])
@pytest.mark.parametrize(
    "said", [("cat:cs.LG",), ("cat:cs.LG", "--topic", "xai"), ("--expand",)], ids=["plain", "topic", "expand"]
)
def test_a_search_loads_nothing_slow(home: Path, mode: str, said: tuple[str, ...]) -> None:
    done = search(home, "--mode", mode, "concept", "bottleneck", *said)
    lines = done.stderr.splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert not loaded & set(SLOW)
    assert loaded >= {"digest.search", "numpy"}
    assert ("click" in loaded) == ("--topic" in said)
    assert [line for line in lines if not line.startswith("import time:")] == []
    assert done.returncode == 0
    assert ("10. Concept bottleneck" in done.stdout) != ("--topic" in said)


def test_a_search_waits_for_no_writer_and_changes_nothing(home: Path) -> None:
    file = home / "digest.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("DELETE FROM paper_word WHERE rowid = 1")
        before = file.read_bytes()
        assert "10. Concept bottleneck" in search(home, "concept").stdout
        assert file.read_bytes() == before
        writer.execute("ROLLBACK")


def test_a_home_without_a_database_has_nothing_to_find_and_says_what_fills_it(tmp_path: Path) -> None:
    said = search(tmp_path / "new", "concept").stdout
    assert said.startswith("note: the archive is empty; digest crawl")
    assert "nothing found" in said


def test_what_was_never_indexed_is_searched_in_the_database(home: Path) -> None:
    shutil.rmtree(home / "index")
    (home / "index").write_text("no folder can be made here")
    assert "10. Concept bottleneck" in search(home, "--mode", "words", "concept").stdout


def test_a_reader_writes_nothing(home: Path) -> None:
    with Reader.open(f"sqlite:///{home}/digest.sqlite3") or pytest.fail("not ours") as reader:
        with pytest.raises(StoreError, match="was opened for reading only"):
            reader._rows("DELETE FROM paper", [])
        assert reader.count() == 30


@pytest.mark.parametrize("revision", ["0001", "0004"])
def test_a_database_of_an_older_version_is_left_to_the_store(tmp_path: Path, revision: str) -> None:
    url = f"sqlite:///{tmp_path}/d.db"
    Store.open(url).close()
    with closing(sqlite3.connect(tmp_path / "d.db")) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = ?", [revision])
    assert Reader.open(url) is None


def test_a_newer_database_and_another_program_s_are_refused_by_the_store(tmp_path: Path) -> None:
    settings = config.load(None, tmp_path, {})
    newer = f"{int(known_revisions(data_dir('migrations'))[-1]) + 1:04}"
    Store.open(settings.database).close()
    with closing(sqlite3.connect(tmp_path / "digest.sqlite3")) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = ?", [newer])
    with App(settings, NOW) as app, pytest.raises(NewerDatabase, match="newer version"):
        app.searcher()
    (tmp_path / "digest.sqlite3").write_bytes(b"Dear diary, " * 999)
    with App(settings, NOW) as app, pytest.raises(StoreError, match="is not a database of digest"):
        app.searcher()


def test_a_paper_is_read_as_the_store_reads_it(home: Path) -> None:
    with App(config.load(None, home, {}), NOW) as app:
        [number] = app.reader.numbers(["2605.00007"]).values()
        assert app.reader.papers([number, 99]) == app.store.papers(["2605.00007"])
        assert app.reader.newest(read("id:2605.00007"), 9) == [number]
