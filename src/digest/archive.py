"""The papers a run looks at, and what ranking needs of them, made once and shared by all topics.

Everything is made when first asked for: an archive that is only counted costs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from digest.naming import Embed
from digest.phrases import BREAK, STOP_WORDS, derived, normalise, stem
from digest.types import Paper

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

FEATURES = 60_000
MAX_SHARE = 0.12
"""A word in more than this share of a large archive says nothing about a topic."""


@dataclass(frozen=True)
class Vocabulary:
    """The words and pairs of words that count, in normal form, and how rare each is (inverse document
    frequency, float32[features]): what makes features of papers that were not there when it was made."""

    names: tuple[str, ...]
    rarity: Floats

    @cached_property
    def _column(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.names)}

    def features(self, normals: Sequence[str]) -> csr_matrix:
        """TF-IDF of texts in normal form, float32[n, features]: 1 + log of the count, times the rarity,
        rows of length 1 (or 0)."""
        from scipy.sparse import csr_matrix

        counted = [
            Counter(at for name in _features(normal) if (at := self._column.get(name)) is not None)
            for normal in normals
        ]
        columns = np.array([at for each in counted for at in each], dtype=np.int32)
        counts = np.array([count for each in counted for count in each.values()], dtype=np.float32)
        starts = np.cumsum([0, *map(len, counted)])
        data = (1 + np.log(counts)) * self.rarity[columns]
        matrix = csr_matrix((data, columns, starts), shape=(len(normals), len(self.names)))
        matrix.sort_indices()
        return unit_rows(matrix)


class Archive:
    """Papers with their normal forms, TF-IDF features and sentence vectors.

    ``vectors`` is float32[n, dim] with rows of length 1 in the order of the papers, or None. Features
    are those of ``vocabulary``, or of one made from these papers. ``embed`` makes vectors of other texts.
    """

    def __init__(
        self,
        papers: Sequence[Paper],
        vectors: Floats | None = None,
        vocabulary: Vocabulary | None = None,
        embed: Embed | None = None,
    ) -> None:
        if vectors is not None and len(vectors) != len(papers):
            raise ValueError(f"{len(vectors)} vectors for {len(papers)} papers: give one to each")
        self.papers = tuple(papers)
        self.vectors, self.embed = vectors, embed
        self.row = {paper.id: at for at, paper in enumerate(self.papers)}
        self._given = vocabulary

    @classmethod
    def build(
        cls, papers: Sequence[Paper], vectors: Floats | None = None, embed: Embed | None = None
    ) -> Archive:
        """The archive of some papers; the last of several with one id is kept."""
        if len({paper.id for paper in papers}) == len(papers):
            return cls(papers, vectors, embed=embed)
        last = {paper.id: at for at, paper in enumerate(papers)}
        rows = sorted(last.values())
        return cls([papers[at] for at in rows], None if vectors is None else vectors[rows], embed=embed)

    def with_vocabulary(self, vocabulary: Vocabulary) -> Archive:
        """The same papers with the features of a vocabulary."""
        other = Archive(self.papers, self.vectors, vocabulary)
        other.normals, other._rows_by_stem = self.normals, self._rows_by_stem
        return other

    def with_vectors(self, vectors: Floats | None) -> Archive:
        """The same papers and features with other vectors."""
        other = copy(self)
        other.vectors, other.features = vectors, self.features
        return other

    def __len__(self) -> int:
        return len(self.papers)

    def rows(self, ids: Collection[str]) -> Rows:
        """The rows of the ids that are in the archive, ascending."""
        return np.array(sorted({self.row[each] for each in ids if each in self.row}), dtype=np.int64)

    @cached_property
    def normals(self) -> list[str]:
        """Per paper the normal form of title, full stop, abstract."""
        return [normalise(paper.text) for paper in self.papers]

    @cached_property
    def _rows_by_stem(self) -> dict[str, list[int]]:
        by_word: dict[str, list[int]] = {}
        for row, normal in enumerate(self.normals):
            for word in set(normal.split()):
                by_word.setdefault(word, []).append(row)
        by_stem: dict[str, list[int]] = {}
        for word, rows in by_word.items():
            by_stem.setdefault(stem(word), []).extend(rows)
        return by_stem

    def rows_with(self, stems: Collection[str]) -> list[int]:
        """The rows of the papers that hold a word with one of the stems, ascending."""
        return sorted({row for each in stems for row in self._rows_by_stem.get(each, ())})

    @cached_property
    def order(self) -> Rows:
        """The rows in an order that has nothing to do with their text or date, the same in every run:
        for folds and samples."""
        return np.argsort([crc32(paper.id.encode()) for paper in self.papers], kind="stable")

    @cached_property
    def newest(self) -> Rows:
        """The rows, newest announcement first."""
        days = np.array([paper.announced.toordinal() for paper in self.papers], dtype=np.int64)
        return np.lexsort((np.arange(len(days)), -days))

    @cached_property
    def _learned(self) -> tuple[csr_matrix, Vocabulary]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        count = len(self)
        vectoriser = TfidfVectorizer(
            analyzer=_features,
            sublinear_tf=True,
            min_df=min(4, 1 + count // 1000) if count < 3000 else 4,
            max_df=_max_share(count),
            max_features=FEATURES,
            dtype=np.float32,
        )
        matrix = vectoriser.fit_transform(self.normals)
        names = tuple(str(name) for name in vectoriser.get_feature_names_out())
        return matrix.tocsr(), Vocabulary(names, np.asarray(vectoriser.idf_, dtype=np.float32))

    @cached_property
    def features(self) -> csr_matrix:
        """TF-IDF of words and pairs of words: float32[n, features], rows of length 1."""
        return self._given.features(self.normals) if self._given else self._learned[0]

    @property
    def vocabulary(self) -> Vocabulary:
        """What the features are made by."""
        return self._given or self._learned[1]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Per feature its word or its two words, in normal form."""
        return self.vocabulary.names

    @cached_property
    def _features_by_stem(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at, name in enumerate(self.feature_names):
            for word in set(name.split()):
                found.setdefault(stem(word), []).append(at)
        return found

    def features_with(self, stems: Collection[str]) -> Rows:
        """The features that hold a word with one of the stems, or one derived from it."""
        named = (at for each, at in self._features_by_stem.items() if derived(each, stems))
        return np.array(sorted({column for at in named for column in at}), dtype=np.int64)

    def masked(self, columns: Rows) -> csr_matrix:
        """The features without some columns, rows of length 1 again (or 0)."""
        from scipy.sparse import diags

        keep = np.ones(len(self.feature_names), dtype=np.float32)
        keep[columns] = 0
        matrix = (self.features @ diags(keep)).tocsr()
        matrix.eliminate_zeros()
        return unit_rows(matrix)


def _max_share(count: int) -> float:
    """Of a small sample a topic may be a large part: a word of half the papers may still tell."""
    return max(MAX_SHARE, 0.5 - count / 10_000)


def _features(normal: str) -> Iterator[str]:
    before = BREAK
    for word in normal.split():
        if word in STOP_WORDS or word == BREAK or len(word) < 2:
            before = BREAK
            continue
        yield word
        if before != BREAK:
            yield f"{before} {word}"
        before = word


def unit_rows(matrix: csr_matrix) -> csr_matrix:
    """The matrix with rows of length 1; a row of zeros stays."""
    from scipy.sparse import diags

    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (diags(1 / np.where(length == 0, 1, length)) @ matrix).tocsr().astype(np.float32)
