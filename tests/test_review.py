"""Approval in a chat, against a real server: what editors see, and what their presses do."""

from __future__ import annotations

import pytest

from botapi import BotApi
from digest.errors import TryAgain
from digest.review import version
from outbox import EDITOR, Office
from reviewing import STRANGER, control, polled, press, said

pytestmark = pytest.mark.usefixtures("a_draft")


def test_an_editor_sees_the_parts_as_they_will_be_and_the_buttons(desk: Office, api: BotApi) -> None:
    assert polled(desk).shown == (1,)
    first, second, buttons = api.messages(EDITOR)[1:]
    assert [first.text, second.text] == ["one", "two"]
    assert [one["type"] for one in first.entities] == ["bold"]
    assert buttons.text == "Post 1: xai, en, 2026-07-03, 2 parts"
    assert buttons.markup is not None
    rows = [[one["text"] for one in row] for row in buttons.markup["inline_keyboard"]]
    assert rows == [["✅ Publish", "❌ Reject"], ["✏️ Edit 1", "✏️ Edit 2"]]
    assert polled(desk).shown == ()
    assert desk.deliver().counts == {"sent": 0}


def test_publish_sends_the_post_with_the_next_delivery(desk: Office, api: BotApi) -> None:
    polled(desk)
    query = press(api, "✅ Publish")
    assert polled(desk).decided == (1,)
    assert said(api, query) == ["✅ Published: it goes out with the next delivery"]
    assert "Published" in api.messages(EDITOR)[-1].text
    assert api.messages(EDITOR)[-1].markup is None
    desk.deliver()
    assert desk.posted() == ["one", "two"]


def test_reject_keeps_the_post_back(desk: Office, api: BotApi) -> None:
    polled(desk)
    press(api, "❌ Reject")
    polled(desk)
    assert [one.state for one in desk.store.posts()] == ["rejected"]
    assert desk.deliver().counts == {"sent": 0}


def test_a_double_tap_publishes_once_and_says_so(desk: Office, api: BotApi) -> None:
    polled(desk)
    queries = [press(api, "✅ Publish") for _ in range(2)]
    assert polled(desk).decided == (1,)
    assert said(api, queries[1]) == ["It is already approved."]
    desk.deliver()
    assert desk.posted() == ["one", "two"]


def test_the_other_button_after_the_first_changes_nothing(desk: Office, api: BotApi) -> None:
    polled(desk)
    press(api, "❌ Reject")
    late = press(api, "✅ Publish")
    assert polled(desk).decided == (1,)
    assert said(api, late) == ["It is already rejected."]
    assert [one.state for one in desk.store.posts()] == ["rejected"]


def test_a_stranger_decides_nothing(desk: Office, api: BotApi) -> None:
    polled(desk)
    query = press(api, "✅ Publish", STRANGER)
    found = polled(desk)
    assert found.decided == ()
    assert str(STRANGER) in found.notes[0]
    assert said(api, query) == ["Only the editors of this channel can decide that."]
    assert [one.state for one in desk.store.posts()] == ["draft"]


def test_a_button_of_another_version_decides_nothing(
    desk: Office, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(desk)
    query = press(api, "✅ Publish")
    monkeypatch.setattr("digest.review.version", lambda _: "another1")
    found = polled(desk)
    assert (found.decided, found.shown) == ((), (1,))
    assert said(api, query) == ["The post was changed since: decide on its newer version."]


def test_a_version_changes_with_any_letter(desk: Office) -> None:
    desk.write("<b>one</b>", "twp", day=1, state="draft")
    first, second = desk.store.posts()
    assert version(first) != version(second)
    assert len(version(first)) == 8


def test_a_press_that_comes_too_late_to_answer_still_counts(desk: Office, api: BotApi) -> None:
    polled(desk)
    query = press(api, "✅ Publish")
    api.skip(3600)
    assert polled(desk).decided == (1,)
    assert said(api, query) == []


def test_a_crash_between_decision_and_confirmation_decides_once(desk: Office, api: BotApi) -> None:
    polled(desk)
    press(api, "✅ Publish")
    api.fault("drop_after", methods=["answerCallbackQuery"])
    api.fault("502", methods=["editMessageText"])
    assert polled(desk).decided == (1,)
    assert polled(desk).decided == ()
    assert [one.state for one in desk.store.posts()] == ["approved"]


def test_while_another_program_polls_it_is_said(desk: Office, api: BotApi) -> None:
    api.world.webhook = "https://example.org/hook"
    with pytest.raises(TryAgain, match="another program reads what this bot is told"):
        polled(desk)


def test_a_flood_answer_while_showing_is_kept(desk: Office, api: BotApi) -> None:
    api.fault("429:600", methods=["sendMessage"])
    assert "could not be shown" in polled(desk).notes[0]
    asked = len(api.requests())
    assert "no request before" in polled(desk).notes[0]
    assert len(api.requests()) == asked
    desk.clock.sleep(602)
    assert polled(desk).shown == (1,)


def test_a_forged_button_means_nothing_and_holds_up_no_other(desk: Office, api: BotApi) -> None:
    """A changed app may send any data (https://core.telegram.org/bots/api#callbackquery)."""
    polled(desk)
    buttons = api.world.chats[EDITOR].messages[control(api)].markup
    assert buttons is not None
    genuine = buttons["inline_keyboard"][0][0]["callback_data"]
    buttons["inline_keyboard"][0][0]["callback_data"] = "ok:99999999999999999999:00000000"
    query = press(api, "✅ Publish")
    assert polled(desk).decided == ()
    assert said(api, query) == ["This button means nothing any more."]
    buttons["inline_keyboard"][0][0]["callback_data"] = genuine
    press(api, "✅ Publish")
    assert polled(desk).decided == (1,)
