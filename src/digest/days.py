"""arXiv's calendar: a paper's day is the day of its announcement batch in New York.

Mailings go out at 20:00 on Sunday to Thursday and are dated the next day, so batches stand on
Monday to Friday (https://info.arxiv.org/help/availability.html).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def new_york_day(moment: datetime) -> date:
    """The calendar day in New York at an aware moment."""
    return moment.astimezone(NEW_YORK).date()


def is_weekend(day: date) -> bool:
    """Saturday and Sunday have no batch."""
    return day.weekday() >= 5


ALARM_AFTER = timedelta(days=5)
"""Nothing for so long is no holiday (https://info.arxiv.org/help/availability.html)."""


_ALARM = "ALARM"


def is_alarm(why: str) -> bool:
    """Is this reason of ``why_no_batch`` one that a person must look into?"""
    return why.startswith(_ALARM)


def why_no_batch(day: date, newest: date | None) -> str | None:
    """Why a day has no batch, in a sentence, when the newest one seen is ``newest``; None if it has."""
    if newest is not None and newest >= day:
        return None
    last = f"the newest is of {newest:%A} {newest}" if newest else "none was seen before"
    if newest and day - newest >= ALARM_AFTER:
        days = (day - newest).days
        return f"{_ALARM}: no batch since {newest:%A} {newest}: {days} days; is arXiv or this crawler ill?"
    if is_weekend(day):
        return f"{day:%A} {day} has no batch: arXiv announces on Sunday to Thursday evenings; {last}"
    return f"no batch of {day:%A} {day}: a deferred mailing, or it is not out yet; {last}"
