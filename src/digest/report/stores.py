"""What was copied from one database to another."""

from __future__ import annotations

from collections.abc import Sequence

from digest.types import CopiedTable


def line(one: CopiedTable) -> str:
    """A table: its name, rows and checksum, which is that of both sides."""
    note = f"  {one.changed:,} rows had the character NUL, now U+FFFD" if one.changed else ""
    return f"{one.table:14} {one.rows:>11,} rows  {one.checksum}{note}"


def equal(copied: Sequence[CopiedTable]) -> str:
    """The last line: that both sides are equal."""
    rows = sum(one.rows for one in copied)
    return f"equal: {len(copied)} tables, {rows:,} rows, each read back and compared by its checksum"
