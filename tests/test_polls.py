"""Polls and pins after a post, against a real, strict server: once or not at all, never in the way."""

from __future__ import annotations

import pytest

from botapi import BotApi
from digest.channels import Follow
from outbox import EDITOR, Office, quiet

POLLS = {"en": ("Useful?", "Yes", "No"), "ru": ("Полезно?", "Да", "Нет"), "zh": ("有用吗？", "有", "没有")}
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
        desk.wait(hours=1)
        desk.deliver()
    assert len(api.requests("sendPoll")) == 1
    assert [text for text in kinds(api, desk.chat) if text != "poll"] == ["review", "daily"]
    assert ("poll", "failed") in desk.following()


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
    assert sorted(desk.following()) == [("pin", "failed"), ("poll", "failed")]
    assert "the poll (after a review) is failed" in "\n".join(report.notes)
    assert [one for one in api.messages(EDITOR) if "paused" in one.text] == []


def test_a_flood_answer_to_a_poll_lets_it_wait(desk: Office, api: BotApi) -> None:
    desk.options = {"follow": REVIEWS}
    desk.write("review", genre="review")
    api.fault("429:60", methods=["sendPoll"])
    desk.deliver()
    desk.wait(minutes=2)
    desk.deliver()
    assert kinds(api, desk.chat) == ["review", "poll"]
    assert api.early() == []


def test_last_weeks_reviews_get_no_poll_when_the_setting_is_given(desk: Office, api: BotApi) -> None:
    desk.write("review", genre="review")
    desk.deliver()
    desk.wait(days=2)
    desk.options = {"follow": REVIEWS}
    assert desk.deliver().counts == {"sent": 0}


def test_in_quiet_hours_edits_are_made_and_polls_wait(desk: Office, api: BotApi) -> None:
    number = desk.sent("review", genre="review")
    desk.correct(number, "review, corrected")
    desk.options = {"follow": REVIEWS, "quiet": quiet("11:00-13:00")}
    desk.deliver()
    assert kinds(api, desk.chat) == ["review, corrected"]
    desk.wait(hours=1)
    desk.deliver()
    assert kinds(api, desk.chat) == ["review, corrected", "poll"]


def test_a_message_found_after_a_poll_is_not_taken_for_it(desk: Office, api: BotApi) -> None:
    desk.options = {"follow": Follow(polls=("review",), questions=POLLS)}
    desk.sent("review", genre="review")
    desk.write("daily", day=1)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    desk.wait(minutes=3)
    assert desk.deliver().counts["found"] == 1
    assert kinds(api, desk.chat) == ["review", "poll", "daily"]
