"""A process that delivers to Telegram, as the program does, for tests that kill it.

    python tests/sender.py DATABASE URL CHAT EDITOR [MOMENT]

With a MOMENT it is killed there (SIGKILL): "claimed" after the claim is committed, "asked" with the request
under way, "answered" with the answer in hand and nothing recorded; or after so many seconds (a number).
With "again" in its place it delivers again and again until it is told to end (SIGTERM).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

from botapi import TOKEN, Remote
from digest import delivery
from digest.channels import telegram
from digest.store import Store
from fakes import ServerClock


def die(*_: object) -> None:
    """End without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def fatal(moment: str) -> None:
    """Arrange for the death at a moment."""
    send = telegram.TelegramChannel.send

    def asked(channel: Any, post: Any, part: int) -> str:
        if moment == "claimed":
            die()
        if moment == "asked":
            threading.Timer(0.1, die).start()
        receipt = send(channel, post, part)
        if moment == "answered":
            die()
        return receipt

    if moment.replace(".", "").isdecimal():
        threading.Timer(float(moment), die).start()
    else:
        telegram.TelegramChannel.send = asked  # type: ignore[method-assign]


class RealPace(ServerClock):
    """The server's clock, on which sleeping costs a little time too, so that processes meet."""

    def sleep(self, seconds: float) -> None:
        time.sleep(0.01)
        super().sleep(seconds)


def run(database: str, url: str, chat: str, editor: str, moment: str = "") -> None:
    """One delivery; or one after the other."""
    while moment == "again":
        run(database, url, chat, editor)
        time.sleep(0.05)
    if moment:
        fatal(moment)
    telegram.READ_TIMEOUT = 2.0
    bot = telegram.Bot(lambda: telegram.Token(TOKEN), url, editor)
    try:
        with Store.open(database, busy_timeout=30) as store:
            channel = telegram.TelegramChannel("news", bot, chat)
            delivery.deliver(store, [channel], RealPace(Remote(url)))
    finally:
        bot.close()


if __name__ == "__main__":
    run(*sys.argv[1:])
