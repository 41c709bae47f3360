"""Weeks of crawls from a loopback arXiv that is ill: in the end the archive holds what was announced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from answers import Time
from digest import pipeline
from digest.days import new_york_day
from digest.errors import Deferred, InputError
from digest.sources.api import Api, Backfill
from digest.sources.oai import Check, Oai
from digest.sources.polite import Gate
from digest.sources.rss import Rss
from digest.store import Store
from digest.types import Page, Paper, StageReport
from loopback.faults import WIRE, Faults, names
from loopback.world import Announcement, Record, RecordVersion, World
from replay import LoopbackArxiv

START = date(2026, 5, 4)  # a Monday
DAYS = 12
# What takes seconds of the machine, or of real time, is for the long test.
SLOW = ("stall", "drip", "gzip bomb", "endless body")


def record(name: str, submitted: datetime, version: int = 1, **more: str) -> Record:
    """A paper of our own words; each version a day after the one before."""
    made = [submitted + timedelta(days=number) for number in range(version)]
    versions = tuple(
        RecordVersion(f"v{number}", f"{time:%a, %d %b %Y %H:%M:%S} GMT")
        for number, time in enumerate(made, 1)
    )
    told = {"title": f"Forgetting, part {name}", "abstract": f"Unlearning {version}.", "categories": "cs.LG"}
    return Record(id=name, versions=versions, authors="A. Author", **{**told, **more})  # type: ignore[arg-type]


def world_of(chance: Random) -> World:
    """Some weeks of arXiv: 12 papers a day, of which some were held by moderation, get new versions,
    are cross-listed, withdrawn or taken out later."""
    happened: list[Announcement] = []
    weekdays = [day for day in map(_later, range(DAYS)) if day.weekday() < 5]
    for day in weekdays:
        for at in range(1, 13):
            held = chance.choice((1, 1, 1, 5))
            first = datetime(day.year, day.month, day.day, 10, at, tzinfo=UTC) - timedelta(days=held)
            name = f"2605.{day.day:02}{at:03}"
            categories = chance.choice(("cs.LG", "cs.CV stat.ML", "stat.ML", "eess.IV cs.CV"))
            one = record(name, first, categories=categories)
            happened.append(Announcement(day, one))
            later = [after for after in weekdays if day < after <= day + timedelta(days=6)]
            if later and chance.random() < 0.4:
                happened.append(_change(chance, chance.choice(later), one, first))
    return World(happened)


def _later(days: int) -> date:
    return START + timedelta(days=days)


def _change(chance: Random, day: date, one: Record, first: datetime) -> Announcement:
    second = record(one.id, first, 2, categories=one.categories)
    match chance.randrange(4):
        case 0:
            return Announcement(day, replace(one, categories=f"{one.categories} cs.CY"))
        case 1:
            return Announcement(day, replace(second, comments="Withdrawn by the author"))
        case 2:
            return Announcement(day, one, deleted=True)
    return Announcement(day, second)


class Machine:
    """A crawler with its archive, the loopback arXiv, and one clock for both."""

    def __init__(self, folder: Path, world: World, *, rate: float, seed: int, slow: bool = False) -> None:
        among = [name for name in names("oai") if (slow or name not in SLOW) and name != "403"]
        self.world = world
        self.clock = Time()
        self.arxiv = LoopbackArxiv(
            world, self.now, page_size=7, faults=Faults(seed, rate, among), silence=0.8, clock=self.clock
        )
        self.gate = Gate(
            "digest/test",
            gap=3,
            state=folder / "gate.json",
            total=0.4 if slow else 20,
            patience=600,
            clock=self.clock,
            sleep=self.sleep,
            random=Random(seed).random,
        )
        self.store = Store.open(f"sqlite:///{folder / 'digest.sqlite3'}")
        self.sets = ("cs", "stat", "eess")
        self.deferred = 0

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now, UTC)

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def go_to(self, day: date) -> None:
        """01:30 in New York on a day, unless it is later already."""
        morning = datetime(day.year, day.month, day.day, 5, 30, tzinfo=UTC)
        self.clock.now = max(self.clock.now, morning.timestamp())

    def crawl(self, day: date) -> StageReport:
        """As cron does it: again, as long as it is deferred."""
        source = Oai(self.gate, f"{self.arxiv.base}/oai", self.sets)
        self.go_to(day)
        while True:
            self.arxiv.as_of = self.now
            try:
                return pipeline.crawl(self.store, [source], self.now)
            except Deferred:
                self.deferred += 1
                self.clock.now = max(self.gate.state().closed_until, self.clock.now + 900)

    def stored(self) -> dict[str, Paper]:
        ids = {one.record.id for one in self.world.announcements}
        return {paper.id: paper for paper in self.store.papers(sorted(ids))}

    def close(self) -> None:
        self.gate.close()
        self.store.close()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Machine]]:
    made: list[Machine] = []
    yield made
    for machine in made:
        machine.arxiv.stop()
        machine.close()


def start(machines: list[Machine], folder: Path, world: World, **more: object) -> Machine:
    folder.mkdir(exist_ok=True)
    machine = Machine(folder, world, **{"rate": 0.0, "seed": 0, **more})  # type: ignore[arg-type]
    machines.append(machine)
    machine.clock.now = datetime(2026, 5, 4, 5, 30, tzinfo=UTC).timestamp()
    machine.arxiv.start()
    return machine


def expect_all(machine: Machine, day: date) -> None:
    """Exactly what was announced until a day, each paper once, in its newest version."""
    first: dict[str, date] = {}
    last: dict[str, Announcement] = {}
    for one in machine.world.announcements:
        if one.day <= day:
            first.setdefault(one.record.id, one.day)
            last[one.record.id] = one
    stored = machine.stored()
    assert stored.keys() == first.keys()
    assert machine.store.count_papers() == len(first)
    for name, paper in stored.items():
        record = last[name].record
        assert paper.version == record.version, name
        assert paper.categories == tuple(record.codes), name
        assert paper.withdrawn == (last[name].deleted or record.is_withdrawn), name
        assert (paper.announced, paper.announce_type) == (first[name], "new"), name


def weeks(machines: list[Machine], folder: Path, **more: object) -> Machine:
    machine = start(machines, folder, world_of(Random(7)), **more)
    for day in map(_later, range(DAYS)):
        machine.crawl(day)
        if not machine.arxiv.world._touched:  # a record skipped by paging comes a day later
            expect_all(machine, day)
    machine.arxiv.faults._rate = 0.0
    machine.crawl(_later(DAYS))
    expect_all(machine, _later(DAYS))
    return machine


def test_day_by_day_the_archive_holds_what_was_announced(machines: list[Machine], tmp_path: Path) -> None:
    machine = weeks(machines, tmp_path)
    assert machine.deferred == 0
    assert min(machine.arxiv.gaps()) >= 0, "one connection at a time"


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_goes_wrong_nothing_is_lost_and_nothing_is_dated_anew(
    machines: list[Machine], tmp_path: Path, seed: int
) -> None:
    machine = weeks(machines, tmp_path, rate=0.4, seed=seed)
    struck = [one.fault for one in machine.arxiv.requests if one.fault]
    assert len(struck) > 60
    assert len(set(struck)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 13))
def test_whatever_goes_wrong_slowly_too(machines: list[Machine], tmp_path: Path, seed: int) -> None:
    weeks(machines, tmp_path, rate=0.3, seed=seed, slow=True)


@pytest.mark.parametrize("fault", [fault for fault in WIRE if fault not in SLOW])
def test_each_fault_that_strikes_once_is_survived(
    machines: list[Machine], tmp_path: Path, fault: str
) -> None:
    machine = start(machines, tmp_path, world_of(Random(1)))
    machine.arxiv.faults.order(fault)
    machine.crawl(START)
    assert machine.deferred == (fault == "403"), "that closes the gate for a day"
    missed = {
        one.record.id for one in machine.world.announcements if one.day == START
    } - machine.stored().keys()
    assert not missed
    assert [one for one in machine.arxiv.requests if one.service == "elsewhere"] == []


def test_weekends_and_the_days_before_are_explained(machines: list[Machine], tmp_path: Path) -> None:
    machine = start(machines, tmp_path, world_of(Random(7)))
    assert "no batch" not in " ".join(machine.crawl(_later(4)).notes)
    assert "Saturday 2026-05-09 has no batch" in machine.crawl(_later(5)).notes[-1]
    assert "ALARM" in machine.crawl(_later(30)).notes[-1]


def test_a_crawl_that_begins_late_does_not_take_new_versions_for_new_papers(
    machines: list[Machine], tmp_path: Path
) -> None:
    machine = start(machines, tmp_path, world_of(Random(7)))
    machine.crawl(_later(11))
    stored = machine.stored().values()
    assert {paper.announce_type for paper in stored if paper.version > 1} == {"replace"}
    assert all(paper.announced == new_york_day(paper.submitted) for paper in stored if paper.version > 1)


def test_the_check_finds_what_paging_has_skipped(machines: list[Machine], tmp_path: Path) -> None:
    machine = start(machines, tmp_path, world_of(Random(7)))
    machine.go_to(_later(11))
    machine.arxiv.as_of = machine.now
    machine.arxiv.faults.order("modified record", times=3)
    bulk = Oai(machine.gate, f"{machine.arxiv.base}/oai", ("",), first=None)
    pipeline.crawl(machine.store, [bulk], machine.now)
    known = lambda ids: set(machine.store.paper_numbers(ids))  # noqa: E731
    announced = {one.record.id for one in machine.world.announcements if not one.deleted}
    missing = announced - {one.id for one in machine.stored().values()}
    deleted = {one.record.id for one in machine.world.announcements if one.deleted}
    assert missing - deleted
    check = Check(machine.gate, f"{machine.arxiv.base}/oai", ("",), known)
    pipeline.crawl(machine.store, [check], machine.now)
    assert announced - deleted <= machine.stored().keys()


def test_feeds_and_harvest_together_keep_one_paper_once(machines: list[Machine], tmp_path: Path) -> None:
    machine = start(machines, tmp_path, world_of(Random(7)))
    known = lambda ids: set(machine.store.paper_numbers(ids))  # noqa: E731
    feeds = Rss(machine.gate, f"{machine.arxiv.base}/rss", ("cs.LG", "stat.ML", "cs.CV"), known)
    for day in map(_later, range(5)):
        machine.go_to(day)
        machine.arxiv.as_of = machine.now
        assert not [
            note for note in pipeline.crawl(machine.store, [feeds], machine.now).notes if "stale" in note
        ]
        machine.crawl(day)
        stored = machine.stored()
        for paper in stored.values():
            [*_, last] = [
                one for one in machine.world.announcements if one.record.id == paper.id and one.day <= day
            ]
            assert paper.version == last.record.version


def test_the_api_brings_what_was_submitted(machines: list[Machine], tmp_path: Path) -> None:
    machine = start(machines, tmp_path, world_of(Random(7)))
    machine.go_to(_later(3))
    machine.arxiv.as_of = machine.now
    source = Api(machine.gate, f"{machine.arxiv.base}/api/query", ("cs.LG", "stat.ML", "cs.CV"), page_size=20)
    machine.arxiv.faults.order("empty page")
    machine.arxiv.faults.order("repeated page")
    machine.arxiv.faults.order("no results")
    pipeline.crawl(machine.store, [source], machine.now)
    since = machine.now - timedelta(days=7)  # by submission: what was held for longer is not found
    happened = [one for one in machine.world.announcements if one.day <= _later(3)]
    gone = {one.record.id for one in machine.world.announcements if one.deleted}
    wanted = {one.record.id for one in happened if one.record.created(1) >= since} - gone
    assert len(wanted) > 40
    assert wanted <= machine.stored().keys()


def test_a_backfill_of_the_loopback_arxiv(machines: list[Machine], tmp_path: Path) -> None:
    machine = start(machines, tmp_path, world_of(Random(7)))
    machine.go_to(_later(11))
    machine.arxiv.as_of = machine.now
    source = Backfill(
        machine.gate, f"{machine.arxiv.base}/api/query", "u", ("unlearning",), ("cs.LG",), START, page_size=20
    )
    pages: list[Page] = list(source.fetch(None, machine.now))
    found = {paper.id for page in pages for paper in page.papers}
    assert len(found) > 10
    assert all("cs.LG" in paper.categories for page in pages for paper in page.papers)
    assert pages[-1].notes[-1].endswith("hold a key")


def test_an_unknown_category_is_told_in_arxivs_words(machines: list[Machine], tmp_path: Path) -> None:
    machine = start(machines, tmp_path, World())
    feeds = Rss(machine.gate, f"{machine.arxiv.base}/rss", ("cs.ZZZ",), lambda ids: set())
    with pytest.raises(InputError, match="ZZZ"):
        list(feeds.fetch(None, machine.now))
