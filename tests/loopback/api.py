"""The search API as arXiv serves it (https://info.arxiv.org/help/api/user-manual.html, answers of
2026): the grammar of its queries, pages, and errors that are feeds.

AND, OR and ANDNOT have no precedence and bind to the right; two terms side by side are OR; a term
without a field is all:; an unknown field is text; the words of a quoted phrase are stemmed.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from loopback.tex import greek, to_unicode
from loopback.world import Listed, Record, View, World

MOST = 10_000
"""How deep one may page; further is an error within the server."""
_SLICE = 2000

# --- queries --------------------------------------------------------------------------------------


class BadRequest(Exception):
    """An error that is told as a feed, with status 400."""


class ServerError(Exception):
    """An error that arXiv's server does not catch, with status 500."""


class Term(NamedTuple):
    """A field and what it must hold."""

    field: str
    value: str

    def __str__(self) -> str:
        return f'{self.field}:"{self.value}"' if " " in self.value else f"{self.field}:{self.value}"


class Both(NamedTuple):
    """Two queries and the operator between them."""

    left: Query
    operator: str
    right: Query

    def __str__(self) -> str:
        return f"{_grouped(self.left)} {self.operator} {_grouped(self.right)}"


Query = Term | Both

_OPERATORS = ("AND", "OR", "ANDNOT")
_FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "rn", "id", "doi", "all", "submittedDate", "lastUpdatedDate")
_TOKEN = re.compile(r'\(|\)|(?:\w+:)?"[^"]*"|\w+:\[[^\]]*\]|[^\s()"]+|"')


def parse(text: str) -> Query:
    """A query as arXiv reads it. Raises BadRequest where it is empty or unbalanced."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        raise BadRequest("search_query is empty")
    query, rest = _expression(tokens)
    if rest:
        raise BadRequest(f"unbalanced parenthesis in {text}")
    return query


def _expression(tokens: list[str]) -> tuple[Query, list[str]]:
    left, rest = _primary(tokens)
    if not rest or rest[0] == ")":
        return left, rest
    operator, rest = (rest[0], rest[1:]) if rest[0] in _OPERATORS else ("OR", rest)
    right, rest = _expression(rest)
    return Both(left, operator, right), rest


def _primary(tokens: list[str]) -> tuple[Query, list[str]]:
    if not tokens or tokens[0] in (*_OPERATORS, ")", '"'):
        raise BadRequest(f"a term is missing before {tokens[0] if tokens else 'the end'}")
    first, rest = tokens[0], tokens[1:]
    if first != "(" and not (first.endswith(":") and rest[:1] == ["("]):
        return _term(first), rest
    query, rest = _expression(rest if first == "(" else rest[1:])
    if rest[:1] != [")"]:
        raise BadRequest("unbalanced parenthesis")
    return query, rest[1:]


def _term(token: str) -> Term:
    field, colon, value = token.partition(":")
    if not colon or field not in _FIELDS:
        return Term("all", token.strip('"'))
    if field in ("submittedDate", "lastUpdatedDate"):
        return _dated(value)
    return Term(field, value.strip('"'))


def _dated(value: str) -> Term:
    if re.fullmatch(r"\[\d{12} TO \d{12}\]", value):
        return Term("submittedDate", value)
    if re.search(r"\d{4}-\d{2}-\d{2}", value):
        raise ServerError("ValueError: time data does not match format")
    return Term("all", value)  # a wildcard, a small "to": words like others


def _grouped(query: Query) -> str:
    return f"({query})" if isinstance(query, Both) else str(query)


# --- what a query finds ---------------------------------------------------------------------------


def holds(query: Query, record: Record) -> bool:
    """Is a paper found by a query?"""
    if isinstance(query, Term):
        return _has(query, record)
    left = holds(query.left, record)
    if query.operator == "OR":
        return left or holds(query.right, record)
    return left and holds(query.right, record) == (query.operator == "AND")


def _has(term: Term, record: Record) -> bool:
    if term.field == "submittedDate":
        first, last = (
            datetime.strptime(day, "%Y%m%d%H%M").replace(tzinfo=UTC) for day in term.value[1:-1].split(" TO ")
        )
        return first <= record.created(1) <= last
    if term.field == "cat":
        wanted = re.escape(term.value).replace(r"\*", ".*")
        return any(re.fullmatch(wanted, code) for code in record.codes)
    stems = _stems(term.value)
    fields = _TEXT if term.field == "all" else {term.field: _TEXT[term.field]}
    return any(stems in _stems(text(record) or "") for text in fields.values())


_TEXT: Mapping[str, Callable[[Record], str | None]] = {
    "ti": lambda record: record.title,
    "abs": lambda record: record.abstract,
    "au": lambda record: to_unicode(record.authors or ""),
    "co": lambda record: record.comments,
    "jr": lambda record: record.journal_ref,
    "rn": lambda record: record.report_no,
    "doi": lambda record: record.doi,
    "id": lambda record: record.id,
}


@lru_cache(maxsize=1 << 17)
def _stems(text: str) -> str:
    """The stems of a text between spaces, so that a phrase is a piece of it."""
    words = re.findall(r"\w+", text.lower())
    return f" {' '.join(re.sub(r'(ations?|ings?|ed|es|s|e|able)$', '', word) for word in words)} "


# --- the service ----------------------------------------------------------------------------------


class Asked(NamedTuple):
    """The arguments of a request, checked."""

    query: Query | None
    ids: tuple[str, ...]
    start: int
    most: int
    sort: str
    ascending: bool


class Api:
    """The API of a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(self, given: Mapping[str, str], now: datetime, fault: str | None = None) -> bytes:
        """The feed for a request; ``fault`` is one of this service's own (loopback.faults).
        Raises BadRequest and ServerError."""
        asked = _read(given)
        found = self._found(asked, self._world.view("api", now))
        total = len(found) + (7 if fault == "changed total" else 0)
        start = max(0, asked.start - asked.most) if fault == "repeated page" else asked.start
        page = [] if fault == "empty page" else found[start : start + asked.most]
        if fault == "no results":
            page, total = [], 0
        if fault == "unsorted":
            page = page[::-1]
        return _feed(asked, now, total, page).encode()

    def _found(self, asked: Asked, view: View) -> list[Record]:
        listed = (
            self._by_id(asked.ids, view)
            if asked.ids
            else [o.record for o in view.papers.values() if _shown(o)]
        )
        found = [record for record in listed if asked.query is None or holds(asked.query, record)]
        if asked.ids:
            return found
        by = {"submittedDate": lambda r: r.created(1), "lastUpdatedDate": lambda r: r.created(r.version)}
        return sorted(
            sorted(found, key=lambda r: r.id), key=by.get(asked.sort, _seeming), reverse=not asked.ascending
        )

    def _by_id(self, names: tuple[str, ...], view: View) -> list[Record]:
        found = []
        for name in sorted(set(names), reverse=True):  # the order asked for is not kept
            base, _, number = name.partition("v")
            if (one := view.papers.get(base)) and _shown(one):
                state = self._world.version(base, int(number), view.day) if number else one.record
                found += [state] if state else []
        return found


def _shown(one: Listed) -> bool:
    return not one.deleted


def _seeming(record: Record) -> bytes:
    """An order that has nothing to do with dates, for relevance."""
    return sha1(record.id.encode()).digest()


def _read(given: Mapping[str, str]) -> Asked:
    ids = tuple(name for name in given.get("id_list", "").split(",") if name)
    for name in ids:
        if not re.fullmatch(r"(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v[1-9]\d*)?", name):
            raise BadRequest(f"incorrect id format for {name}")
    start, most = _number(given, "start", 0), _number(given, "max_results", 10)
    if most == 0:
        raise ServerError("ZeroDivisionError: division by zero")
    if start + most > MOST:
        raise ServerError(f"OutsideAllowedRange: {start + most} is beyond {MOST}")
    text = given.get("search_query", "")
    if not text and not ids:
        raise BadRequest("Either a search_query or id_list must be specified for the classic API.")
    sort, direction = given.get("sortBy", "relevance"), given.get("sortOrder", "descending")
    if sort not in ("relevance", "lastUpdatedDate", "submittedDate"):
        raise BadRequest("sortBy must be in: relevance, lastUpdatedDate, submittedDate")
    if direction not in ("ascending", "descending"):
        raise BadRequest("sortOrder must be in: ascending, descending")
    return Asked(_parsed(text), ids, start, min(most, _SLICE), sort, direction == "ascending")


def _parsed(text: str) -> Query | None:
    try:
        return parse(text) if text else None
    except RecursionError as error:
        raise ServerError("RecursionError: maximum recursion depth exceeded") from error


def _number(given: Mapping[str, str], name: str, otherwise: int) -> int:
    text = given.get(name, str(otherwise))
    if not re.fullmatch(r"-?\d+", text):
        raise BadRequest(f"{name} must be an integer")
    if text.startswith("-"):
        raise BadRequest(f"{name} must be non-negative")
    return int(text)


# --- the wire -------------------------------------------------------------------------------------

_FEED = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
    'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">'
)


def _feed(asked: Asked, now: datetime, total: int, page: list[Record]) -> str:
    query, ids = str(asked.query or ""), ",".join(asked.ids)
    title = f"search_query={query}&id_list={ids}&start={asked.start}&max_results={asked.most}"
    link = (
        f"search_query={query.replace(' ', '+')}&start={asked.start}&max_results={asked.most}&id_list={ids}"
    )
    lines = [
        _FEED,
        f"  <id>https://arxiv.org/api/{b64encode(sha1(title.encode()).digest()).decode().rstrip('=')}</id>",
        f"  <title>{escape(f'arXiv Query: {title}')}</title>",
        f"  <updated>{_time(now)}</updated>",
        f'  <link href={quoteattr(f"https://arxiv.org/api/query?{link}")} type="application/atom+xml"/>',
        *_counts(asked.most, total, asked.start),
    ]
    for record in page:
        lines += _entry(record)
    return "\n".join([*lines, "</feed>", ""])


def _counts(page: int, total: int, start: int) -> list[str]:
    numbers = {"itemsPerPage": page, "totalResults": total, "startIndex": start}
    return [f"  <opensearch:{name}>{number}</opensearch:{name}>" for name, number in numbers.items()]


def error_feed(said: str, now: datetime) -> bytes:
    """An error as arXiv tells it: a feed of one entry."""
    name = quoteattr(f"https://arxiv.org/api/errors#{said.replace(' ', '_')}")
    lines = [
        _FEED,
        "  <id>https://arxiv.org/</id>",
        "  <title>arXiv Search Results</title>",
        f"  <updated>{_time(now)}</updated>",
        *_counts(1, 1, 0),
        "  <entry>",
        f"    <id>{name[1:-1]}</id>",
        "    <title>Error</title>",
        f"    <updated>{_time(now)}</updated>",
        f'    <link href={name} rel="alternate" type="text/html"/>',
        f"    <summary>{escape(said)}</summary>",
        "    <author>",
        "      <name>arXiv api core</name>",
        "    </author>",
        "  </entry>",
        "</feed>",
        "",
    ]
    return "\n".join(lines).encode()


def _entry(record: Record) -> list[str]:
    name = f"{record.id}v{record.version}"
    scheme = 'scheme="http://arxiv.org/schemas/atom"'
    title, summary = (escape(greek(to_unicode(text))) for text in (record.title, record.abstract))
    lines = [
        "  <entry>",
        f"    <id>http://arxiv.org/abs/{name}</id>",
        f"    <title>{title}</title>",
        f"    <updated>{_time(record.created(record.version))}</updated>",
        f'    <link href="https://arxiv.org/abs/{name}" rel="alternate" type="text/html"/>',
        f'    <link href="https://arxiv.org/pdf/{name}" rel="related" type="application/pdf" title="pdf"/>',
        f"    <summary>{summary}</summary>",
        *(f'    <category term="{code}" {scheme}/>' for code in record.codes),
        f"    <published>{_time(record.created(1))}</published>",
    ]
    if record.comments:
        lines.append(f"    <arxiv:comment>{escape(to_unicode(record.comments))}</arxiv:comment>")
    lines.append(f'    <arxiv:primary_category term="{record.codes[0]}"/>')
    if record.journal_ref:
        lines.append(f"    <arxiv:journal_ref>{escape(to_unicode(record.journal_ref))}</arxiv:journal_ref>")
    for author, place in _authors(record.authors or ""):
        lines += ["    <author>", f"      <name>{escape(author)}</name>"]
        lines += [f"      <arxiv:affiliation>{escape(place)}</arxiv:affiliation>"] if place else []
        lines.append("    </author>")
    if record.doi:
        lines.append(f"    <arxiv:doi>{escape(record.doi)}</arxiv:doi>")
        lines.append(
            f'    <link rel="related" href={quoteattr(f"https://doi.org/{record.doi}")} title="doi"/>'
        )
    return [*lines, "  </entry>"]


def _authors(text: str) -> list[tuple[str, str]]:
    """The authors in a line, each with an affiliation if one stands behind the name."""
    names = re.split(r"(?:,\s*(?:and\s+)?|\s+and\s+)(?![^()]*\))", to_unicode(text))
    found = (re.fullmatch(r"([^(]*)(?:\((.*)\))?.*", name.strip(), re.DOTALL) for name in names)
    return [(one[1].strip(), (one[2] or "").strip()) for one in found if one and one[1].strip()]


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
