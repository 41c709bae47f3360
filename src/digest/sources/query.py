"""Queries to arXiv's API, and the windows of time they are cut into. Pure: strings in, strings out.

The API's grammar has no precedence, takes a space for OR, and reads whatever it does not know as
words of the full text (https://github.com/arXiv/arxiv-search). So everything is in parentheses, every
phrase has its field and its quotes, and what could end a quote is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from msgspec import Struct

from digest.errors import UsageError

MOST_BYTES = 3000
"""Of an address: the server's limit is 4,094."""

MOST_PHRASES = 40
"""In one query."""

MOST_RESULTS = 9000
"""Of one query: past 10,000 the server fails."""

_DANGEROUS = re.compile(r'["()\\\x00-\x1f\x7f-\x9f]')
_WILDCARDS = "*?~^"
_MINUTE = timedelta(minutes=1)


class Span(Struct, frozen=True):
    """A stretch of time, in whole minutes and UTC; both ends belong to it, as in arXiv's queries."""

    start: datetime
    end: datetime

    def halves(self) -> tuple[Span, Span]:
        """Two spans that share the minute between them, so that no second is lost. Raises ValueError
        where there is nothing left to halve."""
        minutes = (self.end - self.start) // _MINUTE
        if minutes < 2:
            raise ValueError(f"{self.start:%Y-%m-%d %H:%M} cannot be halved")
        middle = self.start + minutes // 2 * _MINUTE
        return Span(self.start, middle), Span(middle, self.end)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"


def minute(time: datetime) -> datetime:
    """The time without its seconds."""
    return time.replace(second=0, microsecond=0)


def phrase(text: str) -> str:
    """A phrase in quotes, with nothing in it that could end them or stand for something else. AND, OR
    and NOT are words inside quotes. Raises UsageError where nothing is left of it."""
    bare = " ".join(_DANGEROUS.sub(" ", text).split()).lstrip(_WILDCARDS + " ").rstrip()
    if not any(letter.isalnum() for letter in bare):
        raise UsageError(f"{text!r} cannot be searched for: there is no word in it")
    return f'"{bare}"'


def query(phrases: Sequence[str], categories: Sequence[str], span: Span) -> str:
    """A search_query: any of these phrases in title or abstract, in any of these categories, first
    submitted within a span. No phrases, or no categories, stand for all."""
    words = [f"{field}:{text}" for text in map(phrase, phrases) for field in ("ti", "abs")]
    parts = [f"({' OR '.join(words)})"] if words else []
    if categories:
        parts.append(f"({' OR '.join(f'cat:{category}' for category in categories)})")
    parts.append(f"submittedDate:[{span.start:%Y%m%d%H%M} TO {span.end:%Y%m%d%H%M}]")
    return " AND ".join(parts)


def chunks(
    phrases: Sequence[str], categories: Sequence[str], url: str, span: Span
) -> tuple[tuple[str, ...], ...]:
    """The phrases in groups of at most 40 whose address stays under 3,000 bytes; what one group
    finds and another finds too is to be taken once. Raises UsageError where one phrase is too long."""
    groups: list[tuple[str, ...]] = []
    for text in dict.fromkeys(phrases):
        longer = (*groups[-1], text) if groups else (text,)
        if groups and len(longer) <= MOST_PHRASES and _length(longer, categories, url, span) <= MOST_BYTES:
            groups[-1] = longer
        elif _length((text,), categories, url, span) <= MOST_BYTES:
            groups.append((text,))
        else:
            raise UsageError(f"{text[:60]!r} is too long for a query to arXiv, with these categories")
    return tuple(groups) or ((),)


def request(search: str, start: int, size: int) -> dict[str, str]:
    """The parameters of one page of a query's results, the first submitted first."""
    return {
        "search_query": search,
        "start": str(start),
        "max_results": str(size),
        "sortBy": "submittedDate",
        "sortOrder": "ascending",
    }


def _length(phrases: Sequence[str], categories: Sequence[str], url: str, span: Span) -> int:
    """Bytes of the longest address that asks for these phrases."""
    return len(f"{url}?{urlencode(request(query(phrases, categories, span), MOST_RESULTS, 2000))}")
