"""arXiv's query API (https://info.arxiv.org/help/api/user-manual.html): papers by id, and the years
behind for one topic.

It selects by the day of *submission*, so a paper that was held by moderation falls out of a window of
days: the daily source is OAI-PMH. Its empty pages are no proof that there is nothing, its totals may
not be met, and it fails past 10,000 results; so windows of time are halved until they are small, an
empty page is asked for again, and what was counted is compared with what was promised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import cached_property

import msgspec
from msgspec.structs import replace

from digest import ids
from digest.errors import InputError, NotAnAnswer
from digest.phrases import KeyMatcher
from digest.sources.polite import Gate
from digest.sources.query import MOST_RESULTS, Span, chunks, minute, query, request
from digest.sources.snapshot import Record, RecordVersion, paper_from_record
from digest.sources.strict import Element, root_of, shown, text_of
from digest.types import Page, Paper, Skipped

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"

# --- from an answer to papers ---------------------------------------------------------------------


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A page of results: how many there are in all, and those from ``start`` on; ``ids`` are those of
    all entries, readable or not."""

    total: int
    start: int
    papers: tuple[Paper, ...] = ()
    ids: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def parse(body: bytes) -> Results:
    """The results in an answer.

    Raises NotAnAnswer for what is no such feed (cut, empty, without totals), InputError for the
    errors of the API, which are feeds with one entry and come with status 400 or 200.
    """
    root = root_of(body, "feed")
    entries = root.findall(f"{_ATOM}entry")
    for entry in entries:
        if "/api/errors" in shown(entry, f"{_ATOM}id"):
            raise InputError(shown(entry, f"{_ATOM}summary") or "an error without a text")
    total, start = (_count(root, name) for name in ("totalResults", "startIndex"))
    papers, names, skipped = [], [], []
    for at, entry in enumerate(entries, start=1):
        name = shown(entry, f"{_ATOM}id")
        names.append(name)
        try:
            papers.append(_paper(entry))
        except (InputError, ValueError, OverflowError) as error:
            skipped.append(Skipped(f"api: {name[:60] or f'entry {at}'}", str(error)[:200]))
    if not papers and len(skipped) > 1:
        first = f"{skipped[0].where}: {skipped[0].reason}"
        raise NotAnAnswer(f"none of {len(skipped)} entries can be read; {first}")
    return Results(total=total, start=start, papers=tuple(papers), ids=tuple(names), skipped=tuple(skipped))


def _count(root: Element, name: str) -> int:
    text = shown(root, f"{_OPENSEARCH}{name}")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise NotAnAnswer(f"not a feed of arXiv's API: {name} is {text[:60]!r}")
    return int(text)


def _paper(entry: Element) -> Paper:
    paper_id = ids.parse(shown(entry, f"{_ATOM}id"))
    if paper_id.version is None:
        raise InputError("the id has no version")
    published = RecordVersion("v1", _rfc2822(shown(entry, f"{_ATOM}published")))
    updated = RecordVersion(f"v{paper_id.version}", _rfc2822(shown(entry, f"{_ATOM}updated")))
    authors = [shown(author, f"{_ATOM}name") for author in entry.iterchildren(f"{_ATOM}author")]
    record = Record(
        id=paper_id.base,
        title=_required(entry, f"{_ATOM}title"),
        abstract=_required(entry, f"{_ATOM}summary"),
        categories=" ".join(filter(ids.is_category, _categories(entry))),
        versions=[published, updated] if paper_id.version > 1 else [updated],
        authors_parsed=[[author] for author in authors if author],
        comments=text_of(entry, f"{_ARXIV}comment"),
        journal_ref=text_of(entry, f"{_ARXIV}journal_ref"),
        doi=text_of(entry, f"{_ARXIV}doi"),
    )
    return replace(paper_from_record(record), announce_type="new" if paper_id.version == 1 else "replace")


def _categories(entry: Element) -> list[str]:
    """The primary category and then all, among them codes of other schemes."""
    named = [entry.find(f"{_ARXIV}primary_category"), *entry.iterchildren(f"{_ATOM}category")]
    return [one.get("term", "") for one in named if one is not None]


def _rfc2822(text: str) -> str:
    """A time such as "2016-05-26T17:59:46Z" in the form of the snapshot."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"not a date: {text[:60]!r}") from error
    return format_datetime((time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC), usegmt=True)


def _required(entry: Element, name: str) -> str:
    found = text_of(entry, name)
    if found is None:
        raise InputError(f"no {name.rpartition('}')[2]}")
    return found


# --- papers by id ---------------------------------------------------------------------------------

LOOKUP = 100
"""Ids in one request."""


@dataclass(frozen=True)
class Lookup:
    """Papers by their ids, in their newest version; what is no id of arXiv's, and what arXiv does not
    know, is named in ``Page.skipped``."""

    gate: Gate
    url: str
    wanted: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the source is called."""
        return "api-lookup"

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:  # noqa: ARG002 - asks for what is named
        """A page for each hundred ids; there is nothing to remember between two calls."""
        good, bad = [], []
        for text in dict.fromkeys(self.wanted):
            try:
                good.append(ids.parse(text).base)
            except InputError as error:
                bad.append(Skipped(f"api: {text[:60]}", str(error)[:200]))
        if bad:
            yield Page((), None, tuple(bad))
        good = list(dict.fromkeys(good))
        for at in range(0, len(good), LOOKUP):
            yield self._page(good[at : at + LOOKUP])

    def _page(self, wanted: Sequence[str]) -> Page:
        """One malformed id fails a whole request: then each half is asked for by itself."""
        asked = {"id_list": ",".join(wanted), "max_results": str(len(wanted))}
        try:
            found = self.gate.get(self.url, asked, parse)
        except InputError as error:
            if len(wanted) == 1:
                return Page((), None, (Skipped(f"api: {wanted[0]}", str(error)[:200]),))
            middle = len(wanted) // 2
            first, second = self._page(wanted[:middle]), self._page(wanted[middle:])
            return Page(first.papers + second.papers, None, first.skipped + second.skipped)
        papers = tuple(paper for paper in found.papers if paper.id in wanted)
        missing = [id_ for id_ in wanted if id_ not in {paper.id for paper in papers}]
        unknown = tuple(
            Skipped(f"api: {id_}", "arXiv has no such paper, or it is unreadable") for id_ in missing
        )
        return Page(papers, None, found.skipped + unknown)


# --- papers by time -------------------------------------------------------------------------------


class Piece(msgspec.Struct, frozen=True):
    """What one query asks for: a group of phrases, and a span of time."""

    group: int
    span: Span


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a search has come. ``what`` tells one search from another; the first of ``todo`` is
    under way: ``start`` is where its next page begins, ``distinct`` how many papers it gave so far,
    ``tail`` its last ids. ``hits`` are all papers found, ``kept`` those that hold a key; all are found
    that were submitted before ``until``. ``total`` is how many the query under way has."""

    what: str
    todo: tuple[Piece, ...]
    start: int = 0
    distinct: int = 0
    tail: tuple[str, ...] = ()
    repeated: bool = False
    hits: int = 0
    kept: int = 0
    until: datetime | None = None
    total: int = 0

    def in_words(self) -> str:
        """What was found and what is left to ask, for a person."""
        found = f"{self.hits} found, {self.kept} hold a key"
        if not self.todo:
            return f"{found}, done until {self.until:%Y-%m-%d}" if self.until else f"{found}, done"
        asked = f"{self.start} of {self.total} results of this one" if self.start else "this one next"
        return f"{found}, {len(self.todo)} windows left ({asked}: {self.todo[0].span})"

    def next_piece(self, *pieces: Piece) -> Job:
        """The job with the first piece done, or replaced by others."""
        todo = (*pieces, *self.todo[1:])
        return replace(self, todo=todo, start=0, distinct=0, tail=(), repeated=False)


def job_of(cursor: str | None) -> Job | None:
    """The job in a cursor of `Backfill`; None where there is none."""
    try:
        return msgspec.json.decode(cursor, type=Job) if cursor else None
    except msgspec.DecodeError:
        return None


_OVERLAP = 10  # entries that two pages share: those of one second have no order
_EMPTY_ASKED = 3  # times, before an empty first page is believed
_SMALLEST_PAGE = 25


@dataclass(frozen=True)
class _Search:
    """A search, page by page."""

    gate: Gate
    url: str
    groups: tuple[tuple[str, ...], ...]
    categories: tuple[str, ...]
    page_size: int
    expected: bool = False

    def pages(self, job: Job) -> Iterator[tuple[Results, Job, tuple[str, ...]]]:
        """The pages that follow, each with the job after it and notes; nothing of a page whose query
        had too many results and was halved."""
        seen = set(job.tail)
        size = self.page_size
        while job.todo:
            found, size = self._ask(job, size)
            if job.start == 0 and found.total > MOST_RESULTS and (halves := _halves(job.todo[0])):
                job = job.next_piece(*halves)
                yield Results(total=found.total, start=0), job, ()
                continue
            fresh = [name for name in dict.fromkeys(found.ids) if name not in seen]
            seen.update(fresh)
            piece = job.todo[0]
            job, notes = _after(job, found, len(fresh))
            if not job.todo or job.todo[0] != piece or job.start == 0:
                seen = set()
            yield found, job, notes

    def _ask(self, job: Job, size: int) -> tuple[Results, int]:
        """The page that comes next and its size; a smaller one where arXiv gives none of this size."""
        piece = job.todo[0]
        search = query(self.groups[piece.group], self.categories, piece.span)
        while True:
            asked = request(search, job.start, size)
            found = self.gate.get(self.url, asked, self._accept(job.start, last=size <= _SMALLEST_PAGE))
            if found.ids or not (found.total and job.start < found.total):
                return found, size
            size = max(size // 2, _SMALLEST_PAGE)

    def _accept(self, start: int, *, last: bool) -> Callable[[bytes], Results]:
        """Raises NotAnAnswer for an empty page until it was given often enough to be believed."""
        asked = 0

        def accept(body: bytes) -> Results:
            nonlocal asked
            asked += 1
            found = parse(body)
            if found.start != start:
                raise NotAnAnswer(f"results from {found.start} on, not from {start} on")
            if not found.ids and self._is_suspicious(found, start, asked, last=last):
                raise NotAnAnswer(f"an empty page, of {found.total} results")
            return found

        return accept

    def _is_suspicious(self, found: Results, start: int, asked: int, *, last: bool) -> bool:
        if start < found.total:
            return last or asked < 2
        return start == 0 and (self.expected or asked < _EMPTY_ASKED)


def _halves(piece: Piece) -> tuple[Piece, ...]:
    try:
        return tuple(Piece(piece.group, span) for span in piece.span.halves())
    except ValueError:
        return ()


def _after(job: Job, found: Results, fresh: int) -> tuple[Job, tuple[str, ...]]:
    """The job after a page of its first piece, and what a person should know."""
    span = job.todo[0].span
    end = job.start + len(found.ids)
    job = replace(job, distinct=job.distinct + fresh)
    if found.ids and end < min(found.total, MOST_RESULTS):
        start = max(end - _OVERLAP, job.start + 1)
        return replace(job, start=start, tail=found.ids[-_OVERLAP:], total=found.total), ()
    if job.distinct >= found.total:
        notes = (f"no results for {span}",) if not found.total else ()
        return job.next_piece(), notes
    if not job.repeated:
        return replace(job.next_piece(job.todo[0]), repeated=True), ()
    return job.next_piece(), (f"incomplete: arXiv gave {job.distinct} of {found.total} results for {span}",)


def _job(what: Sequence[object], groups: int, span: Span) -> Job:
    digest = hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:16]
    return Job(digest, tuple(Piece(group, span) for group in range(groups)), until=span.end)


_AGAIN = timedelta(days=1)
"""A search that was done is not made again sooner
(https://info.arxiv.org/help/api/user-manual.html, 3.3.1.1), and then only for what came since."""

_LATE = timedelta(days=14)
"""What moderation held for so long is found when a search is made again."""


@dataclass(frozen=True)
class Backfill:
    """The papers of a topic submitted since a day, until a day (included) or now: its keys are asked
    for, and what comes back is kept if a key stands in it. arXiv's own matching stems and splits, so
    its hits are only candidates."""

    gate: Gate
    url: str
    topic: str
    keys: tuple[str, ...]
    categories: tuple[str, ...]
    since: date
    until: date | None = None
    page_size: int = 500

    @property
    def name(self) -> str:
        """What the source is called: each topic has a cursor of its own."""
        return f"backfill:{self.topic}"

    @cached_property
    def _matcher(self) -> KeyMatcher:
        return KeyMatcher(self.keys)

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        """The papers page by page. Other keys, or other days, make another search; the same one, done
        to its end, goes on from there a day later."""
        whole = Span(_midnight(self.since), self._end(now))
        groups = chunks(self.keys, self.categories, self.url, whole)
        begun = _job((groups, self.categories, self.since, self.until), len(groups), whole)
        stored = job_of(cursor)
        job = stored if stored and stored.what == begun.what else begun
        if job.until and not job.todo:
            if whole.end - job.until < _AGAIN:
                done = f"done before, for what was submitted until {job.until:%Y-%m-%d %H:%M} UTC"
                yield Page((), cursor, notes=(f"backfill {self.topic}: {done}",))
                return
            rest = Span(max(job.until - _LATE, whole.start), whole.end)
            job = replace(_job((), len(groups), rest), what=job.what)
        yield from self._pages(groups, job)

    def _pages(self, groups: tuple[tuple[str, ...], ...], job: Job) -> Iterator[Page]:
        search = _Search(self.gate, self.url, groups, self.categories, self.page_size)
        hits, kept, tail = job.hits, job.kept, job.tail
        for found, after, notes in search.pages(job):
            papers = tuple(_no_news(paper) for paper in found.papers if self._matcher.find(paper.text))
            hits += sum(not _is_in(paper, tail) for paper in found.papers)
            kept += sum(not _is_in(paper, tail) for paper in papers)
            tail = after.tail
            done = () if after.todo else (f"{hits} results, {kept} hold a key",)
            told = tuple(f"backfill {self.topic}: {note}" for note in (*notes, *done))
            state = msgspec.json.encode(replace(after, hits=hits, kept=kept)).decode()
            yield Page(papers, state, found.skipped, notes=told)

    def _end(self, now: datetime) -> datetime:
        present = minute(now.astimezone(UTC))
        return min(_midnight(self.until + timedelta(days=1)), present) if self.until else present


def _no_news(paper: Paper) -> Paper:
    """The paper as one that was announced before; should it not have been, the harvest brings it as new."""
    return replace(paper, announce_type="replace")


def _is_in(paper: Paper, names: Sequence[str]) -> bool:
    return any(f"/{paper.id}v" in name for name in names)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class Recent(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far `Api` was read: until when it is complete, and the search that is under way."""

    high_water: datetime | None = None
    until: datetime | None = None
    job: Job | None = None


def recent_of(cursor: str | None) -> Recent:
    """The state in a cursor of `Api`; the beginning where it cannot be read."""
    try:
        return msgspec.json.decode(cursor, type=Recent) if cursor else Recent()
    except msgspec.DecodeError:
        return Recent()


@dataclass(frozen=True)
class Api:
    """What was submitted lately to some categories: for when OAI-PMH cannot be had."""

    gate: Gate
    url: str
    categories: tuple[str, ...]
    overlap: timedelta = timedelta(days=7)
    first: timedelta = timedelta(days=7)
    page_size: int = 500

    @property
    def name(self) -> str:
        """What the source is called."""
        return "api"

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        """The pages since ``overlap`` before the last complete search."""
        mark = recent_of(cursor)
        if mark.job is None:
            until = minute(now.astimezone(UTC)) + timedelta(minutes=1)
            start = mark.high_water - self.overlap if mark.high_water else until - self.first
            mark = Recent(mark.high_water, until, _job(self.categories, 1, Span(start, until)))
        search = _Search(self.gate, self.url, ((),), self.categories, self.page_size, expected=True)
        assert mark.job is not None
        for found, job, notes in search.pages(mark.job):
            mark = replace(mark, job=job) if job.todo else Recent(high_water=mark.until)
            told = tuple(f"api: {note}" for note in notes)
            yield Page(found.papers, msgspec.json.encode(mark).decode(), found.skipped, notes=told)
