"""The posts: find them, decide about them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from digest.errors import InputError, UsageError
from digest.types import Post, PostState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from digest.app import App
    from digest.types import Language, RunReport, Topic, Trend, WindowGenre

PAGES = ("file", "feed")
"""Where a listing goes: it is a page, and no message."""


def find(app: App, number: int) -> Post:
    """A post by its id; raises InputError where there is none."""
    found = app.store.post(number)
    if found is None:
        raise InputError(f"no post {number}; digest posts list shows what there is")
    return found


def newest(app: App) -> list[Post]:
    """The posts of the newest slot."""
    found = app.store.posts()
    slot = max((post.slot for post in found), default=None)
    return [post for post in found if post.slot == slot]


def decide(app: App, number: int, decision: Literal["approve", "reject"]) -> Post:
    """Approve or reject a draft; saying the same again is harmless."""
    wanted: PostState = "approved" if decision == "approve" else "rejected"
    post = find(app, number)
    drafts: tuple[PostState, ...] = ("draft",)
    if post.state != wanted and not app.store.set_post_state(number, drafts, wanted, app.now):
        raise UsageError(f"post {number} is {post.state}: only a draft can be {wanted}")
    return find(app, number)


def write(
    app: App,
    genre: WindowGenre,
    topics: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    languages: Sequence[Language] = (),
) -> RunReport:
    """Write posts of a genre about a window: of these topics (all where none is named), from ``since``
    (by default the genre's own number of days) to ``until`` (today), in these languages (the topic's)."""
    from digest import windows
    from digest.days import new_york_day

    today = new_york_day(app.now)
    last = min(until or today, today)
    first = since or last - timedelta(days=windows.DAYS[genre] - 1)
    if first > last:
        raise UsageError(f"--since {first} is later than {'--until' if until else 'today'}")
    wanted = [app.topic(name) for name in topics] or app.topics
    with app.alone():
        stages, posts = [], []
        for topic in wanted:
            channels = app.channels_of(
                topic, languages or topic.languages, *([PAGES] if genre == "listing" else [])
            )
            trend = _trend(app, topic) if genre == "review" else None
            report, ids = windows.write(
                app.store,
                app.plan,
                app.writer,
                topic,
                genre,
                (first, last),
                channels,
                now=app.now,
                trend=trend,
            )
            stages.append(report)
            posts += ids
        return app.record("write", stages, posts)


def _trend(app: App, topic: Topic) -> Trend | None:
    """The topic's term over the years; None where the archive cannot tell."""
    from digest.actions import trends

    try:
        return trends.trend(app, topic.term)
    except (InputError, UsageError):
        return None
