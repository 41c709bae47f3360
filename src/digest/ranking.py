"""How much each paper of an archive looks like a topic's own papers when the topic is not named.

Ways of ranking are fused by rank: a linear SVM with strong regularisation (as arxiv-sanity-lite),
the same trained without the topic's words, complement naive Bayes (Rennie et al. 2003) that also learns
from the best finds, where papers are embedded the nearest neighbours of their vectors, and for a large
topic logistic regression on these. They err differently: the fusion beats most of them on any expert
list. What it ranks best is looked at a second time, by models that learned to tell the topic's papers
from their neighbours alone: against all of arXiv an attack on privacy looks much like unlearning. With few
own papers there is little to train on: the masked SVM and a centroid (Rocchio 1971) are
left, with hardly any the centroid and the nearest neighbours by words (docs/quality.md).

The ways by words read the papers without the topic's own, and each scores a paper by models that have not
seen it. So a paper that names the topic and a silent one are measured alike. Sentence vectors do hold the
name: for a small topic what it adds to them is projected out (:mod:`digest.naming`), unless silent
papers hold that in other words, as for diffusion models they do (docs/quality.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Floats, Rows
from digest.naming import no_directions, projected, renamed
from digest.phrases import stem, tokens

SCORER = "fusion-5"

FOLDS = 3
FEW = 100
"""With fewer own papers (or others) than this centroid and neighbours do better than training."""
MANY = 2000
"""From so many own papers on a linear model of sentence vectors is learned too, and there is no second look;
from fewer that model does harm while the vectors hold the topic's name."""
RENAMED = 96
"""So many own papers are embedded again without the topic's name."""
ALIKE = 0.5
"""Where a topic's papers without its name lie less far along what it adds than silent papers do, it is left
in: those hold it in other words (docs/quality.md)."""
FEW_FOLDS = 5
LEAST_TRAINED = 5
"""From fewer papers than this nothing is trained: in some fold one side might be missing."""
MOST = 6000
"""At most so many own papers are used, spread over all years: 3,000 do as well as 6,000, the newest 1,000
much worse (docs/quality.md)."""
NEIGHBOURS = 10
MEANING, APART, APART_MEANING = "meaning", "apart", "apart by meaning"
BY_VECTORS = {MEANING: 1, "vectors": 2, APART_MEANING: 1}
"""The ways by sentence vectors, which read what words hide, and as how many each counts."""
SECOND = (APART, APART_MEANING)
"""The ways of the second look."""
BELIEVED, NEIGHBOURING = 1, 3
"""For each own paper so many of the best others are taken for the topic's silent ones, and so many of the
next ones for its neighbours: what a second look learns to tell it from."""
SELF_TRAINED = 0.25
"""The best finds added in self-training, as a share of the own papers."""
BLOCK = 4096
"""So many papers are compared with all own ones at a time: with 10,000 of these 160 MB."""
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


@dataclass(frozen=True)
class Linear:
    """A way that weighs words, fitted once for each fold on the papers of the others: float32 [folds,
    features] and [folds]."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True)
class Own:
    """The topic's own papers: ids, the fold of each, and what they are compared with others by,
    sentence vectors or else TF-IDF, a row each of length 1 (or 0)."""

    ids: tuple[str, ...]
    folds: NDArray[np.int64]
    rows: Any
    embedded: bool


@dataclass(frozen=True)
class Fitted:
    """What papers are ranked by, fitted once and good for any paper: a paper is scored by the models of
    its fold, which goes by its id, and so by none that has seen it.

    ``name_directions``: what the topic's name adds to sentence vectors, float32 [k, dim], k = 0 where it
    is left in; ``linear``: the ways that weigh words, and sentence vectors. ``background``: per way the
    scores of the archive it was fitted on, ascending; ``again`` fused scores with the second look,
    ascending, and those of the first that they stand for, float64 [2, k], k = 0 where there is no second
    look; ``marks`` the fused scores at which the share of own papers that rank below is known, float64
    [2, m].
    """

    hidden: Rows
    name_directions: Floats
    folds: int
    linear: Mapping[str, Linear]
    own: Own
    background: Mapping[str, Scores]
    again: Scores
    marks: Scores

    def read(self, archive: Archive) -> Ranking:
        """Ranks the papers of an archive with the vocabulary of the one it was fitted on."""
        archive = _without(archive, self.name_directions)
        shares = _shares(self, _scored(self, archive))
        once, twice = _looked(shares, archive)
        near = once >= (self.again[1, 0] if self.again.size else np.inf)
        fused = np.where(near, np.interp(twice, *self.again), once) if near.any() else once
        ways = {name: (1 - each) * (near if name in SECOND else 1) for name, each in shares.items()}
        return Ranking(ways, np.interp(fused, *self.marks))


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
    return fit(archive, labels, stems).read(archive)


def fit(archive: Archive, labels: Labels, stems: set[str]) -> Fitted:
    """Learns to rank from the papers of an archive, of which one at least must be the topic's own."""
    hidden = archive.features_with(stems)
    masked = archive.masked(hidden)
    count, folds = _folds(labels, archive)
    linear: dict[str, Linear] = {}

    def learn(name: str, how: Fit, train: Any, taught: Labels) -> None:
        linear[name] = _cross_fit(how, train, taught, count, folds)

    examples = min(labels.own.sum(), (~labels.own).sum())
    if examples >= LEAST_TRAINED:
        learn("masked", _svm(0.01), masked, labels)
    directions = no_directions()
    if examples >= FEW:
        by_words = _by_fold(masked, folds, linear["masked"])
        directions = _name_directions(archive, labels, stems, by_words)
        archive = _without(archive, directions)
        found = _with_best_finds(labels, by_words)
        learn("svm", _svm(0.01), archive.features, labels)
        learn("bayes", _bayes, masked, found)
    else:
        learn("centroid", _centroid, masked, labels)
    if (taught := _embedded(labels, archive, FEW if len(directions) else MANY)) is not None:
        learn(MEANING, _logistic, archive.vectors, taught)
    own = _own(archive, masked, labels, folds)
    bare = Fitted(hidden, directions, count, linear, own, {}, np.zeros((2, 0)), np.zeros((2, 0)))
    scores = _scored(bare, archive, masked)
    once = replace(bare, background={way: np.sort(each) for way, each in scores.items()})
    fused, _ = _looked(_shares(once, scores), archive)
    once = replace(once, marks=_marks(fused, labels))
    return _with_second_look(once, archive, masked, labels, fused)


def _name_directions(archive: Archive, labels: Labels, stems: set[str], by_words: Scores) -> Floats:
    """What the words of some stems add to the vectors of a small topic's papers; nothing where silent papers
    hold it in other words, as far as those tell that words rank best."""
    size = int(labels.own.sum())
    if archive.vectors is None or archive.embed is None or size >= MANY:
        return no_directions()
    embedded = archive.vectors.any(axis=1)
    own = archive.order[(labels.own & embedded)[archive.order]][:RENAMED]
    texts = [archive.papers[row].text for row in own]
    pair = renamed(texts, archive.vectors[own], stems, archive.embed)
    others = np.flatnonzero(~labels.own & embedded)
    silent = others[np.argsort(-by_words[others], kind="stable")][:size]
    if pair is None or pair.alike(archive.vectors[silent]) < ALIKE:
        return no_directions()
    return pair.directions()


def _without(archive: Archive, directions: Floats) -> Archive:
    """The archive with vectors that lack some directions."""
    if archive.vectors is None or not len(directions):
        return archive
    return archive.with_vectors(projected(archive.vectors, directions))


def _with_second_look(once: Fitted, archive: Archive, masked: Any, labels: Labels, fused: Scores) -> Fitted:
    """With what tells the topic's papers from those most like them. It only changes the order of the latter:
    they look as much like the topic as did those whose places they take."""
    size = int(labels.own.sum())
    others = np.flatnonzero(~labels.own & (labels.weight > 0))
    pool = others[np.argsort(-fused[others], kind="stable")][: (BELIEVED + NEIGHBOURING) * size]
    near = pool[BELIEVED * size :]
    if size >= MANY or min(size, len(near)) < FEW:
        return once
    told = labels.own | (labels.weight > 1)
    told[near] = True
    taught = replace(labels, weight=np.where(told, labels.weight, 0))
    folds = _folds_of(once, archive)
    ways = {APART: _cross_fit(_svm(0.1), masked, taught, once.folds, folds)}
    if (seen := _embedded(taught, archive, FEW)) is not None:
        ways[APART_MEANING] = _cross_fit(_logistic, archive.vectors, seen, once.folds, folds)
    twice = replace(once, linear={**once.linear, **ways})
    scores = _scored(twice, archive, masked)
    twice = replace(
        twice, background={**once.background, **{way: np.sort(scores[way][pool]) for way in ways}}
    )
    looked = np.stack(_looked(_shares(twice, scores), archive)[::-1])
    best = np.maximum(looked.max(axis=1), np.log(2 * len(archive)))[:, None]
    return replace(twice, again=np.hstack([np.sort(looked[:, pool], axis=1), best]))


def _embedded(labels: Labels, archive: Archive, least: int) -> Labels | None:
    """The labels of the papers that are embedded; None for fewer on one side than ``least``."""
    if archive.vectors is None:
        return None
    taught = archive.vectors.any(axis=1) & (labels.weight > 0)
    if min((labels.own & taught).sum(), (~labels.own & taught).sum()) < least:
        return None
    return replace(labels, weight=np.where(taught, labels.weight, 0))


def _scored(fitted: Fitted, archive: Archive, masked: Any = None) -> dict[str, Scores]:
    """The score of each paper by each way."""
    masked = archive.masked(fitted.hidden) if masked is None else masked
    folds = _folds_of(fitted, archive)
    read = {name: archive.vectors if name in BY_VECTORS else masked for name in fitted.linear}
    scores = {
        name: _by_fold(read[name], folds, each)
        for name, each in fitted.linear.items()
        if read[name] is not None
    }
    if fitted.own.embedded and archive.vectors is not None:
        scores["vectors"] = _nearest(archive.vectors, archive, fitted.own)
    elif not fitted.own.embedded and "masked" not in scores:
        scores["nearest"] = _nearest(masked, archive, fitted.own)
    return scores


def _shares(fitted: Fitted, scores: Mapping[str, Scores]) -> dict[str, Scores]:
    """Per way the share of the background that is as high as each paper, over 0."""
    return {name: _share_above(fitted.background[name], each) for name, each in scores.items()}


def _looked(shares: Mapping[str, Scores], archive: Archive) -> tuple[Scores, Scores]:
    """The fused score by the ways of the first look, and by all."""
    first = {name: each for name, each in shares.items() if name not in SECOND}
    once = _fused(first, archive)
    return once, once if len(first) == len(shares) else _fused(shares, archive)


def _by_fold(masked: Any, folds: NDArray[np.int64], way: Linear) -> Scores:
    """The score of each row by the model of its fold."""
    every = np.asarray(masked @ way.weights.T, dtype=np.float64) + way.bias
    return np.asarray(every[np.arange(len(folds)), folds])


def _share_above(background: Scores, scores: Scores) -> Scores:
    """Per score the share of the background that is at least as high, ties shared; over 0."""
    below, until = (np.searchsorted(background, scores, side=side) for side in ("left", "right"))
    return np.asarray((len(background) + 0.5 - (below + until) / 2) / len(background))


def _fused(shares: Mapping[str, Scores], archive: Archive) -> Scores:
    """The mean over the ways of minus the log of the share of papers ranked as high. A paper that is
    not embedded yet is judged by the other ways alone."""
    told = {name: -np.log(each) for name, each in shares.items()}
    by_words = np.mean([each for name, each in told.items() if name not in BY_VECTORS], axis=0)
    if archive.vectors is None or "vectors" not in told:
        return np.asarray(by_words)
    counts = [BY_VECTORS.get(name, 1) for name in told]
    fused = np.average(list(told.values()), axis=0, weights=counts)
    return np.asarray(np.where(archive.vectors.any(axis=1), fused, by_words))


def _with_best_finds(labels: Labels, scores: Scores) -> Labels:
    """One round of self-training: the best papers that are not the topic's own count as such."""
    others = np.flatnonzero(~labels.own & (labels.weight == 1))
    best = others[np.argsort(-scores[others], kind="stable")[: int(SELF_TRAINED * labels.own.sum())]]
    own = labels.own.copy()
    own[best] = True
    return Labels(own, labels.weight, labels.typical)


Fit = Callable[[Any, NDArray[np.bool_], Scores], tuple[Scores, float]]
"""From rows, which of them are the topic's own, and their weights, to the weight of each feature and
the bias."""


def _cross_fit(how: Fit, train: Any, labels: Labels, count: int, folds: NDArray[np.int64]) -> Linear:
    """A model for each fold, fitted on the rows of the others."""
    weights = np.zeros((count, train.shape[1]), dtype=np.float32)
    bias = np.zeros(count, dtype=np.float32)
    for fold in range(count):
        rest = np.flatnonzero(((folds != fold) | (count == 1)) & (labels.weight > 0))
        if labels.own[rest].any():
            weights[fold], bias[fold] = how(train[rest], labels.own[rest], labels.weight[rest])
    return Linear(weights, bias)


def fold_of(paper: str, count: int) -> int:
    """The fold of a paper by its id, the same on every machine."""
    return crc32(paper.encode()) % count


def _folds(labels: Labels, archive: Archive) -> tuple[int, NDArray[np.int64]]:
    """How many folds there are, and the fold of each row: by its id, but few own papers are dealt out
    evenly."""
    own = int(labels.own.sum())
    count = FOLDS if own >= FEW else min(FEW_FOLDS, own)
    folds = np.array([fold_of(paper.id, count) for paper in archive.papers], dtype=np.int64)
    if own < FEW:
        rows = archive.order[labels.own[archive.order]]
        folds[rows] = np.arange(len(rows)) % count
    return count, folds


def _folds_of(fitted: Fitted, archive: Archive) -> NDArray[np.int64]:
    known = dict(zip(fitted.own.ids, fitted.own.folds.tolist(), strict=True))
    folds = (known.get(paper.id, fold_of(paper.id, fitted.folds)) for paper in archive.papers)
    return np.fromiter(folds, dtype=np.int64, count=len(archive))


def _svm(strength: float) -> Fit:
    """A linear SVM; ``strength`` is its C: of a second look's few papers more must be made."""
    from sklearn.svm import LinearSVC

    def learn(rows: Any, own: NDArray[np.bool_], weight: Scores) -> tuple[Scores, float]:
        model = LinearSVC(C=strength, class_weight="balanced", random_state=0).fit(rows, own, weight)
        return model.coef_.ravel(), float(model.intercept_[0])

    return learn


def _logistic(rows: Any, own: NDArray[np.bool_], weight: Scores) -> tuple[Scores, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1, class_weight="balanced", max_iter=300).fit(rows, own, weight)
    return model.coef_.ravel(), float(model.intercept_[0])


def _bayes(rows: Any, own: NDArray[np.bool_], weight: Scores) -> tuple[Scores, float]:
    from sklearn.naive_bayes import ComplementNB

    model = ComplementNB(alpha=0.03).fit(rows, own, weight)  # 1 drowns a topic of few papers
    return model.feature_log_prob_[1] - model.feature_log_prob_[0], 0.0


def _centroid(rows: Any, own: NDArray[np.bool_], weight: Scores) -> tuple[Scores, float]:
    share = np.where(own, weight, 0) / weight[own].sum() - 1 / len(own)
    return np.asarray(rows.T @ share).ravel(), 0.0


def _own(archive: Archive, masked: Any, labels: Labels, folds: NDArray[np.int64]) -> Own:
    rows = labels.rows
    ids = tuple(archive.papers[row].id for row in rows)
    if archive.vectors is None:
        return Own(ids, folds[rows], masked[rows], embedded=False)
    # As they are kept between runs, in half precision: three digits of a cosine.
    return Own(ids, folds[rows], archive.vectors[rows].astype(np.float16), embedded=True)


def likeness(papers: Sequence[str], read: Any, own: Own) -> Floats:
    """The cosine of some papers to a topic's own, float32 [papers, own]; -1 to itself. ``read`` are their
    sentence vectors, or TF-IDF where the own papers' are, rows of length 1 (or 0)."""
    if own.embedded:
        cosines = read @ own.rows.astype(np.float32).T
    else:
        cosines = np.asarray((read @ own.rows.T).todense(), dtype=np.float32)
    column = {paper: at for at, paper in enumerate(own.ids)}
    for at, paper in enumerate(papers):
        if (mine := column.get(paper)) is not None:
            cosines[at, mine] = -1
    return np.asarray(cosines)


def _nearest(read: Any, archive: Archive, own: Own) -> Scores:
    """Per row the mean cosine to its nearest own papers, itself left out."""
    count = min(NEIGHBOURS, max(1, len(own.ids) - 1))
    ids = [paper.id for paper in archive.papers]
    parts = [np.zeros(0)]
    for start in range(0, len(ids), BLOCK):
        cosines = likeness(ids[start : start + BLOCK], read[start : start + BLOCK], own)
        parts.append(np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1))
    return np.concatenate(parts)


def _marks(fused: Scores, labels: Labels) -> Scores:
    """The share of own papers, weighted by how typical they are, that a fused score outranks.

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
    return np.stack([at, np.concatenate([[0], below / weight.sum(), [1]])])
