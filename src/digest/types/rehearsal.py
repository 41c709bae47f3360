"""What a channel would have posted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from digest.types.topics import Evidence, Language


class RehearsedDay(Struct, frozen=True, kw_only=True):
    """One day of a rehearsal.

    ``announced``: papers the archive holds of it, 0 where it holds no announcement. ``fitting``: how many of
    those that waited reach the topic's floor. ``papers`` are posted, ``silent`` of them without a key of the
    topic. Left out are ``repeats``, since they or ones like them were posted before, ``elsewhere``, which fit
    another topic better, ``unsure``, which only look like the topic, and ``crowded``, for which there was no
    room. ``characters`` (UTF-16 units, as Telegram counts) and ``messages`` are by language; ``why_none``
    says why there is no post.
    """

    day: date
    announced: int
    fitting: int
    papers: tuple[str, ...]
    silent: int
    repeats: int
    elsewhere: int
    unsure: int
    crowded: int
    characters: Mapping[Language, int]
    messages: Mapping[Language, int]
    why_none: str


class SilentFind(Struct, frozen=True):
    """A paper that was found without a key of the topic."""

    day: date
    paper: str
    title: str
    score: float
    evidence: Evidence


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What a topic would have posted from ``since`` until ``until``, of which window of ``asked`` days the
    archive holds the announcements of ``held`` days; ``scored`` papers were looked at. ``twice`` are papers
    that stand in two posts."""

    topic: str
    since: date
    until: date
    asked: int
    held: int
    scored: int
    floor: float
    keys: tuple[str, ...]
    days: tuple[RehearsedDay, ...]
    silent: tuple[SilentFind, ...]
    twice: tuple[str, ...]
