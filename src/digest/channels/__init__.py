"""Where posts go. A channel has one method that matters: send a part, or say why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from digest.channels.quiet import QuietHours
from digest.schedule import Rule
from digest.types import Language, Mark, Part, Post


class Channel(Protocol):
    """A place that takes posts part by part.

    ``repeatable`` says that sending a part twice leaves what sending it once does, so that a part
    whose fate is unknown after a crash may simply be sent again.
    """

    name: str
    repeatable: bool

    def send(self, post: Post, part: int) -> str:
        """Send part ``part`` (from 0) of a post and return a receipt that a person can follow.

        Raises NotSent (surely not sent), Uncertain (may have been sent) or Refused (never will be).
        """
        ...


class Seen(Struct, frozen=True):
    """A message that stands in a channel, and when it was put there. ``text`` is None where it has some
    that cannot be read."""

    text: str | None
    posted: datetime


class Follow(Struct, frozen=True, kw_only=True):
    """What follows a post that stands in a channel: which changes of its papers are noted in it, for so
    many ``days``; after which genres there is a poll (by language a question and its answers); which
    genres are pinned."""

    marks: tuple[Mark, ...] = ()
    days: int = 7
    polls: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    questions: Mapping[Language, tuple[str, ...]] = {}


class Sender(Protocol):
    """Who sends for one or more remote channels: a bot."""

    name: str

    def open(self) -> None:
        """Make sure that it can be spoken to. Raises NotSent."""
        ...

    def tell(self, text: str) -> None:
        """Tell the editor. Raises DeliveryError."""
        ...


@runtime_checkable
class RemoteChannel(Channel, Protocol):
    """A channel behind a network that may swallow an answer: what was sent without one is looked for.

    ``address`` is the chat as the configuration gives it, ``chat`` the id it goes by now. A new post
    waits for the next of ``times`` after it was approved.
    """

    sender: Sender
    address: str
    chat: str
    quiet: QuietHours | None
    times: Rule | None
    can_look: bool
    follow: Follow

    def edit(self, message: int, post: Post, number: int, part: Part) -> None:
        """Make a message say this; done where it says so already. Raises DeliveryError, Gone where the
        message is not there any more."""
        ...

    def ask(self, post: Post) -> int:
        """Post the poll of a post's language; its number. Raises DeliveryError."""
        ...

    def pin(self, message: int) -> None:
        """Pin a message without a sound. Raises DeliveryError, Gone."""
        ...

    def message(self, receipt: str) -> int:
        """The number of the message that a receipt speaks of."""
        ...

    def receipt(self, message: int) -> str:
        """The receipt for a message of this channel."""
        ...

    def look(self, message: int) -> Seen | None:
        """The message with this number; None when there surely is none. Raises DeliveryError when that
        cannot be told."""
        ...
