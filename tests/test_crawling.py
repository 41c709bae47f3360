"""Crawling as a user does it: the real command line against a loopback arXiv."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.crawling import Progress, newest_batch
from digest.sources.oai import marks_of
from digest.store import Store
from digest.types import Page
from disks import make_room, small_disk
from loopback.faults import Faults
from loopback.world import Announcement, World
from machine import TUESDAY, Machine, batch, record
from replay import LoopbackArxiv


@pytest.fixture
def digest(tmp_path: Path, fork: Callable[..., int]) -> Machine:
    return Machine(tmp_path, fork)


@contextmanager
def arxiv(
    digest: Machine, *happened: Announcement, now: str | None = None, **more: Any
) -> Iterator[LoopbackArxiv]:
    """arXiv as of noon in New York on Tuesday, or of ``now``."""
    as_of = datetime.fromisoformat(now or "2026-05-12T16:00Z")
    with LoopbackArxiv(World(happened), as_of, **more) as loopback:
        digest.environ.update(loopback.environment)
        yield loopback


# --- each source, and what the archive has ------------------------------------------------------------


@pytest.mark.parametrize("source", ["oai", "rss", "api"])
def test_each_source_brings_the_papers_of_the_day(digest: Machine, source: str) -> None:
    with arxiv(digest, *batch(TUESDAY)) as loopback:
        done = digest("crawl", "--source", source, "--as-of", "2026-05-12", "--json")
        assert {one.service for one in loopback.requests} == {source}
        assert all("mailto:me@example.org" in one.agent for one in loopback.requests)
    assert done.code == 0, done.err
    assert done.report["stages"][0]["counts"]["new"] == 3
    listed = json.loads(digest("papers", "list", "--json").out)
    assert [one["id"] for one in listed] == ["2605.12001", "2605.12002", "2605.12003"]


def test_papers_are_listed_with_what_they_were_announced_as(digest: Machine) -> None:
    gone = Announcement(TUESDAY, record("2605.12004", TUESDAY, comments="Withdrawn by the author"))
    with arxiv(digest, *batch(date(2026, 5, 11), 1, categories="stat.ML cs.LG"), *batch(TUESDAY, 1), gone):
        digest.configure('"cs.LG", "stat.ML"')
        digest("crawl", "--as-of", "2026-05-12")
    found = json.loads(digest("papers", "list", "--announced", "2026-05-11", "--json").out)
    assert found == [
        {
            "id": "2605.11001", "version": 1, "primary": "stat.ML", "categories": ["stat.ML", "cs.LG"],
            "submitted": "2026-05-10T10:00:00Z", "announced": "2026-05-11", "announce_type": "new",
            "withdrawn": False,
        }
    ]  # fmt: skip
    later = json.loads(digest("papers", "list", "--since", "2026-05-12", "--until", "2026", "--json").out)
    assert [(one["id"], one["withdrawn"]) for one in later] == [("2605.12001", False), ("2605.12004", True)]
    table = digest("papers", "list").out.splitlines()
    assert table[0].split() == ["id", "version", "announced", "as", "submitted", "categories"]
    assert table[-1].split() == ["2605.12004", "v1", "2026-05-12", "new,", "withdrawn", "2026-05-11", "cs.LG"]
    assert digest("papers", "list", "--announced", "2026-05-12", "--since", "2026-05-12").code == 2
    assert "no papers" in digest("papers", "list", "--until", "2020").out


def test_the_first_crawl_begins_a_week_back_or_as_configured_and_each_source_keeps_its_place(
    digest: Machine,
) -> None:
    with arxiv(digest, *batch(TUESDAY)) as loopback:
        digest("crawl", "--as-of", "2026-05-12", DIGEST_ARXIV_FIRST_DAYS="3")
        digest("crawl", "--source", "rss", "--as-of", "2026-05-12")
        digest("crawl", "--as-of", "2026-05-12")
        asked = [one.query.get("from") for one in loopback.requests]
    assert asked == ["2026-05-09", None, "2026-05-05"], "first three days back, then a week before the last"
    with digest.store() as store:
        assert store.cursor("rss")
        assert marks_of(store.cursor("oai"))["cs"].high_water == TUESDAY


def test_less_than_three_seconds_between_requests_is_refused_but_on_this_machine(digest: Machine) -> None:
    done = digest("crawl", DIGEST_ARXIV_GAP_SECONDS="2.9")
    assert done.code == 2
    assert "DIGEST_ARXIV_GAP_SECONDS must be at least 3, not 2.9" in done.err
    with arxiv(digest, *batch(TUESDAY)):
        mixed = digest("crawl", DIGEST_ARXIV_RSS_URL="https://rss.arxiv.org/rss")
        assert (mixed.code, digest("crawl", "--as-of", "2026-05-12").code) == (2, 0)


# --- bulk ---------------------------------------------------------------------------------------------


def test_a_bulk_load_since_a_day_and_its_check_miss_nothing(digest: Machine) -> None:
    days = [date(2026, 4, day) for day in (1, 2, 3)]
    faults = Faults()
    with arxiv(digest, *(one for day in days for one in batch(day)), page_size=2, faults=faults):
        faults.order("modified record")  # shifts the list while it is paged through: one record is skipped
        digest("crawl", "--since", "2026-03-01", "--as-of", "2026-05-12")
        with digest.store() as store:
            assert store.count_papers() == 8
        done = digest("crawl", "--check", "--json", "--as-of", "2026-05-12")
        assert "oai-check cs: 9 identifiers, 1 fetched now" in done.notes
        assert done.report["stages"][0]["counts"]["new"] == 1
        assert "0 fetched now" in digest("crawl", "--check", "--json", "--as-of", "2026-05-13").notes
        some = digest("crawl", "--check", "--since", "2026-04-03", "--json", "--as-of", "2026-05-14")
        assert "oai-check cs: 4 identifiers, 0 fetched now" in some.notes


def test_since_and_check_are_for_the_harvest(digest: Machine) -> None:
    done = digest("crawl", "--check", "--source", "rss")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--source oai" in done.err


# --- backfill -----------------------------------------------------------------------------------------


class Ending(Faults):
    """Lets some requests through, then answers 429 until it is healed."""

    good = 10**9

    def next(self, service: str, later_page: bool) -> str | None:
        self.good -= 1
        return "429" if self.good < 0 else super().next(service, later_page)


def test_a_backfill_brings_what_holds_a_key_and_says_how_much(digest: Machine) -> None:
    held, other = (
        batch(date(2024, 5, 14), 4),
        batch(date(2024, 5, 15), 2, about="machines that are unlearning"),
    )
    with arxiv(digest, *held, *other, *batch(date(2017, 5, 12))) as loopback:
        done = digest("backfill", "unlearning", "--since", "2018", "--until", "2025", "--as-of", "2026-05-12")
        query = loopback.requests[0].query["search_query"]
    assert done.code == 0, done.err
    assert query == (
        '(ti:"machine unlearning" OR abs:"machine unlearning") AND (cat:cs.LG) AND '
        "submittedDate:[201801010000 TO 202601010000]"
    )
    assert "4 hold a key" in done.out
    assert "backfill:unlearning: 4 found, 4 hold a key, done until 2026-01-01" in done.err
    with digest.store() as store:
        assert store.count_papers() == 4
    again = digest("backfill", "unlearning", "--since", "2018", "--until", "2025", "--as-of", "2026-05-12")
    assert "done before" in again.out


def test_a_backfill_that_is_throttled_ends_with_75_and_goes_on_later(digest: Machine) -> None:
    more = "".join(f', "phrase number {number}"' for number in range(60))
    digest.configure(more=more)  # two queries: a query holds 40 phrases
    two = [*batch(date(2024, 5, 14)), *batch(date(2024, 5, 15), 2, about="phrase number 9")]
    faults = Ending()
    words = ("backfill", "unlearning", "--since", "2018", "--json", "--as-of", "2026-05-12")
    with arxiv(digest, *two, faults=faults) as loopback:
        faults.good = 1
        cut = digest(*words)
        assert (cut.code, cut.report["exit_code"]) == (75, 75)
        assert "429, too many requests, 3 times in a row; no request before 20" in cut.notes
        assert "search_query" not in cut.notes
        asked = len(loopback.requests)
        assert (digest(*words).code, len(loopback.requests)) == (75, asked), "it keeps away"
        status = " ".join(digest("status", "--as-of", "2026-05-12").out.split())
        assert "closed: arXiv answered 429, too many requests, 3 times in a row; no request before" in status
        assert "1 windows left" in status
        assert len(loopback.requests) == asked
        digest.open_the_gate()
        faults.good = 10**9
        done = digest(*words)
        assert len(loopback.requests) == asked + 1, "what was read is not asked for again"
    assert done.code == 0
    assert done.notes.endswith("backfill unlearning: 5 results, 5 hold a key")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("unlerning", "--since", "2018"), "did you mean unlearning?"),
        (("unlearning", "--since", "18"), "a year such as 2026"),
        (("unlearning", "--since", "2024", "--until", "2023"), "later than --until"),
        (("unlearning", "--since", "2030", "--as-of", "2026-05-12"), "later than today"),
        (("unlearning",), "--since"),
    ],
)
def test_a_wrong_backfill_is_told_in_one_line(digest: Machine, words: tuple[str, ...], said: str) -> None:
    done = digest("backfill", *words)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err


# --- single papers ------------------------------------------------------------------------------------


def test_single_papers_are_fetched_by_their_ids_and_are_no_news(digest: Machine) -> None:
    old = Announcement(date(2003, 1, 6), record("cs/0301001", date(2003, 1, 6)))
    with arxiv(digest, *batch(date(2024, 5, 14), 2, version=3), old) as loopback:
        done = digest("papers", "fetch", "2405.14001v1", "arXiv:cs/0301001", "--as-of", "2026-05-12")
        assert [request.query["id_list"] for request in loopback.requests] == ["2405.14001,cs/0301001"]
    assert (done.code, "new 2" in done.out) == (0, True), done.err
    listed = digest("papers", "list", "--json").report
    assert [(one["id"], one["version"]) for one in listed] == [("cs/0301001", 1), ("2405.14001", 3)]
    with digest.store() as store:
        assert store.day_counts(date(2026, 5, 1), date(2026, 5, 12)) == {}


def test_what_cannot_be_fetched_is_named_and_the_rest_is_stored(digest: Machine) -> None:
    with arxiv(digest, *batch(date(2024, 5, 14), 1)):
        done = digest("papers", "fetch", "2405.14001", "2405.99999", "nonsense", "--as-of", "2026-05-12")
    assert done.code == 65
    assert "skipped api: 2405.99999: arXiv has no such paper" in done.out
    assert "skipped api: nonsense: " in done.out
    assert "new 1 · newer 0 · unchanged 0 · skipped 2" in done.out


def test_a_fetch_that_is_throttled_ends_with_75(digest: Machine) -> None:
    faults = Ending()
    faults.good = 0
    with arxiv(digest, *batch(date(2024, 5, 14), 1), faults=faults):
        done = digest("papers", "fetch", "2405.14001", "nonsense", "--as-of", "2026-05-12")
    assert done.code == 75
    assert "too many requests" in done.out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_and_rare_elsewhere() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for out in (terminal, pipe):
        told = Progress("oai", out)
        for _ in range(3):
            told(Page((), None))
        told.end()
    assert "\n" not in terminal.getvalue()
    assert "oai: 0 papers, 3 pages" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert pipe.getvalue() == ""


# --- days without papers --------------------------------------------------------------------------------

CRAWLED = ("crawl", "--json", "--as-of")


def test_a_day_without_papers_says_why(digest: Machine) -> None:
    """In New York's calendar: midnight there is 04:00 UTC in May."""
    friday = date(2026, 5, 15)
    with arxiv(digest, *batch(friday), now="2026-05-15T16:00Z") as loopback:
        assert "batch" not in digest(*CRAWLED, "2026-05-15").notes
        again = digest(*CRAWLED, "2026-05-15T20:00Z").notes
        assert "nothing new: the batch of Friday 2026-05-15 was read before, 3 papers of it" in again
        loopback.as_of = datetime(2026, 5, 17, 16, tzinfo=UTC)
        assert "nothing new: the batch" in digest(*CRAWLED, "2026-05-16T03:59Z").notes
        saturday = digest(*CRAWLED, "2026-05-16T04:01Z").notes
        assert saturday.count("Saturday 2026-05-16 has no batch") == 1
        assert "no batch of Monday 2026-05-18: a deferred mailing" in digest(*CRAWLED, "2026-05-18").notes
        assert "ALARM" not in digest(*CRAWLED, "2026-05-20T03:59Z").notes
        for source in ("oai", "rss", "api"):
            done = digest("crawl", "--source", source, "--json", "--as-of", "2026-05-20T04:01Z")
            assert "ALARM: no batch since Friday 2026-05-15: 5 days" in done.notes
        assert "ALARM: no batch since Friday 2026-05-15" in digest("status", "--as-of", "2026-05-20").out
        assert "ALARM" not in digest("status", "--as-of", "2026-05-19").out


def test_a_stale_feed_is_told_and_brings_nothing(digest: Machine) -> None:
    with arxiv(digest, *batch(date(2026, 5, 11)), *batch(TUESDAY), now="2026-05-11T16:00Z") as loopback:
        digest("crawl", "--source", "rss", "--as-of", "2026-05-11")
        loopback.as_of = datetime(2026, 5, 12, 16, tzinfo=UTC)
        loopback.faults.order("stale feed")
        done = digest("crawl", "--source", "rss", "--json", "--as-of", "2026-05-12")
        assert "stale: dated 2026-05-12, it still shows the batch of 2026-05-11" in done.notes
        assert "no batch of Tuesday 2026-05-12" in done.notes
        later = digest("crawl", "--source", "rss", "--json", "--as-of", "2026-05-12T20:00Z")
        assert later.report["stages"][0]["counts"]["new"] == 3


def test_a_throttled_crawl_counts_what_it_read_and_says_until_when(digest: Machine) -> None:
    faults = Ending()
    with arxiv(digest, *batch(TUESDAY, 6), page_size=2, faults=faults):
        faults.good = 2
        done = digest(*CRAWLED, "2026-05-12")
        assert (done.code, done.report["stages"][0]["counts"]["new"]) == (75, 4)
        assert "no request before" in done.notes
        digest.open_the_gate()
        faults.good = 10**9
        assert digest(*CRAWLED, "2026-05-12T20:00Z").report["stages"][0]["counts"]["new"] == 2


# --- without a network -----------------------------------------------------------------------------------


def test_a_run_without_a_network_goes_on_and_says_so_in_time(digest: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/oai"
    begun = time.monotonic()
    done = digest("run", "--json", "--as-of", "2026-05-12", DIGEST_ARXIV_OAI_URL=nowhere)
    assert time.monotonic() - begun < 15 + 10 * (os.getloadavg()[0] > 2)
    assert done.code == 75
    assert "arXiv cannot be reached (127.0.0.1: Connection refused); run again when the network" in done.notes
    assert [stage["stage"] for stage in done.report["stages"]] == [
        "crawl",
        "embed",
        "match",
        "write",
        "deliver",
    ]
    assert max(len(note) for note in done.report["stages"][0]["notes"]) < 200
    status = digest("status", "--json").report
    assert status["arxiv"]["gate"].startswith("open")


# --- what is no fault of arXiv's -------------------------------------------------------------------------


def test_a_locked_database_ends_a_run_and_says_so(digest: Machine) -> None:
    with arxiv(digest, *batch(TUESDAY)), digest.store() as store:
        with closing(sqlite3.connect(store.file or "", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            done = digest("run", "--as-of", "2026-05-12")
        assert (done.code, done.out, done.err.count("\n")) == (75, "", 1)
        assert "digest.sqlite3: another process is writing: try again in a moment" in done.err
        assert digest("crawl", "--as-of", "2026-05-12", "--json").report["stages"][0]["counts"]["new"] == 3


def test_a_full_disk_ends_a_run_and_says_so_and_nothing_is_lost(digest: Machine) -> None:
    with small_disk(digest.folder / "disk", "800k") as disk:
        digest.environ["DIGEST_HOME"] = str(disk)
        shutil.copy(digest.folder / "home/digest.toml", disk)
        with arxiv(digest, *batch(TUESDAY, abstract="We study machine unlearning. " * 4000)):
            done = digest("run", "--as-of", "2026-05-12")
            assert (done.code, done.out) == (75, "")
            assert "the disk is full, this step was not stored: make room and run again" in done.err
            make_room(disk)
            done = digest("crawl", "--as-of", "2026-05-12", "--json")
    assert done.report["stages"][0]["counts"]["new"] == 3


def test_a_full_disk_under_the_gate_ends_a_run_and_says_so(digest: Machine) -> None:
    with small_disk(digest.folder / "disk", "4k") as disk:
        (disk / "all of it").write_bytes(bytes(4096))
        digest.environ["XDG_STATE_HOME"] = str(disk)
        with arxiv(digest, *batch(TUESDAY)) as loopback:
            done = digest("run", "--as-of", "2026-05-12")
            assert loopback.requests == []
    assert done.code == 75
    assert re.fullmatch(r"digest: .*gate.*make room and run again.*\n", done.err)


# --- what is news ------------------------------------------------------------------------------------------


def test_a_second_version_never_seen_before_is_stored_and_not_posted(digest: Machine) -> None:
    """We joined late: its first version was announced yesterday, within the days a run looks back."""
    joined = Announcement(TUESDAY, record("2605.11009", date(2026, 5, 11), version=2))
    with arxiv(digest, *batch(TUESDAY), joined):
        digest("crawl", "--as-of", "2026-05-12")
    digest("match", "--as-of", "2026-05-12")
    with digest.store() as store:
        [paper] = store.papers(["2605.11009"])
        assert (paper.version, paper.announce_type, paper.announced) == (2, "replace", date(2026, 5, 10))
        matched = {one.paper for one in store.matches("unlearning", date(2026, 5, 1), TUESDAY, 0.0)}
    assert matched == {"2605.12001", "2605.12002", "2605.12003"}


SLOWLY = pytest.mark.slow


@pytest.mark.parametrize(
    ("held", "late"),
    [(5, False), pytest.param(12, False, marks=SLOWLY), pytest.param(20, False, marks=SLOWLY), (12, True)],
)
def test_a_held_paper_that_a_backfill_brought_is_posted_once_it_is_announced(
    digest: Machine, held: int, late: bool
) -> None:
    """Submitted on a Monday, seen by a backfill on Wednesday, announced after so many days; ``late``: seen
    by the harvest when that day's post is written already, so it comes with the next one."""
    first = date(2026, 5, 11)
    day = first + timedelta(days=held)
    days = [first + timedelta(days=3), day, day + timedelta(days=1)]
    paper = record(f"{day:%y%m}.00042", first + timedelta(days=1))
    with arxiv(digest, Announcement(first, paper), now="2026-05-13T16:00Z"):
        assert digest("backfill", "unlearning", "--since", "2026", "--as-of", "2026-05-13").code == 0
    with arxiv(digest, *(one for day in days for one in batch(day))) as loopback:
        for at, each in enumerate(days):
            loopback.as_of = datetime(each.year, each.month, each.day, 16, tzinfo=UTC)
            if at == 1 and not late:
                loopback.world.add([Announcement(day, paper)])
            steps = ("crawl", "match", "write")
            assert {digest(step, "--as-of", str(each)).code for step in steps} == {0}
            if at == 1 and late:
                loopback.world.add([Announcement(day, paper)])
                assert digest("crawl", "--as-of", str(each)).code == 0
    posts = digest("posts", "list", "--json").report
    assert {post["slot"] for post in posts} == set(map(str, days))
    assert {post["slot"] for post in posts if paper.id in post["papers"]} == {str(days[1 + late])}


def test_the_newest_batch_is_what_harvest_and_feeds_have_noted(tmp_path: Path) -> None:
    noon = datetime(2026, 5, 12, 16, tzinfo=UTC)
    with Store.open(f"sqlite:///{tmp_path / 'digest.sqlite3'}") as store:
        assert newest_batch(store, noon) is None
        store.add_papers("oai", Page((), '{"cs": {"newest": "2026-05-08"}}'), noon)
        store.add_papers("rss", Page((), '{"cs.LG": {"day": "2026-05-11"}}'), noon)
        assert newest_batch(store, noon) == date(2026, 5, 11)
        chain = '{"cs": {"newest": "2026-05-08", "chain": {"start": null, "newest": "2026-05-12"}}}'
        store.add_papers("oai", Page((), chain), noon)
        assert newest_batch(store, noon) == TUESDAY
