"""A term over the years, as the archive tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.corpus import known_keys
from digest.errors import InputError, UsageError
from digest.types import Trend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from digest.store import Store
    from digest.types import Key, Paper, Topic

MOST = 100_000
"""A term in more papers than this says nothing about a field, and would not fit into memory."""

SPREAD = 600
"""So many papers of a stretch tell what all papers of its years say."""


def trend(
    store: Store,
    topics: Sequence[Topic],
    term: str,
    until: date,
    *,
    since: int | None = None,
    beside: bool = False,
) -> Trend:
    """A term's share of the archive's papers by year, and that of its topic's silent papers."""
    from digest import trends

    held = store.papers_by_year(until)
    if not held:
        raise InputError("the archive is empty; digest crawl or digest backfill TOPIC fills it")
    newest = max(year for year, _ in held)
    if since is not None and since > newest:
        raise UsageError(f"--since {since}: the newest papers of the archive are of {newest}")
    said = trends.holding(term, _candidates(store, [term], until))
    known = trends.topic_of(term, [(topic, known_keys(store, topic)) for topic in topics])
    silent = _silent(store, *known, until) if known else None
    topic = known[0] if known else None
    found = trends.trend(term, held, said, silent, topic=topic, since=since)
    return trends.with_company(found, said, _around(store, found, until)) if beside else found


def _around(store: Store, found: Trend, until: date) -> dict[int, list[Paper]]:
    """Papers of each stretch, spread over its years, by its first year."""
    years = ((each.since, each.until) for each in found.said.stretches)
    return {since: store.spread_of_years(since, last, until, SPREAD) for since, last in years}


def _silent(store: Store, topic: Topic, keys: Sequence[Key], until: date) -> list[Paper]:
    from digest import mentions, trends

    matched = set(store.silent_matches(topic.name, topic.floor))
    candidates = _candidates(store, list(mentions.other_keys(topic, keys)), until)
    known = {paper.id for paper in candidates}
    more = store.papers([id_ for id_ in matched if id_ not in known])
    return trends.silent_of(topic, keys, [*candidates, *more], matched)


def _candidates(store: Store, phrases: Sequence[str], until: date) -> list[Paper]:
    found = store.with_phrases(phrases, until, MOST + 1)
    if len(found) > MOST:
        raise UsageError(f"{phrases[0]!r} stands in more than {MOST:,} papers: a longer term says more")
    return found
