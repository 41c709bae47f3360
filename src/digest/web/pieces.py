"""Work that takes longer than a person waits for a page: done behind it, one piece at a time.

A page asks for a piece by what it is of; as long as it is not done, the page says so and asks again.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, Generic, TypeVar

from digest.errors import DigestError, TryAgain

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_WAITING = 8
MOST_KEPT = 40
SOON = 0.3
"""Seconds that a page waits: what is done by then needs no second look."""


class Piece(Generic[T]):
    """A piece of work, under way or done."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future
        self._begun = monotonic()

    @property
    def is_done(self) -> bool:
        """Whether there is a result, or an error."""
        return self._future.done()

    @property
    def seconds(self) -> int:
        """For how long it has been awaited."""
        return int(monotonic() - self._begun)

    def wait(self, seconds: float) -> None:
        """Wait for its end, but no longer than this."""
        wait([self._future], seconds)

    def result(self) -> T:
        """What came of it; waits for that. Raises what went wrong, DigestError for what nobody foresaw."""
        try:
            return self._future.result()
        except DigestError:
            raise
        except Exception as error:
            logger.exception("work failed")
            raise DigestError("this could not be worked out; the log of digest serve says why") from error


class Works:
    """Pieces of work by what they are of, done one after the other. The newest are kept. What is under way
    when the program ends is left: it only reads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pieces: OrderedDict[object, Piece[Any]] = OrderedDict()
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._doer: Thread | None = None

    def get(self, of: object, make: Callable[[], T]) -> Piece[T]:
        """The piece of work of this; begun where there is none yet. Raises TryAgain where too many wait."""
        with self._lock:
            piece = self._pieces.get(of) or self._begin(of, make)
            self._pieces.move_to_end(of)
            while len(self._pieces) > MOST_KEPT and next(iter(self._pieces.values())).is_done:
                self._pieces.popitem(last=False)
        piece.wait(SOON)
        return piece

    def all(self) -> list[Piece[Any]]:
        """The pieces that are kept, and those under way."""
        with self._lock:
            return list(self._pieces.values())

    def _begin(self, of: object, make: Callable[[], T]) -> Piece[T]:
        if sum(not one.is_done for one in self._pieces.values()) >= MOST_WAITING:
            raise TryAgain("too much is being worked out at once; try again in a minute")
        future: Future[T] = Future()
        self._waiting.put((future, make))
        if self._doer is None:
            self._doer = Thread(target=self._work, name="work", daemon=True)
            self._doer.start()
        piece = self._pieces[of] = Piece(future)
        return piece

    def _work(self) -> None:
        while True:
            future, make = self._waiting.get()
            try:
                future.set_result(make())
            except BaseException as error:  # told to whoever asks for the result
                future.set_exception(error)
