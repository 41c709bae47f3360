"""Keys measured by the papers they add, those that hold no seed key.

A key that stands only in papers already found is worth nothing, however well it fits: so every
figure counts added papers alone, and mixed ones not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Rows
from digest.evaluation.intervals import DRAWS, Drawn, Measured, Method, draws, measured, share
from digest.evaluation.labels import Truth
from digest.keys import contrast, phrases_of
from digest.mentions import postings
from digest.types import Key

TOP, LONGER = 20, 50
USEFUL_PAPERS, USEFUL_SHARE = 2, 0.15
BUDGETS = (2, 5, 10)
LEAST_OWN = 3
"""A baseline's candidates stand in so many papers that name the topic, or .6 % of them."""


@dataclass(frozen=True)
class Proposal:
    """A key in words and the rows of the papers it stands in; ``accepted`` without a person."""

    text: str
    rows: Rows
    accepted: bool = False


@dataclass(frozen=True)
class _Drawn:
    """The papers that count, drawn again and again: [rows, draws] of those on topic, drift, and all."""

    positive: Drawn
    drift: Drawn
    every: Drawn


class KeyMetrics:
    """The metrics of lists of keys on one archive."""

    def __init__(self, truth: Truth, named: NDArray[np.bool_]) -> None:
        self._truth, self._named = truth, named
        self._counted = ~named & ~truth.ignored
        self._silent = np.flatnonzero(truth.positive & ~named)

    def measure(self, keys: Sequence[Proposal]) -> dict[str, Measured]:
        """useful@20, useful@50, newP@20, silR@2x, 5x and 10x, off, and what acceptance would do.

        useful@k: the share of the first k keys that add two listed papers or more, at a listed share
        of .15 or more. newP@20: the mean listed share of what the first 20 add. silR@nx: the share of
        listed silent papers found when keys are taken in order as long as the papers found are not
        more than n times those with a seed key; one that does not fit is passed over. off: of the
        labelled papers that the first 20 add, the share listed as off topic or for others only.
        accepted: the share on topic of the labelled papers that accepted keys add, and growth, all
        papers they find over those with a seed key.
        """
        added = [key.rows[self._counted[key.rows]] for key in keys]
        taken = {budget: self._taken(keys, budget) for budget in BUDGETS}
        accepted = _union([key.rows[~self._named[key.rows]] for key in keys if key.accepted])
        touched = np.union1d(_union([*added[:LONGER], accepted]), self._silent)
        at = {int(row): place for place, row in enumerate(touched)}
        drawn = self._draw(touched)
        values = self._of_each([_places(rows, at) for rows in added[:LONGER]], drawn)
        silent = drawn.positive[_places(self._silent, at)].sum(axis=0)
        for budget, rows in taken.items():
            values[f"silR@{budget}x"] = share(drawn.positive[_places(rows, at)].sum(axis=0), silent)
        values["off"] = 1 - _on_topic(drawn, _places(_union(added[:TOP]), at), none=1)
        places = _places(accepted, at)
        values["accepted"] = _on_topic(drawn, places, none=0)
        values["growth"] = 1 + drawn.every[places].sum(axis=0) / max(1, self._named.sum())
        return {name: measured(each) for name, each in values.items()}

    def tell(self, key: Proposal) -> str:
        """A key in words: how many papers it adds, and how many of those are listed as what."""
        rows = key.rows[self._counted[key.rows]]
        on, off = int(self._truth.positive[rows].sum()), int(self._truth.drift[rows].sum())
        return f"{key.text} (+{len(rows)}, {on} listed, {off} off{', accepted' if key.accepted else ''})"

    def _draw(self, rows: Rows) -> _Drawn:
        """Draws that are the same for a paper whatever the method: they belong to its row."""
        silent = np.isin(rows, self._silent)
        every = draws(len(rows), seed=1)
        every[silent] = draws(len(self._silent))[np.searchsorted(self._silent, rows[silent])]
        return _Drawn(every * silent[:, None], every * self._truth.drift[rows][:, None], every)

    @staticmethod
    def _of_each(added: Sequence[Rows], drawn: _Drawn) -> dict[str, Drawn]:
        listed = np.array([drawn.positive[places].sum(axis=0) for places in added]).reshape(-1, DRAWS + 1)
        every = np.array([drawn.every[places].sum(axis=0) for places in added]).reshape(-1, DRAWS + 1)
        precision = share(listed, every)
        useful = (listed >= USEFUL_PAPERS) & (precision >= USEFUL_SHARE)
        return {
            f"useful@{TOP}": useful[:TOP].sum(axis=0) / TOP,
            f"useful@{LONGER}": useful.sum(axis=0) / LONGER,
            f"newP@{TOP}": precision[:TOP].sum(axis=0) / TOP,
        }

    def _taken(self, keys: Sequence[Proposal], budget: int) -> Rows:
        """The listed silent papers found by the keys that fit into so many times the named papers."""
        found, room = self._named.copy(), (budget - 1) * int(self._named.sum())
        for key in keys:
            new = key.rows[~found[key.rows]]
            if len(new) <= room:
                found[new] = True
                room -= len(new)
        return self._silent[found[self._silent]]


def _union(parts: Sequence[Rows]) -> Rows:
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *parts]))


def _places(rows: Rows, at: Mapping[int, int]) -> Rows:
    return np.array([at[int(row)] for row in rows], dtype=np.int64)


def _on_topic(drawn: _Drawn, places: Rows, none: float) -> Drawn:
    """Of the labelled papers at these places the share on topic; ``none`` where none is labelled."""
    on, off = drawn.positive[places].sum(axis=0), drawn.drift[places].sum(axis=0)
    return np.where(on + off > 0, share(on, on + off), none)


def evaluate_keys(
    archive: Archive, seeds: Sequence[str], named: NDArray[np.bool_], truth: Truth, ours: Sequence[Key]
) -> list[Method]:
    """Our keys in their order and the baselines', measured alike."""
    metrics = KeyMetrics(truth, named)
    rows = postings([key.text for key in ours], archive)
    methods = {"digest": [Proposal(key.text, rows[key.text], key.state == "active") for key in ours]}
    methods |= _baselines(archive, seeds, named)
    return [
        Method(
            name=name,
            values=metrics.measure(keys),
            listed=tuple(metrics.tell(key) for key in keys[:LONGER]),
        )
        for name, keys in methods.items()
    ]


def _baselines(archive: Archive, seeds: Sequence[str], named: NDArray[np.bool_]) -> dict[str, list[Proposal]]:
    """Each baseline orders the same candidates: the phrases of the papers that name the topic."""
    own = np.flatnonzero(named)
    least = max(LEAST_OWN, round(0.006 * len(own)))
    rows = postings(phrases_of(archive, own, seeds, least), archive)
    pool = [Proposal(text, found) for text, found in rows.items() if not named[found].all()]
    scores = {
        "Fightin' words": _fightin_words(archive, pool, named),
        "NPMI": _npmi(pool, named),
        "node strength (litsearchr)": _node_strength(archive, pool, named),
    }
    return {
        name: [pool[at] for at in np.argsort(-np.array(each), kind="stable")] for name, each in scores.items()
    }


def _fightin_words(archive: Archive, pool: Sequence[Proposal], named: NDArray[np.bool_]) -> list[float]:
    """The z-score of the log-odds with an informative Dirichlet prior (Monroe et al. 2008)."""
    words = np.array([normal.count(" ") + 1 for normal in archive.normals])
    inside, beyond = int(words[named].sum()), int(words[~named].sum())
    own = [int(named[key.rows].sum()) for key in pool]
    return [
        contrast(count, len(key.rows) - count, inside, beyond) for key, count in zip(pool, own, strict=True)
    ]


def _npmi(pool: Sequence[Proposal], named: NDArray[np.bool_]) -> list[float]:
    """Normalised pointwise mutual information of phrase and topic (Bouma 2009)."""
    papers, own = len(named), int(named.sum())
    together = np.array([max(1, int(named[key.rows].sum())) for key in pool])
    held = np.array([len(key.rows) for key in pool])
    information = np.log(together * papers / (held * own)) / -np.log(together / papers)
    return [float(each) for each in information]


def _node_strength(archive: Archive, pool: Sequence[Proposal], named: NDArray[np.bool_]) -> list[float]:
    """How often a phrase stands beside others in the papers that name the topic: its strength in
    their network (Grames et al. 2019)."""
    beside = np.zeros(len(archive))
    for key in pool:
        beside[key.rows] += 1
    return [float((beside[key.rows] - 1)[named[key.rows]].sum()) for key in pool]
