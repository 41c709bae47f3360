"""Where a paper answers a query: its words found again in title and abstract, and the passage to show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

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
Words = tuple[list[Span], list[str]]
"""Where the words of a text stand, and their roots."""


def words_of(text: str) -> Words:
    """A text as its words."""
    matches = list(_WORD.finditer(text))
    return [match.span() for match in matches], [_root(match[0]) for match in matches]


def found(term: Term, words: Words) -> Iterator[Span]:
    """Where a term stands in a text, whatever the endings of its words: (start, end) in characters."""
    places, roots = words
    wanted = [_root(word) for word in term.words]
    for at in range(len(roots) - len(wanted) + 1):
        if roots[at] == wanted[0] and roots[at : at + len(wanted)] == wanted:
            yield places[at][0], places[at + len(wanted) - 1][1]


def snippet(paper: Paper, terms: Sequence[Term]) -> tuple[str, tuple[Span, ...]]:
    """The passage of the abstract with most of the terms, readable, and where they stand in it; ("", ())
    where the abstract holds none."""
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
    marks = (
        (left + shift, right + shift) for left, right in _merged(spans) if start <= left and right <= end
    )
    return before + text[start:end] + after, tuple(marks)


def reason(paper: Paper, terms: Sequence[Term], cosine: float | None, *, holds: bool = True) -> str:
    """Why a paper was found, in words: which terms stand where, and how near it is in meaning.
    ``holds``: if none is seen here, some form of one stands there all the same."""
    said, held = [], set()
    for place in ("title", "abstract", "authors"):
        text = " ".join(paper.authors) if place == "authors" else getattr(paper, place)
        words = words_of(text)
        here = [term for term in terms if term.where in ("any", place) and any(found(term, words))]
        held.update(here)
        if here:
            said.append(f"{', '.join(dict.fromkeys(term.text for term in here))} in the {place}")
    if terms and not held and holds:
        said.append("a form of " + ", ".join(term.text for term in terms[:4]))
    if cosine is not None:
        said.append(f"near in meaning ({cosine:.2f})")
    return "; ".join(said)


@lru_cache(maxsize=1 << 16)
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


def _merged(spans: Sequence[tuple[Span, int]]) -> Iterator[Span]:
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
