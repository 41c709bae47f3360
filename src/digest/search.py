"""Search of the archive: words (BM25) and vectors (cosine), fused by their scores.

A paper's score is (1 - w) times its BM25 score, divided by that of the best, plus w times its cosine,
for the best of both sides. So a query whose words single out few papers goes by its words, and one whose
words tell little by its meaning. Then the query's vector moves towards the best of this first answer
(Rocchio, in The SMART Retrieval System, 1971), and the same papers are ranked by it once more.
On 131 queries reciprocal ranks (Cormack, Clarke, Buettcher, SIGIR 2009) did worse: docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from digest import ids, snippets
from digest.query import Query, Term
from digest.types import Answer, Hit, Paper, Window

if TYPE_CHECKING:
    from digest.inverted import WordIndex

Mode = Literal["words", "vectors", "both"]
FloatVector = npt.NDArray[np.float32]

DEPTH = 200  # answers taken from each side before they are fused
ENOUGH = 0.75  # of what is wanted, where filters hold some back: the rest can cost as much again
FEW = 5_000  # papers that pass a query's filters: so few are compared one by one, and no index is asked
MEANING = 0.45  # the share of the cosine
BEST = 10  # papers of the first answer that the query's vector moves towards,
MOVED = 0.4  # by this share


class Archive(Protocol):
    """What is asked of the database (`digest.store.Reader`)."""

    def words(self, query: Query, k: int) -> list[tuple[int, float]]:
        """The best papers by BM25, with their scores."""

    def passing(self, numbers: Sequence[int], query: Query) -> list[int]:
        """Those that pass a query's filters."""

    def newest(self, query: Query, limit: int) -> list[int]:
        """The newest that pass a query's filters."""

    def papers(self, numbers: Sequence[int]) -> list[Paper]:
        """Papers by row number."""

    def vectors(self, name: str, numbers: Sequence[int]) -> tuple[list[int], npt.NDArray[np.float32]]:
        """Vectors by row number."""

    def passing_texts(self, texts: Sequence[bytes], query: Query) -> list[tuple[int, bytes]]:
        """Row numbers of the papers with these texts that pass a query's filters, by the texts' hashes."""


class Nearest(Protocol):
    """An index of vectors (`digest.index.VectorIndex`, or a server's)."""

    def __len__(self) -> int:
        """How many vectors there are; a server counts them."""

    def nearest(self, vector: FloatVector, k: int) -> dict[bytes, float]:
        """The k nearest: cosine by hash of text, nearest first; fewer only where there are fewer."""


class Ranked(NamedTuple):
    """Paper numbers with fused scores, best first; those that hold words of the query; the cosines."""

    fused: list[tuple[int, float]]
    matched: frozenset[int]
    near: Mapping[int, float]


class Look:
    """How deep one must look for the ``wanted`` best papers that pass a query's filters; what one side of a
    search has learned of that the next one begins with."""

    def __init__(self, query: Query, wanted: int) -> None:
        self.query, self.wanted = query, wanted
        # A few are withdrawn.
        self.depth = wanted + wanted // 10 if query.window == Window() else 4 * wanted
        self.passing: Sequence[int] | None = None

    @property
    def few(self) -> Sequence[int] | None:
        """All papers that pass, where they are known to be few."""
        return self.passing if self.passing is not None and len(self.passing) <= FEW else None

    def deeper(self, passed: int) -> None:
        """Look where a little more than enough would be, were all like those of which so many passed."""
        enough = 5 * self.depth * self.wanted // (4 * max(1, passed))
        self.depth = min(10 * self.depth, max(2 * self.depth, enough))


class Searcher:
    """What answers queries: the database, the indexes beside it, and what encodes a query.

    ``words`` is None where the database is to find words, ``vectors`` where nothing is embedded. Of
    ``among``, where given, are the only papers that are found.
    """

    def __init__(
        self,
        archive: Archive,
        words: WordIndex | None,
        vectors: Nearest | None,
        model: str,
        encode: Callable[[str], FloatVector],
        among: frozenset[int] | None = None,
    ) -> None:
        self._archive = archive
        self._words = words
        self._vectors = vectors
        self._model = model
        self._encode = encode
        self._among = among

    @property
    def has_vectors(self) -> bool:
        """Whether meaning can be searched."""
        return self._vectors is not None

    def search(self, query: Query, k: int = 10, mode: Mode = "both") -> Answer:
        """The ``k`` best papers for a query, best first. A query of filters alone lists what they let
        through, newest first."""
        return self.answer(query, self.found(query, mode, max(DEPTH, ceil(k / ENOUGH))), 0, k, mode)

    def found(self, query: Query, mode: Mode, depth: int = DEPTH) -> Ranked:
        """All that a search finds."""
        if query.terms or query.meaning:
            return self.rank(query, mode, depth)
        return Ranked([(number, 1.0) for number in self._archive.newest(query, depth)], frozenset(), {})

    def answer(self, query: Query, found: Ranked, skip: int, k: int, mode: Mode = "both") -> Answer:
        """``k`` papers of what was found, after so many."""
        chosen = found.fused[skip : skip + k]
        papers = self._archive.papers([number for number, _ in chosen])
        terms = () if mode == "vectors" else query.terms
        hits = tuple(
            hit(paper, score, terms, found.near.get(number), holds=number in found.matched)
            for (number, score), paper in zip(chosen, papers, strict=False)
        )
        if not query.terms and not query.meaning:
            hits = tuple(replace(one, why="passes the filters") for one in hits)
        return Answer(hits, (*query.notes, *_unmet(query, found)))

    def rank(self, query: Query, mode: Mode, depth: int = DEPTH) -> Ranked:
        """The best ``depth`` papers of each side, fused."""
        look = Look(query, depth)
        words = self._by_words(look) if mode != "vectors" else {}
        if self._vectors is None or mode == "words" or not query.meaning:
            return Ranked(fuse(words, {}), frozenset(words), {})
        vector = self._encode(query.meaning)
        near = self._by_meaning(vector, look)
        there, vectors = self._archive.vectors(self._model, [*{**words, **near}] if words else [])
        if not there:
            return Ranked(fuse(words, near), frozenset(words), near)
        cosines = dict(zip(there, (vectors @ vector).tolist(), strict=True))
        place = {number: at for at, number in enumerate(there)}
        best = [number for number, _ in fuse(words, cosines)[:BEST] if number in place]
        moved = towards(vector, vectors[[place[number] for number in best]])
        fused = fuse(words, dict(zip(there, (vectors @ moved).tolist(), strict=True)))
        return Ranked(fused, frozenset(words), cosines)

    def similar(self, number: int, k: int, query: Query) -> list[Hit]:
        """The ``k`` papers nearest to a paper that pass a query's filters, itself left out."""
        _, vectors = self._archive.vectors(self._model, [number])
        if not len(vectors):
            return []
        near = self._by_meaning(vectors[0], Look(query, ceil((k + 1) / ENOUGH)))
        near.pop(number, None)
        best = list(near.items())[:k]
        papers = self._archive.papers([found for found, _ in best])
        return [
            hit(paper, cosine, (), cosine, holds=False)
            for (_, cosine), paper in zip(best, papers, strict=True)
        ]

    def _by_words(self, look: Look) -> dict[int, float]:
        """The best papers by words, with their scores."""
        from digest.inverted import Damaged

        if self._words is not None:
            try:
                return self._passing(partial(self._holding, self._words, look), look)
            except Damaged:
                self._words = None
        return dict(self._archive.words(look.query, look.wanted))

    def _holding(self, words: WordIndex, look: Look, k: int) -> tuple[dict[int, float], bool]:
        if look.few is not None:
            return dict(words.search(look.query, k, look.few)), True
        found = dict(words.search(look.query, k))
        passed = self._archive.passing(list(found), look.query)
        return {number: found[number] for number in passed}, len(found) < k

    def _by_meaning(self, vector: FloatVector, look: Look) -> dict[int, float]:
        index = self._vectors
        assert index is not None

        def nearest(k: int) -> tuple[dict[int, float], bool]:
            if look.few is not None:
                return self._compared(look.few, vector), True
            cosines = index.nearest(vector, k)
            numbers = self._archive.passing_texts(list(cosines), look.query)
            return {number: cosines[text] for number, text in numbers}, len(cosines) < k

        return self._passing(nearest, look)

    def _compared(self, numbers: Sequence[int], vector: FloatVector) -> dict[int, float]:
        """The cosines of those of these papers that have a vector, nearest first."""
        there, vectors = self._archive.vectors(self._model, numbers)
        cosines = (vectors @ vector).tolist() if there else []
        return dict(sorted(zip(there, cosines, strict=True), key=lambda item: -item[1]))

    def _passing(self, find: Callable[[int], tuple[dict[int, float], bool]], look: Look) -> dict[int, float]:
        """The best that pass a query's filters: looks deeper until enough have, or these are all; where few
        papers pass, among these alone.

        ``find`` gives those of so many that pass, best first, with their scores; and whether there are no
        more.
        """
        if look.query.must or look.query.ids:  # rarely many hold a phrase
            self._count(look)
        while True:
            found, all_there = find(look.depth)
            if self._among is not None:
                found = {number: score for number, score in found.items() if number in self._among}
            if len(found) >= ENOUGH * look.wanted or all_there:
                return dict(islice(found.items(), look.wanted))
            self._count(look)
            if look.few is None:
                look.deeper(len(found))

    def _count(self, look: Look) -> None:
        """Learn which papers pass, where these are few."""
        if look.passing is None:
            look.passing = self._archive.newest(look.query, FEW + 1)


def towards(vector: FloatVector, best: npt.NDArray[np.float32]) -> FloatVector:
    """float32 [dimension], moved towards the mean of float32 [n, dimension], normalised."""
    if not len(best):
        return vector
    moved: FloatVector = (1 - MOVED) * vector + MOVED * best.mean(axis=0)
    return moved / np.linalg.norm(moved)


def fuse(words: Mapping[int, float], cosines: Mapping[int, float]) -> list[tuple[int, float]]:
    """Fuse BM25 scores and cosines; with one side alone, its own order. A paper without a vector counts as
    the least near; at most 1."""
    best = max(words.values(), default=0.0) or 1.0
    share = 0.0 if not cosines else 1.0 if not words else MEANING
    least = min(cosines.values(), default=0.0)
    scores = {
        number: (1 - share) * words.get(number, 0.0) / best + share * cosines.get(number, least)
        for number in {**words, **cosines}
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def hit(paper: Paper, score: float, terms: Sequence[Term], cosine: float | None, *, holds: bool) -> Hit:
    """One answer, with the reason it is there and the passage that shows it. ``holds``: some form of the
    terms is known to stand in it."""
    snippet, marks = snippets.snippet(paper, terms)
    held = snippets.places(paper, terms, holds=holds)
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


def _unmet(query: Query, found: Ranked) -> tuple[str, ...]:
    if found.fused or not query.must:
        return ()
    wanted = ", ".join(f'"{term.text}"' for term in query.must)
    return (f"no paper holds {wanted} to the letter; without quotation marks and fields more is found",)
