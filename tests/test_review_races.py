"""Approval in a chat while others are at the same post: the first decides, and only about what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from botapi import BotApi
from digest.store import Store
from outbox import EDITOR, NOON, Office, part
from reviewing import SECOND, control, polled, press, said

ANN, BOB = f"Ann (Telegram {EDITOR})", f"Bob (Telegram {SECOND})"
CHANGED = "The post was changed since: decide on its newer version."

pytestmark = pytest.mark.usefixtures("a_draft")


@pytest.fixture(autouse=True)
def bob(api: BotApi) -> int:
    """A second editor, who sees the same chat."""
    return api.person(SECOND, "Bob")


@contextmanager
def another(desk: Office) -> Iterator[Store]:
    """The database as another process has it."""
    with Store.open(f"sqlite:///{desk.store.file}", busy_timeout=30) as store:
        yield store


def edit(store: Store, html: str = "by hand") -> None:
    post = store.post(1)
    assert post is not None
    assert store.replace_part(1, 0, part(html), post.parts[0], now=NOON, by="carol")


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, desk: Office, method: str, act: Callable[[Store], Any]
) -> None:
    """Let another process act after a draft was read, just before the desk writes."""
    real = getattr(desk.store, method)

    def late(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(desk.store, method, real)
        with another(desk) as store:
            act(store)
        return real(*given, **more)

    monkeypatch.setattr(desk.store, method, late)


def history(desk: Office) -> list[tuple[str, str]]:
    return [(one.by, one.what) for one in desk.store.history(1)]


def state(desk: Office) -> str:
    [post] = desk.store.posts()
    return post.state


def test_who_decided_stands_in_the_posts_history(desk: Office, api: BotApi) -> None:
    polled(desk)
    press(api, "✏️ Edit 1")
    polled(desk)
    api.write(EDITOR, "new", api.messages(EDITOR)[-1].message_id)
    polled(desk)
    press(api, "✅ Publish", SECOND)
    found = polled(desk, EDITOR, SECOND)
    assert history(desk) == [("digest", "written"), (ANN, "part 1 changed"), (BOB, "approved")]
    assert found.notes == (f"post 1 approved by {BOB}",)


def test_a_button_older_than_an_edit_decides_nothing_and_the_newer_text_is_shown(
    desk: Office, api: BotApi
) -> None:
    polled(desk)
    old = press(api, "✅ Publish")
    with another(desk) as store:
        edit(store)
    found = polled(desk)
    assert (found.decided, found.shown, state(desk)) == ((), (1,), "draft")
    assert said(api, old) == [CHANGED]
    press(api, "✅ Publish")
    assert polled(desk).decided == (1,)
    desk.deliver()
    assert desk.posted() == ["by hand", "two"]


@pytest.mark.parametrize("button", ["✅ Publish", "❌ Reject"])
def test_an_edit_in_the_moment_of_a_press_is_never_decided_unseen(
    desk: Office, api: BotApi, button: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(desk)
    query = press(api, button)
    meanwhile(monkeypatch, desk, "set_post_state", edit)
    found = polled(desk)
    assert (found.decided, found.shown, state(desk)) == ((), (1,), "draft")
    assert said(api, query) == [CHANGED]


def test_a_decision_elsewhere_in_the_moment_of_a_press_stands(
    desk: Office, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(desk)
    query = press(api, "✅ Publish")

    def reject(store: Store) -> None:
        assert store.set_post_state(1, ("draft",), "rejected", NOON, by="carol")

    meanwhile(monkeypatch, desk, "set_post_state", reject)
    assert polled(desk).decided == ()
    assert (state(desk), said(api, query)) == ("rejected", ["It is already rejected."])
    assert "❌ Rejected" in api.messages(EDITOR)[-1].text
    assert history(desk)[-1] == ("carol", "rejected")


def test_of_two_editors_the_first_decides_and_the_other_is_told(desk: Office, api: BotApi) -> None:
    polled(desk)
    first, second = press(api, "❌ Reject", SECOND), press(api, "✅ Publish", EDITOR)
    assert polled(desk, EDITOR, SECOND).decided == (1,)
    assert said(api, first) == ["❌ Rejected"]
    assert said(api, second) == ["It is already rejected."]
    assert history(desk)[-1] == (BOB, "rejected")


def test_of_four_taps_by_two_editors_one_publishes(desk: Office, api: BotApi) -> None:
    polled(desk)
    taps = [press(api, "✅ Publish", editor) for editor in (EDITOR, SECOND, SECOND, EDITOR)]
    assert polled(desk, EDITOR, SECOND).decided == (1,)
    assert [said(api, one) for one in taps[1:]] == [["It is already approved."]] * 3
    assert history(desk)[1:] == [(ANN, "approved")]
    desk.deliver()
    assert desk.posted() == ["one", "two"]


def test_who_is_taken_off_the_list_decides_nothing_any_more(desk: Office, api: BotApi) -> None:
    polled(desk)
    query = press(api, "✅ Publish", SECOND)
    assert polled(desk, EDITOR).decided == ()
    assert said(api, query) == ["Only the editors of this channel can decide that."]
    assert state(desk) == "draft"


def test_an_answer_in_the_moment_of_another_edit_takes_nothing_away(
    desk: Office, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(desk)
    press(api, "✏️ Edit 1")
    polled(desk)
    api.write(EDITOR, "mine", api.messages(EDITOR)[-1].message_id)
    meanwhile(monkeypatch, desk, "replace_part", edit)
    found = polled(desk)
    assert (found.edited, found.shown) == ((), (1,))
    assert [one.text for one in desk.store.posts()[0].parts] == ["by hand", "two"]
    assert CHANGED in [one.text for one in api.messages(EDITOR)]


def test_an_answer_in_the_moment_of_an_approval_changes_nothing(
    desk: Office, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(desk)
    press(api, "✏️ Edit 1")
    polled(desk)
    api.write(EDITOR, "mine", api.messages(EDITOR)[-1].message_id)

    def approve(store: Store) -> None:
        assert store.set_post_state(1, ("draft",), "approved", NOON, by="carol")

    meanwhile(monkeypatch, desk, "replace_part", approve)
    assert polled(desk).edited == ()
    desk.deliver()
    assert desk.posted() == ["one", "two"]


def test_the_buttons_stay_where_the_post_was_changed_in_that_moment(
    desk: Office, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was decided, so nothing is said to be."""
    polled(desk)
    old = control(api)
    press(api, "✅ Publish")
    meanwhile(monkeypatch, desk, "set_post_state", edit)
    polled(desk)
    [message] = [one for one in api.messages(EDITOR) if one.message_id == old]
    assert "Published" not in message.text
