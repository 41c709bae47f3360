"""What Telegram makes of text and entities after parsing: nesting, control characters, white space.

The rules are TDLib's (MessageEntity.cpp, fix_formatted_text; misc.cpp, clean_input_string). There
are three families of entities. Styles (bold, italic, ...) may overlap anything and are cut at its
edges; quotes may hold all else; solid ones (links, code, emoji, dates) hold no solid one. Where two
solid ones meet, the one that begins first (or is longer) stays and the other is lost.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from digest.markup.formatted import ENTITY_LIMIT, Formatted, MarkupError, utf16_length
from digest.markup.links import LinkError, checked_link, user_link
from digest.types import TextEntity

STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")
QUOTES = ("blockquote", "expandable_blockquote")
PLAIN = ("code", "pre", "date_time")
"""Entities in which no style can stand."""

_ORDER = {
    "blockquote": 0,
    "expandable_blockquote": 0,
    "pre": 11,
    "code": 20,
    "date_time": 45,
    "text_link": 49,
    "bold": 90,
    "italic": 91,
    "underline": 92,
    "strikethrough": 93,
    "spoiler": 94,
    "custom_emoji": 99,
}
_REMOVED = "\r\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u030a\u0333\u033f"
_REMOVED_RE = re.compile(f"[{_REMOVED}]")
_CHANGED_RE = re.compile(f"[\x00-\x09\x0b-\x1f{_REMOVED}]")
_CLEAN = {code: " " for code in range(32) if code not in (10, 13)} | {ord(c): None for c in _REMOVED}
_MARKS = re.compile("[\u200e\u200f](?=[\u200e\u200f])")
_INVISIBLE = re.compile(
    "[ \n\u00a0\u1680\u180e\u2000-\u200f\u202e\u202f\u205f\u2800\u3000\ufeff\ufffc\U000e0000-\U000e007f]*"
)


def repaired(text: str, entities: Sequence[TextEntity]) -> Formatted:
    """Text and entities as Telegram stores them, before trimming. Raises MarkupError."""
    cleaned = [_checked(entity) for entity in entities]
    nested = repair_nesting(cleaned)
    moved = _without_removed(text, nested)
    return Formatted(clean(text), tuple(repair_nesting(moved)))


def clean(text: str) -> str:
    """The text without the characters Telegram takes out: controls become spaces, carriage returns,
    bidirectional controls and a few combining marks go."""
    if _CHANGED_RE.search(text):
        text = text.translate(_CLEAN)
    return _MARKS.sub("\u200c", text)


def trimmed(formatted: Formatted) -> Formatted:
    """Without white space at the ends; at the start only up to the first entity."""
    text, entities = formatted.text.rstrip(" \n"), formatted.entities
    if _INVISIBLE.fullmatch(text):
        return Formatted("")
    end = utf16_length(text)
    inside = [clipped(entity, 0, end) for entity in entities if entity.offset < end]
    inside.sort(key=_sort_key)
    start = len(text) - len(text.lstrip(" \n"))
    if inside:
        start = min(start, inside[0].offset)
    return Formatted(text[start:], tuple(moved(e, e.offset - start, e.length) for e in inside))


def limited(formatted: Formatted) -> Formatted:
    """With the entities Telegram keeps when there are more than ENTITY_LIMIT: all but styles first,
    then styles, each in order; custom emoji do not count (TDLib, get_input_message_entities)."""
    styles = _resplit([e for e in formatted.entities if e.type in STYLES], [])
    others = [e for e in formatted.entities if e.type not in STYLES]
    counted = [e for e in others if e.type != "custom_emoji"]
    if len(counted) + len(styles) <= ENTITY_LIMIT:
        return formatted
    kept = counted[:ENTITY_LIMIT] + styles[: max(0, ENTITY_LIMIT - len(counted))]
    emoji = [e for e in others if e.type == "custom_emoji"]
    return Formatted(formatted.text, tuple(repair_nesting(kept + emoji)))


def repair_nesting(entities: Iterable[TextEntity]) -> list[TextEntity]:
    """The entities so nested as Telegram allows, sorted by offset, length (longest first) and type."""
    ordered = sorted((e for e in entities if e.length > 0), key=_sort_key)
    quotes = _apart(e for e in ordered if e.type in QUOTES)
    solid = _apart(e for e in ordered if e.type not in QUOTES and e.type not in STYLES)
    blocks = sorted([*quotes, *_not_across(solid, quotes)], key=_sort_key)
    styles = _resplit([e for e in ordered if e.type in STYLES], blocks)
    return sorted([*blocks, *styles], key=_sort_key)


def moved(entity: TextEntity, offset: int, length: int) -> TextEntity:
    """The same entity elsewhere."""
    if offset == entity.offset and length == entity.length:
        return entity
    return TextEntity(
        entity.type,
        offset,
        length,
        entity.url,
        entity.language,
        entity.custom_emoji_id,
        entity.unix_time,
        entity.date_time_format,
    )


def clipped(entity: TextEntity, start: int, end: int, shift: int = 0) -> TextEntity:
    """What of the entity lies between two offsets, shifted; its length may come out zero or less."""
    offset = max(entity.offset, start)
    return moved(entity, offset + shift, min(entity.offset + entity.length, end) - offset)


def _sort_key(entity: TextEntity) -> tuple[int, int, int]:
    return entity.offset, -entity.length, _ORDER[entity.type]


def _checked(entity: TextEntity) -> TextEntity:
    """The entity with its link or language cleaned, as the text is."""
    value = entity.url or entity.language
    if value is None or (value.isascii() and value.isprintable()):
        return entity
    if not value.isprintable() and re.search("[\ud800-\udfff]", value):
        field = "TextUrl.url" if entity.url else "PreCode.language"
        raise MarkupError(f"Bad Request: messageEntity{field} must be encoded in UTF-8")
    value = clean(value)
    if entity.language:
        return TextEntity(entity.type, entity.offset, entity.length, language=value or None)
    try:
        link = user_link(value) or checked_link(value)
    except LinkError as error:
        raise MarkupError(f"Bad Request: entity URL '{value}' is invalid: {error}") from None
    return TextEntity(entity.type, entity.offset, entity.length, url=link)


def _without_removed(text: str, entities: list[TextEntity]) -> list[TextEntity]:
    """The entities where they stand once the removed characters are gone."""
    removed = (
        [utf16_length(text[: found.start()]) for found in _REMOVED_RE.finditer(text)] if entities else []
    )
    if not removed:
        return entities
    result = []
    for entity in entities:
        start = entity.offset - bisect_left(removed, entity.offset)
        end = entity.offset + entity.length
        result.append(moved(entity, start, end - bisect_left(removed, end) - start))
    return result


def _apart(entities: Iterable[TextEntity]) -> list[TextEntity]:
    """Without those that begin inside an earlier one."""
    result: list[TextEntity] = []
    end = 0
    for entity in entities:
        if entity.offset >= end:
            result.append(entity)
            end = entity.offset + entity.length
    return result


def _not_across(solid: list[TextEntity], quotes: list[TextEntity]) -> list[TextEntity]:
    """Without those that cross the edge of a quote or hold one."""

    def crosses(entity: TextEntity, quote: TextEntity) -> bool:
        end, quote_end = entity.offset + entity.length, quote.offset + quote.length
        meet = entity.offset < quote_end and quote.offset < end
        return meet and (entity.offset < quote.offset or quote_end < end)

    return [e for e in solid if not any(crosses(e, quote) for quote in quotes)]


def _resplit(styles: list[TextEntity], blocks: list[TextEntity]) -> list[TextEntity]:
    """Styles merged where they touch, cut where a block begins or ends and where another style
    begins, and taken out of code, pre and dates. Both lists are sorted."""
    cutter = _Cutter(styles)
    stack: list[TextEntity] = []

    def leave(offset: float) -> None:
        while stack and offset >= stack[-1].offset + stack[-1].length:
            block = stack.pop()
            before = len(cutter.pieces)
            cutter.cut(block.offset + block.length)
            if block.type in PLAIN:
                del cutter.pieces[before:]

    for block in blocks:
        leave(block.offset)
        cutter.cut(block.offset)
        stack.append(block)
    leave(float("inf"))
    cutter.cut(float("inf"))
    return sorted(cutter.pieces, key=_sort_key)


class _Cutter:
    """Reads styles from left to right; ``open`` holds for each the stretch not yet given out."""

    def __init__(self, styles: list[TextEntity]) -> None:
        self.pieces: list[TextEntity] = []
        self._open: dict[str, tuple[int, int]] = {}
        self._coming = styles[::-1]

    def cut(self, offset: float) -> None:
        while self._coming and self._coming[-1].offset < offset:
            style = self._coming.pop()
            begin, end = self._open.get(style.type, (0, -1))
            style_end = style.offset + style.length
            if style.offset <= end:
                self._open[style.type] = begin, max(end, style_end)
            else:
                self._flush(style.offset)
                self._open[style.type] = style.offset, style_end
        self._flush(offset)

    def _flush(self, offset: float) -> None:
        for style, (begin, end) in list(self._open.items()):
            if begin >= offset:
                continue
            if end <= offset:
                del self._open[style]
                self.pieces.append(TextEntity(style, begin, end - begin))
            else:
                cut = int(offset)
                self._open[style] = cut, end
                self.pieces.append(TextEntity(style, begin, cut - begin))
