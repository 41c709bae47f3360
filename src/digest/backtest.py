"""A topic's roundups of the days behind, as its channel would have posted them, had it begun on the first.

    corpus.match | for each day: choose.choose, pipeline.draft

Nothing is stored. Papers are scored by what the archive teaches today, keys and all, so a day is told of with
some hindsight; what was posted in earnest is not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from digest import choose, pipeline, series
from digest.corpus import Corpus
from digest.days import is_weekend, new_york_day
from digest.errors import InputError
from digest.markup import utf16_length
from digest.types import Draft, Key, Match, Paper, Plan, Rehearsal, RehearsedDay, SilentFind, Topic

if TYPE_CHECKING:
    from digest.choose import Chosen
    from digest.naming import Embed
    from digest.render import Writer
    from digest.store import Store

WHOLE = 0.1
"""A day counts as announced with this share of the fullest day's papers: an archive that was gathered for a
topic holds some papers of every day, and no day."""
_REPEATS = ("posted before", "near-duplicate")


def rehearse(
    store: Store,
    plan: Plan,
    writer: Writer,
    topic: Topic,
    keys: Sequence[Key],
    now: datetime,
    days: int,
    embed: Embed | None = None,
) -> tuple[Rehearsal, list[Draft]]:
    """What a topic with these active keys would have posted in the last days that the archive knows, and the
    drafts, oldest first. Raises InputError where it knows none."""
    until, held = _held(store, new_york_day(now), days)
    since = until - timedelta(days=days - 1)
    corpus = Corpus(store, replace(plan, topics=(topic,), lookback=days - 1), until, embed=embed)
    stage = _Stage(store, plan, topic, corpus, keys)
    drafts: list[Draft] = []
    told: list[RehearsedDay] = []
    for day in (since + timedelta(days=at) for at in range(days)):
        if day < min(held) or (is_weekend(day) and day not in held):
            continue
        written, one = stage.day(day, plan.lookback, writer, held.get(day, 0))
        told.append(one)
        drafts += written
    found = Rehearsal(
        topic=topic.name,
        since=since,
        until=until,
        asked=days,
        held=len(held),
        days=tuple(told),
        silent=tuple(stage.silent),
        scored=len(stage.candidates),
        floor=topic.floor,
        keys=tuple(key.text for key in keys),
        twice=tuple(paper for paper, times in stage.times.items() if times > 1),
    )
    return found, drafts


def _held(store: Store, today: date, days: int) -> tuple[date, dict[date, int]]:
    """The newest day until today whose announcements the archive holds, and all such days of the window that
    ends with it, with how many papers."""
    counts = store.day_counts(date.min, today)
    whole = announced(counts)
    if not whole:
        raise InputError("the archive holds no announcements yet: digest run, or digest import --announced")
    until = max(whole)
    return until, {day: count for day, count in whole.items() if day > until - timedelta(days=days)}


def announced(counts: Mapping[date, int]) -> dict[date, int]:
    """The days whose announcements an archive holds, by how many papers it has of each day."""
    least = WHOLE * max(counts.values(), default=0)
    return {day: count for day, count in counts.items() if count >= least}


class _Stage:
    """The topic's papers of the window, scored, and what was posted so far."""

    def __init__(self, store: Store, plan: Plan, topic: Topic, corpus: Corpus, keys: Sequence[Key]) -> None:
        self._store, self._topic, self._plan = store, topic, plan
        self.candidates = corpus.candidates
        self._since, self._until = corpus.since, corpus.day
        self._matches = corpus.match(topic, keys)[0].matches
        self.silent: list[SilentFind] = []
        self.times: Counter[str] = Counter()
        self._posted: dict[str, date] = {}
        self._last: date | None = None

    def day(self, day: date, lookback: int, writer: Writer, papers: int) -> tuple[list[Draft], RehearsedDay]:
        """What the run of a day would have written, and what is to be told of it."""
        first = max(day - timedelta(days=lookback), (self._last or date.min) + timedelta(days=1))
        new = [one for one in self._matches if first <= self._papers[one.paper].announced <= day]
        young = choose.is_young(self._store.day_counts(day - pipeline.YOUNG_DAYS, day))
        homes = self._homes[young]
        waiting = [one for one in new if homes.topics[one.paper][0] == self._topic.name]
        chosen = self._chosen(day, waiting, homes, young=young)
        fitting, own = (sum(one.score >= self._topic.floor for one in each) for each in (new, waiting))
        days = [self._papers[choice.paper].announced for choice in chosen.choices]
        is_due = bool(chosen.choices) and self._is_due(day, days)
        drafts = list(self._written(day, writer, chosen)) if is_due else []
        reasons = Counter(left.reason for left in chosen.left_out)
        told = RehearsedDay(
            day=day,
            announced=papers,
            fitting=fitting,
            papers=tuple(choice.paper for choice in chosen.choices) if is_due else (),
            silent=sum(choice.silent for choice in chosen.choices) if is_due else 0,
            repeats=sum(number for why, number in reasons.items() if why.startswith(_REPEATS)),
            elsewhere=fitting - own,
            unsure=sum(number for why, number in reasons.items() if why.startswith(choose.ONLY_LOOKS)),
            crowded=sum(number for why, number in reasons.items() if why.startswith("over the limit")),
            characters={one.language: sum(utf16_length(part.text) for part in one.parts) for one in drafts},
            messages={one.language: len(one.parts) for one in drafts},
            why_none="" if is_due else self._reason(day, papers, waiting, chosen, days),
        )
        return drafts, told

    @cached_property
    def _homes(self) -> dict[bool, choose.Home]:
        """Where each match would stand in a young archive and not, as far as the other topics were scored."""
        others = [each for each in self._plan.topics if each.name != self._topic.name]
        matches = {
            each.name: self._store.matches(each.name, self._since, self._until, 0.0) for each in others
        }
        ours, topics = (
            {self._topic.name: self._matches, **matches},
            {t.name: t for t in (*others, self._topic)},
        )
        return {young: choose.home(ours, topics, young=young) for young in (True, False)}

    @cached_property
    def _papers(self) -> dict[str, Paper]:
        return {paper.id: paper for paper in self._store.papers([one.paper for one in self._matches])}

    @cached_property
    def _vectors(self) -> dict[str, choose.Vector]:
        return dict(zip(*self._store.vectors(self._plan.model, list(self._papers)), strict=True))

    def _chosen(self, day: date, waiting: Sequence[Match], homes: choose.Home, *, young: bool) -> Chosen:
        recent = [paper for paper, when in self._posted.items() if when > day - pipeline.NOVELTY_DAYS]
        rows = [self._vectors[paper] for paper in recent if paper in self._vectors]
        return choose.choose(
            self._topic,
            waiting,
            self._papers,
            self._vectors,
            posted=self._posted,
            posted_vectors=np.array(rows, np.float32) if rows else None,
            posted_titles={choose.fold_title(self._papers[paper].title) for paper in recent},
            topics=homes.topics,
            young=young,
        )

    def _is_due(self, day: date, waiting: Sequence[date]) -> bool:
        """As the roundup is: by the calendar where the topic has a series of them, else by its rhythm."""
        for one in self._topic.series:
            if one.genre == pipeline.GENRE:
                return self._last is None or self._last < series.newest(one, day)
        return choose.due(self._topic.rhythm, waiting, day)

    def _written(self, day: date, writer: Writer, chosen: Chosen) -> Iterator[Draft]:
        self._last = day
        self.times.update(choice.paper for choice in chosen.choices)
        for choice in chosen.choices:
            self._posted |= dict.fromkeys((choice.paper, *choice.duplicates), day)
            if choice.silent:
                title = self._papers[choice.paper].title
                self.silent.append(SilentFind(day, choice.paper, title, choice.score, choice.evidence))
        for language in self._topic.languages:
            yield pipeline.draft(self._store, writer, self._topic, day, language, chosen.choices)

    def _reason(
        self, day: date, papers: int, matches: Sequence[Match], chosen: Chosen, waiting: Sequence[date]
    ) -> str:
        if chosen.choices and any(one.genre == pipeline.GENRE for one in self._topic.series):
            return f"{len(chosen.choices)} papers wait for the next day of its series"
        return choose.empty_reason(
            self._topic,
            day,
            announced=papers,
            scores=[one.score for one in matches],
            left_out=chosen.left_out,
            waiting=waiting,
        )
