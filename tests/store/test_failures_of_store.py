"""When it goes wrong: one line, and everything is as it was."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import DigestError, StoreBusy, StoreError, TryAgain
from digest.store import Store
from digest.store.sqlite import one_line_errors
from digest.types import (
    FollowUp,
    LeftOut,
    Part,
    Question,
    Review,
    Turn,
    Wording,
)
from stored import (
    CHILD,
    DAY,
    MODEL,
    NOW,
    REPORT,
    Archive,
    add,
    draft,
    filled,
    key,
    match,
    page,
    paper,
    rows,
    seed,
    words_are_in_step,
)

PART = Part("a", "a", ())
TURN = Turn(sender="bot", owner="me", until=NOW, chat="-1", rest=NOW)
FOLLOWUP = FollowUp(
    id=1,
    delivery=1,
    post=1,
    part=0,
    channel="news",
    chat="-1",
    message=1,
    kind="pin",
    state="sending",
    why="x",
)
WRITES: dict[str, Callable[[Store], object]] = {
    "add_papers": lambda store: store.add_papers("oai", page(paper(2)), NOW),
    "ensure_model": lambda store: store.ensure_model("new", 2),
    "add_vectors": lambda store: store.add_vectors(MODEL, rows(1)),
    "sync_keys": lambda store: store.sync_keys("unlearning", [seed()], NOW),
    "propose_keys": lambda store: store.propose_keys([key()], NOW),
    "decide_key": lambda store: store.decide_key("xai", "a", "a", "active", by="a", reason="", now=NOW),
    "put_matches": lambda store: store.put_matches("unlearning", [match(1)], "f"),
    "put_left_out": lambda store: store.put_left_out("unlearning", DAY, [LeftOut(paper(1).id, "w")]),
    "add_posts": lambda store: add(store, draft(1)),
    "set_post_state": lambda store: store.set_post_state(1, ("draft",), "approved", NOW),
    "put_off": lambda store: store.put_off(1, NOW, NOW, by="me"),
    "put_version": lambda store: store.put_version(1, 1, draft(1), (), NOW, by="me", what="text"),
    "put_wording": lambda store: store.put_wording("k", Wording("tell", "en", "m", "a", "b", None)),
    "claim_delivery": lambda store: store.claim_delivery("news", NOW),
    "record_delivery": lambda store: store.record_delivery(1, "sent", NOW),
    "set_delivery_state": lambda store: store.set_delivery_state(1, ("failed",), "queued", NOW),
    "recover_deliveries": lambda store: store.recover_deliveries(NOW),
    "hold_deliveries": lambda store: store.hold_deliveries(["news"], "why", NOW),
    "take_turn": lambda store: store.take_turn("bot", "me", NOW, NOW + timedelta(1)),
    "end_turn": lambda store: store.end_turn("bot", "me"),
    "rest_sender": lambda store: store.rest_sender("bot", NOW),
    "move_chat": lambda store: store.move_chat("-1", "-1001"),
    "note_message": lambda store: store.note_message("-1", 7),
    "pause_channel": lambda store: store.pause_channel("news", "-1", "kicked", NOW),
    "resume_channel": lambda store: store.resume_channel("news"),
    "put_cursor": lambda store: store.put_cursor("updates", "7", NOW),
    "put_review": lambda store: store.put_review(Review(1, "v", "7", 1)),
    "replace_part": lambda store: store.replace_part(1, 0, PART, PART, now=NOW, by="editor"),
    "add_edit": lambda store: store.add_edit(1, PART, "", "why", NOW),
    "add_once": lambda store: store.add_once(1, "pin", "why", NOW),
    "claim_followup": lambda store: store.claim_followup("news", ("edit",), NOW, TURN),
    "record_followup": lambda store: store.record_followup(FOLLOWUP, "sent", NOW),
    "recover_followups": lambda store: store.recover_followups(["news"], NOW),
    "put_told": lambda store: store.put_told([1], ["news"], NOW),
    "put_reactions": lambda store: store.put_reactions(["-1"], 7, {"👍": 1}),
    "put_question": lambda store: store.put_question(Question("7", 1, 1, 0, "v")),
    "add_feedback": lambda store: store.add_feedback("unlearning", "2605.00001", "like", "human", NOW),
    "put_run": lambda store: store.put_run("run", REPORT, NOW),
    "rebuild_words": lambda store: store.rebuild_words(),
}
READS: dict[str, Callable[[Store], object]] = {
    "papers_at": lambda store: store.papers_at([1]),
    "papers": lambda store: store.papers(["2605.00001"]),
    "paper_numbers": lambda store: store.paper_numbers(["2605.00001"]),
    "arrivals": lambda store: store.arrivals(["2605.00001"]),
    "all_papers": lambda store: list(store.all_papers()),
    "papers_by_year": lambda store: store.papers_by_year(DAY),
    "spread_of_years": lambda store: store.spread_of_years(2020, 2026, DAY, 1),
    "silent_matches": lambda store: store.silent_matches("unlearning", 0),
    "feedback": lambda store: store.feedback("unlearning"),
    "feedback_of": lambda store: store.feedback_of("2605.00001"),
    "opinions": lambda store: store.opinions("unlearning"),
    "count_feedback": lambda store: store.count_feedback("unlearning"),
    "posts_with": lambda store: store.posts_with("2605.00001"),
    "merged_into": lambda store: store.merged_into("2605.00001"),
    "announced_between": lambda store: store.announced_between(DAY, DAY),
    "listed_between": lambda store: store.listed_between(DAY, None),
    "newest_until": lambda store: store.newest_until(DAY, 1),
    "spread_with_phrases": lambda store: store.spread_with_phrases(["paper"], DAY, 1),
    "with_phrases": lambda store: store.with_phrases(["paper"], DAY, 1),
    "day_counts": lambda store: store.day_counts(DAY, DAY),
    "latest_announced": lambda store: store.latest_announced(DAY),
    "count_papers": lambda store: store.count_papers(),
    "highest_number": lambda store: store.highest_number(),
    "cursor": lambda store: store.cursor("oai"),
    "model_dimension": lambda store: store.model_dimension(MODEL),
    "count_without_vector": lambda store: store.count_without_vector(MODEL),
    "texts_without_vector": lambda store: list(store.texts_without_vector(MODEL, 1)),
    "vectors": lambda store: store.vectors(MODEL, ["2605.00001"]),
    "newest_vector": lambda store: store.newest_vector(MODEL),
    "vectors_since": lambda store: list(store.vectors_since(MODEL, 0)),
    "some_texts": lambda store: store.some_texts(3),
    "papers_with_texts": lambda store: store.papers_with_texts([b"1" * 16]),
    "vector_state": lambda store: store.vector_state(MODEL),
    "keys": lambda store: store.keys("unlearning"),
    "count_keys": lambda store: store.count_keys("proposed"),
    "key_history": lambda store: store.key_history("unlearning", "a"),
    "stood_elsewhere": lambda store: store.stood_elsewhere("xai"),
    "fit_fingerprint": lambda store: store.fit_fingerprint("unlearning"),
    "matches": lambda store: store.matches("unlearning", DAY, DAY, 0),
    "matches_of": lambda store: store.matches_of("2605.00001"),
    "left_out": lambda store: store.left_out("2605.00001"),
    "scores": lambda store: store.scores("unlearning", ["2605.00001"]),
    "first_post": lambda store: store.first_post("unlearning", "roundup", DAY),
    "facets": lambda store: store.facets([1, 2]),
    "slots": lambda store: store.slots(DAY, 10),
    "published_mark": lambda store: store.published_mark(),
    "last_post": lambda store: store.last_post("unlearning", "roundup", DAY),
    "turn": lambda store: store.turn("xai", "roundup", DAY),
    "wording": lambda store: store.wording("k"),
    "posted_papers": lambda store: store.posted_papers(),
    "posted_since": lambda store: store.posted_since(DAY),
    "posts": lambda store: store.posts(),
    "post": lambda store: store.post(1),
    "choices": lambda store: store.choices(1),
    "as_written": lambda store: store.as_written(1),
    "history": lambda store: store.history(1),
    "post_at": lambda store: store.post_at(1, 1),
    "updates": lambda store: store.updates("xai", "roundup", DAY),
    "updates_of": lambda store: store.updates_of(1),
    "deliveries": lambda store: store.deliveries(),
    "next_due": lambda store: store.next_due("news", NOW, before=NOW),
    "is_waiting": lambda store: store.is_waiting("news", NOW),
    "sender_rests": lambda store: store.sender_rests("bot", NOW),
    "chat": lambda store: store.chat("-1"),
    "pause": lambda store: store.pause("news", "-1"),
    "review": lambda store: store.review(1),
    "standing": lambda store: store.standing("news", NOW),
    "last_edits": lambda store: store.last_edits([1]),
    "followup_waits": lambda store: store.followup_waits("news", ("edit",), NOW),
    "followups": lambda store: store.followups(),
    "untold": lambda store: store.untold(["news"]),
    "reactions": lambda store: store.reactions(),
    "paper_reactions": lambda store: store.paper_reactions("xai"),
    "question": lambda store: store.question("7", 1),
    "runs": lambda store: store.runs(),
    "runs_since": lambda store: store.runs_since("run", NOW),
    "last_runs": lambda store: store.last_runs(),
    "damage": lambda store: store.damage(),
    "size": lambda store: store.size(),
    "journal": lambda store: store.journal(),
    "backlog": lambda store: store.backlog(MODEL),
    "paused": lambda store: store.paused(),
    "status": lambda store: store.status(MODEL),
}


def test_every_public_method_stands_in_one_of_the_two_lists() -> None:
    public = {name for name in dir(Store) if not name.startswith("_")} - {
        "open",
        "close",
        "schema",
        "name",
        "file",
        "held",
        "is_on_server",
        "near",
        "server",
        "sqlite_version",
    }
    assert public == WRITES.keys() | READS.keys()


@pytest.mark.parametrize("name", WRITES)
def test_a_write_to_a_locked_database_is_told_in_one_line(used: Archive, name: str) -> None:
    busy = pytest.raises(StoreBusy, match="another process is writing")
    with Store.open(used.url, busy_timeout=0.01) as store, used.locked(), busy as told:
        WRITES[name](store)
    assert used.name in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", READS)
def test_a_read_does_not_wait_for_a_writer(used: Archive, name: str) -> None:
    if name == "texts_without_vector" and used.store.is_on_server:
        pytest.skip("on a server the texts are shared with others: they are claimed")
    with Store.open(used.url, busy_timeout=0.01) as store, used.locked():
        READS[name](store)


@pytest.mark.parametrize("name", READS)
def test_a_readonly_store_reads(used: Archive, name: str) -> None:
    if name == "texts_without_vector" and used.store.is_on_server:
        pytest.skip("on a server the texts are shared with others: they are claimed")
    used.store.close()
    with Store.open(used.url, readonly=True) as store:
        READS[name](store)


@pytest.mark.parametrize("name", WRITES)
def test_a_readonly_store_does_not_write(used: Archive, name: str) -> None:
    refused = pytest.raises(StoreError, match="opened for reading only")
    with Store.open(used.url, readonly=True) as store, refused:
        WRITES[name](store)


def test_a_full_disk_is_told_and_leaves_the_database_whole(sqlite_archive: Archive) -> None:
    used = filled(sqlite_archive)
    many = [paper(number, abstract="word " * 500) for number in range(2, 500)]
    with used.store._engine.connect() as connection:  # the pool gives the same connection again
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 20}")
    with pytest.raises(TryAgain, match=f"{used.file}: the disk is full"):
        used.store.add_papers("oai", page(*many, cursor="further"), NOW)
    store = used.reopen()
    assert (store.count_papers(), store.cursor("oai")) == (1, "here")
    words_are_in_step(store)
    assert len(store.add_papers("oai", page(*many), NOW).new) == len(many)


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"Dear diary, " * 999)
    with pytest.raises(StoreError, match=r"notes\.txt: is not a database of digest"):
        Store.open(f"sqlite:///{file}")
    assert file.read_bytes() == b"Dear diary, " * 999


def test_a_damaged_database_is_told(sqlite_archive: Archive) -> None:
    used = filled(sqlite_archive)
    used.store.add_papers("oai", page(*map(paper, range(2, 400))), NOW)
    used.store.close()
    raw = bytearray(used.file.read_bytes())
    for start in range(4096, len(raw), 4096):
        raw[start : start + 64] = b"\xff" * 64
    used.file.write_bytes(raw)
    told = pytest.raises(StoreError, match=r"digest\.db: is damaged .*: put a backup in its place")
    with told, Store.open(used.url) as store:
        store.papers([paper(5).id])


def test_evidence_that_another_hand_has_broken_is_told(used: Archive) -> None:
    used.store.put_matches("unlearning", [match(1)], "f")
    used.by_hand("UPDATE match SET evidence = '{'")
    with pytest.raises(StoreError, match="holds what was not written by digest"):
        used.store.matches_of(paper(1).id)


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreBusy, "another process is writing"),
        (sqlite3.SQLITE_FULL, TryAgain, "the disk is full"),
        (sqlite3.SQLITE_IOERR_SHMSIZE, TryAgain, "the disk is full"),
        (sqlite3.SQLITE_IOERR_READ, StoreError, "the disk failed"),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreError, "is damaged"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StoreError, "may not be written: check who owns the file"),
        (sqlite3.SQLITE_PERM, StoreError, "may not be written"),
    ],
)
def test_what_sqlite_says_is_told_in_one_line(code: int, kind: type[DigestError], told: str) -> None:
    error = sqlite3.OperationalError("as SQLite puts it")
    error.sqlite_errorcode = code
    with pytest.raises(kind, match=f"^/a/digest.db: {told}[^\n]*$"), one_line_errors(Path("/a/digest.db")):
        raise error


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("digest.db", "is no database URL: write sqlite:///path/to/digest.db"),
        ("nonsense://", "the database is nonsense"),
    ],
)
def test_a_url_that_is_not_for_us_is_told(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        Store.open(url)


def test_a_missing_folder_and_a_folder_in_place_of_the_file_are_told(tmp_path: Path) -> None:
    for file in (tmp_path / "no" / "digest.db", tmp_path):
        with pytest.raises(StoreError, match="cannot be opened: check that its folder is there"):
            Store.open(f"sqlite:///{file}")
    assert list(tmp_path.iterdir()) == []


def test_reading_where_there_is_no_database_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database yet"):
        Store.open(f"sqlite:///{tmp_path}/digest.db", readonly=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_strange_name_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "новые статьи #1 100%.db"
    with Store.open(f"sqlite:///{file}") as store:
        store.add_papers("oai", page(paper(1)), NOW)
    assert file.exists()


def test_every_connection_is_as_safe_as_promised(sqlite_archive: Archive) -> None:
    """Two connections at a time: the second one is new to the pool."""
    used = filled(sqlite_archive)
    with used.store._engine.connect(), used.store._engine.connect() as second:
        pragmas = {"foreign_keys": 1, "synchronous": 2, "journal_mode": "wal", "busy_timeout": 5000}
        assert {name: second.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas} == pragmas


def test_nobody_else_can_put_in_what_belongs_to_nothing(used: Archive) -> None:
    refused = pytest.raises(Exception, match=r"FOREIGN KEY|foreign key")
    with used.store._opened.writer.connect() as connection, refused:
        connection.exec_driver_sql("INSERT INTO match VALUES ('unlearning', 99, 0.5, FALSE, '{}', 's')")


def test_errors_of_our_own_are_not_hidden(used: Archive) -> None:
    """A mistake in the program must not look like something the user can mend."""
    with (
        pytest.raises(Exception, match=r"no such table|does not exist") as told,
        used.store._reading() as connection,
    ):
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert not isinstance(told.value, DigestError)


def test_a_killed_process_leaves_the_database_whole(archive: Archive) -> None:
    """Killed in the middle of a transaction, by a signal no handler sees."""
    code = (
        "import os, sys; from digest.store import Store, papers\n"
        "from stored import NOW, page, paper\n"
        "papers.put_cursor = lambda *a: os.kill(os.getpid(), 9)\n"
        "Store.open(sys.argv[1]).add_papers('oai', page(*map(paper, range(1, 50))), NOW)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, archive.url], env=CHILD, check=False)
    assert done.returncode == -9
    store = archive.reopen()
    assert (store.count_papers(), store.cursor("oai")) == (0, None)
    assert store.damage() == []


def test_two_processes_write_at_once_and_neither_is_lost(archive: Archive) -> None:
    code = (
        "import sys; from digest.store import Store\n"
        "from stored import NOW, page, paper\n"
        "first = int(sys.argv[2])\n"
        "with Store.open(sys.argv[1], busy_timeout=30) as store:\n"
        "    for number in range(first, first + 60):\n"
        "        store.add_papers(str(first), page(paper(number), cursor=str(number)), NOW)\n"
    )
    command = [sys.executable, "-c", code, archive.url]
    running = [subprocess.Popen([*command, first], env=CHILD) for first in ("100", "200")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert archive.store.count_papers() == 120
    assert (archive.store.cursor("100"), archive.store.cursor("200")) == ("159", "259")
    words_are_in_step(archive.store)
