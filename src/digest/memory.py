"""What a process that stays keeps of the memory it gave back."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8
ARENAS = 2


def share_arenas() -> None:
    """Let all threads take their memory from few of glibc's arenas; nothing where the C library has none.

    Else a thread may take one of its own, of eight for each core (mallopt(3), M_ARENA_MAX), and some
    megabytes stay in it when it ends: each change of the words' index begins threads, and a thousand of
    them kept 180 MB on two cores. To be called before there are threads.
    """
    with suppress(OSError, AttributeError, TypeError):  # TypeError: Windows
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
