"""Crawling arXiv as the settings say: the gate, the sources behind it, and what there is to tell a person
of a day without papers and of a crawl that takes long."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from digest.days import is_alarm, is_weekend, new_york_day, why_no_batch
from digest.errors import NotAnAnswer, UsageError
from digest.types import Page, StageReport, Topic

if TYPE_CHECKING:
    from digest.config import Settings
    from digest.sources.api import Api, Backfill, Lookup
    from digest.sources.oai import Check, Oai
    from digest.sources.polite import Gate
    from digest.sources.rss import Rss
    from digest.store import Store

logger = logging.getLogger(__name__)


class Arxiv:
    """arXiv by the addresses, the gap and the topics of the settings. ``store`` opens the archive, in
    which stands what is known already; nothing is asked before a source is read."""

    def __init__(self, settings: Settings, store: Callable[[], Store]) -> None:
        self._settings = settings
        self._store = store

    @cached_property
    def gate(self) -> Gate:
        """The gate to arXiv; one of its own for servers on this machine."""
        return self._new_gate()

    def _new_gate(self, patience: float = 120.0) -> Gate:
        from digest import __version__
        from digest.sources.gap import LEAST_GAP
        from digest.sources.polite import Gate, default_state, user_agent

        gap = self._settings.arxiv.gap_seconds
        state = default_state("arxiv-gate" if gap >= LEAST_GAP else "loopback-gate")
        agent = user_agent(__version__, self._settings.contact)
        return Gate(agent, gap=gap, state=state, patience=patience)

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if "gate" in self.__dict__:
            self.gate.close()

    # The sources

    def oai(self, since: date | None = None) -> Oai:
        """What changed, in the sets of all topics' categories; ``since``: all since that day."""
        from digest.sources.oai import Oai

        arxiv = self._settings.arxiv
        return Oai(
            self._named_gate(),
            arxiv.oai_url,
            self._sets,
            overlap=timedelta(days=arxiv.overlap_days),
            first=timedelta(days=arxiv.first_days),
            since=since,
        )

    def check(self, since: date | None) -> Check:
        """What the archive misses of the sets of all topics' categories."""
        from digest.sources.oai import Check

        return Check(self._named_gate(), self._settings.arxiv.oai_url, self._sets, self._known, since)

    def rss(self) -> Rss:
        """The daily feeds of all topics' categories."""
        from digest.sources.rss import Rss

        if not self._categories:
            raise UsageError("a feed is of one category: give each topic categories, or use --source oai")
        return Rss(self._named_gate(), self._settings.arxiv.rss_url, self._categories, self._known)

    def api(self) -> Api:
        """What was submitted lately to all topics' categories."""
        from digest.sources.api import Api

        arxiv = self._settings.arxiv
        return Api(
            self._named_gate(),
            arxiv.api_url,
            self._categories,
            overlap=timedelta(days=arxiv.overlap_days),
            first=timedelta(days=arxiv.first_days),
        )

    def backfill(self, topic: Topic, keys: Sequence[str], since: date, until: date | None) -> Backfill:
        """The papers of a topic submitted since a day that hold one of these keys."""
        from digest.sources.api import Backfill

        asked = tuple(sorted(dict.fromkeys(keys)))
        url = self._settings.arxiv.api_url
        return Backfill(self._named_gate(), url, topic.name, asked, topic.categories, since, until)

    def lookup(self, wanted: Sequence[str]) -> Lookup:
        """The papers with these ids."""
        from digest.sources.api import Lookup

        return Lookup(self._named_gate(), self._settings.arxiv.api_url, tuple(wanted))

    def identify(self) -> bytes:
        """arXiv's answer to the cheapest question there is (OAI-PMH, Identify), asked once, without
        waiting. Raises Deferred where it may not be asked, or does not answer."""
        with closing(self._new_gate(0.0)) as gate:
            return gate.get(self._settings.arxiv.oai_url, {"verb": "Identify"}, _identified)

    def _named_gate(self) -> Gate:
        if self._settings.contact is None:
            hint = "set contact: arXiv blocks whom it cannot reach first"
            logger.warning("no contact", extra={"hint": hint})
        return self.gate

    @property
    def _categories(self) -> tuple[str, ...]:
        """The categories of all topics; none where one of them takes all."""
        named = [topic.categories for topic in self._settings.topics.values()]
        return tuple(dict.fromkeys(code for codes in named for code in codes)) if all(named) else ()

    @property
    def _sets(self) -> tuple[str, ...]:
        from digest.sources.oai import sets_of

        return sets_of(self._categories)

    def _known(self, ids: Sequence[str]) -> set[str]:
        return set(self._store().paper_numbers(ids))

    # What there is to tell

    def status(self, now: datetime) -> dict[str, str]:
        """How far arXiv was read, whether it may be asked, and an alarm; nothing is asked."""
        from digest.sources.oai import marks_of

        newest = newest_batch(self._store(), now)
        why = why_no_batch(new_york_day(now), newest)
        told = {"newest batch": f"{newest:%A} {newest}" if newest else "none seen"}
        if why and newest:
            told["today"] = why
        for name, mark in marks_of(self._store().cursor("oai")).items():
            done = f"complete until {mark.high_water}" if mark.high_water else "not complete yet"
            under_way = f", {mark.chain.records} records of a harvest are read" if mark.chain else ""
            told[f"oai {name or 'all'}"] = done + under_way
        return told | self._backfills() | {"gate": self.gate.in_words()}

    def _backfills(self) -> dict[str, str]:
        from digest.sources.api import job_of

        jobs = {name: job_of(self._store().cursor(f"backfill:{name}")) for name in self._settings.topics}
        return {f"backfill {name}": job.in_words() for name, job in jobs.items() if job}


def _identified(body: bytes) -> bytes:
    if b"<Identify>" not in body:
        raise NotAnAnswer("the answer holds no Identify")
    return body


def newest_batch(store: Store, now: datetime) -> date | None:
    """The day of the newest batch that is known of: by what harvest and feeds have noted, else by the
    newest papers."""
    from digest.sources.oai import marks_of
    from digest.sources.rss import looks_of

    marks = marks_of(store.cursor("oai")).values()
    harvested = [day for mark in marks for day in (mark.newest, mark.chain and mark.chain.newest) if day]
    fed = [look.day for look in looks_of(store.cursor("rss")).values() if look.day]
    return max([*harvested, *fed], default=None) or store.latest_announced(new_york_day(now))


def why_empty(store: Store, now: datetime, crawled: StageReport) -> tuple[str, ...]:
    """What is still to be said of a crawl of arXiv that brought no new papers; nothing where it did, or
    where its notes have said it."""
    day, deferred = new_york_day(now), "deferred" in crawled.counts
    newest = newest_batch(store, now)
    why = why_no_batch(day, newest)
    if why is not None:
        guess = deferred and not is_weekend(day) and not is_alarm(why)  # who has not asked cannot know
        return () if guess or any(why in note for note in crawled.notes) else (why,)
    if crawled.counts["new"] or deferred or newest is None:
        return ()
    stored = store.day_counts(newest, newest).get(newest, 0)
    return (f"nothing new: the batch of {newest:%A} {newest} was read before, {stored} papers of it",)


def batch_is_missing(store: Store, now: datetime, crawled: StageReport) -> bool:
    """Whether a crawl was put off and the last batch there can be has not come in some other way."""
    day = new_york_day(now)
    while is_weekend(day):
        day -= timedelta(days=1)
    return "deferred" in crawled.counts and not store.day_counts(day, day)


class Progress:
    """Tells how far a crawl has come after each page: one line that is written anew on a terminal, else a
    line at most every ``every`` seconds."""

    def __init__(self, name: str, out: TextIO | None = None, *, every: float = 10.0) -> None:
        self._name = name
        self._out = out or sys.stderr
        self._every = every
        self._begun = self._last = time.monotonic()
        self._pages = self._papers = 0

    def __call__(self, page: Page) -> None:
        """A page was stored."""
        self._pages += 1
        self._papers += len(page.papers)
        now = time.monotonic()
        if not self._out.isatty() and now - self._last < self._every:
            return
        self._last = now
        seconds = max(now - self._begun, 0.001)
        said = f"{self._name}: {self._facts(page)}, {self._papers / seconds:.0f} papers a second"
        self._out.write(f"\r\x1b[K{said}" if self._out.isatty() else f"{said}\n")
        self._out.flush()

    def _facts(self, page: Page) -> str:
        from digest.sources.api import job_of

        job = job_of(page.cursor) if self._name.startswith("backfill:") else None
        pages = f"{self._pages} page{'s' if self._pages > 1 else ''}"
        return job.in_words() if job else f"{self._papers} papers, {pages}"

    def end(self) -> None:
        """Leave the terminal's line clean."""
        if self._out.isatty():
            self._out.write("\r\x1b[K")
            self._out.flush()
