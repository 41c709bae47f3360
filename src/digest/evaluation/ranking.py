"""Ranking measured: where the listed papers stand that never name the topic.

Papers that hold a seed key are what a ranker learns from; all others are ranked. Of those the
listed ones are to be found, mixed ones are passed over, everything else counts as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Rows, unit_rows
from digest.evaluation.intervals import Drawn, Measured, Method, draws, measured, share
from digest.evaluation.labels import Truth
from digest.phrases import stem, tokens

RECALL_AT = (1, 4)
"""Recall is told where so many papers were read for each that names the topic."""
SAVED_AT = 0.95
EXPANSION = 30

Scores = NDArray[np.float64]


def rank_metrics(
    scores: Scores, truth: Truth, named: NDArray[np.bool_], archive: Archive
) -> dict[str, Measured]:
    """AP, R1x, R4x and WSS@95 of a ranking (float64[n], higher is better) of the silent papers.

    AP: average precision. R1x: the share of listed papers among as many of the best as there are
    papers that name the topic. WSS@95: work saved over sampling, the share of papers that need not
    be read to find 95 % of the listed, less .05 (Cohen et al. 2006). Ties fall as they may: in the
    archive's fixed order.
    """
    ranked = archive.order[np.argsort(-scores[archive.order], kind="stable")]
    ranked = ranked[~(named | truth.ignored)[ranked]]
    places = np.flatnonzero(truth.positive[ranked])
    listed = np.argsort(np.argsort(ranked[places]))  # the same draws for a paper wherever it stands
    return _at_places(places, draws(len(places))[listed], len(ranked), int(named.sum()))


def _at_places(places: Rows, hits: Drawn, papers: int, seeds: int) -> dict[str, Measured]:
    """The metrics from where the listed papers stand, best first, and how often each is drawn."""
    gaps = np.diff(places, prepend=-1) - 1
    misses = np.random.default_rng(len(places)).poisson(gaps[:, None], size=hits.shape).astype(np.float64)
    misses[:, 0] = gaps
    found, read = hits.cumsum(axis=0), (hits + misses).cumsum(axis=0)
    total = found[-1]
    values = {"AP": share((hits * share(found, read)).sum(axis=0), total)}
    for times in RECALL_AT:
        values[f"R{times}x"] = share((hits * (read <= times * seeds)).sum(axis=0), total)
    needed = (found < SAVED_AT * total).sum(axis=0).clip(max=len(places) - 1)
    values["WSS@95"] = SAVED_AT - np.take_along_axis(read, needed[None, :], axis=0)[0] / papers
    return {name: measured(each) for name, each in values.items()}


def evaluate_ranking(
    archive: Archive, seeds: Sequence[str], named: NDArray[np.bool_], truth: Truth, ours: Scores
) -> list[Method]:
    """Our scores (float64[n]) and the baselines', measured alike."""
    methods = {"digest": ours} | {name: score(archive, seeds, named) for name, score in BASELINES.items()}
    return [
        Method(name=name, values=rank_metrics(scores, truth, named, archive))
        for name, scores in methods.items()
    ]


def _svm(archive: Archive, _: Sequence[str], own: NDArray[np.bool_]) -> Scores:
    """What arxiv-sanity-lite does: a linear SVM on TF-IDF, C = .01, classes balanced."""
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0).fit(archive.features, own)
    return np.asarray(model.decision_function(archive.features), dtype=np.float64)


def _centroid(archive: Archive, _: Sequence[str], own: NDArray[np.bool_]) -> Scores:
    """The cosine to the mean of the papers that name the topic (Rocchio 1971)."""
    mean = np.asarray(archive.features[np.flatnonzero(own)].mean(axis=0)).ravel()
    return np.asarray(archive.features @ mean, dtype=np.float64)


def _relevance_model(archive: Archive, seeds: Sequence[str], own: NDArray[np.bool_]) -> Scores:
    """RM3 (Abdul-Jaleel et al. 2004): half the seed words, half the 30 likeliest words of the papers
    that name the topic; papers are scored by their share of the query's words, weighed by rarity."""
    from scipy.sparse import diags

    single = np.array([" " not in name for name in archive.feature_names])
    words = archive.features @ diags(single.astype(np.float32))
    rarity = np.log(len(archive) / np.maximum(1, np.diff(words.tocsc().indptr)))
    counts = (words @ diags(1 / np.maximum(rarity, 1e-3))).tocsr()
    counts = (diags(1 / np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1e-9)) @ counts).tocsr()
    model = np.asarray(counts[np.flatnonzero(own)].mean(axis=0)).ravel()
    model[np.argsort(-model, kind="stable")[EXPANSION:]] = 0
    query = archive.features_with({stem(word) for seed in seeds for word in tokens(seed)})
    query = query[single[query]]
    weights = 0.5 * model / max(model.sum(), 1e-9)
    weights[query] += 0.5 / max(1, len(query))
    return np.asarray(unit_rows(words) @ (weights * rarity), dtype=np.float64)


BASELINES: Mapping[str, Callable[[Archive, Sequence[str], NDArray[np.bool_]], Scores]] = {
    "TF-IDF SVM (arxiv-sanity)": _svm,
    "centroid": _centroid,
    "RM3": _relevance_model,
}
