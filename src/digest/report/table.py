"""Columns of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 100


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows in columns as wide as their widest cell; the first row is the heading."""
    listed = [tuple(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*listed, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in listed
    )
