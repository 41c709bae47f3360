"""Posting against a real, strict server: once, in order, or held and said so. What stands in the channel
is read from the server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from botapi import BotApi
from digest import delivery
from digest.channels import telegram
from digest.store import Store
from outbox import EDITOR, NOON, Office, office, quiet

THREE = ("<b>one</b> of three", "two of three", "three of three")
TEXTS = ["one of three", "two of three", "three of three"]


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as api:
        yield api


@pytest.fixture
def desk(tmp_path: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(telegram, "READ_TIMEOUT", 0.3)
    with office(tmp_path, api) as made:
        yield made


def wait(desk: Office, **span: float) -> None:
    desk.clock.sleep(timedelta(**span).total_seconds())


# --- all is well ----------------------------------------------------------------------------------


def test_parts_stand_in_the_channel_once_in_order_as_they_were_frozen(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    assert desk.deliver().counts == {"sent": 3}
    assert desk.deliver().counts == {"sent": 0}
    assert desk.posted() == TEXTS
    first, second, third = api.messages(desk.chat)
    assert [(one["type"], one["offset"], one["length"]) for one in first.entities] == [("bold", 0, 3)]
    assert [one.silent for one in (first, second, third)] == [False, True, True]
    assert {one.preview.get("is_disabled") for one in (first, second, third)} == {True}
    assert [one.receipt for one in desk.store.deliveries()] == [
        f"https://t.me/c/{str(desk.chat)[4:]}/{one.message_id}" for one in (first, second, third)
    ]


def test_a_bot_is_asked_who_it_is_before_the_first_part_and_not_when_nothing_waits(
    desk: Office, api: BotApi
) -> None:
    desk.deliver()
    assert api.requests() == []
    desk.write("one")
    desk.deliver()
    assert [one.method for one in api.requests()] == ["getme", "sendmessage"]


def test_the_pace_is_kept_within_a_run_and_from_run_to_run(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    desk.deliver()
    desk.write("next day", day=1)
    desk.deliver()
    sent = [one.at for one in api.requests("sendMessage")]
    assert [later - earlier >= 3.5 for earlier, later in pairwise(sent)] == [True] * 3


def test_only_approved_posts_go_out(desk: Office) -> None:
    number = desk.write("draft", state="draft")
    assert desk.deliver().counts == {"sent": 0}
    desk.store.set_post_state(number, ("draft",), "approved", NOON)
    assert desk.deliver().counts == {"sent": 1}


def test_a_topic_of_a_forum_gets_the_post(tmp_path: Path, api: BotApi) -> None:
    with office(tmp_path, api) as desk:
        desk.chat = api.chat("supergroup", is_forum=True)
        thread = api.topic(desk.chat, "papers")
        desk.write("one")
        assert desk.deliver(thread=thread).notes == ()
        assert [one.text for one in api.messages(desk.chat, thread)] == ["one"]


# --- what surely was not sent ---------------------------------------------------------------------


def test_a_flood_answer_is_kept_for_the_whole_bot_and_not_slept_through(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    api.fault("429:40000", methods=["sendMessage"])
    report = desk.deliver()
    assert report.counts == {"sent": 0, "queued": 1}
    assert desk.clock.slept == 0
    asked = len(api.requests())
    again = desk.deliver()
    assert "rests until 2026-07-03 23:06:4" in again.notes[0]
    assert len(api.requests()) == asked
    wait(desk, seconds=40_002)
    assert desk.deliver().counts == {"sent": 3}
    assert desk.posted() == TEXTS
    assert api.early() == []


def test_where_nothing_listens_the_parts_wait_longer_each_time(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    real, desk.api = desk.api, NoServer(api)  # type: ignore[assignment]
    report = desk.deliver()
    assert report.counts == {"sent": 0, "queued": 1}
    assert "Telegram cannot be reached (is the network up?)" in report.notes[0]
    desk.api = real
    assert desk.deliver().counts == {"sent": 0, "queued": 1}
    wait(desk, seconds=31)
    assert desk.deliver().counts == {"sent": 3}
    assert desk.posted() == TEXTS


class NoServer:
    """The address of a port on which nothing listens."""

    url = "http://127.0.0.1:9"

    def __init__(self, api: BotApi) -> None:
        self.skip = api.skip


def test_a_group_that_became_a_supergroup_gets_the_post_under_its_new_id(desk: Office, api: BotApi) -> None:
    old, new = api.chat("group"), api.chat("supergroup")
    desk.chat = old
    api.change(old, migrated_to=new)
    desk.write(*THREE)
    assert desk.deliver().counts == {"sent": 3}
    assert [one.text for one in api.messages(new)] == TEXTS
    desk.write("next day", day=1)
    assert desk.deliver().counts == {"sent": 1}


def test_lost_rights_pause_one_channel_and_no_other(desk: Office, api: BotApi) -> None:
    api.change(desk.chat, rights={"can_post_messages": False})
    other = api.chat("channel")
    desk.write(*THREE)
    desk.write("elsewhere", topic="unlearning", to="other")
    with desk.bot() as bot:
        channels = [
            telegram.TelegramChannel("news", bot, str(desk.chat)),
            telegram.TelegramChannel("other", bot, str(other)),
        ]
        report = delivery.deliver(desk.store, channels, desk.clock)
    assert report.counts == {"sent": 1, "paused": 1}
    assert [one.text for one in api.messages(other)] == ["elsewhere"]
    assert desk.states() == ["queued"] * 3 + ["sent"]
    assert "make the bot an administrator that may post messages" in report.notes[0]
    assert "news is paused" in api.messages(EDITOR)[-1].text
    api.change(desk.chat, rights={"can_post_messages": True})
    assert "paused since" in desk.deliver().notes[0]
    assert desk.posted() == []
    desk.store.resume_channel("news")
    desk.deliver()
    assert desk.posted() == TEXTS


def test_a_channel_that_was_pointed_elsewhere_is_not_paused(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    api.change(desk.chat, status="kicked")
    desk.deliver()
    desk.chat = api.chat("channel")
    assert desk.deliver().counts == {"sent": 3}


def test_a_wrong_token_stops_all_and_loses_nothing(desk: Office) -> None:
    desk.write(*THREE)
    right, desk.token = desk.token, "7000000001:AAEnot_the_token_at_all"
    report = desk.deliver()
    assert "Telegram does not accept the bot token" in report.notes[0]
    assert desk.states() == ["queued"] * 3
    desk.token = right
    assert desk.deliver().counts == {"sent": 3}


# --- what never will be sent ----------------------------------------------------------------------


def test_a_part_that_is_refused_holds_the_rest_of_its_post_and_no_other(desk: Office, api: BotApi) -> None:
    too_long = desk.write("one", "x" * 4097, "three")
    desk.write("another", day=1)
    report = desk.deliver()
    assert report.counts == {"sent": 2, "failed": 1}
    assert desk.posted() == ["one", "another"]
    assert desk.states() == ["sent", "failed", "queued", "sent"]
    assert f"news: post {too_long} part 2 failed" in report.notes[0]
    assert "essage is too long" in api.messages(EDITOR)[-1].text


# --- what may have been sent ----------------------------------------------------------------------

AMBIGUOUS = [
    "drop_before",
    "drop_after",
    "reset_before",
    "reset_after",
    "hang_before",
    "hang_after",
    "late:2",
    "slow:3",
    "cut",
    "500",
    "500_after",
    "502",
    "502_after",
]


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_without_an_answer_nothing_is_sent_again_before_a_look(desk: Office, api: BotApi, fault: str) -> None:
    """Whatever has happened, the channel ends with each part once and in order."""
    desk.write("first ever", day=-1)
    desk.deliver()
    desk.write(*THREE)
    api.fault(fault, methods=["sendMessage"])
    report = desk.deliver()
    if not fault.startswith("slow"):  # an answer in small pieces is read to its end
        assert report.counts == {"sent": 0, "uncertain": 1}
        assert desk.states() == ["sent", "uncertain", "queued", "queued"]
        assert desk.deliver().counts == {"sent": 0}
        tried = [one.fault for one in api.requests("sendMessage") if one.args.get("chat_id") != str(EDITOR)]
        assert tried == ["", fault.partition(":")[0]]
    wait(desk, minutes=3)
    desk.deliver()
    assert desk.posted() == ["first ever", *TEXTS]
    assert desk.states() == ["sent"] * 4


def test_a_part_that_arrived_is_found_and_its_copy_deleted(desk: Office, api: BotApi) -> None:
    desk.write("first ever", day=-1)
    desk.deliver()
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    wait(desk, minutes=3)
    report = desk.deliver()
    assert report.counts == {"sent": 2, "found": 1}
    assert [one.text for one in api.messages(EDITOR)][2:] == []
    found = desk.store.deliveries()[1]
    assert found.receipt == f"https://t.me/c/{str(desk.chat)[4:]}/{api.messages(desk.chat)[1].message_id}"


def test_others_messages_between_are_no_answer(desk: Office, api: BotApi) -> None:
    """People post in the channel too: the look goes on until ten numbers in a row are empty."""
    desk.write("first ever", day=-1)
    desk.deliver()
    for number in range(12):
        api.post(desk.chat, f"by hand {number}")
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    wait(desk, minutes=3)
    api.flood(False)
    desk.deliver()
    assert [text for text in desk.posted() if "hand" not in text] == ["first ever", *TEXTS]


def test_numbers_of_deleted_messages_are_no_answer(desk: Office, api: BotApi) -> None:
    desk.write("first ever", day=-1)
    desk.deliver()
    for _ in range(5):
        api.remove(desk.chat, api.post(desk.chat))
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    wait(desk, minutes=3)
    desk.deliver()
    assert desk.posted() == ["first ever", *TEXTS]


def held(desk: Office, reason: str) -> None:
    wait(desk, minutes=3)
    for _ in range(2):
        report = desk.deliver()
        assert reason in "\n".join(report.notes)
        assert "uncertain" in desk.states()
        wait(desk, minutes=10)


def uncertain(desk: Office, api: BotApi, fault: str = "drop_after") -> None:
    """Bring the first of three parts into doubt."""
    desk.write("first ever", day=-1)
    desk.deliver()
    desk.write(*THREE)
    api.fault(fault, methods=["sendMessage"])
    desk.deliver()


def test_a_look_at_protected_content_is_no_miss(desk: Office, api: BotApi) -> None:
    uncertain(desk, api)
    api.messages(desk.chat)[1].protected = True
    held(desk, "protected")
    assert desk.posted() == ["first ever", TEXTS[0]]


def test_a_look_without_rights_is_no_miss(desk: Office, api: BotApi) -> None:
    uncertain(desk, api)
    api.change(desk.chat, status="kicked")
    held(desk, "kicked")
    assert desk.posted() == ["first ever", TEXTS[0]]


def test_an_editor_who_blocked_the_bot_stops_the_looking_and_not_the_posting(
    desk: Office, api: BotApi
) -> None:
    uncertain(desk, api)
    api.change(EDITOR, blocked=True)
    desk.write("next day", day=1)
    held(desk, "blocked by the user")
    assert desk.posted() == ["first ever", TEXTS[0], "next day"]


def test_a_message_that_somebody_has_edited_meanwhile_is_held(desk: Office, api: BotApi) -> None:
    desk.write("first ever", day=-1)
    desk.deliver()
    desk.write("a post of some ten words that a person mends at once", "two of three")
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    message = api.messages(desk.chat)[1]
    message.content["text"] = message.text.replace("mends", "corrects")
    held(desk, "nearly the same")


def test_the_same_text_of_another_time_is_held(desk: Office, api: BotApi) -> None:
    desk.write("first ever", day=-1)
    desk.deliver()
    api.post(desk.chat, TEXTS[0])
    wait(desk, hours=1)
    desk.write(*THREE)
    api.fault("drop_before", methods=["sendMessage"])
    desk.deliver()
    held(desk, "the same text stands there")


def test_the_first_message_of_all_cannot_be_looked_for(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    held(desk, "no earlier message of the channel is known")
    assert desk.posted() == TEXTS[:1]


def test_nobody_looks_where_the_configuration_says_hold(desk: Office, api: BotApi) -> None:
    desk.options = {"probe": False}
    uncertain(desk, api)
    held(desk, "nobody looks for it")
    assert api.requests("forwardMessage") == []


def test_an_uncertain_part_that_equals_another_post_is_not_found_in_it(desk: Office, api: BotApi) -> None:
    """Two posts of the same words: the one that stands there is another's and proves nothing."""
    desk.write("same words", day=-2)
    desk.deliver()
    desk.write("same words", day=-1)
    api.fault("drop_before", methods=["sendMessage"])
    desk.deliver()
    desk.write("same words")
    desk.deliver()
    wait(desk, minutes=3)
    desk.deliver()
    assert desk.posted() == ["same words"] * 3


# --- one at a time --------------------------------------------------------------------------------


def test_while_another_process_has_its_turn_nothing_is_claimed(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    now = desk.clock.now()
    desk.store.take_turn("telegram", "another", now, now + delivery.TURN)
    report = desk.deliver()
    assert "another process is sending" in "".join(report.notes)
    assert api.requests() == []
    wait(desk, minutes=3)
    assert desk.deliver().counts == {"sent": 3}


def test_who_has_lost_the_turn_claims_nothing(desk: Office) -> None:
    from digest.types import Turn

    desk.write("one")
    now = desk.clock.now()
    desk.store.take_turn("telegram", "me", now, now + timedelta(seconds=1))
    turn = Turn(sender="telegram", owner="me", until=now + delivery.TURN, chat="-1", rest=now)
    late = now + timedelta(seconds=2)
    assert desk.store.claim_delivery("news", late, turn) is None
    assert desk.store.take_turn("telegram", "other", late, late + delivery.TURN) is None
    assert desk.store.claim_delivery("news", late, turn) is None


def test_what_another_process_is_sending_is_not_taken_for_lost(desk: Office, tmp_path: Path) -> None:
    """A second sender comes while the first waits for an answer: it neither holds nor sends the part."""
    desk.write("one")
    now = desk.clock.now()
    desk.store.take_turn("telegram", "first", now, now + delivery.TURN)
    claimed = desk.store.claim_delivery("news", now)
    assert claimed is not None
    with Store.open(f"sqlite:///{tmp_path / 'digest.sqlite3'}") as store:
        second = Office(store, desk.api, desk.chat)
        second.deliver()
        assert second.states() == ["sending"]


# --- killed, and two at once ----------------------------------------------------------------------


def sender(desk: Office, *moment: str) -> subprocess.Popen[bytes]:
    """A process that delivers."""
    arguments = [f"sqlite:///{desk.store.file}", desk.api.url, str(desk.chat), str(EDITOR), *moment]
    return subprocess.Popen([sys.executable, str(Path(__file__).with_name("sender.py")), *arguments])


@pytest.mark.parametrize(("moment", "arrived"), [("claimed", False), ("asked", True), ("answered", True)])
def test_a_sender_killed_around_a_request_leaves_it_uncertain_and_the_next_looks(
    desk: Office, api: BotApi, moment: str, arrived: bool
) -> None:
    desk.write("first ever", day=-1)
    desk.deliver()
    desk.write(*THREE)
    if moment == "asked":
        api.fault("hang_after:1", methods=["sendMessage"])
    assert sender(desk, moment).wait(60) == -signal.SIGKILL
    assert desk.posted() == ["first ever", TEXTS[0]][: 1 + arrived]
    assert "another process is sending" in desk.deliver().notes[0]
    wait(desk, minutes=2)
    assert desk.deliver().counts.get("uncertain", 0) <= 1
    wait(desk, minutes=3)
    desk.deliver()
    assert desk.posted() == ["first ever", *TEXTS]
    assert desk.states() == ["sent"] * 4


def test_two_senders_at_once_send_each_part_once_and_in_order(desk: Office, api: BotApi) -> None:
    api.flood(False)
    for day in range(8):
        desk.write(f"{day} one", f"{day} two", day=day)
    running = [sender(desk) for _ in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    desk.deliver()
    assert desk.posted() == [f"{day} {part}" for day in range(8) for part in ("one", "two")]


def test_two_daemons_and_a_timer_at_once_lose_and_double_nothing(desk: Office, api: BotApi) -> None:
    """Two processes deliver again and again, and one that a timer starts comes and goes; while they do, posts
    are written and one that was sent is corrected."""
    api.flood(False)
    first = desk.write("0 one", "0 two")
    daemons = [sender(desk, "again") for _ in range(2)]
    for day in range(1, 5):
        desk.write(f"{day} one", f"{day} two", day=day)
        assert sender(desk).wait(120) == 0
    desk.correct(first, "0 one, corrected")
    for one in daemons:
        one.terminate()
    assert {one.wait(120) for one in daemons} <= {0, -signal.SIGTERM}
    for _ in range(3):
        wait(desk, minutes=3)
        desk.deliver()
    wanted = [f"{day} {part}" for day in range(5) for part in ("one", "two")]
    assert desk.posted() == ["0 one, corrected", *wanted[1:]]
    assert desk.states() == ["sent"] * 10


@pytest.mark.slow
def test_a_sender_killed_at_some_of_its_system_calls_doubles_and_loses_nothing() -> None:
    script = Path(__file__).with_name("soak_syscalls.py")
    command = [sys.executable, str(script), "--every", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_days_of_faults_and_kills_leave_each_part_once_or_held() -> None:
    script = Path(__file__).with_name("soak_telegram.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


# --- quiet hours ----------------------------------------------------------------------------------


def test_in_quiet_hours_no_new_post_begins_and_a_begun_one_is_finished(desk: Office, api: BotApi) -> None:
    desk.write("one", "two")
    desk.write("next", day=1)
    api.fault("429:5", methods=["sendMessage"])
    desk.deliver()
    wait(desk, seconds=10)
    first = desk.store.claim_delivery("news", desk.clock.now())
    assert first is not None
    desk.store.record_delivery(first.id, "sent", desk.clock.now(), receipt="https://t.me/c/1/1")
    report = desk.deliver(quiet=quiet("11:00-13:00"))
    assert desk.posted() == ["two"]
    assert "quiet until 2026-07-03 13:00 UTC" in "\n".join(report.notes)
    wait(desk, hours=1)
    desk.deliver(quiet=quiet("11:00-13:00"))
    assert desk.posted() == ["two", "next"]


@pytest.mark.parametrize(
    ("hours", "zone", "until"),
    [
        ("23:00-08:00", "UTC", None),
        ("11:00-13:00", "UTC", "13:00"),
        ("23:00-08:00", "Asia/Tokyo", None),
        ("20:00-08:00", "Asia/Tokyo", "23:00"),
        ("08:00-12:00", "UTC", None),
        ("12:00-12:01", "UTC", "12:01"),
    ],
)
def test_quiet_hours_are_those_of_the_readers(hours: str, zone: str, until: str | None) -> None:
    found = quiet(hours, zone).until(NOON)
    assert (found and f"{found:%H:%M}") == until
