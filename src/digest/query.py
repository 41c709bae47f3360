"""What a person types into the search box, read: words, "phrases", -minus, and fields.

The language is the one people know from search engines and from arXiv's own. Nothing in it can be
wrong: what is no known field, no year or no category is read as words, and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Literal
from unicodedata import normalize

from msgspec import Struct, field
from msgspec.structs import replace

from digest import ids
from digest.errors import DigestError
from digest.phrases import STOP_WORDS
from digest.types import Window

Field = Literal["any", "title", "abstract", "authors"]

LONGEST = 2_000
"""Characters of a query that are read. The model reads 256 word pieces, and nobody types more."""
MOST_TERMS = 64
_FIELDS: dict[str, Field] = {
    "ti": "title",
    "title": "title",
    "abs": "abstract",
    "abstract": "abstract",
    "au": "authors",
    "author": "authors",
}
_FILTERS = ("cat", "topic", "year", "id")
_TOKEN = re.compile(
    r"""(?P<minus>(?<!\S)-(?=[\w"]))?        # -word, and not the hyphen of a compound
        (?:(?P<name>[A-Za-z]+):(?=[^\s:/]))?   # ti:word, and not http://
        (?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))""",
    re.VERBOSE,
)
_WORD = re.compile(r"[^\W_]+")
_YEARS = re.compile(r"(\d{4})?(\.\.)?(\d{4})?")


class Term(Struct, frozen=True):
    """Words that stand together, in one field or in any."""

    words: tuple[str, ...]
    where: Field = "any"

    @property
    def text(self) -> str:
        """The words as they are shown."""
        return " ".join(self.words)


class Query(Struct, frozen=True, kw_only=True):
    """A query, read.

    ``terms`` rank: a paper with any of them is found. A paper found has all of ``must`` (phrases in
    quotes, words of a field) and none of ``without``, and lies in ``window``. ``meaning`` is the text
    whose vector is compared; "" where only filters were given. ``ids`` asks for these papers alone.
    """

    terms: tuple[Term, ...] = ()
    must: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    window: Window = field(default_factory=Window)
    ids: tuple[str, ...] = ()
    meaning: str = ""
    notes: tuple[str, ...] = ()


def read(text: str, window: Window | None = None) -> Query:
    """Read a query. ``window`` holds filters given by other means; those of the text come on top."""
    reading = _Reading(window or Window())
    text = normalize("NFC", text.encode(errors="ignore").decode())  # as papers are kept
    clean = " ".join(text.replace("\0", " ").split())
    if len(clean) > LONGEST:
        reading.notes.append(f"only the first {LONGEST:,} characters were read")
        clean = clean[:LONGEST].rsplit(" ", 1)[0]
    for token in _TOKEN.finditer(clean):
        reading.take(token)
    return reading.query()


def plain(text: str) -> Query:
    """Any text as a query of words, with nothing in it read as syntax."""
    return read(" ".join(_WORD.findall(text)))


class _Reading:
    """A query while it is read."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.notes: list[str] = []
        self._terms: list[Term] = []
        self._must: list[Term] = []
        self._without: list[Term] = []
        self._ids: list[str] = []
        self._said: list[str] = []

    def take(self, token: re.Match[str]) -> None:
        """One word, phrase or field."""
        name, minus = (token["name"] or "").lower(), bool(token["minus"])
        value = token["phrase"] if token["phrase"] is not None else token["word"]
        if name in _FILTERS and self._filter(name, value, minus):
            return
        if name in _FIELDS:
            self._words(value, _FIELDS[name], minus=minus, must=True)
            return
        if name:
            if name not in _FILTERS:
                self.notes.append(f"{name}: is no field (ti, abs, au, cat, topic, year, id); read as words")
            value = f"{token['name']} {value}"
        self._words(value, "any", minus=minus, must=token["phrase"] is not None)

    def _words(self, value: str, where: Field, *, minus: bool, must: bool) -> None:
        words = tuple(_WORD.findall(value))
        if not words:
            return
        term = Term(words, where)
        if minus:
            self._without.append(term)
            return
        (self._must if must else self._terms).append(term)
        if where != "authors":
            self._said.append(value.strip('"'))

    def _filter(self, name: str, value: str, minus: bool) -> bool:
        """Whether the value is one that the filter understands."""
        found: Callable[[str, bool], str | None] = getattr(self, f"_{name}")
        complaint = found(value, minus)
        if complaint:
            self.notes.append(f"{name}:{value} {complaint}; read as words")
        return not complaint

    def _cat(self, value: str, minus: bool) -> str | None:
        codes = _categories(value)
        if not codes:
            return f"is no category; did you mean {ids.nearest_category(value)}?"
        name = "not_categories" if minus else "categories"
        self.window = replace(self.window, **{name: (*getattr(self.window, name), *codes)})
        return None

    def _topic(self, value: str, minus: bool) -> str | None:
        name = "not_topics" if minus else "topics"
        self.window = replace(self.window, **{name: (*getattr(self.window, name), value)})
        return None

    def _year(self, value: str, minus: bool) -> str | None:
        years = _YEARS.fullmatch(value)
        if minus or not years or not (years[1] or years[3]):
            return "is no year such as 2024, 2023..2026 or ..2020"
        first, last = years[1], years[3] if years[2] else years[1]
        since = date(int(first), 1, 1) if first and int(first) else None
        until = date(int(last), 12, 31) if last and int(last) else None
        self.window = replace(
            self.window,
            since=max(filter(None, (self.window.since, since)), default=None),
            until=min(filter(None, (self.window.until, until)), default=None),
        )
        return None

    def _id(self, value: str, minus: bool) -> str | None:
        try:
            paper = ids.parse(value).base
        except DigestError:
            return "is no arXiv id such as 2107.05580"
        if minus:
            return "cannot be left out by its id"
        self._ids.append(paper)
        return None

    def query(self) -> Query:
        """What was read. Stop words rank only where there is nothing else."""
        telling = [term for term in self._terms if not _all_stop_words(term)]
        ranking = telling or (self._terms if not self._must else [])
        if len(ranking) > MOST_TERMS:
            self.notes.append(f"only the first {MOST_TERMS} words rank")
        return Query(
            terms=tuple(dict.fromkeys((*ranking[:MOST_TERMS], *self._must))),
            must=tuple(dict.fromkeys(self._must)),
            without=tuple(dict.fromkeys(self._without)),
            window=self.window,
            ids=tuple(dict.fromkeys(self._ids)),
            meaning=" ".join(self._said),
            notes=tuple(self.notes),
        )


def as_term(text: str) -> Term:
    """A key as a term."""
    return Term(tuple(_WORD.findall(text)))


def _all_stop_words(term: Term) -> bool:
    return all(word.lower() in STOP_WORDS for word in term.words)


def _categories(value: str) -> tuple[str, ...]:
    """The categories of a code, or of an archive: "cs.*" and "cs" are all of computer science."""
    if value in ids.CATEGORIES:
        return (value,)
    archive = value.removesuffix(".*").lower()
    return tuple(_exact_or_under(archive, value.lower()))


def _exact_or_under(archive: str, value: str) -> Iterator[str]:
    for code in ids.CATEGORIES:
        if code.lower() == value or code.lower().startswith(f"{archive}."):
            yield code
