from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from digest.channels.files import FileChannel
from digest.errors import NotSent
from digest.types import Part, Post

POST = Post(
    id=1,
    topics=("xai",),
    slot=date(2026, 5, 12),
    genre="roundup",
    language="ru",
    state="approved",
    papers=("2605.00001",),
    parts=(Part("<b>Раз</b> &lt;1&gt;", "Раз <1>", ()), Part("два", "два", ())),
)


def test_a_post_becomes_one_file_whatever_its_parts(tmp_path: Path) -> None:
    channel = FileChannel("files", tmp_path / "posts")
    receipts = {channel.send(POST, 0), channel.send(POST, 1)}
    assert receipts == {str(tmp_path / "posts" / "2026-05-12-xai-roundup-ru.html")}
    assert len(list((tmp_path / "posts").iterdir())) == 1


def test_the_file_holds_every_part_as_it_is_sent(tmp_path: Path) -> None:
    text = Path(FileChannel("files", tmp_path).send(POST, 0)).read_text(encoding="utf-8")
    assert "<article><b>Раз</b> &lt;1&gt;</article>\n<article>два</article>" in text


def test_sending_again_leaves_the_same_bytes(tmp_path: Path) -> None:
    channel = FileChannel("files", tmp_path)
    path = Path(channel.send(POST, 0))
    before = path.read_bytes()
    channel.send(POST, 0)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "posts").write_text("a file")
    with pytest.raises(NotSent, match=r"posts.*(exists|directory)"):
        FileChannel("files", tmp_path / "posts").send(POST, 0)


def test_a_broken_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = FileChannel("files", tmp_path)
    path = Path(channel.send(POST, 0))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NotSent, match="No space left"):
        channel.send(POST, 0)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
