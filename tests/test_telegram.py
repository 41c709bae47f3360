"""The Telegram channel against a real, strict server: every answer is sorted by what is certain about it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from telegram.error import BadRequest, Forbidden, NetworkError

from botapi import TOKEN, BotApi
from digest import cli
from digest.channels import telegram
from digest.channels.telegram import Bot, TelegramChannel, Token, meaning
from digest.errors import (
    ConfigError,
    DeliveryError,
    Moved,
    NotSent,
    Paused,
    Refused,
    Stopped,
    TryAgain,
    Uncertain,
)
from digest.store import Store
from digest.types import Post
from outbox import EDITOR, NOON, draft, part

WRONG = "7000000001:AAEwrong_token_that_no_one_may_see_anywhere"


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
def api() -> Iterator[BotApi]:
    with BotApi() as api:
        api.clock(NOON.timestamp())
        yield api


@pytest.fixture
def bot(api: BotApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    monkeypatch.setattr(telegram, "READ_TIMEOUT", 0.3)
    bot = Bot(lambda: Token(TOKEN), api.url)
    yield bot
    bot.close()


@pytest.fixture
def chat(api: BotApi) -> int:
    return api.chat("channel")


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
    with pytest.raises(Paused, match='check "chat" in the configuration'):
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


@pytest.mark.parametrize(
    "text", ["", "hello", "0123:abc", "123 :abc", f"{TOKEN}\nx", "123:" + "x" * 90, "1:ё"]
)
def test_what_is_no_token_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError, match="the bot token is not one") as caught:
        Token(text)
    assert not text or text not in str(caught.value)


def test_a_token_shows_itself_nowhere() -> None:
    token = Token(TOKEN)
    bot = Bot(lambda: token, "http://127.0.0.1:9")
    assert TOKEN not in f"{token} {token!r} {bot!r} {TelegramChannel('n', bot, '@news')!r}"


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


# --- the token appears nowhere --------------------------------------------------------------------

CONFIG = """
[telegram]
url = "{url}"
editors = [{editor}]
[topics.xai]
term = "explainable AI"
seed_keys = ["XAI"]
[channels.news]
type = "telegram"
chat = "{chat}"
"""


class Done(NamedTuple):
    """What a command left: its exit code, and what it said."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def digest(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line, in this process."""
    known = {name: logging.getLogger(name).level for name in ("digest", "httpx", "httpcore", "urllib3")}

    def run(home: Path, *arguments: str, token: str = TOKEN) -> Done:
        monkeypatch.setenv("DIGEST_TELEGRAM_TOKEN", token)
        monkeypatch.setattr(sys, "argv", ["digest", "--home", str(home), *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, *capsys.readouterr())

    yield run
    logging.captureWarnings(False)
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])
    for name, level in known.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("token", "fault"),
    [(TOKEN, ""), (TOKEN, "502"), (TOKEN, "drop_after"), (WRONG, ""), ("no token at all", "")],
)
def test_the_token_stands_in_no_output_no_log_and_no_file(
    tmp_path: Path, api: BotApi, chat: int, token: str, fault: str, digest: Command
) -> None:
    api.write(EDITOR, "/start")
    home = tmp_path / "home"
    home.mkdir()
    (home / "digest.toml").write_text(CONFIG.format(url=api.url, chat=chat, editor=EDITOR))
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one", "two")], {"en": ["news"]}, "approved", 0, NOON)
    if fault:
        api.fault(fault, methods=["sendMessage"])
        api.fault(fault, methods=["getUpdates"])
    commands = (
        ["deliver"],
        ["channel", "check"],
        ["review", "poll"],
        ["review", "poll", "--wait", "0.1"],
        ["outbox", "list", "--all"],
        ["--json", "deliver"],
    )
    done = [digest(home, *command, "-vv", token=token) for command in commands]
    said = "".join(one.stdout + one.stderr for one in done)
    secret = token.partition(":")[2] or token
    assert "Traceback" not in said
    assert secret not in said
    assert [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []
    if token == TOKEN and not fault:
        assert [one.text for one in api.messages(chat)] == ["one", "two"]


def test_other_packages_do_not_log_the_address(
    channel: TelegramChannel, caplog: pytest.LogCaptureFixture
) -> None:
    from digest import log

    log.configure(2)
    try:
        channel.send(post("x"), 0)
    finally:
        logging.basicConfig(force=True, level=logging.WARNING)
    assert TOKEN not in caplog.text


# --- channel check --------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, api: BotApi, chat: int) -> Path:
    (tmp_path / "home").mkdir()
    api.write(EDITOR, "/start")
    text = CONFIG.format(url=api.url, chat=chat, editor=EDITOR)
    (tmp_path / "home" / "digest.toml").write_text(text)
    return tmp_path / "home"


def test_a_check_of_a_channel_where_all_is_well(home: Path, api: BotApi, digest: Command) -> None:
    done = digest(home, "channel", "check")
    assert (done.returncode, done.stdout.count("ok "), "WRONG" in done.stdout) == (0, 4, False)
    assert api.messages(EDITOR)[-1].text == "This is how posts will look: bold, and a link."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rights": {"can_post_messages": False}}, "switch on “Post messages”"),
        ({"status": "kicked"}, "add the bot again"),
    ],
)
def test_a_check_says_what_is_missing(
    home: Path, api: BotApi, chat: int, change: dict[str, object], said: str, digest: Command
) -> None:
    api.change(chat, **change)
    done = digest(home, "channel", "check", "news")
    assert done.returncode == 1
    assert "WRONG" in done.stdout
    assert said in done.stdout


def test_a_check_resumes_a_channel_that_is_well_again(
    home: Path, api: BotApi, chat: int, digest: Command
) -> None:
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.pause_channel("news", str(chat), "kicked", NOON)
    assert "it was paused and goes on" in digest(home, "channel", "check").stdout
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        assert store.pause("news", str(chat)) is None


def test_a_check_names_the_channels_there_are(home: Path, digest: Command) -> None:
    done = digest(home, "channel", "check", "nwes")
    assert done.returncode == 2
    assert "no Telegram channel nwes; there are news" in done.stderr


# --- a correction ---


def test_a_person_corrects_a_part_that_was_sent(
    home: Path, api: BotApi, chat: int, digest: Command, tmp_path: Path
) -> None:
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("<b>one</b>", "two")], {"en": ["news"]}, "approved", 0, NOON)
        store.add_posts([draft("draft", day=1)], {"en": ["news"]}, "draft", 0, NOON)
    digest(home, "deliver")
    assert digest(home, "outbox", "correct", "1").stdout == "<b>one</b>\n"
    file = tmp_path / "part.html"
    file.write_text("<b>one</b>, corrected\n")
    assert digest(home, "outbox", "correct", "1", str(file)).returncode == 0
    digest(home, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one, corrected", "two"]
    assert "edit" in digest(home, "outbox", "list", "--all").stdout
    file.write_text("<b>one")
    wrong = digest(home, "outbox", "correct", "1", str(file))
    assert (wrong.returncode, "Can't find end tag" in wrong.stderr.replace("can't", "Can't")) == (65, True)
    assert "only what was approved is corrected" in digest(home, "outbox", "correct", "2").stderr
    assert "post 1 has no part 3, but 2" in digest(home, "outbox", "correct", "1", "--part", "3").stderr


# --- live ---


def test_a_live_poll_shows_drafts_takes_presses_and_ends_cleanly_when_it_is_told_to(
    home: Path, api: BotApi
) -> None:
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one")], {"en": ["news"]}, "draft", 0, NOON)
    command = [sys.executable, "-m", "digest", "--home", str(home), "review", "poll", "--live"]
    environ = {**os.environ, "DIGEST_TELEGRAM_TOKEN": TOKEN}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as running:
        until(lambda: [one for one in api.messages(EDITOR) if one.markup])
        [control] = [one for one in api.messages(EDITOR) if one.markup]
        query = api.press(EDITOR, control.message_id, EDITOR, "✅ Publish")
        until(lambda: api.answers(query))
        until(lambda: api.world.allowed and api.log[-1].method == "getupdates" and not api.log[-1].status)
        began = time.monotonic()
        running.terminate()
        said, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert time.monotonic() - began < 15
    assert "0 decided, 1 drafts shown" in said
    assert "post 1 approved" in said
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        now = NOON.replace(year=2040)
        assert store.take_turn("telegram:poll", "next", NOON, now) is None


def until(happens: Callable[[], object]) -> None:
    """Wait for it, a minute at most."""
    for _ in range(600):
        if happens():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")


# --- what a person settles ------------------------------------------------------------------------


@pytest.fixture
def held(home: Path, api: BotApi, chat: int, digest: Command) -> Path:
    """A home whose first part of two is uncertain, and stands in the channel."""
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one", "two")], {"en": ["news"]}, "approved", 0, NOON)
    api.fault("drop_after", methods=["sendMessage"])
    assert "uncertain" in digest(home, "deliver").stdout
    return home


def test_the_outbox_says_what_to_do_about_a_part_that_is_held(held: Path, digest: Command) -> None:
    said = digest(held, "outbox", "list").stdout
    assert "digest outbox resolve 1 --sent MSGID" in said
    assert "digest posts show 1" in said


def test_a_part_that_a_person_found_is_sent_and_the_rest_follows(
    held: Path, api: BotApi, chat: int, digest: Command
) -> None:
    message = api.messages(chat)[0].message_id
    done = digest(held, "outbox", "resolve", "1", "--sent", str(message))
    assert f"/{message}" in done.stdout
    digest(held, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one", "two"]


def test_a_part_that_a_person_did_not_find_is_sent_again(
    held: Path, api: BotApi, chat: int, digest: Command
) -> None:
    api.remove(chat, api.messages(chat)[0].message_id)
    assert digest(held, "outbox", "resolve", "1", "--retry").returncode == 0
    digest(held, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one", "two"]


def test_a_part_that_is_dropped_takes_those_behind_it_along(
    held: Path, api: BotApi, chat: int, digest: Command
) -> None:
    assert "cancelled" in digest(held, "outbox", "resolve", "1", "--drop").stdout
    digest(held, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("1",), 2, "say one of --sent MSGID, --retry, --drop"),
        (("1", "--retry", "--drop"), 2, "say one of"),
        (("99", "--retry"), 65, "no delivery 99"),
        (("2", "--retry"), 2, "delivery 2 is queued: only uncertain or failed becomes queued"),
    ],
)
def test_what_cannot_be_settled_is_one_line(
    held: Path, arguments: tuple[str, ...], code: int, said: str, digest: Command
) -> None:
    done = digest(held, "outbox", "resolve", *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False)
