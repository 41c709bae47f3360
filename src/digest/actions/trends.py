"""A term over the years."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.days import new_york_day
from digest.types import Trend

if TYPE_CHECKING:
    from digest.app import App


def trend(app: App, term: str, *, since: int | None = None, beside: bool = False) -> Trend:
    """A term's share of the archive's papers by year, and that of its topic's silent papers."""
    from digest import terms

    return terms.trend(app.store, app.topics, term, new_york_day(app.now), since=since, beside=beside)
