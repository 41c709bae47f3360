"""Pictures: a roundup's card, a topic's map; one put before a post's text."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from digest.days import new_york_day
from digest.errors import InputError, UsageError
from digest.types import Draft, Language, Part, Post, Topic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digest import cards
    from digest.app import App

DAYS = 28
"""So many days before a post its card shows."""

_KINDS = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}


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


def illustrate(app: App, number: int, file: Path | None, caption: str | None = None) -> Post:
    """Put a picture before a post's text, in the place of one that stands there; without a file, take it
    away. The picture is kept under its content, so what was approved is what is posted. Raises InputError
    for a caption or a file that Telegram would not take."""
    from digest.actions.posts import find
    from digest.editing import body
    from digest.markup import blocks, escape

    post = find(app, number)
    text = tuple(part for part in post.parts if part.picture is None)
    given = caption or f"<b>{escape(app.topic(post.topics[0]).title(post.language))}</b>"
    parts = text if file is None else (_captioned(given, _kept(app, file)), *text)
    if parts == post.parts:
        return post
    new = Draft(
        topics=post.topics,
        slot=post.slot,
        genre=post.genre,
        language=post.language,
        choices=tuple(app.store.choices(number)),
        parts=parts,
        updates=tuple(app.store.updates_of(number)),
    )
    written = app.store.as_written(number) or blocks(body(text))
    what = "the picture was taken away" if file is None else "a picture was put before it"
    if not app.store.put_version(number, post.version, new, written, app.now, by=app.person, what=what):
        raise UsageError(
            f"post {number} has been rejected, or something of it has been sent: nothing was done"
        )
    return find(app, number)


def _captioned(html: str, picture: str) -> Part:
    from digest.markup import CAPTION_LIMIT, check, parse, utf16_length

    check(html)
    made = parse(html)
    if (units := utf16_length(made.text)) > CAPTION_LIMIT:
        raise InputError(f"the caption has {units} characters; there is room for {CAPTION_LIMIT}")
    return Part(html, made.text, made.entities, picture)


def _kept(app: App, file: Path) -> str:
    """A copy of a picture in the digest home; its path there."""
    from digest.channels.messages import PHOTO_BYTES

    content = file.read_bytes()
    kind = next((ending for magic, ending in _KINDS.items() if content.startswith(magic)), None)
    if kind is None or len(content) > PHOTO_BYTES:
        raise InputError(f"{file}: a picture is a PNG or JPEG of at most 10 MB")
    name = f"pictures/{sha256(content).hexdigest()[:16]}{kind}"
    kept = app.settings.home / name
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(content)
    return name
