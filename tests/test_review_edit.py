"""New texts by editors in a chat, against a real server."""

from __future__ import annotations

import pytest

from botapi import BotApi
from outbox import EDITOR, Office
from reviewing import STRANGER, control, polled, press, said

pytestmark = pytest.mark.usefixtures("a_draft")


def ask(desk: Office, api: BotApi, button: str = "✏️ Edit 1", user: int = EDITOR) -> int:
    """Press Edit; the message that asks."""
    press(api, button, user)
    polled(desk)
    return api.messages(EDITOR)[-1].message_id


def test_an_answer_to_the_question_becomes_the_part_with_its_entities(desk: Office, api: BotApi) -> None:
    polled(desk)
    asked = ask(desk, api)
    question = api.messages(EDITOR)[-1]
    assert question.text.startswith("✏️ What shall part 1 of post 1 say?")
    api.write(EDITOR, "new 🐈 text", asked, [{"type": "italic", "offset": 4, "length": 2}])
    found = polled(desk)
    assert (found.edited, found.shown, found.decided) == ((1,), (1,), ())
    assert desk.store.posts()[0].parts[0].html == "new <i>🐈</i> text"
    shown = [one.text for one in api.messages(EDITOR)][-3:]
    assert shown == ["new 🐈 text", "two", "Post 1: xai, en, 2026-07-03, 2 parts"]
    press(api, "✅ Publish")
    assert polled(desk).decided == (1,)
    desk.deliver()
    assert desk.posted() == ["new 🐈 text", "two"]


def test_the_buttons_of_the_text_before_are_gone(desk: Office, api: BotApi) -> None:
    polled(desk)
    old = control(api)
    api.write(EDITOR, "new", ask(desk, api, "✏️ Edit 2"))
    polled(desk)
    [message] = [one for one in api.messages(EDITOR) if one.message_id == old]
    assert message.markup is None
    assert "its newer version is below" in message.text
    assert [one.text for one in desk.store.posts()[0].parts] == ["one", "new"]


def test_a_post_of_one_part_has_one_edit_button(desk: Office, api: BotApi) -> None:
    desk.write("alone", day=1, state="draft")
    polled(desk)
    asked = ask(desk, api, "✏️ Edit")
    assert api.messages(EDITOR)[-1].text.startswith("✏️ What shall post 2 say?")
    api.write(EDITOR, "not alone", asked)
    assert polled(desk).edited == (2,)


def test_two_taps_and_two_answers_change_the_text_once(desk: Office, api: BotApi) -> None:
    polled(desk)
    first = ask(desk, api)
    second = ask(desk, api)
    api.write(EDITOR, "by the first", first)
    api.write(EDITOR, "by the second", second)
    assert polled(desk).edited == (1,)
    assert [one.text for one in desk.store.posts()[0].parts] == ["by the first", "two"]
    assert "changed since" in "".join(one.text for one in api.messages(EDITOR))


@pytest.mark.parametrize("state", ["approved", "rejected"])
def test_an_answer_that_comes_after_the_decision_changes_nothing(
    desk: Office, api: BotApi, state: str
) -> None:
    polled(desk)
    asked = ask(desk, api)
    press(api, "✅ Publish" if state == "approved" else "❌ Reject")
    api.write(EDITOR, "too late", asked)
    assert polled(desk).edited == ()
    assert desk.store.posts()[0].parts[0].text == "one"
    assert api.messages(EDITOR)[-1].text == "It is decided already."


def test_a_stranger_neither_asks_nor_answers(desk: Office, api: BotApi) -> None:
    polled(desk)
    query = press(api, "✏️ Edit 1", STRANGER)
    assert polled(desk).notes == (f"{STRANGER} pressed a button and is no editor",)
    assert said(api, query) == ["Only the editors of this channel can decide that."]
    asked = ask(desk, api)
    api.post(EDITOR, "by a stranger", STRANGER, asked)
    assert polled(desk).notes == (f"{STRANGER} answered and is no editor",)
    assert desk.store.posts()[0].parts[0].text == "one"


def test_an_answer_to_anything_else_is_no_text(desk: Office, api: BotApi) -> None:
    polled(desk)
    api.write(EDITOR, "nice", control(api))
    api.write(EDITOR, "just so")
    found = polled(desk)
    assert (found.edited, found.notes, found.shown) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "entities", "why"),
    [
        ("x" * 4097, [], "That cannot be posted: the text is 4097 UTF-16 units long"),
        ("a" * 101, [{"type": "bold", "offset": 0, "length": 1}], ""),
        ("one", [{"type": "bold", "offset": 0, "length": 3}], "That is what it says already."),
    ],
)
def test_what_cannot_be_posted_is_told_and_can_be_answered_again(
    desk: Office, api: BotApi, text: str, entities: list[dict[str, object]], why: str
) -> None:
    polled(desk)
    asked = ask(desk, api)
    api.write(EDITOR, text, asked, entities)
    assert polled(desk).edited == (() if why else (1,))
    if why:
        assert api.messages(EDITOR)[-1].text.startswith(why)
        api.write(EDITOR, "better", asked)
        assert polled(desk).edited == (1,)


def test_a_crash_after_the_answer_was_taken_changes_it_once(
    desk: Office, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(desk)
    api.write(EDITOR, "new", ask(desk, api))
    put = desk.store.put_cursor

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(desk.store, "put_cursor", crash)
    with pytest.raises(KeyboardInterrupt):
        polled(desk)
    monkeypatch.setattr(desk.store, "put_cursor", put)
    assert polled(desk).shown == (1,)
    assert desk.store.posts()[0].parts[0].text == "new"
