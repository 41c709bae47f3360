"""When something is due: from the clock on the wall of a place and from what was done, and nothing else.

A schedule names moments; the newest of them that has passed is what counts. So whatever was missed while
the machine slept is made up for once, a clock that is set back or forward changes nothing for long, and
whoever did it, this process, cron or a person, has done it for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from msgspec import Struct

EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
WEEKDAYS = (1, 2, 3, 4, 5)
"""The days of arXiv's batches, as dated in New York; 1 is Monday."""

_FAILED_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60))
"""After a run that failed or was put off; the last of them again and again until the next moment."""

_LATE_PAUSES = tuple(timedelta(hours=hours) for hours in (2, 4, 6))
"""After a run that did all it could and found no batch: the mailing is late, or there is none that day."""


class Rule(Struct, frozen=True):
    """Moments that come again: at these times of the clock on these days of the week, in a time zone."""

    at: tuple[time, ...]
    zone: str
    days: tuple[int, ...] = EVERY_DAY

    def last(self, now: datetime) -> datetime:
        """The newest of the moments up to an aware one, in UTC."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        days = (today - timedelta(back) for back in count(-1))
        return next(moment for day in days for moment in reversed(self._on(day)) if moment <= now)

    def next(self, now: datetime) -> datetime:
        """The first of the moments after an aware one, in UTC."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        days = (today + timedelta(ahead) for ahead in count(-1))
        return next(moment for day in days for moment in self._on(day) if moment > now)

    def _on(self, day: date) -> list[datetime]:
        """The moments of a day, in order. A time that the clocks skip is as much later as they were put on,
        one that comes twice is the first (PEP 495, fold=0)."""
        if day.isoweekday() not in self.days:
            return []
        zone = ZoneInfo(self.zone)
        return sorted(datetime.combine(day, at, zone).astimezone(UTC) for at in self.at)


class Try(Struct, frozen=True):
    """A run that was begun: when, how it ended (None: nobody knows), and whether the newest batch that
    there could be was in the archive after it."""

    began: datetime
    exit_code: int | None = 0
    complete: bool = True


def next_run(rule: Rule, tries: Sequence[Try], now: datetime) -> datetime:
    """When to run next; not after ``now``: at once.

    The newest moment of the rule is met by a run since then that got to its end, whatever it has to tell
    a person (exit codes 0 and 1), and found the batch. After any other it is tried again, later each time.
    """
    due = rule.last(now)
    since = sorted((one for one in tries if due <= one.began <= now), key=lambda one: one.began)
    if not since:
        return due
    ended = [one for one in since if one.exit_code in (0, 1)]
    if any(one.complete for one in ended) or len(ended) > len(_LATE_PAUSES):
        return rule.next(now)
    last = since[-1]
    if last in ended:
        pause = _LATE_PAUSES[len(ended) - 1]
    else:
        pause = _FAILED_PAUSES[min(len(since) - len(ended), len(_FAILED_PAUSES)) - 1]
    return min(last.began + pause, rule.next(now))


def times(words: Sequence[str]) -> tuple[time, ...]:
    """Times of the clock, from "01:30"."""
    return tuple(sorted({time.fromisoformat(word) for word in words}))
