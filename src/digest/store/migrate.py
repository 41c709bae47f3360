"""From whatever a database file is to the tables of this version of the program, or not at all.

A migration runs on one connection in one transaction that holds the write lock. Foreign keys are off
meanwhile, since a table that is rebuilt is dropped on the way and ON DELETE CASCADE would empty its
children; they are checked before the commit. The numbers of the migrations are their order
(0001_start.py), so a database that is up to date is known without importing Alembic (0.3 CPU-seconds).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from digest.data import data_dir
from digest.errors import DigestError, NewerDatabase, OlderDatabase, StoreError
from digest.store import copies, sqlite
from digest.store.reader import known_revisions
from digest.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

    from digest.store.postgres import Postgres


def bring_up_to_date(
    engine: Engine, file: Path | None, *, readonly: bool = False, folder: Path | None = None
) -> None:
    """Create or upgrade the tables where needed; a file of an older version is copied beside itself first.

    Raises NewerDatabase, and StoreError for a file of another program, for an upgrade that failed (the
    file is then as it was), and for an older file that is opened ``readonly``.
    """
    folder = folder or data_dir("migrations")
    with sqlite.one_line_errors(file, readonly=readonly):
        with engine.connect() as connection:
            behind = _is_behind(connection, file, folder)
        if behind and readonly:
            raise OlderDatabase(f"{file}: was made by an older version of digest: run `digest run` once")
        if not readonly:
            _upgrade(engine, file, folder) if behind else sqlite.use_wal(engine)


def bring_server_up_to_date(opened: Postgres, *, readonly: bool = False, folder: Path | None = None) -> None:
    """Create or upgrade the tables of a server's database where needed, in one transaction.

    Raises as `bring_up_to_date` does, and StoreError for a server that cannot hold an archive.
    """
    from digest.store import postgres, postgres_tables

    folder = folder or data_dir("migrations")
    with opened.one_line_errors():
        with opened.engine.connect() as connection:
            behind = _server_is_behind(connection, opened.name, folder)
        if behind is None:
            return
        if readonly:
            raise behind
        with opened.writer.begin() as connection:
            if _server_is_behind(connection, opened.name, folder) is None:
                return  # another process did it while this one waited
            with _named(opened.name):
                postgres_tables.prepare(connection)
            _migrate(connection, opened.name, folder, opened.one_line_errors(), postgres.SCHEMA)
            postgres_tables.complete(connection)


def _server_is_behind(connection: Connection, name: str, folder: Path) -> StoreError | None:
    """What a reader is told where there are migrations to run; raises for a database that is not for us."""
    from digest.store import postgres, postgres_tables

    if not inspect(connection).get_table_names(postgres.SCHEMA):
        return StoreError(f"{name}: there is no archive yet: run `digest run` first")
    if not postgres_tables.is_ours(connection):
        raise StoreError(f"{name}: the schema {postgres.SCHEMA} is another program's: name another database")
    revision, known = _revision(connection, postgres.SCHEMA), known_revisions(folder)
    if revision not in known:
        raise NewerDatabase(
            f"{name}: was made by a newer version of digest ({revision}): upgrade the program"
        )
    if revision == known[-1]:
        return None
    return OlderDatabase(f"{name}: was made by an older version of digest: run `digest run` once")


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise StoreError(f"{name}: {error}") from None


def write_revision(message: str, folder: Path | None = None) -> Path:
    """For developers: draft the next migration from what ``tables.py`` has and the migrations lack.

    Read what it wrote: Alembic sees neither a renamed column nor FTS5.
    """
    from alembic import command

    folder = folder or data_dir("migrations")
    engine = sqlite.new_engine(None, readonly=False, busy_timeout=0)
    try:
        bring_up_to_date(engine, None, folder=folder)
        with engine.connect() as connection:
            revision = f"{int(known_revisions(folder)[-1]) + 1:04}"
            command.revision(_config(connection, folder), message, autogenerate=True, rev_id=revision)
    finally:
        engine.dispose()
    return next(folder.glob(f"versions/{revision}_*.py"))


def _is_behind(connection: Connection, file: Path | None, folder: Path) -> bool:
    """Whether there are migrations to run; raises for a file that is not for us."""
    if not _tables(connection):
        return True
    if connection.exec_driver_sql("PRAGMA application_id").scalar() != sqlite.APPLICATION_ID:
        raise StoreError(f"{file}: is the database of another program: name another file")
    revision, known = _revision(connection), known_revisions(folder)
    if revision not in known:
        raise NewerDatabase(
            f"{file}: was made by a newer version of digest ({revision}): upgrade the program"
        )
    return revision != known[-1]


def _tables(connection: Connection, schema: str | None = None) -> list[str]:
    if connection.dialect.name != "sqlite":
        return inspect(connection).get_table_names(schema)
    # An inspector is a millisecond at each start: it compiles statements that are asked once.
    every = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    return list(connection.exec_driver_sql(every).scalars())


def _revision(connection: Connection, schema: str | None = None) -> str | None:
    if "alembic_version" not in _tables(connection, schema):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(engine: Engine, file: Path | None, folder: Path) -> None:
    sqlite.use_wal(engine)
    writer = sqlite.for_writing(engine)
    with writer.connect() as connection, sqlite.foreign_keys_off(connection), connection.begin():
        if not _is_behind(connection, file, folder):
            return  # another process did it while this one waited for the lock
        before = _revision(connection)
        if before is not None:
            _copy(file, before)
        connection.exec_driver_sql(f"PRAGMA application_id={sqlite.APPLICATION_ID}")
        _migrate(connection, str(file), folder, sqlite.one_line_errors(file))
        _check_references(connection, file)


def _migrate(
    connection: Connection,
    name: str,
    folder: Path,
    errors: AbstractContextManager[None],
    schema: str | None = None,
) -> None:
    """Bring the tables to the newest version; ``errors`` turns those a user can mend into ours. Raises
    StoreError for the others, too."""
    from alembic import command

    try:
        with errors:
            command.upgrade(_config(connection, folder, schema), "head")
    except DigestError:
        raise
    except Exception as exc:
        why = str(getattr(exc, "orig", exc)).partition("\n")[0]
        raise StoreError(f"{name}: could not be upgraded ({why}), it is as it was: report this") from exc


def _check_references(connection: Connection, file: Path | None) -> None:
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(3):
        raise StoreError(
            f"{file}: could not be upgraded (rows without their parent: {broken}): it is as it was"
        )


def _config(connection: Connection, folder: Path, schema: str | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=metadata, schema=schema)
    return config


def _copy(file: Path | None, revision: str) -> None:
    """A copy of the file as it is, named after its revision, whole or not there."""
    if file is None:
        return
    copy = file.with_name(f"{file.name}.{revision}.bak")
    partial = copy.with_name(f"{copy.name}.part")
    copies.copy(file, partial)
    partial.replace(copy)
