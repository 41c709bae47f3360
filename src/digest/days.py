"""arXiv's calendar: a paper's day is the day of its announcement batch in New York.

Mailings go out at 20:00 on Sunday to Thursday and are dated the next day, so batches stand on
Monday to Friday (https://info.arxiv.org/help/availability.html).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal
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
Gap = Literal["alarm", "weekend", "late"]
"""Why a day has no batch: nothing has come for too long; arXiv announces none; it is late or deferred."""


def is_alarm(why: str) -> bool:
    """Is this reason of ``why_no_batch`` one that a person must look into?"""
    return why.startswith(_ALARM)


def gap(day: date, newest: date | None) -> Gap | None:
    """Why a day has no batch when the newest one seen is ``newest``; None if it has."""
    if newest is not None and newest >= day:
        return None
    if newest and day - newest >= ALARM_AFTER:
        return "alarm"
    return "weekend" if is_weekend(day) else "late"


def why_no_batch(day: date, newest: date | None) -> str | None:
    """The same in a sentence."""
    last = f"the newest is of {newest:%A} {newest}" if newest else "none was seen before"
    match gap(day, newest):
        case None:
            return None
        case "alarm":
            days = (day - newest).days if newest else 0
            since = f"{newest:%A} {newest}: {days} days"
            return f"{_ALARM}: no batch since {since}; is arXiv or this crawler ill?"
        case "weekend":
            return f"{day:%A} {day} has no batch: arXiv announces on Sunday to Thursday evenings; {last}"
        case "late":
            return f"no batch of {day:%A} {day}: a deferred mailing, or it is not out yet; {last}"
