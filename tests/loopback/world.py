"""What the loopback arXiv knows: which papers were announced on which day, and in which state.

Everything that happens to a paper is an announcement: it appears, gets a new version, is withdrawn,
is cross-listed, is taken out. A paper held by moderation is one whose day is later than its first
version's. What a service shows at a moment is the last announcement of each paper that it has seen.
"""

from __future__ import annotations

import json
import lzma
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from digest.ids import CATEGORIES

NEW_YORK = ZoneInfo("America/New_York")


class RecordVersion(msgspec.Struct, frozen=True):
    """A version as the metadata snapshot has it."""

    version: str
    created: str


class Record(
    msgspec.Struct, frozen=True, rename=lambda name: name.replace("_ref", "-ref").replace("_no", "-no")
):
    """A line of the metadata snapshot: a paper in one state."""

    id: str
    title: str
    abstract: str
    categories: str
    versions: tuple[RecordVersion, ...]
    submitter: str | None = None
    authors: str | None = None
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    report_no: str | None = None
    license: str | None = None

    @property
    def version(self) -> int:
        """The number of the last version."""
        return int(self.versions[-1].version[1:])

    @property
    def codes(self) -> list[str]:
        """Categories, the primary one first."""
        return self.categories.split()

    @property
    def is_withdrawn(self) -> bool:
        """arXiv has no flag for it: authors say so in the comments."""
        return "withdrawn" in (self.comments or "").lower()

    def created(self, number: int) -> datetime:
        """When a version was submitted."""
        made = next(v.created for v in self.versions if v.version == f"v{number}")
        return parsedate_to_datetime(made).astimezone(UTC)


class Announcement(msgspec.Struct, frozen=True):
    """A paper goes out with the batch of a day, as it is from then on. ``deleted``: it is taken out;
    ``stamped``: its record is listed as late as that day, under an earlier date."""

    day: date
    record: Record
    deleted: bool = False
    stamped: date | None = None


class Listed(msgspec.Struct, frozen=True):
    """A paper as a service shows it. ``mailed`` is the day of its last announcement, ``before`` its
    state until then, if any; ``datestamp`` the day of the last change, ``order`` its place among the
    changes of that day."""

    record: Record
    before: Record | None
    mailed: date
    datestamp: date
    order: int
    deleted: bool

    @property
    def sets(self) -> list[str]:
        """OAI's sets: group:archive:class."""
        return [set_of(code) for code in self.record.codes]


# --- the calendar ---------------------------------------------------------------------------------


def batch_day(submitted: datetime) -> date:
    """The day of the batch in which a submission goes out: the deadline is 14:00 in New York, the
    mailing at 20:00 on Sunday to Thursday, the batch dated the next day
    (https://info.arxiv.org/help/availability.html)."""
    closes = (submitted.astimezone(NEW_YORK) + timedelta(hours=10)).date()
    after = {4: 3, 5: 3, 6: 2}  # Friday's goes out on Sunday evening, the weekend's on Monday evening
    return closes + timedelta(days=after.get(closes.weekday(), 1))


def newest_batch(moment: datetime, hours_before_midnight: float) -> date:
    """The newest batch at a moment, for a service that shows it so long before its day begins."""
    return (moment.astimezone(NEW_YORK) + timedelta(hours=hours_before_midnight)).date()


# https://info.arxiv.org/help/oa/index.html, https://info.arxiv.org/help/rss.html
HOURS = {"oai": 1.5, "api": 4.0, "rss": 0.0}
"""How long before midnight in New York each service shows the batch of the coming day."""


def set_of(code: str) -> str:
    """The OAI set of a category: cs.LG is cs:cs:LG, hep-th is physics:hep-th."""
    archive, _, name = code.partition(".")
    group = archive if archive in {"cs", "econ", "eess", "math", "q-bio", "q-fin", "stat"} else "physics"
    return f"{group}:{archive}:{name}" if name else f"{group}:{archive}"


def _sets() -> list[str]:
    depths = (1, 2, 3)
    return sorted({":".join(set_of(code).split(":")[:depth]) for code in CATEGORIES for depth in depths})


SETS = _sets()
"""All sets: groups, archives, categories."""


# --- the world ------------------------------------------------------------------------------------


class View:
    """All papers as a service shows them once it has seen the batch of a day."""

    def __init__(self, day: date, papers: Mapping[str, Listed]) -> None:
        self.day = day
        self.papers = papers
        self._sets: dict[str, list[Listed]] = {}

    def changed_since(self, day: date, set_spec: str | None) -> list[Listed]:
        """The papers of a set that changed on a day or later, in OAI's order."""
        listed = self._of_set(set_spec)
        return listed[bisect_left(listed, day, key=lambda one: one.datestamp) :]

    def _of_set(self, set_spec: str | None) -> list[Listed]:
        if (key := set_spec or "") not in self._sets:
            inside = (one for one in self.papers.values() if _in_set(one, key))
            self._sets[key] = sorted(inside, key=lambda one: (one.datestamp, one.order))
        return self._sets[key]

    def batch(self) -> list[Listed]:
        """The papers whose last announcement is of this very day."""
        return [one for one in self.papers.values() if one.mailed == self.day and not one.deleted]


def _in_set(one: Listed, set_spec: str) -> bool:
    return not set_spec or any(f"{spec}:".startswith(f"{set_spec}:") for spec in one.sets)


class World:
    """All announcements, and what can be seen of them at a moment."""

    def __init__(self, announcements: Iterable[Announcement] = ()) -> None:
        self._announcements: list[Announcement] = []
        self._touched: list[tuple[str, date]] = []
        self._views: dict[tuple[date, date | None], View] = {}
        self.add(announcements)

    def add(self, announcements: Iterable[Announcement]) -> None:
        """Let more happen."""
        self._announcements = sorted([*self._announcements, *announcements], key=lambda one: one.day)
        self._views.clear()

    def touch(self, paper: str, moment: datetime) -> None:
        """Something in a paper's record is corrected now: its datestamp moves, nothing is announced."""
        self._touched.append((paper, newest_batch(moment, HOURS["oai"])))
        self._views.clear()

    @property
    def announcements(self) -> tuple[Announcement, ...]:
        """All that happens, in the order of the days."""
        return tuple(self._announcements)

    def view(self, service: str, moment: datetime) -> View:
        """What a service shows at a moment."""
        return self.until(newest_batch(moment, HOURS[service]))

    def until(self, day: date) -> View:
        """What is to be seen once the batch of a day is out."""
        last = max((one.day for one in self._announcements if one.day <= day), default=None)
        key = (day, last)
        if key not in self._views:
            self._views[key] = View(day, self._papers(day))
        return self._views[key]

    def _papers(self, day: date) -> dict[str, Listed]:
        papers: dict[str, Listed] = {}
        for order, one in enumerate(self._announcements):
            if one.day <= day:
                known = papers.get(one.record.id)
                papers[one.record.id] = Listed(
                    record=one.record,
                    before=known.record if known else None,
                    mailed=one.day,
                    datestamp=one.stamped or one.day,
                    order=order,
                    deleted=one.deleted,
                )
        for order, (paper, touched) in enumerate(self._touched, len(self._announcements)):
            known = papers.get(paper)
            if known and known.datestamp <= touched <= day:
                papers[paper] = replace(known, datestamp=touched, order=order)
        return papers

    def version(self, paper: str, number: int, day: date) -> Record | None:
        """A paper as it was in one of its versions."""
        states = [one.record for one in self._announcements if one.day <= day and one.record.id == paper]
        return next((state for state in reversed(states) if state.version == number), None)


# --- from files -----------------------------------------------------------------------------------


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file in the schema of the metadata snapshot, plain or .xz."""
    decode = msgspec.json.Decoder(Record).decode
    with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as lines:
        for line in lines:
            if line.strip():
                yield decode(line)


def read_days(path: Path) -> dict[str, date]:
    """The day of each paper, from a file {day: [ids]}."""
    days = json.loads(path.read_text())
    return {paper: date.fromisoformat(day) for day, papers in days.items() for paper in papers}


def announcements(record: Record, day: date | None = None) -> Iterator[Announcement]:
    """All that happened to a paper: its first version goes out on a day (the one that follows from
    its date, if none is given), the later ones when they were submitted. What a record says holds
    for its last version: an earlier one had no comments, lest it be withdrawn before its time."""
    first = day or _first_day(record)
    for number in range(1, len(record.versions) + 1):
        state = replace(record, versions=record.versions[:number])
        if number < len(record.versions):
            state = replace(state, comments=None)
        submitted = record.created(int(record.versions[number - 1].version[1:]))
        yield Announcement(first if number == 1 else max(first, batch_day(submitted)), state)


def _first_day(record: Record) -> date:
    submitted = record.created(record.versions and int(record.versions[0].version[1:]))
    return submitted.date() if submitted.time() == time() else batch_day(submitted)


def load(papers: Path, days: Path | None = None) -> World:
    """The world of a file of records, all of them or those that the days name."""
    if days is None:
        return World(one for record in read_records(papers) for one in announcements(record))
    day = read_days(days)
    known = (record for record in read_records(papers) if record.id in day)
    return World(one for record in known for one in announcements(record, day[record.id]))
