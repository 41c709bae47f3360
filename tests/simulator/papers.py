"""What arXiv announces in a life: some papers a weekday, a part of them on a topic, and what befalls them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random

from msgspec.structs import replace

from loopback.world import Announcement, Record, RecordVersion, World

PHRASES = {"unlearning": "machine unlearning", "xai": "explainable AI"}
"""The seed key of each topic; a paper of a topic says it in its title."""

_NOUNS = (
    "network graph kernel policy gradient benchmark dataset speech protein robot market weather image "
    "signal token prompt agent memory circuit attack proof cache compiler sensor vaccine orbit planner "
    "decoder retrieval segmentation ranking translation summary tree forest boosting bandit auction contract "
    "traffic molecule lattice crystal neuron spike retina tumour lung heart gene cell river glacier soil crop"
).split()
_VERBS = (
    "improves measures predicts reduces explains simulates compresses aligns splits maps joins tests".split()
)
_WAYS = "robust sparse causal federated private scalable adaptive modular lazy greedy convex dual".split()


def world(random: Random, begin: date, days: int) -> World:
    """Announcements from a day on, over some days; nothing on weekends and on a holiday now and then."""
    happened: list[Announcement] = []
    for ahead in range(days):
        day = begin + timedelta(days=ahead)
        if day.weekday() < 5 and random.random() > 0.04:
            happened += _batch(random, day)
    return World(one for one in happened if one.day < begin + timedelta(days=days))


def is_on(record: Record) -> list[str]:
    """The topics whose seed key a paper says."""
    text = f"{record.title} {record.abstract}".lower()
    return [topic for topic, phrase in PHRASES.items() if phrase.lower() in text]


def _batch(random: Random, day: date) -> Iterator[Announcement]:
    for at in range(1, random.randint(4, 12)):
        record = _paper(random, f"{day:%y%m}.{day.day:02}{at:03}", day)
        if random.random() < 0.02:  # listed later, under the date of its batch
            yield Announcement(day + timedelta(days=random.randint(1, 4)), record, stamped=day)
            continue
        yield Announcement(day, record)
        yield from _later(random, record, day)


def _later(random: Random, record: Record, day: date) -> Iterator[Announcement]:
    """A new version, a withdrawal, a cross-list or a deletion, days after."""
    after = day + timedelta(days=random.randint(1, 12))
    draw = random.random()
    if draw < 0.08:
        yield Announcement(after, _second(record, after, "Second version"))
    elif draw < 0.11:
        yield Announcement(after, _second(record, after, "This paper has been withdrawn"))
    elif draw < 0.13:
        yield Announcement(after, replace(record, categories=f"{record.categories} cs.MM"))
    elif draw < 0.135:
        yield Announcement(after, record, deleted=True)


def _paper(random: Random, name: str, day: date) -> Record:
    topics = [phrase for phrase in PHRASES.values() if random.random() < 0.25]
    held = random.choice((1, 1, 1, 1, 9))
    made = RecordVersion("v1", f"{_noon(day - timedelta(days=held)):%a, %d %b %Y %H:%M:%S} GMT")
    about = " and ".join(topics)
    title = f"{_words(random, 3).capitalize()}{f': {about}' if about else ''} {_words(random, 2)}"
    abstract = " ".join(_sentence(random, about) for _ in range(3))
    categories = random.choice(("cs.LG", "cs.LG stat.ML", "stat.ML", "cs.CV cs.LG"))
    return Record(name, title, abstract, categories, (made,), authors="A. Author and B. Writer")


def _words(random: Random, count: int) -> str:
    return " ".join(f"{random.choice(_WAYS)} {random.choice(_NOUNS)}" for _ in range(count))


def _sentence(random: Random, about: str) -> str:
    beside = f" for {about}" if about and random.random() < 0.7 else ""
    return f"A {_words(random, 2)} {random.choice(_VERBS)} the {_words(random, 3)}{beside}."


def _second(record: Record, day: date, comments: str) -> Record:
    made = RecordVersion("v2", f"{_noon(day - timedelta(days=1)):%a, %d %b %Y %H:%M:%S} GMT")
    return replace(record, versions=(*record.versions, made), comments=comments)


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
