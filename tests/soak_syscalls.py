"""A sender killed at each system call that writes or sends, of one whole day (strace, Linux).

    python tests/soak_syscalls.py [--every N] [--errors] [--folder DIR] [--minutes 60]

A day is two posts, a correction of the day before, a Telegram channel, a feed and a folder of files. It
is delivered once to count the calls; then, for each call of each kind, from the beginning with a SIGKILL as
it is made (or the call fails, with ``--errors``), and by senders that are left alone. The verdict reads the
server's messages and the files. ``--every 5`` tries each fifth point. Ends with 1 where a part is doubled,
out of order or lost. What was tried is kept in the folder: the same command goes on where it was ended.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

from botapi import TOKEN, Remote
from calls import forked, strike
from digest import delivery
from digest.channels.feed import FeedChannel
from digest.channels.files import FileChannel
from digest.channels.telegram import Bot, TelegramChannel, Token
from digest.store import Store, sqlite
from outbox import EDITOR, NOON, draft, new_database, part
from sender import RealPace
from simulator.life import one_engine
from tried import scratch
from whole_day import server

YESTERDAY, CORRECTED = "yesterday's post", "yesterday's post, corrected"
PARTS = [["one, part one", "one, part two"], ["two, in one part"]]
WANTED = [CORRECTED, *(text for parts in PARTS for text in parts)]
TRIES = 3


class Delivered:
    """A day of posting in a folder: its database, its channel on the server, its files."""

    def __init__(self, folder: Path, api: Remote) -> None:
        self.folder, self.api = folder / "day", api
        self.folder.mkdir()
        sqlite.new_engine = one_engine
        api.clock(NOON.timestamp())
        api.person(EDITOR)
        api.write(EDITOR, "/start")
        self.chat = api.chat("channel")
        (self.folder / "digest.sqlite3").write_bytes(new_database())
        self._yesterday()
        self._morning = folder / "morning"
        shutil.copytree(self.folder, self._morning)
        self._chats = api.keep()

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'digest.sqlite3'}"

    def _yesterday(self) -> None:
        """Yesterday's post stands there and is to be corrected; today's are approved."""
        everywhere = {"en": ["news", "feed", "files"]}
        with Store.open(self.database) as store:
            [number] = store.add_posts([draft(YESTERDAY, day=-1)], everywhere, "approved", 0, NOON)
        self._deliver()  # what is loaded at the first use is loaded here
        with Store.open(self.database) as store:
            new, old = part(CORRECTED), part(YESTERDAY)
            assert store.replace_part(number, 0, new, old, now=NOON, by="editor", state="approved")
            drafts = [draft(*texts, topic=f"t{at}") for at, texts in enumerate(PARTS)]
            store.add_posts(drafts, everywhere, "approved", 0, NOON)

    def begin(self) -> None:
        """It is morning again."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._morning, self.folder)
        self.api.bring_back(self._chats)
        self.api.clock(NOON.timestamp() + 600)

    def start(self, *, stopped: bool = False) -> int:
        """One delivery in a process of its own, which may wait to be traced; its id."""
        return forked(self._deliver, stopped=stopped)

    def end(self, child: int) -> int:
        """Its exit code, -9 where it was killed."""
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _deliver(self) -> int:
        bot = Bot(lambda: Token(TOKEN), self.api.url, str(EDITOR))
        channels = [
            FeedChannel("feed", self.folder / "feed"),
            FileChannel("files", self.folder / "files"),
            TelegramChannel("news", bot, str(self.chat)),
        ]
        with Store.open(self.database, busy_timeout=30) as store:
            delivery.deliver(store, channels, RealPace(self.api))
        bot.close()
        return 0

    def settle(self) -> str:
        """The verdict after at most three further deliveries."""
        for _ in range(TRIES):
            self.api.skip(400)
            self.end(self.start())
            if (verdict := self.verdict()) == "whole":
                break
        return verdict

    def verdict(self) -> str:
        """What the day came to: "whole", "held", or what is wrong."""
        stands = [message.text for message in self.api.messages(self.chat)]
        with Store.open(self.database) as store:
            held = [one for one in store.deliveries(states=("uncertain",)) if one.channel == "news"]
        if max(Counter(stands).values()) > 1:
            return "doubled"
        if stands != [text for text in WANTED if text in stands]:
            return f"out of order or not corrected: {stands}"
        if len(stands) < len(WANTED) and not held:
            return f"lost: {stands}"
        feeds = sorted(path.name for path in self.folder.glob("fe*/*"))
        files = len(list(self.folder.glob("files/*")))
        if feeds != ["t0-en.atom", "t1-en.atom", "xai-en.atom"] or files != 3:
            return f"{files} files, and feeds: {feeds}"
        return "held" if held else "whole"


def main() -> int:
    """Try them, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--folder", type=Path, help="where to keep what was tried")
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    with scratch() as own, server() as api, tempfile.TemporaryDirectory() as other:
        folder = given.folder or Path(other)
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{'errors' if given.errors else 'calls'}.jsonl"
        return strike(Delivered(own, api), own / "trace", kept, given.every, until, errors=given.errors)


if __name__ == "__main__":
    sys.exit(main())
