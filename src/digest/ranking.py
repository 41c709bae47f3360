"""How much each paper of an archive looks like a topic's own papers when the topic is not named.

Ways of ranking are fused by rank: a linear SVM with strong regularisation (as arxiv-sanity-lite),
the same trained without the topic's words, logistic regression on LSA, complement naive Bayes
(Rennie et al. 2003) that also learns from the best finds, and where papers are embedded the nearest
neighbours of their vectors. They err differently: the fusion beats most of them on any expert list.
With few own papers there is little to train on: the masked SVM and a centroid (Rocchio 1971) are left,
with hardly any the centroid and the nearest neighbours by LSA. Where an SVM can be trained those
neighbours only do harm (docs/quality.md).

All ways read the papers without the topic's words, and score a paper by models that have not seen
it. So a paper that names the topic and a silent one are measured alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Floats, Rows, rank_share
from digest.phrases import stem, tokens

SCORER = "fusion-2"

FOLDS = 3
FEW = 100
"""With fewer own papers (or others) than this centroid and neighbours do better than training."""
FEW_FOLDS = 5
LEAST_TRAINED = 5
"""From fewer papers than this nothing is trained: in some fold one side might be missing."""
MOST = 1000
"""The newest so many own papers are used. More add nothing but time, and older ones tell a
topic's papers by the words of their years."""
NEIGHBOURS = 5
VECTORS_COUNT = 2
"""The nearest neighbours by sentence vectors, which read what words hide, count as so many ways."""
SELF_TRAINED = 0.25
"""The best finds added in self-training, as a share of the own papers."""
IMAGINED = (2, 4, 8, 16, 32)
"""The ranks at which own papers are imagined: they steady the score of a topic with few."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """What is known of the rows of an archive: ``own`` bool[n], the topic's papers; ``weight``
    float64[n], how much each counts in training (0: not used); ``typical`` float64[n], how much an
    own paper counts as a measure of the others."""

    own: NDArray[np.bool_]
    weight: Scores
    typical: Scores

    @property
    def rows(self) -> Rows:
        """The own papers."""
        return np.flatnonzero(self.own)


@dataclass(frozen=True)
class Ranking:
    """``ways``: per way of ranking, float64[n], the share of the archive that ranks below a paper.
    ``looks``: float64[n], the share of the topic's own papers that look less like it."""

    ways: Mapping[str, Scores]
    looks: Scores


def topic_stems(seeds: tuple[str, ...], own: NDArray[np.bool_], archive: Archive) -> set[str]:
    """The stems of the words that name a topic: words of its seed keys that stand in its papers at
    least twice as often as in others ("unlearning", but not "model" of "diffusion model")."""
    stems = {stem(word) for seed in seeds for word in tokens(seed)}
    if own.all() or not own.any():
        return stems
    return {each for each in stems if _share_ratio(archive, each, own) >= 2}


def _share_ratio(archive: Archive, word: str, own: NDArray[np.bool_]) -> float:
    columns = archive.features_with({word})
    if not len(columns):
        return 0.0
    held = np.asarray(archive.features[:, columns].sum(axis=1)).ravel() > 0
    return float(held[own].mean() / max(held[~own].mean(), 1e-9))


def rank(archive: Archive, labels: Labels, stems: set[str]) -> Ranking:
    """Ranks all papers of an archive; ``stems`` name the topic and are left out."""
    scores = _ways(archive, labels, archive.features_with(stems))
    fused = _fused(scores, archive)
    ways = {name: 1 - rank_share(each) for name, each in scores.items()}
    return Ranking(ways, _share_of_own(fused, labels))


def _fused(scores: Mapping[str, Scores], archive: Archive) -> Scores:
    """The mean over the ways of minus the log of the share of papers ranked as high. A paper that is
    not embedded yet is judged by the other ways alone."""
    told = {name: -np.log(rank_share(each)) for name, each in scores.items()}
    by_words = np.mean([each for name, each in told.items() if name != "vectors"], axis=0)
    if archive.vectors is None:
        return np.asarray(by_words)
    count = len(told) - 1
    fused = (count * by_words + VECTORS_COUNT * told["vectors"]) / (count + VECTORS_COUNT)
    return np.asarray(np.where(archive.vectors.any(axis=1), fused, by_words))


def _ways(archive: Archive, labels: Labels, columns: Rows) -> dict[str, Scores]:
    masked = archive.masked(columns)
    examples = min(labels.own.sum(), (~labels.own).sum())
    ways: dict[str, Scores] = {}
    if examples >= LEAST_TRAINED:
        ways["masked"] = _cross_fit(_svm, masked, masked, labels, archive)
    else:
        ways["nearest"] = _nearest(archive.latent(masked), labels)
    if examples >= FEW:
        latent = archive.latent(masked)
        found = _with_best_finds(labels, ways["masked"])
        ways["svm"] = _cross_fit(_svm, archive.features, masked, labels, archive)
        ways["lsa"] = _cross_fit(_logistic, latent, latent, labels, archive)
        ways["bayes"] = _cross_fit(_bayes, masked, masked, found, archive)
    else:
        ways["centroid"] = _cross_fit(_centroid, masked, masked, labels, archive)
    if archive.vectors is not None:
        ways["vectors"] = _nearest(archive.vectors, labels)
    return ways


def _with_best_finds(labels: Labels, scores: Scores) -> Labels:
    """One round of self-training: the best papers that are not the topic's own count as such."""
    others = np.flatnonzero(~labels.own & (labels.weight == 1))
    best = others[np.argsort(-scores[others], kind="stable")[: int(SELF_TRAINED * labels.own.sum())]]
    own = labels.own.copy()
    own[best] = True
    return Labels(own, labels.weight, labels.typical)


Fit = Callable[[Any, NDArray[np.bool_], Scores], Callable[[Any], Scores]]


def _cross_fit(fit: Fit, train: Any, read: Any, labels: Labels, archive: Archive) -> Scores:
    """Scores every row of ``read`` by a model fitted on the rows of ``train`` of other folds."""
    folds = _folds(labels, archive)
    scores = np.zeros(len(labels.own))
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero((folds != fold) & (labels.weight > 0))
        if labels.own[rest].any():
            scores[held] = fit(train[rest], labels.own[rest], labels.weight[rest])(read[held])
        else:  # the only own paper: nothing else says how it looks
            scores[held] = 0
    return scores


def _folds(labels: Labels, archive: Archive) -> NDArray[np.int64]:
    """The fold of each row: own papers and others are spread evenly, in the archive's fixed order."""
    own = int(labels.own.sum())
    count = FOLDS if own >= FEW else min(FEW_FOLDS, max(1, own))
    if own == 1:
        return labels.own.astype(np.int64)
    folds = np.zeros(len(archive), dtype=np.int64)
    for side in (labels.own, ~labels.own):
        rows = archive.order[side[archive.order]]
        folds[rows] = np.arange(len(rows)) % count
    return folds


def _svm(rows: Any, own: NDArray[np.bool_], weight: Scores) -> Callable[[Any], Scores]:
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0).fit(rows, own, weight)
    return lambda others: np.asarray(model.decision_function(others))


def _logistic(rows: Any, own: NDArray[np.bool_], weight: Scores) -> Callable[[Any], Scores]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=300).fit(rows, own, weight)
    return lambda others: np.asarray(model.decision_function(others))


def _bayes(rows: Any, own: NDArray[np.bool_], weight: Scores) -> Callable[[Any], Scores]:
    from sklearn.naive_bayes import ComplementNB

    model = ComplementNB(alpha=0.03).fit(rows, own, weight)  # 1 drowns a topic of few papers
    return lambda others: np.asarray(np.diff(model.predict_joint_log_proba(others), axis=1)).ravel()


def _centroid(rows: Any, own: NDArray[np.bool_], weight: Scores) -> Callable[[Any], Scores]:
    share = np.where(own, weight, 0) / weight[own].sum() - 1 / len(own)
    centroid = np.asarray(rows.T @ share).ravel()
    return lambda others: np.asarray(others @ centroid).ravel()


def _nearest(vectors: Floats, labels: Labels) -> Scores:
    """Per row the mean cosine to its nearest own papers, itself left out."""
    similarity = vectors @ vectors[labels.rows].T
    similarity[labels.rows, np.arange(len(labels.rows))] = -1
    count = min(NEIGHBOURS, max(1, len(labels.rows) - 1))
    best = np.partition(similarity, -count, axis=1)[:, -count:]
    return np.asarray(best.mean(axis=1), dtype=np.float64)


def _share_of_own(fused: Scores, labels: Labels) -> Scores:
    """The share of own papers, weighted by how typical they are, that a paper outranks.

    Between two own papers it is interpolated. Five more are imagined at fixed ranks of the archive:
    they decide where there are two, and vanish among hundreds.
    """
    ordered = np.sort(fused)[::-1]
    imagined = ordered[np.minimum(np.array(IMAGINED), len(ordered)) - 1]
    marks = np.concatenate([fused[labels.own], imagined])
    weight = np.concatenate([labels.typical[labels.own], np.ones(len(imagined))])
    by_mark = np.argsort(marks, kind="stable")
    below = np.cumsum(weight[by_mark]) - weight[by_mark] / 2
    top = max(float(ordered[0]), np.log(len(fused))) + 1e-9
    at = np.concatenate([[0], marks[by_mark], [top]])
    return np.asarray(np.interp(fused, at, np.concatenate([[0], below / weight.sum(), [1]])))
