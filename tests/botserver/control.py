"""What people and tests do to the server: make chats, press buttons, order faults, read what it holds.

Each public method of Control is an endpoint too: POST /control/NAME with its arguments as JSON, or
GET /control/NAME?argument=JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from typing import Any

from botserver.chats import Chat, Message, Pressed, World
from botserver.faults import Faults

_IDS = {"channel": -1002000000000, "supergroup": -1003000000000, "group": -4000000}


@dataclass
class Request:
    """A call that came in: when, by the server's clock, what it was, which fault it met, and the HTTP
    status it got (0: none, or not yet)."""

    at: float
    method: str
    args: dict[str, str]
    fault: str = ""
    status: int = 0


class Control:
    """The server's other side."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faulty = Faults()
        self.log: list[Request] = []
        self.crashed: list[str] = []
        self._ids = count(1)
        self._kept: list[tuple[dict[int, Chat], int]] = []

    # --- chats ---

    def chat(self, type: str = "channel", id: int = 0, **fields: Any) -> int:  # noqa: A002 - its name there
        """A new chat; its id. ``fields`` are those of Chat. A private chat has the id of its user."""
        with self.world.lock:
            chat_id = id or _IDS.get(type, 0) - next(self._ids)
            chat = Chat(chat_id, type, **({"title": f"Chat {abs(chat_id) % 1000}"} | fields))
            if chat.is_forum:
                chat.next_id = 2  # 1 is its General topic
            if type == "private":
                self.person(chat_id, chat.title)
                chat.status = "member"
            self.world.chats[chat_id] = chat
            self.world.record("chat", id=chat_id, type=type)
            return chat_id

    def person(self, id: int, name: str = "Ann") -> int:  # noqa: A002 - its name there
        """A user known to the server."""
        self.world.users.setdefault(id, {"id": id, "is_bot": False, "first_name": name})
        return id

    def change(self, chat: int, **fields: Any) -> None:
        """Set fields of a chat: status, rights (merged), topics, blocked, protected, migrated_to ..."""
        with self.world.lock:
            found = self.world.chats[chat]
            for name, value in fields.items():
                if not hasattr(found, name):
                    raise ValueError(f"a chat has no {name}")
                setattr(found, name, found.rights | value if name == "rights" else value)

    def topic(self, chat: int, name: str) -> int:
        """A new topic of a forum; the service message that opens it is its id."""
        with self.world.lock:
            found = self.world.chats[chat]
            message = self.world.add(found, {"forum_topic_created": {"name": name, "icon_color": 7322096}})
            found.topics[message.message_id] = name
            return message.message_id

    # --- what stands in a chat ---

    def messages(self, chat: int, thread: int | None = None) -> list[Message]:
        """What readers see, oldest first: no deleted messages, no service messages."""
        with self.world.lock:
            every = self.world.chats[chat].messages.values()
            live = [one for one in every if not one.deleted and not one.is_service]
            return [one for one in live if thread is None or one.thread == thread]

    def history(self, chat: int) -> list[Message]:
        """All messages that ever stood in a chat, deleted and service messages too."""
        with self.world.lock:
            return list(self.world.chats[chat].messages.values())

    def keep(self) -> int:
        """Keep all chats as they are; the number by which they come back."""
        with self.world.lock:
            self._kept.append(deepcopy((self.world.chats, self.world.next_id)))
            return len(self._kept) - 1

    def bring_back(self, number: int) -> None:
        """All chats are again as they were kept."""
        with self.world.lock:
            self.world.chats, self.world.next_id = deepcopy(self._kept[number])

    # --- people ---

    def post(
        self,
        chat: int,
        text: str = "by hand",
        user: int = 0,
        reply_to: int = 0,
        entities: Sequence[Mapping[str, Any]] = (),
    ) -> int:
        """A person posts in a channel or group; the message's id."""
        with self.world.lock:
            found = self.world.chats[chat]
            by = self.person(user or 900_000_001)
            content = {"text": text, "entities": list(entities)}
            message = self.world.add(found, content, by=by, reply_to=reply_to)
            if found.status in ("administrator", "member", "restricted"):
                self.world.tell("channel_post" if found.is_channel else "message", self.world.shown(message))
            return message.message_id

    def write(
        self, user: int, text: str, reply_to: int = 0, entities: Sequence[Mapping[str, Any]] = ()
    ) -> int:
        """A user writes to the bot, which from then on may write to them; the message's id."""
        with self.world.lock:
            if user not in self.world.chats:
                self.chat("private", user)
            self.world.chats[user].started = True
            return self.post(user, text, user, reply_to, entities)

    def press(self, chat: int, message_id: int, user: int, button: str) -> str:
        """A user presses a button, named by its text or data; the id of the callback query."""
        with self.world.lock:
            found = self.world.chats[chat]
            message = found.live(message_id)
            rows = (message.markup or {}).get("inline_keyboard", []) if message else []
            data = next((one["callback_data"] for row in rows for one in row if button in one.values()), None)
            if message is None or data is None:
                raise ValueError(f"no button {button!r} on message {message_id}")
            pressed = Pressed(str(7_000_000_000_000 + len(self.world.pressed)), self.world.now())
            self.world.pressed[pressed.id] = pressed
            self.world.tell(
                "callback_query",
                {
                    "id": pressed.id,
                    "from": self.world.users[self.person(user)],
                    "message": self.world.shown(message),
                    "chat_instance": str(abs(chat)),
                    "data": data,
                },
            )
            return pressed.id

    def answers(self, query: str) -> list[dict[str, Any]]:
        """The bot's answers to a callback query."""
        with self.world.lock:
            return self.world.pressed[query].answers

    def react(self, chat: int, message_id: int, counts: Mapping[str, int]) -> None:
        """Readers' reactions to a message: emoji to count. Administrators alone hear of them."""
        with self.world.lock:
            found = self.world.chats[chat]
            if found.status != "administrator":
                return
            reactions = [
                {"type": {"type": "emoji", "emoji": emoji}, "total_count": number}
                for emoji, number in counts.items()
            ]
            what = {"chat": found.short(), "message_id": message_id, "date": int(self.world.now())}
            self.world.tell("message_reaction_count", what | {"reactions": reactions})

    def rich(self, on: bool) -> None:
        """Whether the server is new enough for rich messages."""
        with self.world.lock:
            self.world.rich = on

    def remove(self, chat: int, message_id: int) -> None:
        """A person deletes a message."""
        with self.world.lock:
            self.world.chats[chat].messages[message_id].deleted = True

    # --- time and faults ---

    def skip(self, seconds: float) -> float:
        """Let time pass; the server's time then (Unix)."""
        with self.world.lock:
            self.world.skipped += seconds
            self.world.lock.notify_all()
            return self.world.now()

    def clock(self, at: float) -> float:
        """Set the server's time (Unix seconds); it runs on from there."""
        return self.skip(at - self.world.now())

    def flood(self, on: bool) -> None:
        """Switch the limits on posting on or off."""
        with self.world.lock:
            self.world.flood.on = on

    def early(self) -> list[tuple[str, int, float]]:
        """What was posted while the bot was told to wait: method, chat, seconds too early."""
        with self.world.lock:
            return list(self.world.flood.early)

    def fault(self, *names: str, methods: Sequence[str] = ()) -> None:
        """Order faults (botserver.faults), one each for the next requests of these methods, or of any."""
        with self.world.lock:
            self.faulty.order(names, methods)

    def faults(self, rate: float, kinds: Sequence[str], methods: Sequence[str] = (), seed: int = 0) -> None:
        """From now on requests meet one of these faults at a rate (0 to 1), the same with each seed."""
        with self.world.lock:
            self.faulty.at_rate(rate, kinds, methods, seed)

    def clear(self) -> None:
        """No more faults."""
        with self.world.lock:
            self.faulty.clear()

    def crashes(self) -> list[str]:
        """What went wrong in the server itself, as tracebacks. There should be none."""
        with self.world.lock:
            return list(self.crashed)

    def requests(self, method: str = "") -> list[Request]:
        """The calls that came in, oldest first; those of a method."""
        with self.world.lock:
            return [one for one in self.log if method.lower() in ("", one.method)]
