"""Does this paper belong to this topic, how strongly, and what says so.

The score of a paper is a noisy-or of two witnesses: how much its text looks like the topic's own
papers when the topic's name is left out (:mod:`digest.ranking`), and the keys that stand in it
(:mod:`digest.mentions`). A silent paper has the first witness alone, and that one is believed as
far as papers that look so are on topic: many abstracts share their context with a field (federated
learning with unlearning, diagnosis with explanation) and not its question.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from digest import ranking
from digest.archive import Archive, Rows, Vocabulary
from digest.mentions import IN_TITLE, REPEATED, Mentions, find_mentions, seed_keys
from digest.naming import projected
from digest.phrases import NORMALISER
from digest.ranking import FEW, MOST, Fitted, Labels, Ranking, Scores, likeness, topic_stems
from digest.types import Evidence, Key, LeftOut, Match, Neighbour, Paper, Topic

__all__ = ["SCORER", "Archive", "match"]

SCORER = f"{ranking.SCORER}/{NORMALISER}"

LEAST = 0.05
"""A paper without a key that scores less is no match."""
SILENT_ODDS, GATHERED_ODDS, GATHERED = 0.25, 0.6, 1000
"""Silent papers on topic that are expected for each paper that names it well. Expert lists hold .56
to .69, gathered for years; so does an archive of fewer papers than arXiv announces in two days."""
UNNAMED_SHARE, LEAST_UNNAMED = 0.01, 10
"""The share of papers a topic without keys is expected to have, and their least number."""
POOL = 3000
"""So many of the newest papers are counted to tell how far looks can be believed. Of older ones many are
there because they name the topic: they say nothing of how rare it is."""
LIKED_WEIGHT, DISLIKED_WEIGHT = 3.0, 10.0
FAR, FAR_WORDS = 0.5, 0.2
"""Papers whose cosine is less, of sentence vectors or of TF-IDF, have nothing to do with each other: of
two papers of one question it is .6 to .8, and .3."""
APPLAUDED_WEIGHT = 0.5
"""What readers' applause adds: a sixth of a like, for who reacts to a message need not mean each paper."""
SHOWN = 3


@dataclass(frozen=True)
class Matched:
    """The papers of a topic, best first, and those that hold a key or look like it and are left out."""

    matches: tuple[Match, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class Belief:
    """How far looks are believed, by the silent papers of a pool: their looks, ascending, and how many of
    them should be on topic."""

    silent: Scores
    expected: float

    def of(self, looks: Scores) -> Scores:
        """The silent papers on topic that are to be expected above a paper, over the silent papers there
        are; at most 1, and never less for higher looks."""
        if not len(self.silent):
            return np.minimum(1, self.expected * (1 - looks))
        lower = np.maximum.accumulate(self._plain(self.silent))
        reached = np.searchsorted(self.silent, looks, side="right") - 1
        least = np.where(reached >= 0, lower[np.maximum(reached, 0)], 0)
        return np.asarray(np.minimum(1, np.maximum(self._plain(looks), least)))

    def _plain(self, looks: Scores) -> Scores:
        above = len(self.silent) - np.searchsorted(self.silent, looks, side="left")
        return np.asarray(self.expected * (1 - looks) / np.maximum(1, above))


@dataclass(frozen=True)
class Scorer:
    """What a topic's papers are scored by, frozen when it was fitted: a paper's score depends on nothing
    that comes later but its own text, the keys in it and what people say. ``fitted`` is None where no
    paper was the topic's own. ``titles`` are the own papers', ``told`` what people had said."""

    vocabulary: Vocabulary
    fitted: Fitted | None
    belief: Belief
    titles: tuple[str, ...]
    told: frozenset[str]


def fit(
    topic: Topic,
    keys: Sequence[Key],
    archive: Archive,
    liked: Collection[str] = (),
    disliked: Collection[str] = (),
    applauded: Collection[str] = (),
) -> Scorer:
    """Learns what a topic's papers look like from an archive: minutes, for tens of thousands of papers.

    ``keys`` may hold keys in any state, active ones count; ``liked``, ``disliked`` and ``applauded``
    (weakly liked) are ids, those not in the archive are passed over.
    """
    mentions = find_mentions(topic, keys, archive)
    labels = _labels(topic, mentions, archive, liked, disliked, applauded)
    told = frozenset((*liked, *disliked))
    if not labels.own.any():
        return Scorer(Vocabulary((), np.zeros(0, np.float32)), None, Belief(np.zeros(0), 0.0), (), told)
    fitted = ranking.fit(archive, labels, topic_stems(seed_keys(topic, keys), labels.own, archive))
    belief = _belief(fitted.read(archive).looks, labels, mentions, archive.newest[:POOL])
    titles = tuple(archive.papers[row].title for row in labels.rows)
    return Scorer(archive.vocabulary, fitted, belief, titles, told)


def match(
    topic: Topic,
    keys: Sequence[Key],
    archive: Archive,
    candidates: Collection[str],
    liked: Collection[str] = (),
    disliked: Collection[str] = (),
    applauded: Collection[str] = (),
    scorer: Scorer | None = None,
) -> Matched:
    """The candidates that belong to a topic, best first, and those that something else rules out.

    ``keys`` may hold keys in any state, active ones count; ``candidates``, ``liked``, ``disliked`` and
    ``applauded`` (weakly liked) are ids, those not in the archive are passed over. ``archive`` has the
    vocabulary of ``scorer``; where none is given it is fitted on this archive. A topic with no paper of
    its own matches nothing.
    """
    scorer = scorer or fit(topic, keys, archive, liked, disliked, applauded)
    rows = archive.rows(candidates)
    if scorer.fitted is None or not len(rows):
        return Matched()
    mentions = find_mentions(topic, keys, archive)
    ranked = scorer.fitted.read(archive)
    looks = _corrected(ranked.looks, archive, liked, disliked, scorer)
    scores = _scores(looks, scorer.belief.of(looks), mentions)
    scores[archive.rows((*topic.seed_papers, *liked))] = 1.0
    kept = rows[(scores[rows] >= LEAST) | (mentions.evidence[rows] > 0) | mentions.excluded[rows]]
    reasons = [_ruled_out(archive.papers[row], topic, mentions.excluded[row], disliked) for row in kept]
    left = tuple(LeftOut(archive.papers[row].id, why) for row, why in zip(kept, reasons, strict=True) if why)
    kept = kept[[not why for why in reasons]] if len(kept) else kept
    evidence = _evidence(archive, scorer, mentions, Ranking(ranked.ways, looks), kept)
    found = [
        Match(
            topic=topic.name,
            paper=archive.papers[row].id,
            score=round(float(scores[row]), 4),
            silent=not mentions.seed[row],
            evidence=why,
            scorer=SCORER,
        )
        for row, why in zip(kept, evidence, strict=True)
    ]
    return Matched(tuple(sorted(found, key=lambda each: (-each.score, each.paper))), left)


def _ruled_out(paper: Paper, topic: Topic, excluded: bool, disliked: Collection[str]) -> str | None:
    """What keeps a paper out of a topic whatever its score."""
    if paper.withdrawn:
        return "withdrawn"
    if paper.id in disliked:
        return "disliked"
    if excluded:
        return "holds an excluded phrase"
    return None if _in_categories(paper, topic) else "not in the topic's categories"


def _corrected(
    looks: Scores, archive: Archive, liked: Collection[str], disliked: Collection[str], scorer: Scorer
) -> Scores:
    """Looks with what people said since the weights were fitted: papers near to one they like rise,
    those near to one they dislike sink."""
    up, down = (
        _near(archive, archive.rows([paper for paper in papers if paper not in scorer.told]))
        for papers in (liked, disliked)
    )
    return np.asarray((looks + (1 - looks) * up / 2) * (1 - down))


def _near(archive: Archive, rows: Rows) -> Scores:
    """How near each paper is to the nearest of some, 0 (no nearer than any) to 1 (the same)."""
    if not len(rows):
        return np.zeros(len(archive))
    if archive.vectors is not None and archive.vectors[rows].any():
        cosines, far = archive.vectors @ archive.vectors[rows].T, FAR
    else:
        cosines, far = np.asarray((archive.features @ archive.features[rows].T).todense()), FAR_WORDS
    return np.asarray(np.maximum(0, (cosines.max(axis=1) - far) / (1 - far)), dtype=np.float64)


def _scores(looks: Scores, belief: Scores, mentions: Mentions) -> Scores:
    return np.asarray(1 - (1 - looks * belief) * (1 - mentions.evidence))


@dataclass(frozen=True)
class Judged:
    """What is known of each paper of an archive: labels, mentions, and looks, float64[n]."""

    labels: Labels
    mentions: Mentions
    looks: Scores

    def scores(self, pool: Rows) -> Scores:
        """The score of each paper, float64[n], with looks believed as far as these papers allow."""
        belief = _belief(self.looks, self.labels, self.mentions, pool)
        return _scores(self.looks, belief.of(self.looks), self.mentions)


def judged(topic: Topic, keys: Sequence[Key], archive: Archive) -> Judged:
    """All papers of an archive, judged without feedback. Raises ValueError where no paper is the
    topic's own."""
    mentions = find_mentions(topic, keys, archive)
    labels = _labels(topic, mentions, archive)
    if not labels.own.any():
        raise ValueError(f"no paper of the archive is {topic.name}'s own")
    ranked = ranking.rank(archive, labels, topic_stems(seed_keys(topic, keys), labels.own, archive))
    return Judged(labels, mentions, ranked.looks)


def looks(topic: Topic, keys: Sequence[Key], archive: Archive) -> Scores:
    """How much each paper of an archive looks like a topic's own, float64[n]: what silent papers are
    ranked by. Raises ValueError where no paper is the topic's own."""
    return judged(topic, keys, archive).looks


def _in_categories(paper: Paper, topic: Topic) -> bool:
    return not topic.categories or not set(topic.categories).isdisjoint(paper.categories)


def _labels(
    topic: Topic,
    mentions: Mentions,
    archive: Archive,
    liked: Collection[str] = (),
    disliked: Collection[str] = (),
    applauded: Collection[str] = (),
) -> Labels:
    """The topic's own papers: those that hold an active key, those a person named or liked, and with
    little weight those that readers applauded.

    A lone mention in an abstract teaches little: where there are enough others it is left out.
    """
    inside = np.array([_in_categories(paper, topic) for paper in archive.papers], dtype=bool)
    own = mentions.named & inside
    chosen, refused = archive.rows((*topic.seed_papers, *liked)), archive.rows(disliked)
    praised = archive.rows(applauded)
    praise = own[praised] + APPLAUDED_WEIGHT
    own[praised] = own[chosen] = True
    own[refused] = False
    weight = np.where(mentions.off & ~own, DISLIKED_WEIGHT, 1.0)
    weight[praised] = praise
    weight[chosen], weight[refused] = LIKED_WEIGHT, DISLIKED_WEIGHT
    typical = np.minimum(1, np.where(own, mentions.evidence, 0) / IN_TITLE)
    typical[praised] = np.maximum(typical[praised], REPEATED / IN_TITLE)
    typical[chosen] = 1
    lone = own & (typical < REPEATED / IN_TITLE)
    if (own & ~lone).sum() >= FEW:
        own, weight = own & ~lone, np.where(lone, 0, weight)
    surplus = archive.order[own[archive.order]][MOST:]
    own[surplus], weight[surplus] = False, 0
    return Labels(own, weight, typical)


def _expected_silent(labels: Labels, mentions: Mentions, pool: Rows) -> float:
    """How many silent papers of the topic a pool should hold."""
    if not mentions.named.any():
        return max(LEAST_UNNAMED, UNNAMED_SHARE * len(pool))
    well_named = (labels.typical[pool] >= REPEATED / IN_TITLE).sum()
    return (GATHERED_ODDS if len(pool) < GATHERED else SILENT_ODDS) * float(well_named)


def _belief(looks: Scores, labels: Labels, mentions: Mentions, pool: Rows) -> Belief:
    """How far looks are believed where papers are as in a pool."""
    silent = np.sort(looks[pool][mentions.evidence[pool] == 0])
    return Belief(silent, _expected_silent(labels, mentions, pool))


def _evidence(
    archive: Archive, scorer: Scorer, mentions: Mentions, ranked: Ranking, rows: Rows
) -> list[Evidence]:
    neighbours = _neighbours(archive, scorer, rows)
    return [
        Evidence(
            seed_keys=mentions.seed[row],
            other_keys=mentions.other[row],
            neighbours=near,
            scores=_told(ranked, mentions, row),
        )
        for row, near in zip(rows, neighbours, strict=True)
    ]


def _told(ranked: Ranking, mentions: Mentions, row: int) -> dict[str, float]:
    ways = {name: round(float(share[row]), 4) for name, share in ranked.ways.items() if share[row] > 0}
    return ways | {
        "looks": round(float(ranked.looks[row]), 4),
        "keys": round(float(mentions.evidence[row]), 4),
    }


def _neighbours(archive: Archive, scorer: Scorer, rows: Rows) -> list[tuple[Neighbour, ...]]:
    """Per row its nearest own papers, by sentence vectors or else by TF-IDF without the topic's words."""
    assert scorer.fitted is not None
    own, titles = scorer.fitted.own, scorer.titles
    if not own.embedded:
        read: Any = archive.masked(scorer.fitted.hidden)[rows]
    elif archive.vectors is None:
        return [()] * len(rows)
    else:
        read = projected(archive.vectors[rows], scorer.fitted.name_directions)
    cosines = likeness([archive.papers[row].id for row in rows], read, own)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :SHOWN]
    return [
        tuple(Neighbour(own.ids[at], titles[at], round(float(each[at]), 4)) for at in near if each[at] > 0)
        for each, near in zip(cosines, nearest, strict=True)
    ]
