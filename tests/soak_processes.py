"""Eight processes at work in one archive: crawlers, a writer, an editor, senders, readers.

    python tests/soak_processes.py [--operations 300] [--minutes 10]
    python tests/soak_processes.py --operations 10000

Each does so many operations as fast as it can, each operation in a transaction of its own as the program has
it, on one SQLite file and with the program's own patience for another one's lock. What was sent stands in a
ledger that the senders write to, and no database. At the end all that was said to be stored is there, each
part was sent once and in order, nothing was refused as locked, and the file is sound.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

import msgspec

from digest.query import read
from digest.store import Store
from outbox import NOON, draft, new_database, part
from stored import page, paper, reading
from tried import scratch
from whole_day import unsound

ROLES = ("crawl", "crawl", "write", "approve", "edit", "send", "send", "read")
IDLE = 0.01
"""Seconds that are waited where there is nothing to do."""


class Did(msgspec.Struct):
    """What a process did: operations, what came of them by name, and what went wrong."""

    role: str
    operations: int
    counts: dict[str, int]
    longest: float
    wrong: str = ""


class Worker:
    """One process: an operation is a method of its role's name."""

    def __init__(self, number: int, role: str, home: Path, store: Store) -> None:
        self.number, self.role, self.home, self.store = number, role, home, store
        self.random = Random(number)
        self.counts: Counter[str] = Counter()
        self.at = 0
        self.ledger = os.open(home / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def work(self, operations: int, until: float) -> Did:
        """So many operations."""
        act: Callable[[], None] = getattr(self, self.role)
        longest, wrong = 0.0, ""
        try:
            while self.at < operations and time.monotonic() < until:
                began = time.monotonic()
                self.at += 1
                act()
                longest = max(longest, time.monotonic() - began)
        except Exception:
            wrong = traceback.format_exc()
        return Did(self.role, self.at, dict(self.counts), longest, wrong)

    def crawl(self) -> None:
        """A page of two papers that nobody else brings; now and then one is a new version."""
        first = 20_000 * self.number + 2 * self.at
        new = [paper(first), paper(first + 1)]
        if self.at % 10 == 0:
            new[1] = paper(first - 1, version=2, title=f"Paper {first - 1} again")
        self.store.add_papers(f"source {self.number}", page(*new, cursor=str(self.at)), NOON)
        self.counts["papers"] += 1 + (self.at % 10 != 0)

    def write(self) -> None:
        """A post of two parts; every second one is a draft."""
        one = draft(f"{self.at}.1", f"{self.at}.2", day=self.at % 300, topic=f"t{self.at}")
        state = "draft" if self.at % 2 else "approved"
        self.store.add_posts([one], {"en": ["news"]}, state, 0, NOON)
        self.counts["parts"] += 2

    def approve(self) -> None:
        """The next draft, if there is one."""
        found = self.store.post(2 * self.counts["approved"] + 1)
        if found is None:
            time.sleep(IDLE)
            return
        self.store.set_post_state(found.id, ("draft",), "approved", NOON, by="approver")
        self.counts["approved"] += 1

    def edit(self) -> None:
        """Some post's second part is changed, where nobody was quicker."""
        number = self.random.randint(1, max(1, 2 * self.at))
        if (found := self.store.post(number)) is None:
            time.sleep(IDLE)
            return
        old = found.parts[1]
        new = part(f"{old.text.split()[0]} edited {self.at}")
        if self.store.replace_part(number, 1, new, old, now=NOON, by="editor", state=found.state):
            self.counts["edited"] += 1

    def send(self) -> None:
        """The next part goes out, to the ledger."""
        one = self.store.claim_delivery("news", NOON + timedelta(days=1))
        if one is None:
            time.sleep(IDLE)
            return
        os.write(self.ledger, f"{one.post} {one.part}\n".encode())
        self.store.record_delivery(one.id, "sent", NOON, receipt=str(self.number))
        self.counts["sent"] += 1

    def read(self) -> None:
        """What the page looks at."""
        match self.at % 4:
            case 0:
                self.counts["found"] += len(reading(self.store).words(read(f"paper {self.at}"), 5))
            case 1:
                self.store.published_mark()
            case 2:
                self.store.deliveries(states=("sending", "uncertain"))
            case _:
                self.counts["counted"] += self.store.count_papers()


def worker(number: int, role: str, home: Path, operations: int, until: float) -> int:
    """The id of a process that works, and leaves what it did in a file."""
    if child := os.fork():
        return child
    code = 70
    try:
        with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
            did = Worker(number, role, home, store).work(operations, until)
        (home / f"did-{number}").write_bytes(msgspec.json.encode(did))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def verdict(home: Path, did: list[Did]) -> str:
    """What is wrong with what eight processes left; "" where all is well."""
    counts = sum((Counter(one.counts) for one in did), Counter[str]())
    if refused := [f"{one.role}: {one.wrong.splitlines()[-1]}" for one in did if one.wrong]:
        return "; ".join(refused)
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        _send_the_rest(store, home)
        if store.count_papers() != counts["papers"]:
            return f"{store.count_papers()} papers, where {counts['papers']} were stored"
        posts = store.posts()
        edits = sum(one.what.endswith("changed") for post in posts for one in store.history(post.id))
    if edits != counts["edited"]:
        return f"{edits} edits, where {counts['edited']} were made"
    wanted = [(one.id, at) for one in posts if one.state == "approved" for at in range(len(one.parts))]
    return _sent_once(home, wanted) or unsound(home / "digest.sqlite3")


def _send_the_rest(store: Store, home: Path) -> None:
    last = Worker(99, "send", home, store)
    before = -1
    while before != last.counts["sent"]:
        before = last.counts["sent"]
        last.send()


def _sent_once(home: Path, wanted: list[tuple[int, int]]) -> str:
    lines = (home / "ledger").read_text().splitlines()
    sent = [(int(post), int(at)) for post, at in (line.split() for line in lines)]
    times = Counter(sent)
    if doubled := [one for one, often in times.items() if often > 1]:
        return f"sent twice: {doubled[:5]}"
    if set(wanted) != times.keys():
        return f"not sent, or by nobody: {sorted(set(wanted) ^ times.keys())[:5]}"
    place = {one: at for at, one in enumerate(sent)}
    wrong = [post for post, at in wanted if at and place[post, at] < place[post, at - 1]]
    return f"out of order: {wrong[:5]}" if wrong else ""


def main() -> int:
    """Let them work, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--operations", type=int, default=300, help="of each process")
    parser.add_argument("--minutes", type=float, default=1e9)
    given = parser.parse_args()
    began = time.monotonic()
    with scratch() as home:
        (home / "digest.sqlite3").write_bytes(new_database())
        until = began + 60 * given.minutes
        children = [worker(at, role, home, given.operations, until) for at, role in enumerate(ROLES)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        did = [msgspec.json.decode(file.read_bytes(), type=Did) for file in sorted(home.glob("did-*"))]
        wrong = f"processes ended with {codes}" if any(codes) else verdict(home, did)
    counts = sum((Counter(one.counts) for one in did), Counter[str]())
    reached = min((one.operations for one in did), default=0)
    print(f"reached {reached:,} of {given.operations:,} operations of each of {len(ROLES)} processes")
    print(", ".join(f"{counts[name]:,} {name}" for name in ("papers", "parts", "approved", "edited", "sent")))
    print(f"longest operation {max(one.longest for one in did):.2f} s; {time.monotonic() - began:.0f} s")
    print(wrong or "nothing locked, lost, doubled or out of order; the file is sound")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
