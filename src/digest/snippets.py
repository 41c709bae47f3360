"""Where a paper answers a query: its words found again in title and abstract, and the passage to show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

from digest.phrases import singular, stem
from digest.query import Term
from digest.text import readable
from digest.types import Paper

LENGTH = 200
"""Characters of a snippet, about two lines of a terminal."""

_WORD = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"[.?!] ")
_SPACE = re.compile(r" ")
Span = tuple[int, int]


class Words:
    """A text as its words: their roots, and where they stand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.roots = list(map(_root, _WORD.findall(text)))

    @cached_property
    def spans(self) -> list[Span]:
        """Where each word stands; most texts that are looked through do not hold what is looked for."""
        return [match.span() for match in _WORD.finditer(self.text)]


@lru_cache(512)  # an abstract is looked through for the passage, and for the reason
def words_of(text: str) -> Words:
    """A text as its words."""
    return Words(text)


def found(term: Term, words: Words) -> Iterator[Span]:
    """Where a term stands in a text, whatever the endings of its words: (start, end) in characters."""
    roots, wanted = words.roots, _roots(term.words)
    at = -1
    for _ in range(roots.count(wanted[0]) if wanted else 0):
        at = roots.index(wanted[0], at + 1)
        if roots[at : at + len(wanted)] == wanted:
            yield words.spans[at][0], words.spans[at + len(wanted) - 1][1]


def snippet(paper: Paper, terms: Sequence[Term]) -> tuple[str, tuple[Span, ...]]:
    """The passage of the abstract with most of the terms, readable, and where they stand in it; ("", ())
    where the abstract holds none."""
    if not terms:
        return "", ()
    text = " ".join(readable(paper.abstract).split())
    words = words_of(text)
    spans = sorted(
        (span, number)
        for number, term in enumerate(terms)
        if term.where in ("any", "abstract")
        for span in found(term, words)
    )
    if not spans:
        return "", ()
    begin = max((start for (start, _), _ in spans), key=lambda at: (_different(spans, at), -at))
    start, end = _widened(text, begin)
    before, after = "…" * (start > 0), "…" * (end < len(text))
    shift = len(before) - start
    marks = ((left + shift, right + shift) for left, right in merged(spans) if start <= left and right <= end)
    return before + text[start:end] + after, tuple(marks)


def places(paper: Paper, terms: Sequence[Term], *, holds: bool = True) -> dict[str, tuple[str, ...]]:
    """Which terms stand in title, abstract and authors; under ``form`` those that none of these holds as
    they were given, where none is held and yet it is known (``holds``) that some form of one is."""
    held: dict[str, tuple[str, ...]] = {}
    for place in ("title", "abstract", "authors") if terms else ():
        text = " ".join(paper.authors) if place == "authors" else getattr(paper, place)
        words = words_of(text)
        here = [term.text for term in terms if term.where in ("any", place) and any(found(term, words))]
        if here:
            held[place] = tuple(dict.fromkeys(here))
    if terms and not held and holds:
        held["form"] = tuple(term.text for term in terms[:4])
    return held


def reason(held: Mapping[str, Sequence[str]], cosine: float | None) -> str:
    """Why a paper was found, in words: which terms stand where, and how near it is in meaning."""
    said = [
        f"a form of {', '.join(texts)}" if place == "form" else f"{', '.join(texts)} in the {place}"
        for place, texts in held.items()
    ]
    return "; ".join([*said, *([] if cosine is None else [f"near in meaning ({cosine:.2f})"])])


@lru_cache(4096)
def _roots(words: tuple[str, ...]) -> list[str]:
    return list(map(_root, words))


@lru_cache(50_000)
def _root(word: str) -> str:
    return stem(singular(word.lower()))


def _different(spans: Sequence[tuple[Span, int]], at: int) -> int:
    return len({number for (start, end), number in spans if at <= start and end <= at + LENGTH * 3 // 4})


def _widened(text: str, begin: int) -> Span:
    """A stretch of whole words around a place, begun at its sentence where that is near."""
    earliest = max(0, begin - LENGTH // 4)
    sentences = [end.end() for end in _SENTENCE_END.finditer(text, earliest, begin)]
    words = [space.end() for space in _SPACE.finditer(text, earliest, begin)]
    start = 0 if earliest == 0 else (sentences[-1:] or words[:1] or [begin])[0]
    end = min(len(text), start + LENGTH)
    return start, end if end == len(text) else max(text.rfind(" ", begin, end), begin + 1)


def merged(spans: Sequence[tuple[Span, int]]) -> Iterator[Span]:
    """Spans that do not overlap, in order: of those that do, the longer."""
    last: Span | None = None
    for (start, end), _ in spans:
        if last and start < last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last
