"""The end that a signal asks for: at once where nothing is lost by it, else after what is under way.

Whatever is written is written in transactions, so a step that is cut off is as if it had not begun. Only a
message on its way to a channel must not be cut off: nobody could tell then whether it arrived.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Ended(BaseException):
    """A signal has ended the program; ``exit_code`` is what a shell would say of it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Stop:
    """A handler for signals. While it is held the end waits, unless a person presses Ctrl-C again."""

    def __init__(self) -> None:
        self._held = 0
        self._asked: int | None = None

    def listen(self) -> None:
        """Hear SIGTERM and SIGINT from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self)

    def follow(self, parent: int) -> None:
        """End, as by SIGTERM, once the process that started this one is gone, however it went."""

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(1)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=watch, daemon=True).start()

    def __call__(self, number: int, _: object) -> None:
        again = number == signal.SIGINT == self._asked
        self._asked = number
        if again or not self._held:
            raise Ended(number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done within is done to its end; a signal that came meanwhile counts after it."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._asked is not None and not self._held:
            raise Ended(self._asked)


STOP = Stop()
"""A process has one disposition for each signal, and so one of these."""
