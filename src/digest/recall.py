"""How many papers of a topic were missed: an estimate from two ways of finding them.

Papers are caught twice: by the keys that stand in them, and by their looks when the topic is not
named. What the second net catches of the first's papers tells how much of all it catches, and so how
many both have missed (Lincoln and Petersen; Chapman 1951). Two things spoil the plain estimate:

- The nets are not independent. A paper that goes without the topic's words is also further from
  those who say them: looks catch it with a fifth of the odds. So the odds ratio between the nets is
  not 1 but :data:`DEPENDENCE`, and how far that can be trusted is part of the interval (Gerritse, van
  der Heijden and Bakker 2015).
- Neither catch is clean. Each paper counts as likely as it is to be on topic, and whether it is, is
  drawn anew each time; a person's like or dislike settles it.

The figures below were read off expert lists of three topics: how often papers are listed, against
papers that carry the topic in their title and look like it. The spreads are those between topics, as they are
to be expected of a fourth one: the standard deviation of the three times the root of 4/3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.types import Match, Opinion, Recall

RANKED = 0.3
"""The second net: papers that look more like the topic than so many of its own."""
DEPENDENCE, DEPENDENCE_SPREAD = 0.2, 1.3
"""By what the odds of the second net are lower for papers that the first has not; lists gave .07, .18
and .64. A spread is the standard deviation of a logarithm."""
SILENT_LIKELY, SILENT_SPREAD = 0.75, 0.8
"""A paper without a key is on topic three quarters as likely as it looks; lists gave .34, 1.05, 1.2."""
NAMED_SPREAD = 1.0
SILENT_ODDS = 0.4
"""Before anything is seen: silent papers for each that holds a key. Lists hold .32, .45 and .32; the prior
is exponential, so that a tenth of that and three times as many are likely too."""
DRAWS = 1000
_SEED = 1895

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Catch:
    """Papers that one net or the other has caught, [n] each: whether a key stands in them, how much
    they look like the topic, how likely they are on it, whether that is sure, and whether they were
    found, that is over the topic's floor."""

    named: Booleans
    looks: Floats
    likely: Floats
    sure: Booleans
    found: Booleans


def catch(matches: Sequence[Match], floor: float, opinions: Mapping[str, Opinion]) -> Catch:
    """The catch of some matches (all that were stored, whatever their score)."""
    keys = np.array([each.evidence.scores.get("keys", 0.0) for each in matches], dtype=np.float64)
    looks = np.array([each.evidence.scores.get("looks", 0.0) for each in matches], dtype=np.float64)
    score = np.array([each.score for each in matches], dtype=np.float64)
    caught = catch_of(keys, looks, score >= floor)
    told = [opinions.get(each.paper) for each in matches]
    sure = np.array([each is not None for each in told], dtype=bool)
    liked = np.array([each == "like" for each in told], dtype=np.float64)
    return Catch(caught.named, looks, np.where(sure, liked, caught.likely), sure, caught.found)


def catch_of(keys: Floats, looks: Floats, found: Booleans) -> Catch:
    """The catch from the evidence of the keys (0 to 1), the looks, and what was found."""
    named = keys > 0
    likely = np.where(named, 1 - (1 - keys) * (1 - looks), SILENT_LIKELY * looks)
    return Catch(named, looks, likely, np.zeros(len(keys), bool), found)


def estimate(caught: Catch) -> Recall:
    """What share of a topic's papers was found and how many were missed, with 90 % intervals."""
    found, missed = _possible(caught, np.random.default_rng(_SEED))
    low, share, high = np.percentile((found + 0.5) / (found + missed + 0.5), (5, 50, 95))
    fewest, middle, most = np.percentile(missed, (5, 50, 95))
    ranked = caught.looks >= RANKED
    return Recall(
        found=round(float(np.median(found)), 1),
        missed=round(float(middle), 1),
        fewest=round(float(fewest), 1),
        most=round(float(most), 1),
        share=round(float(share), 3),
        low=round(float(low), 3),
        high=round(float(high), 3),
        by_keys=int(caught.named.sum()),
        by_looks=int(ranked.sum()),
        by_both=int((caught.named & ranked).sum()),
    )


def _possible(caught: Catch, generator: Any) -> tuple[Floats, Floats]:
    """Possible truths, [draws] each: how many papers on topic were found, how many were missed."""
    named, found, ranked = caught.named, caught.found, caught.looks >= RANKED
    on_topic = generator.random((DRAWS, len(named))) < _likely(caught, generator)

    def count(papers: Booleans) -> Floats:
        return np.asarray(on_topic[:, papers].sum(axis=1), dtype=np.float64)

    first, second = count(named), count(ranked & ~named)
    rate = generator.beta(count(named & ranked) + 0.5, count(named & ~ranked) + 0.5)
    odds = rate / np.maximum(1 - rate, 1e-6) * DEPENDENCE * _factor(DEPENDENCE_SPREAD, generator)
    net = odds / (1 + odds)
    silent = generator.gamma(1 + second) / (1 / (SILENT_ODDS * np.maximum(first, 1)) + net)
    unseen = generator.poisson(silent * (1 - net)) - count(found & ~named & ~ranked)
    return count(found), count(~found & (named | ranked)) + np.maximum(0, unseen)


def _likely(caught: Catch, generator: Any) -> Floats:
    """How likely each paper is on topic, [draws, n]: of each net that is known up to a factor."""
    silent = np.minimum(0.95, np.outer(_factor(SILENT_SPREAD, generator), caught.likely))
    odds = np.outer(_factor(NAMED_SPREAD, generator), caught.likely / np.maximum(1 - caught.likely, 1e-9))
    likely: Floats = np.where(caught.sure, caught.likely, np.where(caught.named, odds / (1 + odds), silent))
    return likely


def _factor(spread: float, generator: Any) -> Floats:
    """A factor about 1 for each draw; ``spread`` is the standard deviation of its logarithm."""
    drawn: Floats = np.exp(generator.normal(0, spread, DRAWS))
    return drawn
