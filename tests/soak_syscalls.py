"""A sender killed at each system call that writes or sends, of one whole day (strace, Linux).

    python tests/soak_syscalls.py [--every N] [--only NAME,NAME]

A day is two posts, a correction of the day before, a Telegram channel, a feed and a folder of files. It
is delivered once to count the calls; then, for each call of each kind, from the beginning with a SIGKILL as
it is made, and by senders that are left alone. The verdict reads the server's messages and the
files. ``--every 5`` tries each fifth point. Ends with 1 where a part is doubled, out of order or lost.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

from botapi import TOKEN, Remote
from digest import delivery
from digest.channels.feed import FeedChannel
from digest.channels.files import FileChannel
from digest.channels.telegram import Bot, TelegramChannel, Token
from digest.store import Store
from outbox import EDITOR, NOON, draft, part
from sender import RealPace

CALLS = "write pwrite64 fsync fdatasync rename sendto".split()
YESTERDAY, CORRECTED = "yesterday's post", "yesterday's post, corrected"
PARTS = [["one, part one", "one, part two"], ["two, in one part"]]
WANTED = [CORRECTED, *(text for parts in PARTS for text in parts)]


class Day:
    """A day in a folder: its database, its channel on the server, its files."""

    def __init__(self, folder: Path, api: Remote, like: Path) -> None:
        self.folder, self.api = folder, api
        shutil.copytree(like, folder)
        self.chat = api.chat("channel")
        with Store.open(self.database) as store:
            self._begin(store)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'digest.sqlite3'}"

    def _begin(self, store: Store) -> None:
        """Yesterday's post stands there and is to be corrected; today's are approved."""
        everywhere = {"en": ["news", "feed", "files"]}
        [number] = store.add_posts([draft(YESTERDAY, day=-1)], everywhere, "approved", 0, NOON)
        self.deliver()
        new = part(CORRECTED)
        assert store.replace_part(number, 0, new, part(YESTERDAY), now=NOON, by="editor", state="approved")
        drafts = [draft(*texts, topic=f"t{at}") for at, texts in enumerate(PARTS)]
        store.add_posts(drafts, everywhere, "approved", 0, NOON)
        self.api.skip(600)

    def deliver(self, call: str = "", at: int = 0) -> tuple[bool, Counter[str]]:
        """One delivery in a process of its own; with a call, under strace, which kills it at that one.
        Whether it was killed, and the calls that it made."""
        child = os.fork()
        if not child:
            try:
                if call:
                    os.kill(os.getpid(), signal.SIGSTOP)
                self._deliver()
            finally:
                os._exit(0)
        trace = self._traced(child, call, at) if call else None
        _, status = os.waitpid(child, 0)
        if trace is None:
            return os.WIFSIGNALED(status), Counter()
        trace.wait(30)
        lines = (self.folder / "trace").read_text("utf-8", "replace").splitlines()
        made = Counter(found[1] for line in lines if (found := re.match(rf"{child} +(\w+)\(", line)))
        return os.WIFSIGNALED(status), made

    def _traced(self, child: int, call: str, at: int) -> subprocess.Popen[str]:
        os.waitpid(child, os.WUNTRACED)
        wanted = f"trace={','.join(CALLS)}" if call == "all" else f"inject={call}:signal=SIGKILL:when={at}"
        command = ["strace", "-f", "-o", str(self.folder / "trace"), "-e", wanted, "-p", str(child)]
        trace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert trace.stderr is not None
        assert "attached" in trace.stderr.readline()
        os.kill(child, signal.SIGCONT)
        return trace

    def _deliver(self) -> None:
        bot = Bot(lambda: Token(TOKEN), self.api.url, str(EDITOR))
        channels = [
            FeedChannel("feed", self.folder / "feed"),
            FileChannel("files", self.folder / "files"),
            TelegramChannel("news", bot, str(self.chat)),
        ]
        with Store.open(self.database, busy_timeout=30) as store:
            delivery.deliver(store, channels, RealPace(self.api))
        bot.close()

    def settle(self) -> str:
        """The verdict after at most three further deliveries."""
        for _ in range(3):
            self.api.skip(400)
            self.deliver()
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
        files = sorted(path.name for path in self.folder.glob("fe*/*"))
        if (
            files != ["t0-en.atom", "t1-en.atom", "xai-en.atom"]
            or len(list(self.folder.glob("files/*"))) != 3
        ):
            return f"files: {files}"
        return "held" if held else "whole"


def points(made: Counter[str], every: int) -> Iterator[tuple[str, int]]:
    """The calls at which a sender is killed."""
    numbered = [(call, at) for call in CALLS for at in range(1, made[call] + 1)]
    yield from numbered[::every]


def main() -> int:
    """Try them, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default=",".join(CALLS))
    given = parser.parse_args()
    began = time.monotonic()
    command = [sys.executable, str(Path(__file__).with_name("botapi.py")), "--port", "0", "--no-flood"]
    with tempfile.TemporaryDirectory() as name, subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        api = Remote(server.stdout.readline().decode().strip())
        found, tried, there = _try(api, Path(name), given.every, given.only.split(","))
        server.terminate()
    print(f"calls of one day: {dict(there)}, {sum(there.values())} in all")
    print(f"killed at {sum(tried.values())} of them: {dict(tried)}")
    print(f"{dict(found)} in {time.monotonic() - began:.0f} s")
    return int(bool(found.keys() - {"whole", "held"}))


def _try(
    api: Remote, folder: Path, every: int, only: list[str]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    api.clock(NOON.timestamp())
    api.person(EDITOR)
    api.write(EDITOR, "/start")
    Store.open(f"sqlite:///{folder / 'digest.sqlite3'}").close()
    empty = folder / "empty"
    empty.mkdir()
    (folder / "digest.sqlite3").rename(empty / "digest.sqlite3")
    bot = Bot(lambda: Token(TOKEN), api.url)  # what is loaded at the first use is loaded here
    bot.open()
    bot.close()
    _, made = Day(folder / "count", api, empty).deliver("all")
    found, tried = Counter[str](), Counter[str]()
    for call, at in points(made, every):
        if call not in only:
            continue
        day = Day(folder / f"{call}{at}", api, empty)
        killed, _ = day.deliver(call, at)
        tried[call] += killed
        verdict = day.settle()
        found[verdict] += 1
        if verdict not in ("whole", "held"):
            print(f"{call} {at}: {verdict}", flush=True)
        shutil.rmtree(day.folder)
        print(f"{call} {at}: {dict(found)}", file=sys.stderr, flush=True)
    return found, tried, made


if __name__ == "__main__":
    sys.exit(main())
