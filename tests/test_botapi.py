"""The loopback Bot API refuses what Telegram refuses, in its words, and keeps what it was sent."""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from botapi import TOKEN, BotApi, Remote
from botserver import texts
from botserver.faults import PLANS
from botserver.request import ApiError
from botserver.texts import repaired_by_digest, repaired_by_tdlib
from digest.markup.formatted import Formatted
from digest.types import TextEntity

USER = 5501
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 640, 480) + b"\x08\x02\0\0\0\r\n--x\r\n"
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
    "same as a current content and reply markup of the message"
)
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


@dataclass
class Answer:
    """Status, body and headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def why(self) -> tuple[int, str]:
        """Status and description of a refusal."""
        assert self.body["ok"] is False
        assert self.body["error_code"] == self.status
        return self.status, self.body["description"]


class Client:
    """Speaks plain HTTP to the server."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        self.url, self.token = url, token

    def ask(self, method: str, **args: Any) -> Answer:
        body = json.dumps(args).encode()
        return self.send(f"/bot{self.token}/{method}", body, "application/json")

    def send(self, path: str, body: bytes | None, kind: str, timeout: float = 10) -> Answer:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, json.load(answer), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.load(error), dict(error.headers))

    def ok(self, method: str, **args: Any) -> Any:
        answer = self.ask(method, **args)
        assert answer.body["ok"], answer
        return answer.body["result"]

    def why(self, method: str, **args: Any) -> tuple[int, str]:
        return self.ask(method, **args).why


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi(flood=False) as server:
        yield server


@pytest.fixture
def bot(api: BotApi) -> Client:
    return Client(api.url)


@pytest.fixture
def channel(api: BotApi) -> int:
    return api.chat("channel", title="XAI daily", username="xai_daily")


def bad(text: str) -> tuple[int, str]:
    return 400, f"Bad Request: {text}"


def keyboard(*rows: list[dict[str, str]]) -> dict[str, Any]:
    return {"inline_keyboard": list(rows)}


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


# --- texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "message text is empty"),
        (" \n ", "text must be non-empty"),
        ("<b> </b>", "text must be non-empty"),
        ("x" * 4097, "message is too long"),
        ("😀" * 2049, "message is too long"),
        ("&amp;" * 6600, "text is too long"),
        ("1<2", "can't parse entities: Unclosed start tag at byte offset 1"),
        ("a<br>", 'can\'t parse entities: Unsupported start tag "br" at byte offset 1'),
        ('<a href="https://a.b/&#xd800;">x</a>', "messageEntityTextUrl.url must be encoded in UTF-8"),
    ],
)
def test_a_bad_text_is_refused_in_telegrams_words(
    api: BotApi, bot: Client, channel: int, text: str, why: str
) -> None:
    assert bot.why("sendMessage", chat_id=channel, text=text, parse_mode="HTML") == bad(why)
    assert api.messages(channel) == []


def test_length_is_counted_after_markup_and_trimming(api: BotApi, bot: Client, channel: int) -> None:
    text = "  <b>" + "x" * 4096 + "</b>\n\n"
    assert len(bot.ok("sendMessage", chat_id=channel, text=text, parse_mode="HTML")["text"]) == 4096
    bot.ok("sendMessage", chat_id=channel, text="я" * 4096)
    assert bot.why("sendMessage", chat_id=channel, text="я" * 16385) == bad("text is too long")
    assert bot.why("sendMessage", chat_id=channel, text="я" * 16384) == bad("message is too long")


def test_an_unknown_parse_mode_is_refused_and_an_empty_one_is_none(bot: Client, channel: int) -> None:
    assert bot.why("sendMessage", chat_id=channel, text="x", parse_mode="HTMLX") == bad(
        "unsupported parse_mode"
    )
    assert bot.ok("sendMessage", chat_id=channel, text="<b>", parse_mode="")["text"] == "<b>"


def test_markdown_is_read_by_tdlib(bot: Client, channel: int) -> None:
    pytest.importorskip("tdjson")
    assert (
        "is reserved and must be escaped"
        in bot.why("sendMessage", chat_id=channel, text="a-b", parse_mode="MarkdownV2")[1]
    )
    assert bot.ok("sendMessage", chat_id=channel, text="*a*", parse_mode="markdownv2")["text"] == "a"


def test_surplus_entities_are_dropped_without_a_word_but_flagged(
    api: BotApi, bot: Client, channel: int
) -> None:
    text = "".join(f'<a href="http://a.b/{n}">x</a> <b>y</b> ' for n in range(60))
    bot.ok("sendMessage", chat_id=channel, text=text, parse_mode="HTML")
    (message,) = api.messages(channel)
    assert (len(message.entities), message.dropped) == (100, 20)
    assert sum(one["type"] == "bold" for one in message.entities) == 40
    bot.ok("sendMessage", chat_id=channel, text="<b>a</b> b", parse_mode="HTML")
    assert api.messages(channel)[1].dropped == 0


def test_entities_of_more_than_9500_bytes_are_too_long(bot: Client, channel: int) -> None:
    def links(count: int) -> str:
        return "".join(f'<a href="http://a.b/{"x" * 180}">{n}</a> ' for n in range(count))

    bot.ok("sendMessage", chat_id=channel, text=links(40), parse_mode="HTML")
    assert bot.why("sendMessage", chat_id=channel, text=links(50), parse_mode="HTML") == bad(
        "ENTITIES_TOO_LONG"
    )


@pytest.mark.parametrize(
    ("text", "entity", "why"),
    [
        ("a😀b", (2, 1), "entity begins in a middle of a UTF-16 symbol at byte offset 5"),
        (
            "a😀b",
            (1, 1),
            "entity beginning at UTF-16 offset 1 ends in a middle of a UTF-16 symbol at byte offset 5",
        ),
        ("ab", (5, 1), "entity begins after the end of the text at UTF-16 offset 5"),
        (
            "ab",
            (1, 5),
            "entity beginning at UTF-16 offset 1 ends after the end of the text at UTF-16 offset 6",
        ),
        ("ab", (-1, 1), "receive an entity with incorrect offset -1"),
        ("ab", (0, -1), "receive an entity with incorrect length -1"),
    ],
)
@pytest.mark.parametrize("judge", ["tdlib", "digest"])
def test_an_entity_out_of_place_is_refused(
    bot: Client,
    channel: int,
    monkeypatch: pytest.MonkeyPatch,
    judge: str,
    text: str,
    entity: tuple[int, int],
    why: str,
) -> None:
    if judge == "digest":
        monkeypatch.setattr(texts, "tdlib", None)
    given = [{"type": "bold", "offset": entity[0], "length": entity[1]}]
    assert bot.why("sendMessage", chat_id=channel, text=text, entities=given) == bad(why)


@pytest.mark.parametrize(
    ("entity", "why"),
    [
        ("bold", "expected an Object"),
        ({"type": "bold", "length": 1}, 'Can\'t find field "offset"'),
        ({"type": "bold", "offset": "x", "length": 1}, 'Field "offset" must be a valid Number'),
        ({"type": "bold", "offset": [], "length": 1}, 'Field "offset" must be of type Number'),
        ({"offset": 0, "length": 1}, 'Can\'t find field "type"'),
        ({"type": "shiny", "offset": 0, "length": 1}, "Unsupported type specified"),
        ({"type": "text_link", "offset": 0, "length": 1}, 'Can\'t find field "url"'),
    ],
)
def test_an_entity_that_is_none_is_refused(bot: Client, channel: int, entity: Any, why: str) -> None:
    assert bot.why("sendMessage", chat_id=channel, text="ab", entities=[entity]) == bad(
        f"can't parse MessageEntity: {why}"
    )


def test_entities_are_kept_and_unreadable_json_is_ignored(api: BotApi, bot: Client, channel: int) -> None:
    given = [
        {"type": "text_link", "offset": 0, "length": 1, "url": "arxiv.org/abs/1"},
        {"type": "hashtag", "offset": 1, "length": 1},
        {"type": "pre", "offset": 2, "length": 1, "language": "py"},
        {"type": "date_time", "offset": 4, "length": 1, "unix_time": 5, "date_time_format": "wDT"},
        {"type": "text_mention", "offset": 5, "length": 1, "user": {"id": 7}},
        {"type": "custom_emoji", "offset": 6, "length": 1, "custom_emoji_id": "5"},
    ]
    bot.ok("sendMessage", chat_id=channel, text="abc*efg", entities=given)
    assert [one["type"] for one in api.messages(channel)[0].entities] == [
        *("text_link", "pre", "date_time", "text_mention", "custom_emoji")
    ]
    assert api.messages(channel)[0].entities[0]["url"] == "http://arxiv.org/abs/1"
    bot.ok("sendMessage", chat_id=channel, text="ab", entities="[{")
    assert api.messages(channel)[1].entities == []
    wrong = [{"type": "text_link", "offset": 0, "length": 1, "url": "not a url"}]
    assert bot.why("sendMessage", chat_id=channel, text="ab", entities=wrong) == bad(
        "entity URL 'not a url' is invalid: Disallowed character in URL host"
    )


def test_characters_are_changed_as_telegram_changes_them(api: BotApi, bot: Client, channel: int) -> None:
    bot.ok("sendMessage", chat_id=channel, text="A\u030ang\tst\r\u202e*_~`[x](y)|")
    assert api.messages(channel)[0].text == "Ang st*_~`[x](y)|"


PIECES = (
    *("<b>", "</b>", "<i>", "</i>", "<a href=", '"http://a.b"', ">", "<", "</", "x", " ", "я😀", "&lt;", "="),
    *("<span>", '<span class="tg-spoiler">', "</span>", "<tg-emoji emoji-id=x>", "</>", "<p>", "<br/>", '"'),
    *("<code>", "</code>", "</a>", "<a =", "'", "<tg-time format=x>", "</tg-time>", "\0", "&#xd83d;"),
)


def broken(seed: int, count: int, wrong: Any) -> list[tuple[str, str]]:
    """Markup with its error text, as many different ones as wanted."""
    source, found = random.Random(seed), dict[str, str]()
    while len(found) < count:
        html = "".join(source.choices(PIECES, k=source.randint(1, 7)))
        if why := wrong(html):
            found[html] = why
    return list(found.items())


@pytest.mark.parametrize("judge", ["tdlib", "digest"])
def test_three_hundred_parse_errors_are_tdlibs_word_for_word(
    api: BotApi, bot: Client, channel: int, monkeypatch: pytest.MonkeyPatch, judge: str
) -> None:
    """Also where the server has to do without TDLib."""
    oracle = pytest.importorskip("tdlib")

    def wrong(html: str) -> str:
        parsed = oracle.parse(html)
        return oracle.message(parsed) if parsed["@type"] == "error" else ""

    cases = broken(1, 300, wrong)
    if judge == "digest":
        monkeypatch.setattr(texts, "tdlib", None)
    for html, why in cases:
        assert bot.why("sendMessage", chat_id=channel, text=html, parse_mode="HTML") == (400, why), html
    assert len({why.split(" at byte")[0] for _, why in cases}) > 20
    assert api.messages(channel) == []


KINDS = ("bold", "italic", "underline", "code", "pre", "text_link", "blockquote", "expandable_blockquote")


def test_entities_are_repaired_without_tdlib_as_with_it() -> None:
    pytest.importorskip("tdjson")
    source = random.Random(2)

    def result(judge: Any, given: Formatted) -> Any:
        try:
            return judge(given)
        except ApiError as error:
            return str(error)

    errors = 0
    for _ in range(3000):
        text = "".join(source.choices("ab 😀я\n\r*", k=source.randint(1, 8)))
        entities = tuple(
            TextEntity(
                kind := source.choice(KINDS),
                source.randint(-1 if source.random() < 0.02 else 0, 9),
                source.randint(-1 if source.random() < 0.02 else 0, 5),
                url=source.choice(("http://a.b/", "a.b/я", "no url")) if kind == "text_link" else None,
                language="py" if kind == "pre" and source.random() < 0.5 else None,
            )
            for _ in range(source.randint(0, 3))
        )
        given = Formatted(text, entities)
        theirs, ours = result(repaired_by_tdlib, given), result(repaired_by_digest, given)
        if isinstance(theirs, Formatted) and not theirs.text:
            continue  # TDLib gives no text where nothing can be seen; we see that when trimming
        assert ours == theirs, given
        errors += isinstance(theirs, str)
    assert errors > 300


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


# --- pictures, polls, keyboards ---------------------------------------------------------------------


def parts(fields: dict[str, str], **files: bytes) -> tuple[bytes, str]:
    body = b""
    for name, value in fields.items():
        body += f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, content in files.items():
        head = f'--B42\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'
        body = body.replace(b"--x\r\n", b"--B42\r\n") + head.encode()
        body += b"Content-Type: image/png\r\n\r\n" + content + b"\r\n"
    return body + b"--B42--\r\n", "multipart/form-data; boundary=B42"


def photo(bot: Client, content: bytes, **fields: Any) -> Answer:
    text = {name: str(value) for name, value in fields.items()}
    return bot.send(f"/bot{TOKEN}/sendPhoto", *parts(text, photo=content))


def test_a_picture_comes_with_its_caption_and_can_be_sent_again_by_its_id(
    api: BotApi, bot: Client, channel: int
) -> None:
    told = photo(bot, PNG, chat_id=channel, caption="<b>T</b>", parse_mode="HTML").body["result"]
    (size,) = told["photo"]
    assert (size["width"], size["height"], size["file_size"]) == (640, 480, len(PNG))
    bot.ok("sendPhoto", chat_id=channel, photo=size["file_id"])
    path = f"/bot{TOKEN}/sendPhoto"
    attached = {"chat_id": str(channel), "photo": "attach://chart"}
    assert bot.send(path, *parts(attached, chart=PNG)).status == 200
    first, *rest = api.messages(channel)
    assert (first.text, first.entities) == ("T", [{"type": "bold", "offset": 0, "length": 1}])
    assert [one.content["photo"] for one in rest] == [[size], [size]]


def test_a_bad_picture_is_refused(api: BotApi, bot: Client, channel: int) -> None:
    def of_size(width: int, height: int) -> bytes:
        return PNG[:16] + struct.pack(">II", width, height) + PNG[24:]

    assert photo(bot, b"", chat_id=channel).why == bad("file must be non-empty")
    assert photo(bot, b"GIF89a", chat_id=channel).why == bad("IMAGE_PROCESS_FAILED")
    assert photo(bot, of_size(9000, 2000), chat_id=channel).why == bad("PHOTO_INVALID_DIMENSIONS")
    assert photo(bot, of_size(2100, 100), chat_id=channel).why == bad("PHOTO_INVALID_DIMENSIONS")
    big = 10 * 1024 * 1024 + 1
    assert photo(bot, PNG.ljust(big, b"x"), chat_id=channel).why == bad(
        f"file of size {big} bytes is too big for a photo; the maximum size is 10485760 bytes"
    )
    assert photo(bot, PNG, chat_id=channel, caption="x" * 1025).why == bad("message caption is too long")
    assert photo(bot, PNG, chat_id=channel, caption="x" * 1024).status == 200
    assert bot.why("sendPhoto", chat_id=channel) == bad("there is no photo in the request")
    assert bot.why("sendPhoto", chat_id=channel, photo="http://a.b/c.png") == bad(
        "wrong file identifier/HTTP URL specified"
    )
    assert len(api.messages(channel)) == 1


def test_a_poll_is_held_to_its_limits(api: BotApi, bot: Client, channel: int) -> None:
    def why(question: str, options: Any, **more: Any) -> tuple[int, str]:
        return bot.why("sendPoll", chat_id=channel, question=question, options=options, **more)

    assert why("", ["a"]) == bad("text must be non-empty")
    assert why("x" * 301, ["a"]) == bad("poll question length must not exceed 300")
    assert why("q", []) == bad("poll must have at least one answer option")
    assert why("q", ["a"] * 13) == bad("poll can't have more than 12 options")
    assert why("q", ["x" * 101]) == bad("poll options length must not exceed 100")
    assert why("q", ["a", "b"], type="quiz") == bad("wrong correct option ID specified")
    bot.ok("sendPoll", chat_id=channel, question="q", options=[{"text": "a"}, "b"], is_anonymous=False)
    (message,) = api.messages(channel)
    assert [one["text"] for one in message.content["poll"]["options"]] == ["a", "b"]
    assert message.content["poll"]["is_anonymous"] is False


@pytest.mark.parametrize(
    ("markup", "why"),
    [
        ("{", "can't parse reply keyboard markup JSON object"),
        ([1], "object expected as reply markup"),
        ({"inline_keyboard": {}}, 'field "inline_keyboard" must be of type Array'),
        ({"inline_keyboard": [{}]}, 'field "inline_keyboard" must be an Array of Arrays'),
        (keyboard([{"url": "a.b"}]), "can't parse inline keyboard button: Can't find field \"text\""),
        (
            keyboard([{"text": "x"}]),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (keyboard([{"text": "x", "callback_data": "я" * 33}]), "BUTTON_DATA_INVALID"),
        (keyboard([{"text": "x", "callback_data": "x"}] * 9), "reply markup is too long"),
        (keyboard(*[[{"text": "x", "callback_data": "x"}]] * 101), "reply markup is too long"),
        ({"keyboard": [["x"]]}, "inline keyboard expected"),
    ],
)
def test_a_bad_keyboard_is_refused(bot: Client, channel: int, markup: Any, why: str) -> None:
    assert bot.why("sendMessage", chat_id=channel, text="x", reply_markup=markup) == bad(why)


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


# --- updates ----------------------------------------------------------------------------------------


def approval(api: BotApi, bot: Client) -> tuple[int, int]:
    chat = api.write(USER, "/start") and USER
    buttons = keyboard(
        [{"text": "Publish", "callback_data": "ok:1"}, {"text": "No", "callback_data": "no:1"}]
    )
    return chat, bot.ok("sendMessage", chat_id=chat, text="?", reply_markup=buttons)["message_id"]


def test_a_button_pressed_comes_as_an_update_and_is_answered(api: BotApi, bot: Client) -> None:
    chat, message = approval(api, bot)
    query = api.press(chat, message, USER, "Publish")
    first, second = bot.ok("getUpdates")
    assert first["message"]["text"] == "/start"
    told = second["callback_query"]
    assert (told["id"], told["data"], told["from"]["id"]) == (query, "ok:1", USER)
    assert told["message"]["message_id"] == message
    assert bot.ok("answerCallbackQuery", callback_query_id=query, text="fine")
    assert api.answers(query) == [{"text": "fine", "show_alert": False}]
    assert bot.why("answerCallbackQuery", callback_query_id=query, text="x" * 201) == bad("MESSAGE_TOO_LONG")
    assert bot.why("answerCallbackQuery", callback_query_id="12") == (400, TOO_OLD)
    api.skip(16 * 60)
    assert bot.why("answerCallbackQuery", callback_query_id=query) == (400, TOO_OLD)
    with pytest.raises(ValueError, match="no button"):
        api.press(chat, message, USER, "Later")


def test_updates_stay_until_an_offset_confirms_them_or_a_day_has_passed(api: BotApi, bot: Client) -> None:
    for text in "123":
        api.write(USER, text)

    def texts_of(**args: Any) -> list[str]:
        return [one["message"]["text"] for one in bot.ok("getUpdates", **args)]

    assert texts_of() == texts_of(offset=0) == ["1", "2", "3"]
    assert texts_of(limit=2) == ["1", "2"]
    second = bot.ok("getUpdates")[1]["update_id"]
    assert texts_of(offset=second) == ["2", "3"]
    assert texts_of(offset=-1) == ["3"]
    assert texts_of() == ["3"]
    api.skip(24 * 3600 + 1)
    assert texts_of() == []


def test_only_allowed_updates_come_and_reaction_counts_only_when_asked_for(
    api: BotApi, bot: Client, channel: int
) -> None:
    api.react(channel, 1, {"👍": 1})
    assert bot.ok("getUpdates") == []
    assert bot.ok("getUpdates", allowed_updates=["message_reaction_count"]) == []
    api.write(USER, "not wanted")
    api.react(channel, 1, {"👍": 3, "🔥": 1})
    (update,) = bot.ok("getUpdates")
    told = update["message_reaction_count"]
    assert (told["chat"]["id"], told["message_id"]) == (channel, 1)
    assert [(one["type"]["emoji"], one["total_count"]) for one in told["reactions"]] == [("👍", 3), ("🔥", 1)]
    api.change(channel, status="member")
    api.react(channel, 1, {"👍": 4})
    assert len(bot.ok("getUpdates")) == 1


def test_a_bots_own_posts_never_come_back_but_others_and_pins_do(
    api: BotApi, bot: Client, channel: int
) -> None:
    sent = bot.ok("sendMessage", chat_id=channel, text="own")["message_id"]
    api.post(channel, "theirs")
    bot.ok("pinChatMessage", chat_id=channel, message_id=sent)
    theirs, pin = (one["channel_post"] for one in bot.ok("getUpdates"))
    assert theirs["text"] == "theirs"
    assert pin["pinned_message"]["message_id"] == sent


def test_a_long_poll_waits_for_an_update(api: BotApi, bot: Client) -> None:
    threading.Timer(0.2, api.write, (USER, "late")).start()
    began = time.monotonic()
    (update,) = bot.ok("getUpdates", timeout=20)
    assert update["message"]["text"] == "late"
    assert 0.1 < time.monotonic() - began < 5
    assert bot.ok("getUpdates", offset=update["update_id"] + 1, timeout=0) == []


def test_of_two_pollers_the_older_is_sent_away(api: BotApi, bot: Client) -> None:
    older: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: older.append(bot.why("getUpdates", timeout=20)))
    thread.start()
    while api.world.poller == 0:
        time.sleep(0.01)
    assert bot.ok("getUpdates") == []
    thread.join(5)
    why = "terminated by other getUpdates request; make sure that only one bot instance is running"
    assert older == [(409, f"Conflict: {why}")]


def test_no_updates_while_a_webhook_is_set(bot: Client) -> None:
    bot.ok("setWebhook", url="https://a.b/")
    why = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    assert bot.why("getUpdates") == (409, f"Conflict: {why}")
    assert bot.ok("deleteWebhook") is True
    assert bot.ok("getUpdates") == []


def test_commands_are_checked(api: BotApi, bot: Client) -> None:
    def why(name: str, about: str) -> tuple[int, str]:
        return bot.why("setMyCommands", commands=[{"command": name, "description": about}])

    assert why("Review", "x") == bad("BOT_COMMAND_INVALID")
    assert why("review", "") == bad("BOT_COMMAND_DESCRIPTION_INVALID")
    assert bot.ok("setMyCommands", commands=[{"command": "review", "description": "Drafts"}])
    assert api.world.commands == [{"command": "review", "description": "Drafts"}]


# --- flood ------------------------------------------------------------------------------------------


def test_a_channel_takes_a_short_burst_and_then_one_post_a_second(
    api: BotApi, bot: Client, channel: int
) -> None:
    api.flood(True)
    other = api.chat("channel")
    for _ in range(5):
        bot.ok("sendMessage", chat_id=channel, text="x")
    answer = bot.ask("sendMessage", chat_id=channel, text="x")
    assert answer.why == (429, "Too Many Requests: retry after 1")
    assert answer.body["parameters"] == {"retry_after": 1}
    assert answer.headers["Retry-After"] == "1"
    bot.ok("sendMessage", chat_id=other, text="x")
    api.skip(1.1)
    bot.ok("sendMessage", chat_id=channel, text="x")
    assert (len(api.messages(channel)), api.early()) == (6, [])


def test_a_channel_takes_twenty_posts_a_minute_and_a_private_chat_more(
    api: BotApi, bot: Client, channel: int
) -> None:
    api.flood(True)
    ann = api.chat("private", USER)
    for _ in range(20):
        bot.ok("sendMessage", chat_id=channel, text="x")
        bot.ok("sendMessage", chat_id=ann, text="x")
        api.skip(2)
    answer = bot.ask("sendMessage", chat_id=channel, text="x")
    assert answer.status == 429
    wait = answer.body["parameters"]["retry_after"]
    assert 15 <= wait <= 21
    bot.ok("sendMessage", chat_id=ann, text="x")
    api.skip(wait)
    bot.ok("sendMessage", chat_id=channel, text="x")
    assert len(api.messages(channel)) == 21


def test_who_does_not_wait_is_refused_again_and_noted(api: BotApi, bot: Client, channel: int) -> None:
    api.fault("429:43837")
    other = api.chat("channel")
    assert bot.why("sendMessage", chat_id=channel, text="x") == (429, "Too Many Requests: retry after 43837")
    api.skip(43_000)
    assert bot.ask("sendMessage", chat_id=other, text="x").body["parameters"]["retry_after"] in (836, 837)
    assert bot.ok("getMe")
    ((method, chat, left),) = api.early()
    assert (method, chat) == ("sendmessage", other)
    assert 835 < left <= 837
    api.skip(837)
    bot.ok("sendMessage", chat_id=channel, text="x")
    assert len(api.messages(channel)) == 1


def test_edits_have_a_count_of_their_own(api: BotApi, bot: Client, channel: int) -> None:
    api.flood(True)
    sent = bot.ok("sendMessage", chat_id=channel, text="x")["message_id"]
    for n in range(20):
        api.skip(2)
        bot.ok("editMessageText", chat_id=channel, message_id=sent, text=str(n))
    api.skip(2)
    bot.ok("sendMessage", chat_id=channel, text="y")
    assert bot.ask("editMessageText", chat_id=channel, message_id=sent, text="z").status == 429


# --- faults -----------------------------------------------------------------------------------------


def outcome(bot: Client, channel: int, timeout: float = 0.3) -> str:
    """What a client with a read time-out sees of a post."""
    body = json.dumps({"chat_id": channel, "text": "x"}).encode()
    try:
        answer = bot.send(f"/bot{TOKEN}/sendMessage", body, "application/json", timeout)
    except TimeoutError:
        return "timeout"
    except http.client.IncompleteRead:
        return "cut"
    except json.JSONDecodeError:
        return "html"
    except ConnectionResetError as error:
        return "dropped" if isinstance(error, http.client.RemoteDisconnected) else "reset"
    return str(answer.status)


@pytest.mark.parametrize(
    ("fault", "seen", "posted"),
    [
        ("drop_before", "dropped", 0),
        ("drop_after", "dropped", 1),
        ("reset_before", "reset", 0),
        ("reset", "reset", 1),
        ("reset_after", "reset", 1),
        ("hang_before", "timeout", 0),
        ("hang_after:5", "timeout", 1),
        ("slow:3", "timeout", 1),
        ("cut", "cut", 1),
        ("429:7", "429", 0),
        ("500", "500", 0),
        ("502", "html", 0),
        ("500_after", "500", 1),
        ("502_after", "html", 1),
        ("slow:0.1", "200", 1),
        ("hang_after:0.1", "200", 1),
        ("hang_before:0.1", "dropped", 0),
    ],
)
def test_a_fault_strikes_once_and_the_channel_shows_whether_the_post_landed(
    api: BotApi, bot: Client, channel: int, fault: str, seen: str, posted: int
) -> None:
    api.fault(fault)
    assert outcome(bot, channel) == seen
    assert len(api.messages(channel)) == posted
    assert [one.fault for one in api.requests()] == [fault.split(":", maxsplit=1)[0]]
    api.skip(10)
    assert outcome(bot, channel) == "200"
    assert len(api.messages(channel)) == posted + 1


def test_a_late_post_lands_after_its_client_has_gone(api: BotApi, bot: Client, channel: int) -> None:
    api.fault("late:100")
    assert outcome(bot, channel) == "timeout"
    assert api.messages(channel) == []
    api.skip(100)
    until = time.monotonic() + 5
    while not api.messages(channel) and time.monotonic() < until:
        time.sleep(0.02)
    assert [one.text for one in api.messages(channel)] == ["x"]


def test_a_fault_waits_for_its_method(api: BotApi, bot: Client, channel: int) -> None:
    api.fault("500", "502", methods=["sendMessage"])
    assert bot.ok("getMe")
    assert [outcome(bot, channel) for _ in range(3)] == ["500", "html", "200"]
    with pytest.raises(ValueError, match="no such fault"):
        api.fault("earthquake")


def test_faults_at_a_rate_are_the_same_with_each_seed(api: BotApi, bot: Client) -> None:
    def run(seed: int) -> list[str]:
        before = len(api.requests())
        api.faults(0.3, ["500", "500_after"], ["getMe"], seed)
        for _ in range(60):
            bot.ask("getMe")
        return [one.fault for one in api.requests()[before:]]

    first = run(1)
    assert 5 < sum(map(bool, first)) < 35
    assert first == run(1) != run(2)
    api.clear()
    bot.ok("getMe")


def test_every_fault_is_in_the_list_of_faults() -> None:
    listed = (sys.modules["botserver.faults"].__doc__ or "").split()
    assert [name for name in PLANS if name not in [word.strip(",:S") for word in listed]] == []


def test_one_connection_serves_many_calls(api: BotApi, channel: int) -> None:
    address = api.url.removeprefix("http://")
    link = http.client.HTTPConnection(address, timeout=5)
    for text in "123":
        link.request("GET", f"/bot{TOKEN}/sendMessage?{urlencode({'chat_id': channel, 'text': text})}")
        with link.getresponse() as answer:
            assert json.load(answer)["ok"]
    link.close()
    assert [one.text for one in api.messages(channel)] == ["1", "2", "3"]


# --- the control ------------------------------------------------------------------------------------


def test_the_server_in_a_process_of_its_own_is_controlled_over_http(tmp_path: Path) -> None:
    log = tmp_path / "messages.jsonl"
    command = [sys.executable, str(Path(__file__).parent / "botapi.py"), "--port", "0", "--state", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        api = Remote(process.stdout.readline().strip())
        bot = Client(api.url)
        channel = api.chat("channel", title="Far")
        api.fault("drop_after")
        assert outcome(bot, channel, 5) == "dropped"
        api.clock(2_000_000_000)
        told = bot.ok("sendMessage", chat_id=channel, text="<b>2</b>", parse_mode="HTML")
        assert 0 <= told["date"] - 2_000_000_000 < 60
        messages = api.messages(channel)
        assert [one.text for one in messages] == ["x", "2"]
        assert messages[1].entities == [{"type": "bold", "offset": 0, "length": 1}]
        assert [one.method for one in api.requests("sendMessage")] == ["sendmessage"] * 2
        with pytest.raises(urllib.error.HTTPError) as error:
            api.fault("earthquake")
        with error.value as answer:
            assert "no such fault" in json.load(answer)["error"]
        process.terminate()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["event"] for one in lines] == ["chat", "fault", "message", "message"]
    assert [one["content"]["text"] for one in lines if one["event"] == "message"] == ["x", "2"]
    assert TOKEN not in log.read_text()


def test_the_control_reads_over_get_too(api: BotApi, bot: Client, channel: int) -> None:
    bot.ok("sendMessage", chat_id=channel, text="x")
    with urllib.request.urlopen(f"{api.url}/control/messages?chat={channel}", timeout=5) as answer:
        assert [one["content"]["text"] for one in json.load(answer)] == ["x"]


def test_a_server_that_stops_lets_nobody_hang(channel: int) -> None:
    with BotApi() as api:
        api.fault("hang_before")
        link = socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])))
        link.sendall(f"GET /bot{TOKEN}/getMe HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while not api.requests():
            time.sleep(0.01)
    link.settimeout(5)
    assert link.recv(10) == b""
    link.close()


def test_python_telegram_bot_reads_every_answer(api: BotApi, channel: int) -> None:
    telegram = pytest.importorskip("telegram")
    asyncio = pytest.importorskip("asyncio")

    async def talk() -> None:
        async with telegram.Bot(api.token, base_url=f"{api.url}/bot") as bot:
            me = await bot.get_chat_member(channel, bot.id)
            assert me.can_post_messages
            assert (await bot.get_chat(channel)).title == "XAI daily"
            sent = await bot.send_message(channel, "a b", entities=[telegram.MessageEntity("bold", 0, 1)])
            shown = await bot.send_photo(channel, PNG, caption="c")
            await bot.send_poll(channel, "q", ["a", "b"])
            await bot.pin_chat_message(channel, sent.message_id)
            copy = await bot.forward_message(USER, channel, shown.message_id)
            assert copy.forward_origin.message_id == shown.message_id
            assert (await bot.get_updates())[0].channel_post.pinned_message.text == "a b"
            with pytest.raises(telegram.error.BadRequest, match="Message is not modified"):
                await bot.edit_message_text("a b", channel, sent.message_id, entities=sent.entities)

    api.chat("private", USER)
    asyncio.run(talk())
    assert [one.text for one in api.messages(channel)] == ["a b", "c", ""]
