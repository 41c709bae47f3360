"""`digest search` in a fresh process: what click costs, and what the end of an interpreter costs, are a
fourth of it. A command line that holds more than words and the options below is click's to read.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from digest.cli.opening import opened, show

if TYPE_CHECKING:
    from digest.app import App
    from digest.search import Mode
    from digest.types import Window

_VALUES = ("--config", "--home", "--mode")
_FLAGS = ("--expand", "--json", "--quiet", "-q")
_OWN = ("--mode", "--expand")  # of search: they stand behind its name
_MODES = ("words", "vectors", "both")


class Plain(NamedTuple):
    """A search without filters, as it was typed; ``given``: the common options."""

    given: dict[str, Any]
    text: str
    mode: Mode
    expand: bool


def plain(arguments: Sequence[str]) -> Plain | None:
    """The search that a command line asks for; None for any that says more, or is wrong."""
    said: dict[str, Any] = {}
    words: list[str] = []
    rest = list(arguments)
    while rest:
        one = rest.pop(0)
        if one in _OWN and not words:
            return None
        if one in _VALUES and rest and one not in said:
            said[one] = rest.pop(0)
        elif one in _FLAGS:
            said[one] = True
        elif one.startswith("-"):
            return None
        else:
            words.append(one)
    mode = said.get("--mode", "both")
    if words[:1] != ["search"] or not words[1:] or mode not in _MODES:
        return None
    paths = {name[2:]: Path(said[name]) for name in ("--config", "--home") if name in said}
    flags = {"json": "--json" in said, "quiet": "--quiet" in said or "-q" in said}
    return Plain(paths | flags, " ".join(words[1:]), mode, "--expand" in said)


def run(asked: Plain) -> None:
    """Answer a search, and end the process."""
    from digest.types import Window

    one_thread()
    gc.disable()  # it would look through what was imported, 15 CPU-milliseconds, and find nothing
    with opened(asked.given) as app:
        answer(app, asked.given, asked.text, 10, Window(), asked.mode, expand=asked.expand)
    sys.stderr.flush()
    os._exit(0)  # all is closed and printed; to take the interpreter apart costs 40 CPU-milliseconds


def answer(
    app: App, given: dict[str, Any], text: str, count: int, window: Window, mode: Mode, *, expand: bool
) -> None:
    """Print what a search finds."""
    from digest.actions import archive
    from digest.log import has_colours
    from digest.report import archive as report

    found = archive.search(app, text, count, window, mode, expand=expand)
    for note in found.notes if given.get("json") else ():
        sys.stderr.write(f"note: {note}\n")
    show(given, found.hits, lambda: report.answer(found, colours=has_colours(sys.stdout)))


def one_thread() -> None:
    """Keep BLAS from beginning a thread for each core, which costs 80 CPU-milliseconds."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
