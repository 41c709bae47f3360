"""Days of posting through the loopback Bot API, with faults at every request and senders that are killed.

    python tests/soak_telegram.py [--days 3] [--kills 30] [--posts 4] [--rate 0.1]
    python tests/soak_telegram.py --days 30 --kills 2000 --posts 45 --rate 0.01 --shards 10 --folder DIR

The server is a process of its own and is never killed. The verdict reads the server's messages, those of
the channel and those to the editor, and nothing else: each part stands in the channel exactly once and in
order, or it (or one before it) is held, and the editor was told so with the command that settles it. Ends
with exit code 1 if any part is doubled, out of order, or lost.

Shards are days on their own, each with its own server and database. What a shard came to is kept in the
folder: the same command goes on where it was ended, and may run several times beside itself.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

import sender
from botapi import Remote
from digest.channels import telegram
from digest.store import Store, sqlite
from outbox import EDITOR, NOON, draft, new_database
from simulator.life import one_engine
from tried import commit, scratch

FAULTS = (
    "drop_before drop_after reset_before reset_after hang_before:9 hang_after:9 late:1 cut 429:7 500 502 "
    "500_after 502_after"
)
LONGEST = 0.6  # seconds after which a sender is killed at the latest
WRONG = (
    *("doubled", "out of order", "lost", "by nobody"),
    *("sent while told to wait", "editors told while told to wait"),
)
_TOLD = re.compile(
    r"news: post (\d+) part (\d+) may stand in the channel.*digest outbox list says what to do"
)


class Soak:
    """One soak in a folder."""

    def __init__(self, folder: Path, api: Remote, seed: int, posts: int) -> None:
        self.api = api
        self.file = folder / "digest.sqlite3"
        self.file.write_bytes(new_database())
        sqlite.new_engine = one_engine  # one for all processes: its statements are compiled once
        self.random = random.Random(seed)
        self.database = f"sqlite:///{self.file}"
        api.clock(NOON.timestamp())
        api.person(EDITOR)
        api.write(EDITOR, "/start")
        self.chat = api.chat("channel")
        self.posts = posts
        self.wanted: dict[int, list[str]] = {}
        self.killed = 0
        self.row = 0  # so many senders were killed one after the other over the same part
        self.again = Counter[str]()
        self.senders = 0
        self.faulty = 0  # messages that stood there when the faults ended

    def write(self, day: int, numbers: range) -> None:
        """Posts of a day."""
        with Store.open(self.database) as store:
            for number in numbers:
                name = f"day {day} post {number}"
                parts = [
                    f"{name} part {part}, {word(name, part)}" for part in range(self.random.randint(1, 4))
                ]
                one = draft(*parts, day=day, topic=f"t{number}")
                [id_] = store.add_posts([one], {"en": ["news"]}, "approved", 0, NOON)
                self.wanted[id_] = parts

    def warm(self) -> None:
        """A first day, whose posts are sent from here: what is loaded at the first use is not loaded, and
        what was compiled not compiled, in each of the processes that are forked."""
        self.write(-1, range(2))
        sender.run(self.database, self.api.url, str(self.chat), str(EDITOR))

    def deliver(self, after: float | None = None) -> None:
        """A sender, killed so many seconds after it began."""
        self.senders += 1
        before = self._in_doubt()
        child = os.fork()
        if not child:
            telegram.READ_TIMEOUT = 0.4
            try:
                sender.run(self.database, self.api.url, str(self.chat), str(EDITOR))
            finally:
                os._exit(0)
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        self.killed += os.WIFSIGNALED(status)
        self._count(before, killed=os.WIFSIGNALED(status))

    def _count(self, before: set[int], *, killed: bool) -> None:
        """Whether it was killed again, before what an earlier kill had left in doubt was settled."""
        after = self._in_doubt()
        self.row = (self.row + 1 if before & after else int(bool(after))) if killed else 0
        if self.row > 1:
            self.again["twice" if self.row == 2 else "three times or more"] += 1

    def _in_doubt(self) -> set[int]:
        """The parts that were being sent when a sender was killed, and that nobody knows of yet."""
        with closing(sqlite3.connect(self.file)) as rows:
            found = rows.execute("SELECT id FROM delivery WHERE state IN ('sending', 'uncertain')")
            return {number for (number,) in found}

    def day(self, number: int, kills: int) -> None:
        """Write a day's posts, and more while senders are to be killed: one that has nothing to do ends
        before it is. Then come others that are not killed."""
        posts, until = self.posts, self.killed + kills
        self.write(number, range(posts))
        while self.killed < until:
            before = self.killed
            self.deliver(self.random.uniform(0, LONGEST))
            self.api.skip(self.random.choice((1, 100, 200, 400)))
            if self.killed == before:
                self.write(number, range(posts, posts + 3))
                posts += 3
        for _ in range(2):
            self.api.skip(400)
            self.deliver()
        self.api.skip(3600)

    def finish(self) -> None:
        """Deliver without faults until nothing changes."""
        self.faulty = len(self.api.messages(self.chat))
        self.api.clear()
        for _ in range(6):
            self.api.skip(4000)
            self.deliver()

    def verdict(self) -> Counter[str]:
        """What became of the parts, by what stands in the channel and what the editor was told."""
        stands = [message.text for message in self.api.messages(self.chat)]
        told = "\n".join(message.text for message in self.api.messages(EDITOR))
        held = {(int(post), int(part) - 1) for post, part in _TOLD.findall(told)}
        place, times = {text: at for at, text in enumerate(stands)}, Counter(stands)
        found = Counter(dict.fromkeys(("parts", "once", "held", "behind one that is held", *WRONG), 0))
        for post, parts in self.wanted.items():
            at = [place[text] for text in parts if text in place]
            found["out of order"] += at != sorted(at)
            missing = [number for number, text in enumerate(parts) if not times[text]]
            for number, text in enumerate(parts):
                found["parts"] += 1
                blocks = (post, number) in held and any(one >= number for one in missing)
                found["held"] += blocks
                found["once"] += times[text] == 1
                found["doubled"] += times[text] > 1
                if not times[text] and not blocks:
                    behind = any((post, one) in held for one in range(number))
                    found["behind one that is held" if behind else "lost"] += 1
        found["sent while requests failed"] = self.faulty
        found["by nobody"] = len(stands) - sum(times[one] for parts in self.wanted.values() for one in parts)
        early = Counter(chat for method, chat, _ in self.api.early() if method == "sendmessage")
        found["sent while told to wait"] = early[self.chat]  # 1 may be a sender's that was killed as it heard
        found["editors told while told to wait"] = early[EDITOR]
        return found


def word(name: str, part: int) -> str:
    """Words of a part's own, so that no two parts are alike."""
    return " ".join(f"{random.Random(f'{name}{part}{at}').getrandbits(40):x}" for at in range(6))


class Came(msgspec.Struct):
    """What a shard came to."""

    days: int
    senders: int
    killed: int
    faults: dict[str, int]
    parts: dict[str, int]
    seconds: float
    commit: str = ""
    again: dict[str, int] = {}


def shard(days: int, kills: int, posts: int, rate: float, seed: int) -> Came:
    """So many days on a server of their own."""
    command = [sys.executable, str(Path(__file__).with_name("botapi.py")), "--port", "0"]
    began = last = time.monotonic()
    with scratch() as folder, subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            api = Remote(server.stdout.readline().decode().strip())
            soak = Soak(folder, api, seed, posts)
            soak.warm()
            api.faults(rate, FAULTS.split(), seed=seed)
            for day in range(days):
                soak.day(day, (day + 1) * kills // days - day * kills // days)
                if time.monotonic() - last > 60:
                    last = time.monotonic()
                    told = f"shard {seed}: day {day + 1} of {days}, {soak.killed} of {kills} killed"
                    print(told, file=sys.stderr, flush=True)
            soak.finish()
            faults = Counter(one.fault for one in api.requests() if one.fault)
            found = soak.verdict()
        finally:
            server.terminate()
    return Came(
        *(days, soak.senders, soak.killed, dict(faults), dict(found), time.monotonic() - began, commit()),
        again=dict(soak.again),
    )


def main() -> int:
    """Soak, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--posts", type=int, default=4, help="a day")
    parser.add_argument("--rate", type=float, default=0.1, help="faults a request")
    parser.add_argument("--seed", type=int, default=1, help="of the first shard")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further shard after so many")
    parser.add_argument("--folder", type=Path, help="where to keep what the shards came to")
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory() as own:
        folder = given.folder or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        days, kills = given.days // given.shards, given.kills // given.shards
        for seed in range(given.seed, given.seed + given.shards):
            file = folder / f"shard-{seed}.json"
            with suppress(Timeout), FileLock(file.with_suffix(".lock"), timeout=0):
                if not file.exists() and time.monotonic() < until:
                    came = shard(days, kills, given.posts, given.rate, seed)
                    file.write_bytes(msgspec.json.encode(came))
                    print(f"shard {seed}: {_in_words(came)}", file=sys.stderr, flush=True)
        done = [
            msgspec.json.decode(file.read_bytes(), type=Came) for file in sorted(folder.glob("shard-*.json"))
        ]
    every = Came(
        days=sum(one.days for one in done),
        senders=sum(one.senders for one in done),
        killed=sum(one.killed for one in done),
        faults=dict(sum((Counter(one.faults) for one in done), Counter[str]())),
        parts={
            name: sum(one.parts.get(name, 0) for one in done) for name in (done[-1].parts if done else ())
        },
        seconds=sum(one.seconds for one in done),
        again=dict(sum((Counter(one.again) for one in done), Counter[str]())),
    )
    print(f"reached {len(done)} of {given.shards} shards: {_in_words(every)}")
    return int(any(every.parts.get(name) for name in WRONG))


def _in_words(came: Came) -> str:
    parts = ", ".join(f"{number} {name}" for name, number in came.parts.items())
    again = ", ".join(f"{count} {often}" for often, count in came.again.items()) or "none twice"
    return (
        f"{came.days} days, {came.killed} of {came.senders} senders killed (over one part {again}), "
        f"{sum(came.faults.values())} faults {came.faults}: {parts}; {came.seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
