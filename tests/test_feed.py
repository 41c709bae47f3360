from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest
from lxml import etree
from msgspec.structs import replace

from digest.channels.feed import ATOM, GENRES, KEPT, FeedChannel, entry_id
from digest.errors import NotSent, Refused
from digest.types import Genre, Part, Post


def post(day: int = 0, html: str = "<b>Раз</b> &lt;1&gt;\nи", language: str = "ru") -> Post:
    return Post(
        id=1,
        topics=("xai", "unlearning"),
        slot=date(2026, 5, 12) + timedelta(day),
        genre="roundup",
        language=language,  # type: ignore[arg-type]
        state="approved",
        papers=("2605.00001",),
        parts=(Part(html, "", ()), Part("<pre>a\nb</pre>", "", ())),
    )


def entries(path: str) -> list[etree._Element]:
    return etree.parse(path).findall(f"{{{ATOM}}}entry")


def texts(path: str, name: str) -> list[str | None]:
    return [one.findtext(f"{{{ATOM}}}{name}") for one in entries(path)]


def test_each_topic_and_language_has_a_feed_that_atom_readers_accept(tmp_path: Path) -> None:
    channel = FeedChannel("feed", tmp_path)
    paths = {channel.send(post(), 0), channel.send(post(), 1), channel.send(post(language="en"), 0)}
    assert {Path(one).name for one in paths} == {"xai-ru.atom", "xai-en.atom"}
    root = etree.parse(str(tmp_path / "xai-ru.atom")).getroot()
    for required in ("id", "title", "updated"):
        assert root.findtext(f"{{{ATOM}}}{required}")
        assert texts(str(tmp_path / "xai-ru.atom"), required) != [None]
    assert root.findtext(f"{{{ATOM}}}author/{{{ATOM}}}name") == "digest"
    assert root.findtext(f"{{{ATOM}}}updated") == "2026-05-12T00:00:00Z"


def test_an_entry_holds_all_parts_with_their_line_breaks(tmp_path: Path) -> None:
    path = FeedChannel("feed", tmp_path).send(post(), 0)
    assert texts(path, "content") == ["<b>Раз</b> &lt;1&gt;<br>\nи\n<hr>\n<pre>a\nb</pre>"]
    [link] = entries(path)[0].findall(f"{{{ATOM}}}link")
    assert link.get("href") == "https://arxiv.org/abs/2605.00001"


def test_entries_of_one_day_say_what_they_are(tmp_path: Path) -> None:
    channel = FeedChannel("feed", tmp_path)
    for genre in ("roundup", *GENRES):
        path = channel.send(replace(post(), genre=genre), 0)
    titles = texts(path, "title")
    assert {"xai, unlearning, 2026-05-12", "xai, unlearning, 2026-05-12: обзор"} <= set(titles)
    assert len(set(titles)) == len(get_args(Genre))


def test_sending_again_leaves_the_same_bytes(tmp_path: Path) -> None:
    channel = FeedChannel("feed", tmp_path)
    channel.send(post(-1), 0)
    path = Path(channel.send(post(), 0))
    before = path.read_bytes()
    channel.send(post(), 0)
    assert path.read_bytes() == before


def test_the_newest_stand_first_and_old_ones_make_room(tmp_path: Path) -> None:
    channel = FeedChannel("feed", tmp_path)
    for day in range(KEPT + 3):
        path = channel.send(post(day), 0)
    found = texts(path, "updated")
    assert len(found) == KEPT
    assert found == sorted(found, key=str, reverse=True)


def test_ids_are_stable_and_differ_by_what_a_post_is_for() -> None:
    assert entry_id(post()) == "urn:uuid:9e5ee8ed-b8dd-5ff3-af8d-37ea6cfc0947"  # as ever
    assert len({entry_id(one) for one in (post(), post(1), post(language="en"))}) == 3


def test_control_characters_do_not_break_the_feed(tmp_path: Path) -> None:
    path = FeedChannel("feed", tmp_path).send(post(html="a\x00b\x0bc\ufffe"), 0)
    assert "a\ufffdb\ufffdc\ufffd" in str(texts(path, "content")[0])


def test_a_file_that_is_no_feed_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "xai-ru.atom").write_text("hello")
    with pytest.raises(Refused, match="is no feed"):
        FeedChannel("feed", tmp_path).send(post(), 0)
    assert (tmp_path / "xai-ru.atom").read_text() == "hello"


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "feeds").write_text("a file")
    with pytest.raises(NotSent, match=r"feeds.*(exists|directory)"):
        FeedChannel("feed", tmp_path / "feeds").send(post(), 0)
