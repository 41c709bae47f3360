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

import numpy as np

from digest.archive import Archive, Floats, Rows
from digest.mentions import IN_TITLE, REPEATED, Mentions, find_mentions, seed_keys
from digest.phrases import NORMALISER
from digest.ranking import FEW, MOST, Labels, Ranking, Scores, rank, topic_stems
from digest.ranking import SCORER as RANKER
from digest.types import Evidence, Key, Match, Neighbour, Paper, Topic

__all__ = ["SCORER", "Archive", "match"]

SCORER = f"{RANKER}/{NORMALISER}"

LEAST = 0.05
"""A paper without a key that scores less is no match."""
SILENT_ODDS, GATHERED_ODDS, GATHERED = 0.25, 0.6, 1000
"""Silent papers on topic that are expected for each paper that names it well. Expert lists hold .56
to .69, gathered for years; so does an archive of fewer papers than arXiv announces in two days."""
UNNAMED_SHARE, LEAST_UNNAMED = 0.01, 10
"""The share of papers a topic without keys is expected to have, and their least number."""
POOL = 3000
"""At least so many of the newest papers are counted to tell how far looks can be believed."""
LIKED_WEIGHT, DISLIKED_WEIGHT = 3.0, 10.0
APPLAUDED_WEIGHT = 0.5
"""What readers' applause adds: a sixth of a like, for who reacts to a message need not mean each paper."""
SHOWN = 3


def match(
    topic: Topic,
    keys: Sequence[Key],
    archive: Archive,
    candidates: Collection[str],
    liked: Collection[str] = (),
    disliked: Collection[str] = (),
    applauded: Collection[str] = (),
) -> list[Match]:
    """The candidates that belong to a topic, best first.

    ``keys`` may hold keys in any state, active ones count; ``candidates``, ``liked``, ``disliked`` and
    ``applauded`` (weakly liked) are ids, those not in the archive are passed over. A topic with no paper
    of its own in the archive matches nothing.
    """
    mentions = find_mentions(topic, keys, archive)
    labels = _labels(topic, mentions, archive, liked, disliked, applauded)
    rows = [row for row in archive.rows(candidates) if _may_match(archive.papers[row], topic)]
    rows = [row for row in rows if not mentions.excluded[row] and archive.papers[row].id not in set(disliked)]
    if not rows or not labels.own.any():
        return []
    ranking = rank(archive, labels, topic_stems(seed_keys(topic, keys), labels.own, archive))
    scores = Judged(labels, mentions, ranking.looks).scores(_pool(archive, rows))
    kept = np.array(
        [row for row in rows if scores[row] >= LEAST or mentions.evidence[row] > 0], dtype=np.int64
    )
    evidence = _evidence(archive, labels, mentions, ranking, kept)
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
    return sorted(found, key=lambda each: (-each.score, each.paper))


@dataclass(frozen=True)
class Judged:
    """What is known of each paper of an archive: labels, mentions, and looks, float64[n]."""

    labels: Labels
    mentions: Mentions
    looks: Scores

    def scores(self, pool: Rows) -> Scores:
        """The score of each paper, float64[n], with looks believed as far as these papers allow."""
        expected = _expected_silent(self.labels, self.mentions, pool)
        belief = _belief(self.looks, expected, self.mentions, pool)
        return 1 - (1 - self.looks * belief) * (1 - self.mentions.evidence)


def judged(topic: Topic, keys: Sequence[Key], archive: Archive) -> Judged:
    """All papers of an archive, judged without feedback. Raises ValueError where no paper is the
    topic's own."""
    mentions = find_mentions(topic, keys, archive)
    labels = _labels(topic, mentions, archive)
    if not labels.own.any():
        raise ValueError(f"no paper of the archive is {topic.name}'s own")
    ranking = rank(archive, labels, topic_stems(seed_keys(topic, keys), labels.own, archive))
    return Judged(labels, mentions, ranking.looks)


def looks(topic: Topic, keys: Sequence[Key], archive: Archive) -> Scores:
    """How much each paper of an archive looks like a topic's own, float64[n]: what silent papers are
    ranked by. Raises ValueError where no paper is the topic's own."""
    return judged(topic, keys, archive).looks


def _may_match(paper: Paper, topic: Topic) -> bool:
    return not paper.withdrawn and _in_categories(paper, topic)


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
    surplus = _newest(archive, np.flatnonzero(own))[MOST:]
    own[surplus], weight[surplus] = False, 0
    return Labels(own, weight, typical)


def _pool(archive: Archive, rows: Sequence[int]) -> Rows:
    """The newest papers of the archive, as many as there are candidates or more. Older ones may be
    there because they name the topic: they say nothing of how rare it is."""
    newest = _newest(archive, np.arange(len(archive)))[: max(POOL, len(rows))]
    return np.union1d(newest, np.array(rows, dtype=np.int64))


def _newest(archive: Archive, rows: Rows) -> Rows:
    """The rows, newest announcement first."""
    days = [archive.papers[row].announced.toordinal() for row in rows]
    return rows[np.lexsort((rows, -np.array(days, dtype=np.int64)))]


def _expected_silent(labels: Labels, mentions: Mentions, pool: Rows) -> float:
    """How many silent papers of the topic a pool should hold."""
    if not mentions.named.any():
        return max(LEAST_UNNAMED, UNNAMED_SHARE * len(pool))
    well_named = (labels.typical[pool] >= REPEATED / IN_TITLE).sum()
    return (GATHERED_ODDS if len(pool) < GATHERED else SILENT_ODDS) * float(well_named)


def _belief(looks: Scores, expected: float, mentions: Mentions, pool: Rows) -> Scores:
    """How far looks are believed, float64[n]: the silent papers on topic that are to be expected
    above a paper, over the silent papers there are; at most 1, and never less for higher looks."""
    silent = np.sort(looks[pool][mentions.evidence[pool] == 0])
    above = len(silent) - np.searchsorted(silent, looks, side="left")
    belief: Scores = np.minimum(1, expected * (1 - looks) / np.maximum(1, above))
    by_looks = np.argsort(looks, kind="stable")
    belief[by_looks] = np.maximum.accumulate(belief[by_looks])
    return belief


def _evidence(
    archive: Archive, labels: Labels, mentions: Mentions, ranking: Ranking, rows: Rows
) -> list[Evidence]:
    neighbours = _neighbours(archive, labels, rows)
    return [
        Evidence(
            seed_keys=mentions.seed[row],
            other_keys=mentions.other[row],
            neighbours=near,
            scores=_scores(ranking, mentions, row),
        )
        for row, near in zip(rows, neighbours, strict=True)
    ]


def _scores(ranking: Ranking, mentions: Mentions, row: int) -> dict[str, float]:
    ways = {name: round(float(share[row]), 4) for name, share in ranking.ways.items()}
    return ways | {
        "looks": round(float(ranking.looks[row]), 4),
        "keys": round(float(mentions.evidence[row]), 4),
    }


def _vectors(archive: Archive, rows: Rows) -> Floats:
    if archive.vectors is not None:
        return archive.vectors[rows]
    return archive.latent(archive.features[rows])


def _neighbours(archive: Archive, labels: Labels, rows: Rows) -> list[tuple[Neighbour, ...]]:
    """Per row its nearest own papers, by sentence vectors or else by LSA."""
    own = labels.rows
    similarity = _vectors(archive, rows) @ _vectors(archive, own).T
    similarity[rows[:, None] == own[None, :]] = -1
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :SHOWN]
    return [
        tuple(
            Neighbour(archive.papers[own[at]].id, archive.papers[own[at]].title, round(float(cosines[at]), 4))
            for at in near
            if cosines[at] > 0
        )
        for cosines, near in zip(similarity, nearest, strict=True)
    ]
