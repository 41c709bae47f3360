"""When a post of a series is due: from the calendar and from what was written, and nothing else.

A series falls on days: every day, a day of each week, a day of each month. A post tells of the days
since the one before, and is for the day it falls on, whenever it is written. So a day on which nothing
ran is made up for until the next one comes, and running again changes nothing.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection
from datetime import date, timedelta

from digest.types import Series

ONE = timedelta(days=1)


def newest(series: Series, day: date) -> date:
    """The newest day on or before this one on which a series falls. The 31st of a month, or any day that
    it does not have, is its last."""
    if series.every == "day":
        return day
    if series.every == "week":
        return day - timedelta(days=(day.isoweekday() - _weekday(series)) % 7)
    this = _in_month(series, day)
    return this if this <= day else _in_month(series, day.replace(day=1) - ONE)


def window(series: Series, slot: date) -> tuple[date, date]:
    """The days, both included, of which the post for this day tells."""
    return newest(series, slot - ONE) + ONE, slot


def due(series: Series, day: date, written: Collection[date]) -> date | None:
    """The day for which a post is to be written now; None where it was."""
    slot = newest(series, day)
    return None if slot in written else slot


def _weekday(series: Series) -> int:
    """1 is Monday, 7 and more Sunday."""
    return min(series.day, 7)


def _in_month(series: Series, day: date) -> date:
    return day.replace(day=min(series.day, monthrange(day.year, day.month)[1]))
