"""What the tests of posting share: posts of any parts, channels on the loopback Bot API, deliveries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
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

    def correct(self, number: int, html: str, at: int = 0) -> None:
        """Change a part of a post that is approved."""
        post = self.store.post(number)
        assert post is not None
        new = part(html, post.parts[at].picture)
        assert self.store.replace_part(number, at, new, post.parts[at], state="approved")

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

    def states(self) -> list[DeliveryState]:
        """The deliveries' states, in order."""
        return [one.state for one in self.store.deliveries()]


def quiet(hours: str, zone: str = "UTC") -> QuietHours:
    return QuietHours.parse(hours, zone)


@contextmanager
def office(folder: Path, api: BotApi | Remote, **more: Any) -> Iterator[Office]:
    """An office over a new channel of a server whose clock shows noon."""
    api.clock(NOON.timestamp())
    api.person(EDITOR)
    api.write(EDITOR, "/start")
    chat = api.chat("channel", username="daily_news")
    with Store.open(f"sqlite:///{folder / 'digest.sqlite3'}", busy_timeout=30) as store:
        yield Office(store, api, chat, **more)
