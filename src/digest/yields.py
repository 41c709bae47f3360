"""What the keys of a topic bring: papers by month, what they share, which of them rise.

A key's papers are told apart from what it *adds*: those that hold none of the topic's seed keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import log, sqrt

from msgspec import Struct

from digest.phrases import KeyMatcher
from digest.types import Key, KeyDecision, Paper, Recall

MONTHS = 6
RECENT = timedelta(days=30)
BEFORE = timedelta(days=365)
RISING = 2.0
"""A key rises where the last 30 days exceed the year before by so many standard errors."""

Standing = Mapping[str, Sequence[Paper]]
"""Papers by the text of the key that stands in them."""


class Overlap(Struct, frozen=True, kw_only=True):
    """Another key that stands in papers of a key: in how many, and whether it was one of those whose
    papers led to the key (its parents: the keys that were active when it was found)."""

    key: str
    papers: int
    parent: bool


class Rise(Struct, frozen=True, kw_only=True):
    """How often a key stood in the papers of the last 30 days (of so many) and of the year before, and
    by how many standard errors the first exceeds."""

    recent: int
    recent_of: int
    before: int
    before_of: int
    z: float

    @property
    def is_certain(self) -> bool:
        """Whether the key rises."""
        return self.z >= RISING and self.recent >= 3


class Yield(Struct, frozen=True, kw_only=True):
    """What a key brings: its papers by month (of the announcement, ``YYYY-MM``), all of them, those
    without a seed key, those that were posted, and how it rises."""

    key: Key
    months: Mapping[str, int]
    papers: int
    adds: int
    posted: int
    rise: Rise


class KeyStory(Struct, frozen=True, kw_only=True):
    """All that is known of a key: what it brings, what it shares with other keys, every decision."""

    yielded: Yield
    overlaps: tuple[Overlap, ...]
    history: tuple[KeyDecision, ...]


class Below(Struct, frozen=True, kw_only=True):
    """A paper that nearly reached the floor."""

    paper: str
    title: str
    score: float


class Overview(Struct, frozen=True, kw_only=True):
    """A topic on a day: what its keys bring, how many papers are held, how often people have judged its
    papers and keys, and how many papers of the last 30 days were missed (None where none was scored),
    with those nearest below the floor, which nobody has judged."""

    topic: str
    day: date
    papers: int
    keys: tuple[Yield, ...]
    feedback: int
    recall: Recall | None = None
    floor: float = 0.0
    below: tuple[Below, ...] = ()


def standing(keys: Iterable[str], exclude: Sequence[str], papers: Iterable[Paper]) -> dict[str, list[Paper]]:
    """Per key the papers in which it stands; what stands in an excluded phrase does not count."""
    matcher = KeyMatcher(tuple(keys), exclude)
    found: dict[str, list[Paper]] = {key: [] for key in matcher.keys}
    for paper in papers:
        for key in matcher.find(paper.text):
            found[key].append(paper)
    return found


def overlaps(key: str, where: Standing, parents: Collection[str]) -> list[Overlap]:
    """The keys that stand in papers of a key, in most first."""
    own = {paper.id for paper in where.get(key, ())}
    shared = {other: sum(paper.id in own for paper in papers) for other, papers in where.items()}
    found = [
        Overlap(key=other, papers=count, parent=other in parents)
        for other, count in shared.items()
        if count and other != key
    ]
    return sorted(found, key=lambda each: (-each.papers, each.key))


def months_until(day: date, count: int = MONTHS) -> list[str]:
    """The last so many months, ``YYYY-MM``, that of the day included."""
    last = 12 * day.year + day.month - 1
    return [f"{at // 12}-{at % 12 + 1:02}" for at in range(last - count + 1, last + 1)]


def yields(
    keys: Sequence[Key],
    where: Standing,
    seeds: Collection[str],
    posted: Collection[str],
    held: Mapping[date, int],
    day: date,
) -> list[Yield]:
    """What each key brings until a day; ``held`` is how many papers were announced on each day."""
    named = {paper.id for seed in seeds for paper in where.get(seed, ())}
    return [_yield(key, where.get(key.text, ()), named, posted, held, day) for key in keys]


def _yield(
    key: Key,
    papers: Sequence[Paper],
    named: Collection[str],
    posted: Collection[str],
    held: Mapping[date, int],
    day: date,
) -> Yield:
    by_month = Counter(f"{paper.announced:%Y-%m}" for paper in papers)
    return Yield(
        key=key,
        months={month: by_month[month] for month in months_until(day)},
        papers=len(papers),
        adds=sum(paper.id not in named for paper in papers),
        posted=sum(paper.id in posted for paper in papers),
        rise=rise([paper.announced for paper in papers], held, day),
    )


def rise(announced: Sequence[date], held: Mapping[date, int], day: date) -> Rise:
    """How a key's papers of the last 30 days compare with those of the year before: the difference of
    log-odds in standard errors, half a paper added to each side (Haldane 1956, Anscombe 1956)."""
    start = day - RECENT
    windows = ((start, day), (start - BEFORE, start))
    (recent, recent_of), (before, before_of) = (
        (_within(Counter(announced), *each), _within(held, *each)) for each in windows
    )
    here, there = (
        ((hits + 0.5), (max(of - hits, 0) + 0.5)) for hits, of in ((recent, recent_of), (before, before_of))
    )
    error = sqrt(sum(1 / each for each in (*here, *there)))
    z = (log(here[0] / here[1]) - log(there[0] / there[1])) / error if recent_of and before_of else 0.0
    return Rise(recent=recent, recent_of=recent_of, before=before, before_of=before_of, z=round(z, 2))


def _within(counts: Mapping[date, int], after: date, until: date) -> int:
    return sum(number for day, number in counts.items() if after < day <= until)
