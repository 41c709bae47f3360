"""Pictures and rich messages, against a real, strict server."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from botapi import BotApi
from digest.markup import CAPTION_LIMIT
from outbox import Office, part, png


@pytest.fixture
def pictures(tmp_path: Path, desk: Office) -> Path:
    """A folder with a picture, which the channel knows."""
    (tmp_path / "card.png").write_bytes(png())
    desk.options = {"home": tmp_path}
    return tmp_path


def test_a_part_with_a_picture_becomes_a_photo_with_its_caption(
    desk: Office, api: BotApi, pictures: Path
) -> None:
    desk.sent("<b>one</b> card", "two", picture="card.png")
    first, second = api.messages(desk.chat)
    assert (first.content["photo"][0]["width"], first.text, second.text) == (4, "one card", "two")
    assert [one["type"] for one in first.entities] == ["bold"]
    assert "photo" not in second.content


def test_a_photo_without_an_answer_is_looked_for_and_not_sent_again(
    desk: Office, api: BotApi, pictures: Path
) -> None:
    desk.sent("first ever", day=-1)
    desk.write("card", "two", picture="card.png")
    api.fault("drop_after", methods=["sendPhoto"])
    desk.deliver()
    assert desk.states() == ["sent", "uncertain", "queued"]
    desk.wait(minutes=3)
    assert desk.deliver().counts == {"found": 1, "sent": 1}
    assert desk.posted() == ["first ever", "card", "two"]


def test_a_corrected_caption_is_edited(desk: Office, api: BotApi, pictures: Path) -> None:
    number = desk.sent("card", picture="card.png")
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
    desk: Office, pictures: Path, content: bytes | None, caption: str, said: str
) -> None:
    (pictures / "card.png").unlink()
    if content is not None:
        (pictures / "card.png").write_bytes(content)
    desk.write(caption, picture="card.png")
    report = desk.deliver()
    assert report.counts == {"sent": 0, "failed": 1}
    assert said in report.notes[0]


def test_the_picture_belongs_to_what_is_frozen(desk: Office) -> None:
    one = part("<b>a</b>")
    plain = replace(one, entities=())
    assert len({one.sha256, plain.sha256, replace(one, picture="x.png").sha256}) == 3


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
    desk.sent("<b>one</b>", "two")
    assert desk.posted() == ["one", "two"]
    [first, _] = api.messages(desk.chat)
    assert [one["type"] for one in first.entities] == ["bold"]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "500", "cut"])
def test_a_rich_message_without_an_answer_is_followed_by_nothing(
    desk: Office, api: BotApi, fault: str
) -> None:
    """Its text cannot be read back: where something new stands there the part is held, and never doubled."""
    desk.options = {"rich": True}
    desk.sent("first ever", day=-1)
    desk.write("one")
    api.fault(fault, methods=["sendRichMessage"])
    desk.deliver()
    assert api.requests("sendMessage") == []
    desk.wait(minutes=3)
    desk.deliver()
    assert len(api.messages(desk.chat)) == 2
    arrived = fault in ("drop_after", "cut")
    assert desk.states() == ["sent", "uncertain" if arrived else "sent"]


def test_a_rich_message_is_edited_as_one(desk: Office, api: BotApi) -> None:
    desk.options = {"rich": True}
    number = desk.sent("one")
    desk.correct(number, "two")
    assert desk.deliver().counts == {"sent": 0, "edited": 1}
    assert api.messages(desk.chat)[0].content == {"rich_message": {"html": "<p>two</p>"}}
    desk.options = {}
    desk.correct(number, "three")
    report = desk.deliver()
    assert "no text in the message to edit" in report.notes[0]
