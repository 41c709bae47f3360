"""How program and machine are, as lines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from digest.report.table import WIDTH
from digest.types import Check

_MARKS = {"ok": "ok    ", "note": "note  ", "wrong": "WRONG "}
_INDENT = " " * 21


def checks(found: Sequence[Check]) -> str:
    """What the doctor found, in the order it looked, and a last line that sums it up."""
    return "\n".join([*map(check, found), "", _sum(found)])


def check(one: Check) -> str:
    """A line, and below it what to do."""
    lines = textwrap.wrap(one.text, WIDTH - len(_INDENT)) or [""]
    first = f"{_MARKS[one.level]} {one.name:<13} {lines[0]}"
    more = [f"{_INDENT}{line}" for line in lines[1:]]
    return "\n".join([first, *more, *([f"{_INDENT}→ {one.advice}"] if one.advice else [])])


def _sum(found: Sequence[Check]) -> str:
    wrong = sum(one.level == "wrong" for one in found)
    notes = sum(one.level == "note" for one in found)
    if wrong:
        return f"{wrong} of {len(found)} things want you now"
    return f"all is well, with {notes} things to note" if notes else "all is well"
