"""The Telegram channel against a real, strict server: every answer is sorted by what is certain about it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import timedelta

import pytest
from telegram.error import BadRequest, Forbidden, NetworkError

from botapi import TOKEN, BotApi
from digest.channels import telegram
from digest.channels.telegram import Bot, TelegramChannel, Token, meaning
from digest.errors import (
    DeliveryError,
    Moved,
    NotSent,
    Paused,
    Refused,
    Stopped,
    TryAgain,
    Uncertain,
)
from digest.types import Post
from newsroom import WRONG
from outbox import EDITOR, draft, part


def post(*html: str, papers: tuple[str, ...] = ("2607.00001", "2607.00002")) -> Post:
    one = draft(*html)
    return Post(
        id=1,
        topics=one.topics,
        slot=one.slot,
        genre=one.genre,
        language=one.language,
        state="approved",
        papers=papers,
        parts=one.parts,
    )


@pytest.fixture
def bot(api: BotApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    monkeypatch.setattr(telegram, "READ_TIMEOUT", 0.8)
    bot = Bot(lambda: Token(TOKEN), api.url)
    yield bot
    bot.close()


@pytest.fixture
def channel(bot: Bot, chat: int) -> TelegramChannel:
    return TelegramChannel("news", bot, str(chat))


# --- what is sent ---------------------------------------------------------------------------------


def test_text_and_entities_arrive_as_they_were_frozen(
    channel: TelegramChannel, api: BotApi, chat: int
) -> None:
    html = (
        '<b>Жирный</b> 🇨🇳 <i>и</i> <a href="https://arxiv.org/abs/2607.00001">ссылка</a> a &lt; b\n'
        '<blockquote expandable>mehr</blockquote><pre><code class="language-python">x = 1</code></pre>'
        "<tg-spoiler>s</tg-spoiler> <code>node.js</code> <u>u</u><s>s</s>"
    )
    channel.send(post(html), 0)
    [sent] = api.messages(chat)
    ours = part(html)
    assert sent.text == ours.text
    assert [
        (one["type"], one["offset"], one["length"], one.get("url"), one.get("language"))
        for one in sent.entities
    ] == [(one.type, one.offset, one.length, one.url, one.language) for one in ours.entities]
    assert "parse_mode" not in api.requests("sendMessage")[0].args


def test_a_single_paper_has_a_preview_and_a_list_has_none(
    channel: TelegramChannel, api: BotApi, chat: int
) -> None:
    channel.send(post("list"), 0)
    channel.send(post("one", papers=("2607.00001",)), 0)
    listed, single = api.messages(chat)
    assert listed.preview == {"is_disabled": True}
    assert single.preview["url"] == "https://arxiv.org/abs/2607.00001"


def test_a_receipt_is_a_link_to_the_message(bot: Bot) -> None:
    links = {
        address: TelegramChannel("n", bot, address).receipt(7) for address in ("@news", "-1001234", "-55")
    }
    assert links == {
        "@news": "https://t.me/news/7",
        "-1001234": "https://t.me/c/1234/7",
        "-55": "https://t.me/c/55/7",
    }
    assert TelegramChannel("n", bot, "@news").message(links["@news"]) == 7


def test_each_request_has_a_connection_of_its_own(channel: TelegramChannel, api: BotApi, chat: int) -> None:
    """A server that ends idle connections makes no part uncertain."""
    for _ in range(3):
        channel.send(post("one"), 0)
    assert len(api.messages(chat)) == 3
    assert channel.sender._client is not None
    pool = channel.sender._client.request._client._transport._pool  # type: ignore[attr-defined]
    assert pool.connections == []


# --- the table of errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("x" * 4097, "essage is too long"),
        ("x" * 32769, "is too long"),
        (" ", "must be non-empty"),
        ("", "text is empty"),
    ],
)
def test_a_text_that_is_refused_will_never_be_sent(channel: TelegramChannel, html: str, said: str) -> None:
    wrong = post("right")
    wrong = Post(
        **{**{name: getattr(wrong, name) for name in wrong.__struct_fields__}, "parts": (raw(html),)}
    )
    with pytest.raises(Refused, match=said):
        channel.send(wrong, 0)


def raw(text: str, **more: object) -> object:
    from digest.types import Part

    return Part(text, text, **{"entities": (), **more})  # type: ignore[arg-type]


def test_entities_that_do_not_fit_the_text_are_refused(channel: TelegramChannel) -> None:
    from digest.types import Part, TextEntity

    one = post("x")
    cut = Part("", "a🇨b", (TextEntity("bold", 2, 2),))
    wrong = Post(**{**{name: getattr(one, name) for name in one.__struct_fields__}, "parts": (cut,)})
    with pytest.raises(Refused, match="(?i)utf-16"):
        channel.send(wrong, 0)


RIGHTS = [
    ("channel", {"rights": {"can_post_messages": False}}, "make the bot an administrator"),
    ("channel", {"status": "kicked"}, "add the bot again"),
    ("channel", {"status": "left"}, "add the bot again|add the bot to it|administrator"),
    ("channel", {"status": "member"}, "make the bot an administrator"),
    ("supergroup", {"status": "kicked"}, "add the bot again"),
    ("group", {"status": "kicked"}, "add the bot again"),
]


@pytest.mark.parametrize(("kind", "change", "mend"), RIGHTS)
def test_lost_rights_pause_and_say_what_to_do(
    bot: Bot, api: BotApi, kind: str, change: dict[str, object], mend: str
) -> None:
    there = api.chat(kind)
    api.change(there, **change)
    with pytest.raises(Paused, match=mend):
        TelegramChannel("news", bot, str(there)).send(post("x"), 0)


@pytest.mark.parametrize("address", ["@nobody_has_this_name", "-1009999999999", "-77", "999999999"])
def test_a_chat_that_is_not_there_pauses(bot: Bot, address: str) -> None:
    with pytest.raises(Paused, match='check "chat" in digest.toml'):
        TelegramChannel("news", bot, address).send(post("x"), 0)


def test_a_topic_that_is_not_there_pauses(bot: Bot, api: BotApi) -> None:
    forum = api.chat("supergroup", is_forum=True)
    with pytest.raises(Paused, match='check "thread"'):
        TelegramChannel("news", bot, str(forum), thread=77).send(post("x"), 0)


@pytest.mark.parametrize(
    ("change", "said"), [({"blocked": True}, "blocked"), ({"deactivated": True}, "deactivated")]
)
def test_a_person_who_cannot_be_written_to_pauses(
    bot: Bot, api: BotApi, change: dict[str, object], said: str
) -> None:
    api.write(EDITOR, "/start")
    api.change(EDITOR, **change)
    with pytest.raises(Paused, match=said):
        TelegramChannel("news", bot, str(EDITOR)).send(post("x"), 0)


def test_a_person_who_never_wrote_must_press_start(bot: Bot, api: BotApi) -> None:
    api.chat("private", id=EDITOR)
    api.change(EDITOR, started=False)
    with pytest.raises(Paused, match="press Start"):
        TelegramChannel("news", bot, str(EDITOR)).send(post("x"), 0)


def test_a_group_that_moved_gives_its_new_id(bot: Bot, api: BotApi) -> None:
    old, new = api.chat("group"), api.chat("supergroup")
    api.change(old, migrated_to=new)
    with pytest.raises(Moved) as caught:
        TelegramChannel("news", bot, str(old)).send(post("x"), 0)
    assert caught.value.chat == str(new)


def test_a_flood_answer_says_how_long_to_wait(channel: TelegramChannel, api: BotApi, chat: int) -> None:
    api.fault("429:43841", methods=["sendMessage"])
    with pytest.raises(NotSent, match="rest of 43841 s") as caught:
        channel.send(post("x"), 0)
    assert caught.value.wait == timedelta(seconds=43842)
    assert type(caught.value) is NotSent
    assert api.messages(chat) == []


@pytest.mark.parametrize("token", [WRONG, "7000000002:AAEtheLoopbackBotApiTokenOfTheTests"])
def test_a_token_that_is_not_accepted_stops_all(api: BotApi, chat: int, token: str) -> None:
    bot = Bot(lambda: Token(token), api.url)
    try:
        with pytest.raises(Stopped, match="does not accept the bot token") as caught:
            TelegramChannel("news", bot, str(chat)).send(post("x"), 0)
    finally:
        bot.close()
    assert token not in "".join(traceback.format_exception(caught.value))


AMBIGUOUS = (
    "drop_before drop_after reset_before reset_after hang_before hang_after cut 500 502 500_after 502_after"
)


@pytest.mark.parametrize("fault", AMBIGUOUS.split())
def test_without_a_clear_answer_it_may_have_been_sent(
    channel: TelegramChannel, api: BotApi, chat: int, fault: str
) -> None:
    api.fault(fault, methods=["sendMessage"])
    with pytest.raises(Uncertain, match="Telegram gave no clear answer"):
        channel.send(post("x"), 0)
    assert len(api.messages(chat)) == ("after" in fault or fault == "cut")


def test_an_answer_that_never_ends_is_given_up(
    channel: TelegramChannel, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.sender.open()
    monkeypatch.setattr(telegram, "DEADLINE", 0.4)
    api.fault("slow:2", methods=["sendMessage"])
    with pytest.raises(Uncertain, match="did not answer within 0.4 seconds"):
        channel.send(post("x"), 0)


@pytest.mark.parametrize("result", [{}, [], {"message_id": "x"}, "yes", None])
def test_an_answer_that_cannot_be_read_may_mean_that_it_was_sent(
    channel: TelegramChannel, api: BotApi, monkeypatch: pytest.MonkeyPatch, result: object
) -> None:
    channel.sender.open()
    monkeypatch.setattr("botapi.run", lambda *_: result)
    with pytest.raises(Uncertain):
        channel.send(post("x"), 0)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_where_no_connection_is_made_nothing_was_sent(url: str) -> None:
    bot = Bot(lambda: Token(TOKEN), url)
    try:
        with pytest.raises(NotSent, match="is the network up") as caught:
            bot.call("send_message", chat_id=1, text="x")
    finally:
        bot.close()
    assert type(caught.value) is NotSent


@pytest.mark.parametrize("fault", ["500", "502", "drop_after", "429:7"])
def test_a_bot_that_cannot_be_asked_who_it_is_has_sent_nothing(
    channel: TelegramChannel, api: BotApi, fault: str
) -> None:
    api.fault(fault, methods=["getMe"])
    with pytest.raises(NotSent):
        channel.send(post("x"), 0)
    assert api.requests("sendMessage") == []


def test_a_second_poller_is_told_that_it_is_one() -> None:
    from telegram.error import Conflict

    assert isinstance(meaning(Conflict("terminated by other getUpdates request")), TryAgain)


# The texts of telegram-bot-api that the loopback server cannot be brought to give, as the client has them.
SAID: list[tuple[Exception, type[DeliveryError]]] = [
    (BadRequest("Can't parse entities: unsupported start tag"), Refused),
    (BadRequest("Entities_too_long"), Refused),
    (BadRequest("Button_data_invalid"), Refused),
    (BadRequest("Message is too long"), Refused),
    (BadRequest("Something new"), Refused),
    (BadRequest("Have no write access to the chat"), Paused),
    (BadRequest("Not enough rights to send text messages to the chat"), Paused),
    (BadRequest("Topic_closed"), Paused),
    (BadRequest("CHAT_WRITE_FORBIDDEN"), Paused),
    (Forbidden("Forbidden: bot can't initiate conversation with a user"), Paused),
    (Forbidden("Forbidden: PEER_ID_INVALID"), Paused),
    (Forbidden("Forbidden: user is deactivated"), Paused),
    (Forbidden("Forbidden: something new"), Paused),
    (NetworkError("Internal Server Error: restart"), Uncertain),
    (NetworkError("Bad Gateway"), Uncertain),
]


@pytest.mark.parametrize(("error", "kind"), SAID, ids=lambda one: getattr(one, "message", None))
def test_each_text_has_its_meaning(error: Exception, kind: type[DeliveryError]) -> None:
    assert type(meaning(error)) is kind  # type: ignore[arg-type]
