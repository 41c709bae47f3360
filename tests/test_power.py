"""What a disk may hold after a power failure, and when two such states are one to SQLite."""

from __future__ import annotations

import os
from random import Random

import pytest

from soak_power import FRAME, HEAD, SECTOR, Disk, Step

WAL = "digest.sqlite3-wal"


def _written(frames: int) -> Disk:
    """A WAL of so many frames, none of which is synced."""
    disk = Disk({"digest.sqlite3": bytearray(b"as it was")})
    disk.take(Step("write", WAL, os.urandom(HEAD)))
    for at in range(frames):
        disk.take(Step("write", WAL, os.urandom(FRAME), HEAD + at * FRAME))
    return disk


def test_what_was_synced_is_there_and_of_the_rest_anything() -> None:
    disk = _written(2)
    disk.take(Step("sync", WAL))
    disk.take(Step("write", WAL, b"x" * 2 * SECTOR, HEAD + 2 * FRAME))
    left = [bytes(disk.left(Random(seed))[WAL]) for seed in range(60)]
    assert {one[: HEAD + 2 * FRAME] for one in left} == {bytes(disk.sure[WAL])}
    assert {one.count(b"x" * SECTOR) for one in (state[HEAD + 2 * FRAME :] for state in left)} == {0, 1, 2}


def test_behind_a_frame_that_is_not_whole_sqlite_sees_nothing() -> None:
    disk = _written(3)
    whole = disk.full[WAL]
    damaged, more = bytearray(whole), bytearray(whole)
    damaged[HEAD + FRAME + 9] ^= 1
    more[HEAD + FRAME + 9] ^= 1
    more[HEAD + 2 * FRAME + 9] ^= 1
    assert disk.seen({WAL: damaged}) == disk.seen({WAL: more}) == disk.seen({WAL: whole[: HEAD + FRAME]})
    assert disk.seen({WAL: damaged}) != disk.seen({WAL: whole})


@pytest.mark.parametrize("at", [3, HEAD + 9])
def test_frames_that_are_written_anew_are_seen(at: int) -> None:
    disk = _written(2)
    before = disk.seen({WAL: disk.full[WAL]})
    disk.take(Step("write", WAL, b"anew", at))
    assert disk.seen({WAL: disk.full[WAL]}) != before


def test_another_database_or_more_that_was_said_is_another_state() -> None:
    disk = _written(1)
    known = disk.seen({"digest.sqlite3": bytearray(b"as it was")})
    assert disk.seen({"digest.sqlite3": bytearray(b"as it is")}) != known
    disk.take(Step("said", data=b"page 1"))
    assert disk.seen({"digest.sqlite3": bytearray(b"as it was")}) != known
