"""Search of the archive: words (BM25) and vectors (cosine), fused by reciprocal rank.

Reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009; k = 60 as in the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from digest import ids, snippets
from digest.query import Query, Term
from digest.types import Answer, Hit, Paper, Results

if TYPE_CHECKING:
    from digest.index import VectorIndex
    from digest.store import Store

Mode = Literal["words", "vectors", "both"]
FloatVector = npt.NDArray[np.float32]

DEPTH = 200  # answers taken from each side before they are fused
RRF_K = 60


def search(
    store: Store,
    index: VectorIndex | None,
    encode: Callable[[str], FloatVector],
    query: Query,
    k: int = 10,
    mode: Mode = "both",
) -> Answer:
    """The ``k`` best papers for a query, best first.

    ``index`` is None where nothing is embedded: then words alone are asked. A query of filters alone
    lists what they let through, newest first.
    """
    return _answer(store, query, _found(store, index, encode, query, mode, k), 0, k)


def results(
    store: Store,
    index: VectorIndex | None,
    encode: Callable[[str], FloatVector],
    query: Query,
    page: int,
    size: int,
    mode: Mode = "both",
) -> Results:
    """The same page by page, numbered from 1, with the facets of all that was found."""
    found = _found(store, index, encode, query, mode, DEPTH)
    return Results(
        answer=_answer(store, query, found, (page - 1) * size, size),
        total=len(found.fused),
        facets=store.facets([number for number, _ in found.fused]),
    )


def _found(
    store: Store,
    index: VectorIndex | None,
    encode: Callable[[str], FloatVector],
    query: Query,
    mode: Mode,
    depth: int,
) -> Ranked:
    if query.terms or query.meaning:
        return rank(store, index, encode, query, mode)
    return Ranked([(number, 1.0) for number in _listed(store, query, depth)], frozenset(), {})


def _answer(store: Store, query: Query, found: Ranked, skip: int, k: int) -> Answer:
    chosen = found.fused[skip : skip + k]
    papers = store.papers_by_number([number for number, _ in chosen])
    hits = tuple(
        hit(paper, score, query.terms if number in found.matched else (), found.near.get(number))
        for (number, score), paper in zip(chosen, papers, strict=False)
    )
    if not query.terms and not query.meaning:
        hits = tuple(replace(one, why="passes the filters") for one in hits)
    return Answer(hits, (*query.notes, *_unmet(query, found)))


class Ranked(NamedTuple):
    """Paper numbers with fused scores, best first; those that hold words of the query; the cosines."""

    fused: list[tuple[int, float]]
    matched: frozenset[int]
    near: dict[int, float]


def rank(
    store: Store,
    index: VectorIndex | None,
    encode: Callable[[str], FloatVector],
    query: Query,
    mode: Mode,
    depth: int = DEPTH,
) -> Ranked:
    """The best ``depth`` papers of each side, fused."""
    words: list[tuple[int, float]] = []
    if query.terms and mode != "vectors":
        words = store.search_words(expression(query), depth, query.window)
    near: dict[int, float] = {}
    if index is not None and mode != "words" and query.meaning:
        near = neighbours(store, index, encode(query.meaning), query, depth)
    fused = fuse([[number for number, _ in words], list(near)])
    if query.ids:
        asked = set(store.paper_numbers(query.ids).values())
        fused = [(number, score) for number, score in fused if number in asked]
    return Ranked(fused, frozenset(number for number, _ in words), near)


def similar(store: Store, index: VectorIndex, model: str, paper_id: str, k: int, query: Query) -> list[Hit]:
    """The ``k`` papers nearest to a paper that pass a query's filters, itself left out."""
    _, vectors = store.vectors(model, [paper_id])
    if not len(vectors):
        return []
    own = store.paper_numbers([paper_id])[paper_id]
    near = neighbours(store, index, vectors[0], query)
    near.pop(own, None)
    best = list(near.items())[:k]
    papers = store.papers_by_number([number for number, _ in best])
    return [hit(paper, cosine, (), cosine) for (_, cosine), paper in zip(best, papers, strict=True)]


def neighbours(
    store: Store, index: VectorIndex, vector: FloatVector, query: Query, wanted: int = DEPTH
) -> dict[int, float]:
    """Paper numbers by cosine similarity, nearest first, those that pass the query's filters only.

    Looks deeper until enough have passed: most filters let every tenth paper through or more.
    """
    depth = wanted
    while True:
        found = index.nearest(vector, min(depth, len(index)))
        near = {number: found[text] for number, text in store.papers_with_texts(list(found))}
        passed = store.filter_numbers(list(near), query.window, holding(query), without(query))
        if len(passed) >= wanted or depth >= len(index):
            return {number: near[number] for number in passed[:wanted]}
        depth *= 10


def expression(query: Query) -> str:
    """The FTS5 expression of a query: any of its terms, all that must be there, none of the rest
    (https://sqlite.org/fts5.html#full_text_query_syntax). Each term is a string of bare words, so
    nothing in a query can be read as syntax."""
    wanted = " OR ".join(map(_string, query.terms))
    held = " AND ".join([f"({wanted})", *map(_string, query.must)])
    return f"({held}) NOT ({without(query)})" if query.without else held


def holding(query: Query) -> str:
    """What a paper found by its meaning must hold too, as an FTS5 expression; "" for anything."""
    return " AND ".join(map(_string, query.must))


def without(query: Query) -> str:
    """What no paper found may hold, as an FTS5 expression; "" for nothing."""
    return " OR ".join(map(_string, query.without))


def _string(term: Term) -> str:
    words = " ".join(term.words)
    return f'"{words}"' if term.where == "any" else f'{term.where} : "{words}"'


def fuse(rankings: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """Fuse rankings by reciprocal rank; scores are scaled so that first everywhere is 1."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(ranking, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (RRF_K + rank)
    best = sum(1 for ranking in rankings if ranking) / (RRF_K + 1) or 1
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(number, round(score / best, 4)) for number, score in ordered]


def hit(paper: Paper, score: float, terms: Sequence[Term], cosine: float | None) -> Hit:
    """One answer, with the reason it is there and the passage that shows it."""
    snippet, marks = snippets.snippet(paper, terms)
    held = snippets.places(paper, terms)
    return Hit(
        id=paper.id,
        version=paper.version,
        title=paper.title,
        authors=paper.authors,
        published=paper.submitted,
        categories=paper.categories,
        score=round(score, 4),
        why=snippets.reason(held, cosine),
        url=ids.abs_url(paper.id),
        snippet=snippet,
        marks=marks,
        held=held,
        cosine=cosine,
    )


def _listed(store: Store, query: Query, k: int) -> list[int]:
    """What a query of filters alone lets through."""
    if not query.ids:
        return store.newest_numbers(query.window, k, without(query))
    numbers = list(store.paper_numbers(query.ids).values())
    return store.filter_numbers(numbers, query.window, without=without(query))[:k]


def _unmet(query: Query, found: Ranked) -> tuple[str, ...]:
    if found.fused or not query.must:
        return ()
    wanted = ", ".join(f'"{term.text}"' for term in query.must)
    return (f"no paper holds {wanted} to the letter; without quotation marks and fields more is found",)
