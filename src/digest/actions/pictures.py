"""Pictures: a roundup's card, a topic's map."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from digest.days import new_york_day
from digest.errors import InputError, UsageError
from digest.types import Language, Topic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digest import cards
    from digest.app import App

DAYS = 28
"""So many days before a post its card shows."""


def card(app: App, number: int, file: Path, *, dark: bool = False) -> Path:
    """Draw a post's card: how many papers of its topic there were day by day, and which it shows."""
    from digest import cards
    from digest.actions.posts import find
    from digest.render import long_day, short_title
    from digest.text import readable

    post = find(app, number)
    topic = app.topic(post.topics[0])
    made = cards.Card(
        title=topic.title(post.language),
        term=topic.term,
        slot=long_day(post.slot, post.language),
        days=_days(app, topic, post.slot),
        papers=tuple(readable(short_title(paper.title)) for paper in app.store.papers(post.papers)),
    )
    return cards.draw_card(made, file, post.language, dark=dark)


def _days(app: App, topic: Topic, until: date) -> tuple[cards.Day, ...]:
    from digest.cards import Day

    since = until - timedelta(days=DAYS - 1)
    matches = app.store.matches(topic.name, since, until, topic.floor)
    announced = {paper.id: paper.announced for paper in app.store.papers([one.paper for one in matches])}
    count = Counter((announced[one.paper], one.silent) for one in matches)
    since = min((day for day, _ in count), default=until)  # what is before was never matched
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    return tuple(Day(day, count[day, False], count[day, True]) for day in days)


class Mapped(Struct, frozen=True):
    """A topic's map: what it shows, where (float64[n, 2] within 0 and 1), and each point's paper."""

    map: cards.Map
    places: NDArray[np.float64]
    papers: tuple[str, ...]
    titles: tuple[str, ...]


def topic_map(
    app: App,
    name: str,
    since: date,
    until: date | None,
    file: Path,
    language: Language,
    *,
    dark: bool = False,
) -> Path:
    """Draw a map of a topic's papers of some days: like ones near each other, groups in colours, silent
    ones marked."""
    from digest import cards

    made = mapped(app, name, since, until, language)
    return cards.draw_map(made.map, made.places, file, language, dark=dark)


def mapped(app: App, name: str, since: date, until: date | None, language: Language) -> Mapped:
    """A map of a topic's papers of some days. Raises InputError where there are too few."""
    import numpy as np

    from digest import cards, windows
    from digest.render import long_day
    from digest.text import readable

    topic = app.topic(name)
    last = min(until or new_york_day(app.now), new_york_day(app.now))
    if since > last:
        raise UsageError(f"--since {since} is later than {'--until' if until else 'today'}")
    found, papers = windows.gather(app.store, app.plan, topic, since, last)
    if not found.choices:
        raise InputError(f"no papers of {name} from {since} to {last}; digest match finds them")
    embedded, vectors = app.store.vectors(app.model, [choice.paper for choice in found.choices])
    row = dict(zip(embedded, vectors, strict=True))
    shown = [choice for choice in found.choices if choice.paper in row]
    rows = [row[choice.paper] for choice in shown]
    of_group = {paper: at for at, group in reversed(list(enumerate(found.groups))) for paper in group.papers}
    made = cards.Map(
        title=topic.title(language),
        term=topic.term,
        since=long_day(since, language),
        until=long_day(last, language),
        groups=tuple(group.name for group in found.groups),
        points=tuple(cards.Point(of_group.get(choice.paper), choice.silent) for choice in shown),
    )
    return Mapped(
        made,
        cards.layout(np.stack(rows) if rows else np.empty((0, 1), np.float32)),
        tuple(choice.paper for choice in shown),
        tuple(readable(papers[choice.paper].title) for choice in shown),
    )
