"""A picture before a post's text, from the command line to the channel."""

from __future__ import annotations

from pathlib import Path

import pytest

from botapi import BotApi
from digest.store import Store
from newsroom import Command
from outbox import NOON, draft, png


@pytest.fixture
def card(home: Path, tmp_path: Path) -> Path:
    """A picture, beside a home with a draft of two parts."""
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one", "two")], {"en": ["news"]}, "draft", 0, NOON)
    (tmp_path / "card.png").write_bytes(png())
    return tmp_path / "card.png"


def test_a_picture_is_posted_first_with_its_caption_as_it_was_approved(
    home: Path, card: Path, api: BotApi, chat: int, digest: Command
) -> None:
    assert (
        digest(home, "posts", "picture", "1", str(card), "--caption", "<b>XAI</b> &amp; you").returncode == 0
    )
    card.write_bytes(b"something else")
    assert digest(home, "posts", "approve", "1").returncode == 0
    assert digest(home, "deliver").returncode == 0
    photo, *text = api.messages(chat)
    assert (photo.content["photo"][0]["width"], photo.text) == (4, "XAI & you")
    assert [one.text for one in text] == ["one", "two"]
    assert [one.silent for one in (photo, *text)] == [False, True, True]
    late = digest(home, "posts", "picture", "1", "--none")
    assert (late.returncode, "something of it has been sent" in late.stderr) == (2, True)


def test_another_picture_takes_the_place_of_the_first_and_none_takes_it_away(
    home: Path, card: Path, digest: Command
) -> None:
    digest(home, "posts", "picture", "1", str(card))
    card.write_bytes(png(9, 9))
    digest(home, "posts", "picture", "1", str(card))
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        [post] = store.posts()
        assert [part.text for part in post.parts] == ["explainable AI", "one", "two"]
        assert (home / str(post.parts[0].picture)).read_bytes() == png(9, 9)
    assert f"[picture: {post.parts[0].picture}]\nexplainable AI" in digest(home, "posts", "show", "1").stdout
    source = card.with_suffix(".txt")
    source.write_text(digest(home, "posts", "edit", "1", "--source").stdout)
    said = digest(home, "posts", "edit", "1", "--from", str(source)).stderr
    assert "post 1 has a picture, and is edited without it: digest posts picture 1 --none" in said
    digest(home, "posts", "picture", "1", "--none")
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        [post] = store.posts()
        assert [part.text for part in post.parts] == ["one", "two"]
        assert [one.what for one in store.history(1)][-1] == "the picture was taken away"


def test_an_approved_post_that_gets_a_picture_is_approved_anew(
    home: Path, card: Path, api: BotApi, chat: int, digest: Command
) -> None:
    digest(home, "posts", "approve", "1")
    digest(home, "posts", "picture", "1", str(card))
    digest(home, "deliver")
    assert api.messages(chat) == []


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (b"GIF89a", (), "a picture is a PNG or JPEG of at most 10 MB"),
        (png(padding=10 * 1024 * 1024), (), "a picture is a PNG or JPEG of at most 10 MB"),
        (png(), ("--caption", "x" * 1025), "the caption has 1025 characters; there is room for 1024"),
        (png(), ("--caption", "<b>x"), "find end tag"),
        (png(), ("--none",), "say which picture, or --none"),
        (None, (), "does not exist"),
    ],
)
def test_what_telegram_would_not_take_is_one_line(
    home: Path, card: Path, digest: Command, content: bytes | None, more: tuple[str, ...], said: str
) -> None:
    card.unlink()
    if content is not None:
        card.write_bytes(content)
    done = digest(home, "posts", "picture", "1", str(card), *more)
    assert done.returncode != 0
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
