"""What the editors must be told, each thing once, until it changes.

That a channel is paused and that a part is uncertain or refused is told with the delivery that finds it
(delivery.py). Here is what happens while nothing is delivered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from digest import doctor
from digest.days import is_alarm, new_york_day, why_no_batch
from digest.types import Alarm, Health, Room, Run

ALARM, OVER = "⚠️", "✅"


def raised(health: Health) -> list[Alarm]:
    """The alarms there are."""
    found = (
        _batch(health.now, health.newest_batch),
        _disk(health.room),
        _runs(health.now, health.runs.get("run")),
    )
    return [one for one in found if one is not None]


def news(there: Sequence[Alarm], told: Mapping[str, str]) -> Iterator[str]:
    """What there is to say, where ``told`` gives the alarms that were told, name to what: new ones, then
    those that are over."""
    for one in there:
        if told.get(one.name) != one.what:
            yield f"{ALARM} {one.text}"
    names = {one.name for one in there}
    for name in told:
        if name not in names:
            yield f"{OVER} {_OVER.get(name, name)}"


def noted(there: Sequence[Alarm]) -> dict[str, str]:
    """What is remembered of alarms once they are told."""
    return {one.name: one.what for one in there}


def _batch(now: datetime, newest: date | None) -> Alarm | None:
    why = why_no_batch(new_york_day(now), newest)
    if why is None or not is_alarm(why):
        return None
    text = f"arXiv has brought nothing since {newest:%A} {newest}. What to look at: digest doctor --online"
    return Alarm("batch", str(newest), text)


def _disk(room: Room) -> Alarm | None:
    if room.free >= doctor.needed(room):
        return None
    free, needed = doctor.in_bytes(room.free), doctor.in_bytes(doctor.needed(room))
    return Alarm("disk", "short", f"The disk is short: {free} free, {needed} should be. Posts may stop.")


def _runs(now: datetime, last: Run | None) -> Alarm | None:
    if last is None or now - last.as_of <= doctor.NO_RUN_FOR:
        return None
    when = f"{last.as_of:%Y-%m-%d %H:%M} UTC"
    text = f"No run has come to its end since {when}. What to look at: digest doctor"
    return Alarm("runs", when, text)


_OVER = {
    "batch": "arXiv brings papers again.",
    "disk": "The disk has room again.",
    "runs": "Runs come to their end again.",
}
