"""Files are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from digest.whole import make_folder, write_whole, written_whole


@pytest.mark.parametrize("shared", [False, True])
def test_a_reader_sees_the_old_bytes_until_the_new_ones_are_whole(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "feed.xml"
    write_whole(path, b"old", shared=shared)
    with written_whole(path, shared=shared) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_what_fails_half_way_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    write_whole(path, b"old")
    with pytest.raises(RuntimeError), written_whole(path) as file:
        file.write(b"ne")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    (tmp_path / ".feed.xml.part").write_bytes(b"half of something longer")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_at_once_are_each_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    with written_whole(path, shared=True) as one, written_whole(path, shared=True) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() in (b"one", b"other")
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_or_a_device_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    """As root, a rename would put a file in the place of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, b"words")
    assert os.read(reader, 9) == b"words"
    os.close(reader)
    assert pipe.is_fifo()
    write_whole(Path(os.devnull), b"words")
    assert Path(os.devnull).is_char_device()


def test_a_new_folder_and_its_new_parents_have_their_names_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    where = Path("/proc/self/fd")
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(str((where / str(number)).readlink())))
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert sorted(synced) == [str(tmp_path), str(tmp_path / "a")]
    synced.clear()
    make_folder(tmp_path / "a" / "b")
    assert synced == []
