"""Approval in a chat, against a real server: what editors see, and what their presses do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botapi import BotApi
from digest.errors import TryAgain
from digest.review import POLLER, Polled, Waiting, live, poll, version
from outbox import EDITOR, NOON, Office, office

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
    assert "rests until" in polled(desk).notes[0]
    assert len(api.requests()) == asked
    desk.clock.sleep(602)
    assert polled(desk).shown == (1,)


# --- a new text -----------------------------------------------------------------------------------


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


# --- reactions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_readers_reactions_are_kept_by_post_and_the_newest_count(
    desk: Office, api: BotApi, named: bool
) -> None:
    polled(desk)
    if named:
        desk.chat = "@Daily_News"  # type: ignore[assignment]
    desk.store.set_post_state(1, ("draft",), "approved", NOON)
    desk.deliver()
    chat = next(one.id for one in api.world.chats.values() if one.username == "daily_news")
    message = api.messages(chat)[0].message_id
    api.react(chat, message, {"👍": 3, "🔥": 1})
    polled(desk)
    api.react(chat, message, {"👍": 5})
    api.react(chat, message + 77, {"👎": 9})
    polled(desk)
    [found] = desk.store.reactions()
    assert (found.post, found.part, dict(found.counts)) == (1, 0, {"👍": 5})


def test_reactions_count_for_the_papers_that_the_part_shows(desk: Office, api: BotApi) -> None:
    from digest.types import Choice, Evidence, Page, Paper

    words = {"title": "A", "abstract": "A", "authors": ("B",), "categories": ("cs.CV",), "version": 1}
    ids = ("2607.00001", "2607.00002")
    papers = tuple(Paper(id=one, submitted=NOON, updated=NOON, announced=NOON.date(), **words) for one in ids)
    desk.store.add_papers("sample", Page(papers, None), NOON)
    choices = tuple(
        Choice(paper=one, tier="brief", score=1, silent=False, evidence=Evidence(), topics=("xai",))
        for one in ids
    )
    shown = [f'<a href="https://arxiv.org/abs/{one}">A</a>' for one in ids]
    desk.write(*shown, day=1, choices=choices)
    desk.deliver()
    polled(desk)
    first, second = api.messages(desk.chat)
    api.react(desk.chat, first.message_id, {"👍": 3})
    api.react(desk.chat, second.message_id, {"❤": 1})
    polled(desk)
    assert desk.store.paper_reactions() == {"2607.00001": {"👍": 3}, "2607.00002": {"❤": 1}}


# --- live -----------------------------------------------------------------------------------------


def test_two_pollers_of_one_bot_do_not_meet(desk: Office, api: BotApi) -> None:
    now = desk.clock.now()
    desk.store.take_turn(POLLER, "another", now, now.replace(minute=now.minute + 2))
    with pytest.raises(TryAgain, match="another process reads what the bot is told"):
        polled(desk)
    assert api.requests("getUpdates") == []


def test_a_live_poll_takes_presses_until_it_is_ended(desk: Office, api: BotApi) -> None:
    waiting = Waiting()
    seen: list[Polled] = []

    def told(one: Polled) -> None:
        seen.append(one)
        if one.shown:
            press(api, "✅ Publish")
        if one.decided:
            waiting.end()

    with desk.bot() as bot:
        live(desk.store, bot, (EDITOR,), desk.clock, waiting, told=told)
    assert [one.shown for one in seen] == [(1,), ()]
    assert [one.decided for one in seen] == [(), (1,)]
    now = desk.clock.now()
    assert desk.store.take_turn(POLLER, "next", now, now) is None


def test_a_live_poll_outlives_a_network_that_is_down(desk: Office, api: BotApi) -> None:
    waiting = Waiting()
    notes: list[str] = []

    def told(one: Polled) -> None:
        notes.extend(one.notes)
        if one.shown:
            waiting.end()

    api.fault("502", "drop_before", methods=["getUpdates"])
    with desk.bot() as bot:
        live(desk.store, bot, (EDITOR,), desk.clock, waiting, told=told)
    assert len([one for one in notes if "going on in" in one]) == 2


def test_a_live_poll_ends_at_its_time(desk: Office, api: BotApi) -> None:
    with desk.bot() as bot:
        until = desk.clock.now().replace(second=desk.clock.now().second + 2)
        live(desk.store, bot, (EDITOR,), desk.clock, Waiting(), until=until)
    assert desk.clock.now() >= until
