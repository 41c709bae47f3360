"""What the stages report, and searching."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from msgspec import Struct, field

Stage = Literal["crawl", "embed", "match", "write", "deliver"]


class StageReport(Struct, frozen=True):
    """What a stage did: counts by name, seconds, and sentences a person should read."""

    stage: Stage
    seconds: float
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()


class RunReport(Struct, frozen=True, kw_only=True):
    """What a run did, stage by stage, the ids of the posts it wrote, and the code it exits with."""

    as_of: datetime
    stages: tuple[StageReport, ...]
    posts: tuple[int, ...] = ()
    exit_code: int = 0

    @property
    def seconds(self) -> float:
        """How long the stages took together."""
        return sum(stage.seconds for stage in self.stages)


class Run(Struct, frozen=True, kw_only=True):
    """One run of a command: as of when, begun and finished when, what it did, how it ended."""

    id: int
    command: str
    as_of: datetime
    started: datetime
    finished: datetime
    report: RunReport | None
    exit_code: int


class Status(Struct, frozen=True, kw_only=True):
    """What the archive holds (name to figure), posts and deliveries by state, the last runs in words,
    how far arXiv was read and whether it may be asked (name to words), and readers' reactions to the
    last posts (in words); ``wants``: what wants a person, and the command for it."""

    archive: Mapping[str, str | int]
    posts: Mapping[str, int]
    deliveries: Mapping[str, int]
    runs: tuple[str, ...]
    arxiv: Mapping[str, str] = {}
    reactions: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()


class Carried(Struct, frozen=True):
    """What a file of vectors holds, and what became of it: how many were new here, how many are of texts
    that no paper has here, and how many texts are left to be embedded."""

    model: str
    dimension: int
    vectors: int
    stored: int = 0
    elsewhere: int = 0
    waiting: int = 0


class Hit(Struct, frozen=True, kw_only=True):
    """One answer of a search. ``why`` says in words how it was found; ``snippet`` is the passage of the
    abstract that answers best, with ``marks`` as (start, end) in characters of it. ``held`` are the terms
    by where they stand (title, abstract, authors; form: held in another form), ``cosine`` is the nearness
    in meaning."""

    id: str
    version: int
    title: str
    authors: tuple[str, ...]
    published: datetime
    categories: tuple[str, ...]
    score: float
    why: str
    url: str
    snippet: str = ""
    marks: tuple[tuple[int, int], ...] = ()
    held: Mapping[str, tuple[str, ...]] = {}
    cosine: float | None = None


class Answer(Struct, frozen=True):
    """The answers to a query, best first, and what is to be said about how it was read."""

    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()
    expanded: tuple[str, ...] = ()


class Facets(Struct, frozen=True, kw_only=True):
    """How many papers of some there are by topic, by year of their announcement, by category, and how many
    are silent about a topic of theirs."""

    topics: Mapping[str, int]
    years: Mapping[int, int]
    categories: Mapping[str, int]
    silent: int


class Results(Struct, frozen=True, kw_only=True):
    """A page of answers to a query, how many there are on all, and what these are."""

    answer: Answer
    total: int
    facets: Facets


class Window(Struct, frozen=True):
    """Filters of a search; None and () stand for no limit. Of ``topics`` and of ``categories`` a paper
    has at least one; ``silent`` keeps the papers that do not say their topic's name."""

    topics: tuple[str, ...] = field(default_factory=tuple)
    since: date | None = None
    until: date | None = None
    categories: tuple[str, ...] = field(default_factory=tuple)
    not_topics: tuple[str, ...] = field(default_factory=tuple)
    not_categories: tuple[str, ...] = field(default_factory=tuple)
    silent: bool = False
