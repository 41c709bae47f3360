"""What the tests of posting share: posts of any parts, channels on the loopback Bot API, deliveries."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botapi import TOKEN, BotApi, Remote
from digest import delivery
from digest.channels.quiet import QuietHours
from digest.channels.telegram import Bot, TelegramChannel, Token
from digest.markup import parse
from digest.store import Store
from digest.types import DeliveryState, Draft, Part, PostState, StageReport
from fakes import ServerClock

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
EDITOR = 500_000_001
THREE = ("<b>one</b> of three", "two of three", "three of three")
TEXTS = ["one of three", "two of three", "three of three"]


def part(html: str, picture: str | None = None) -> Part:
    """A part that says this."""
    made = parse(html)
    return Part(html, made.text, made.entities, picture)


def draft(*html: str, day: int = 0, topic: str = "xai", **more: Any) -> Draft:
    """A post of these parts; ``picture`` is that of the first one."""
    picture = more.pop("picture", None)
    parts = [part(one, None if at else picture) for at, one in enumerate(html)]
    given = {"genre": "roundup", "language": "en", "choices": ()} | more
    return Draft(topics=(topic,), slot=date(2026, 7, 3) + timedelta(day), parts=tuple(parts), **given)


@dataclass
class Office:
    """A store, a server, and a channel between them."""

    store: Store
    api: BotApi | Remote
    chat: int
    options: Mapping[str, Any] = field(default_factory=dict)
    editor: str | None = str(EDITOR)
    token: str = TOKEN

    def __post_init__(self) -> None:
        self.clock = ServerClock(self.api)

    def write(self, *html: str, state: PostState = "approved", to: str = "news", **more: Any) -> int:
        """Store a post of these parts for a channel; its id."""
        one = draft(*html, **more)
        [number] = self.store.add_posts([one], {one.language: [to]}, state, 0, NOON)
        return number

    def sent(self, *html: str, **more: Any) -> int:
        """Store a post and deliver it; its id."""
        number = self.write(*html, **more)
        assert self.deliver().counts["sent"] == len(html)
        return number

    def wait(self, **span: float) -> None:
        """Let so much time go by on the server's clock."""
        self.clock.sleep(timedelta(**span).total_seconds())

    def correct(self, number: int, html: str, at: int = 0) -> None:
        """Change a part of a post that is approved."""
        post = self.store.post(number)
        assert post is not None
        new = part(html, post.parts[at].picture)
        old, now = post.parts[at], self.clock.now()
        assert self.store.replace_part(number, at, new, old, now=now, by="editor", state="approved")

    @contextmanager
    def bot(self) -> Iterator[Bot]:
        """A bot that is closed at the end."""
        bot = Bot(lambda: Token(self.token), self.api.url, self.editor)
        try:
            yield bot
        finally:
            bot.close()

    @contextmanager
    def channel(self, name: str = "news", **options: Any) -> Iterator[TelegramChannel]:
        """The channel, of a new bot."""
        with self.bot() as bot:
            yield TelegramChannel(name, bot, str(self.chat), **{**self.options, **options})

    def deliver(self, **options: Any) -> StageReport:
        """One run of the last stage."""
        with self.channel(**options) as channel:
            return delivery.deliver(self.store, [channel], self.clock)

    def posted(self) -> list[str]:
        """What stands in the channel."""
        return [message.text for message in self.api.messages(self.chat)]

    def following(self) -> list[tuple[str, str]]:
        """Kinds and states of what follows, in order."""
        return [(one.kind, one.state) for one in self.store.followups()]

    def states(self) -> list[DeliveryState]:
        """The deliveries' states, in order."""
        return [one.state for one in self.store.deliveries()]


@cache
def new_database() -> bytes:
    """An empty database of the newest schema, migrated once a process."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "digest.sqlite3"
        Store.open(f"sqlite:///{file}").close()
        return file.read_bytes()


def png(width: int = 4, height: int = 3, padding: int = 0) -> bytes:
    """A picture; ``padding`` makes its file larger."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    filler = chunk(b"teXt", bytes(padding)) if padding else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + filler + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def quiet(hours: str, zone: str = "UTC") -> QuietHours:
    """Hours in which no new post begins."""
    return QuietHours.parse(hours, zone)


@contextmanager
def office(folder: Path, api: BotApi | Remote, **more: Any) -> Iterator[Office]:
    """An office over a new channel of a server whose clock shows noon."""
    api.clock(NOON.timestamp())
    api.person(EDITOR)
    api.write(EDITOR, "/start")
    chat = api.chat("channel", username="daily_news")
    (folder / "digest.sqlite3").write_bytes(new_database())
    with Store.open(f"sqlite:///{folder / 'digest.sqlite3'}", busy_timeout=30) as store:
        yield Office(store, api, chat, **more)
