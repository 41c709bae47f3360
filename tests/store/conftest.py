"""A new database for each test, of either kind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.store import Store
from postgres import Server, needs_postgres
from stored import NOW, Archive, filled, page, paper

ENGINES = ["sqlite", pytest.param("postgresql", marks=needs_postgres)]
"""What every query of the store is tried on."""


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, made once: copying it is quicker than migrating."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(scope="session")
def empty_on_server(server: Server) -> str:
    """As `empty`, on a server: its name there."""
    name = server.create()
    Store.open(server.url(name)).close()
    return name


@pytest.fixture(params=ENGINES)
def archive(request: pytest.FixtureRequest) -> Archive:
    """An archive of either kind."""
    made: Archive = request.getfixturevalue(f"{request.param}_archive")
    return made


@pytest.fixture
def sqlite_archive(tmp_path: Path, empty: Path) -> Iterator[Archive]:
    """An archive in a file."""
    file = tmp_path / "digest.db"
    shutil.copy(empty, file)
    made = Archive(f"sqlite:///{file}", Store.open(f"sqlite:///{file}"))
    yield made
    made.close()


@pytest.fixture
def postgresql_archive(server: Server, empty_on_server: str) -> Iterator[Archive]:
    """An archive on a server."""
    server.empty(empty_on_server)
    url = server.url(empty_on_server)
    made = Archive(url, Store.open(url))
    yield made
    made.close()


@pytest.fixture(params=ENGINES)
def used(request: pytest.FixtureRequest) -> Archive:
    """An archive of either kind with something in it."""
    return filled(request.getfixturevalue(f"{request.param}_archive"))


@pytest.fixture
def store(archive: Archive) -> Store:
    return archive.store


@pytest.fixture
def posting(store: Store) -> Store:
    """A store with nine papers."""
    store.add_papers("oai", page(*map(paper, range(1, 10))), NOW)
    return store
