"""Approval in a chat: the bot shows the editors each draft as it would look, with buttons to decide by.

    show     a draft's parts, then a message with the buttons; noted with the draft's version
    drain    what was pressed and written since the last time; the first press of an editor decides
    edit     the bot asks for a new text; the answer to that becomes the part, and the draft is shown again

A decision is one UPDATE that wants a draft in the version that was read, so a second press, or one on an
older version, changes nothing and is told so (https://core.telegram.org/bots/api#callbackquery). What
readers' reactions come to is told by the same updates, and noted.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from digest.channels import messages
from digest.channels.telegram import Bot
from digest.clock import Clock
from digest.errors import DeliveryError, InputError, NotSent, StoreError, TryAgain
from digest.store import Store
from digest.types import Part, Post, PostState, Question, Review

UPDATES = "telegram:updates"
"""The cursor that says up to which update the bot has read."""

POLLER = "telegram:poll"
"""The turn of who reads the bot's updates: Telegram sends the older of two readers away."""

TURN = timedelta(seconds=150)
WAIT = 20
"""Seconds that one request waits for something to happen; with the client's own 30 below a minute."""

PACE = 1.1  # seconds between messages to one person: https://core.telegram.org/bots/faq
WANTED = ("callback_query", "message", "message_reaction_count")
_DECISIONS: dict[str, PostState] = {"ok": "approved", "no": "rejected"}
_DONE = {"approved": "✅ Published: it goes out with the next delivery", "rejected": "❌ Rejected"}
_STALE = "The post was changed since: decide on its newer version."
_EDITED = "edited: its newer version is below"


class Polled(Struct, frozen=True):
    """What a poll did: the drafts it showed, the decisions it took, the drafts that were edited, and notes
    for a person."""

    shown: tuple[int, ...] = ()
    decided: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    edited: tuple[int, ...] = ()


class Waiting:
    """Whether a live poll is waiting, when a signal may end it at once, and whether it was told to end."""

    now = False
    over = False

    def end(self, *_: object) -> None:
        """A handler for signals: what is under way is finished first."""
        self.over = True
        if self.now:
            raise Ended


class Ended(BaseException):
    """A wait was ended by a signal."""


def poll(
    store: Store, bot: Bot, editors: Collection[int], now: datetime, clock: Clock, home: Path = Path()
) -> Polled:
    """Take the decisions that wait, then show the drafts that nobody has seen yet. Raises DeliveryError
    where Telegram cannot be asked, TryAgain where another program reads this bot's updates."""
    with _turn(store, clock) as desk_is_ours:
        desk_is_ours()
        return _round(store, bot, frozenset(editors), now, clock, home, 0)


def live(
    store: Store,
    bot: Bot,
    editors: Collection[int],
    clock: Clock,
    waiting: Waiting,
    *,
    until: datetime | None = None,
    home: Path = Path(),
    told: Callable[[Polled], None] = lambda _: None,
) -> None:
    """As `poll`, again and again, each press at once, until a time or the end of ``waiting``. Where
    Telegram cannot be reached it waits; raises TryAgain where another program reads the updates."""
    with _turn(store, clock) as desk_is_ours:
        while not waiting.over and (until is None or clock.now() < until):
            desk_is_ours()
            left = WAIT if until is None else min(WAIT, (until - clock.now()).total_seconds())
            try:
                told(_round(store, bot, frozenset(editors), clock.now(), clock, home, left, waiting))
            except Ended:
                break
            except DeliveryError as error:
                told(Polled(notes=(f"{error}; going on in {WAIT} s",)))
                _nap(clock, waiting)


def _nap(clock: Clock, waiting: Waiting) -> None:
    waiting.now = True
    with suppress(Ended):
        if not waiting.over:
            clock.sleep(WAIT)
    waiting.now = False


@contextmanager
def _turn(store: Store, clock: Clock) -> Iterator[Callable[[], None]]:
    """The turn to read the bot's updates; what is given takes it, or goes on with it. Raises TryAgain while
    it is another's."""
    owner = f"{os.getpid()}-{uuid.uuid4().hex}"

    def take() -> None:
        busy = store.take_turn(POLLER, owner, clock.now(), clock.now() + TURN)
        if busy is not None:
            why = f"if it has died, its turn ends at {busy:%H:%M:%S} UTC"
            raise TryAgain(f"another process reads what the bot is told; {why}")

    try:
        yield take
    finally:
        store.end_turn(POLLER, owner)


def _round(
    store: Store,
    bot: Bot,
    editors: frozenset[int],
    now: datetime,
    clock: Clock,
    home: Path,
    wait: float,
    waiting: Waiting | None = None,
) -> Polled:
    rests = store.sender_rests(bot.name, clock.now())
    if rests is not None:
        if waiting:
            _nap(clock, waiting)
        return Polled(notes=(f"{bot.name}: no request before {rests:%Y-%m-%d %H:%M:%S} UTC",))
    desk = _Desk(store, bot, editors, now, home)
    decided = list(desk.drain())
    shown = list(_shown(store, desk, clock))
    if wait and not (decided or shown or desk.edited):
        decided = list(desk.drain(wait, waiting))
        shown = list(_shown(store, desk, clock))
    return Polled(tuple(shown), tuple(decided), tuple(desk.notes), tuple(desk.edited))


def _shown(store: Store, desk: _Desk, clock: Clock) -> Iterator[int]:
    """Show the drafts that nobody has seen as they are; their ids."""
    for post in store.posts(state="draft"):
        seen = store.review(post.id)
        if seen is not None and seen.version == version(post):
            continue
        try:
            desk.show(post, clock)
        except NotSent as error:
            if error.wait is not None:
                store.rest_sender(desk.bot.name, clock.now() + error.wait)
            desk.notes.append(f"post {post.id} could not be shown: {error}")
            return
        yield post.id


def version(post: Post) -> str:
    """Eight letters that change with anything of the post."""
    every = "\0".join(part.sha256 for part in post.parts)
    return hashlib.sha256(every.encode()).hexdigest()[:8]


class _Desk:
    """Where drafts are shown and decided."""

    def __init__(self, store: Store, bot: Bot, editors: frozenset[int], now: datetime, home: Path) -> None:
        self._store, self.bot, self._editors, self._now, self._home = store, bot, editors, now, home
        self.notes: list[str] = []
        self.edited: list[int] = []

    def show(self, post: Post, clock: Clock) -> None:
        """Send the parts as they are, then the buttons; noted only when all stand there."""
        from telegram import InlineKeyboardMarkup

        chat = self.bot.editor_chat
        for part in post.parts:
            self._show_part(part)
            clock.sleep(PACE)
        shown = version(post)
        control = self.bot.call(
            "send_message",
            chat_id=chat,
            text=_title(post),
            reply_markup=InlineKeyboardMarkup(_buttons(post, shown)),
        )
        clock.sleep(PACE)
        self._store.put_review(Review(post.id, shown, str(chat), control.message_id))

    def _show_part(self, part: Part) -> None:
        where = {"chat_id": self.bot.editor_chat, "disable_notification": True}
        if part.picture:
            photo = messages.picture(part, self._home)
            self.bot.call("send_photo", **where, photo=photo, **messages.caption(part))
        else:
            preview = messages.no_preview()
            self.bot.call("send_message", **where, link_preview_options=preview, **messages.text(part))

    def drain(self, wait: float = 0, waiting: Waiting | None = None) -> Iterator[int]:
        """Take all that waits, oldest first, or comes within so many seconds; the ids of the posts that
        were decided by it.

        An update is confirmed only after what it says is stored: after a crash it is read again, and then
        changes nothing (https://core.telegram.org/bots/api#getupdates).
        """
        offset = int(self._store.cursor(UPDATES) or 0)
        while updates := self._updates(offset, wait, waiting):
            wait = 0
            for update in updates:
                yield from self._take(update)
                offset = update.update_id + 1
                self._store.put_cursor(UPDATES, str(offset), self._now)
        if offset and not wait:
            self._updates(offset)  # confirms the last ones

    def _updates(self, offset: int, wait: float = 0, waiting: Waiting | None = None) -> list[Any]:
        asked = {"offset": offset, "timeout": max(0, int(wait)), "allowed_updates": WANTED}
        if waiting is None:
            return list(self.bot.call("get_updates", **asked))
        waiting.now = True
        try:
            if waiting.over:
                raise Ended
            found = self.bot.call("get_updates", **asked)
        finally:
            waiting.now = False
        return list(found)

    def _take(self, update: Any) -> Iterator[int]:
        if update.callback_query is not None:
            yield from self._press(update.callback_query)
        elif update.message_reaction_count is not None:
            self._note_reactions(update.message_reaction_count)
        elif update.message is not None and update.message.reply_to_message is not None:
            self._answered(update.message)

    # A button.

    def _press(self, query: Any) -> Iterator[int]:
        what, number, shown, part = (*str(query.data or "").split(":"), "", "", "", "")[:4]
        post = self._store.post(int(number)) if number.isdecimal() else None
        if query.from_user.id not in self._editors:
            self.notes.append(f"{query.from_user.id} pressed a button and is no editor")
            self._answer(query, "Only the editors of this channel can decide that.")
        elif post is None or (what not in _DECISIONS and what != "ed"):
            self._answer(query, "This button means nothing any more.")
        elif shown != version(post):
            self._answer(query, _STALE)
        elif what == "ed":
            self._ask_for_text(query, post, int(part) if part.isdecimal() else 0)
        elif self._decide(post, what, _who(query.from_user)):
            self.notes.append(f"post {post.id} {_DECISIONS[what]} by {_who(query.from_user)}")
            yield post.id
            self._answer(query, _DONE[_DECISIONS[what]])
            self._close(query, post, _DONE[_DECISIONS[what]])
        else:
            self._too_late(query, post.id)

    def _decide(self, post: Post, what: str, by: str) -> bool:
        """Whether this press has decided: about a draft, in the version that was compared."""
        return self._store.set_post_state(
            post.id, ("draft",), _DECISIONS[what], self._now, version=post.version, by=by
        )

    def _too_late(self, query: Any, number: int) -> None:
        """Say what somebody else has made of a post, maybe in this very moment."""
        post = self._store.post(number)
        assert post is not None  # posts are never removed
        if post.state == "draft":
            self._answer(query, _STALE)
        else:
            self._answer(query, f"It is already {post.state}.")
            self._close(query, post, _DONE[post.state])

    def _answer(self, query: Any, text: str) -> None:
        with suppress(DeliveryError):  # too late to answer is no harm: what was decided is stored
            self.bot.call("answer_callback_query", callback_query_id=query.id, text=text[:200])

    def _close(self, query: Any, post: Post, what: str) -> None:
        """Take the buttons away and say what was decided."""
        if query.message is not None:
            self._rewrite(str(query.message.chat.id), query.message.message_id, post, what)

    def _rewrite(self, chat: str, message: int, post: Post, what: str) -> None:
        with suppress(DeliveryError):
            text = f"{_title(post)}\n{what}"
            self.bot.call("edit_message_text", chat_id=chat, message_id=message, text=text)

    # A new text.

    def _ask_for_text(self, query: Any, post: Post, number: int) -> None:
        """Ask for the text of a part, in a message that is to be answered."""
        from telegram import ForceReply

        if post.state != "draft" or number >= len(post.parts) or query.message is None:
            self._answer(query, f"It is already {post.state}.")
            return
        which = f"part {number + 1} of post {post.id}" if len(post.parts) > 1 else f"post {post.id}"
        chat = query.message.chat.id
        hint = "Copy the message above, change it, and send it as an answer to this one."
        try:
            asked = self.bot.call(
                "send_message",
                chat_id=chat,
                text=f"✏️ What shall {which} say? {hint} Bold, links and quotes are kept.",
                reply_markup=ForceReply(selective=True),
            )
        except DeliveryError as error:  # the button can be pressed again
            self.notes.append(f"the text of {which} could not be asked for: {error}")
            return
        self._store.put_question(Question(str(chat), asked.message_id, post.id, number, version(post)))
        self._answer(query, "Answer with the new text.")

    def _answered(self, message: Any) -> None:
        """An answer to a question becomes the part, if nothing has happened to the draft since."""
        chat = str(message.chat.id)
        asked = self._store.question(chat, message.reply_to_message.message_id)
        if asked is None:
            return
        if message.from_user is None or message.from_user.id not in self._editors:
            self.notes.append(f"{message.from_user and message.from_user.id} answered and is no editor")
            return
        post = self._store.post(asked.post)
        if post is None or post.state != "draft" or version(post) != asked.version:
            self._say(chat, _STALE if post and post.state == "draft" else "It is decided already.")
            return
        try:
            new = _written(message, post.parts[asked.part])
        except InputError as error:
            self._say(chat, f"That cannot be posted: {error}")
            return
        self._put(post, asked.part, new, chat, _who(message.from_user))

    def _put(self, post: Post, number: int, new: Part, chat: str, by: str) -> None:
        old = post.parts[number]
        if new == old:
            self._say(chat, "That is what it says already.")
        elif self._store.replace_part(post.id, number, new, old, now=self._now, by=by):
            self.notes.append(f"post {post.id} part {number + 1} was edited by {by}")
            self.edited.append(post.id)
            if (seen := self._store.review(post.id)) is not None:
                self._rewrite(seen.chat, seen.message, post, _EDITED)
        else:
            self._say(chat, _STALE)

    def _say(self, chat: str, text: str) -> None:
        with suppress(DeliveryError):
            self.bot.call("send_message", chat_id=chat, text=text[:4000])

    # Reactions.

    def _note_reactions(self, told: Any) -> None:
        counts = {_emoji(one.type): one.total_count for one in told.reactions}
        names = [str(told.chat.id)]
        if told.chat.username:
            names.append(f"@{told.chat.username}")
        with suppress(StoreError):
            self._store.put_reactions(names, told.message_id, counts)


def _written(message: Any, old: Part) -> Part:
    """What an editor wrote, as a part. Raises InputError for what a post cannot say."""
    text = message.text or message.caption
    if not text:
        raise InputError("it has no text")
    return messages.written(text, message.entities or message.caption_entities or (), old)


def _who(user: Any) -> str:
    """An editor, for the record: the name may change, the number does not."""
    return f"{user.full_name} (Telegram {user.id})"


def _emoji(kind: Any) -> str:
    """An emoji; "custom" or "paid" for the other kinds (https://core.telegram.org/bots/api#reactiontype)."""
    found: str | None = getattr(kind, "emoji", None)
    return found or {"custom_emoji": "custom"}.get(kind.type, str(kind.type))


def _buttons(post: Post, shown: str) -> list[list[Any]]:
    """Publish and Reject, and one to edit each part; data of at most 64 bytes."""
    from telegram import InlineKeyboardButton as Button

    decide = [
        Button(text, callback_data=f"{what}:{post.id}:{shown}")
        for what, text in (("ok", "✅ Publish"), ("no", "❌ Reject"))
    ]
    several = len(post.parts) > 1
    edit = [
        Button(
            f"✏️ Edit {number + 1}" if several else "✏️ Edit", callback_data=f"ed:{post.id}:{shown}:{number}"
        )
        for number in range(len(post.parts))
    ]
    return [decide, *(edit[at : at + 4] for at in range(0, len(edit), 4))]


def _title(post: Post) -> str:
    parts = f", {len(post.parts)} parts" if len(post.parts) > 1 else ""
    return f"Post {post.id}: {', '.join(post.topics)}, {post.language}, {post.slot}{parts}"
