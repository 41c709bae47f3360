"""Where posts go. A channel has one method that matters: send a part, or say why not."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from digest.channels.quiet import QuietHours
from digest.types import Post


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
    """A message that stands in a channel, and when it was put there."""

    text: str
    posted: datetime


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

    ``address`` is the chat as the configuration gives it, ``chat`` the id it goes by now.
    """

    sender: Sender
    address: str
    chat: str
    quiet: QuietHours | None
    can_look: bool

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
