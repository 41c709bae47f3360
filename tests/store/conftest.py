"""A new database for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.store import Store
from stored import NOW, Archive, page, paper


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, made once: copying it is quicker than migrating."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def archive(tmp_path: Path, empty: Path) -> Iterator[Archive]:
    file = tmp_path / "digest.db"
    shutil.copy(empty, file)
    made = Archive(file, Store.open(f"sqlite:///{file}"))
    yield made
    made.store.close()


@pytest.fixture
def store(archive: Archive) -> Store:
    return archive.store


@pytest.fixture
def posting(store: Store) -> Store:
    """A store with nine papers."""
    store.add_papers("oai", page(*map(paper, range(1, 10))), NOW)
    return store
