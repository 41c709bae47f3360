"""Backups of a database that is being written, restored and compared; and copies with one byte changed.

    python tests/soak_backup.py [--loops 500] [--damages 1000] [--seed 1]

A restored database must be one state that the writer has left: whole pages of papers, each with its cursor.
The writer may store so many pages for each backup, as fast as it can, and how many it stored while one was
made is told: with as many as time allows, the archive of a busy machine grows, and each backup takes longer.
A damaged copy must be refused, or still give what was written. Ends with exit code 1 where either fails.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

from digest import backup
from digest.errors import InputError
from digest.store import Store, copies
from stored import page, paper

NOW = datetime(2026, 7, 3, 12, tzinfo=UTC)
PAGE = 3
PAGES = 3
"""What the writer may store for each backup."""


class Writing:
    """A thread that stores page after page, as many as it ``may``; the cursor says which was the last."""

    def __init__(self, file: Path) -> None:
        self._file, self._over, self.stored = file, False, 0
        self.may = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.may.release()
        self._thread.join()

    def _write(self) -> None:
        with Store.open(f"sqlite:///{self._file}") as store:
            at = int(store.cursor("oai") or 0)
            while self.may.acquire() and not self._over:
                papers = [paper(at * PAGE + number + 1) for number in range(PAGE)]
                store.add_papers("oai", page(*papers, cursor=str(at := at + 1)), NOW)
                self.stored += 1


def is_a_state(file: Path) -> bool:
    """Whether a database is sound and holds the papers of all pages until its cursor, and no other."""
    copies.check(file)
    with closing(sqlite3.connect(file)) as connection:
        pages = int(connection.execute("SELECT value FROM cursor WHERE source = 'oai'").fetchone()[0])
        count, last = connection.execute("SELECT count(*), max(id) FROM paper").fetchone()
        words = connection.execute("SELECT count(*) FROM paper_word").fetchone()[0]
    return (count, last, words) == (pages * PAGE, paper(pages * PAGE).id, count)


def loops(folder: Path, count: int, until: float) -> tuple[int, int, int]:
    """Back up, restore and compare so many times, or until then: how often, how often it was wrong, and how
    many pages were stored while a backup was made."""
    home, wrong, done, meanwhile = folder / "home", 0, 0, 0
    home.mkdir()
    database = home / backup.DATABASE
    with Store.open(f"sqlite:///{database}") as store:
        store.add_papers("oai", page(*map(paper, range(1, PAGE + 1)), cursor="1"), NOW)
    with Writing(database) as writing:
        while done < count and (not done or time.monotonic() < until):
            target, other = folder / "kept.zip", folder / "other"
            before = writing.stored
            writing.may.release(PAGES)
            made = backup.make(home, database, None, (), target, NOW)
            meanwhile += writing.stored - before
            backup.unpack(target, backup.read(target), other)
            restored = other / backup.DATABASE
            wrong += made != backup.read(target) or not is_a_state(restored)
            done += 1
    return done, wrong, meanwhile


def damages(folder: Path, count: int, chance: random.Random) -> tuple[int, int]:
    """Change one byte in so many copies: how many were refused, and how many gave other content."""
    kept, bad = folder / "kept.zip", folder / "bad.zip"
    known = {one.name: one.sha256 for one in backup.read(kept).files}
    raw, refused, wrong = kept.read_bytes(), 0, 0
    for _ in range(count):
        at = chance.randrange(len(raw))
        bad.write_bytes(raw[:at] + bytes([raw[at] ^ chance.randrange(1, 256)]) + raw[at + 1 :])
        try:
            found = backup.read(bad)
        except InputError:
            refused += 1
        else:
            wrong += {one.name: one.sha256 for one in found.files} != known
    return refused, wrong


def main() -> int:
    """Run both and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--loops", type=int, default=25)
    parser.add_argument("--damages", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further backup after so many")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done, unlike, meanwhile = loops(folder, given.loops, began + 60 * given.minutes)
        refused, wrong = damages(folder, given.damages, random.Random(given.seed))
    reached = f"{done} of {given.loops}" if done < given.loops else str(done)
    print(
        f"{reached} backups under writes ({meanwhile} pages stored while they were made), "
        f"{unlike} not a state of the database"
    )
    print(f"{given.damages} damaged copies, {refused} refused, {wrong} with other content")
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if unlike or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
