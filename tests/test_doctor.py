"""The doctor: what it says of facts, and what it finds on a machine."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest import doctor
from digest.types import Backlog, Check, Pause, Room, Run
from loopback.world import World
from machine import TUESDAY, Machine, batch
from replay import LoopbackArxiv

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
GB = 1 << 30


def run(ago: timedelta, exit_code: int = 0) -> Run:
    when = NOW - ago
    return Run(id=1, command="run", as_of=when, started=when, finished=when, report=None, exit_code=exit_code)


@pytest.mark.parametrize(
    ("version", "journal", "level"),
    [
        ((3, 6, 23), "wal", "ok"),
        ((3, 7, 0), "wal", "note"),
        ((3, 40, 1), "wal", "note"),
        ((3, 51, 2), "wal", "note"),
        ((3, 51, 3), "wal", "ok"),
        ((3, 53, 0), "wal", "ok"),
        ((3, 40, 1), "memory", "ok"),
    ],
)
def test_a_sqlite_with_the_wal_reset_bug_is_noted(
    version: tuple[int, int, int], journal: str, level: str
) -> None:
    assert doctor.sqlite(version, journal).level == level


@pytest.mark.parametrize(
    ("room", "level"),
    [
        (Room(free=2 * GB, database=0), "ok"),
        (Room(free=GB - 1, database=0), "wrong"),
        (Room(free=20 * GB, database=11 * GB), "wrong"),
        (Room(free=23 * GB, database=11 * GB), "ok"),
    ],
)
def test_a_disk_without_room_for_a_copy_of_the_database_is_wrong(room: Room, level: str) -> None:
    assert doctor.disk(room).level == level


@pytest.mark.parametrize(
    ("day", "newest", "level", "said"),
    [
        (TUESDAY, TUESDAY, "ok", "Tuesday 2026-05-12"),
        (TUESDAY, date(2026, 5, 11), "ok", "not out yet"),
        (date(2026, 5, 17), date(2026, 5, 15), "ok", "has no batch"),
        (TUESDAY, date(2026, 5, 7), "wrong", "5 days"),
        (TUESDAY, None, "note", "none was seen"),
    ],
)
def test_five_days_without_a_batch_are_wrong(day: date, newest: date | None, level: str, said: str) -> None:
    found = doctor.batch(day, newest)
    assert (found.level, said in found.text) == (level, True)


@pytest.mark.parametrize(
    ("last", "level"),
    [
        (None, "note"),
        (run(timedelta(hours=20)), "ok"),
        (run(timedelta(days=3, hours=12)), "ok"),
        (run(timedelta(days=5)), "wrong"),
        (run(timedelta(hours=1), 75), "note"),
        (run(timedelta(hours=1), 1), "wrong"),
    ],
)
def test_a_run_that_failed_or_did_not_come_is_told(last: Run | None, level: str) -> None:
    assert doctor.last_run(NOW, last).level == level


@pytest.mark.parametrize(
    ("waits", "levels"),
    [
        (Backlog(), ["ok"]),
        (Backlog(unembedded=3), ["note"]),
        (Backlog(drafts=1), ["note"]),
        (Backlog(uncertain=1, failed=2), ["wrong", "wrong"]),
        (Backlog(queued=2, queued_since=NOW - timedelta(hours=1)), ["ok"]),
        (Backlog(queued=2, queued_since=NOW - timedelta(days=2)), ["wrong"]),
    ],
)
def test_what_waits_is_told_and_who_must_act(waits: Backlog, levels: list[str]) -> None:
    assert [one.level for one in doctor.backlog(NOW, waits)] == levels


@pytest.mark.parametrize(
    ("theirs", "level"),
    [
        (NOW + timedelta(seconds=90), "ok"),
        (NOW - timedelta(minutes=3), "note"),
        (NOW + timedelta(minutes=11), "wrong"),
        (NOW - timedelta(days=400), "wrong"),
    ],
)
def test_a_clock_that_is_off_is_told_by_how_much(theirs: datetime, level: str) -> None:
    found = doctor.clock(NOW, theirs, None)
    assert found.level == level
    assert level == "ok" or ("behind" if theirs > NOW else "ahead of") in found.text


def test_a_clock_that_was_set_back_is_seen_without_asking_anybody() -> None:
    assert doctor.clock(NOW, None, NOW - timedelta(1)).level == "ok"
    assert doctor.clock(NOW, None, NOW + timedelta(1)).level == "note"


def test_another_device_or_model_than_was_asked_for_is_wrong() -> None:
    assert doctor.gpu("auto", None).level == "ok"
    assert doctor.gpu("cuda:1", None).level == "wrong"
    assert doctor.gpu("auto", "NVIDIA H200").text == "NVIDIA H200"
    assert doctor.model("m", None, 384, 384).level == "ok"
    assert doctor.model("m", None, 384, 768).level == "wrong"
    assert doctor.model("m", "it is not there", None, 384).level == "wrong"


def test_a_channel_that_takes_nothing_is_wrong_and_says_how_to_mend_it() -> None:
    [found] = doctor.paused([Pause("news", "the bot was kicked", NOW)])
    assert (found.level, "kicked" in found.text) == ("wrong", True)
    assert "digest channel check news" in found.advice
    said = [("news", True, "it may post there"), ("old", False, "chat not found")]
    assert [(one.level, one.text) for one in doctor.rights(said)] == [
        ("wrong", "old: chat not found"),
        ("ok", "the bot may post to news"),
    ]


def test_an_answer_without_a_date_compares_no_clock() -> None:
    assert doctor.response_date(b"<html>") is None
    assert doctor.response_date(b"<responseDate>2026-05-12T12:00:00Z</responseDate>") == NOW


# On a machine.


@pytest.fixture
def arxiv() -> Iterator[LoopbackArxiv]:
    with LoopbackArxiv(World(batch(TUESDAY)), NOW + timedelta(hours=4)) as server:
        yield server


@pytest.fixture
def digest(arxiv: LoopbackArxiv, tmp_path: Path, fork: Callable[..., int]) -> Machine:
    return Machine(tmp_path, fork, arxiv.environment | {"DIGEST_EMBED_DEVICE": "cpu"})


def looked(digest: Machine, *words: str, code: int | None = None) -> dict[str, list[Check]]:
    done = digest("doctor", "--json", "--as-of", "2026-05-12", *words)
    assert code in (None, done.code), done.err
    found: dict[str, list[Check]] = {}
    for one in json.loads(done.out):
        found.setdefault(one["name"], []).append(Check(**one))
    return found


def test_the_sqlite_of_this_machine_is_told_of_as_the_list_says(digest: Machine) -> None:
    with digest.store():
        pass
    [found] = looked(digest)["sqlite"]
    assert found.text.startswith(f"SQLite {sqlite3.sqlite_version}")
    assert found.level == doctor.sqlite(sqlite3.sqlite_version_info, "wal").level


def test_before_the_first_run_nothing_is_wrong_and_nothing_is_made(digest: Machine) -> None:
    found = looked(digest, code=0)
    assert "digest run" in found["database"][0].text
    assert not (digest.folder / "home/digest.sqlite3").exists()


def test_a_machine_that_works_is_well_and_arxiv_is_asked_once_and_only_online(
    digest: Machine, arxiv: LoopbackArxiv
) -> None:
    assert digest("crawl", "--as-of", "2026-05-12").code == 0
    asked = len(arxiv.requests)
    found = looked(digest)
    assert len(arxiv.requests) == asked
    assert "--online" in found["arxiv"][0].text
    wrong = [one for checks in found.values() for one in checks if one.level == "wrong"]
    assert wrong == []
    assert [one.query for one in arxiv.requests[asked:]] == []
    online = looked(digest, "--online")
    assert [one.query["verb"] for one in arxiv.requests[asked:]] == ["Identify"]
    assert online["arxiv"][0].text == "answers"
    assert online["clock"][0].level == "wrong"  # the loopback plays May


def test_an_arxiv_that_does_not_answer_is_told_at_once(digest: Machine, arxiv: LoopbackArxiv) -> None:
    arxiv.faults.order("403")
    found = looked(digest, "--online", code=1)
    assert found["arxiv"][0].level == "wrong"
    assert "403" in found["arxiv"][0].text
    again = looked(digest, code=1)
    assert "no request before" in again["arxiv"][0].text


def test_a_damaged_page_is_found_and_a_lost_words_index_is_repaired(digest: Machine) -> None:
    assert digest("crawl", "--as-of", "2026-05-12").code == 0
    file = digest.folder / "home/digest.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO paper_word(paper_word) VALUES ('delete-all')")
        connection.commit()
    assert looked(digest, code=1)["database"][0].text == "the words' index holds 0 papers of 3"
    repaired = looked(digest, "--repair", code=0)
    assert repaired["repair"][0].text == "the words' index was made anew: 3 papers"
    assert repaired["database"][0].level == "ok"
    assert "part 2605.12001" in digest("search", "unlearning", "--mode", "words").out

    size = file.stat().st_size
    with file.open("r+b") as handle:
        handle.seek(size // 2)
        handle.write(b"\xff" * (size // 4))
    found = looked(digest, code=1)["database"][0]
    assert found.level == "wrong"
    assert "backup" in found.advice


def test_a_mistake_in_the_configuration_is_a_finding(digest: Machine) -> None:
    (digest.folder / "home/digest.toml").write_text("lookback_dasy = 3\n")
    found = looked(digest, code=1)
    assert "lookback_days" in found["configuration"][0].text


def test_the_report_has_a_line_for_each_thing_and_what_to_do(digest: Machine) -> None:
    said = digest("doctor", "--as-of", "2026-05-12").out
    assert "ok     disk" in said
    assert "note   last run" in said or "note   database" in said
    assert "→ digest run" in said
    assert said.splitlines()[-1].startswith("all is well")
