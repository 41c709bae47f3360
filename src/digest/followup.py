"""What follows a part that stands in a channel: edits, a poll, a pin.

    plan       what is to follow is queued; an edit wherever a part is not what it should be by now
    outcome    what becomes of one that went wrong

An edit to what a message is already changes nothing, so an edit whose answer was lost is made again. A
poll that may have been asked is not. None of them ever holds up a part.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from digest.channels import RemoteChannel
from digest.corrections import amended, changes
from digest.errors import DeliveryError, Gone, Moved, NotSent, Paused, Refused
from digest.store import Store
from digest.types import Delivery, DeliveryState, FollowUp, Post

FRESH = timedelta(days=1)
"""Polls and pins follow a post this soon, or not at all: not all of last week's posts at once when the
setting is given."""

TRIES = 6
LATER = timedelta(minutes=10)
"""After the first try of an edit that went wrong; twice as long after each further one."""


def plan(store: Store, channel: RemoteChannel, now: datetime, post_id: int | None = None) -> None:
    """Queue what is to follow the parts that stand in a channel; those of one post."""
    follow = channel.follow
    standing = store.standing(
        channel.name,
        now - timedelta(days=follow.days),
        marked=bool(follow.marks),
        genres={*follow.polls, *follow.pins},
    )
    standing = [one for one in standing if post_id in (None, one.post)]
    edits = store.last_edits([one.id for one in standing])
    for number in dict.fromkeys(one.post for one in standing):
        post = store.post(number)
        assert post is not None  # a delivery refers to its post by a foreign key
        theirs = {one.part: one for one in standing if one.post == number}
        _plan_edits(store, channel, post, theirs, edits, now)
        _plan_once(store, channel, post, theirs, now)


def _plan_edits(
    store: Store,
    channel: RemoteChannel,
    post: Post,
    standing: dict[int, Delivery],
    edits: dict[int, str],
    now: datetime,
) -> None:
    follow = channel.follow
    papers = store.papers(post.papers) if follow.marks else ()
    for number, one in standing.items():
        sent = one.attempted or now
        said = changes(papers, follow.marks, sent) if sent >= now - timedelta(days=follow.days) else {}
        part = post.parts[number]
        wanted = amended(part, said, post.language)
        if wanted.sha256 != edits.get(one.id, one.sha256):
            why = ", ".join(f"{paper} {what}" for paper, what in said.items()) if wanted != part else ""
            store.add_edit(one.id, wanted, part.sha256, why or "the text was changed", now)


def _plan_once(
    store: Store, channel: RemoteChannel, post: Post, standing: dict[int, Delivery], now: datetime
) -> None:
    first, last = standing.get(0), standing.get(len(post.parts) - 1)
    if first is None or last is None or now - (last.attempted or now) > FRESH:
        return
    if post.genre in channel.follow.polls and channel.follow.questions.get(post.language):
        store.add_once(last.id, "poll", f"after a {post.genre}", now)
    if post.genre in channel.follow.pins:
        store.add_once(first.id, "pin", f"a {post.genre}", now)


def outcome(one: FollowUp, error: DeliveryError) -> tuple[DeliveryState, timedelta]:
    """What a follow-up becomes that went wrong, and how long it waits."""
    wait = LATER * 2 ** (one.attempts - 1)
    match error:
        case Gone() | Moved():  # the message, with all that could be done to it
            return "cancelled", wait
        case Refused():
            return "failed", wait
        case NotSent() if not isinstance(error, Paused):  # the sender rests
            return "queued", timedelta(0)
    again = one.kind == "edit" or (one.kind == "pin" and not isinstance(error, Paused))
    return ("queued" if again and one.attempts < TRIES else "failed"), wait
