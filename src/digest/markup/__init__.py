"""Telegram's HTML: what the server makes of it, and how a long post becomes messages.

    parse("<b>a</b> &lt; b")  ->  Formatted("a < b", (bold 0 1,))
    split(blocks)             ->  Parts, each within all limits

Pure: no network, no clock. The rules are those of TDLib, against which the tests compare.
"""

from __future__ import annotations

from digest.markup.formatted import (
    CAPTION_LIMIT,
    ENTITY_BYTES,
    ENTITY_LIMIT,
    SOURCE_BYTES,
    TEXT_LIMIT,
    Formatted,
    MarkupError,
    utf16_length,
)
from digest.markup.parse import check, escape, parse, to_html

__all__ = [
    "CAPTION_LIMIT",
    "ENTITY_BYTES",
    "ENTITY_LIMIT",
    "SOURCE_BYTES",
    "TEXT_LIMIT",
    "Formatted",
    "MarkupError",
    "check",
    "escape",
    "parse",
    "to_html",
    "utf16_length",
]
