"""Methods that put messages into chats: sendMessage, sendRichMessage, sendPhoto, sendPoll, forwardMessage,
copyMessage.

The order in which a call is refused is the server's: markup of the text, reply markup, chat, thread,
rights, content, rate.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import Any

from botserver.chats import Chat, Message, World
from botserver.keyboards import check_markup, read_markup
from botserver.request import ApiError, Call, bad_request
from botserver.texts import Text, finish, read
from digest.markup.formatted import CAPTION_LIMIT, TEXT_LIMIT, Formatted

PHOTO_BYTES = 10 * 1024 * 1024
RICH_LENGTH = 32768
_GENERAL = 1

Content = tuple[dict[str, Any], Text | None]


def send_message(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#sendmessage"""
    given = read_text(call)
    preview = read_preview(call)
    return world.shown(_post(world, call, "text messages", lambda: text_content(given), preview=preview))


def send_rich_message(world: World, call: Call) -> Any:
    """sendRichMessage of Bot API 10.1: what is in it is read by Telegram, not by the Bot API server."""
    given = read_rich(world, call)
    return world.shown(_post(world, call, "text messages", lambda: ({"rich_message": given}, None)))


def read_rich(world: World, call: Call) -> dict[str, Any]:
    """The rich message of a call. Raises ApiError."""
    if not world.rich:
        raise ApiError(404, "Not Found: method not found")
    given = call.parsed("rich_message", "rich message")
    if not isinstance(given, dict):
        raise bad_request("Object expected as rich message")
    if len([name for name in ("html", "markdown", "blocks") if given.get(name)]) != 1:
        raise bad_request("RICH_MESSAGE_INVALID")
    if len(str(given.get("html", ""))) > RICH_LENGTH:
        raise bad_request("RICH_MESSAGE_TOO_LONG")
    return given


def send_photo(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#sendphoto"""
    given = read(call, "caption", "caption_entities")
    return world.shown(
        _post(world, call, "photos", lambda: _with_caption({"photo": _photo(world, call)}, given))
    )


def send_poll(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#sendpoll"""
    options = call.parsed("options", "options")
    if not isinstance(options, list):
        raise bad_request("Expected an Array of String as options")
    return world.shown(_post(world, call, "polls", lambda: ({"poll": _poll(world, call, options)}, None)))


def forward_message(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#forwardmessage"""
    source, message = _source(world, call, "forward")
    origin = {"type": "channel", "chat": source.short(), "message_id": message.message_id}
    if not source.is_channel:
        origin = {"type": "user", "sender_user": world.users[message.by]}
    origin = message.forwarded or origin | {"date": message.date}
    content = (message.content, None)
    return world.shown(_post(world, call, "text messages", lambda: content, forwarded=origin))


def copy_message(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#copymessage"""
    _, message = _source(world, call, "copy")
    made = _post(world, call, "text messages", lambda: (message.content, None))
    return {"message_id": made.message_id}


# --- what edits share with sends --------------------------------------------------------------------


def read_text(call: Call) -> Formatted:
    """The text argument of a message. Raises ApiError."""
    if not call.arg("text"):
        raise bad_request("Message text is empty")
    return read(call)


def text_content(given: Formatted) -> Content:
    """The content of a text message. Raises ApiError."""
    text = finish(given, TEXT_LIMIT, "Message is too long")
    return {"text": text.text, "entities": text.entities}, text


def caption_content(given: Formatted) -> Content:
    """Caption fields. Raises ApiError."""
    text = finish(given, CAPTION_LIMIT, "Message caption is too long", empty=True)
    return ({"caption": text.text, "caption_entities": text.entities} if text.text else {}), text


def read_preview(call: Call) -> dict[str, Any]:
    """Link preview options. Raises ApiError."""
    given = call.parsed("link_preview_options", "link preview options")
    if given is None:
        return {"is_disabled": True} if call.true("disable_web_page_preview") else {}
    if not isinstance(given, dict):
        raise bad_request("Object expected as link preview options")
    return given


# --- a new message ----------------------------------------------------------------------------------


def _post(world: World, call: Call, what: str, content: Callable[[], Content], **fields: Any) -> Message:
    markup = read_markup(call)
    replied = _reply(call)
    chat = world.writable(call.arg("chat_id"))
    thread = _thread(chat, call.integer("message_thread_id"))
    check_rights(chat, what)
    reply_to = _found_reply(chat, replied)
    made, text = content()
    kept = check_markup(markup, chat)
    world.flood.take(call.method, chat.id, world.now())
    silent, protected = call.true("disable_notification"), call.true("protect_content")
    return world.add(
        chat,
        made,
        text,
        thread=thread,
        markup=kept,
        reply_to=reply_to,
        silent=silent,
        protected=protected,
        **fields,
    )


def check_rights(chat: Chat, what: str) -> None:
    """Whether the bot may post this kind of thing in the chat. Raises ApiError."""
    if chat.is_channel and not chat.may("can_post_messages"):
        raise bad_request("Need administrator rights in the channel chat")
    if chat.status == "restricted":
        raise bad_request(f"Not enough rights to send {what} to the chat")


def _thread(chat: Chat, thread: int) -> int:
    """The topic a message goes to; in a chat without topics the argument is ignored."""
    if not chat.is_forum or not thread:
        return 0
    if thread == _GENERAL or thread not in chat.topics:
        raise bad_request("Message thread not found")
    if thread in chat.closed_topics:
        raise bad_request("TOPIC_CLOSED")
    return thread


def _reply(call: Call) -> Mapping[str, Any]:
    given = call.parsed("reply_parameters", "reply parameters")
    if given is None:
        sent = call.integer("reply_to_message_id")
        return {"message_id": sent, "allow_sending_without_reply": call.true("allow_sending_without_reply")}
    if not isinstance(given, dict):
        raise bad_request("Object expected as reply parameters")
    return given


def _found_reply(chat: Chat, given: Mapping[str, Any]) -> int:
    wanted = given.get("message_id") or 0
    if not isinstance(wanted, int):
        raise bad_request('Field "message_id" must be of type Number')
    if not wanted or chat.live(wanted):
        return wanted
    if given.get("allow_sending_without_reply"):
        return 0
    raise bad_request("Message to be replied not found")


def _source(world: World, call: Call, verb: str) -> tuple[Chat, Message]:
    """The message that is to be forwarded or copied."""
    source = world.readable(call.required("from_chat_id"), "from_chat_id")
    message = source.live(call.integer("message_id"))
    if message is None:
        raise bad_request(f"Message to {verb} not found")
    past = {"forward": "forwarded", "copy": "copied"}[verb]
    if message.protected:
        raise bad_request(f"Message has protected content and can't be {past}")
    if message.is_service:
        raise bad_request(f"Message can't be {past}")
    return source, message


# --- pictures ---------------------------------------------------------------------------------------


def _with_caption(content: dict[str, Any], given: Formatted) -> Content:
    fields, text = caption_content(given)
    return content | fields, text


def _photo(world: World, call: Call) -> list[dict[str, Any]]:
    given = call.arg("photo")
    name = given.removeprefix("attach://") if given.startswith("attach://") else "photo"
    file = call.files.get(name)
    if file is None:
        return _known_photo(world, given)
    if not file.content:
        raise bad_request("File must be non-empty")
    if (size := len(file.content)) > PHOTO_BYTES:
        raise bad_request(
            f"File of size {size} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes"
        )
    width, height = _dimensions(file.content)
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    digest = hashlib.sha256(file.content).hexdigest()
    photo: dict[str, Any] = {
        "file_id": f"AgACAgIAAx{digest[:40]}",
        "file_unique_id": f"AQAD{digest[:12]}",
        "width": width,
        "height": height,
        "file_size": size,
    }
    world.photos[photo["file_id"]] = photo
    return [photo]


def _known_photo(world: World, given: str) -> list[dict[str, Any]]:
    if not given:
        raise bad_request("There is no photo in the request")
    if given not in world.photos:
        raise bad_request("Wrong file identifier/HTTP URL specified")
    return [world.photos[given]]


def _dimensions(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG or JPEG in pixels. Raises ApiError."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    at = 2
    while content.startswith(b"\xff\xd8") and at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length
    raise bad_request("IMAGE_PROCESS_FAILED")


# --- polls ------------------------------------------------------------------------------------------


def _poll(world: World, call: Call, options: list[Any]) -> dict[str, Any]:
    """A poll with TDLib's checks (https://core.telegram.org/bots/api#sendpoll)."""
    question = _short(call.arg("question"), 300, "Poll question length must not exceed 300")
    if not options:
        raise bad_request("Poll must have at least one answer option")
    if len(options) > 12:
        raise bad_request("Poll can't have more than 12 options")
    shown = [_short(_option(one), 100, "Poll options length must not exceed 100") for one in options]
    kind = call.arg("type") or "regular"
    if kind not in ("regular", "quiz"):
        raise bad_request("Unsupported poll type specified")
    if kind == "quiz" and not (call.arg("correct_option_id") or call.arg("correct_option_ids")):
        raise bad_request("Wrong correct option ID specified")
    anonymous = "is_anonymous" not in call.args or call.true("is_anonymous")
    return {
        "id": str(5_000_000_000 + world.next_poll()),
        "question": question,
        "options": [
            {"persistent_id": str(n), "text": text, "voter_count": 0} for n, text in enumerate(shown)
        ],
        "total_voter_count": 0,
        "is_closed": call.true("is_closed"),
        "is_anonymous": anonymous,
        "type": kind,
        "allows_multiple_answers": call.true("allows_multiple_answers"),
        "allows_revoting": kind == "regular",
        "members_only": False,
    }


def _option(given: Any) -> str:
    text = given.get("text") if isinstance(given, dict) else given
    if not isinstance(text, str):
        raise bad_request('Can\'t parse poll option: Field "text" must be of type String')
    return text


def _short(text: str, limit: int, too_long: str) -> str:
    return finish(Formatted(text), limit, too_long).text
