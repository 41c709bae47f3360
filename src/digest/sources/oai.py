"""OAI-PMH, arXiv's way to keep a copy up to date (https://info.arxiv.org/help/oa/index.html): the
daily source.

Only ``arXivRaw`` is read: it alone has the date of every version. Records are selected by the day
they changed, so a paper that moderation held for days comes on the day it is announced. Lists come
in pages with a token that is an offset: a record that changes while one pages shifts the rest, and
one is skipped. Hence each harvest begins a week before the last one, and a bulk load is followed by
`Check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from digest import ids
from digest.days import new_york_day, why_no_batch
from digest.errors import Deferred, InputError, NotAnAnswer
from digest.sources.polite import Gate
from digest.sources.snapshot import Record, RecordVersion, paper_from_record
from digest.sources.strict import Element, root_of, shown, text_of
from digest.types import Page, Paper, Skipped

Verb = Literal["ListRecords", "ListIdentifiers", "GetRecord"]

RECENT = timedelta(days=14)
"""A first version that was submitted no longer ago than this is taken for announced on the day its
record changed."""

_OLDEST = date(2005, 9, 16)  # the datestamp of arXiv's oldest records; an earlier one is a badArgument

_INTO_NEXT_MONTH = timedelta(days=3)  # after the end of a month a batch may still have its ids

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_RAW = "{http://arxiv.org/OAI/arXivRaw/}"

# --- from an answer to papers ---------------------------------------------------------------------


class OaiError(InputError):
    """arXiv's answer to a request it does not carry out: its code, and the day of the answer."""

    def __init__(self, code: str, said: str, day: date) -> None:
        super().__init__(f"OAI-PMH {code}: {said}" if said else f"OAI-PMH {code}")
        self.code = code
        self.day = day


class Header(msgspec.Struct, frozen=True):
    """A record's id and the day it changed last."""

    id: str
    day: date
    deleted: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A page: the day it was made (UTC), its records, and the token of the next page."""

    day: date
    papers: tuple[Paper, ...] = ()
    headers: tuple[Header, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    token: str | None = None

    @property
    def deleted(self) -> tuple[str, ...]:
        """The ids of records that were deleted."""
        return tuple(header.id for header in self.headers if header.deleted)


def parse(body: bytes, verb: Verb | None = None, recent: timedelta = RECENT) -> Answer:
    """The page in an answer to this verb, or to any of the three.

    Raises NotAnAnswer for what is no such page (cut, empty, records in another format), OaiError
    for the protocol's errors, which come with status 200.
    """
    root = root_of(body, "OAI-PMH")
    day = _response_day(root)
    for error in root.iterchildren(f"{_OAI}error"):
        raise OaiError(
            error.get("code", "without a code")[:60], " ".join((error.text or "").split())[:300], day
        )
    verbs = (verb,) if verb else ("ListRecords", "ListIdentifiers", "GetRecord")
    found = next((part for name in verbs if (part := root.find(f"{_OAI}{name}")) is not None), None)
    if found is None:
        raise NotAnAnswer(f"the answer holds no {' or '.join(verbs)}")
    token = (text_of(found, f"{_OAI}resumptionToken") or "").strip() or None
    return _page(found, day, token, recent)


def _page(part: Element, day: date, token: str | None, recent: timedelta) -> Answer:
    papers, headers, skipped = [], [], []
    elements = [*part.iterchildren(f"{_OAI}record", f"{_OAI}header")]
    if not elements:
        raise NotAnAnswer("a list without a record: arXiv says noRecordsMatch where there is nothing")
    _check_format(elements)
    for at, element in enumerate(elements, start=1):
        try:
            header, paper = _record(element, recent)
        except (InputError, ValueError, OverflowError) as error:
            skipped.append(Skipped(_where(element, at), str(error)[:200]))
            continue
        headers.append(header)
        papers += [paper] if paper else []
    if not headers and len(skipped) > 1:
        raise NotAnAnswer(
            f"none of {len(skipped)} records can be read; {skipped[0].where}: {skipped[0].reason}"
        )
    return Answer(day=day, papers=tuple(papers), headers=tuple(headers), skipped=tuple(skipped), token=token)


def _check_format(elements: Sequence[Element]) -> None:
    """Raise NotAnAnswer where there is metadata and none of it is arXivRaw."""
    formats = {child.tag for element in elements for child in element.iterfind(f"{_OAI}metadata/*")}
    if formats and f"{_RAW}arXivRaw" not in formats:
        names = ", ".join(sorted({str(name).rpartition("}")[2] for name in formats}))[:60]
        raise NotAnAnswer(f"the records are in the format {names}, not arXivRaw")


def _where(element: Element, at: int) -> str:
    header = element if element.tag == f"{_OAI}header" else element.find(f"{_OAI}header")
    name = "" if header is None else shown(header, f"{_OAI}identifier")
    return f"oai: {name[:60] or f'record {at}'}"


def _record(element: Element, recent: timedelta) -> tuple[Header, Paper | None]:
    """A record's header and its paper; no paper where it was deleted or only headers are listed."""
    if element.tag == f"{_OAI}header":
        return _header(element), None
    found = element.find(f"{_OAI}header")
    if found is None:
        raise InputError("no header")
    header = _header(found)
    if header.deleted:
        return header, None
    raw = element.find(f"{_OAI}metadata/{_RAW}arXivRaw")
    if raw is None:
        raise InputError("no metadata in the format arXivRaw")
    return header, _paper(raw, header, recent)


def _header(element: Element) -> Header:
    name = shown(element, f"{_OAI}identifier")
    if not name.lower().startswith("oai:arxiv.org:"):
        raise InputError(f"not an identifier of arXiv's: {name[:60]!r}")
    day = _day(shown(element, f"{_OAI}datestamp"))
    return Header(ids.parse(name).base, day, element.get("status") == "deleted")


def _day(text: str) -> date:
    """The day of "2026-06-01" or "2026-06-01T12:00:00Z"."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise InputError(f"not a day: {text[:60]!r}") from error


def _response_day(root: Element) -> date:
    try:
        return _day(shown(root, f"{_OAI}responseDate"))
    except InputError as error:
        raise NotAnAnswer(f"no date of the answer: {error}") from error


def _paper(raw: Element, header: Header, recent: timedelta) -> Paper:
    versions = raw.findall(f"{_RAW}version")
    record = Record(
        id=shown(raw, f"{_RAW}id"),
        title=_required(raw, "title"),
        abstract=_required(raw, "abstract"),
        categories=_required(raw, "categories"),
        versions=[RecordVersion(one.get("version", ""), shown(one, f"{_RAW}date")) for one in versions],
        authors=text_of(raw, f"{_RAW}authors"),
        comments=text_of(raw, f"{_RAW}comments"),
        journal_ref=text_of(raw, f"{_RAW}journal-ref"),
        doi=text_of(raw, f"{_RAW}doi"),
    )
    paper = paper_from_record(record)
    if paper.id != header.id:
        raise InputError(f"the header is of {header.id}, the metadata of {paper.id}")
    paper = announced(paper, header.day, recent)
    return replace(paper, withdrawn=True) if _is_withdrawn(versions) else paper


def _required(raw: Element, name: str) -> str:
    found = text_of(raw, f"{_RAW}{name}")
    if found is None:
        raise InputError(f"no {name}")
    return found


def _is_withdrawn(versions: Sequence[Element]) -> bool:
    """A withdrawal is a last version of no size whose source is to be ignored (type I)."""
    number = {one: int(one.get("version", "v0")[1:]) for one in versions}
    last = max(versions, key=number.__getitem__)
    return "I" in shown(last, f"{_RAW}source_type") and shown(last, f"{_RAW}size") == "0kb"


def announced(paper: Paper, changed: date, recent: timedelta = RECENT) -> Paper:
    """The paper with the day and type of its announcement, as far as a record tells them.

    Mailings go out at 20:00 in New York and records are stamped with the next day in UTC, which is
    the day the batch is dated. So a first version is announced on the day its record changed; the
    store keeps the first day it is told, so that a later change moves nothing. Moderation holds some
    for weeks (178 of the 35,444 papers of May and June 2026 for more than two), but ids are given with the
    announcement, so their month tells. Whoever is seen for the first time with a later version, or
    later than that, was announced before: it is no news, and counts from the day of its first version.
    """
    soon = changed - paper.submitted.date() <= recent
    if paper.version == 1 and (soon or _is_of_its_month(paper.id, changed)):
        return replace(paper, announced=changed, announce_type="new", estimated=False)
    return replace(paper, announced=new_york_day(paper.submitted), announce_type="replace")


def _is_of_its_month(paper: str, day: date) -> bool:
    year, month, *_ = ids.sort_key(paper)
    late = day - _INTO_NEXT_MONTH
    return (year, month) in ((day.year, day.month), (late.year, late.month))


# --- how far a set was read -----------------------------------------------------------------------

_MOST_PAGES = 5000
_MOST_RESTARTS = 3


class Chain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A list that is being read: where it began, the token of its next page, what it gave so far.

    ``day`` is that of its first page, to which the high water moves when it ends; ``newest`` the
    newest day of which it had new papers.
    """

    start: date | None
    token: str | None = None
    pages: int = 0
    records: int = 0
    day: date | None = None
    newest: date | None = None
    restarts: int = 0


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a set was read: the day until which it is complete, and the chain that is under way."""

    high_water: date | None = None
    newest: date | None = None
    chain: Chain | None = None


Marks = dict[str, Mark]


def marks_of(cursor: str | None) -> Marks:
    """The marks of all sets; none where the cursor cannot be read: then all begin anew."""
    try:
        return msgspec.json.decode(cursor, type=Marks) if cursor else {}
    except msgspec.DecodeError:
        return {}


def sets_of(categories: Sequence[str]) -> tuple[str, ...]:
    """The sets that hold these categories: "cs", "stat", "physics:hep-th"; "" is all of arXiv, for
    no categories at all (https://oaipmh.arxiv.org/oai?verb=ListSets)."""
    archives = dict.fromkeys(category.partition(".")[0] for category in categories)
    groups = ("cs", "econ", "eess", "math", "q-bio", "q-fin", "stat", "physics")
    return tuple(name if name in groups else f"physics:{name}" for name in archives) or ("",)


@dataclass(frozen=True)
class _List:
    """A verb that lists a set page by page, and the chain of its tokens."""

    gate: Gate
    url: str
    verb: Verb
    name: str
    recent: timedelta = RECENT

    def pages(self, chain: Chain) -> Iterator[tuple[Answer, Chain, bool]]:
        """The pages that follow, each with the chain after it and whether it ends there.

        A token that has expired begins the chain anew. Raises Deferred or NotAnAnswer where it
        cannot go on for now: the chain stored last goes on later.
        """
        seen = {chain.token}
        while True:
            answer, chain = self._ask(chain, seen)
            if answer is None:
                seen = {None}
                continue
            seen.add(answer.token)
            chain = _advance(chain, answer)
            yield answer, chain, answer.token is None
            if answer.token is None:
                return
            if chain.pages >= _MOST_PAGES:
                raise Deferred(f"{self.url}: {chain.pages} pages and no end; the next run begins anew")

    def _ask(self, chain: Chain, seen: set[str | None]) -> tuple[Answer | None, Chain]:
        """The next page; None where the chain must begin anew."""
        try:
            return self.gate.get(self.url, self._request(chain), self._accept(seen)), chain
        except OaiError as error:
            if error.code == "noRecordsMatch":
                return Answer(day=error.day), chain
            if error.code != "badResumptionToken" or chain.token is None:
                raise
            if chain.restarts >= _MOST_RESTARTS:
                raise Deferred(f"{self.url}: {error}, {chain.restarts + 1} times; try again later") from error
            return None, Chain(start=chain.start, day=chain.day, restarts=chain.restarts + 1)

    def _request(self, chain: Chain) -> Mapping[str, str]:
        if chain.token is not None:
            return {"verb": self.verb, "resumptionToken": chain.token}
        asked = {"verb": self.verb, "metadataPrefix": "arXivRaw"}
        if self.name:
            asked["set"] = self.name
        if chain.start and chain.start > _OLDEST:
            asked["from"] = chain.start.isoformat()
        return asked

    def _accept(self, seen: set[str | None]) -> Callable[[bytes], Answer]:
        def accept(body: bytes) -> Answer:
            answer = parse(body, self.verb, self.recent)
            if answer.token is not None and answer.token in seen:
                raise NotAnAnswer("the same resumption token twice: the list would never end")
            return answer

        return accept


def _advance(chain: Chain, answer: Answer) -> Chain:
    days = [paper.announced for paper in answer.papers if paper.announce_type == "new"]
    return Chain(
        start=chain.start,
        token=answer.token,
        pages=chain.pages + 1,
        records=chain.records + len(answer.headers) + len(answer.skipped),
        day=chain.day or answer.day,
        newest=max([*days, *([chain.newest] if chain.newest else [])], default=None),
        restarts=chain.restarts,
    )


def _begun(mark: Mark, start: date | None) -> Chain:
    """The chain that is under way, unless it went astray; else a new one."""
    if mark.chain is None:
        return Chain(start=start)
    return mark.chain if mark.chain.pages < _MOST_PAGES else Chain(start=mark.chain.start)


def _begin(marks: Marks, sets: Sequence[str], start: date | None) -> Marks:
    """The marks with a chain from this day on for every set, unless such a harvest is under way."""
    here = {name: marks.get(name, Mark()) for name in sets}
    if any(mark.chain and mark.chain.start == start for mark in here.values()):
        return marks
    return marks | {name: replace(mark, chain=Chain(start=start)) for name, mark in here.items()}


# --- the sources ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Oai:
    """The records of some sets as they change.

    Each harvest begins ``overlap`` before the day until which the last one was complete: papers
    that were missing come up to a week late. The first begins ``first`` before now; None begins
    with the first record, which is all of arXiv. ``since`` begins anew on that day, whatever was read
    before, unless such a harvest is under way already; without it that harvest goes on too.
    """

    gate: Gate
    url: str
    sets: tuple[str, ...]
    overlap: timedelta = timedelta(days=7)
    first: timedelta | None = timedelta(days=7)
    recent: timedelta = RECENT
    since: date | None = None

    @property
    def name(self) -> str:
        """What the source is called."""
        return "oai"

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        """The pages of each set in turn. Raises Deferred where arXiv is not to be asked for now."""
        marks = marks_of(cursor)
        if self.since:
            marks = _begin(marks, self.sets, self.since)
        for at, name in enumerate(self.sets, start=1):
            mark = marks.get(name, Mark())
            listed = _List(self.gate, self.url, "ListRecords", name, self.recent)
            for answer, chain, ends in listed.pages(_begun(mark, self._start(mark, now))):
                marks[name] = _ended(mark, chain, now) if ends else replace(mark, chain=chain)
                notes = self._notes(marks, name, chain, now, last=at == len(self.sets)) if ends else ()
                yield Page(
                    answer.papers,
                    _written(marks),
                    answer.skipped,
                    deleted=answer.deleted,
                    notes=notes,
                )

    def _start(self, mark: Mark, now: datetime) -> date | None:
        if mark.high_water:
            return mark.high_water - self.overlap
        return (now.astimezone(UTC) - self.first).date() if self.first is not None else None

    def _notes(self, marks: Marks, name: str, chain: Chain, now: datetime, *, last: bool) -> tuple[str, ...]:
        since = f"since {chain.start}" if chain.start else "since the beginning"
        told = f"oai {name or 'all'}: {chain.records} records changed {since}, pages: {chain.pages}"
        days = [mark.newest for mark in marks.values() if mark.newest]
        why = why_no_batch(new_york_day(now), max(days, default=None)) if last else None
        return (told, f"oai: {why}") if why else (told,)


def _ended(mark: Mark, chain: Chain, now: datetime) -> Mark:
    """The mark when a chain has ended: complete until the day its first page was made, by arXiv's
    clock or by ours, whichever is behind."""
    today = now.astimezone(UTC).date()
    high_water = min(chain.day or today, today)
    newest = max(filter(None, (mark.newest, chain.newest)), default=None)
    return Mark(high_water=max(high_water, mark.high_water or high_water), newest=newest)


_MANY = 500  # records; more than half of a list missing is no oversight, but a load that was never made
_FETCHED = 20  # records that are asked for one by one until they are stored


def _written(marks: Marks) -> str:
    return msgspec.json.encode(marks).decode()


@dataclass(frozen=True)
class Check:
    """What a bulk load missed: all identifiers of some sets are listed, and the records of those
    that are not ``known`` (given ids, returns the known ones) are asked for one by one."""

    gate: Gate
    url: str
    sets: tuple[str, ...]
    known: Callable[[Sequence[str]], set[str]]
    since: date | None = None

    @property
    def name(self) -> str:
        """What the source is called."""
        return "oai-check"

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        """The papers that were missing, some at a time, and a page at the end of each list."""
        marks = _begin(marks_of(cursor), self.sets, self.since)
        for name in self.sets:
            mark = marks[name]
            if mark.chain is None:
                continue  # done before the check was cut off
            listed = _List(self.gate, self.url, "ListIdentifiers", name)
            missing = 0
            for answer, chain, ends in listed.pages(_begun(mark, self.since)):
                for page in self._records(answer, _written(marks)):
                    missing += len(page.papers)
                    yield page
                marks[name] = _ended(mark, chain, now) if ends else replace(mark, chain=chain)
                told = f"oai-check {name or 'all'}: {chain.records} identifiers, {missing} fetched now"
                notes = (told,) if ends else ()
                yield Page((), _written(marks), answer.skipped, deleted=answer.deleted, notes=notes)

    def _records(self, answer: Answer, cursor: str) -> Iterator[Page]:
        """The records of a list that are not known, whose papers are stored before the list counts as
        checked: each costs a request."""
        missing = self._missing([header.id for header in answer.headers if not header.deleted])
        if len(missing) > _MANY and 2 * len(missing) > len(answer.headers):
            raise InputError(
                f"{len(missing)} of {len(answer.headers)} records are not in the archive, and each would "
                "cost a request: load them first with digest crawl --since DAY or digest import"
            )
        for at in range(0, len(missing), _FETCHED):
            found = [self._record(id_) for id_ in missing[at : at + _FETCHED]]
            papers = tuple(paper for papers, _ in found for paper in papers)
            yield Page(papers, cursor, tuple(one for _, skipped in found for one in skipped))

    def _missing(self, asked: Sequence[str]) -> list[str]:
        known = self.known(asked)
        return [id_ for id_ in dict.fromkeys(asked) if id_ not in known]

    def _record(self, id_: str) -> tuple[tuple[Paper, ...], tuple[Skipped, ...]]:
        asked = {"verb": "GetRecord", "metadataPrefix": "arXivRaw", "identifier": f"oai:arXiv.org:{id_}"}
        try:
            answer = self.gate.get(self.url, asked, lambda body: parse(body, "GetRecord"))
        except OaiError as error:
            return (), (Skipped(f"oai: {id_}", str(error)[:200]),)
        return answer.papers, answer.skipped
