"""Approval in a chat, against a real server: what editors see, and what their presses do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botapi import BotApi
from digest.errors import TryAgain
from digest.review import Polled, poll
from digest.store import Store
from digest.types import Post
from outbox import EDITOR, NOON, Office, draft, office

STRANGER = 500_000_099


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as api:
        yield api


@pytest.fixture
def desk(tmp_path: Path, api: BotApi) -> Iterator[Office]:
    with office(tmp_path, api) as made:
        made.write("<b>one</b>", "two", state="draft")
        yield made


def polled(desk: Office) -> Polled:
    with desk.bot() as bot:
        return poll(desk.store, bot, (EDITOR,), NOON, desk.clock)


def control(api: BotApi) -> int:
    """The newest message with buttons, or that had some."""
    return [one for one in api.messages(EDITOR) if one.text.startswith("Post ")][-1].message_id


def press(api: BotApi, button: str, user: int = EDITOR) -> str:
    return api.press(EDITOR, control(api), user, button)


def said(api: BotApi, query: str) -> list[str]:
    return [str(one.get("text")) for one in api.answers(query)]


def test_an_editor_sees_the_parts_as_they_will_be_and_two_buttons(desk: Office, api: BotApi) -> None:
    assert polled(desk).shown == (1,)
    first, second, buttons = api.messages(EDITOR)[1:]
    assert [first.text, second.text] == ["one", "two"]
    assert [one["type"] for one in first.entities] == ["bold"]
    assert buttons.text == "Post 1: xai, en, 2026-07-03, 2 parts"
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


def change(desk: Office, *html: str) -> None:
    """The author edits the post."""
    new = draft(*html)
    assert desk.store.put_version(1, 1, new, html, NOON, by="author", what="text")


def test_a_button_of_an_older_version_decides_nothing(desk: Office, api: BotApi) -> None:
    polled(desk)
    query = press(api, "✅ Publish")
    change(desk, "<b>one</b>", "three", "four")
    found = polled(desk)
    assert (found.decided, found.shown) == ((), (1,))
    assert said(api, query) == ["The post was changed since: decide on its newer version."]
    assert api.messages(EDITOR)[-1].text == "Post 1: xai, en, 2026-07-03, 3 parts, version 2"
    press(api, "✅ Publish")
    assert polled(desk).decided == (1,)
    assert [(one.version, one.by, one.what) for one in desk.store.history(1)] == [
        (1, "digest", "written"),
        (2, "author", "text"),
        (2, f"telegram {EDITOR}", "approved"),
    ]


def test_what_is_changed_between_the_look_and_the_decision_is_not_approved(
    desk: Office, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(desk)
    query = press(api, "✅ Publish")
    find = Store.post

    def changed_after_reading(store: Store, number: int) -> Post | None:
        found = find(store, number)
        change(desk, "other") if found and found.version == 1 else None
        return found

    monkeypatch.setattr(Store, "post", changed_after_reading)
    assert polled(desk).decided == ()
    assert said(api, query) == ["The post was changed since: decide on its newer version."]
    assert [one.state for one in desk.store.posts()] == ["draft"]


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
    assert "rests until" in polled(desk).notes[0]
    assert len(api.requests()) == asked
    desk.clock.sleep(602)
    assert polled(desk).shown == (1,)
