"""Where posts go. A channel has one method that matters: send a part, or say why not."""

from __future__ import annotations

from typing import Protocol

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
