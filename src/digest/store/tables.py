"""The tables, as the program sees them; ``migrations/`` makes them, and a test holds the two together.

What is only ever read whole by the program (authors, versions, evidence, a report) is JSON; whatever
is searched, counted or joined has a column. A paper has two names: ``id`` is arXiv's, ``number`` is
the order in which it came here, the row number that the words' index and FAISS go by.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from digest.types import Choice, Evidence, KeyEvidence, Part, RunReport, TextEntity, Version


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware on both sides, and in UTC when it comes back; naive values are refused.

    SQLite has no type for time and drops the zone. There it is kept as SQLAlchemy's text
    (``2026-05-01 12:00:00.000000``): it sorts as time does, SQLite's own date functions read it, and
    so does a person with the ``sqlite3`` shell; integers would save 18 bytes and lose the last two.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """For SQLite, what writes SQLAlchemy's text itself, in a fifth of the time."""
        return self._written if dialect.name == "sqlite" else super().bind_processor(dialect)

    def _written(self, value: datetime | None) -> str | None:
        if value is None:
            return None
        text = msgspec.json.encode(_in_utc(value)).decode()  # "2026-05-01T12:00:00Z", quoted
        return f"{text[1:11]} {text[12:-2]}" if value.microsecond else f"{text[1:11]} {text[12:20]}.000000"

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Refuse a naive time (ValueError), turn an aware one to UTC."""
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: Any | None, _: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone cannot be stored: {moment!r}")
    return moment.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A value of one msgspec type, kept as JSON text (UTF-8, nothing escaped that need not be)."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def process_bind_param(self, value: Any | None, _: Dialect) -> str | None:
        """The value as JSON text; None stays NULL."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, _: Dialect) -> Any | None:
        """The value again, checked against its type."""
        return None if value is None else self._decode(value)


class Words(TypeDecorator[str]):
    """Text. PostgreSQL refuses the character NUL, which then becomes U+FFFD, "a character that cannot be
    represented" (https://www.postgresql.org/docs/current/datatype-character.html)."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None] | None:
        """SQLite takes any text as it is."""
        return _without_nul if dialect.name == "postgresql" else None


def _without_nul(text: str | None) -> str | None:
    return text.replace("\0", "\ufffd") if text else text


# SQLite's INTEGER has 64 bits, and only a key of just this name is the number of its row.
Whole = BigInteger().with_variant(Integer(), "sqlite")

LIVE = "state != 'rejected'"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *rest: Any, null: bool = False, **options: Any) -> Column[str]:
    return Column(name, Words, *rest, nullable=null, **options)


def _number(name: str, *rest: Any, **options: Any) -> Column[int]:
    return Column(name, Whole, *rest, nullable=False, **options)


def _time(name: str, *, null: bool = False) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=null)


# Short columns first: SQLite reads a row from its start, and most scans need no abstract.
paper = Table(
    "paper",
    metadata,
    _number("number", primary_key=True),
    _text("id", unique=True),
    _number("version"),
    Column("announced", Date, nullable=False),
    _text("announce_type"),
    Column("text_hash", LargeBinary(16), nullable=False),  # of what is embedded
    Column("withdrawn", Boolean, nullable=False),
    _time("submitted"),
    _time("updated"),
    _text("categories"),  # "cs.LG cs.CV", the primary one first
    _text("title"),
    Column("authors", Json(tuple[str, ...]), nullable=False),
    _text("abstract"),
    _text("comments", null=True),
    _text("journal_ref", null=True),
    _text("doi", null=True),
    Column("versions", Json(tuple[Version, ...]), nullable=False),
    # When its announcement was told: the row number, or one after the highest where it was told later
    # than the paper came; 0 while `announced` is an estimate.
    _number("told"),
    Index("ix_paper_announced", "announced", "withdrawn", "categories", "text_hash"),
    Index("ix_paper_text_hash", "text_hash"),
)

# A random word, written anew whenever what it names has changed (see Store.vector_state).
stamp = Table("stamp", metadata, _text("name", primary_key=True), _text("value"))

# Each transaction that changed the words of papers: a random word (see `renew_stamp`), the row number of
# the last paper there was then, and the numbers of those papers that were there before.
word_change = Table(
    "word_change",
    metadata,
    _number("number", primary_key=True),
    _text("stamp"),
    _number("highest"),
    Column("changed", Json(tuple[int, ...]), nullable=False),
)

model = Table(
    "model", metadata, _number("id", primary_key=True), _text("name", unique=True), _number("dimension")
)

vector = Table(
    "vector",
    metadata,
    _number("number", primary_key=True),
    _number("model", ForeignKey("model.id")),
    Column("text_hash", LargeBinary(16), nullable=False),
    Column("data", LargeBinary, nullable=False),  # float32, little-endian
    UniqueConstraint("model", "text_hash"),
)

topic = Table("topic", metadata, _text("name", primary_key=True))

topic_key = Table(
    "topic_key",
    metadata,
    _number("id", primary_key=True),
    _text("topic", ForeignKey("topic.name")),
    _text("normal"),
    _text("text"),
    _text("state"),
    _text("origin"),
    Column("evidence", Json(KeyEvidence)),
    _time("created"),
    UniqueConstraint("topic", "normal"),
)

# Rows are only ever added: what was decided about a key, by whom and on what evidence.
key_decision = Table(
    "key_decision",
    metadata,
    _number("id", primary_key=True),
    _text("topic"),
    _text("normal"),
    _text("state"),
    _text("decided_by"),
    _time("decided_at"),
    _text("reason"),
    Column("evidence", Json(KeyEvidence)),
    ForeignKeyConstraint(["topic", "normal"], ["topic_key.topic", "topic_key.normal"]),
    Index("ix_key_decision_topic_normal", "topic", "normal"),
)

match = Table(
    "match",
    metadata,
    _text("topic", ForeignKey("topic.name")),
    _number("paper", ForeignKey("paper.number", ondelete="CASCADE")),
    Column("score", Float, nullable=False),
    Column("silent", Boolean, nullable=False),
    Column("evidence", Json(Evidence), nullable=False),
    _text("scorer"),
    PrimaryKeyConstraint("topic", "paper"),
    Index("ix_match_paper", "paper"),
)

# Why a paper that could have been a topic's was left out, as it was last decided: by match, of the topic,
# or by write, of its posts.
left_out = Table(
    "left_out",
    metadata,
    _text("topic", ForeignKey("topic.name")),
    _number("paper", ForeignKey("paper.number", ondelete="CASCADE")),
    Column("day", Date, nullable=False),
    _text("stage"),
    _text("reason"),
    PrimaryKeyConstraint("topic", "paper"),
    Index("ix_left_out_paper", "paper"),
)

# Rows are only ever added; the last one of a paper counts, and NULL takes the ones before back.
feedback = Table(
    "feedback",
    metadata,
    _number("id", primary_key=True),
    _text("topic", ForeignKey("topic.name")),
    _number("paper", ForeignKey("paper.number", ondelete="CASCADE")),
    _text("opinion", null=True),
    _text("given_by"),
    _time("given_at"),
    Index("ix_feedback_topic_paper", "topic", "paper"),
)

topic_fit = Table(
    "topic_fit",
    metadata,
    _text("topic", ForeignKey("topic.name"), primary_key=True),
    _text("fingerprint"),
)

post = Table(
    "post",
    metadata,
    _number("id", primary_key=True),
    _text("topic", ForeignKey("topic.name")),
    Column("topics", Json(tuple[str, ...]), nullable=False),
    Column("slot", Date, nullable=False),
    _text("genre"),
    _text("language"),
    _text("state"),
    _time("written_at"),
    _time("decided_at", null=True),  # when the state was last changed
    _number("seen"),  # the highest paper number when the post was written
    _number("version", server_default="1"),
    Column("as_written", Json(tuple[str, ...])),  # blocks as the template wrote them; NULL: the parts are
    # A rejected post gives its day free.
    Index(
        "uq_post_live",
        "topic",
        "slot",
        "genre",
        "language",
        unique=True,
        sqlite_where=text(LIVE),
        postgresql_where=text(LIVE),
    ),
)

post_paper = Table(
    "post_paper",
    metadata,
    _number("post", ForeignKey("post.id", ondelete="CASCADE")),
    _number("position"),
    _number("paper", ForeignKey("paper.number")),
    _text("tier"),
    Column("choice", Json(Choice), nullable=False),
    _number("version", server_default="1"),  # which version of the paper the post tells of
    PrimaryKeyConstraint("post", "position"),
    Index("ix_post_paper_paper", "paper"),
)

# Papers posted before of which a post tells that there is a newer version.
post_update = Table(
    "post_update",
    metadata,
    _number("post", ForeignKey("post.id", ondelete="CASCADE")),
    _number("paper", ForeignKey("paper.number")),
    _number("told"),  # the version that was posted
    _number("version"),
    PrimaryKeyConstraint("post", "paper"),
)

# Rows are only ever added: the versions of a post that were replaced, whole, and what was done to it.
post_version = Table(
    "post_version",
    metadata,
    _number("post", ForeignKey("post.id", ondelete="CASCADE")),
    _number("version"),
    Column("choices", Json(tuple[Choice, ...]), nullable=False),
    Column("parts", Json(tuple[Part, ...]), nullable=False),
    PrimaryKeyConstraint("post", "version"),
)

post_change = Table(
    "post_change",
    metadata,
    _number("id", primary_key=True),
    _number("post", ForeignKey("post.id", ondelete="CASCADE")),
    _number("version"),
    _time("at"),
    _text("by"),
    _text("what"),
    Index("ix_post_change_post", "post"),
)

part = Table(
    "part",
    metadata,
    _number("post", ForeignKey("post.id", ondelete="CASCADE")),
    _number("number"),  # from 0, as in Post.parts
    _text("html"),
    _text("text"),
    Column("entities", Json(tuple[TextEntity, ...]), nullable=False),
    _text("sha256"),
    _text("picture", null=True),  # a path in the digest home
    PrimaryKeyConstraint("post", "number"),
)

# No cascade: that something was sent must outlive everything else.
delivery = Table(
    "delivery",
    metadata,
    _number("id", primary_key=True),
    _number("post"),
    _number("part"),
    _text("channel"),
    _text("state"),
    _number("attempts"),
    _time("not_before", null=True),
    _text("receipt", null=True),
    _text("error", null=True),
    _time("updated"),
    _time("attempted", null=True),
    _text("chat", null=True),
    Column("after", Whole),
    Column("message", Whole),
    _text("sha256", null=True),  # of the part that it stands there as
    _time("told", null=True),  # when the editors were told that it is held
    ForeignKeyConstraint(["post", "part"], ["part.post", "part.number"]),
    UniqueConstraint("post", "part", "channel"),
    Index("ix_delivery_state_channel", "state", "channel"),
)

# What is done to a part after it was sent: an edit, a poll, a pin. Rows are never removed.
followup = Table(
    "followup",
    metadata,
    _number("id", primary_key=True),
    _number("delivery", ForeignKey("delivery.id")),
    _text("kind"),
    _text("state"),
    _text("why"),
    Column("content", Json(Part)),  # of an edit
    _text("sha256", null=True),  # of the content
    _text("base", null=True),  # of the stored part it was made from
    _number("attempts"),
    _time("not_before", null=True),
    _text("error", null=True),
    _time("updated"),
    Index("ix_followup_delivery", "delivery"),
    Index("ix_followup_state", "state"),
)

reaction = Table(
    "reaction",
    metadata,
    _number("delivery", ForeignKey("delivery.id")),
    _text("emoji"),
    _number("count"),
    PrimaryKeyConstraint("delivery", "emoji"),
)

# Who sends for several channels (a bot): whose turn it is, and until when it has to rest.
sender = Table(
    "sender",
    metadata,
    _text("name", primary_key=True),
    _text("owner", null=True),
    _time("until", null=True),
    _time("not_before", null=True),
)

chat = Table(
    "chat",
    metadata,
    _text("id", primary_key=True),
    _text("moved", null=True),  # the id it goes by now
    Column("last", Whole),
    _time("rest", null=True),
)

pause = Table(
    "pause",
    metadata,
    _text("channel", primary_key=True),
    _text("chat"),  # a channel that was pointed to another chat is not paused
    _text("reason"),
    _time("since"),
    _time("told", null=True),  # when the editors were
)

review = Table(
    "review",
    metadata,
    _number("post", ForeignKey("post.id", ondelete="CASCADE"), primary_key=True),
    _text("version"),
    _text("chat"),
    _number("message"),
)

# What an endpoint made of a text, by what it was asked; refused answers too, so that none is paid twice.
wording = Table(
    "wording",
    metadata,
    _text("key", primary_key=True),
    _text("task"),
    _text("language"),
    _text("model"),
    _text("source"),
    _text("text"),
    _text("refused", null=True),
)

question = Table(
    "question",
    metadata,
    _text("chat"),
    _number("message"),
    _number("post", ForeignKey("post.id", ondelete="CASCADE")),
    _number("part"),
    _text("version"),
    PrimaryKeyConstraint("chat", "message"),
)

cursor = Table(
    "cursor", metadata, _text("source", primary_key=True), _text("value", null=True), _time("updated")
)

run = Table(
    "run",
    metadata,
    _number("id", primary_key=True),
    _text("command"),
    _time("as_of"),
    _time("started"),
    _time("finished"),
    Column("report", Json(RunReport)),
    _number("exit_code"),
    UniqueConstraint("command", "as_of"),
)
