"""Updates, limits on posting, faults and the control of the loopback Bot API."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botapi import TOKEN, BotApi, Remote
from botserver.client import PNG, USER, Client, bad, keyboard
from botserver.faults import PLANS
from botserver.methods import METHODS

TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


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
        ("slow:9", "timeout", 1),
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
    command = [
        sys.executable,
        str(Path(__file__).parents[1] / "botapi.py"),
        "--port",
        "0",
        "--state",
        str(log),
    ]
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


def test_half_a_request_is_not_done(api: BotApi, bot: Client, channel: int) -> None:
    """Its client was killed while it wrote."""
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))) as link:
        head = f"POST /bot{TOKEN}/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        head += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        link.sendall(f"{head}chat_id={channel}&text=half".encode())
        link.shutdown(socket.SHUT_WR)
        assert link.recv(10) == b""
    assert bot.ok("getMe")
    assert api.messages(channel) == []


def test_a_server_that_is_down_refuses_and_comes_back_with_all_it_had(
    api: BotApi, bot: Client, channel: int
) -> None:
    bot.ok("sendMessage", chat_id=channel, text="1")
    link = http.client.HTTPConnection(api.url.removeprefix("http://"), timeout=5)
    link.request("GET", f"/bot{TOKEN}/getMe")
    link.getresponse().read()
    api.down()
    with pytest.raises(urllib.error.URLError, match="refused"):
        bot.ask("getMe")
    link.request("GET", f"/bot{TOKEN}/getMe")
    with pytest.raises(http.client.RemoteDisconnected):
        link.getresponse()
    link.close()
    api.up()
    bot.ok("sendMessage", chat_id=channel, text="2")
    assert [one.text for one in api.messages(channel)] == ["1", "2"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text("ab<>&/;:", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["text", "type", "offset", "length", "url", "message_id", "callback_data", "user"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
ARGUMENTS = (
    *("chat_id", "from_chat_id", "message_id", "text", "entities", "caption", "photo", "question", "options"),
    *("reply_markup", "reply_parameters", "link_preview_options", "message_thread_id", "commands", "offset"),
    *("limit", "allowed_updates", "user_id", "callback_query_id", "parse_mode", "type"),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(METHODS)), st.dictionaries(st.sampled_from(ARGUMENTS), JSON), st.booleans())
def test_whatever_is_asked_the_server_itself_does_not_fail(
    api: BotApi, bot: Client, channel: int, method: str, args: dict[str, Any], known: bool
) -> None:
    """It would look like a lost answer."""
    told = bot.ok("sendMessage", chat_id=channel, text="x")
    place = {"chat_id": channel, "message_id": told["message_id"]} if known else {}
    markup = {"inline_keyboard": [[args["reply_markup"]]]} if "reply_markup" in args else None
    answer = bot.ask(method, **args | place | {"reply_markup": markup})
    assert answer.status in (200, 400, 403, 409)
    bot.ok("deleteWebhook")
    assert api.crashes() == []
