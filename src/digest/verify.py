"""Do the papers a phrase adds belong to the topic? Judged without the topic's words and the phrase's own.

A linear model learns to tell the topic's papers with their name left out. Each paper is scored by
a model that has not seen it, once without the phrase's words, and once more without the phrase's
companions, the words that come with it elsewhere: else "forget" confirms itself, which is full of
continual learning, and "membership inference" is confirmed by the privacy words that it shares
with unlearning. The worse of the two counts.

The place of a paper among all that do not name the topic says how far it is believed: K / (K + place),
a half at the place K, the number of the topic's own papers (twenty for a small topic).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Rows
from digest.mentions import REPEATED, Mentions
from digest.phrases import stem

Floats = NDArray[np.float64]

TRAINED = 100
"""From so many own papers the model is a linear SVM, below it is their centroid."""
FOLDS = 3
COMPANIONS = 10
"""So many features that come with a phrase are left out when it is judged the second time."""
LEAST_LEFT = 0.1
"""A paper of whose squared length less is left says nothing: it is not believed."""
VERIFIED = 1 / 3
"""Believed so far, a paper is among twice as many of the best as the topic has papers."""
OFF_WEIGHT = 10.0
"""How much a paper of an off-topic weighs as an example of what the topic is not."""
MOST_OTHERS = 12
"""K is at most one in so many of the other papers."""
SAMPLE = 3000
"""The newest so many papers tell how common it is to name the topic well: many of the older ones may be there
because they do. K is at most as many of the others: in an archive gathered for a topic all that is near
to it would be believed."""
LEAST_COUNT = 20
"""K where a topic has few papers of its own: who has found five has not found all."""


@dataclass(frozen=True)
class Added:
    """The papers a phrase adds: their rows, best first, and how far each is believed to be on topic
    with the phrase's companions left out too (float64[n], 0 to 1)."""

    rows: Rows
    belief: Floats

    @property
    def verified(self) -> int:
        """How many are believed to be on topic."""
        return int((self.belief >= VERIFIED).sum())

    def __len__(self) -> int:
        return len(self.rows)


class Verifier:
    """Judges phrases by the papers they add to a topic.

    ``own`` bool[n] are the topic's papers, ``off`` bool[n] those known to be of a neighbouring
    topic: they are believed not at all. ``stems`` name the topic.
    """

    def __init__(
        self, archive: Archive, mentions: Mentions, own: NDArray[np.bool_], stems: Collection[str]
    ) -> None:
        self.archive, self.own, self.off = archive, own, mentions.off & ~own
        self.outside = ~own & ~mentions.excluded
        others = int(self.outside.sum())
        self.features = archive.masked(archive.features_with(stems))
        typical = own & ((mentions.evidence >= REPEATED) | ~mentions.named)
        taught = typical if typical.sum() >= TRAINED else own
        self.count = _count(int(own.sum()), others, float(typical[archive.newest[:SAMPLE]].mean()))
        self._folds, self._weights = _learned(archive, self.features, taught, own & ~taught, self.off)
        self._scores = _by_fold(self.features, np.arange(len(archive)), self._folds, self._weights)
        self._ordered = np.sort(self._scores[self.outside])
        self._papers_with = np.bincount(archive.features.indices, minlength=self._weights.shape[1])

    @property
    def chance(self) -> float:
        """The share of papers that any phrase would verify."""
        return 2 * self.count / max(1, int(self.outside.sum()))

    def judge(self, normal: str, rows: Rows) -> Added:
        """The papers a phrase in normal form adds by standing in the papers of ``rows``."""
        added = rows[self.outside[rows]]
        words = self.archive.features_with({stem(word) for word in normal.split()})
        belief = np.minimum(
            self._believed(added, words),
            self._believed(added, np.union1d(words, self._companions(rows))),
        )
        belief[self.off[added]] = 0
        best = np.lexsort((added, -belief))
        return Added(added[best], belief[best])

    def _believed(self, rows: Rows, columns: Rows) -> Floats:
        """How far papers are believed without some features; what is left of a paper has length 1."""
        part = self.features[rows]
        dropped = part[:, columns]
        lost = _by_fold(dropped, rows, self._folds, self._weights[:, columns])
        length = 1 - np.asarray(dropped.multiply(dropped).sum(axis=1)).ravel()
        scores = (self._scores[rows] - lost) / np.sqrt(np.maximum(length, LEAST_LEFT))
        above = len(self._ordered) - np.searchsorted(self._ordered, scores, side="left")
        belief = self.count / (self.count + above)
        return np.where(length < LEAST_LEFT, 0.0, belief)

    def _companions(self, rows: Rows) -> Rows:
        """The features that come with a phrase: highest in count times log of the ratio of shares."""
        inside = np.bincount(self.archive.features[rows].indices, minlength=len(self._papers_with))
        elsewhere = (self._papers_with - inside + 0.5) / max(1, len(self.archive) - len(rows))
        told = np.where(inside > 1, inside * np.log(np.maximum(inside / len(rows) / elsewhere, 1e-9)), 0)
        return np.argsort(-told, kind="stable")[:COMPANIONS]


def wilson(successes: float, trials: int, z: float = 1.0) -> float:
    """The lower bound of Wilson's interval (1927) for a share; 0 of 0 is 0."""
    if not trials:
        return 0.0
    share = successes / trials
    spread = z * float(np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)))
    return max(0.0, (share + z * z / (2 * trials) - spread) / (1 + z * z / trials))


def _count(own: int, others: int, common: float) -> int:
    """The place at which a paper is as likely on topic as not."""
    expected = round(common * others)
    return max(1, min(max(min(own, expected), LEAST_COUNT), others // MOST_OTHERS))


def _learned(
    archive: Archive,
    features: Any,
    taught: NDArray[np.bool_],
    unsure: NDArray[np.bool_],
    off: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], Floats]:
    """The fold of each row, and per fold the weights learned from the other folds, [folds, features]."""
    folds = np.zeros(len(archive), dtype=np.int64)
    if taught.sum() < TRAINED:
        return folds, _centroid(features, taught, off)[None, :]
    folds[archive.order] = np.arange(len(archive)) % FOLDS
    weight = np.where(unsure, 0, np.where(off, OFF_WEIGHT, 1.0))
    rows = [np.flatnonzero((folds != fold) & (weight > 0)) for fold in range(FOLDS)]
    return folds, np.stack([_svm(features[rest], taught[rest], weight[rest]) for rest in rows])


def _svm(features: Any, own: NDArray[np.bool_], weight: Floats) -> Floats:
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0).fit(features, own, weight)
    return np.asarray(model.coef_, dtype=np.float64).ravel()


def _centroid(features: Any, own: NDArray[np.bool_], off: NDArray[np.bool_]) -> Floats:
    """The mean of the own papers less the mean of all, and less that of the off-topic papers."""
    weights = np.asarray(features[np.flatnonzero(own)].mean(axis=0) - features.mean(axis=0)).ravel()
    if off.any():
        weights = weights - np.asarray(features[np.flatnonzero(off)].mean(axis=0)).ravel() / 2
    return np.asarray(weights, dtype=np.float64)


def _by_fold(features: Any, rows: Rows, folds: NDArray[np.int64], weights: Floats) -> Floats:
    """Each row's score by the weights of its own fold, from which it was held out."""
    every = np.asarray(features @ weights.T)
    return every[np.arange(len(rows)), folds[rows]] if len(weights) > 1 else every[:, 0]
