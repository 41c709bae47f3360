"""Does this paper belong to this topic, how strongly, and what says so.

The score of a paper is a noisy-or of two independent witnesses: how much its text looks like the
topic's own papers when the topic's name is left out (:mod:`digest.ranking`), and the keys that
stand in it (:mod:`digest.mentions`). A silent paper has the first witness alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Floats, Rows
from digest.mentions import IN_TITLE, Mentions, find_mentions, seed_keys
from digest.phrases import NORMALISER
from digest.ranking import MOST, Labels, Ranking, rank, topic_stems
from digest.ranking import SCORER as RANKER
from digest.types import Evidence, Key, Match, Neighbour, Paper, Topic

__all__ = ["SCORER", "Archive", "match"]

SCORER = f"{RANKER}/{NORMALISER}"

LEAST = 0.05
"""A paper without a key that scores less is no match."""
LIKED_WEIGHT, DISLIKED_WEIGHT = 3.0, 10.0
SHOWN = 3


def match(
    topic: Topic,
    keys: Sequence[Key],
    archive: Archive,
    candidates: Collection[str],
    liked: Collection[str] = (),
    disliked: Collection[str] = (),
) -> list[Match]:
    """The candidates that belong to a topic, best first.

    ``keys`` may hold keys in any state, active ones count; ``candidates``, ``liked`` and
    ``disliked`` are ids, those not in the archive are passed over. A topic with no paper of its own
    in the archive matches nothing.
    """
    mentions = find_mentions(topic, keys, archive)
    labels = _labels(topic, mentions, archive, liked, disliked)
    rows = [row for row in archive.rows(candidates) if _may_match(archive.papers[row], topic)]
    rows = [row for row in rows if not mentions.excluded[row] and archive.papers[row].id not in set(disliked)]
    if not rows or not labels.own.any():
        return []
    ranking = rank(archive, labels, topic_stems(seed_keys(topic, keys), labels.own, archive))
    scores = 1 - (1 - ranking.looks) * (1 - mentions.evidence)
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


def _may_match(paper: Paper, topic: Topic) -> bool:
    return not paper.withdrawn and _in_categories(paper, topic)


def _in_categories(paper: Paper, topic: Topic) -> bool:
    return not topic.categories or not set(topic.categories).isdisjoint(paper.categories)


def _labels(
    topic: Topic, mentions: Mentions, archive: Archive, liked: Collection[str], disliked: Collection[str]
) -> Labels:
    """The topic's own papers: those that hold an active key, those a person named or liked."""
    inside = np.array([_in_categories(paper, topic) for paper in archive.papers], dtype=bool)
    own = mentions.named & inside
    chosen, refused = archive.rows((*topic.seed_papers, *liked)), archive.rows(disliked)
    own[chosen] = True
    own[refused] = False
    weight = np.ones(len(archive))
    weight[chosen], weight[refused] = LIKED_WEIGHT, DISLIKED_WEIGHT
    surplus = archive.order[own[archive.order]][MOST:]
    own[surplus], weight[surplus] = False, 0
    typical = np.where(own, mentions.evidence, 0) / IN_TITLE
    typical[chosen] = 1
    return Labels(own, weight, np.minimum(1, typical))


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


def _neighbours(archive: Archive, labels: Labels, rows: Rows) -> list[tuple[Neighbour, ...]]:
    """Per row its nearest own papers, by sentence vectors or else by LSA."""
    vectors: Floats = archive.latent(archive.features) if archive.vectors is None else archive.vectors
    own = labels.rows
    similarity: NDArray[np.float32] = vectors[rows] @ vectors[own].T
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
