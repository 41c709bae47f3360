"""All methods by name, but for those that post (botserver.posting)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from botserver.chats import CALLBACK_WITHIN, DELETE_WITHIN, Chat, Message, World
from botserver.keyboards import check_markup, read_markup
from botserver.posting import (
    Content,
    caption_content,
    copy_message,
    forward_message,
    read_preview,
    read_rich,
    read_text,
    send_message,
    send_photo,
    send_poll,
    send_rich_message,
    text_content,
)
from botserver.request import ApiError, Call, bad_request
from botserver.texts import read

# https://core.telegram.org/bots/api#chatmemberrestricted
_MEMBER_RIGHTS = (
    *("can_send_messages", "can_send_audios", "can_send_documents", "can_send_photos", "can_send_videos"),
    *("can_send_video_notes", "can_send_voice_notes", "can_send_polls", "can_send_other_messages"),
    *("can_add_web_page_previews", "can_edit_tag", "can_change_info", "can_invite_users"),
    *("can_pin_messages", "can_manage_topics", "can_react_to_messages"),
)
_FULL_RIGHTS = (
    *("can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats"),
    *("can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users"),
    *("can_post_stories", "can_edit_stories", "can_delete_stories"),
)
_NOT_MODIFIED = (
    "Message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)
_WEBHOOK = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
_OTHER_POLLER = "terminated by other getUpdates request; make sure that only one bot instance is running"


# --- who and where ----------------------------------------------------------------------------------


def get_me(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#getme"""
    return world.bot | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def get_chat(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#getchat"""
    chat = world.readable(call.arg("chat_id"))
    gifts = (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    )
    found = chat.short() | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }
    if chat.protected:
        found["has_protected_content"] = True
    pinned = chat.live(chat.pinned[-1]) if chat.pinned else None
    return found | ({"pinned_message": world.shown(pinned)} if pinned else {})


def get_chat_member(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#getchatmember"""
    chat = world.readable(call.arg("chat_id"))
    user = call.integer("user_id")
    if user <= 0:
        raise bad_request("invalid user_id specified")
    if user == world.bot["id"]:
        return _member(world, chat, user, chat.status)
    if chat.is_channel and chat.status != "administrator":
        raise bad_request("Member list is inaccessible")
    if user not in world.users:
        raise bad_request("PARTICIPANT_ID_INVALID")
    return _member(world, chat, user, chat.members.get(user, "left"))


def get_chat_administrators(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#getchatadministrators"""
    chat = world.readable(call.arg("chat_id"))
    if chat.type == "private":
        raise bad_request("there are no administrators in the private chat")
    if chat.is_channel and chat.status != "administrator":
        raise bad_request("Member list is inaccessible")
    every = {**chat.members, world.bot["id"]: chat.status}
    rulers = ((user, status) for user, status in every.items() if status in ("creator", "administrator"))
    return [_member(world, chat, user, status) for user, status in rulers]


def _member(world: World, chat: Chat, user: int, status: str) -> dict[str, Any]:
    found: dict[str, Any] = {"status": status, "user": world.users[user]}
    if status == "administrator":
        found.update((right, False) for right in _FULL_RIGHTS)
        found |= {"can_manage_chat": True} | (chat.rights if user == world.bot["id"] else {})
    elif status == "restricted":
        found |= {"is_member": True, "until_date": 0} | dict.fromkeys(_MEMBER_RIGHTS, False)
    elif status == "creator":
        found["is_anonymous"] = False
    elif status == "kicked":
        found["until_date"] = 0
    return found


def set_my_commands(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#setmycommands"""
    given = call.objects("commands", "BotCommand")
    if len(given) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for one in given:
        if not re.fullmatch(r"/?[a-z0-9_]{1,32}", str(one.get("command", ""))):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(one.get("description", ""))) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    world.commands = given
    return True


# --- messages that are there ------------------------------------------------------------------------


def edit_message_text(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#editmessagetext"""
    if call.arg("rich_message"):
        if not world.rich:
            raise bad_request("Message text is empty")
        rich = read_rich(world, call)
        return _edit(world, call, lambda message: _richer(message, rich), {})
    given, preview = read_text(call), read_preview(call)

    def content(message: Message) -> Content:
        if "text" not in message.content:
            raise bad_request("There is no text in the message to edit")
        return text_content(given)

    return _edit(world, call, content, preview)


def _richer(message: Message, rich: dict[str, Any]) -> Content:
    if "text" not in message.content and "rich_message" not in message.content:
        raise bad_request("There is no text in the message to edit")
    return {"rich_message": rich}, None


def edit_message_caption(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#editmessagecaption"""
    given = read(call, "caption", "caption_entities")

    def content(message: Message) -> Content:
        if "photo" not in message.content:
            raise bad_request("There is no caption in the message to edit")
        fields, text = caption_content(given)
        return {"photo": message.content["photo"]} | fields, text

    return _edit(world, call, content, {})


def edit_message_reply_markup(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#editmessagereplymarkup"""
    return _edit(world, call, lambda message: (message.content, None), None)


def _edit(
    world: World, call: Call, content: Callable[[Message], Content], preview: dict[str, Any] | None
) -> Any:
    """A message edited; without markup it has none from then on."""
    markup = read_markup(call)
    if not call.arg("chat_id") and not call.arg("message_id"):
        raise bad_request("Message identifier is not specified")
    chat = world.writable(call.arg("chat_id"))
    message = chat.live(call.integer("message_id"))
    if message is None:
        raise bad_request("Message to edit not found")
    if not _editable(world, chat, message):
        raise bad_request("Message can't be edited")
    made, text = content(message)
    kept = check_markup(markup, chat)
    shown = message.preview if preview is None else preview
    if (made, kept, shown) == (message.content, message.markup, message.preview):
        raise bad_request(_NOT_MODIFIED)
    world.flood.take(call.method, chat.id, world.now())
    message.edits.append(message.content)
    message.content, message.markup, message.preview = made, kept, shown
    message.edit_date = int(world.now())
    message.dropped = text.dropped if text else message.dropped
    world.record("edit", chat=chat.id, message_id=message.message_id, content=made)
    return world.shown(message)


def _editable(world: World, chat: Chat, message: Message) -> bool:
    if message.is_service or message.forwarded:
        return False
    own = bool(message.by == world.bot["id"])
    if not chat.is_channel:
        return own
    return chat.may("can_edit_messages") or (own and chat.may("can_post_messages"))


def delete_message(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#deletemessage"""
    if not call.arg("chat_id"):
        raise bad_request("Chat identifier is not specified")
    if not call.integer("message_id"):
        raise bad_request("Message identifier is not specified")
    chat = world.writable(call.arg("chat_id"))
    message = chat.live(call.integer("message_id"))
    if message is None:
        raise bad_request("Message to delete not found")
    own = message.by == world.bot["id"] and (not chat.is_channel or chat.may("can_post_messages"))
    if not own and chat.type != "private" and not chat.may("can_delete_messages"):
        raise bad_request("Message can't be deleted")
    if world.now() - message.date >= DELETE_WITHIN:
        raise bad_request("Message can't be deleted for everyone")
    world.flood.check(call.method, chat.id, world.now())
    message.deleted = True
    world.record("delete", chat=chat.id, message_id=message.message_id)
    return True


def pin_chat_message(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#pinchatmessage

    A service message says it, which has an id of its own and, unlike posts, comes back as an update
    (https://github.com/tdlib/telegram-bot-api/issues/731)."""
    chat, message = _pinned(world, call, "pin")
    if message.message_id not in chat.pinned:
        world.flood.check(call.method, chat.id, world.now())
        chat.pinned.append(message.message_id)
        silent = call.true("disable_notification")
        said = world.add(chat, {"pinned_message": message.message_id}, silent=silent)
        world.tell("channel_post" if chat.is_channel else "message", world.shown(said))
    return True


def unpin_chat_message(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#unpinchatmessage"""
    chat, message = _pinned(world, call, "unpin")
    chat.pinned = [one for one in chat.pinned if one != message.message_id]
    return True


def _pinned(world: World, call: Call, verb: str) -> tuple[Chat, Message]:
    chat = world.writable(call.arg("chat_id"))
    message = chat.live(call.integer("message_id"))
    if message is None:
        raise bad_request(f"Message to {verb} not found")
    right = "can_edit_messages" if chat.is_channel else "can_pin_messages"
    if chat.type != "private" and not chat.may(right):
        raise bad_request("Not enough rights to manage pinned messages in the chat")
    if message.is_service:
        raise bad_request("MESSAGE_ID_INVALID")
    return chat, message


# --- updates ----------------------------------------------------------------------------------------


def answer_callback_query(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#answercallbackquery"""
    pressed = world.pressed.get(call.arg("callback_query_id"))
    if len(call.arg("text")) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    if pressed is None or world.now() - pressed.date > CALLBACK_WITHIN:
        raise bad_request("Query is too old and response timeout expired or query ID is invalid")
    pressed.answers.append({"text": call.arg("text"), "show_alert": call.true("show_alert")})
    world.record("answer", query=pressed.id, **pressed.answers[-1])
    return True


def get_updates(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#getupdates - of two pollers the older one is sent away."""
    if world.webhook:
        raise ApiError(409, f"Conflict: {_WEBHOOK}")
    if isinstance(allowed := call.parsed("allowed_updates", "allowed updates"), list):
        world.allowed = allowed
    _confirm(world, call.integer("offset"))
    world.poller += 1
    mine, until = world.poller, time.monotonic() + min(50, max(0, call.integer("timeout")))
    world.lock.notify_all()
    while not world.pending() and (left := until - time.monotonic()) > 0 and not world.closing:
        world.lock.wait(left)
        if world.poller != mine:
            raise ApiError(409, f"Conflict: {_OTHER_POLLER}")
    limit = call.integer("limit", 100)
    return world.pending()[: limit if 1 <= limit <= 100 else 100]


def _confirm(world: World, offset: int) -> None:
    """Forget the updates before an offset; one below zero counts from the end."""
    pending = world.pending()
    if offset < 0:
        offset = pending[max(0, len(pending) + offset)]["update_id"] if pending else 0
    while world.updates and world.updates[0][1]["update_id"] < offset:
        world.updates.popleft()


def set_webhook(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#setwebhook - nothing is ever sent there."""
    world.webhook = call.arg("url")
    return True


def delete_webhook(world: World, call: Call) -> Any:
    """https://core.telegram.org/bots/api#deletewebhook"""
    world.webhook = ""
    if call.true("drop_pending_updates"):
        world.updates.clear()
    return True


METHODS: Mapping[str, Callable[[World, Call], Any]] = {
    function.__name__.replace("_", ""): function
    for function in (
        *(get_me, get_chat, get_chat_member, get_chat_administrators, set_my_commands),
        *(send_message, send_rich_message, send_photo, send_poll, forward_message, copy_message),
        *(edit_message_text, edit_message_caption, edit_message_reply_markup, delete_message),
        *(pin_chat_message, unpin_chat_message, answer_callback_query),
        *(get_updates, set_webhook, delete_webhook),
    )
}


def run(world: World, call: Call) -> Any:
    """What a call results in. Raises ApiError."""
    function = METHODS.get(call.method)
    if function is None:
        raise ApiError(404, "Not Found: method not found")
    return function(world, call)
