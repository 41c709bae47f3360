"""Figures with the interval in which they would fall if other papers had been drawn.

Papers are drawn again with replacement, each about once (the Poisson bootstrap: Hanley and
MacGibbon 2006), a thousand times; the interval holds the middle
95 % of the figures. The draws are the same in every run and for every method, so that methods
differ by what they find and not by luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Drawn = NDArray[np.float64]
"""How often each paper was drawn, [papers, draws]; the first draw is the papers as they are."""

DRAWS = 1000
_SEED = 20_260_501


class Measured(msgspec.Struct, frozen=True):
    """A figure and the ends of its interval."""

    value: float
    low: float
    high: float


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """What one method reached, by the name of the metric, and what it gave, best first, in words."""

    name: str
    values: Mapping[str, Measured]
    listed: tuple[str, ...] = ()


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on what: counts by name, and the methods, ours first."""

    about: str
    counts: Mapping[str, int]
    methods: tuple[Method, ...]


def draws(papers: int, seed: int = 0) -> Drawn:
    """How often each of some papers is drawn; the first column is 1."""
    generator = np.random.default_rng((_SEED, seed))
    drawn = generator.poisson(1.0, size=(papers, DRAWS + 1)).astype(np.float64)
    drawn[:, 0] = 1
    return drawn


def measured(values: Any) -> Measured:
    """A figure from its values in all draws: [draws], that of the papers as they are first."""
    every = np.nan_to_num(np.asarray(values, dtype=np.float64))
    low, high = np.percentile(every[1:], (2.5, 97.5))
    return Measured(*(round(float(each), 4) for each in (every[0], low, high)))


def share(part: Drawn, whole: Drawn) -> Drawn:
    """The part of the whole; none of nothing is 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))
