"""The road of a paper: crawl | embed | match | write | deliver.

    source.fetch | store.add_papers                                   crawl
    store.texts_without_vector | embedder.embed | store.add_vectors   embed
    store.newest_until | relevance.match | store.put_matches          match
    store.matches | choose.choose | render.write_post | store.add_posts   write
    store.claim_delivery | channel.send | store.record_delivery       deliver

Every stage reads what the one before has stored and commits what it did in steps that are whole by
themselves. So each can be run alone, again, or after a kill at any line, and the archive ends the
same. The stages call, in order; what they decide is decided in relevance, keys, choose and render.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from digest import choose as choosing
from digest.channels import Channel
from digest.days import new_york_day
from digest.errors import NotSent, Refused, Uncertain
from digest.types import Delivery, Draft, Key, Match, Paper, Post, Stage, StageReport, Topic

if TYPE_CHECKING:
    from digest.embed import Embedder
    from digest.relevance import Archive
    from digest.render import Writer
    from digest.sources import Source
    from digest.store import Store

# Ranking learns from the newest papers and from all that hold a key; more costs time, not quality:
# the rankers are strongly regularised and the seeds are what they learn from.
BACKGROUND = 20_000
SEED_LIMIT = 3_000
EMBED_BATCH = 256
KEYS_EVERY = timedelta(days=7)
GENRE = "roundup"

Progress = Callable[[int, int], None]


class Counting:
    """What a stage reports at its end: counts by name, and notes for a person."""

    def __init__(self, stage: Stage) -> None:
        self.stage: Stage = stage
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []
        self._started = time.monotonic()

    def add(self, name: str, number: int = 1) -> None:
        """Count up."""
        self.counts[name] = self.counts.get(name, 0) + number

    def report(self) -> StageReport:
        """The stage's report, with the seconds since it began."""
        return StageReport(self.stage, time.monotonic() - self._started, self.counts, tuple(self.notes))


# crawl


def crawl(store: Store, source: Source, now: datetime) -> StageReport:
    """Read a source from where it was left, one transaction a page."""
    count = Counting("crawl")
    for name in ("new", "newer", "unchanged", "skipped"):
        count.add(name, 0)
    for page in source.fetch(store.cursor(source.name), now):
        added = store.add_papers(source.name, page, now)
        count.add("new", len(added.new))
        count.add("newer", len(added.newer))
        count.add("unchanged", added.unchanged)
        count.add("skipped", len(page.skipped))
        count.notes.extend(f"skipped {one.where}: {one.reason}" for one in page.skipped)
    return count.report()


# embed


def embed(store: Store, embedder: Embedder, progress: Progress | None = None) -> StageReport:
    """Embed every text that has no vector of this model yet, newest papers first."""
    count = Counting("embed")
    store.ensure_model(embedder.name, embedder.dimension)
    waiting = store.count_without_vector(embedder.name)
    count.add("embedded", 0)
    while batch := store.texts_without_vector(embedder.name, EMBED_BATCH):
        vectors = embedder.embed([text for _, text in batch])
        store.add_vectors(embedder.name, zip((text_hash for text_hash, _ in batch), vectors, strict=True))
        count.add("embedded", len(batch))
        if progress:
            progress(count.counts["embedded"], waiting)
    return count.report()


# match


def match(store: Store, topics: Sequence[Topic], model: str, now: datetime, lookback: int) -> StageReport:
    """Score the papers of the look-back window for each topic, and propose keys once a week.

    A topic whose keys and archive are as they were when it was last scored is left alone.
    """
    count = Counting("match")
    day = new_york_day(now)
    archive = _LazyArchive(store, topics, model, day)
    since = day - timedelta(days=lookback)
    candidates = [paper.id for paper in store.announced_between(since, day)]
    for topic in topics:
        store.sync_seed_keys(topic.name, seed_keys(topic), now)
        count.add("proposed keys", _propose_keys(store, topic, archive, now))
        active = store.keys(topic.name, states=("active",))
        fingerprint = archive.fingerprint(topic, active, since)
        if store.fit_fingerprint(topic.name) != fingerprint:
            found = _match_topic(topic, active, archive, candidates)
            store.put_matches(topic.name, candidates, found, fingerprint)
        found = store.matches(topic.name, since, day, topic.floor)
        count.add(topic.name, len(found))
        count.add(f"{topic.name} silent", sum(one.silent for one in found))
    return count.report()


def seed_keys(topic: Topic) -> list[Key]:
    """The keys that the configuration gives a topic."""
    from digest.phrases import normalise

    return [
        Key(topic=topic.name, text=text, normal=normalise(text), state="active", origin="seed")
        for text in topic.seed_keys
    ]


def propose_keys(store: Store, topic: Topic, model: str, now: datetime) -> list[Key]:
    """Propose keys for one topic now, whenever it was last done."""
    store.sync_seed_keys(topic.name, seed_keys(topic), now)
    archive = _LazyArchive(store, [topic], model, new_york_day(now))
    return _store_proposals(store, topic, archive, now)


def _propose_keys(store: Store, topic: Topic, archive: _LazyArchive, now: datetime) -> int:
    last = store.cursor(f"keys:{topic.name}")
    if last and new_york_day(now) - date.fromisoformat(last) < KEYS_EVERY:
        return 0
    return len(_store_proposals(store, topic, archive, now))


def _store_proposals(store: Store, topic: Topic, archive: _LazyArchive, now: datetime) -> list[Key]:
    from digest import keys

    known = store.keys(topic.name)
    proposals = keys.propose(topic, known, archive.built) if archive.papers else []
    store.propose_keys(topic.name, proposals, now, cursor=str(new_york_day(now)))
    return proposals


def _match_topic(
    topic: Topic, active: Sequence[Key], archive: _LazyArchive, candidates: Collection[str]
) -> list[Match]:
    from digest import relevance

    if not archive.papers or not candidates:
        return []
    return relevance.match(topic, active, archive.built, candidates)


class _LazyArchive:
    """The part of the archive that ranking learns from, read only when a topic must be scored."""

    def __init__(self, store: Store, topics: Sequence[Topic], model: str, day: date) -> None:
        self._store, self._topics, self._model, self._day = store, topics, model, day
        self._papers: list[Paper] | None = None
        self._built: Archive | None = None

    @property
    def papers(self) -> list[Paper]:
        if self._papers is None:
            self._papers = list(self._read())
        return self._papers

    @property
    def built(self) -> Archive:
        if self._built is None:
            from digest.relevance import Archive

            ids, vectors = self._store.vectors(self._model, [paper.id for paper in self.papers])
            self._built = Archive.build(self.papers, ids, vectors)
        return self._built

    def fingerprint(self, topic: Topic, active: Sequence[Key], since: date) -> str:
        """Changes whenever the topic's matches could."""
        from digest.relevance import SCORER

        state = (SCORER, self._store.vector_state(self._model), self._store.highest_number(), since, self._day)
        told = msgspec.json.encode([*state, topic, sorted(key.normal for key in active)])
        return hashlib.sha256(told).hexdigest()

    def _read(self) -> Iterator[Paper]:
        seen: set[str] = set()
        sources = [self._store.newest_until(self._day, BACKGROUND)]
        for topic in self._topics:
            phrases = [key.text for key in self._store.keys(topic.name, states=("active",))]
            sources.append(self._store.with_phrases(phrases, self._day, SEED_LIMIT))
            sources.append(self._store.papers(topic.seed_papers))
        for paper in (paper for papers in sources for paper in papers):
            if paper.id not in seen:
                seen.add(paper.id)
                yield paper


# write


def write(
    store: Store, topics: Sequence[Topic], plan: WritePlan, now: datetime
) -> tuple[StageReport, list[int]]:
    """Write the posts that are due today, each topic in all its languages at once."""
    count = Counting("write")
    slot = new_york_day(now)
    since = slot - timedelta(days=plan.lookback)
    homes = choosing.home(
        {topic.name: store.matches(topic.name, since, slot, topic.floor) for topic in topics},
        {topic.name: topic.floor for topic in topics},
    )
    written: list[int] = []
    for topic in topics:
        posts = _write_topic(store, topic, homes, plan, now, count)
        count.add("posts", len(posts))
        written.extend(posts)
    return count.report(), written
