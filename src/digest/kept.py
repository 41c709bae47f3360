"""What is costly to make and is needed again: kept, also where several threads ask for it."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Kept:
    """Parts by name, each kept as long as its mark stays the same."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._parts: dict[str, tuple[object, Any]] = {}

    def get(self, name: str, mark: object, make: Callable[[], T]) -> T:
        """The part of this name; made where there is none, or where it was made for another mark. Who
        asks while it is made waits, so that it is made once."""
        with self._lock:
            found = self._parts.get(name)
            if found is None or found[0] != mark:
                found = mark, make()
                self._parts[name] = found
            return cast("T", found[1])
