"""Days of posting through the loopback Bot API, with faults at every request and senders that are killed.

    python tests/soak_telegram.py [--days 30] [--kills 2000] [--rate 0.01] [--seed 1]

The server is a process of its own and is never killed. The verdict reads the server's messages: each part
stands in the channel exactly once and in order, or it (or one before it) is held as uncertain. Ends with
exit code 1 if any part is doubled, out of order, or lost.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

import sender
from botapi import TOKEN, Remote
from digest.channels import telegram
from digest.channels.telegram import Bot, Token
from digest.store import Store
from outbox import EDITOR, NOON, draft

FAULTS = (
    "drop_before drop_after reset_before reset_after hang_before:9 hang_after:9 late:1 cut 429:7 500 502 "
    "500_after 502_after"
)
POSTS_A_DAY = 4
LONGEST = 0.6  # seconds after which a sender is killed at the latest


class Soak:
    """One soak in a folder."""

    def __init__(self, folder: Path, api: Remote, seed: int) -> None:
        self.api = api
        self.random = random.Random(seed)
        self.database = f"sqlite:///{folder / 'digest.sqlite3'}"
        api.clock(NOON.timestamp())
        api.person(EDITOR)
        api.write(EDITOR, "/start")
        self.chat = api.chat("channel")
        self.wanted: list[list[str]] = []
        self.killed = 0
        self.senders = 0

    def write(self, day: int, numbers: range = range(POSTS_A_DAY)) -> None:
        """Posts of a day."""
        with Store.open(self.database) as store:
            for number in numbers:
                name = f"day {day} post {number}"
                parts = [
                    f"{name} part {part}, {word(name, part)}" for part in range(self.random.randint(1, 4))
                ]
                store.add_posts(
                    [draft(*parts, day=day, topic=f"t{number}")], {"en": ["news"]}, "approved", 0, NOON
                )
                self.wanted.append(parts)

    def deliver(self, after: float | None = None) -> None:
        """A sender, killed so many seconds after it began."""
        self.senders += 1
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

    def day(self, number: int, kills: int) -> None:
        """Write a day's posts, and more while senders are to be killed: one that has nothing to do ends
        before it is. Then come others that are not killed."""
        posts, until = POSTS_A_DAY, self.killed + kills
        self.write(number)
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
        self.api.clear()
        for _ in range(6):
            self.api.skip(4000)
            self.deliver()

    def verdict(self) -> Counter[str]:
        """What became of the parts, by what stands in the channel."""
        stands = [message.text for message in self.api.messages(self.chat)]
        place = {text: at for at, text in enumerate(stands)}
        times, found = Counter(stands), Counter[str]()
        with Store.open(self.database) as store:
            deliveries = store.deliveries()
        states = iter(one.state for one in deliveries)
        for parts in self.wanted:
            known = [next(states) for _ in parts]
            at = [place[text] for text in parts if text in place]
            found["out of order"] += at != sorted(at)
            for number, text in enumerate(parts):
                held = "uncertain" in known[: number + 1]
                found["parts"] += 1
                found["doubled"] += times[text] > 1
                found["once"] += times[text] == 1
                found["held"] += known[number] == "uncertain"
                found["lost"] += not times[text] and not held
                found["behind one that is held"] += held and known[number] == "queued"
        found["by nobody"] = len(stands) - sum(times[text] for parts in self.wanted for text in parts)
        return found


def word(name: str, part: int) -> str:
    """Words of a part's own, so that no two parts are alike."""
    return " ".join(f"{random.Random(f'{name}{part}{at}').getrandbits(40):x}" for at in range(6))


def main() -> int:
    """Soak, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.1, help="faults a request")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    command = [sys.executable, str(Path(__file__).with_name("botapi.py")), "--port", "0"]
    began = time.monotonic()
    # What the client loads at its first use is loaded here, so that each fork need not.
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        api = Remote(server.stdout.readline().decode().strip())
        bot = Bot(lambda: Token(TOKEN), api.url)
        bot.open()
        bot.close()
        soak = Soak(Path(folder), api, given.seed)
        api.faults(given.rate, FAULTS.split(), seed=given.seed)
        for day in range(given.days):
            soak.day(day, given.kills // given.days)
            print(f"day {day + 1}: {soak.killed} killed", file=sys.stderr, flush=True)
        soak.finish()
        found = soak.verdict()
        faults = Counter(one.fault for one in api.requests() if one.fault)
        early = [one for one in api.early() if one[0] == "sendmessage"]
        server.terminate()
    print(f"{given.days} days, {soak.killed} of {soak.senders} senders killed")
    print(f"{sum(faults.values())} faults: {dict(faults)}")
    print(
        ", ".join(f"{number} {name}" for name, number in found.items()),
        f"in {time.monotonic() - began:.0f} s",
    )
    print(f"sent while told to wait: {len(early)}")
    return int(any(found[name] for name in ("doubled", "out of order", "lost", "by nobody")))


if __name__ == "__main__":
    sys.exit(main())
