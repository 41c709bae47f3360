"""What follows a part that was sent, against a real, strict server: edits, pictures, polls, pins, rich
messages. What stands in the channel is read from the server."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from botapi import BotApi
from digest import followup
from digest.channels import Follow, telegram
from digest.markup import CAPTION_LIMIT
from digest.types import Choice, Evidence, Page, Paper
from outbox import EDITOR, NOON, Office, office

POLLS = {"en": ("Useful?", "Yes", "No"), "ru": ("Полезно?", "Да", "Нет"), "zh": ("有用吗？", "有", "没有")}
LINK = '<a href="https://arxiv.org/abs/2607.00001">A title</a>'


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


def edits(api: BotApi) -> list[str]:
    return [one.fault or str(one.status) for one in api.requests("editMessageText")]


def sent(desk: Office, *html: str, **more: Any) -> int:
    number = desk.write(*html, **more)
    assert desk.deliver().counts["sent"] == len(html)
    return number


def follow_states(desk: Office) -> list[tuple[str, str]]:
    return [(one.kind, one.state) for one in desk.store.followups()]


# --- edits ----------------------------------------------------------------------------------------


def test_a_corrected_part_is_edited_once_and_no_message_is_new(desk: Office, api: BotApi) -> None:
    number = sent(desk, "<b>one</b>", "two")
    desk.correct(number, "<i>one</i> corrected")
    assert desk.deliver().counts == {"sent": 0, "edited": 1}
    assert desk.deliver().counts == {"sent": 0}
    assert desk.posted() == ["one corrected", "two"]
    first = api.messages(desk.chat)[0]
    assert [one["type"] for one in first.entities] == ["italic"]
    assert first.preview == {"is_disabled": True}
    assert len(api.requests("sendMessage")) == 2


def test_a_text_changed_back_and_forth_ends_as_it_is(desk: Office, api: BotApi) -> None:
    number = sent(desk, "one")
    for text in ("two", "one", "two"):
        desk.correct(number, text)
        desk.deliver()
        assert desk.posted() == [text]
    assert edits(api) == ["200"] * 3


def test_of_two_changes_that_wait_only_the_last_is_made(desk: Office, api: BotApi) -> None:
    number = sent(desk, "one")
    api.fault("429:60", methods=["editMessageText"])
    desk.correct(number, "two")
    desk.deliver()
    desk.correct(number, "three")
    wait(desk, minutes=2)
    desk.deliver()
    assert desk.posted() == ["three"]
    assert follow_states(desk) == [("edit", "cancelled"), ("edit", "sent")]


def test_a_change_that_was_taken_back_before_it_was_made_is_not_made(desk: Office, api: BotApi) -> None:
    number = sent(desk, "one")
    api.fault("429:60", methods=["editMessageText"])
    desk.correct(number, "two")
    desk.deliver()
    desk.correct(number, "one")
    wait(desk, minutes=2)
    desk.deliver()
    assert desk.posted() == ["one"]
    assert "two" not in [one.args.get("text") for one in api.requests("editMessageText") if one.status == 200]


@pytest.mark.parametrize(
    "fault", ["drop_before", "drop_after", "hang_after", "reset_after", "500", "502_after", "cut", "429:5"]
)
def test_an_edit_without_an_answer_is_made_again_and_nothing_is_sent(
    desk: Office, api: BotApi, fault: str
) -> None:
    number = sent(desk, "one", "two")
    desk.correct(number, "one corrected")
    api.fault(fault, methods=["editMessageText"])
    desk.deliver()
    wait(desk, minutes=30)
    assert desk.deliver().counts == {"sent": 0, "edited": 1}
    assert desk.posted() == ["one corrected", "two"]
    assert len(api.requests("sendMessage")) == 2


def test_what_is_not_modified_is_done(desk: Office, api: BotApi) -> None:
    number = sent(desk, "one")
    desk.correct(number, "two")
    api.fault("drop_after", methods=["editMessageText"])
    desk.deliver()
    wait(desk, minutes=30)
    desk.deliver()
    assert edits(api) == ["drop_after", "400"]
    assert follow_states(desk) == [("edit", "sent")]


def test_a_message_that_is_gone_is_left_alone_and_said_so(desk: Office, api: BotApi) -> None:
    number = sent(desk, "one", "two")
    api.remove(desk.chat, api.messages(desk.chat)[0].message_id)
    desk.correct(number, "one corrected")
    report = desk.deliver()
    assert "the message is not there any more" in report.notes[0]
    assert follow_states(desk) == [("edit", "cancelled")]
    assert desk.deliver().notes == ()
    assert desk.posted() == ["two"]


def test_a_refused_edit_is_told_once_and_holds_up_nothing(desk: Office, api: BotApi) -> None:
    number = sent(desk, "one")
    desk.correct(number, "x" * 4097)
    desk.write("next day", day=1)
    desk.deliver()
    assert desk.posted() == ["one", "next day"]
    assert follow_states(desk) == [("edit", "failed")]
    told = [one.text for one in api.messages(EDITOR) if "edit" in one.text]
    assert len(told) == 1
    assert "a message has room for 4096 characters" in told[0]
    desk.deliver()
    assert len([one for one in api.messages(EDITOR) if "edit" in one.text]) == 1


def test_an_edit_waits_until_the_part_is_settled(desk: Office, api: BotApi) -> None:
    """What may not stand there is not edited, and what was changed is not looked for by its new text."""
    sent(desk, "first ever", day=-1)
    number = desk.write("a part of some words", "two")
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    desk.correct(number, "something else entirely now")
    wait(desk, minutes=3)
    assert "its text was changed since" in "\n".join(desk.deliver().notes)
    assert desk.posted() == ["first ever", "a part of some words"]
    desk.store.set_delivery_state(2, ("uncertain",), "sent", desk.clock.now(), receipt="x", message=2)
    desk.deliver()
    assert desk.posted() == ["first ever", "something else entirely now", "two"]


def test_lost_rights_do_not_pause_the_channel_for_an_edit(desk: Office, api: BotApi) -> None:
    number = sent(desk, "one")
    desk.correct(number, "two")
    api.change(desk.chat, rights={"can_post_messages": False, "can_edit_messages": False})
    desk.deliver()
    assert desk.store.pause("news", str(desk.chat)) is None
    assert desk.posted() == ["one"]


# --- papers that changed --------------------------------------------------------------------------


def paper(**more: Any) -> Paper:
    given = {"id": "2607.00001", "version": 1, "submitted": NOON, "updated": NOON} | more
    words = {"title": "A title", "abstract": "A", "authors": ("B",), "categories": ("cs.CV",)}
    return Paper(**words, announced=NOON.date(), **given)


def show_paper(desk: Office) -> None:
    desk.store.add_papers("sample", Page((paper(),), None), NOON)
    choice = Choice(
        paper="2607.00001", tier="brief", score=1.0, silent=False, evidence=Evidence(), topics=("xai",)
    )
    sent(desk, f"Head\n\n{LINK} and more", choices=(choice,))


def change_paper(desk: Office, **more: Any) -> None:
    later = NOON + timedelta(hours=3)
    new = paper(version=2, updated=later, announce_type="replace", **more)
    desk.store.add_papers("sample", Page((new,), None), later)


def test_a_withdrawn_paper_is_marked_in_the_post_that_shows_it(desk: Office, api: BotApi) -> None:
    show_paper(desk)
    change_paper(desk, withdrawn=True)
    assert desk.deliver(follow=Follow()).counts == {"sent": 0}
    assert desk.deliver(follow=Follow(marks=("withdrawn",))).counts == {"sent": 0, "edited": 1}
    [message] = api.messages(desk.chat)
    assert message.text == "Head\n\nA title ⚠️ withdrawn and more"
    assert {one["type"] for one in message.entities} == {"text_link", "strikethrough"}
    assert desk.deliver(follow=Follow(marks=("withdrawn",))).counts == {"sent": 0}
    assert desk.store.followups()[0].why == "2607.00001 withdrawn"


def test_a_new_version_is_named_when_the_setting_says_so(desk: Office) -> None:
    show_paper(desk)
    change_paper(desk)
    desk.deliver(follow=Follow(marks=("withdrawn",)))
    assert desk.posted() == ["Head\n\nA title and more"]
    desk.deliver(follow=Follow(marks=("version",)))
    assert desk.posted() == ["Head\n\nA title (updated: v2) and more"]


def test_a_correction_keeps_the_mark(desk: Office) -> None:
    show_paper(desk)
    change_paper(desk, withdrawn=True)
    desk.deliver(follow=Follow(marks=("withdrawn",)))
    desk.correct(1, f"New head\n\n{LINK}")
    desk.deliver(follow=Follow(marks=("withdrawn",)))
    assert desk.posted() == ["New head\n\nA title ⚠️ withdrawn"]


def test_an_old_post_is_not_marked_any_more(desk: Office) -> None:
    show_paper(desk)
    wait(desk, days=8)
    change_paper(desk, withdrawn=True)
    assert desk.deliver(follow=Follow(marks=("withdrawn",), days=7)).counts == {"sent": 0}


# --- pictures -------------------------------------------------------------------------------------


def png(width: int = 4, height: int = 3, padding: int = 0) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    filler = chunk(b"teXt", bytes(padding)) if padding else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + filler + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def home(tmp_path: Path, desk: Office) -> Path:
    (tmp_path / "card.png").write_bytes(png())
    desk.options = {"home": tmp_path}
    return tmp_path


def test_a_part_with_a_picture_becomes_a_photo_with_its_caption(
    desk: Office, api: BotApi, home: Path
) -> None:
    sent(desk, "<b>one</b> card", "two", picture="card.png")
    first, second = api.messages(desk.chat)
    assert (first.content["photo"][0]["width"], first.text, second.text) == (4, "one card", "two")
    assert [one["type"] for one in first.entities] == ["bold"]
    assert "photo" not in second.content


def test_a_photo_without_an_answer_is_looked_for_and_not_sent_again(
    desk: Office, api: BotApi, home: Path
) -> None:
    sent(desk, "first ever", day=-1)
    desk.write("card", "two", picture="card.png")
    api.fault("drop_after", methods=["sendPhoto"])
    desk.deliver()
    assert desk.states() == ["sent", "uncertain", "queued"]
    wait(desk, minutes=3)
    assert desk.deliver().counts == {"found": 1, "sent": 1}
    assert desk.posted() == ["first ever", "card", "two"]


def test_a_corrected_caption_is_edited(desk: Office, api: BotApi, home: Path) -> None:
    number = sent(desk, "card", picture="card.png")
    desk.correct(number, "card, corrected")
    assert desk.deliver().counts == {"sent": 0, "edited": 1}
    [message] = api.messages(desk.chat)
    assert (message.text, "photo" in message.content) == ("card, corrected", True)


@pytest.mark.parametrize(
    ("content", "caption", "said"),
    [
        (png(), "x" * (CAPTION_LIMIT + 1), "under a picture there is room for 1024 characters"),
        (png(padding=10 * 1024 * 1024), "x", "the picture has 10.0 MB, and Telegram takes 10 MB"),
        (png(9000, 2000), "x", "the picture is too large or too narrow"),
        (b"no picture", "x", "the picture is no PNG or JPEG"),
        (None, "x", "the picture cannot be read: No such file"),
    ],
)
def test_a_picture_that_cannot_be_posted_is_refused_in_words(
    desk: Office, home: Path, content: bytes | None, caption: str, said: str
) -> None:
    (home / "card.png").unlink()
    if content is not None:
        (home / "card.png").write_bytes(content)
    desk.write(caption, picture="card.png")
    report = desk.deliver()
    assert report.counts == {"sent": 0, "failed": 1}
    assert said in report.notes[0]


def test_the_picture_belongs_to_what_is_frozen(desk: Office) -> None:
    from msgspec.structs import replace

    from outbox import part

    one = part("<b>a</b>")
    plain = replace(one, entities=())
    assert len({one.sha256, plain.sha256, replace(one, picture="x.png").sha256}) == 3


# --- polls and pins -------------------------------------------------------------------------------

REVIEWS = Follow(polls=("review",), pins=("review",), questions=POLLS)


def kinds(api: BotApi, chat: int) -> list[str]:
    return ["poll" if "poll" in one.content else one.text for one in api.messages(chat)]


def test_after_a_review_comes_a_poll_and_its_first_part_is_pinned(desk: Office, api: BotApi) -> None:
    desk.options = {"follow": REVIEWS}
    desk.write("обзор", "second", genre="review", language="ru")
    desk.write("daily", day=1)
    assert desk.deliver().counts == {"sent": 3, "asked": 1, "pinned": 1}
    assert kinds(api, desk.chat) == ["обзор", "second", "poll", "daily"]
    [poll] = [one for one in api.messages(desk.chat) if "poll" in one.content]
    assert poll.content["poll"]["question"] == "Полезно?"
    assert [one["text"] for one in poll.content["poll"]["options"]] == ["Да", "Нет"]
    assert poll.silent
    chat = api.world.chats[desk.chat]
    assert [chat.messages[one].text for one in chat.pinned] == ["обзор"]
    pin = [one for one in api.history(desk.chat) if one.is_service]
    assert [one.silent for one in pin] == [True]
    assert desk.deliver().counts == {"sent": 0}


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "500", "hang_after", "cut"])
def test_a_poll_that_may_have_been_asked_is_never_asked_again(desk: Office, api: BotApi, fault: str) -> None:
    desk.options = {"follow": REVIEWS}
    desk.write("review", genre="review")
    desk.write("daily", day=1)
    api.fault(fault, methods=["sendPoll"])
    desk.deliver()
    for _ in range(3):
        wait(desk, hours=1)
        desk.deliver()
    assert len(api.requests("sendPoll")) == 1
    assert [text for text in kinds(api, desk.chat) if text != "poll"] == ["review", "daily"]
    assert ("poll", "failed") in follow_states(desk)


def test_a_poll_or_pin_that_is_refused_never_harms_the_posts(desk: Office, api: BotApi) -> None:
    questions = {"en": ("Useful?", *("x" * 30,) * 13)}
    desk.options = {"follow": Follow(polls=("review",), pins=("review",), questions=questions)}
    api.change(desk.chat, rights={"can_edit_messages": False})
    desk.write("review", "two", genre="review")
    desk.write("daily", day=1)
    report = desk.deliver()
    assert desk.posted() == ["review", "two", "daily"]
    assert desk.states() == ["sent"] * 3
    assert desk.store.pause("news", str(desk.chat)) is None
    assert sorted(follow_states(desk)) == [("pin", "failed"), ("poll", "failed")]
    assert "the poll (after a review) is failed" in "\n".join(report.notes)
    assert [one for one in api.messages(EDITOR) if "paused" in one.text] == []


def test_a_flood_answer_to_a_poll_lets_it_wait(desk: Office, api: BotApi) -> None:
    desk.options = {"follow": REVIEWS}
    desk.write("review", genre="review")
    api.fault("429:60", methods=["sendPoll"])
    desk.deliver()
    wait(desk, minutes=2)
    desk.deliver()
    assert kinds(api, desk.chat) == ["review", "poll"]
    assert api.early() == []


def test_last_weeks_reviews_get_no_poll_when_the_setting_is_given(desk: Office, api: BotApi) -> None:
    desk.write("review", genre="review")
    desk.deliver()
    wait(desk, days=2)
    desk.options = {"follow": REVIEWS}
    assert desk.deliver().counts == {"sent": 0}


def test_in_quiet_hours_edits_are_made_and_polls_wait(desk: Office, api: BotApi) -> None:
    from outbox import quiet

    number = sent(desk, "review", genre="review")
    desk.correct(number, "review, corrected")
    desk.options = {"follow": REVIEWS, "quiet": quiet("11:00-13:00")}
    desk.deliver()
    assert kinds(api, desk.chat) == ["review, corrected"]
    wait(desk, hours=1)
    desk.deliver()
    assert kinds(api, desk.chat) == ["review, corrected", "poll"]


def test_a_message_found_after_a_poll_is_not_taken_for_it(desk: Office, api: BotApi) -> None:
    desk.options = {"follow": Follow(polls=("review",), questions=POLLS)}
    sent(desk, "review", genre="review")
    desk.write("daily", day=1)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    wait(desk, minutes=3)
    assert desk.deliver().counts["found"] == 1
    assert kinds(api, desk.chat) == ["review", "poll", "daily"]


# --- rich messages --------------------------------------------------------------------------------


def test_a_rich_channel_gets_rich_messages(desk: Office, api: BotApi) -> None:
    desk.options = {"rich": True}
    desk.write("<b>one</b>\nline\n\n<pre>a\nb</pre>")
    assert desk.deliver().counts == {"sent": 1}
    [message] = api.messages(desk.chat)
    assert message.content == {"rich_message": {"html": "<p><b>one</b><br>line</p><p><pre>a\nb</pre></p>"}}


@pytest.mark.parametrize("why", ["method not found", "refused"])
def test_where_rich_messages_are_not_taken_the_classic_one_is_sent(
    desk: Office, api: BotApi, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.options = {"rich": True}
    if why == "refused":
        monkeypatch.setattr("botserver.posting.RICH_LENGTH", 5)
    else:
        api.rich(False)
    sent(desk, "<b>one</b>", "two")
    assert desk.posted() == ["one", "two"]
    [first, _] = api.messages(desk.chat)
    assert [one["type"] for one in first.entities] == ["bold"]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "500", "cut"])
def test_a_rich_message_without_an_answer_is_followed_by_nothing(
    desk: Office, api: BotApi, fault: str
) -> None:
    """Its text cannot be read back: where something new stands there the part is held, and never doubled."""
    desk.options = {"rich": True}
    sent(desk, "first ever", day=-1)
    desk.write("one")
    api.fault(fault, methods=["sendRichMessage"])
    desk.deliver()
    assert api.requests("sendMessage") == []
    wait(desk, minutes=3)
    desk.deliver()
    assert len(api.messages(desk.chat)) == 2
    arrived = fault in ("drop_after", "cut")
    assert desk.states() == ["sent", "uncertain" if arrived else "sent"]


def test_a_rich_message_is_edited_as_one(desk: Office, api: BotApi) -> None:
    desk.options = {"rich": True}
    number = sent(desk, "one")
    desk.correct(number, "two")
    assert desk.deliver().counts == {"sent": 0, "edited": 1}
    assert api.messages(desk.chat)[0].content == {"rich_message": {"html": "<p>two</p>"}}
    desk.options = {}
    desk.correct(number, "three")
    report = desk.deliver()
    assert "no text in the message to edit" in report.notes[0]


# --- alarms ---------------------------------------------------------------------------------------


def told(api: BotApi) -> list[str]:
    return [one.text for one in api.messages(EDITOR) if one.text != "/start"]


def test_a_paused_channel_is_told_once(desk: Office, api: BotApi) -> None:
    api.change(desk.chat, status="kicked")
    desk.write("one", "two")
    for _ in range(3):
        desk.deliver()
        wait(desk, hours=1)
    assert len(told(api)) == 1
    assert "news is paused" in told(api)[0]
    api.change(desk.chat, status="administrator")
    desk.store.resume_channel("news")
    desk.deliver()
    api.change(desk.chat, status="kicked")
    desk.write("next day", day=1)
    desk.deliver()
    assert len(told(api)) == 2


def test_a_part_that_a_person_must_settle_is_told_once_and_one_that_was_found_never(
    desk: Office, api: BotApi
) -> None:
    sent(desk, "first ever", day=-1)
    desk.write("one", "two")
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    assert told(api) == []
    wait(desk, minutes=3)
    desk.deliver()
    assert told(api) == []
    desk.write("next day", day=1)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    api.messages(desk.chat)[-1].protected = True
    for _ in range(3):
        wait(desk, hours=1)
        desk.deliver()
    assert len(told(api)) == 1
    assert "news: post 3 part 1 may stand in the channel" in told(api)[0]


def test_an_alarm_that_surely_did_not_arrive_is_told_later(desk: Office, api: BotApi) -> None:
    desk.write("x" * 4097)
    api.change(EDITOR, blocked=True)
    desk.deliver()
    assert told(api) == []
    api.change(EDITOR, blocked=False)
    desk.deliver()
    desk.deliver()
    assert len(told(api)) == 1


# --- pure -----------------------------------------------------------------------------------------


def test_an_edit_is_given_up_after_some_tries() -> None:
    from digest.errors import Uncertain
    from digest.types import FollowUp

    def one(kind: Any, attempts: int) -> FollowUp:
        where = {"delivery": 1, "post": 1, "part": 0, "channel": "n", "chat": "-1", "message": 1}
        return FollowUp(id=1, kind=kind, state="sending", why="", attempts=attempts, **where)

    error = Uncertain("no answer")
    assert followup.outcome(one("edit", 1), error)[0] == "queued"
    assert followup.outcome(one("edit", followup.TRIES), error)[0] == "failed"
    assert followup.outcome(one("poll", 1), error)[0] == "failed"
