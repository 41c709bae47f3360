"""What may stand in a message of the loopback Bot API: TDLib is the judge, and digest's rules agree."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from botapi import TOKEN, BotApi
from botserver import texts
from botserver.client import PNG, Client, bad, keyboard, parts, photo
from botserver.request import ApiError
from botserver.texts import repaired_by_digest, repaired_by_tdlib
from digest.markup.formatted import Formatted
from digest.types import TextEntity

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


# --- pictures, polls, keyboards ---------------------------------------------------------------------


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
