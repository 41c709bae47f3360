"""Deliveries, and what senders and editors go by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from digest.types.posts import Part

DeliveryState = Literal["queued", "sending", "sent", "uncertain", "failed", "cancelled"]
FollowUpKind = Literal["edit", "poll", "pin"]
Mark = Literal["withdrawn", "version"]


class Delivery(Struct, frozen=True, kw_only=True):
    """One part of a post on its way to one channel.

    ``attempted`` is when it was last tried, ``chat`` where, and ``after`` the newest message known to
    stand there at that time: what it became, if anything, has a higher number. ``message`` is that number
    once it is known, ``sha256`` that of the part as it was when it was sent, or edited since.
    """

    id: int
    post: int
    channel: str
    part: int
    state: DeliveryState
    attempts: int = 0
    not_before: datetime | None = None
    receipt: str | None = None
    error: str | None = None
    attempted: datetime | None = None
    chat: str | None = None
    after: int | None = None
    message: int | None = None
    sha256: str | None = None


class FollowUp(Struct, frozen=True, kw_only=True):
    """Something that is done to a part that stands in a channel: an edit to ``content``, a poll after
    it, a pin. ``chat`` and ``message`` say where the part stands; ``base`` is the sha256 of the stored part
    that an edit was made from."""

    id: int
    delivery: int
    post: int
    part: int
    channel: str
    chat: str
    message: int
    kind: FollowUpKind
    state: DeliveryState
    why: str
    content: Part | None = None
    base: str | None = None
    attempts: int = 0
    error: str | None = None


class Reactions(Struct, frozen=True, kw_only=True):
    """Readers' reactions to a part of a post, all channels together: emoji (or "custom", "paid") to count;
    and the ids of the papers that the part shows, where they were asked for."""

    post: int
    part: int
    counts: Mapping[str, int]
    papers: tuple[str, ...] = ()


class Turn(Struct, frozen=True, kw_only=True):
    """A sender's turn: as long as it is ``owner``'s, nobody else sends through the sender. Each claim
    makes it last until ``until`` and lets the chat rest until ``rest``."""

    sender: str
    owner: str
    until: datetime
    chat: str
    rest: datetime


class Chat(Struct, frozen=True, kw_only=True):
    """What is known of a chat: the id it goes by now, the newest message known to stand there, and when
    the next one may follow."""

    id: str
    last: int | None = None
    rest: datetime | None = None


class Pause(Struct, frozen=True):
    """Why and since when a channel takes nothing."""

    channel: str
    reason: str
    since: datetime


class Review(Struct, frozen=True):
    """A post that was shown to an editor, as it was then: the message with the buttons."""

    post: int
    version: str
    chat: str
    message: int


class Question(Struct, frozen=True):
    """The bot asked an editor for the new text of a part of a draft, as it was in a version: the message
    that asks."""

    chat: str
    message: int
    post: int
    part: int
    version: str
