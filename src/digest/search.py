"""Search of the archive: words (BM25) and vectors (cosine), fused by reciprocal rank.

Reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009; k = 60 as in the paper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from digest import ids
from digest.phrases import STOP_WORDS
from digest.types import Hit, Paper, Window

if TYPE_CHECKING:
    from digest.index import VectorIndex
    from digest.store import Store

DEPTH = 200  # answers taken from each side before they are fused
RRF_K = 60
EVERYTHING = Window()
_TOKEN = re.compile(r'"([^"]*)"|([^\W_]+(?:[-_][^\W_]+)*)')
_WORD = re.compile(r"[^\W_]+")

FloatVector = npt.NDArray[np.float32]


def search(
    store: Store,
    index: VectorIndex | None,
    encode: Callable[[str], FloatVector],
    query: str,
    k: int = 10,
    window: Window = EVERYTHING,
) -> list[Hit]:
    """The ``k`` best papers for a query, best first. Any text is a query: nothing in it is syntax but
    double quotes, which hold a phrase together."""
    terms = read_query(query)
    words = store.search_words(expression(terms), DEPTH, window) if terms else []
    near = neighbours(store, index, encode(query), window) if index is not None and query.strip() else {}
    fused = fuse([[number for number, _ in words], list(near)])[:k]
    papers = store.papers_by_number([number for number, _ in fused])
    matched = {number for number, _ in words}
    return [
        hit(paper, score, terms if number in matched else (), near.get(number))
        for (number, score), paper in zip(fused, papers, strict=True)
    ]


def similar(store: Store, index: VectorIndex, model: str, paper_id: str, k: int, window: Window) -> list[Hit]:
    """The ``k`` papers nearest to a paper, itself left out."""
    _, vectors = store.vectors(model, [paper_id])
    if not len(vectors):
        return []
    own = store.paper_numbers([paper_id])[paper_id]
    near = neighbours(store, index, vectors[0], window)
    near.pop(own, None)
    best = list(near.items())[:k]
    papers = store.papers_by_number([number for number, _ in best])
    return [hit(paper, cosine, (), cosine) for (_, cosine), paper in zip(best, papers, strict=True)]


def neighbours(store: Store, index: VectorIndex, vector: FloatVector, window: Window) -> dict[int, float]:
    """Paper numbers by cosine similarity, nearest first, the window's only."""
    depth = DEPTH if window == EVERYTHING else len(index)
    similarities, numbers = index.search(vector[None, :], min(depth, len(index)))
    found = {
        int(number): float(score)
        for number, score in zip(numbers[0], similarities[0], strict=True)
        if number >= 0
    }
    inside = set(store.filter_numbers(list(found), window))
    return {number: score for number, score in list(found.items()) if number in inside}


def read_query(query: str) -> tuple[str, ...]:
    """The words and quoted phrases of a query, without stop words (unless there is nothing else)."""
    found = [phrase or word for phrase, word in _TOKEN.findall(query)]
    terms = [term for term in found if _WORD.search(term)]
    telling = [term for term in terms if term.lower() not in STOP_WORDS]
    return tuple(dict.fromkeys(telling or terms))


def expression(terms: Sequence[str]) -> str:
    """An FTS5 expression that finds any of the terms; each is a string of bare words, so nothing in
    a query can be read as syntax (https://sqlite.org/fts5.html#fts5_strings)."""
    phrases = (" ".join(_WORD.findall(term)) for term in terms)
    return " OR ".join(f'"{phrase}"' for phrase in phrases)


def fuse(rankings: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """Fuse rankings by reciprocal rank; scores are scaled so that first everywhere is 1."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(ranking, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (RRF_K + rank)
    best = sum(1 for ranking in rankings if ranking) / (RRF_K + 1) or 1
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(number, round(score / best, 4)) for number, score in ordered]


def hit(paper: Paper, score: float, terms: Sequence[str], cosine: float | None) -> Hit:
    """One answer, with the reason it is there."""
    return Hit(
        id=paper.id,
        version=paper.version,
        title=paper.title,
        authors=paper.authors,
        published=paper.submitted,
        categories=paper.categories,
        score=round(score, 4),
        why=reason(paper, terms, cosine),
        url=ids.abs_url(paper.id),
    )


def reason(paper: Paper, terms: Sequence[str], cosine: float | None) -> str:
    """Why a paper was found, in words."""
    said = []
    for place, text in (("title", paper.title), ("abstract", paper.abstract)):
        there = [term for term in terms if _stem(term) in text.lower()]
        if there:
            said.append(f"{', '.join(there)} in the {place}")
    if terms and not said:
        said.append("holds a form of " + ", ".join(terms))
    if cosine is not None:
        said.append(f"near in meaning ({cosine:.2f})")
    return "; ".join(said)


def _stem(term: str) -> str:
    """Enough of a word to find its inflections in a text."""
    term = term.lower()
    return term[:-1] if len(term) > 4 and term.endswith("s") else term
