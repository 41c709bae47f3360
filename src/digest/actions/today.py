"""A day at a glance: what came, what was found, what waits, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from digest.actions import sending
from digest.days import Gap, gap, new_york_day
from digest.types import Delivery, Match, Paper, Pause, Post, Run, Topic

if TYPE_CHECKING:
    from digest.app import App

DAYS = 21
"""How many days are counted before the one that is shown."""


class Found(Struct, frozen=True, kw_only=True):
    """What a day brought a topic: matches over its floor, best first, their papers by id, how many there
    are below the floor, and the posts of that day."""

    topic: Topic
    matches: tuple[Match, ...]
    papers: Mapping[str, Paper]
    below: int
    posts: tuple[Post, ...]


class Trouble(Struct, frozen=True, kw_only=True):
    """Something a person should look at: what it is, how many of it, where, and what was said of it."""

    kind: Literal["uncertain", "failed", "paused", "run", "unembedded", "alarm"]
    count: int = 1
    where: str = ""
    said: tuple[str, ...] = ()
    posts: tuple[int, ...] = ()


class Today(Struct, frozen=True, kw_only=True):
    """A day: ``today`` is the day it is, ``day`` the one that is shown, by default the newest batch's;
    ``why_empty`` says why today has no batch. ``counts`` are papers by day."""

    today: date
    day: date
    newest: date | None
    why_empty: Gap | None
    counts: Mapping[date, int]
    found: tuple[Found, ...]
    drafts: tuple[Post, ...]
    queued: int
    proposed: Mapping[str, int]
    trouble: tuple[Trouble, ...]
    last_run: Run | None


def today(app: App, day: date | None = None) -> Today:
    """All that is to be seen of a day, by default the newest with a batch."""
    from digest.crawling import newest_batch

    now = new_york_day(app.now)
    newest = newest_batch(app.store, app.now)
    shown = day or (min(newest, now) if newest else now)
    why_empty = gap(now, newest)
    runs = app.store.runs(1)
    undone = sending.outbox(app, everything=False)
    return Today(
        today=now,
        day=shown,
        newest=newest,
        why_empty=why_empty,
        counts=_counts(app, shown),
        found=tuple(_found(app, shown)),
        drafts=tuple(app.store.posts(state="draft", bare=True)),
        queued=sum(one.state == "queued" for one in undone),
        proposed=_proposed(app),
        trouble=(*_of_deliveries(undone), *_of_channels(app), *_of_runs(runs), *_of_archive(app, why_empty)),
        last_run=runs[0] if runs else None,
    )


def _counts(app: App, day: date) -> dict[date, int]:
    """Papers of each of the last days, those without any too."""
    days = [day - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    there = app.store.day_counts(days[0], day)
    return {one: there.get(one, 0) for one in days}


def _found(app: App, day: date) -> list[Found]:
    matches = {topic.name: app.store.matches(topic.name, day, day, 0.0) for topic in app.topics}
    over = {
        topic.name: tuple(one for one in matches[topic.name] if one.score >= topic.floor)
        for topic in app.topics
    }
    wanted = dict.fromkeys(one.paper for those in over.values() for one in those)
    papers = {paper.id: paper for paper in app.store.papers(list(wanted))}
    posts = app.store.posts(since=day, until=day, bare=True)
    return [
        Found(
            topic=topic,
            matches=over[topic.name],
            papers={one.paper: papers[one.paper] for one in over[topic.name]},
            below=len(matches[topic.name]) - len(over[topic.name]),
            posts=tuple(post for post in posts if post.topics[0] == topic.name),
        )
        for topic in app.topics
    ]


def _proposed(app: App) -> dict[str, int]:
    """How many keys of each topic wait to be judged."""
    counts = app.store.count_keys("proposed")
    return {topic.name: counts[topic.name] for topic in app.topics if topic.name in counts}


def _of_deliveries(undone: Sequence[Delivery]) -> list[Trouble]:
    states: tuple[Literal["uncertain", "failed"], ...] = ("uncertain", "failed")
    return [
        Trouble(
            kind=state,
            count=len(those),
            where=", ".join(dict.fromkeys(one.channel for one in those)),
            said=tuple(one.error for one in those if one.error)[:1],
            posts=tuple(dict.fromkeys(one.post for one in those)),
        )
        for state in states
        if (those := [one for one in undone if one.state == state])
    ]


def _of_channels(app: App) -> list[Trouble]:
    chats = {name: one.chat for name, one in app.settings.channels.items() if one.chat}
    pauses: list[Pause | None] = [app.store.pause(name, chat) for name, chat in chats.items()]
    return [Trouble(kind="paused", where=one.channel, said=(one.reason,)) for one in pauses if one]


def _of_runs(runs: Sequence[Run]) -> list[Trouble]:
    failed = [run for run in runs if run.exit_code]
    return [
        Trouble(
            kind="run",
            where=run.command,
            said=tuple(note for stage in (run.report.stages if run.report else ()) for note in stage.notes),
        )
        for run in failed
    ]


def _of_archive(app: App, why_empty: Gap | None) -> list[Trouble]:
    lately = new_york_day(app.now) - timedelta(days=app.settings.lookback_days)
    waiting = app.store.count_without_vector(app.model, lately)
    found = [Trouble(kind="unembedded", count=waiting)] if waiting else []
    return found + ([Trouble(kind="alarm")] if why_empty == "alarm" else [])
