"""The loopback Bot API refuses what Telegram refuses, in its words, and keeps what it was sent."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from botapi import TOKEN, BotApi
from botserver.client import PNG, USER, Client, bad, keyboard, photo

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
    "same as a current content and reply markup of the message"
)


# --- calls ------------------------------------------------------------------------------------------


def test_a_post_stands_in_the_channel_as_it_was_sent(api: BotApi, bot: Client, channel: int) -> None:
    told = bot.ok(
        "sendMessage",
        chat_id=channel,
        text=" <b>Hello</b> &lt;world&gt; ",
        parse_mode="HTML",
        disable_notification=True,
        link_preview_options={"is_disabled": True},
    )
    (message,) = api.messages(channel)
    assert (message.text, message.silent) == ("Hello <world>", True)
    assert message.entities == [{"type": "bold", "offset": 0, "length": 5}]
    assert message.preview == {"is_disabled": True}
    assert told["message_id"] == message.message_id == 1
    assert told["sender_chat"] == told["chat"]
    assert "from" not in told
    assert abs(told["date"] - time.time()) < 5
    assert bot.ok("sendMessage", chat_id="@XAI_daily", text="2")["message_id"] == 2


def test_arguments_may_come_as_json_form_or_parts_by_get_or_post(
    api: BotApi, bot: Client, channel: int
) -> None:
    path = f"/bot{TOKEN}/SENDMESSAGE"
    form = urlencode({"chat_id": channel, "text": "я & ü"})
    part = '--B\r\nContent-Disposition: form-data; name="'
    parts = f'{part}chat_id"\r\n\r\n{channel}\r\n{part}text"\r\n\r\nя & ü\r\n--B--\r\n'
    sent = json.dumps({"chat_id": channel, "text": "я & ü", "parse_mode": None, "protect_content": True})
    assert bot.send(f"{path}?{form}", None, "").body["ok"]
    assert bot.send(path, form.encode(), "application/x-www-form-urlencoded").body["ok"]
    assert bot.send(path, parts.encode(), "multipart/form-data; boundary=B").body["ok"]
    assert bot.send(path, sent.encode(), "application/json").body["ok"]
    assert [one.text for one in api.messages(channel)] == ["я & ü"] * 4
    assert [one.protected for one in api.messages(channel)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("123", "Unauthorized: invalid token specified"),
        ("0123:x", "Unauthorized: invalid token specified"),
        ("1:" + "x" * 79, "Unauthorized: invalid token specified"),
        ("1:x", "Unauthorized"),
    ],
)
def test_a_wrong_token_is_unauthorized(api: BotApi, token: str, why: str) -> None:
    assert Client(api.url, token).why("getMe") == (401, why)
    assert Client(api.url, token).why("noSuchMethod") == (401, why)


def test_an_unknown_method_or_address_is_not_found(bot: Client) -> None:
    assert bot.why("sendNothing") == (404, "Not Found: method not found")
    assert bot.send("/elsewhere", b"{}", "application/json").why == (404, "Not Found")


def test_a_body_that_cannot_be_read_is_refused(bot: Client) -> None:
    path = f"/bot{TOKEN}/sendMessage"
    for body in (b"{", b"[1]", b"\xff"):
        assert bot.send(path, body, "application/json").status == 400
    assert bot.why("sendMessage", chat_id=1, text="\ud800") == bad("strings must be encoded in UTF-8")


def test_a_call_is_refused_for_its_first_fault_in_the_servers_order(
    api: BotApi, bot: Client, channel: int
) -> None:
    """Token, method, markup of the text, reply markup, chat, rights, length."""
    wrong: dict[str, Any] = {
        "chat_id": -1,
        "text": "<b>" + "x" * 5000,
        "parse_mode": "HTML",
        "reply_markup": {"inline_keyboard": 1},
    }
    assert Client(api.url, "1:x").why("sendMessage", **wrong)[0] == 401
    assert "can't parse entities" in bot.why("sendMessage", **wrong)[1]
    wrong["text"] = "x" * 5000
    assert "inline_keyboard" in bot.why("sendMessage", **wrong)[1]
    del wrong["reply_markup"]
    assert bot.why("sendMessage", **wrong) == bad("chat not found")
    api.change(channel, rights={"can_post_messages": False})
    wrong["chat_id"] = channel
    assert "administrator rights" in bot.why("sendMessage", **wrong)[1]
    api.change(channel, rights={"can_post_messages": True})
    assert bot.why("sendMessage", **wrong) == bad("message is too long")
    assert api.messages(channel) == []


# --- chats ------------------------------------------------------------------------------------------


def test_a_chat_that_is_not_there_is_not_found(api: BotApi, bot: Client) -> None:
    api.chat("private", USER, username="ann")
    assert bot.why("sendMessage", text="x") == bad("chat_id is empty")
    for chat in (-1, "@nobody", "@ann", "junk", "12e3"):
        assert bot.why("sendMessage", chat_id=chat, text="x") == bad("chat not found")
        assert bot.why("getChat", chat_id=chat) == bad("chat not found")


@pytest.mark.parametrize(
    ("kind", "fields", "status", "why"),
    [
        ("channel", {"status": "kicked"}, 403, "Forbidden: bot was kicked from the channel chat"),
        ("channel", {"status": "left"}, 403, "Forbidden: bot is not a member of the channel chat"),
        ("group", {"status": "kicked"}, 403, "Forbidden: bot was kicked from the group chat"),
        ("supergroup", {"status": "kicked"}, 403, "Forbidden: bot was kicked from the supergroup chat"),
        ("supergroup", {"status": "left"}, 403, "Forbidden: bot is not a member of the supergroup chat"),
        ("private", {"blocked": True}, 403, "Forbidden: bot was blocked by the user"),
        ("private", {"deactivated": True}, 403, "Forbidden: user is deactivated"),
        ("private", {"started": False}, 403, "Forbidden: bot can't initiate conversation with a user"),
        ("channel", {"status": "member"}, 400, "Bad Request: need administrator rights in the channel chat"),
        (
            "channel",
            {"rights": {"can_post_messages": False}},
            400,
            "Bad Request: need administrator rights in the channel chat",
        ),
        (
            "supergroup",
            {"status": "restricted"},
            400,
            "Bad Request: not enough rights to send text messages to the chat",
        ),
    ],
)
def test_where_the_bot_may_not_post_it_is_told_why(
    api: BotApi, bot: Client, kind: str, fields: dict[str, Any], status: int, why: str
) -> None:
    chat = api.chat(kind, USER if kind == "private" else 0)
    api.change(chat, **fields)
    assert bot.why("sendMessage", chat_id=chat, text="x") == (status, why)
    assert api.messages(chat) == []


def test_a_group_that_moved_says_where_to(api: BotApi, bot: Client) -> None:
    old, new = api.chat("group"), api.chat("supergroup")
    api.change(old, migrated_to=new)
    answer = bot.ask("sendMessage", chat_id=old, text="x")
    assert answer.why == bad("group chat was upgraded to a supergroup chat")
    assert answer.body["parameters"] == {"migrate_to_chat_id": new}
    bot.ok("sendMessage", chat_id=new, text="x")
    assert (len(api.messages(old)), len(api.messages(new))) == (0, 1)


def test_a_forum_has_threads_and_other_chats_ignore_them(api: BotApi, bot: Client, channel: int) -> None:
    forum = api.chat("supergroup", is_forum=True)
    papers, talk = api.topic(forum, "Papers"), api.topic(forum, "Talk")
    sent = bot.ok("sendMessage", chat_id=forum, text="x", message_thread_id=papers)
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (papers, True)
    bot.ok("sendMessage", chat_id=forum, text="general")
    for thread in (1 if papers != 1 else 999, 999):
        assert bot.why("sendMessage", chat_id=forum, text="x", message_thread_id=thread) == bad(
            "message thread not found"
        )
    api.change(forum, closed_topics=[talk])
    assert bot.why("sendMessage", chat_id=forum, text="x", message_thread_id=talk) == bad("TOPIC_CLOSED")
    assert "message_thread_id" not in bot.ok("sendMessage", chat_id=channel, text="x", message_thread_id=7)
    assert [one.text for one in api.messages(forum, papers)] == ["x"]


def test_ids_count_within_a_channel_and_pinning_takes_one(api: BotApi, bot: Client, channel: int) -> None:
    first = bot.ok("sendMessage", chat_id=channel, text="1")["message_id"]
    assert bot.ok("pinChatMessage", chat_id=channel, message_id=first, disable_notification=True)
    api.post(channel, "by hand")
    assert bot.ok("sendMessage", chat_id=channel, text="2")["message_id"] == first + 3
    assert [one.text for one in api.messages(channel)] == ["1", "by hand", "2"]
    assert [one.is_service for one in api.history(channel)] == [False, True, False, False]
    assert bot.ok("getChat", chat_id=channel)["pinned_message"]["message_id"] == first


def test_private_chats_share_the_bots_own_count(api: BotApi, bot: Client) -> None:
    ann, ben = api.chat("private", 1), api.chat("private", 2)
    ids = [bot.ok("sendMessage", chat_id=chat, text="x")["message_id"] for chat in (ann, ben, ann)]
    assert ids == [1, 2, 3]


def test_the_bot_can_look_at_itself_and_its_rights(api: BotApi, bot: Client, channel: int) -> None:
    me = bot.ok("getMe")
    assert me["id"] == int(TOKEN.split(":")[0])
    assert me["is_bot"]
    assert bot.ok("getChat", chat_id=channel)["title"] == "XAI daily"
    member = bot.ok("getChatMember", chat_id=channel, user_id=me["id"])
    assert (member["status"], member["can_post_messages"]) == ("administrator", True)
    api.change(channel, members={api.person(9, "Owner"): "creator"})
    assert [one["status"] for one in bot.ok("getChatAdministrators", chat_id=channel)] == [
        *("creator", "administrator")
    ]
    assert bot.ok("getChatMember", chat_id=channel, user_id=9)["status"] == "creator"
    assert bot.why("getChatMember", chat_id=channel, user_id=8) == bad("PARTICIPANT_ID_INVALID")
    assert bot.why("getChatMember", chat_id=channel, user_id="x") == bad("invalid user_id specified")
    api.change(channel, status="member")
    assert bot.why("getChatAdministrators", chat_id=channel) == bad("member list is inaccessible")
    assert bot.ok("getChatMember", chat_id=channel, user_id=me["id"])["status"] == "member"
    api.change(channel, status="kicked")
    assert bot.why("getChat", chat_id=channel) == (403, "Forbidden: bot was kicked from the channel chat")


def test_a_reply_needs_its_message(api: BotApi, bot: Client, channel: int) -> None:
    first = bot.ok("sendMessage", chat_id=channel, text="1")["message_id"]
    reply = {"message_id": first}
    told = bot.ok("sendMessage", chat_id=channel, text="2", reply_parameters=reply)
    assert told["reply_to_message"]["message_id"] == first
    gone = {"message_id": 99}
    assert bot.why("sendMessage", chat_id=channel, text="3", reply_parameters=gone) == bad(
        "message to be replied not found"
    )
    bot.ok(
        "sendMessage",
        chat_id=channel,
        text="3",
        reply_parameters=gone | {"allow_sending_without_reply": True},
    )
    assert [one.reply_to for one in api.messages(channel)] == [0, first, 0]


# --- messages that are there ------------------------------------------------------------------------


def test_an_edit_replaces_text_preview_and_buttons(api: BotApi, bot: Client, channel: int) -> None:
    buttons = keyboard([{"text": "x", "callback_data": "x"}])
    sent = bot.ok(
        "sendMessage",
        chat_id=channel,
        text="1",
        reply_markup=buttons,
        link_preview_options={"is_disabled": True},
    )
    place = {"chat_id": channel, "message_id": sent["message_id"]}
    assert bot.ok("editMessageText", **place, text="<i>2</i>", parse_mode="HTML")["edit_date"]
    (message,) = api.messages(channel)
    assert (message.text, message.markup, message.preview) == ("2", None, {})
    assert message.edits == [{"text": "1", "entities": []}]
    assert bot.why("editMessageText", **place, text="<i>2</i> ", parse_mode="HTML") == (400, NOT_MODIFIED)
    bot.ok("editMessageText", **place, text="2")
    bot.ok("editMessageReplyMarkup", **place, reply_markup=buttons)
    assert api.messages(channel)[0].markup == buttons
    assert bot.why("editMessageText", **place, text="x" * 4097) == bad("message is too long")


def test_what_cannot_be_edited_says_why(api: BotApi, bot: Client, channel: int) -> None:
    def why(message: int, method: str = "editMessageText", **more: Any) -> tuple[int, str]:
        return bot.why(method, chat_id=channel, message_id=message, **({"text": "x"} | more))

    assert bot.why("editMessageText", text="x") == bad("message identifier is not specified")
    assert why(77) == bad("message to edit not found")
    picture = photo(bot, PNG, chat_id=channel).body["result"]["message_id"]
    assert why(picture) == bad("there is no text in the message to edit")
    words = bot.ok("sendMessage", chat_id=channel, text="1")["message_id"]
    assert why(words, "editMessageCaption", caption="x") == bad("there is no caption in the message to edit")
    bot.ok("editMessageCaption", chat_id=channel, message_id=picture, caption="new")
    assert api.messages(channel)[0].text == "new"
    api.change(channel, rights={"can_edit_messages": False})
    assert why(api.post(channel)) == bad("message can't be edited")
    bot.ok("editMessageText", chat_id=channel, message_id=words, text="own posts can be edited")
    api.change(channel, status="member")
    assert why(words) == bad("message can't be edited")
    ann = api.chat("private", USER)
    hers = api.write(ann, "hi")
    assert bot.why("editMessageText", chat_id=ann, message_id=hers, text="x") == bad(
        "message can't be edited"
    )


def test_own_posts_can_be_edited_for_ever_but_deleted_for_two_days(
    api: BotApi, bot: Client, channel: int
) -> None:
    old, new = (bot.ok("sendMessage", chat_id=channel, text=text)["message_id"] for text in "12")
    assert bot.ok("deleteMessage", chat_id=channel, message_id=new)
    assert bot.why("deleteMessage", chat_id=channel, message_id=new) == bad("message to delete not found")
    api.skip(48 * 3600)
    assert bot.why("deleteMessage", chat_id=channel, message_id=old) == bad(
        "message can't be deleted for everyone"
    )
    bot.ok("editMessageText", chat_id=channel, message_id=old, text="still")
    assert [one.text for one in api.messages(channel)] == ["still"]
    assert [one.deleted for one in api.history(channel)] == [False, True]
    assert bot.why("deleteMessage", chat_id=channel) == bad("message identifier is not specified")


def test_others_posts_are_deleted_only_with_the_right(api: BotApi, bot: Client, channel: int) -> None:
    theirs = api.post(channel)
    api.change(channel, rights={"can_delete_messages": False})
    assert bot.why("deleteMessage", chat_id=channel, message_id=theirs) == bad("message can't be deleted")
    api.change(channel, rights={"can_delete_messages": True})
    assert bot.ok("deleteMessage", chat_id=channel, message_id=theirs)


def test_a_forward_is_a_copy_that_says_where_it_comes_from(api: BotApi, bot: Client, channel: int) -> None:
    ann = api.chat("private", USER)
    sent = bot.ok("sendMessage", chat_id=channel, text="<b>1</b>", parse_mode="HTML")
    api.skip(100)
    told = bot.ok("forwardMessage", chat_id=ann, from_chat_id=channel, message_id=sent["message_id"])
    origin = told["forward_origin"]
    assert (origin["type"], origin["chat"]["id"], origin["date"]) == ("channel", channel, sent["date"])
    assert origin["message_id"] == sent["message_id"]
    assert (told["text"], told["entities"]) == (sent["text"], sent["entities"])
    copied = bot.ok("copyMessage", chat_id=ann, from_chat_id=channel, message_id=sent["message_id"])
    first, second = api.messages(ann)
    assert copied == {"message_id": second.message_id}
    assert (first.text, second.text, second.forwarded) == ("1", "1", {})
    assert bot.why("editMessageText", chat_id=ann, message_id=first.message_id, text="x") == bad(
        "message can't be edited"
    )


def test_what_cannot_be_forwarded_says_why(api: BotApi, bot: Client, channel: int) -> None:
    ann = api.chat("private", USER)

    def why(message: int, to: int = ann, method: str = "forwardMessage") -> tuple[int, str]:
        return bot.why(method, chat_id=to, from_chat_id=channel, message_id=message)

    assert why(1) == bad("message to forward not found")
    assert why(1, method="copyMessage") == bad("message to copy not found")
    sent = bot.ok("sendMessage", chat_id=channel, text="1")["message_id"]
    bot.ok("pinChatMessage", chat_id=channel, message_id=sent)
    assert why(sent + 1) == bad("message can't be forwarded")
    secret = bot.ok("sendMessage", chat_id=channel, text="2", protect_content=True)["message_id"]
    assert why(secret) == bad("message has protected content and can't be forwarded")
    api.remove(channel, sent)
    assert why(sent) == bad("message to forward not found")
    api.change(ann, blocked=True)
    assert why(api.post(channel)) == (403, "Forbidden: bot was blocked by the user")
    assert bot.why("forwardMessage", chat_id=ann, message_id=1) == bad('parameter "from_chat_id" is required')
    api.change(channel, status="kicked")
    assert why(1) == (403, "Forbidden: bot was kicked from the channel chat")
    assert api.messages(ann) == []


def test_a_protected_channel_protects_all_its_posts(api: BotApi, bot: Client) -> None:
    ann, channel = api.chat("private", USER), api.chat("channel", protected=True)
    assert bot.ok("sendMessage", chat_id=channel, text="1")["has_protected_content"]
    assert bot.why("forwardMessage", chat_id=ann, from_chat_id=channel, message_id=1)[1].endswith(
        "can't be forwarded"
    )


def test_pinning_needs_a_right_and_a_message(api: BotApi, bot: Client, channel: int) -> None:
    sent = bot.ok("sendMessage", chat_id=channel, text="1")["message_id"]
    assert bot.why("pinChatMessage", chat_id=channel, message_id=9) == bad("message to pin not found")
    api.change(channel, rights={"can_edit_messages": False})
    assert bot.why("pinChatMessage", chat_id=channel, message_id=sent) == bad(
        "not enough rights to manage pinned messages in the chat"
    )
    assert len(api.history(channel)) == 1
