"""Regular expressions that are compiled when they are first used.

Python compiles each one anew in every process. Those of the modules that a plain search imports, most of them
for texts it never meets, took 14 of its CPU-milliseconds.
"""

from __future__ import annotations

import re
from typing import Any, cast


class _Later:
    """Stands for a pattern; what was asked of it once is kept beside it."""

    def __init__(self, source: str, flags: int) -> None:
        self._source, self._flags = source, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, found)
        return found


def pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`; a mistake in the source is told when it is used."""
    return cast("re.Pattern[str]", _Later(source, flags))
