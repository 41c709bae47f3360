"""What the tests of approval in a chat share: an editor's hands, and what they see."""

from __future__ import annotations

from botapi import BotApi
from digest.review import Polled, poll
from outbox import EDITOR, NOON, Office

SECOND, STRANGER = 500_000_002, 500_000_099


def polled(desk: Office, *editors: int) -> Polled:
    """A poll, with these editors or the one there is."""
    with desk.bot() as bot:
        return poll(desk.store, bot, editors or (EDITOR,), NOON, desk.clock)


def control(api: BotApi) -> int:
    """The newest message with buttons, or that had some."""
    return [one for one in api.messages(EDITOR) if one.text.startswith("Post ")][-1].message_id


def press(api: BotApi, button: str, user: int = EDITOR) -> str:
    """Press a button of the newest message; the query that comes of it."""
    return api.press(EDITOR, control(api), user, button)


def said(api: BotApi, query: str) -> list[str]:
    """What a press was answered with."""
    return [str(one.get("text")) for one in api.answers(query)]
