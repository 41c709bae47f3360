"""Topics, their keys, and which papers match them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

WindowGenre = Literal["links", "review", "essay", "listing"]
Genre = Literal["roundup", "links", "review", "essay", "listing"]
Language = Literal["en", "ru", "zh"]
Origin = Literal["seed", "adjacent", "human", "auto"]
KeyState = Literal["active", "proposed", "rejected", "retired", "lapsed"]
Opinion = Literal["like", "dislike"]
# What a setting may be; the description is what a person reads when it is something else.
Phrase = Annotated[str, Meta(pattern=r"\S", description="a text in quotes")]
Hashtag = Annotated[str, Meta(pattern=r"^\w+\Z", description="a word without #")]
Share = Annotated[float, Meta(ge=0, le=1, description="a number between 0 and 1")]
Amount = Annotated[int, Meta(ge=0, le=100, description="a whole number from 0 to 100")]
Days = Annotated[int, Meta(ge=1, le=3650, description="a whole number of days from 1 to 3650")]
SeedKeys = Annotated[tuple[Phrase, ...], Meta(min_length=1, description="a list with at least one phrase")]
Languages = Annotated[tuple[Language, ...], Meta(min_length=1, description="a list of en, ru, zh")]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """How many papers a post holds: with a summary, with one line, and by their titles alone."""

    detailed: Amount = 5
    brief: Amount = 5
    named: Amount = 10


class Rhythm(Struct, frozen=True, forbid_unknown_fields=True):
    """When a topic's roundup is due: at least so many papers wait, or one has waited so many days."""

    at_least: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 1
    at_latest_days: Days = 1


class Series(Struct, frozen=True, forbid_unknown_fields=True):
    """Posts of a genre that come by the calendar: every day, or on a day of the week (1 is Monday) or of
    the month (31 is the last)."""

    genre: Genre
    every: Literal["day", "week", "month"]
    day: Annotated[int, Meta(ge=1, le=31, description="a whole number from 1 to 31")] = 1


class Topic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An information need with a name, as the configuration gives it.

    ``term`` is what the field is called and by which it is said to go unnamed in a silent paper;
    ``titles`` its name per language; ``floor`` the least score (0 to 1) a paper is posted with.
    ``adjacent_keys`` point to work that goes by another name: a paper with none of the seed keys is
    silent even where an adjacent key stands in it. ``off_keys`` name neighbouring topics: papers that
    hold one and no seed key are examples of what the topic is not.
    ``seed_papers`` are ids of papers that are on topic whatever their words. ``questions`` and
    ``definitions``, by language, open a review in the author's words.
    """

    name: str
    term: Phrase
    seed_keys: SeedKeys
    adjacent_keys: tuple[Phrase, ...] = ()
    exclude_keys: tuple[Phrase, ...] = ()
    off_keys: tuple[Phrase, ...] = ()
    seed_papers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    titles: Mapping[Language, Phrase] = {}
    questions: Mapping[Language, Phrase] = {}
    definitions: Mapping[Language, Phrase] = {}
    hashtags: tuple[Hashtag, ...] = ()
    languages: Languages = ("en",)
    floor: Share = 0.5
    limits: Limits = Limits()
    rhythm: Rhythm = Rhythm()
    series: tuple[Series, ...] = ()

    def title(self, language: Language) -> str:
        """The topic's name in a language, else its term."""
        return self.titles.get(language, self.term)


class KeyEvidence(Struct, frozen=True, kw_only=True):
    """Why a key was proposed (leave-key-out verification; docs/keys.md).

    ``adds`` papers match the key and no key that was active before; ``verified`` of them stand among
    the topic's best when every feature that shares a word with the key, or comes with it elsewhere, is
    left out; ``lower_bound`` is Wilson's (z = 1) for their share. ``parents`` are the keys of the papers
    it was found in, ``hop`` is 1 where seeds or a person's keys led to it, 2 where only other found keys
    did. ``overlap``: by better keys, the share of the added papers that they add too.
    """

    matches: int
    adds: int
    verified: int
    lower_bound: float
    contrast: float
    best: tuple[str, ...] = ()
    worst: tuple[str, ...] = ()
    corpus: int = 0
    scorer: str = ""
    parents: tuple[str, ...] = ()
    hop: int = 1
    overlap: Mapping[str, float] = {}


class Key(Struct, frozen=True, kw_only=True):
    """A phrase that points to a topic. ``text`` is the form for display and queries, ``normal`` the
    normalised form that is matched and that is unique within a topic. A proposal that a later look for keys
    does not find again has ``lapsed``; it may be proposed anew."""

    topic: str
    text: str
    normal: str
    state: KeyState
    origin: Origin
    evidence: KeyEvidence | None = None


class KeyDecision(Struct, frozen=True, kw_only=True):
    """What was decided about a key, by whom, when, why, and on what evidence."""

    topic: str
    normal: str
    state: KeyState
    decided_by: str
    decided_at: datetime
    reason: str
    evidence: KeyEvidence | None = None


class Feedback(Struct, frozen=True, kw_only=True):
    """What a person thinks of a paper as one of a topic; ``opinion`` None takes back what was said."""

    topic: str
    paper: str
    opinion: Opinion | None
    given_by: str
    given_at: datetime


class Neighbour(Struct, frozen=True):
    """A paper on topic and how near it is (cosine)."""

    paper: str
    title: str
    similarity: float


class Evidence(Struct, frozen=True, kw_only=True):
    """Why a paper belongs to a topic: the keys that stand in it, the papers on topic it is near,
    and the score of each way of ranking (0 to 1)."""

    seed_keys: tuple[str, ...] = ()
    other_keys: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    scores: Mapping[str, float] = {}


class Match(Struct, frozen=True, kw_only=True):
    """A paper of a topic. ``score`` (0 to 1) joins what its text looks like (the share of the topic's
    own papers that look less like the topic, as far as that can be believed) and the keys that stand
    in it: .6 and more when a seed key is in the title. ``silent``: no seed key stands in title or
    abstract."""

    topic: str
    paper: str
    score: float
    silent: bool
    evidence: Evidence
    scorer: str


class Recall(Struct, frozen=True, kw_only=True):
    """An estimate of how much of a topic was found: papers found and missed, the share found, with 90 %
    intervals; and how many papers the keys, the looks and both have caught."""

    found: float
    missed: float
    fewest: float
    most: float
    share: float
    low: float
    high: float
    by_keys: int
    by_looks: int
    by_both: int
