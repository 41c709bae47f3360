"""A term over the years."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.actions.topics import MOST, known_keys
from digest.days import new_york_day
from digest.errors import InputError, UsageError
from digest.types import Trend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from digest.app import App
    from digest.types import Key, Paper, Topic

SPREAD = 600
"""So many papers of a stretch tell what all papers of its years say."""


def trend(app: App, term: str, *, since: int | None = None, beside: bool = False) -> Trend:
    """A term's share of the archive's papers by year, and that of its topic's silent papers."""
    from digest import trends

    until = new_york_day(app.now)
    held = app.store.papers_by_year(until)
    if not held:
        raise InputError("the archive is empty; digest crawl or digest backfill TOPIC fills it")
    said = trends.holding(term, _candidates(app, [term], until))
    known = trends.topic_of(term, [(topic, known_keys(app, topic)) for topic in app.topics])
    silent = _silent(app, *known, until) if known else None
    topic = known[0] if known else None
    found = trends.trend(term, held, said, silent, topic=topic, since=since)
    return trends.with_company(found, said, _around(app, found, until)) if beside else found


def _around(app: App, found: Trend, until: date) -> dict[int, list[Paper]]:
    """Papers of each stretch, spread over its years, by its first year."""
    years = ((each.since, each.until) for each in found.said.stretches)
    return {since: app.store.spread_of_years(since, last, until, SPREAD) for since, last in years}


def _silent(app: App, topic: Topic, keys: Sequence[Key], until: date) -> list[Paper]:
    from digest import mentions, trends

    matched = set(app.store.silent_matches(topic.name, topic.floor))
    candidates = _candidates(app, list(mentions.other_keys(topic, keys)), until)
    known = {paper.id for paper in candidates}
    more = app.store.papers([id_ for id_ in matched if id_ not in known])
    return trends.silent_of(topic, keys, [*candidates, *more], matched)


def _candidates(app: App, phrases: Sequence[str], until: date) -> list[Paper]:
    found = app.store.with_phrases(phrases, until, MOST + 1)
    if len(found) > MOST:
        raise UsageError(f"{phrases[0]!r} stands in more than {MOST:,} papers: a longer term says more")
    return found
