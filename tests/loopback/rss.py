"""The daily feed as arXiv serves it (https://github.com/arXiv/arxiv-feed, answers of 2026).

One feed for a category, an archive or several with + between; new, cross, replace, replace-cross in
this order; at most 2,000 items, of which the first ones are dropped: those that are new. Its dates
are those of the serving, not of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from hashlib import sha256
from xml.sax.saxutils import escape, quoteattr

from digest.ids import CATEGORIES
from loopback.tex import to_tex
from loopback.world import NEW_YORK, Listed, Record, View, World, newest_batch

_ORDER = ("new", "cross", "replace", "replace-cross")
_LAST_REPLACEMENT = 5  # replacements from v6 on are not announced


class BadFeed(Exception):
    """There is no such category."""


class Rss:
    """The feeds of a world."""

    def __init__(self, world: World, cap: int = 2000) -> None:
        self._world = world
        self._cap = cap

    def answer(self, names: str, url: str, now: datetime, fault: str | None = None) -> bytes:
        """A feed. ``fault`` is one of this service's own (loopback.faults). Raises BadFeed."""
        asked = names.split("+")
        batch = self._world.until(newest_batch(now, 0))
        _check(asked)
        items = _items(batch, asked)
        if fault == "stale feed":
            items = next((old for old in self._earlier(now, asked) if old), [])
        cap = max(1, len(items) // 2) if fault == "truncated feed" else self._cap
        if fault == "empty feed" or (now.astimezone(NEW_YORK).weekday() >= 5 and not fault):
            items = []
        return _feed(asked, url, now, items[-cap:]).encode()

    def _earlier(self, now: datetime, asked: list[str]) -> Iterator[list[tuple[str, Record]]]:
        today = newest_batch(now, 0)
        return (_items(self._world.until(today - timedelta(days)), asked) for days in range(1, 8))


def _check(asked: list[str]) -> None:
    archives = sorted({code.partition(".")[0] for code in CATEGORIES})
    for name in asked:
        archive, _, subject = name.partition(".")
        if archive not in archives:
            raise BadFeed(f"Bad archive '{archive}'. Valid archive names are: {', '.join(archives)}.")
        if subject and name not in CATEGORIES:
            inside = ", ".join(sorted(code for code in CATEGORIES if code.startswith(f"{archive}.")))
            named = f"Bad subject class '{subject}'. Valid subject classes for the archive '{archive}'"
            raise BadFeed(f"{named} are: {inside}.")


_ROOT = (
    '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'version="2.0">'
)


def error_feed(names: str, url: str, now: datetime, said: str) -> bytes:
    """What is served, with status 400, for a feed that is not."""
    lines = _head(f"Feed error for query: {url}", url, said, now, "rss-help.arxiv.org")
    return "\n".join([*lines, "  </channel>", "</rss>", ""]).encode()


def etag(feed: bytes) -> str:
    """The ETag of a feed, without quotes, as arXiv has it."""
    return sha256(feed).hexdigest()


def _items(view: View, asked: list[str]) -> list[tuple[str, Record]]:
    """The items of a day's batch with their announce types, in the order of the feed."""
    typed = [(kind, one.record) for one in view.batch() if (kind := announce_type(one, asked))]
    return sorted(typed, key=lambda item: (_ORDER.index(item[0]), item[1].id))


def announce_type(one: Listed, asked: list[str]) -> str | None:
    """As what a paper stands in the feed of some categories; None if it does not."""

    def within(code: str) -> bool:
        return any(code == name or code.startswith(f"{name}.") for name in asked)

    if not any(map(within, one.record.codes)) or one.record == one.before:
        return None
    primary = within(one.record.codes[0])
    if one.before is None:
        return "new" if primary else "cross"
    if one.record.version > one.before.version:
        if one.record.version > _LAST_REPLACEMENT:
            return None
        return "replace" if primary else "replace-cross"
    return "cross" if any(map(within, set(one.record.codes) - set(one.before.codes))) else None


def _feed(asked: list[str], url: str, now: datetime, items: list[tuple[str, Record]]) -> str:
    title = ", ".join(asked)
    about = f"{title} updates on the arXiv.org e-print archive."
    lines = _head(f"{title} updates on arXiv.org", url, about, now, "rss-help@arxiv.org")
    lines += ["    <skipDays>", "      <day>Saturday</day>", "      <day>Sunday</day>", "    </skipDays>"]
    midnight = _rfc822(_midnight(now))
    for kind, record in items:
        lines += _item(kind, record, midnight)
    return "\n".join([*lines, "  </channel>", "</rss>", ""])


def _head(title: str, url: str, about: str, now: datetime, editor: str) -> list[str]:
    midnight = _midnight(now)
    return [
        "<?xml version='1.0' encoding='UTF-8'?>",
        _ROOT,
        "  <channel>",
        f"    <title>{escape(title)}</title>",
        f"    <link>{escape(url)}</link>",
        f"    <description>{escape(about)}</description>",
        f'    <atom:link href={quoteattr(url)} rel="self" type="application/rss+xml"/>',
        "    <docs>http://www.rssboard.org/rss-specification</docs>",
        "    <language>en-us</language>",
        f"    <lastBuildDate>{_rfc822(midnight.astimezone(UTC))}</lastBuildDate>",
        f"    <managingEditor>{editor}</managingEditor>",
        f"    <pubDate>{_rfc822(midnight)}</pubDate>",
    ]


def _item(kind: str, record: Record, midnight: str) -> list[str]:
    about = f"arXiv:{record.id}v{record.version} Announce Type: {kind} \nAbstract: {to_tex(record.abstract)}"
    journal = record.journal_ref
    return [
        "    <item>",
        f"      <title>{escape(to_tex(record.title))}</title>",
        f"      <link>https://arxiv.org/abs/{record.id}</link>",
        f"      <description>{escape(about)}</description>",
        f'      <guid isPermaLink="false">oai:arXiv.org:{record.id}v{record.version}</guid>',
        *(f"      <category>{code}</category>" for code in record.codes),
        f"      <pubDate>{midnight}</pubDate>",
        f"      <arxiv:announce_type>{kind}</arxiv:announce_type>",
        *([f"      <dc:rights>{escape(record.license)}</dc:rights>"] if record.license else []),
        *([f"      <arxiv:DOI>{escape(record.doi)}</arxiv:DOI>"] if record.doi else []),
        *(
            [f"      <arxiv:journal_reference>{escape(to_tex(journal))}</arxiv:journal_reference>"]
            if journal
            else []
        ),
        f"      <dc:creator>{escape(to_tex(record.authors or ''))}</dc:creator>",
        "    </item>",
    ]


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(NEW_YORK).date(), time(), NEW_YORK)


def _rfc822(moment: datetime) -> str:
    return format_datetime(moment)
