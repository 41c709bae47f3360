"""Sections of RESULTS.md: what a benchmark prints, put where its last run stood."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


class _Both(StringIO):
    """Keeps what is printed, and prints it."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


@contextmanager
def section(name: str, *, write: bool) -> Iterator[None]:
    """What is printed within is printed, and with ``write`` becomes the section of this name."""
    kept = _Both()
    with redirect_stdout(kept):
        yield
    if write:
        put(name, f"## {name}, {datetime.now(UTC):%Y-%m-%d}\n\n{kept.getvalue().strip()}\n")


def put(name: str, text: str) -> None:
    """Put a section in the place of the old one of its name, or at the end."""
    there = RESULTS.read_text("utf-8")
    old = re.compile(rf"^## {re.escape(name)},.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    new = old.sub(lambda _: f"{text}\n", there) if old.search(there) else f"{there.rstrip()}\n\n{text}\n"
    RESULTS.write_text(f"{new.rstrip()}\n", "utf-8")
