"""Hours in which a channel's readers are left alone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct


class QuietHours(Struct, frozen=True):
    """From ``start`` to ``end`` o'clock, over midnight where ``end`` is not later; in the readers' zone."""

    start: time
    end: time
    zone: str

    @classmethod
    def parse(cls, hours: str, zone: str) -> QuietHours:
        """From "23:00-08:00" and a name such as "Europe/Moscow"."""
        start, _, end = hours.partition("-")
        return cls(time.fromisoformat(start), time.fromisoformat(end), zone)

    def until(self, moment: datetime) -> datetime | None:
        """When the quiet that holds at an aware moment ends; None when it does not hold."""
        zone = ZoneInfo(self.zone)
        local = moment.astimezone(zone)
        for day in (local.date() - timedelta(1), local.date()):
            start = datetime.combine(day, self.start, zone)
            end = datetime.combine(day + timedelta(self.end <= self.start), self.end, zone)
            if start <= local < end:
                return end.astimezone(moment.tzinfo)
        return None
