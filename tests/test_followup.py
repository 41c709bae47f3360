"""Edits of what was sent, and what its editors are told, against a real, strict server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from botapi import BotApi
from digest import followup
from digest.channels import Follow
from digest.errors import Uncertain
from digest.types import Choice, Evidence, FollowUp, Page, Paper
from outbox import EDITOR, NOON, Office

LINK = '<a href="https://arxiv.org/abs/2607.00001">A title</a>'


def edits(api: BotApi) -> list[str]:
    return [one.fault or str(one.status) for one in api.requests("editMessageText")]


# --- edits ----------------------------------------------------------------------------------------


def test_a_corrected_part_is_edited_once_and_no_message_is_new(desk: Office, api: BotApi) -> None:
    number = desk.sent("<b>one</b>", "two")
    desk.correct(number, "<i>one</i> corrected")
    assert desk.deliver().counts == {"sent": 0, "edited": 1}
    assert desk.deliver().counts == {"sent": 0}
    assert desk.posted() == ["one corrected", "two"]
    first = api.messages(desk.chat)[0]
    assert [one["type"] for one in first.entities] == ["italic"]
    assert first.preview == {"is_disabled": True}
    assert len(api.requests("sendMessage")) == 2


def test_a_text_changed_back_and_forth_ends_as_it_is(desk: Office, api: BotApi) -> None:
    number = desk.sent("one")
    for text in ("two", "one", "two"):
        desk.correct(number, text)
        desk.deliver()
        assert desk.posted() == [text]
    assert edits(api) == ["200"] * 3


def test_of_two_changes_that_wait_only_the_last_is_made(desk: Office, api: BotApi) -> None:
    number = desk.sent("one")
    api.fault("429:60", methods=["editMessageText"])
    desk.correct(number, "two")
    desk.deliver()
    desk.correct(number, "three")
    desk.wait(minutes=2)
    desk.deliver()
    assert desk.posted() == ["three"]
    assert desk.following() == [("edit", "cancelled"), ("edit", "sent")]


def test_a_change_that_was_taken_back_before_it_was_made_is_not_made(desk: Office, api: BotApi) -> None:
    number = desk.sent("one")
    api.fault("429:60", methods=["editMessageText"])
    desk.correct(number, "two")
    desk.deliver()
    desk.correct(number, "one")
    desk.wait(minutes=2)
    desk.deliver()
    assert desk.posted() == ["one"]
    assert "two" not in [one.args.get("text") for one in api.requests("editMessageText") if one.status == 200]


@pytest.mark.parametrize(
    "fault", ["drop_before", "drop_after", "hang_after", "reset_after", "500", "502_after", "cut", "429:5"]
)
def test_an_edit_without_an_answer_is_made_again_and_nothing_is_sent(
    desk: Office, api: BotApi, fault: str
) -> None:
    number = desk.sent("one", "two")
    desk.correct(number, "one corrected")
    api.fault(fault, methods=["editMessageText"])
    desk.deliver()
    desk.wait(minutes=30)
    assert desk.deliver().counts == {"sent": 0, "edited": 1}
    assert desk.posted() == ["one corrected", "two"]
    assert len(api.requests("sendMessage")) == 2


def test_what_is_not_modified_is_done(desk: Office, api: BotApi) -> None:
    number = desk.sent("one")
    desk.correct(number, "two")
    api.fault("drop_after", methods=["editMessageText"])
    desk.deliver()
    desk.wait(minutes=30)
    desk.deliver()
    assert edits(api) == ["drop_after", "400"]
    assert desk.following() == [("edit", "sent")]


def test_a_message_that_is_gone_is_left_alone_and_said_so(desk: Office, api: BotApi) -> None:
    number = desk.sent("one", "two")
    api.remove(desk.chat, api.messages(desk.chat)[0].message_id)
    desk.correct(number, "one corrected")
    report = desk.deliver()
    assert "the message is not there any more" in report.notes[0]
    assert desk.following() == [("edit", "cancelled")]
    assert desk.deliver().notes == ()
    assert desk.posted() == ["two"]


def test_a_refused_edit_is_told_once_and_holds_up_nothing(desk: Office, api: BotApi) -> None:
    number = desk.sent("one")
    desk.correct(number, "x" * 4097)
    desk.write("next day", day=1)
    desk.deliver()
    assert desk.posted() == ["one", "next day"]
    assert desk.following() == [("edit", "failed")]
    told = [one.text for one in api.messages(EDITOR) if "edit" in one.text]
    assert len(told) == 1
    assert "a message has room for 4096 characters" in told[0]
    desk.deliver()
    assert len([one for one in api.messages(EDITOR) if "edit" in one.text]) == 1


def test_an_edit_waits_until_the_part_is_settled(desk: Office, api: BotApi) -> None:
    """What may not stand there is not edited, and what was changed is not looked for by its new text."""
    desk.sent("first ever", day=-1)
    number = desk.write("a part of some words", "two")
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    desk.correct(number, "something else entirely now")
    desk.wait(minutes=3)
    assert "its text was changed since" in "\n".join(desk.deliver().notes)
    assert desk.posted() == ["first ever", "a part of some words"]
    desk.store.set_delivery_state(2, ("uncertain",), "sent", desk.clock.now(), receipt="x", message=2)
    desk.deliver()
    assert desk.posted() == ["first ever", "something else entirely now", "two"]


def test_lost_rights_do_not_pause_the_channel_for_an_edit(desk: Office, api: BotApi) -> None:
    number = desk.sent("one")
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
    desk.sent(f"Head\n\n{LINK} and more", choices=(choice,))


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
    desk.wait(days=8)
    change_paper(desk, withdrawn=True)
    assert desk.deliver(follow=Follow(marks=("withdrawn",), days=7)).counts == {"sent": 0}


# --- alarms ---------------------------------------------------------------------------------------


def told(api: BotApi) -> list[str]:
    return [one.text for one in api.messages(EDITOR) if one.text != "/start"]


def test_a_paused_channel_is_told_once(desk: Office, api: BotApi) -> None:
    api.change(desk.chat, status="kicked")
    desk.write("one", "two")
    for _ in range(3):
        desk.deliver()
        desk.wait(hours=1)
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
    desk.sent("first ever", day=-1)
    desk.write("one", "two")
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    assert told(api) == []
    desk.wait(minutes=3)
    desk.deliver()
    assert told(api) == []
    desk.write("next day", day=1)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    api.messages(desk.chat)[-1].protected = True
    for _ in range(3):
        desk.wait(hours=1)
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


@pytest.mark.parametrize(("fault", "times"), [("drop_before", 1), ("drop_after", 2)])
def test_an_alarm_without_an_answer_is_told_again_for_two_are_better_than_none(
    desk: Office, api: BotApi, fault: str, times: int
) -> None:
    api.change(EDITOR, blocked=True)
    desk.write("x" * 4097)
    desk.deliver()
    api.change(EDITOR, blocked=False)
    api.fault(fault, methods=["sendMessage"])
    for _ in range(4):
        desk.deliver()
        desk.wait(minutes=5)
    assert len(told(api)) == times


# --- pure -----------------------------------------------------------------------------------------


def test_an_edit_is_given_up_after_some_tries() -> None:
    def one(kind: Any, attempts: int) -> FollowUp:
        where = {"delivery": 1, "post": 1, "part": 0, "channel": "n", "chat": "-1", "message": 1}
        return FollowUp(id=1, kind=kind, state="sending", why="", attempts=attempts, **where)

    error = Uncertain("no answer")
    assert followup.outcome(one("edit", 1), error)[0] == "queued"
    assert followup.outcome(one("edit", followup.TRIES), error)[0] == "failed"
    assert followup.outcome(one("poll", 1), error)[0] == "failed"
