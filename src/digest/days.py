"""arXiv's calendar: a paper's day is the day of its announcement batch in New York.

Mailings go out at 20:00 on Sunday to Thursday and are dated the next day, so batches stand on
Monday to Friday (https://info.arxiv.org/help/availability.html).
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def new_york_day(moment: datetime) -> date:
    """The calendar day in New York at an aware moment."""
    return moment.astimezone(NEW_YORK).date()


def is_weekend(day: date) -> bool:
    """Saturday and Sunday have no batch."""
    return day.weekday() >= 5
