"""What stands behind the methods: chats, the messages in them, users, updates, the clock, the log.

Rights and refusals are those of telegram-bot-api (Client.cpp, check_chat_access) and TDLib.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from botserver.flood import Flood
from botserver.request import bad_request, forbidden
from botserver.texts import Text

DELETE_WITHIN = 48 * 3600
"""A message can be deleted for so long (https://core.telegram.org/bots/api#deletemessage)."""

CALLBACK_WITHIN = 15 * 60
"""A pressed button can be answered for so long; Telegram does not say how long it is."""

UPDATES_KEPT = 24 * 3600
"""Updates are kept for a day (https://core.telegram.org/bots/api#getting-updates)."""

ADMINISTRATOR = {
    "can_post_messages": True,
    "can_edit_messages": True,
    "can_delete_messages": True,
    "can_pin_messages": True,
    "can_manage_topics": True,
}


@dataclass
class Message:
    """A message as the chat holds it. ``content`` has the fields that its kind has: text and entities;
    caption, caption_entities and photo; poll; pinned_message. ``dropped`` entities were too many.
    ``by`` is the id of the user who wrote it; ``edits`` are its earlier contents."""

    chat: int
    message_id: int
    date: int
    by: int
    content: dict[str, Any]
    thread: int = 0
    silent: bool = False
    protected: bool = False
    preview: dict[str, Any] = field(default_factory=dict)
    markup: dict[str, Any] | None = None
    reply_to: int = 0
    forwarded: dict[str, Any] = field(default_factory=dict)
    edit_date: int = 0
    edits: list[dict[str, Any]] = field(default_factory=list)
    deleted: bool = False
    dropped: int = 0

    @property
    def text(self) -> str:
        """Text, or caption."""
        return str(self.content.get("text", self.content.get("caption", "")))

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The entities of text or caption."""
        return list(self.content.get("entities", self.content.get("caption_entities", [])))

    @property
    def is_service(self) -> bool:
        """Whether it only says that something was done: a message pinned, a topic opened."""
        return "pinned_message" in self.content or "forum_topic_created" in self.content


@dataclass
class Chat:
    """A chat. ``status`` is the bot's own: administrator, member, restricted, left or kicked; in
    ``rights`` is what an administrator may do; ``members`` holds the status of other users."""

    id: int
    type: str
    title: str = ""
    username: str = ""
    status: str = "administrator"
    rights: dict[str, bool] = field(default_factory=lambda: dict(ADMINISTRATOR))
    members: dict[int, str] = field(default_factory=dict)
    is_forum: bool = False
    topics: dict[int, str] = field(default_factory=dict)
    closed_topics: list[int] = field(default_factory=list)
    protected: bool = False
    migrated_to: int = 0
    started: bool = True
    blocked: bool = False
    deactivated: bool = False
    next_id: int = 1
    pinned: list[int] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)

    @property
    def is_channel(self) -> bool:
        """Whether only administrators post."""
        return self.type == "channel"

    def may(self, right: str) -> bool:
        """Whether the bot has an administrator's right."""
        return self.status == "creator" or (self.status == "administrator" and self.rights.get(right, False))

    def short(self) -> dict[str, Any]:
        """The chat as a message shows it."""
        name = {"first_name": self.title} if self.type == "private" else {"title": self.title}
        found = {"id": self.id, "type": self.type, **name}
        if self.username:
            found["username"] = self.username
        return found | ({"is_forum": True} if self.is_forum else {})

    def live(self, message_id: int) -> Message | None:
        """A message that is still there."""
        message = self.messages.get(message_id)
        return message if message and not message.deleted else None


@dataclass
class Pressed:
    """A button that a person pressed, and what the bot answered."""

    id: str
    date: float
    answers: list[dict[str, Any]] = field(default_factory=list)


class World:
    """All there is. ``lock`` guards it; long polls wait on it."""

    def __init__(self, token: str, log: Path | None = None) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.token = token
        bot = int(token.partition(":")[0])
        self.bot: dict[str, Any] = {
            "id": bot,
            "is_bot": True,
            "first_name": "Digest",
            "username": "digest_test_bot",
        }
        self.users: dict[int, dict[str, Any]] = {bot: self.bot}
        self.chats: dict[int, Chat] = {}
        self.pressed: dict[str, Pressed] = {}
        self.updates: deque[tuple[float, dict[str, Any]]] = deque()
        self.next_update = 100_000_001
        self.next_id = 1
        self.allowed: list[str] = []
        self.poller = 0
        self.webhook = ""
        self.rich = True
        self.commands: list[dict[str, str]] = []
        self.photos: dict[str, dict[str, Any]] = {}
        self.flood = Flood()
        self.closing = False
        self.skipped = 0.0
        self._polls = 0
        self._log = log.open("a", encoding="utf-8", buffering=1) if log else None

    def close(self) -> None:
        """End long polls and close the log."""
        with self.lock:
            self.closing = True
            self.lock.notify_all()
        if self._log:
            self._log.close()

    def now(self) -> float:
        """Unix time, skips included."""
        return time.time() + self.skipped

    def record(self, event: str, **fields: Any) -> None:
        """Add a line to the log on disk."""
        if self._log:
            line = {"at": round(self.now(), 3), "event": event, **fields}
            self._log.write(json.dumps(line, ensure_ascii=False) + "\n")

    def next_poll(self) -> int:
        """A number for a new poll."""
        self._polls += 1
        return self._polls

    # --- chats ---

    def find(self, chat_id: str, name: str = "chat_id") -> Chat:
        """A chat by its id or @name (people have no @name here). Raises ApiError."""
        if not chat_id:
            raise bad_request(f"{name} is empty")
        chat = self._by_name(chat_id[1:]) if chat_id[0] == "@" else self._by_id(chat_id)
        if chat is None:
            raise bad_request("Chat not found")
        return chat

    def _by_name(self, name: str) -> Chat | None:
        public = (c for c in self.chats.values() if c.type != "private" and c.username)
        return next((c for c in public if c.username.lower() == name.lower()), None)

    def _by_id(self, text: str) -> Chat | None:
        digits = text.removeprefix("-")
        return self.chats.get(int(text)) if digits.isdecimal() and digits.isascii() else None

    def readable(self, chat_id: str, name: str = "chat_id") -> Chat:
        """A chat that the bot may look into. Raises ApiError."""
        chat = self.find(chat_id, name)
        if chat.status == "kicked":
            raise forbidden(f"bot was kicked from the {chat.type} chat")
        if chat.status == "left" and not chat.username:
            raise forbidden(f"bot is not a member of the {chat.type} chat")
        return chat

    def writable(self, chat_id: str) -> Chat:
        """A chat in which the bot may do something. Raises ApiError."""
        chat = self.find(chat_id)
        if chat.migrated_to:
            raise bad_request(
                "Group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to
            )
        if chat.deactivated:
            raise forbidden("user is deactivated")
        if chat.blocked:
            raise forbidden("bot was blocked by the user")
        if not chat.started:
            raise forbidden("bot can't initiate conversation with a user")
        if chat.status == "left":
            raise forbidden(f"bot is not a member of the {chat.type} chat")
        return self.readable(chat_id)

    # --- messages ---

    def add(self, chat: Chat, content: Mapping[str, Any], text: Text | None = None, **fields: Any) -> Message:
        """A new message at the end of a chat."""
        message = Message(
            chat=chat.id,
            message_id=self._next_id(chat),
            date=int(self.now()),
            by=fields.pop("by", self.bot["id"]),
            content=dict(content),
            dropped=text.dropped if text else 0,
            protected=fields.pop("protected", False) or chat.protected,
            **fields,
        )
        chat.messages[message.message_id] = message
        self.record("message", **asdict(message))
        return message

    def _next_id(self, chat: Chat) -> int:
        """Channels and supergroups count for themselves; private chats and groups share the bot's count."""
        counter = chat if chat.type in ("channel", "supergroup") else self
        counter.next_id += 1
        return counter.next_id - 1

    def shown(self, message: Message) -> dict[str, Any]:
        """A Message as the API writes it. In a channel it has no author but the channel."""
        chat = self.chats[message.chat]
        found: dict[str, Any] = {"message_id": message.message_id, "date": message.date, "chat": chat.short()}
        if chat.is_channel:
            found["sender_chat"] = chat.short()
        else:
            found["from"] = self.users[message.by]
        if message.thread:
            found |= {"message_thread_id": message.thread, "is_topic_message": True}
        if message.forwarded:
            found["forward_origin"] = message.forwarded
        if message.edit_date:
            found["edit_date"] = message.edit_date
        if message.protected:
            found["has_protected_content"] = True
        if message.preview:
            found["link_preview_options"] = message.preview
        if message.markup:
            found["reply_markup"] = message.markup
        if reply := chat.live(message.reply_to):
            found["reply_to_message"] = self.shown(reply)
        found |= {name: value for name, value in message.content.items() if value != []}
        if "pinned_message" in found and (pinned := chat.messages.get(found["pinned_message"])):
            found["pinned_message"] = self.shown(pinned)
        return found

    # --- updates ---

    def tell(self, kind: str, what: Mapping[str, Any]) -> None:
        """Queue an update for the bot, if it wants that kind."""
        unasked = ("chat_member", "message_reaction", "message_reaction_count")
        wanted = kind in self.allowed if self.allowed else kind not in unasked
        if not wanted:
            return
        self.updates.append((self.now(), {"update_id": self.next_update, kind: dict(what)}))
        self.next_update += 1
        self.lock.notify_all()

    def pending(self) -> list[dict[str, Any]]:
        """Updates not yet confirmed and not too old."""
        while self.updates and self.updates[0][0] < self.now() - UPDATES_KEPT:
            self.updates.popleft()
        return [update for _, update in self.updates]
