"""Approval in a chat: the bot shows the editors each draft as it would look, with buttons to decide by.

    show     a draft's parts, then a message with the buttons; noted with the draft's version
    drain    what was pressed since the last time; the first press of an editor decides

A decision is one UPDATE that wants a draft in the version that was shown, so a second press, or one on
an older version, changes nothing and is told so (https://core.telegram.org/bots/api#callbackquery).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from msgspec import Struct

from digest.channels.telegram import Bot, formatted
from digest.clock import Clock
from digest.errors import DeliveryError, NotSent
from digest.store import Store
from digest.types import Post, PostState, Review

UPDATES = "telegram:updates"
"""The cursor that says up to which update the bot has read."""

PACE = 1.1  # seconds between messages to one person: https://core.telegram.org/bots/faq
_DECISIONS: dict[str, PostState] = {"ok": "approved", "no": "rejected"}
_DONE = {"approved": "✅ Published: it goes out with the next delivery", "rejected": "❌ Rejected"}


class Polled(Struct, frozen=True):
    """What a poll did: the drafts it showed, the decisions it took, and notes for a person."""

    shown: tuple[int, ...]
    decided: tuple[int, ...]
    notes: tuple[str, ...]


def poll(store: Store, bot: Bot, editors: Collection[int], now: datetime, clock: Clock) -> Polled:
    """Take the decisions that wait, then show the drafts that nobody has seen yet. Raises DeliveryError
    where Telegram cannot be asked, TryAgain where another program reads this bot's updates."""
    rests = store.sender_rests(bot.name, clock.now())
    if rests is not None:
        return Polled((), (), (f"{bot.name} rests until {rests:%Y-%m-%d %H:%M:%S} UTC",))
    desk = _Desk(store, bot, frozenset(editors), now)
    decided = list(desk.drain())
    shown: list[int] = []
    for post in store.posts(state="draft"):
        seen = store.review(post.id)
        if seen is not None and seen.version == post.version:
            continue
        try:
            desk.show(post, clock)
        except NotSent as error:
            if error.wait is not None:
                store.rest_sender(bot.name, clock.now() + error.wait)
            desk.notes.append(f"post {post.id} could not be shown: {error}")
            break
        shown.append(post.id)
    return Polled(tuple(shown), tuple(decided), tuple(desk.notes))


class _Desk:
    """Where drafts are shown and decided."""

    def __init__(self, store: Store, bot: Bot, editors: frozenset[int], now: datetime) -> None:
        self._store, self._bot, self._editors, self._now = store, bot, editors, now
        self.notes: list[str] = []

    def show(self, post: Post, clock: Clock) -> None:
        """Send the parts as they are, then the buttons; noted only when all stand there."""
        from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions

        chat = self._bot.editor_chat
        for part in post.parts:
            self._bot.call(
                "send_message",
                chat_id=chat,
                disable_notification=True,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                **formatted(part),
            )
            clock.sleep(PACE)
        buttons = [
            InlineKeyboardButton(text, callback_data=f"{what}:{post.id}:{post.version}")
            for what, text in (("ok", "✅ Publish"), ("no", "❌ Reject"))
        ]
        control = self._bot.call(
            "send_message", chat_id=chat, text=_title(post), reply_markup=InlineKeyboardMarkup([buttons])
        )
        clock.sleep(PACE)
        self._store.put_review(Review(post.id, post.version, str(chat), control.message_id))

    def drain(self) -> Iterator[int]:
        """Take every press that waits, oldest first; the ids of the posts that were decided by one.

        An update is confirmed only after what it says is stored: after a crash it is read again, and then
        changes nothing (https://core.telegram.org/bots/api#getupdates).
        """
        offset = int(self._store.cursor(UPDATES) or 0)
        while updates := self._updates(offset):
            for update in updates:
                if update.callback_query is not None:
                    yield from self._press(update.callback_query)
                offset = update.update_id + 1
                self._store.put_cursor(UPDATES, str(offset), self._now)
        if offset:
            self._updates(offset)  # confirms the last ones

    def _updates(self, offset: int) -> list[Any]:
        found: list[Any] = list(
            self._bot.call("get_updates", offset=offset, timeout=0, allowed_updates=["callback_query"])
        )
        return found

    def _press(self, query: Any) -> Iterator[int]:
        what, number, shown = (*str(query.data or "").split(":"), "", "", "")[:3]
        post = self._store.post(int(number)) if number.isdecimal() else None
        if query.from_user.id not in self._editors:
            self.notes.append(f"{query.from_user.id} pressed a button and is no editor")
            self._answer(query, "Only the editors of this channel can decide that.")
        elif what not in _DECISIONS or post is None:
            self._answer(query, "This button means nothing any more.")
        elif self._decide(post, what, shown, query.from_user.id):
            self.notes.append(f"post {post.id} {_DECISIONS[what]} by {query.from_user.id}")
            yield post.id
            self._answer(query, _DONE[_DECISIONS[what]])
            self._close(query, post, _DECISIONS[what])
        else:
            self._too_late(query, post.id, shown)

    def _decide(self, post: Post, what: str, shown: str, editor: int) -> bool:
        """Whether this press has decided: on a draft, and on the version that was shown with the button."""
        if not shown.isdecimal():  # of a time when versions had no numbers
            return False
        return self._store.set_post_state(
            post.id, ("draft",), _DECISIONS[what], self._now, version=int(shown), by=f"telegram {editor}"
        )

    def _too_late(self, query: Any, number: int, shown: str) -> None:
        post = self._store.post(number)
        if post is None or str(post.version) != shown:
            self._answer(query, "The post was changed since: decide on its newer version.")
        else:
            self._answer(query, f"It is already {post.state}.")
            self._close(query, post, post.state)

    def _answer(self, query: Any, text: str) -> None:
        with suppress(DeliveryError):  # too late to answer is no harm: what was decided is stored
            self._bot.call("answer_callback_query", callback_query_id=query.id, text=text[:200])

    def _close(self, query: Any, post: Post, state: PostState) -> None:
        """Take the buttons away and say what was decided."""
        if query.message is not None:
            with suppress(DeliveryError):
                self._bot.call(
                    "edit_message_text",
                    chat_id=query.message.chat.id,
                    message_id=query.message.message_id,
                    text=f"{_title(post)}\n{_DONE.get(state, state)}",
                )


def _title(post: Post) -> str:
    parts = f", {len(post.parts)} parts" if len(post.parts) > 1 else ""
    changed = f", version {post.version}" if post.version > 1 else ""
    return f"Post {post.id}: {', '.join(post.topics)}, {post.language}, {post.slot}{parts}{changed}"
