"""The estimate of recall measured: does its interval hold the share that the lists say was found?

The papers of each month are judged as a run would; of those that are listed a share was found. The
estimate does not see the lists. Beside it stand the plain estimates from the same two catches, which
take them for independent (Chapman 1951) or each paper's chance for its own (Chao 1987).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive
from digest.evaluation.intervals import Measured
from digest.evaluation.labels import Truth
from digest.recall import RANKED, Catch, catch_of, estimate
from digest.relevance import LEAST, Judged

LEAST_LISTED = 10
"""In a month with fewer listed papers the share found is chance."""
Z90 = 1.645

Rows = NDArray[np.int64]


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month: its papers, those listed for the topic and how many of them were found, and the share
    that each method says was found."""

    month: str
    papers: int
    listed: int
    found: int
    estimates: Mapping[str, Measured]

    @property
    def share(self) -> float:
        """The share of the listed papers that was found."""
        return self.found / self.listed

    def covered(self, method: str) -> bool:
        """Whether a method's interval holds the share."""
        told = self.estimates[method]
        return told.low <= self.share <= told.high

    def agrees(self, method: str) -> bool:
        """Whether it does once the share's own interval is allowed for: a month lists few papers."""
        told, (low, high) = self.estimates[method], _wilson(self.found, self.listed)
        return told.low <= high and low <= told.high


class RecallCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on what, month by month."""

    about: str
    months: tuple[Month, ...]


def monthly(archive: Archive, judged: Judged, floor: float, truth: Truth) -> list[Month]:
    """The months in which enough papers are listed, oldest first."""
    months: dict[str, list[int]] = {}
    for row in np.flatnonzero(~judged.mentions.excluded):
        months.setdefault(f"{archive.papers[row].submitted:%Y-%m}", []).append(int(row))
    listed = {month: int(truth.positive[rows].sum()) for month, rows in months.items()}
    return [
        _month(month, np.array(months[month]), judged, floor, truth)
        for month in sorted(months)
        if listed[month] >= LEAST_LISTED
    ]


def _month(month: str, rows: Rows, judged: Judged, floor: float, truth: Truth) -> Month:
    scores = judged.scores(rows)[rows]
    keys, looks = judged.mentions.evidence[rows], judged.looks[rows]
    kept = (scores >= LEAST) | (keys > 0)  # what a run stores
    seen = catch_of(keys[kept], looks[kept], scores[kept] >= floor)
    ours = estimate(seen)
    positive = truth.positive[rows]
    return Month(
        month=month,
        papers=len(rows),
        listed=int(positive.sum()),
        found=int((positive & (scores >= floor)).sum()),
        estimates={
            "digest": Measured(ours.share, ours.low, ours.high),
            "Chapman": _chapman(seen),
            "Chao": _chao(seen),
        },
    )


def _counts(seen: Catch) -> tuple[float, float, float, float]:
    """Papers on topic that the keys caught, the looks, both; and those found: expected numbers."""
    ranked = seen.looks >= RANKED
    nets = (seen.named, ranked, seen.named & ranked, seen.found)
    first, second, both, found = (float(seen.likely[net].sum()) for net in nets)
    return first, second, both, found


def _chapman(seen: Catch) -> Measured:
    """The plain estimate with its variance (Seber 1982, p. 60)."""
    first, second, both, found = _counts(seen)
    total = (first + 1) * (second + 1) / (both + 1) - 1
    spread = (first + 1) * (second + 1) * (first - both) * (second - both) / ((both + 1) ** 2 * (both + 2))
    return _shares(found, total, sqrt(spread))


def _chao(seen: Catch) -> Measured:
    """The lower bound where papers differ in how easily they are caught (Chao 1987, two occasions)."""
    first, second, both, found = _counts(seen)
    once, twice = first + second - 2 * both, max(both, 0.5)
    ratio = once / twice
    spread = twice * (ratio**2 / 8 + ratio**3 / 8 + ratio**4 / 64)
    return _shares(found, first + second - both + once**2 / (4 * twice), sqrt(spread))


def _shares(found: float, total: float, error: float) -> Measured:
    ends = (total, total + Z90 * error, max(found, total - Z90 * error))
    share, low, high = (min(1.0, (found + 0.5) / (each + 0.5)) for each in ends)
    return Measured(round(share, 4), round(low, 4), round(high, 4))


def _wilson(successes: int, trials: int) -> tuple[float, float]:
    share, more = successes / trials, Z90**2 / trials
    middle = (share + more / 2) / (1 + more)
    half = Z90 * sqrt(share * (1 - share) / trials + more / (4 * trials)) / (1 + more)
    return middle - half, middle + half


def coverage(months: Sequence[Month], method: str, least: int = LEAST_LISTED) -> tuple[int, int, int]:
    """Of the months with so many listed papers: in how many the interval holds the share, in how many
    the two agree, and how many there are."""
    counted = [each for each in months if each.listed >= least]
    covered = sum(each.covered(method) for each in counted)
    return covered, sum(each.agrees(method) for each in counted), len(counted)
