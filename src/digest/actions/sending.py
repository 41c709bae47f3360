"""Sending: what waits, what may have been sent, whether a channel can be posted to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digest.errors import InputError, TryAgain, UsageError
from digest.types import Delivery, DeliveryState, FollowUp, Part, TextEntity

if TYPE_CHECKING:
    from digest.app import App
    from digest.channels.check import Finding
    from digest.review import Polled, Waiting


def outbox(app: App, *, everything: bool) -> list[Delivery]:
    """The deliveries that are not done, or all. What waits for a decision, or was rejected, waits for no
    channel."""
    if everything:
        return app.store.deliveries()
    found = app.store.deliveries(states=("queued", "sending", "uncertain", "failed"))
    posts = [app.store.post(number) for number in {one.post for one in found if one.state == "queued"}]
    approved = {post.id for post in posts if post and post.state == "approved"}
    return [one for one in found if one.state != "queued" or one.post in approved]


def followups(app: App, *, everything: bool) -> list[FollowUp]:
    """The edits, polls and pins that are not done, or all."""
    undone: tuple[DeliveryState, ...] = ("queued", "sending", "failed")
    return app.store.followups(states=None if everything else undone)


def resolve(app: App, number: int, *, sent: int | None, retry: bool) -> Delivery:
    """A person says what became of a part: it stands there as message ``sent``, it is to be tried
    again, or (neither) it is given up."""
    found = _delivery(app, number)
    to: DeliveryState = "sent" if sent is not None else "queued" if retry else "cancelled"
    settled: tuple[DeliveryState, ...] = ("uncertain", "failed")
    from_states: tuple[DeliveryState, ...] = settled if to == "queued" else (*settled, "queued")
    receipt = None if sent is None else _receipt(app, found, sent)
    now = app.clock.now()
    if not app.store.set_delivery_state(number, from_states, to, now, receipt=receipt, message=sent):
        raise UsageError(f"delivery {number} is {found.state}: only {' or '.join(from_states)} becomes {to}")
    if sent is not None and found.chat is not None:
        app.store.note_message(found.chat, sent)
    return _delivery(app, number)


def part_of(app: App, post_id: int, number: int) -> Part:
    """A part (from 1) of a post that is approved: of a draft everything can be edited."""
    from digest.actions.posts import find

    post = find(app, post_id)
    if post.state != "approved":
        raise UsageError(f"post {post_id} is {post.state}: only what was approved is corrected")
    if not 1 <= number <= len(post.parts):
        raise UsageError(f"post {post_id} has no part {number}, but {len(post.parts)}")
    return post.parts[number - 1]


def correct(app: App, post_id: int, number: int, html: str) -> Part:
    """Change the text of a part that is approved; where it was sent, the next delivery edits the message.
    Raises InputError for what Telegram would not show as it is written."""
    from digest.markup import CAPTION_LIMIT, check, parse, utf16_length

    old = part_of(app, post_id, number)
    text = html.strip()
    check(text)
    made = parse(text)
    if old.picture and (units := utf16_length(made.text)) > CAPTION_LIMIT:
        raise InputError(f"it has {units} characters; under a picture there is room for {CAPTION_LIMIT}")
    new = Part(text, made.text, made.entities, old.picture)
    now, by = app.clock.now(), app.person
    if not app.store.replace_part(post_id, number - 1, new, old, now=now, by=by, state="approved"):
        raise TryAgain(f"post {post_id} was changed meanwhile: look at it again")
    return new


def _delivery(app: App, number: int) -> Delivery:
    for found in app.store.deliveries():
        if found.id == number:
            return found
    raise InputError(f"no delivery {number}; digest outbox list shows what there is")


def _receipt(app: App, found: Delivery, message: int) -> str:
    from digest.channels import RemoteChannel

    for channel in app.channels():
        if channel.name == found.channel and isinstance(channel, RemoteChannel):
            channel.chat = found.chat or channel.chat
            return channel.receipt(message)
    return f"message {message}"


def check(app: App, name: str | None) -> list[Finding]:
    """Whether the Telegram channels can be posted to; one where all is well again is resumed."""
    from digest.channels.check import MAY_POST, Finding
    from digest.channels.check import check as look
    from digest.channels.telegram import TelegramChannel

    channels = [channel for channel in app.channels() if isinstance(channel, TelegramChannel)]
    wanted = [channel for channel in channels if name in (None, channel.name)]
    if not wanted:
        known = ", ".join(channel.name for channel in channels) or "none: docs/telegram.md says how"
        raise UsageError(f"no Telegram channel {name or 'at all'}; there are {known}")
    found: list[Finding] = []
    for channel in wanted:
        channel.chat = app.store.chat(channel.address).id
        looked = look(channel, _sample_part(app, channel.name))
        found += looked
        may_post = any(one.text == MAY_POST for one in looked)
        if may_post and app.store.resume_channel(channel.name):
            found.append(Finding(channel.name, True, "it was paused and goes on with the next delivery"))
    return found


def _sample_part(app: App, channel: str) -> Part:
    """The first part of the newest post for a channel, else a few words in bold."""
    chosen = app.settings.channels[channel]
    for post in reversed(app.store.posts()):
        if chosen.takes(post.topics[0], post.language) and post.parts:
            return post.parts[0]
    text = "This is how posts will look: bold, and a link."
    bold, link = TextEntity("bold", 29, 4), TextEntity("text_link", 41, 4, url="https://arxiv.org")
    return Part("", text, (bold, link))


def review(app: App) -> Polled:
    """Take the decisions that editors made in Telegram, and show them the drafts that wait."""
    from digest.review import poll

    return poll(app.store, app.bot, _editors(app), app.now, app.clock, app.settings.home)


def live_review(app: App, seconds: float | None, told: Callable[[Polled], None]) -> None:
    """The same at once, whenever an editor does something: for so many seconds, or until SIGTERM or
    SIGINT, at which what is under way is finished."""
    import signal

    from digest.review import Waiting

    waiting = Waiting()
    until = None if seconds is None else app.clock.now() + timedelta(seconds=seconds)
    known = {number: signal.signal(number, waiting.end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        watch(app, waiting, told, until)
    finally:
        for number, handler in known.items():
            signal.signal(number, handler)


def watch(app: App, waiting: Waiting, told: Callable[[Polled], None], until: datetime | None = None) -> None:
    """The same for a process that stays and does other things too: in a thread of its own with an App of
    its own, until ``waiting.over`` is set (seen within 20 s) or a time. Raises TryAgain while another
    process reads what the bot is told: there is one reader."""
    from digest.review import live

    home, editors = app.settings.home, _editors(app)
    live(app.store, app.bot, editors, app.clock, waiting, until=until, home=home, told=told)


def _editors(app: App) -> tuple[int, ...]:
    editors = app.settings.telegram.editors
    if not editors:
        raise UsageError("nobody may approve: name telegram.editors, or use digest posts approve")
    return editors
