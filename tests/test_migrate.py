"""Migrations: any older file opens, a newer one is refused, and a failed upgrade changes nothing."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Table, inspect

from digest.data import data_dir
from digest.errors import DigestError, NewerDatabase, StoreBusy, StoreError
from digest.store import Store, migrate, sqlite
from digest.store.tables import Json, UtcDateTime, metadata
from digest.types import Evidence, Match, Page, Paper, Version, Window

NOW = datetime(2026, 5, 5, tzinfo=UTC)
PAPER = Paper(
    id="2605.00001",
    version=1,
    title="Kept",
    abstract="Whatever happens.",
    authors=("A",),
    categories=("cs.LG", "cs.CV"),
    submitted=NOW,
    updated=NOW,
    announced=NOW.date(),
    versions=(Version(1, NOW),),
)

MATCH = Match(topic="xai", paper=PAPER.id, score=0.5, silent=False, evidence=Evidence(), scorer="s")

NOW_AT = migrate.known_revisions(data_dir("migrations"))[-1]
"""The revision of this program, and that of a later one."""
LATER = f"{int(NOW_AT) + 1:04}"

ADD_A_COLUMN = """
    with op.batch_alter_table("paper", recreate="always") as batch:
        batch.add_column(sa.Column("licence", sa.Text()))
"""
BREAK_HALF_WAY = """
    op.create_table("half", sa.Column("a", sa.Text()))
    op.execute("DELETE FROM match")
    op.execute("INSERT INTO nowhere VALUES (1)")
"""
LEAVE_ORPHANS = """
    op.execute("DELETE FROM paper")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database of this version with a paper in it."""
    file = tmp_path / "digest.db"
    with Store.open(f"sqlite:///{file}") as store:
        store.add_papers("oai", Page((PAPER,), "here"), NOW)
        store.put_matches("xai", [MATCH], "fingerprint")
    return file


def next_version(folder: Path, body: str) -> Path:
    """The migrations of a later program."""
    later = folder / "later"
    shutil.copytree(data_dir("migrations"), later)
    script = (
        f'import sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{LATER}"\n'
        f'down_revision = "{NOW_AT}"\n\n\ndef upgrade():\n{body}'
    )
    (later / "versions" / f"{LATER}_later.py").write_text(script)
    return later


def upgrade(file: Path, folder: Path, busy_timeout: float = 0.01) -> None:
    engine = sqlite.new_engine(file, readonly=False, busy_timeout=busy_timeout)
    try:
        migrate.bring_up_to_date(engine, file, folder=folder)
    finally:
        engine.dispose()


def content(file: Path) -> list[str]:
    """Tables and rows, as SQL."""
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def ask(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def test_the_migrations_make_the_tables_the_program_uses(file: Path) -> None:
    """Alembic finds nothing to add, to drop or to change."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = sqlite.new_engine(file, readonly=True, busy_timeout=1)
    with engine.connect() as connection:

        def include_name(name: str | None, kind: str, _: object) -> bool:
            return not (kind == "table" and str(name).startswith("paper_word"))

        options = {"compare_type": True, "include_name": include_name}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        for table in metadata.tables.values():  # what Alembic does not compare
            found = inspect(connection).get_pk_constraint(table.name)
            assert found["constrained_columns"] == [column.name for column in table.primary_key]
    engine.dispose()


def test_a_drafted_migration_holds_plain_types_and_nothing_of_the_program(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(data_dir("migrations"), folder)
    table = Table("extra", metadata, Column("a", Json(Evidence)), Column("b", UtcDateTime))
    try:
        written = migrate.write_revision("extra", folder)
    finally:
        metadata.remove(table)
    text = written.read_text()
    assert written.name == f"{LATER}_extra.py"
    assert "sa.Text()" in text
    assert "sa.DateTime(timezone=True)" in text
    assert "digest" not in text


def test_migrations_import_nothing_of_the_program() -> None:
    for script in data_dir("migrations").rglob("*.py"):
        assert "import digest" not in script.read_text()
        assert "from digest" not in script.read_text()


def test_the_file_says_whose_it_is(file: Path) -> None:
    assert ask(file, "PRAGMA application_id") == [(sqlite.APPLICATION_ID,)]
    assert file.read_bytes()[68:72] == b"dgst"
    assert ask(file, "PRAGMA journal_mode") == [("wal",)]


def test_a_rebuilt_table_keeps_its_children(file: Path, tmp_path: Path) -> None:
    """With foreign keys on, dropping the old table would cascade to them."""
    before = ask(file, "SELECT * FROM match")
    upgrade(file, next_version(tmp_path, ADD_A_COLUMN))
    assert ask(file, "SELECT id, licence FROM paper") == [(PAPER.id, None)]
    assert ask(file, "SELECT * FROM match") == before
    assert len(before) == 1
    found = "SELECT rowid FROM paper_word WHERE paper_word MATCH 'whatever'"
    assert ask(file, found) == [(1,)]


def test_the_same_upgrade_with_foreign_keys_on_would_lose_them(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the test above can fail."""
    from contextlib import nullcontext

    monkeypatch.setattr(sqlite, "foreign_keys_off", lambda _: nullcontext())
    upgrade(file, next_version(tmp_path, ADD_A_COLUMN))
    assert ask(file, "SELECT * FROM match") == []


def test_foreign_keys_are_on_again_after_an_upgrade(file: Path, tmp_path: Path) -> None:
    engine = sqlite.new_engine(file, readonly=False, busy_timeout=1)
    migrate.bring_up_to_date(engine, file, folder=next_version(tmp_path, ADD_A_COLUMN))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


@pytest.mark.parametrize(
    ("body", "told"),
    [(BREAK_HALF_WAY, "no such table: nowhere"), (LEAVE_ORPHANS, "rows without their parent")],
)
def test_a_failed_upgrade_leaves_the_file_as_it_was(file: Path, tmp_path: Path, body: str, told: str) -> None:
    before = content(file)
    with pytest.raises(StoreError, match=f"could not be upgraded .*{told}") as error:
        upgrade(file, next_version(tmp_path, body))
    assert "\n" not in str(error.value)
    assert content(file) == before
    with Store.open(f"sqlite:///{file}") as store:
        assert store.papers([PAPER.id]) == [PAPER]


def test_an_upgrade_leaves_a_copy_of_the_older_file(file: Path, tmp_path: Path) -> None:
    before = content(file)
    upgrade(file, next_version(tmp_path, ADD_A_COLUMN))
    assert content(tmp_path / f"digest.db.{NOW_AT}.bak") == before
    assert not list(tmp_path.glob("*.part"))


def test_an_archive_of_the_first_version_keeps_its_papers(tmp_path: Path) -> None:
    """Versions and categories had tables of their own."""
    file = tmp_path / "digest.db"
    first = shutil.copytree(data_dir("migrations"), tmp_path / "first")
    for script in first.glob("versions/[0-9]*_*.py"):
        if not script.name.startswith("0001"):
            script.unlink()
    upgrade(file, first)
    with closing(sqlite3.connect(file)) as old:
        old.executescript("""
            INSERT INTO paper VALUES (1, '2605.00001', 2, '2026-05-05', 'new', x'00', 0,
              '2026-05-04 10:00:00.000000', '2026-05-05 11:00:00.123456', 'cs.LG cs.CV', 'Kept',
              '["A"]', 'Whatever happens.', NULL, NULL, NULL);
            INSERT INTO paper VALUES (2, '2605.00002', 1, '2026-05-05', 'new', x'01', 0,
              '2026-05-04 10:00:00.000000', '2026-05-04 10:00:00.000000', 'cs.CL', 'Without versions',
              '[]', '', NULL, NULL, NULL);
            INSERT INTO paper_version VALUES (1, 2, '2026-05-05 11:00:00.123456');
            INSERT INTO paper_version VALUES (1, 1, '2026-05-04 10:00:00.000000');
            INSERT INTO paper_category VALUES (1, 'cs.LG', 1), (1, 'cs.CV', 0), (2, 'cs.CL', 1);
            INSERT INTO paper_word(rowid, title, abstract, authors)
              SELECT number, title, abstract, authors FROM paper;
        """)
    with Store.open(f"sqlite:///{file}") as store:
        kept, without = store.papers(["2605.00001", "2605.00002"])
        assert kept.versions == (
            Version(1, datetime(2026, 5, 4, 10, tzinfo=UTC)),
            Version(2, datetime(2026, 5, 5, 11, 0, 0, 123456, tzinfo=UTC)),
        )
        assert (kept.updated, kept.categories) == (kept.versions[1].submitted, ("cs.LG", "cs.CV"))
        assert without.versions == ()
        assert [number for number, _ in store.search_words("whatever", 9)] == [1]
        assert store.filter_numbers([1, 2], Window(categories=("cs.CV",))) == [1]


def test_a_newer_database_is_refused_and_left_alone(file: Path, tmp_path: Path) -> None:
    upgrade(file, next_version(tmp_path, ADD_A_COLUMN))
    before = content(file)
    for readonly in (False, True):
        with pytest.raises(NewerDatabase, match=rf"made by a newer version of digest \({LATER}\): upgrade"):
            Store.open(f"sqlite:///{file}", readonly=readonly)
    assert content(file) == before


def test_an_older_database_is_not_upgraded_by_a_reader(file: Path, tmp_path: Path) -> None:
    engine = sqlite.new_engine(file, readonly=True, busy_timeout=1)
    with pytest.raises(StoreError, match="made by an older version of digest: run `digest run` once"):
        migrate.bring_up_to_date(engine, file, readonly=True, folder=next_version(tmp_path, ADD_A_COLUMN))
    engine.dispose()


@pytest.mark.parametrize("version", ["0001", None])
def test_the_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Path, version: str | None
) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TABLE thing (a)")
        if version:
            other.execute("CREATE TABLE alembic_version (version_num)")
            other.execute("INSERT INTO alembic_version VALUES (?)", [version])
    before = file.read_bytes()
    with pytest.raises(StoreError, match="is the database of another program"):
        Store.open(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_an_upgrade_waits_for_nobody_for_ever(file: Path, tmp_path: Path) -> None:
    later = next_version(tmp_path, ADD_A_COLUMN)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="another process is writing"):
            upgrade(file, later)


def test_processes_that_meet_at_a_new_file_make_it_once(tmp_path: Path) -> None:
    code = (
        "import sys; from digest.store import Store\n"
        "with Store.open(sys.argv[1], busy_timeout=30) as store: print(store.count_papers())\n"
    )
    path = {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/digest.db"]
    running = [subprocess.Popen(command, env=path, stdout=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in running] == [b"0\n"] * 3
    assert [file.name for file in tmp_path.iterdir()] == ["digest.db"]


def test_a_database_that_is_up_to_date_is_opened_without_alembic(file: Path) -> None:
    code = (
        "import sys; from digest.store import Store\n"
        "Store.open(sys.argv[1]).close(); print('alembic' in sys.modules, 'sqlalchemy.orm' in sys.modules)\n"
    )
    path = {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-c", code, f"sqlite:///{file}"]
    assert subprocess.run(command, env=path, capture_output=True, check=True).stdout == b"False False\n"


@pytest.mark.parametrize("layout", ["wheel", "checkout"])
def test_the_data_is_found_in_a_wheel_and_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    from digest import data

    package = tmp_path / "src" / "digest"
    folder = package / "_migrations" if layout == "wheel" else tmp_path / "migrations"
    folder.mkdir(parents=True)
    package.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(data, "__file__", str(package / "data.py"))
    assert data.data_dir("migrations") == folder
    with pytest.raises(DigestError, match="the folder of templates is missing: install digest again"):
        data.data_dir("templates")


def test_a_naive_time_is_refused_and_an_aware_one_turned_to_utc() -> None:
    from sqlalchemy.dialects.sqlite import dialect

    kind = UtcDateTime()
    for bind in (kind.bind_processor(dialect()), partial(kind.process_bind_param, _=dialect())):
        assert bind is not None
        with pytest.raises(ValueError, match="without a zone"):
            bind(NOW.replace(tzinfo=None))
    east = NOW.astimezone(timezone(timedelta(hours=8)))
    assert kind.process_bind_param(east, dialect()) == NOW
    assert kind.process_result_value(NOW.replace(tzinfo=None), dialect()) == NOW
    assert kind.process_bind_param(None, dialect()) is None


@given(st.datetimes(timezones=st.timezones()) | st.none())
def test_a_time_is_written_as_sqlalchemy_writes_it(moment: datetime | None) -> None:
    from sqlalchemy import DateTime
    from sqlalchemy.dialects.sqlite import dialect

    written = UtcDateTime().bind_processor(dialect())
    theirs = DateTime().dialect_impl(dialect()).bind_processor(dialect())
    assert written is not None
    assert theirs is not None
    with suppress(OverflowError):  # the first and last day there are
        assert written(moment) == theirs(moment and moment.astimezone(UTC))


def test_parts_and_deliveries_of_older_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    """The checksum of a part covers its entities now, and a delivery knows its message's number."""
    folder, file = tmp_path / "migrations", tmp_path / "older.sqlite3"
    shutil.copytree(data_dir("migrations"), folder)
    for script in folder.glob("versions/*.py"):
        if script.name[:4] > "0003":
            script.unlink()
    upgrade(file, folder)
    rows = [("<b>a</b>", "a", '[{"type":"bold","offset":0,"length":1}]'), ("b", "b", "[]"), ("c", "c", "[]")]
    with closing(sqlite3.connect(file, isolation_level=None)) as raw:
        raw.execute("INSERT INTO topic VALUES ('xai')")
        raw.execute(
            "INSERT INTO post (id, topic, topics, slot, genre, language, state, written_at, seen) "
            """VALUES (1, 'xai', '["xai"]', '2026-07-03', 'roundup', 'en', 'approved', """
            "'2026-07-03 12:00:00.000000', 0)"
        )
        for number, (html, text, entities) in enumerate(rows):
            known = hashlib.sha256(f"{html}\0{text}".encode()).hexdigest() if number < 2 else "another"
            raw.execute("INSERT INTO part VALUES (1, ?, ?, ?, ?, ?)", (number, html, text, entities, known))
        raw.execute(
            "INSERT INTO delivery (post, part, channel, state, attempts, receipt, updated) VALUES "
            "(1, 0, 'news', 'sent', 1, 'https://t.me/c/77/12', '2026-07-03 12:00:00.000000')"
        )
    with Store.open(f"sqlite:///{file}") as store:
        with pytest.raises(StoreError, match="part 2 of post 1 is not what was written"):
            store.post(1)
        ask_to(file, "DELETE FROM part WHERE number = 2")
        found = store.post(1)
        assert found is not None
        assert [one.type for one in found.parts[0].entities] == ["bold"]
        [sent] = store.deliveries()
        assert (sent.message, sent.sha256) == (12, found.parts[0].sha256)


def ask_to(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as raw:
        raw.execute(statement)


REVISIONS = migrate.known_revisions(data_dir("migrations"))
MERGED = {"paper_version", "paper_category"}
"""Tables whose rows stand in a column of another one now."""
RECKONED_ANEW = {("part", "sha256"), ("delivery", "sha256")}
JSON = {"authors": '["A"]', "versions": "[]", "entities": "[]", "choice": "{}", "evidence": "{}"}


def fill(connection: sqlite3.Connection) -> None:
    """Three rows for each table, each with a value of its own in every column."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'paper_word%'"
    for (table,) in connection.execute(f"{query} AND name != 'alembic_version'").fetchall():
        columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        parents = {
            link[3]: (link[2], link[4])
            for link in connection.execute(f'PRAGMA foreign_key_list("{table}")').fetchall()
        }
        connection.execute(f'DELETE FROM "{table}"')
        for row in (1, 2, 3):
            values = [value(connection, parents, column[1], column[2], row) for column in columns]
            marks = ", ".join("?" * len(values))
            connection.execute(f'INSERT INTO "{table}" VALUES ({marks})', values)


def value(
    connection: sqlite3.Connection, parents: dict[str, tuple[str, str]], name: str, kind: str, row: int
) -> object:
    """What stands in a column of a row; a reference is to the same row of its table."""
    while name in parents:
        table, name = parents[name]
        of_table = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        kind = next(column[2] for column in of_table if column[1] == name)
        parents = {
            link[3]: (link[2], link[4])
            for link in connection.execute(f'PRAGMA foreign_key_list("{table}")').fetchall()
        }
    by_kind: dict[str, object] = {
        "INTEGER": row,
        "BOOLEAN": row % 2,
        "FLOAT": row / 4,
        "DATE": f"2026-05-0{row}",
        "DATETIME": f"2026-05-0{row} 06:00:00.000000",
        "BLOB": bytes([row]),
        "TEXT": JSON.get(name, f"{name} {row}"),
    }
    return by_kind[kind]


def rows_of(file: Path) -> dict[str, list[dict[str, object]]]:
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'paper_word%'"
        names = [row[0] for row in connection.execute(query)]
        return {name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')] for name in names}


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_archive_of_any_version_keeps_every_row(tmp_path: Path, revision: str) -> None:
    file, then = tmp_path / "digest.db", shutil.copytree(data_dir("migrations"), tmp_path / "then")
    for script in then.glob("versions/[0-9]*.py"):
        if script.name.split("_")[0] > revision:
            script.unlink()
    upgrade(file, then)
    with closing(sqlite3.connect(file)) as connection, connection:
        fill(connection)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    before = rows_of(file)
    Store.open(f"sqlite:///{file}").close()
    after = rows_of(file)
    assert after.keys() >= before.keys() - MERGED
    for table in before.keys() - MERGED - {"alembic_version"}:
        same = [name for name in before[table][0] if (table, name) not in RECKONED_ANEW]
        assert [[row[name] for name in same] for row in after[table][:3]] == [
            [row[name] for name in same] for row in before[table]
        ], table
