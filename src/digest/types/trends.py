"""A term over the years."""

from __future__ import annotations

from msgspec import Struct


class YearShare(Struct, frozen=True, kw_only=True):
    """One year of a curve: ``found`` of the ``held`` papers of the archive. ``share`` (0 to 1) is what
    it would be if each year were held in the same mix of categories; ``low`` and ``high`` bound it (90 %)."""

    year: int
    held: int
    found: int
    share: float
    low: float
    high: float


class Jump(Struct, frozen=True, kw_only=True):
    """The sharpest rise of a curve: the first year of the higher level, how many times higher it is,
    how many times at least (95 %), and between which years the rise lies (90 %)."""

    year: int
    ratio: float
    at_least: float
    earliest: int
    latest: int


class Beside(Struct, frozen=True, kw_only=True):
    """A phrase that stood beside a term in some years: the share of the term's papers of these years
    that hold it, and the share of those of all other years."""

    text: str
    share: float
    elsewhere: float


class Stretch(Struct, frozen=True, kw_only=True):
    """Years (both included) in which a share kept one level, and what stood beside the term then."""

    since: int
    until: int
    found: int
    share: float
    beside: tuple[Beside, ...] = ()


class Curve(Struct, frozen=True, kw_only=True):
    """A share over the years, cut into stretches; ``jump`` is None where no rise is certain."""

    years: tuple[YearShare, ...]
    stretches: tuple[Stretch, ...]
    jump: Jump | None = None

    @property
    def found(self) -> int:
        """All papers of the curve."""
        return sum(each.found for each in self.years)


class Trend(Struct, frozen=True, kw_only=True):
    """A term over the years in an archive of ``papers`` papers: ``said``, the papers that hold it, and
    where it is a key of a topic ``silent``, the topic's papers that hold none of the seed keys."""

    term: str
    papers: int
    said: Curve
    topic: str | None = None
    silent: Curve | None = None
