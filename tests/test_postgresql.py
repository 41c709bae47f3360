"""PostgreSQL: what it says differently, several machines at once, and an archive moved there and back."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from digest import config
from digest.actions import operations, stores
from digest.app import App
from digest.errors import DigestError, StoreError, TryAgain, UsageError
from digest.query import read
from digest.search import Searcher
from digest.store import Store
from digest.store import tables as ours
from digest.store.near import ServerIndex
from digest.store.papers import text_hash
from digest.types import Turn
from newsroom import Command
from postgres import Server, needs_postgres
from stored import (
    CHILD,
    DAY,
    MODEL,
    NOW,
    Archive,
    add,
    contents,
    draft,
    found,
    key,
    match,
    page,
    paper,
    reading,
    rows,
)

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def made(server: Server) -> Iterator[str]:
    """The name of a database with an archive in it."""
    name = server.create()
    Store.open(server.url(name)).close()
    yield name
    server.drop(name)


@pytest.fixture
def there(server: Server, made: str) -> Iterator[Archive]:
    """An empty archive on a server."""
    server.empty(made)
    archive = Archive(server.url(made), Store.open(server.url(made)))
    yield archive
    archive.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Archive]:
    """A file with something of everything in it."""
    url = f"sqlite:///{tmp_path}/here.db"
    archive = Archive(url, Store.open(url))
    fill(archive.store)
    yield archive
    archive.close()


def fill(store: Store) -> None:
    """Papers, vectors, keys, matches, posts, deliveries and turns."""
    store.add_papers("oai", page(*map(paper, range(1, 40)), cursor="ждём"), NOW)
    store.ensure_model(MODEL, 2)
    store.add_vectors(MODEL, rows(*range(1, 30)))
    store.propose_keys([key(), key("сжатие"), key("机器遗忘")], NOW)
    store.put_matches("unlearning", [match(n) for n in range(1, 9)], "f")
    add(store, draft(1, 2), draft(3, language="ru"))
    store.claim_delivery("news", NOW + timedelta(microseconds=1))
    store.note_message("-1001", 2**40)


# What it says differently.


def test_the_tables_are_those_of_the_program_with_wide_numbers_and_text_in_the_order_of_bytes(
    there: Archive,
) -> None:
    with there.store._reading() as connection:
        columns = connection.execute(
            text(
                "SELECT table_name, column_name, data_type, is_nullable, collation_name "
                "FROM information_schema.columns WHERE table_schema = 'digest'"
            )
        ).all()
        indexes = set(
            connection.scalars(text("SELECT indexname FROM pg_indexes WHERE schemaname = 'digest'"))
        )
    own = {"alembic_version", "near", "claim"}
    found_ = {(t, c): (kind, null == "YES", order) for t, c, kind, null, order in columns if t not in own}
    assert found_.pop(("paper", "search"))[0] == "tsvector"
    assert {at: null for at, (_, null, _) in found_.items()} == {
        (table.name, column.name): column.nullable
        for table in ours.metadata.sorted_tables
        for column in table.c
    }
    assert {kind for kind, _, _ in found_.values()} == {
        *("bigint", "text", "boolean", "bytea", "date", "double precision", "timestamp with time zone")
    }
    assert {order for kind, _, order in found_.values() if kind == "text"} == {"C"}
    wanted = {str(index.name) for table in ours.metadata.sorted_tables for index in table.indexes}
    assert wanted | {"ix_paper_search"} <= indexes


def test_a_nul_in_a_text_becomes_the_sign_for_what_cannot_be_shown(there: Archive) -> None:
    there.store.add_papers("oai", page(paper(1, title="a\0b"), cursor="c\0"), NOW)
    assert there.store.papers([paper(1).id])[0].title == "a\ufffdb"
    assert there.store.cursor("oai") == "c\ufffd"


def test_numbers_of_more_than_32_bits_fit(there: Archive) -> None:
    for number in (2**40, 7, 2**50):
        there.store.note_message("-1", number)
    assert there.store.chat("-1").last == 2**50


def test_words_are_sorted_by_their_bytes_as_in_a_file(there: Archive) -> None:
    ids = ["Beta.1", "alpha.2", "Alpha.10", "ähre", "äther"]
    there.store.add_papers("oai", page(*(paper(n, id=id_) for n, id_ in enumerate(ids, 1))), NOW)
    assert [one.id for one in there.store.listed_between(DAY, DAY)] == sorted(ids)


def test_years_are_those_of_utc_whatever_the_zone_of_the_server(there: Archive, server: Server) -> None:
    late = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    there.store.add_papers("oai", page(paper(1, submitted=late)), NOW)
    server.run("ALTER ROLE postgres SET timezone = 'Asia/Shanghai'")
    try:
        store = there.reopen()
        assert dict(store.papers_by_year(DAY)) == {(2025, "cs.LG"): 1}
        assert store.papers([paper(1).id])[0].submitted == late
    finally:
        server.run("ALTER ROLE postgres RESET timezone")


@pytest.mark.parametrize(
    ("text_", "numbers"),
    [
        ("and/or", [1]),
        ("Muller", [2]),
        ("МАШИННОЕ", [3]),
        ("机器遗忘", [4]),
        ('"state of the art"', [5]),
        ('"state the art"', []),
        ("unlearned -naive", [1]),
        ("ti:unlearning", [1]),
        ("abs:unlearning", [2]),
        ("au:nobody", []),
        ('"ends begins"', []),
        ("x'); DROP TABLE paper; --", []),
    ],
)
def test_a_query_finds_what_it_finds_in_a_file(there: Archive, text_: str, numbers: list[int]) -> None:
    """The same papers, best first, as SQLite's FTS5 gives."""
    papers = page(
        paper(1, title="Unlearning and/or forgetting", abstract="Plain."),
        paper(2, title="Müller’s naïve way", abstract="Of unlearning–again."),
        paper(3, title="Машинное забывание", abstract="Нет."),
        paper(4, title="机器遗忘", abstract="无."),
        paper(5, title="State-of-the-art ends", abstract="begins here"),
    )
    with Store.open("sqlite://") as file:
        for store in (there.store, file):
            store.add_papers("oai", papers, NOW)
        assert found(there.store, text_) == numbers == found(file, text_)


def test_a_word_of_the_title_and_a_rare_word_rank_before_others(there: Archive) -> None:
    there.store.add_papers(
        "oai",
        page(
            paper(1, title="A network", abstract="A network, and a word: erasure."),
            paper(2, title="Networks of a network", abstract="network network network"),
            paper(3, title="Erasure", abstract="Of concepts."),
            *(paper(n, title="Network", abstract="Another network.") for n in range(4, 12)),
        ),
        NOW,
    )
    assert found(there.store, "network erasure")[:2] == [3, 1]


def test_a_querys_filters_are_those_of_a_file(there: Archive) -> None:
    with Store.open("sqlite://") as file:
        for store in (there.store, file):
            fill(store)
        for asked in (
            "topic:unlearning",
            "-topic:unlearning",
            "cat:cs.CV paper",
            "year:2026",
            "id:2605.00003",
            "-cat:cs",
        ):
            query = read(asked)
            numbers = list(range(1, 40))
            assert reading(there.store).passing(numbers, query) == reading(file).passing(numbers, query)
            texts = [text_hash(one.text) for one in reading(file).papers(numbers)]
            passing = reading(file).passing_texts(texts, query)
            assert reading(there.store).passing_texts(texts, query) == passing
            assert {number for number, _ in passing} == set(reading(file).passing(numbers, query))
            assert reading(there.store).newest(query, 5) == reading(file).newest(query, 5)


# Vectors.


def test_the_nearest_by_the_index_are_those_by_comparing_all(there: Archive) -> None:
    store, size, k = there.store, 2000, 10
    drawn = np.random.default_rng(7).normal(size=(size, 32)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    store.ensure_model(MODEL, 32)
    store.add_vectors(MODEL, [(text_hash(str(at)), row) for at, row in enumerate(drawn)])
    index = store.near(MODEL)
    assert index is not None
    assert len(index) == size
    right = 0
    for asked in drawn[:20] + 0.1:
        exact = np.argsort(-(drawn @ asked))[:k]
        got = index.nearest(asked, k)
        right += len({text_hash(str(at)) for at in exact} & got.keys())
        assert list(got.values()) == sorted(got.values(), reverse=True)
    assert right >= 0.98 * 20 * k
    every = index.nearest(drawn[0], size)
    assert len(every) == size
    assert next(iter(every)) == text_hash("0")
    with store._reading() as connection:
        plan = "\n".join(
            connection.scalars(
                text(
                    "EXPLAIN SELECT number FROM near WHERE model = 1 "
                    "ORDER BY half::halfvec(32) <#> :v LIMIT 9"
                ),
                {"v": str(drawn[0].tolist())},
            )
        )
    assert "ix_near_" in plan


def test_where_few_pass_the_filters_these_alone_are_compared(
    there: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all vectors of a large archive would come over the network."""

    few = 2000
    monkeypatch.setattr("digest.search.FEW", few)

    class Shallow(ServerIndex):
        def nearest(self, vector: Any, k: int) -> dict[bytes, float]:
            assert k <= few
            return super().nearest(vector, k)

    papers = [paper(n, categories=("cs.LG",) if n % 500 else ("math.CO",)) for n in range(1, 2600)]
    there.store.add_papers("oai", page(*papers), NOW)
    there.store.ensure_model(MODEL, 2)
    there.store.add_vectors(MODEL, rows(*range(1, 2600)))
    asked = np.array([1, 0], np.float32)
    searcher = Searcher(reading(there.store), None, Shallow(there.store, MODEL), MODEL, lambda _: asked)
    hits = searcher.search(read("paper cat:math.CO"), 9, "vectors").hits
    wanted = {paper(n).id for n in range(500, 2600, 500)}
    assert {hit.id for hit in hits} == wanted
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_damaged_index_of_vectors_is_found_and_made_anew(there: Archive) -> None:
    fill(there.store)
    there.by_hand("DELETE FROM near WHERE number < 10")
    assert there.store.damage() == ["the index of vectors holds 20 of 29"]
    there.store.rebuild_words()
    assert there.store.damage() == []


# Several machines.


def test_a_duty_is_one_machines_at_a_time_and_free_when_it_is_killed(there: Archive) -> None:
    code = (
        "import sys, time; from digest.store import Store\n"
        "with Store.open(sys.argv[1]) as store, store.held(['run', 'crawl of oai']):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, there.url], env=CHILD, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with there.store.held(["crawl of rss"]):
            pass
        for duty in ("run", "crawl of oai"):
            with pytest.raises(TryAgain, match=f"a {duty} is under way .digest on .*try again"):
                with there.store.held([duty]):
                    pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    deadline = time.monotonic() + 20
    while True:
        try:
            with there.store.held(["run"]):
                break
        except TryAgain:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_two_who_embed_share_the_texts_and_those_of_a_killed_one_are_taken_over(there: Archive) -> None:
    there.store.add_papers("oai", page(*map(paper, range(1, 41))), NOW)
    there.store.ensure_model(MODEL, 2)
    with Store.open(there.url) as other:
        one, two = there.store.texts_without_vector(MODEL, 10), other.texts_without_vector(MODEL, 10)
        first, second = next(one), next(two)
        assert len(first) == len(second) == 10
        assert not {hash_ for hash_, _ in first} & {hash_ for hash_, _ in second}
        taken = [hash_ for batch in (first, *one) for hash_, _ in batch]
        two.close()
    assert len(taken) == len(set(taken)) == 30
    # The other one ended, and what it took has no vectors.
    assert sum(map(len, there.store.texts_without_vector(MODEL, 100))) == 40


def test_numbers_appear_in_their_order_so_that_who_follows_misses_none(there: Archive) -> None:
    """Of two who store vectors at the same time the second waits, though it had its numbers first."""
    code = (
        "import sys; from digest.store import Store\n"
        "from stored import MODEL, rows\n"
        "start = int(sys.argv[2])\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    for number in range(start, start + 40):\n"
        "        store.add_vectors(MODEL, rows(number))\n"
    )
    there.store.ensure_model(MODEL, 2)
    running = [
        subprocess.Popen([sys.executable, "-c", code, there.url, start], env=CHILD)
        for start in ("100", "500")
    ]
    followed: list[int] = []
    while any(process.poll() is None for process in running):
        for numbers, _, _ in there.store.vectors_since(MODEL, followed[-1] + 1 if followed else 0):
            followed += numbers.tolist()
    for numbers, _, _ in there.store.vectors_since(MODEL, followed[-1] + 1 if followed else 0):
        followed += numbers.tolist()
    assert [process.wait() for process in running] == [0, 0]
    assert len(followed) == 80


def test_one_of_two_machines_has_the_turn_of_a_bot(there: Archive) -> None:
    until = NOW + timedelta(seconds=150)
    with Store.open(there.url) as other:
        assert there.store.take_turn("bot", "me", NOW, until) is None
        assert other.take_turn("bot", "you", NOW, until) == until
        turn = Turn(sender="bot", owner="you", until=until, chat="-1", rest=NOW)
        assert other.claim_delivery("news", NOW, turn) is None


# An archive moved.


def test_an_archive_moved_there_and_back_is_the_same_and_goes_on(
    here: Archive, there: Archive, tmp_path: Path
) -> None:
    before = contents(here.store)
    assert sum(map(len, before.values())) > 100
    moved = stores.migrate(here.url, there.url, lambda _: None)
    assert contents(there.store) == before == contents(here.store)
    back = stores.migrate(there.url, str(tmp_path / "back.db"), lambda _: None)
    assert [(one.table, one.rows, one.checksum) for one in moved] == [
        (one.table, one.rows, one.checksum) for one in back
    ]
    with Store.open(f"sqlite:///{tmp_path}/back.db") as again:
        assert contents(again) == before
        assert found(again, "paper", 3) == found(here.store, "paper", 3)
        for store in (again, there.store):  # numbers go on where they ended
            assert store.add_papers("oai", page(paper(77)), NOW).new == (paper(77).id,)
            assert add(store, draft(4, language="zh")) == [3]
            assert store.damage() == []
    index = there.store.near(MODEL)
    assert index is not None
    assert len(index) == 29
    with there.store._reading() as connection:  # the planner knows the tables
        known = text("SELECT reltuples FROM pg_class WHERE oid = 'digest.paper'::regclass")
        assert connection.scalar(known) > 0


def test_an_archive_that_is_there_is_never_written_over(here: Archive, there: Archive) -> None:
    there.store.put_cursor("x", "1", NOW)
    with pytest.raises(StoreError, match=r"is not empty \(cursor has rows\)"):
        stores.migrate(here.url, there.url, lambda _: None)
    with pytest.raises(UsageError, match="the same"):
        stores.migrate(here.url, str(here.file), lambda _: None)
    with pytest.raises(StoreError, match="there is no database yet"):
        stores.migrate("sqlite:////nowhere/at/all.db", there.url, lambda _: None)


def test_a_nul_is_told_by_the_move(here: Archive, there: Archive) -> None:
    here.by_hand("UPDATE paper SET abstract = abstract || char(0) WHERE number = 3")
    copied = {one.table: one.changed for one in stores.migrate(here.url, there.url, lambda _: None)}
    assert {name for name, changed in copied.items() if changed} == {"paper"}
    assert there.store.papers([paper(3).id])[0].abstract.endswith("\ufffd")


@pytest.mark.parametrize("table", ["paper", "vector", "delivery"])
def test_a_move_that_is_killed_leaves_nothing_and_can_be_done_again(
    here: Archive, there: Archive, table: str
) -> None:
    code = (
        "import os, sys; from digest.actions import stores\n"
        "kill = lambda one: one.table == sys.argv[3] and os.kill(os.getpid(), 9)\n"
        "stores.migrate(sys.argv[1], sys.argv[2], kill)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, here.url, there.url, table], env=CHILD, check=False)
    assert done.returncode == -9
    assert not any(contents(there.store).values())
    assert stores.migrate(here.url, there.url, lambda _: None)
    assert contents(there.store) == contents(here.store)


# What a person is told.


def test_a_database_of_another_program_a_server_that_is_not_there_and_a_wrong_driver_are_told(
    server: Server,
) -> None:
    with server.database() as url:
        server.run("CREATE SCHEMA digest", url.split("/")[3].split("?")[0])
        server.run("CREATE TABLE digest.mine (a int)", url.split("/")[3].split("?")[0])
        with pytest.raises(StoreError, match="the schema digest is another program's: name another database"):
            Store.open(url)
    for url, told in {
        server.url("nowhere"): "there is no such database: createdb makes it",
        server.url("postgres", user="nobody"): r"the server lets nobody in \(role .nobody. does not exist",
        "postgresql+psycopg://me:hunter2@127.0.0.1:1/x?connect_timeout=1": "the server cannot be reached",
        "postgresql+asyncpg://me:hunter2@host/x": "the driver is psycopg",
    }.items():
        with pytest.raises(DigestError, match=told) as error:
            Store.open(url)
        assert "hunter2" not in str(error.value)
        assert "\n" not in str(error.value)


def test_reading_where_there_is_no_archive_makes_none(server: Server) -> None:
    with server.database() as url:
        with pytest.raises(StoreError, match="there is no archive yet: run `digest run` first"):
            Store.open(url, readonly=True)
        with Store.open(url) as store:
            assert store.count_papers() == 0


def test_a_server_without_the_right_to_pgvector_is_told(server: Server) -> None:
    for statement in ("DROP ROLE IF EXISTS lab", "CREATE ROLE lab LOGIN"):
        server.run(statement)
    with server.database() as url:
        name = url.split("/")[3].split("?")[0]
        server.run(f"ALTER DATABASE {name} OWNER TO lab")
        with pytest.raises(StoreError, match="let the server's administrator run CREATE EXTENSION vector"):
            Store.open(server.url(name, user="lab"))
        server.run("CREATE EXTENSION vector", name)
        with Store.open(server.url(name, user="lab")) as store:
            assert store.count_papers() == 0
    server.run("DROP ROLE lab")


def test_the_commands_speak_of_the_server_without_its_password(
    server: Server, there: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digest: Command
) -> None:
    fill(there.store)
    url = there.url.replace("postgres@", "postgres:hunter2@")
    monkeypatch.setenv("DATABASE_URL", url)
    home = tmp_path / "home"
    said = [digest(home, "-v", *words) for words in (("status",), ("doctor",), ("posts", "list"))]
    refused = digest(home, "backup", str(tmp_path / "b.zip"))
    assert "pg_dump" in refused.stderr
    assert re.search(r"postgresql +PostgreSQL \d+\.\d+, pgvector", said[1].stdout)
    assert "39 papers" in said[0].stdout
    for one in (*said, refused):
        assert "hunter2" not in one.stdout + one.stderr


def test_the_database_of_a_server_has_its_size_in_the_figures_and_takes_no_disk_here(
    there: Archive, tmp_path: Path
) -> None:
    with App(config.load(None, tmp_path, {"DIGEST_DATABASE": there.url}), NOW, quiet=True) as app:
        health = operations.health(app)
    assert health.database == there.store.size() > 1 << 20
    assert health.room.database == 0


def test_the_variable_of_another_programs_database_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("postgres://me@db/x", "postgresql://me@db/x"):
        assert config.load(None, tmp_path, {"DATABASE_URL": url}).database.startswith("sqlite")
    ours_ = {"DATABASE_URL": "postgresql+psycopg://me@db/x", "DIGEST_DATABASE": "postgresql://me@other/x"}
    assert config.load(None, tmp_path, ours_).database == ours_["DIGEST_DATABASE"]
    del ours_["DIGEST_DATABASE"]
    assert config.load(None, tmp_path, ours_).database == ours_["DATABASE_URL"]


def test_a_search_in_a_file_still_loads_nothing_of_postgresql() -> None:
    code = (
        "import sys, digest.cli, digest.store.database, digest.store.reader\n"
        "print([one for one in ('psycopg', 'pgvector', 'digest.store.postgres') if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **CHILD}, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
