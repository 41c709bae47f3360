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
from digest.markup.parse import check, check_shown, escape, parse, to_html
from digest.markup.split import blocks, entity_bytes, split
from digest.markup.web import read_text, web, web_blocks

__all__ = [
    "CAPTION_LIMIT",
    "ENTITY_BYTES",
    "ENTITY_LIMIT",
    "SOURCE_BYTES",
    "TEXT_LIMIT",
    "Formatted",
    "MarkupError",
    "blocks",
    "check",
    "check_shown",
    "entity_bytes",
    "escape",
    "parse",
    "read_text",
    "split",
    "to_html",
    "utf16_length",
    "web",
    "web_blocks",
]
