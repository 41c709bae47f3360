"""The settings, and of each what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from digest.types import Days, Genre, Language, Languages, Mark, Phrase, Topic

Source = Literal["oai", "rss", "api", "sample"]
Approval = Literal["if-public", "automatic", "manual"]
TopicName = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*\Z", description="small letters, digits, - and _")
]
TopicNames = Annotated[tuple[str, ...], Meta(min_length=1, description="a list with at least one topic")]
Topics = Annotated[
    Mapping[TopicName, Topic], Meta(min_length=1, description="a table with at least one topic")
]
Folder = Annotated[Path, Meta(description="a path in quotes")]
Database = Annotated[
    str,
    Meta(
        pattern=r"^(sqlite(\+\w+)?|postgresql(\+psycopg)?)://",
        description='a database URL such as "sqlite:///digest.sqlite3" or "postgresql+psycopg://host/digest"',
    ),
]
Mail = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+\Z", description="a mail address in quotes")]
Device = Annotated[
    str,
    Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)\Z", description='"auto", "cpu", "mps", "cuda" or "cuda:N"'),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/?#]+[^\s?#]*\Z", description='an address such as "https://example.org/oai"'
    ),
]
Seconds = Annotated[float, Meta(ge=0, le=3600, description="a number of seconds from 0 to 3600")]
BatchSize = Annotated[int, Meta(ge=1, le=4096, description="a whole number from 1 to 4096")]

Cost = Annotated[int, Meta(ge=0, le=10_000_000, description="a whole number from 0 to 10000000")]
Address = Annotated[
    str,
    Meta(
        pattern=r"^(@[A-Za-z]\w{3,}|-?[1-9]\d*)\Z",
        description='"@name" or a chat\'s number in quotes such as "-1001234567890"',
    ),
]
Thread = Annotated[int, Meta(ge=2, description="the number of a forum's topic")]
Hours = Annotated[
    str,
    Meta(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d\Z",
        description='hours such as "23:00-08:00"',
    ),
]
At = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d\Z", description='a time such as "09:00"')]
Times = Annotated[tuple[At, ...], Meta(min_length=1, description='a list of times such as "09:00"')]
Applause = Annotated[int, Meta(ge=0, le=10_000_000, description="a whole number from 0 to 10000000")]
Zone = Annotated[str, Meta(min_length=1, description='a time zone such as "Europe/Berlin"')]
User = Annotated[int, Meta(ge=1, description="a user's number in Telegram")]
Users = Annotated[tuple[User, ...], Meta(description="a list of users' numbers in Telegram")]
Port = Annotated[int, Meta(ge=0, le=65535, description="a whole number from 0 to 65535")]

Genres = Annotated[tuple[Genre, ...], Meta(description="a list of roundup, review, links, essay, listing")]
Marks = Annotated[tuple[Mark, ...], Meta(description="a list of withdrawn, version")]
Poll = Annotated[
    tuple[Phrase, ...],
    Meta(min_length=3, max_length=13, description="a list: a question and 2 to 12 answers"),
]


class Arxiv(Struct, frozen=True, kw_only=True):
    """How arXiv is asked. ``gap_seconds`` lie between two requests; a first crawl begins
    ``first_days`` back, a later one ``overlap_days`` before the end of the one before."""

    oai_url: Url
    rss_url: Url
    api_url: Url
    gap_seconds: Seconds
    first_days: Days
    overlap_days: Days


class Schedule(Struct, frozen=True, kw_only=True):
    """When the daemon runs all stages: times in New York, on the days of arXiv's batches."""

    run_at: Times


class Embed(Struct, frozen=True, kw_only=True):
    """How texts become vectors."""

    model: Phrase
    device: Device
    batch_size: BatchSize
    backend: Literal["torch", "openvino"]


class Emoji(Struct, frozen=True, kw_only=True):
    """What stands before greetings and sign-offs."""

    opening: tuple[Phrase, ...] = ()
    closing: tuple[Phrase, ...] = ()


class Posts(Struct, frozen=True, kw_only=True):
    """What all posts share. Greetings, sign-offs and emoji are used in turn; ``templates`` is a folder
    whose files stand before the built-in ones."""

    greetings: Mapping[Language, tuple[Phrase, ...]]
    sign_offs: Mapping[Language, tuple[Phrase, ...]]
    emoji: Emoji = Emoji()
    templates: Folder | None = None


class Telegram(Struct, frozen=True, kw_only=True):
    """The bot that posts to all Telegram channels. Its token is no setting (see ``bot_token``).
    ``editors`` are who may approve posts, ``editor_chat`` is where the bot speaks to them. ``marks``: which
    changes of papers are noted in posts that were sent in the last ``marks_days``; ``polls``: by language a
    question and its answers; ``applause``: how many good reactions are a weak like (0: none is)."""

    url: Url
    on_uncertain: Literal["probe", "hold"]
    marks: Marks
    marks_days: Days
    applause: Applause
    polls: Mapping[Language, Poll]
    token_file: Folder | None = None
    editors: Users = ()
    editor_chat: Address | None = None

    @property
    def speaks_to(self) -> str | None:
        """The chat with the editors: the one given, else the first editor's."""
        return self.editor_chat or next(map(str, self.editors), None)


class Writer(Struct, frozen=True, kw_only=True):
    """An endpoint that speaks OpenAI's protocol and may retell, translate and title what posts quote. Its
    key is no setting (see ``writer_key``). Without ``url`` and ``model`` none is asked."""

    url: Url | None = None
    model: Phrase | None = None
    key_file: Folder | None = None
    seconds: Seconds = 30
    calls: Cost = 240
    tokens: Cost = 240_000


class Channel(Struct, frozen=True, kw_only=True):
    """Where posts go. ``topics`` and ``languages`` are those it takes, None for all. The others are
    those of a type: see ``_OF_TYPE``."""

    type: Literal["file", "feed", "telegram"]
    folder: Folder | None = None
    chat: Address | None = None
    thread: Thread | None = None
    quiet_hours: Hours | None = None
    post_at: Times | None = None
    time_zone: Zone | None = None
    format: Literal["classic", "rich"] | None = None
    poll_after: Genres | None = None
    pin: Genres | None = None
    topics: TopicNames | None = None
    languages: Languages | None = None

    def takes(self, topic: str, language: Language) -> bool:
        """Whether a post on this topic in this language goes to the channel."""
        return topic in (self.topics or (topic,)) and language in (self.languages or (language,))


class Page(Struct, frozen=True, kw_only=True):
    """Where ``digest serve`` is reached. ``hosts`` are further names of the machine in browsers' addresses;
    ``https``: a proxy before it encrypts, so cookies go over nothing else."""

    address: Phrase
    port: Port
    hosts: tuple[Phrase, ...] = ()
    https: bool = False


class Site(Struct, frozen=True, kw_only=True):
    """The archive as readers see it: what its pages and feeds are called, by language."""

    titles: Mapping[Language, Phrase] = {}


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. ``home`` is the folder of database, index and posts; all paths are absolute."""

    home: Path
    source: Source
    lookback_days: Days
    approval: Approval
    database: Database
    contact: Mail | None = None
    arxiv: Arxiv
    schedule: Schedule
    embed: Embed
    posts: Posts
    telegram: Telegram
    writer: Writer = Writer()
    page: Page
    site: Site = Site()
    topics: Topics
    channels: Mapping[str, Channel]

    @property
    def on_server(self) -> bool:
        """Whether the archive is PostgreSQL's, which other machines may use at the same time."""
        return self.database.startswith("postgresql")

    @property
    def posts_wait(self) -> bool:
        """Whether each post waits until a person approves it."""
        public = any(channel.type == "telegram" for channel in self.channels.values())
        return self.approval == "manual" or (self.approval == "if-public" and public)
