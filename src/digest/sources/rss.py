"""arXiv's daily feeds, one a category (https://info.arxiv.org/help/rss.html): they alone say how a
paper was announced (new, cross-listed, replaced).

A feed is dated with the time it is served, not with that of its data, so whether it is today's is
told by its papers. It has no dates of submission and at most 2,000 papers, of which the new ones are
the first to be left out: use it beside OAI-PMH, not instead of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import get_args

import msgspec
from msgspec.structs import replace

from digest import ids
from digest.days import new_york_day, why_no_batch
from digest.errors import InputError, NotAnAnswer
from digest.sources.polite import Gate
from digest.sources.snapshot import Record, RecordVersion, paper_from_record
from digest.sources.strict import Element, root_of, shown, text_of
from digest.types import AnnounceType, Page, Paper, Skipped

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_DC = "{http://purl.org/dc/elements/1.1/}"

TRUNCATED = 1900
"""A feed of so many papers is taken for one that was cut (at 2,000)."""

FRESH = 0.5
"""A feed is today's if at least this share of its papers was never seen."""

# --- from an answer to papers ---------------------------------------------------------------------


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed: the New York day it is dated with, its papers, and how many entries it has."""

    title: str
    day: date
    papers: tuple[Paper, ...]
    skipped: tuple[Skipped, ...] = ()
    size: int = 0

    @property
    def announced(self) -> tuple[Paper, ...]:
        """The papers announced as new or cross-listed."""
        return tuple(paper for paper in self.papers if paper.announce_type in ("new", "cross"))

    @property
    def is_truncated(self) -> bool:
        """Were papers left out because there are too many?"""
        return self.size >= TRUNCATED


class _Names(msgspec.Struct, frozen=True):
    """Where a form of feed keeps what."""

    entry: str
    id: str
    text: str
    date: str
    explained: str


_RSS2 = _Names("item", "guid", "description", "pubDate", "description")
_ATOM1 = _Names(f"{_ATOM}entry", f"{_ATOM}id", f"{_ATOM}summary", f"{_ATOM}updated", f"{_ATOM}subtitle")


def parse(body: bytes) -> Feed:
    """The feed in an answer, RSS 2.0 or Atom. A feed without papers is a day without a batch.

    Raises NotAnAnswer for what is no daily feed, InputError (in arXiv's words) for its error feeds.
    """
    root = root_of(body, "rss", "feed")
    if root.tag == "rss":
        channel, names, prefix = root.find("channel"), _RSS2, ""
    else:
        channel, names, prefix = root, _ATOM1, _ATOM
    if channel is None or root.tag == "feed":
        raise NotAnAnswer("neither RSS with a channel nor Atom")
    title = shown(channel, f"{prefix}title")
    if title.startswith("Feed error for query"):
        raise InputError(shown(channel, names.explained) or title)
    if " updates on arXiv.org" not in title:
        raise NotAnAnswer(f"not a daily feed of arXiv's: titled {title[:60]!r}")
    return _feed(channel, names, prefix, title)


def _feed(channel: Element, names: _Names, prefix: str, title: str) -> Feed:
    try:
        day = _day(shown(channel, names.date))
    except InputError as error:
        raise NotAnAnswer(f"the feed has no date: {error}") from error
    papers, skipped = [], []
    entries = channel.findall(names.entry)
    for at, entry in enumerate(entries, start=1):
        try:
            papers.append(_paper(entry, names, prefix, day))
        except (InputError, ValueError, OverflowError) as error:
            name = shown(entry, names.id)[:60] or f"entry {at}"
            skipped.append(Skipped(f"rss: {name}", str(error)[:200]))
    if not papers and len(skipped) > 1:
        first = f"{skipped[0].where}: {skipped[0].reason}"
        raise NotAnAnswer(f"none of {len(skipped)} entries can be read; {first}")
    return Feed(title=title, day=day, papers=tuple(papers), skipped=tuple(skipped), size=len(entries))


def _day(text: str) -> date:
    """The New York day of "Mon, 27 Apr 2026 00:00:00 -0400" or "2025-08-20T04:00:19+00:00"."""
    try:
        time = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
        return new_york_day(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InputError(f"not a date: {text[:60]!r}") from error


def _paper(entry: Element, names: _Names, prefix: str, day: date) -> Paper:
    """The paper of an entry. A feed has no dates of submission: what is new counts as submitted on
    the day of the batch, the rest on the first day of the month of its id."""
    paper_id = ids.parse(shown(entry, names.id))
    if paper_id.version is None:
        raise InputError("the id has no version")
    kind = _announce_type(shown(entry, f"{_ARXIV}announce_type"))
    first = day if kind == "new" else min(_month(paper_id), day)
    categories = _categories(entry, prefix)
    record = Record(
        id=paper_id.base,
        title=_required(entry, f"{prefix}title"),
        abstract=_abstract(_required(entry, names.text)),
        categories=" ".join(code for code in categories if ids.is_category(code)),
        versions=[RecordVersion(f"v{paper_id.version}", _midnight(day))],
        authors=text_of(entry, f"{_DC}creator"),
        journal_ref=text_of(entry, f"{_ARXIV}journal_reference"),
        doi=text_of(entry, f"{_ARXIV}DOI"),
    )
    return replace(
        paper_from_record(record, day if kind in ("new", "cross") else first),
        announce_type=kind,
        estimated=kind not in ("new", "cross"),
        submitted=datetime(first.year, first.month, first.day, tzinfo=UTC),
        versions=(),
    )


def _announce_type(text: str) -> AnnounceType:
    for kind in get_args(AnnounceType):
        if text == kind:
            return kind  # type: ignore[no-any-return]
    raise InputError(f"not a type of announcement: {text[:60]!r}")


def _month(paper: ids.PaperId) -> date:
    year, month, *_ = ids.sort_key(paper)
    return date(year, month, 1)


def _midnight(day: date) -> str:
    return format_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC), usegmt=True)


def _categories(entry: Element, prefix: str) -> list[str]:
    found = entry.iterchildren(f"{prefix}category")
    return [(one.get("term") if prefix else "".join(one.itertext())) or "" for one in found]


def _required(entry: Element, name: str) -> str:
    found = text_of(entry, name)
    if found is None:
        raise InputError(f"no {name.rpartition('}')[2]}")
    return found


def _abstract(text: str) -> str:
    """What follows "arXiv:2604.21935v1 Announce Type: new Abstract:"."""
    head, mark, abstract = text.partition("Abstract:")
    if not mark or "Announce Type:" not in head:
        raise InputError("no abstract in the description")
    return abstract


# --- the source -----------------------------------------------------------------------------------


class Look(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a category's feed was when it was last read: its ETag, day and highest id."""

    etag: str | None = None
    day: date | None = None
    highest: str | None = None


Looks = dict[str, Look]


def looks_of(cursor: str | None) -> Looks:
    """The looks at all feeds; none where the cursor cannot be read."""
    try:
        return msgspec.json.decode(cursor, type=Looks) if cursor else {}
    except msgspec.DecodeError:
        return {}


def is_fresh(feed: Feed, last: Look, unseen: int) -> bool:
    """Is the feed a batch that was not read yet? Told by its papers: half of those announced were
    never seen, or their ids go on above those of the batch before."""
    if not feed.announced:
        return False
    if last.highest is None or unseen >= FRESH * len(feed.announced):
        return True
    return _highest(feed, last.highest) != last.highest


def _highest(feed: Feed, before: str | None) -> str | None:
    """The highest id announced so far."""
    found = [paper.id for paper in feed.announced] + ([before] if before else [])
    return max(found, key=ids.sort_key, default=None)


@dataclass(frozen=True)
class Rss:
    """The daily feeds of some categories. ``known`` says which ids of some are stored.

    A stale feed, one that still shows the batch before, brings nothing and is asked for again by the
    next run. Of what was replaced only stored papers are taken: the others were announced before.
    """

    gate: Gate
    url: str
    categories: tuple[str, ...]
    known: Callable[[Sequence[str]], set[str]]

    @property
    def name(self) -> str:
        """What the source is called."""
        return "rss"

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        """A page for each category's feed. Raises Deferred where arXiv is not to be asked for now."""
        looks = looks_of(cursor)
        today: set[str] = set()  # what this run brought is no sign that a feed is old
        for at, category in enumerate(self.categories, start=1):
            last = looks.get(category, Look())
            address = f"{self.url.rstrip('/')}/{category}"
            feed, etag = self.gate.get_if_changed(address, {}, parse, last.etag)
            papers, note = self._read(feed, last, today)
            if feed is not None and note is None:
                looks[category] = Look(etag, feed.day, _highest(feed, last.highest))
                today.update(paper.id for paper in papers)
            notes = [f"rss {category}: {note}"] if note else []
            if feed is not None and feed.is_truncated:
                notes.append(f"rss {category}: cut at {feed.size} papers, new ones are missing: use oai")
            if at == len(self.categories):
                newest = max((look.day for look in looks.values() if look.day), default=None)
                why = why_no_batch(new_york_day(now), newest)
                notes += [f"rss: {why}"] if why else []
            yield Page(
                papers, msgspec.json.encode(looks).decode(), feed.skipped if feed else (), notes=tuple(notes)
            )

    def _read(self, feed: Feed | None, last: Look, today: set[str]) -> tuple[tuple[Paper, ...], str | None]:
        """The papers of a feed, or none and why."""
        if feed is None:
            return (), f"the feed is as it was, of {last.day}"
        if not feed.papers:
            return (), "the feed is empty"
        known = self.known([paper.id for paper in feed.papers])
        unseen = sum(paper.id not in known or paper.id in today for paper in feed.announced)
        if feed.announced and not is_fresh(feed, last, unseen):
            if last.day and feed.day > last.day:
                return (), f"stale: dated {feed.day}, it still shows the batch of {last.day}; run again later"
            return (), f"nothing new since the batch of {last.day}"
        wanted = {"new", "cross"}
        return tuple(p for p in feed.papers if p.announce_type in wanted or p.id in known), None
