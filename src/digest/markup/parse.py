"""Telegram's HTML parse mode, exactly (https://core.telegram.org/bots/api#html-style; TDLib,
MessageEntity.cpp, parse_html), and the way back.

It is no HTML parser: a bare ``&`` is text, a bare ``<`` is an error, ``</>`` closes anything, only
four named references are known and ``;`` may be left out. Errors are Telegram's own, word for word.
"""

from __future__ import annotations

import html as _html
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from msgspec import Struct

from digest.markup.formatted import (
    ENTITY_LIMIT,
    SOURCE_BYTES,
    TEXT_LIMIT,
    Formatted,
    MarkupError,
    utf16_length,
)
from digest.markup.links import INTEGER, LinkError, checked_link, lower, user_link
from digest.markup.repair import STYLES, limited, repair_nesting, repaired, trimmed
from digest.types import TextEntity

_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "spoiler": "tg-spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote expandable",
}
_RUN = re.compile(r"[^<]+")
_NAME = re.compile(r"[^ \t\r\n\0\v>]*")
_BLANKS = re.compile(r"[ \t\r\n\v]*")
_ATTRIBUTE = re.compile(r"[^ \t\r\n\0\v=>/\"']*")
_TOKEN = re.compile(r"[A-Za-z0-9.\-]*")
_REFERENCE = re.compile(r"&(?:#[xX]([0-9A-Fa-f]*)|#([0-9]*)|([A-Za-z]*));?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_DATE_FORMAT = re.compile(r"[rR]|[tTdDwW]*")


def parse(html: str) -> Formatted:
    """What Telegram makes of a message in HTML: its text, trimmed and cleaned, and the entities it
    keeps (no more than ENTITY_LIMIT, not counting custom emoji). The text may be empty, which
    Telegram then refuses to send. Raises MarkupError with Telegram's answer."""
    if len(_encoded(html)) > SOURCE_BYTES:
        raise MarkupError("Bad Request: text is too long")
    return limited(read(html))


def read(html: str) -> Formatted:
    """As ``parse``, but of any length and with all entities. Raises MarkupError."""
    scanner = scan(html)
    return trimmed(repaired(scanner.text, scanner.found))


def escape(text: str) -> str:
    """Text as it can stand in Telegram's HTML, in an attribute too."""
    return _html.escape(text, quote=True)


def to_html(
    text: str, entities: Sequence[TextEntity], around: Callable[[TextEntity], tuple[str, str]] | None = None
) -> str:
    """HTML that ``parse`` turns into this text and these entities again (if Telegram would leave
    both as they are). Entities that are wrongly nested are repaired first. ``around`` gives other tags
    than Telegram's."""
    around = around or tags
    codes = text.encode("utf-16-le")
    pieces: list[str] = []
    closing: list[tuple[int, str]] = []
    done = 0

    def write_until(offset: int) -> None:
        nonlocal done
        pieces.append(_html.escape(codes[2 * done : 2 * offset].decode("utf-16-le"), quote=False))
        done = offset

    def close_until(offset: float) -> None:
        while closing and closing[-1][0] <= offset:
            end, tag = closing.pop()
            write_until(end)
            pieces.append(tag)

    for entity in repair_nesting(entities):
        close_until(entity.offset)
        write_until(entity.offset)
        start, end = around(entity)
        pieces.append(start)
        closing.append((entity.offset + entity.length, end))
    close_until(float("inf"))
    write_until(len(codes) // 2)
    return "".join(pieces)


def tags(entity: TextEntity) -> tuple[str, str]:
    """The tags that stand before and after an entity's text."""
    kind = entity.type
    if kind == "text_link":
        return f'<a href="{escape(entity.url or "")}">', "</a>"
    if kind == "pre" and entity.language:
        return f'<pre><code class="language-{escape(entity.language)}">', "</code></pre>"
    if kind == "custom_emoji":
        return f'<tg-emoji emoji-id="{entity.custom_emoji_id}">', "</tg-emoji>"
    if kind == "date_time":
        how = entity.date_time_format or ""
        return f'<tg-time unix="{entity.unix_time}" format="{how}">', "</tg-time>"
    start = _TAGS[kind]
    return f"<{start}>", f"</{start.split()[0]}>"


def check(html: str) -> None:
    """Raises MarkupError, with one line that says what and where, if Telegram would refuse the
    message or would not show it as written: a link lost, nesting repaired, more than ENTITY_LIMIT
    entities. (Control characters, which it removes, are not looked at.)"""
    formatted = parse(html)
    if not formatted.text:
        raise MarkupError("Bad Request: text must be non-empty")
    length = utf16_length(formatted.text)
    if length > TEXT_LIMIT:
        raise MarkupError(f"the text is {length} UTF-16 units long; Telegram takes {TEXT_LIMIT}: split it")
    check_shown(html)
    scanner = scan(html)
    kept = repair_nesting(scanner.found)
    if limited(Formatted(scanner.text, tuple(kept))).entities != tuple(kept):
        raise MarkupError(f"there are {len(kept)} entities; Telegram keeps {ENTITY_LIMIT} and drops the rest")


def check_shown(html: str) -> None:
    """As `check`, but of any length: raises MarkupError if Telegram would refuse the mark-up, or would
    not show it as written."""
    scanner = scan(html)
    if scanner.lost:
        raise MarkupError(f"Telegram would drop {scanner.lost[0]}")
    kept = repair_nesting(scanner.found)
    for entity in scanner.found:
        if not _shown(entity, kept):
            what = entity.type.replace("_", " ")
            where = _excerpt(scanner.text, entity)
            raise MarkupError(f"Telegram would not show {what} on “{where}” as written: correct the nesting")


def _shown(entity: TextEntity, kept: list[TextEntity]) -> bool:
    """Whether the entity is seen on its whole text (a style may have been cut or merged)."""
    if entity.type not in STYLES:
        return entity in kept
    at, end = entity.offset, entity.offset + entity.length
    for other in kept:
        if other.type == entity.type and other.offset <= at:
            at = max(at, other.offset + other.length)
    return at >= end


def _excerpt(text: str, entity: TextEntity) -> str:
    codes = text.encode("utf-16-le", "surrogatepass")
    piece = codes[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "replace")
    return piece if len(piece) <= 40 else f"{piece[:39]}…"


def _encoded(html: str) -> bytes:
    try:
        return html.encode()
    except UnicodeEncodeError:
        raise MarkupError("Bad Request: strings must be encoded in UTF-8") from None


class Scanned(Struct, frozen=True):
    """Text and entities as written: not cleaned, not repaired. ``lost`` names what was dropped."""

    text: str
    found: tuple[TextEntity, ...]
    lost: tuple[str, ...]


def scan(html: str) -> Scanned:
    """Reads the markup. Raises MarkupError."""
    _encoded(html)
    return _Scanner(html).scan()


class _Opened(Struct, frozen=True):
    """A start tag whose end is awaited; ``at`` is where its text begins among the pieces."""

    name: str
    argument: str
    date: int
    offset: int
    at: int


class _Scanner:
    def __init__(self, html: str) -> None:
        self._html = html + "\0"  # TDLib too reads up to a NUL
        self._size = len(html)
        self._pos = 0
        self._pieces: list[str] = []
        self._units = 0
        self._opened: list[_Opened] = []
        self._found: list[TextEntity] = []
        self._lost: list[str] = []

    def scan(self) -> Scanned:
        while self._pos < self._size:
            if self._html[self._pos] != "<":
                self._text()
            elif self._html[self._pos + 1] != "/":
                self._start_tag()
            else:
                self._end_tag()
        if self._opened:
            _refuse(f'Can\'t find end tag corresponding to start tag "{self._opened[-1].name}"')
        text = "".join(self._pieces)
        if _SURROGATE.search(text):
            _refuse(
                "Text contains invalid Unicode characters after decoding HTML entities, "
                "check for unmatched surrogate code units"
            )
        found = sorted(self._found, key=lambda e: (e.offset, -e.length))
        plain = (TextEntity("code", e.offset, e.length) if e.type == "code" else e for e in found)
        return Scanned(text, tuple(plain), tuple(self._lost))

    def _text(self) -> None:
        end = _end(_RUN, self._html, self._pos)
        text = _decoded(self._html[self._pos : min(end, self._size)])
        self._pieces.append(text)
        self._units += utf16_length(text)
        self._pos = end

    def _start_tag(self) -> None:
        begin = self._pos
        end = _end(_NAME, self._html, begin + 1)
        if self._html[end] == "\0":
            self._refuse_at(begin, "Unclosed start tag")
        name = lower(self._html[begin + 1 : end])
        if name not in _TYPES:
            self._refuse_at(begin, f'Unsupported start tag "{name}"')
        self._pos = end
        argument, date = self._arguments(name, begin)
        if name == "span" and argument != "spoiler":
            self._refuse_at(begin, 'Tag "span" must have class "tg-spoiler"')
        self._pos += 1
        self._opened.append(_Opened(name, argument, date, self._units, len(self._pieces)))

    def _arguments(self, name: str, begin: int) -> tuple[str, int]:
        """Reads attributes up to ``>``: the one that matters for the tag, and the date of tg-time."""
        argument, date = "", 0
        while self._html[self._pos] != ">":
            self._skip_blanks()
            if self._html[self._pos] == ">":
                break
            attribute, value = self._attribute(name, begin)
            if (name, attribute) == ("tg-time", "unix"):
                date = _int32(value or "")
            else:
                argument = _argument(name, attribute, value, argument)
        return argument, date

    def _attribute(self, name: str, begin: int) -> tuple[str, str | None]:
        end = _end(_ATTRIBUTE, self._html, self._pos)
        attribute = self._html[self._pos : end]
        if not attribute:
            self._refuse_at(begin, f'Empty attribute name in the tag "{name}"')
        self._pos = end
        self._skip_blanks()
        value = None
        if self._html[self._pos] == "=":
            self._pos += 1
            self._skip_blanks()
            if self._html[self._pos] != "\0":
                value = self._value()
                if self._html[self._pos] == "\0":
                    self._refuse_at(begin, "Unclosed start tag")
        if self._html[self._pos] == "\0":
            self._refuse_at(begin, f'Unclosed start tag "{name}"')
        return attribute, value

    def _value(self) -> str:
        begin, quote = self._pos, self._html[self._pos]
        if quote not in "'\"":
            self._pos = _end(_TOKEN, self._html, begin)
            if self._html[self._pos] not in " \t\r\n\0\v>":
                self._refuse_at(begin, "Unexpected end of name token")
            return lower(self._html[begin : self._pos])
        end = _end(re.compile(f"[^{quote}\0]*"), self._html, begin + 1)
        self._pos = end + (self._html[end] == quote)
        return _decoded(self._html[begin + 1 : end])

    def _end_tag(self) -> None:
        begin = self._pos
        if not self._opened:
            self._refuse_at(begin, "Unexpected end tag")
        end = _end(_NAME, self._html, begin + 2)
        name = lower(self._html[begin + 2 : end])
        self._pos = end
        self._skip_blanks()
        if self._html[self._pos] != ">":
            self._refuse_at(begin, "Unclosed end tag")
        self._pos += 1
        opened = self._opened[-1]
        if name and name != opened.name:
            self._refuse_at(begin, "Unmatched end tag", f', expected "</{opened.name}>", found "</{name}>"')
        if self._units > opened.offset:
            self._close(opened)
        self._opened.pop()

    def _close(self, opened: _Opened) -> None:
        kind, length = _TYPES[opened.name], self._units - opened.offset
        entity = TextEntity(kind, opened.offset, length)
        if kind in ("code", "pre"):
            self._close_code(entity, opened.argument)
        elif kind == "text_link":
            self._close_link(entity, opened)
        elif kind == "custom_emoji":
            self._found.append(
                TextEntity(kind, entity.offset, length, custom_emoji_id=_emoji(opened.argument))
            )
        elif kind == "date_time":
            self._close_date(entity, opened)
        elif kind == "blockquote" and opened.argument:
            self._found.append(TextEntity("expandable_blockquote", entity.offset, length))
        else:
            self._found.append(entity)

    def _close_code(self, entity: TextEntity, language: str) -> None:
        """``code`` with a language and ``pre`` around the same text are one ``pre`` with a language,
        whichever is outside."""
        last = self._found[-1] if self._found else entity
        same = last.offset == entity.offset and last.length == entity.length
        if entity.type == "pre" and same and last.type == "code" and last.language:
            self._found[-1] = TextEntity("pre", last.offset, last.length, language=last.language)
        elif entity.type == "code" and same and last.type == "pre" and language and not last.language:
            self._found[-1] = TextEntity("pre", last.offset, last.length, language=language)
        else:
            known = language if entity.type == "code" and language else None
            self._found.append(TextEntity(entity.type, entity.offset, entity.length, language=known))

    def _close_link(self, entity: TextEntity, opened: _Opened) -> None:
        text = "".join(self._pieces[opened.at :])
        link = opened.argument or text
        try:
            url = user_link(link) or checked_link(link)
        except LinkError as error:
            self._lost.append(f"the link “{link}” on “{text}”: {error}")
        else:
            self._found.append(TextEntity("text_link", entity.offset, entity.length, url=url))

    def _close_date(self, entity: TextEntity, opened: _Opened) -> None:
        if not _DATE_FORMAT.fullmatch(opened.argument):
            _refuse("Invalid date format used")
        if opened.date <= 0:
            self._lost.append(
                f"the date on “{''.join(self._pieces[opened.at :])}”: it has no positive Unix time"
            )
            return
        how = _date_format(opened.argument)
        self._found.append(
            TextEntity("date_time", entity.offset, entity.length, unix_time=opened.date, date_time_format=how)
        )

    def _skip_blanks(self) -> None:
        self._pos = _end(_BLANKS, self._html, self._pos)

    def _refuse_at(self, begin: int, what: str, more: str = "") -> NoReturn:
        _refuse(f"{what} at byte offset {len(self._html[:begin].encode())}{more}")


def _refuse(what: str) -> NoReturn:
    raise MarkupError(f"Bad Request: can't parse entities: {what}")


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _decoded(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    if name is not None:
        return _NAMED.get(name, found[0])
    digits = len(hexadecimal) + 3 if hexadecimal is not None else len(decimal) + 2
    if digits >= 10:
        return found[0]
    code = int(hexadecimal or "0", 16) if hexadecimal is not None else int(decimal or "0")
    return chr(code) if 0 < code < 0x10FFFF else found[0]


def _argument(name: str, attribute: str, value: str | None, before: str) -> str:
    """What an attribute says about its tag; ``before`` where it says nothing."""
    if (name, attribute) == ("blockquote", "expandable"):
        return "1"
    if value is None:
        return before
    if (name, attribute) in (("a", "href"), ("tg-emoji", "emoji-id"), ("tg-time", "format")):
        return value
    prefix = {("code", "class"): "language-", ("span", "class"): "tg-"}.get((name, attribute))
    return value[len(prefix) :] if prefix and value.startswith(prefix) else before


def _emoji(argument: str) -> str:
    known = INTEGER.fullmatch(argument) and argument != "0" and -(1 << 63) <= int(argument) < 1 << 63
    return argument if known else _refuse("Invalid custom emoji identifier specified")


def _int32(value: str) -> int:
    """Leading digits as a 32-bit integer that wraps around."""
    found = re.match(r"(-?)([0-9]*)", value)
    sign, digits = found.groups() if found else ("", "")
    number = int(digits or "0") % (1 << 32)
    number = (-number if sign else number) % (1 << 32)
    return number - (1 << 32) if number >= 1 << 31 else number


def _date_format(argument: str) -> str | None:
    """The format in Telegram's own order: r, or week day, date, time; the short form wins."""
    if argument in ("r", "R"):
        return "r"
    day = "w" if "w" in argument.lower() else ""
    date = "d" if "d" in argument else "D" if "D" in argument else ""
    time = "t" if "t" in argument else "T" if "T" in argument else ""
    return day + date + time or None
