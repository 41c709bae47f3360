"""How good searching is: queries with the papers that answer them, and the metrics.

A file of queries has one JSON object a line: ``query`` and ``relevant``, a list of arXiv ids. nDCG@10
with gains of 0 and 1 (Jarvelin and Kekalainen, TOIS 2002), recall in the first 100, and the mean
reciprocal rank of the first answer; intervals are over queries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from digest import ids
from digest.errors import InputError
from digest.evaluation.intervals import Method, draws, measured, share
from digest.evaluation.labels import lines_of

Values = NDArray[np.float64]
Rank = Callable[[str], Sequence[str]]
"""The ids of the best hundred papers for a query, best first."""

DEPTH = 100
METRICS = ("nDCG@10", "recall@100", "MRR")


class Asked(msgspec.Struct, frozen=True):
    """A query and the papers that answer it."""

    query: str
    relevant: tuple[str, ...]


def read_asked(path: Path) -> list[Asked]:
    """The queries of a file, plain or gzipped.

    Raises InputError, with the line, for what is no query with its papers, and for a file without any.
    """
    decode = msgspec.json.Decoder(Asked).decode
    found = []
    for number, line in lines_of(path):
        try:
            one = decode(line)
            found.append(Asked(one.query, tuple(ids.parse(each).base for each in one.relevant)))
        except (msgspec.MsgspecError, UnicodeDecodeError, InputError) as error:
            raise InputError(f"{path}, line {number}: no query with its papers: {error}") from None
    if not found:
        raise InputError(f'{path}: no queries; give {{"query": "...", "relevant": ["2107.05580"]}} a line')
    return found


def answerable(asked: Sequence[Asked], there: Collection[str]) -> list[Asked]:
    """The queries that a paper at hand answers, with those papers only."""
    known = set(there)
    kept = (Asked(one.query, tuple(each for each in one.relevant if each in known)) for one in asked)
    return [one for one in kept if one.relevant]


def metrics(ranked: Sequence[str], relevant: Collection[str]) -> tuple[float, float, float]:
    """nDCG@10, recall@100 and the reciprocal rank of the first answer of one query."""
    wanted = set(relevant)
    found = np.array([paper in wanted for paper in ranked[:DEPTH]], dtype=np.float64)
    discount = 1 / np.log2(np.arange(2, 12))
    gained = float((found[:10] * discount[: len(found[:10])]).sum())
    first = np.flatnonzero(found)
    return (
        gained / float(discount[: min(10, len(wanted))].sum()),
        float(found.sum()) / len(wanted),
        1 / (int(first[0]) + 1) if len(first) else 0.0,
    )


def evaluate_search(asked: Sequence[Asked], methods: Mapping[str, Rank], base: str) -> tuple[Method, ...]:
    """Each method's figures over the queries; after them what each has more than ``base``, query by
    query."""
    values = {
        name: np.array([metrics(rank(one.query), one.relevant) for one in asked])
        for name, rank in methods.items()
    }
    drawn = draws(len(asked))
    rows = [_method(name, each, drawn) for name, each in values.items()]
    others = [name for name in values if name != base]
    rows += [_method(f"{name} - {base}", values[name] - values[base], drawn) for name in others]
    return tuple(rows)


def _method(name: str, values: Values, drawn: Values) -> Method:
    """The means of [queries, metrics] in each draw."""
    asked = np.broadcast_to(drawn.sum(axis=0), drawn.shape[1:]).astype(np.float64)
    means = {metric: measured(share(values[:, at] @ drawn, asked)) for at, metric in enumerate(METRICS)}
    return Method(name=name, values=means)


def tfidf(texts: Sequence[str], papers: Sequence[str]) -> Rank:
    """arxiv-sanity's way: cosine of TF-IDF over words and pairs of words
    (https://github.com/karpathy/arxiv-sanity-lite)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    least = 5 if len(texts) > 1000 else 1
    vectorizer = TfidfVectorizer(
        stop_words="english",
        ngram_range=(1, 2),
        max_features=20_000,
        sublinear_tf=True,
        max_df=0.1,
        min_df=least,
        dtype=np.float32,
    )
    features = vectorizer.fit_transform(texts).tocsc()

    def rank(query: str) -> list[str]:
        scores = (features @ vectorizer.transform([query]).T).toarray().ravel()
        best = np.argsort(-scores, kind="stable")[:DEPTH]
        return [papers[row] for row in best if scores[row] > 0]

    return rank
