"""What may have been sent, against a real, strict server: looked for, found, sent again or held."""

from __future__ import annotations

import pytest

from botapi import BotApi
from outbox import EDITOR, TEXTS, THREE, Office

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
    desk.wait(minutes=3)
    desk.deliver()
    assert desk.posted() == ["first ever", *TEXTS]
    assert desk.states() == ["sent"] * 4


def test_a_part_that_arrived_is_found_and_its_copy_deleted(desk: Office, api: BotApi) -> None:
    desk.write("first ever", day=-1)
    desk.deliver()
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    desk.wait(minutes=3)
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
    desk.wait(minutes=3)
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
    desk.wait(minutes=3)
    desk.deliver()
    assert desk.posted() == ["first ever", *TEXTS]


def held(desk: Office, reason: str) -> None:
    desk.wait(minutes=3)
    for _ in range(2):
        report = desk.deliver()
        assert reason in "\n".join(report.notes)
        assert report.counts.get("held") == 1
        assert "uncertain" in desk.states()
        desk.wait(minutes=10)


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
    desk.wait(hours=1)
    desk.write(*THREE)
    api.fault("drop_before", methods=["sendMessage"])
    desk.deliver()
    held(desk, "the same text stands there")


def test_the_first_message_of_all_is_found_in_a_new_channel(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    desk.wait(minutes=3)
    assert desk.deliver().counts == {"sent": 2, "found": 1}
    assert desk.posted() == TEXTS


def test_the_absence_of_the_first_message_of_all_cannot_be_seen(desk: Office, api: BotApi) -> None:
    """Its beginning may have been deleted: no number to count from is known."""
    for _ in range(12):
        api.remove(desk.chat, api.post(desk.chat))
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    held(desk, "no earlier message of the channel is known")
    assert desk.posted() == TEXTS[:1]
    looks = len(api.requests("forwardMessage"))
    assert looks >= 10
    desk.wait(hours=1)
    desk.deliver()
    assert len(api.requests("forwardMessage")) == looks


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
    desk.wait(minutes=3)
    desk.deliver()
    assert desk.posted() == ["same words"] * 3


def test_while_telegram_asks_for_a_rest_editors_are_told_nothing_either(desk: Office, api: BotApi) -> None:
    """Two parts are looked for: one look says nothing, which is to be told, the other one is met with 429."""
    desk.sent("first ever", day=-1)
    desk.write("one")
    desk.write("two", topic="unlearning")
    api.fault("drop_before", "drop_before", methods=["sendMessage"])
    desk.deliver()
    desk.deliver()
    assert desk.states() == ["sent", "uncertain", "uncertain"]
    desk.wait(minutes=3)
    api.fault("500", "429:300", methods=["forwardMessage"])
    desk.deliver()
    desk.deliver()
    assert api.early() == []
    desk.wait(seconds=302)
    desk.deliver()
    assert desk.posted() == ["first ever", "one", "two"]


def test_a_rest_that_is_asked_for_when_a_copy_is_deleted_is_kept(desk: Office, api: BotApi) -> None:
    desk.sent("first ever", day=-1)
    desk.write(*THREE)
    api.fault("drop_after", methods=["sendMessage"])
    desk.deliver()
    desk.wait(minutes=3)
    api.fault("429:300", methods=["deleteMessage"])
    desk.deliver()
    assert api.early() == []
    desk.wait(seconds=302)
    desk.deliver()
    assert desk.posted() == ["first ever", *TEXTS]
