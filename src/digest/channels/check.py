"""Whether a Telegram channel can be posted to, in words for its owner."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from digest.channels import messages
from digest.channels.telegram import TelegramChannel
from digest.errors import DeliveryError, Paused, Refused
from digest.types import Part

MAY_POST = "it may post there"
_PIN_RIGHT = (("can_pin_messages", "Pin messages"), ("can_edit_messages", "Edit messages of others"))


class Finding(Struct, frozen=True):
    """Something that was looked at: whether it is as it should be, and what it is."""

    channel: str
    good: bool
    text: str


def check(channel: TelegramChannel, sample: Part) -> list[Finding]:
    """Everything that a post needs, up to the first thing that is missing."""
    found: list[Finding] = []
    try:
        found.extend(Finding(channel.name, True, text) for text in _steps(channel))
        found.extend(_pins(channel))
        found.extend(_editor(channel, sample))
    except DeliveryError as error:
        found.append(Finding(channel.name, False, str(error)))
    return found


def rights(channel: TelegramChannel) -> list[Finding]:
    """Whether the bot may post to a channel; nothing is sent."""
    try:
        return [Finding(channel.name, True, text) for text in list(_steps(channel))[-1:]]
    except DeliveryError as error:
        return [Finding(channel.name, False, str(error))]


def _steps(channel: TelegramChannel) -> Iterator[str]:
    bot = channel.sender
    yield f"the bot is @{bot.username}, and Telegram accepts its token"
    chat = bot.call("get_chat", chat_id=channel.chat)
    yield f"it finds the {chat.type} “{chat.effective_name}”"
    member = bot.call("get_chat_member", chat_id=channel.chat, user_id=bot.id)
    if chat.type == "channel" and not getattr(member, "can_post_messages", False):
        raise Paused(
            f"the bot may not post there ({_standing(member.status)}): open the channel's settings, "
            "Administrators, add the bot and switch on “Post messages”"
        )
    if member.status in ("left", "kicked"):
        raise Paused("the bot is not in the group: add it")
    if member.status == "restricted" and not member.can_send_messages:
        raise Paused(
            "the bot may not write in the group: open its members, the bot, and let it send messages"
        )
    yield MAY_POST


def _pins(channel: TelegramChannel) -> Iterator[Finding]:
    """Whether pins, where they are wanted, are allowed: a post is not held up by one that is not."""
    if not channel.follow.pins:
        return
    bot = channel.sender
    member = bot.call("get_chat_member", chat_id=channel.chat, user_id=bot.id)
    kind = bot.call("get_chat", chat_id=channel.chat).type
    right, name = _PIN_RIGHT[kind == "channel"]
    if not getattr(member, right, False):
        text = f"posts go out, but it may not pin them: switch on “{name}” for the bot"
        yield Finding(channel.name, False, text)


def _editor(channel: TelegramChannel, sample: Part) -> Iterator[Finding]:
    bot = channel.sender
    if bot.editor_chat is None:
        text = "nobody is told when something goes wrong, and the bot cannot look whether a part arrived"
        yield Finding(channel.name, True, f"but {text}: name telegram.editors")
        return
    where = {"chat_id": bot.editor_chat, "disable_notification": True}
    try:
        bot.call("send_message", **where, **messages.text(sample))
    except (Paused, Refused) as error:
        text = f"the editor (chat {bot.editor_chat}) could not be shown a sample of the posts: {error}"
        yield Finding(channel.name, False, text)
    else:
        text = f"it has sent a sample of its posts to the editor (chat {bot.editor_chat})"
        yield Finding(channel.name, True, text)


def _standing(status: str) -> str:
    known = {
        "administrator": "it is an administrator, but without that right",
        "member": "it is a member, but no administrator",
        "left": "it is not in the channel",
        "kicked": "it was removed from the channel",
    }
    return known.get(status, f"it is {status}")
