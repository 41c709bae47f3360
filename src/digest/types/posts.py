"""Posts: what is chosen for them, what they are made of, how they were changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from digest.types.topics import Evidence, Language, Topic

PostState = Literal["draft", "approved", "rejected"]
Task = Literal["tell", "translate", "title"]
Tier = Literal["detailed", "brief", "named"]
ResourceKind = Literal["survey", "benchmark", "dataset", "library", "list"]


class Choice(Struct, frozen=True, kw_only=True):
    """A paper chosen for a post: how fully it is shown, why, and all topics it belongs to (the
    post's own first). ``duplicates`` are ids of near-identical papers merged into it."""

    paper: str
    tier: Tier
    score: float
    silent: bool
    evidence: Evidence
    topics: tuple[str, ...]
    duplicates: tuple[str, ...] = ()


ELSEWHERE = "stands in "
"""How the reason begins for which a paper is left out that another topic takes."""


class LeftOut(Struct, frozen=True):
    """A paper that was considered for a post and left out, with the reason in a word or two."""

    paper: str
    reason: str


class Group(Struct, frozen=True):
    """Papers of a topic that are alike: the phrase that most of them hold, and their ids, the most
    telling first."""

    name: str
    papers: tuple[str, ...]


class Resource(Struct, frozen=True):
    """What readers keep: a paper that is a survey, benchmark, dataset or library, or the address of a
    repository that gathers papers."""

    kind: ResourceKind
    paper: str
    url: str


class Overview(Struct, frozen=True, kw_only=True):
    """What a topic's papers of some days (both included) hold, for the genres that tell of a window.

    ``choices`` are all papers, best first. By paper: ``leads`` are the sentences that tell what was done,
    the others one sentence each, word for word. ``bridges`` are papers that stand in another topic too,
    by its name. ``definition`` is a paper and its sentence. ``unsure`` are papers that only look like
    the topic.
    """

    since: date
    until: date
    choices: tuple[Choice, ...]
    groups: tuple[Group, ...] = ()
    leads: Mapping[str, tuple[str, ...]] = {}
    questions: Mapping[str, str] = {}
    problems: Mapping[str, str] = {}
    doubts: Mapping[str, str] = {}
    unsolved: Mapping[str, str] = {}
    bridges: Mapping[str, tuple[str, ...]] = {}
    resources: tuple[Resource, ...] = ()
    definition: tuple[str, str] | None = None
    unsure: tuple[str, ...] = ()
    abbreviation: str | None = None


class TextEntity(Struct, frozen=True, omit_defaults=True):
    """A stretch of formatted text as Telegram counts it: ``offset`` and ``length`` in UTF-16 units
    (https://core.telegram.org/bots/api#messageentity). The mention of a user is a ``text_link`` to
    ``tg://user?id=N``, which Telegram takes for the same."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    custom_emoji_id: str | None = None
    unix_time: int | None = None
    date_time_format: str | None = None


class Part(Struct, frozen=True, omit_defaults=True):
    """One Telegram message of a post: the HTML it was written in, and the text and entities that
    are sent. Frozen: the same bytes on every try. With a ``picture`` (the path of a PNG or JPEG in the
    digest home) the text is its caption."""

    html: str
    text: str
    entities: tuple[TextEntity, ...]
    picture: str | None = None

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits that change with anything of the part."""
        entities = msgspec.json.encode(self.entities).decode()
        whole = "\0".join((self.html, self.text, entities, self.picture or ""))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


class Update(Struct, frozen=True):
    """A paper that was posted in version ``told`` and of which there is a newer one."""

    paper: str
    told: int
    version: int


class Draft(Struct, frozen=True, kw_only=True):
    """A post before it is stored. ``updates``: what it tells of papers that were posted before."""

    topics: tuple[str, ...]
    slot: date
    genre: str
    language: Language
    choices: tuple[Choice, ...]
    parts: tuple[Part, ...]
    updates: tuple[Update, ...] = ()


class Post(Struct, frozen=True, kw_only=True):
    """A stored post. ``papers`` are the ids of its papers, in order. What a ``version`` says never
    changes: who decides about one decides about what was seen."""

    id: int
    topics: tuple[str, ...]
    slot: date
    genre: str
    language: Language
    state: PostState
    papers: tuple[str, ...]
    parts: tuple[Part, ...]
    version: int = 1


class Change(Struct, frozen=True):
    """What was done to a post, when and by whom; ``version`` is the one it had afterwards."""

    version: int
    at: datetime
    by: str
    what: str


class Edited(Struct, frozen=True):
    """A post after it was edited, and what a person should know of it."""

    post: Post
    notes: tuple[str, ...]


class Wording(Struct, frozen=True):
    """What an endpoint made of a text, and why it was refused, if it was. The ``source`` stays beside it."""

    task: Task
    language: Language
    model: str
    source: str
    text: str
    refused: str | None


class Told(Struct, frozen=True):
    """A paper in other words than its own, checked: its title, and what it does; None for its own."""

    title: str | None = None
    text: str | None = None


class Template(Struct, frozen=True):
    """A template: the user's file that stands before the built-in one, if any; whether there is a built-in
    one; whether both say the same."""

    name: str
    own: Path | None
    built_in: bool
    same: bool


class Plan(Struct, frozen=True, kw_only=True):
    """What match and write go by: the topics, the model whose vectors count, how many days a run looks
    back, whether posts wait for a person, where each topic's posts go by language, and how many good
    reactions of readers make a weak like (0: none does)."""

    topics: tuple[Topic, ...]
    model: str
    lookback: int
    state: PostState
    channels: Mapping[str, Mapping[Language, tuple[str, ...]]]
    applause: int = 0
