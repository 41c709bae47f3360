"""Posting against a real, strict server: once, in order, or held and said so. What stands in the channel
is read from the server."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from botapi import BotApi
from digest import delivery
from digest.channels import telegram
from digest.channels.files import FileChannel
from digest.errors import DiskFailed, StoreError
from digest.store import Store
from digest.types import Post, StageReport
from outbox import EDITOR, NOON, TEXTS, THREE, Office, draft, office, quiet

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


def test_each_channel_of_a_language_gets_the_post_once(desk: Office, api: BotApi) -> None:
    chats = {"news": desk.chat, "also": api.chat("channel"), "новости": api.chat("channel")}
    channels = {"en": ["news", "also"], "ru": ["новости"]}
    drafts = [draft("one", "two"), draft("раз", "два", language="ru")]
    desk.store.add_posts(drafts, channels, "approved", 0, NOON)
    with desk.bot() as bot:
        made = [telegram.TelegramChannel(name, bot, str(chat)) for name, chat in chats.items()]
        assert delivery.deliver(desk.store, made, desk.clock).counts == {"sent": 6}
    stands = {name: [one.text for one in api.messages(chat)] for name, chat in chats.items()}
    assert stands == {"news": ["one", "two"], "also": ["one", "two"], "новости": ["раз", "два"]}


# --- what surely was not sent ---------------------------------------------------------------------


def test_a_flood_answer_is_kept_for_the_whole_bot_and_not_slept_through(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    api.fault("429:40000", methods=["sendMessage"])
    report = desk.deliver()
    assert report.counts == {"sent": 0, "queued": 1}
    assert desk.clock.slept == 0
    asked = len(api.requests())
    again = desk.deliver()
    assert "no request before 2026-07-03 23:06:4" in again.notes[0]
    assert len(api.requests()) == asked
    desk.wait(seconds=40_002)
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
    desk.wait(seconds=31)
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
    again = desk.deliver()
    assert again.counts == {"sent": 0, "held": 1}
    assert (
        f"news: post {too_long} part 2 was refused; the parts after it wait: digest outbox list"
        in again.notes[0]
    )


# --- quiet hours ----------------------------------------------------------------------------------


def test_in_quiet_hours_no_new_post_begins_and_a_begun_one_is_finished(desk: Office, api: BotApi) -> None:
    desk.write("one", "two")
    desk.write("next", day=1)
    api.fault("429:5", methods=["sendMessage"])
    desk.deliver()
    desk.wait(seconds=10)
    first = desk.store.claim_delivery("news", desk.clock.now())
    assert first is not None
    desk.store.record_delivery(first.id, "sent", desk.clock.now(), receipt="https://t.me/c/1/1")
    report = desk.deliver(quiet=quiet("11:00-13:00"))
    assert desk.posted() == ["two"]
    assert "quiet until 2026-07-03 13:00 UTC" in "\n".join(report.notes)
    desk.wait(hours=1)
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


@pytest.mark.parametrize("where", ["news", "files"])
def test_a_part_whose_post_the_disk_did_not_give_is_sent_the_next_time(
    desk: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """SQLITE_IOERR_READ says nothing of the post, as damage does: nothing was sent, and it is sent later."""
    channel = FileChannel("files", tmp_path / "files")

    def send() -> StageReport:
        return desk.deliver() if where == "news" else delivery.deliver(desk.store, [channel], desk.clock)

    def read(*_: object) -> None:
        raise DiskFailed("the disk failed")

    desk.write("one", to=where)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "post", read)
        assert send().counts["queued"] == 1
    assert desk.states() == ["queued"]
    desk.wait(minutes=3)
    assert send().counts["sent"] == 1


def test_a_post_is_called_damaged_only_when_it_is_read_so_twice(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says "malformed" of a page that the disk did not give, once; damage stays."""
    desk.write("one")
    read, times = Store.post, iter([StoreError("is damaged")])

    def once(store: Store, number: int) -> Post | None:
        if error := next(times, None):
            raise error
        return read(store, number)

    monkeypatch.setattr(Store, "post", once)
    assert desk.deliver().counts == {"sent": 1}
