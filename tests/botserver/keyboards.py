"""Reply markup: what parses, and what Telegram then refuses."""

from __future__ import annotations

from typing import Any

from botserver.chats import Chat
from botserver.request import ApiError, Call, bad_request

BUTTONS, IN_A_ROW, DATA_BYTES = 100, 8, 64
_ACTIONS = ("url", "callback_data", "web_app", "login_url", "switch_inline_query", "copy_text", "pay")
_OTHER = ("keyboard", "remove_keyboard", "force_reply")


def read_markup(call: Call) -> dict[str, Any] | None:
    """The markup of a call, as it was given. Raises ApiError where it does not parse."""
    if not call.arg("reply_markup"):
        return None
    given = call.parsed("reply_markup", "reply keyboard markup")
    if not isinstance(given, dict):
        raise bad_request("Object expected as reply markup")
    if "inline_keyboard" in given:
        return {"inline_keyboard": _rows(given["inline_keyboard"])}
    return given if any(name in given for name in _OTHER) else None


def check_markup(markup: dict[str, Any] | None, chat: Chat) -> dict[str, Any] | None:
    """The markup as the message keeps it. Raises ApiError where Telegram refuses it."""
    if markup is None:
        return None
    if "inline_keyboard" not in markup:
        if chat.is_channel:
            raise bad_request("inline keyboard expected")
        return None
    rows = markup["inline_keyboard"]
    if sum(map(len, rows)) > BUTTONS or any(len(row) > IN_A_ROW for row in rows):
        raise bad_request("reply markup is too long")
    for button in (button for row in rows for button in row):
        if len(button.get("callback_data", "x").encode()) > DATA_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
    return markup if any(rows) else None


def _rows(given: Any) -> list[list[dict[str, Any]]]:
    if not isinstance(given, list):
        raise bad_request('Field "inline_keyboard" must be of type Array')
    if not all(isinstance(row, list) for row in given):
        raise bad_request('Field "inline_keyboard" must be an Array of Arrays')
    return [[_button(button) for button in row] for row in given]


def _button(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _unreadable("expected an Object")
    if "text" not in given:
        raise _unreadable('Can\'t find field "text"')
    if not isinstance(given["text"], str):
        raise _unreadable('Field "text" must be of type String')
    if not isinstance(given.get("callback_data", ""), str):
        raise _unreadable('Field "callback_data" must be of type String')
    if not any(given.get(action) for action in _ACTIONS):
        raise _unreadable("Text buttons are unallowed in the inline keyboard")
    return given


def _unreadable(why: str) -> ApiError:
    return bad_request(f"Can't parse inline keyboard button: {why}")
