"""A long post as few messages as possible, each within all of Telegram's limits.

Whole blocks are packed first. Only a block that is too big for a message alone is cut, at the
coarsest boundary that will do: blank line, line, sentence, clause, space, grapheme. A boundary does
not count inside a grapheme, nor inside a word, link, hashtag, arXiv id or formatted stretch that
would fit a message whole; what would not is cut all the same, and formatting is closed before the
cut and opened again after it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate

import regex

from digest.markup.formatted import (
    ENTITY_BYTES,
    ENTITY_LIMIT,
    SOURCE_BYTES,
    TEXT_LIMIT,
    Formatted,
    utf16_length,
)
from digest.markup.parse import parse, read, tags, to_html
from digest.markup.repair import PLAIN, clipped
from digest.types import Part, TextEntity

NUMBER_UNITS = 12
"""Room kept for a part's number, such as "(12/34)" after a blank line."""

_BETWEEN_BLOCKS = "\n\n"
_SENTENCE_END = (
    r"[.!?…]+[\"'»”’)\]]*(?<!\b(?:e\.g|i\.e|al|vs|cf|Figs?|Eq|Sec|т\. ?[екод]|рис|табл|\p{Lu})\.)"
    r"\s+(?!\p{Ll})"
    r"|[。！？]+[」』”’）]*\s*"
)
_CLAUSE_END = r"[,;:]\s+|\s[—–-]\s+|[，；：、]\s*"
_SPACES = r"[ \n\u1680\u2000-\u2006\u2008-\u200a\u205f\u3000]+"
_LEVELS = tuple(
    regex.compile(boundary)
    for boundary in (r"\n(?: *\n)+", r"\n", _SENTENCE_END, _CLAUSE_END, _SPACES, r"\X")
)
_GRAPHEME = _LEVELS[-1]
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_NO_LINK = r"(?!https?://)"  # what a link hangs on ends where the link begins
_DOMAIN = rf"(?<![A-Za-z0-9_.-]|://)(?:[A-Za-z0-9_-]++[.@])++(?:{_NO_LINK}[A-Za-z]){{2,}}+"
_ID = r"(?<![A-Za-z0-9])(?:arXiv:\s?)?(?:\d{4}\.\d{4,5}|[a-z-]++(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?"
_WORD = rf"(?:{_NO_LINK}(?![{_SPACELESS}])[\p{{L}}\p{{M}}\p{{N}}_'’-])+(?:[.,]\d+)*"
_NAMES = (  # links, domains and addresses, hashtags, arXiv ids and words, as long as they may be
    r"https?://[!-~\p{Latin}\p{Cyrillic}]+",
    rf"https?://(?:{_NO_LINK}[!-~\p{{Latin}}\p{{Cyrillic}}])+",
    rf"{_DOMAIN}(?:[/?#][!-~]*)?",
    rf"[#@$](?:{_NO_LINK}[\p{{L}}\p{{N}}_])+",
    _ID,
    _WORD,
)
_TOKENS = (  # the same, one after the other, for where those overlap and are too long together
    rf"https?://(?:{_NO_LINK}[!-~])+|{_DOMAIN}(?:[/?#](?:{_NO_LINK}[!-~])*)?"
    rf"|[#@$](?:{_NO_LINK}(?![{_SPACELESS}])[\p{{L}}\p{{N}}_])+|{_ID}|{_WORD}"
)
_KEPT = tuple(tuple(map(regex.compile, layer)) for layer in ((_TOKENS,), _NAMES))


def split(blocks: Sequence[str], *, limit: int = TEXT_LIMIT, numbered: bool = False) -> tuple[Part, ...]:
    """The blocks, each in Telegram's HTML, as messages of at most ``limit`` UTF-16 units.

    Between blocks stands a blank line; empty blocks are left out. With ``numbered`` a post of more
    than one part ends each with "(2/3)". Every part keeps within ENTITY_LIMIT, ENTITY_BYTES and
    SOURCE_BYTES, and its HTML parses to exactly its text and entities. Raises MarkupError with
    Telegram's answer for a block that it would refuse, ValueError for a limit under 64.
    """
    if limit < 64:
        raise ValueError(f"limit={limit}: a part needs at least 64 units")
    texts = [text for text in map(read, blocks) if text.text]
    whole, ends = _joined(texts)
    parts = _pack(whole, ends, limit)
    if len(parts) > 1 and numbered:
        parts = _pack(whole, ends, limit - NUMBER_UNITS)
        parts = [f"{html}{_BETWEEN_BLOCKS}({n}/{len(parts)})" for n, html in enumerate(parts, 1)]
    return tuple(map(_part, parts))


def blocks(html: str) -> tuple[str, ...]:
    """The blocks that blank lines part, but those inside formatting; what `split` joins to a post. Raises
    MarkupError with Telegram's answer for mark-up that it would refuse."""
    measure = _Measure(whole := read(html), TEXT_LIMIT)
    inside = bytearray(len(whole.text) + 1)
    _mark(inside, iter(measure.spans))
    cuts = [found.span() for found in _LEVELS[0].finditer(whole.text) if not inside[found.end()]]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(whole.text)]
    return tuple(filter(None, map(measure.html, starts, ends)))


def entity_bytes(entity: TextEntity) -> int:
    """Bytes an entity takes on the wire: its constructor, two or three integers, and its string
    padded to four (https://core.telegram.org/mtproto/serialize)."""
    text = (entity.url or entity.language or "").encode()
    return 16 + (len(text) + 4 & ~3 if len(text) < 254 else len(text) + 7 & ~3)


def _part(html: str) -> Part:
    """The part of some HTML, without the white space at its ends, which Telegram would drop."""
    html = html.strip()
    formatted = parse(html)
    return Part(html, formatted.text, formatted.entities)


def _joined(texts: Sequence[Formatted]) -> tuple[Formatted, list[int]]:
    """All blocks as one text, and where each ends (in code points, with the blank line after it)."""
    entities: list[TextEntity] = []
    units = 0
    for block in texts:
        entities += (clipped(e, 0, e.offset + e.length, units) for e in block.entities)
        units += utf16_length(block.text) + len(_BETWEEN_BLOCKS)
    ends = list(accumulate(len(block.text) + len(_BETWEEN_BLOCKS) for block in texts))
    whole = _BETWEEN_BLOCKS.join(block.text for block in texts)
    return Formatted(whole, tuple(entities)), [min(end, len(whole)) for end in ends]


def _pack(whole: Formatted, ends: Sequence[int], limit: int) -> list[str]:
    packer = _Packer(_Measure(whole, limit))
    htmls = (packer.measure.html(start, end) for start, end in packer.pack(ends))
    return [html for html in htmls if parse(html).text]


class _Packer:
    """Fills one part after the other: ``start`` to ``done`` is in the part under way."""

    def __init__(self, measure: _Measure) -> None:
        self.measure = measure
        self._start = 0
        self._done = 0
        self._parts: list[tuple[int, int]] = []

    def pack(self, ends: Sequence[int]) -> list[tuple[int, int]]:
        for end in ends:
            self._place(end, 0)
        return [*self._parts, (self._start, self._done)]

    def _place(self, end: int, level: int) -> None:
        if self.measure.fits(self._start, end):
            self._done = end
        elif self.measure.fits(self._done, end):
            self._parts.append((self._start, self._done))
            self._start, self._done = self._done, end
        else:
            for boundary in self._boundaries(self._done, end, level):
                self._place(boundary, level + 1)

    def _boundaries(self, start: int, end: int, level: int) -> Iterator[int]:
        """Where the stretch may be cut: first at all levels with formatting kept whole, then with
        names, then with tokens, then with graphemes, then anywhere."""
        kept, pattern = divmod(level, len(_LEVELS))
        if kept >= len(self._protected):
            yield from range(start + 1, end + 1)
            return
        protected = self._protected[kept]
        for found in _LEVELS[pattern].finditer(self.measure.text, start, end):
            if start < found.end() < end and not protected[found.end()]:
                yield found.end()
        yield end

    @cached_property
    def _protected(self) -> list[bytearray]:
        """For each position whether it is inside a formatted stretch, a name, a token, a grapheme; each
        with those after it. Only a grapheme counts where it would not fit a part whole."""
        text, fits = self.measure.text, self.measure.fits
        layers = [bytearray(len(text) + 1)]
        _mark(layers[0], (found.span() for found in _GRAPHEME.finditer(text)))
        found = ([one.span() for each in kept for one in each.finditer(text)] for kept in _KEPT)
        for spans in (*found, self.measure.spans):
            layers.append(bytearray(layers[-1]))
            _mark(layers[-1], (span for span in spans if fits(*span)))
        return layers[::-1]


def _mark(positions: bytearray, spans: Iterator[tuple[int, int]]) -> None:
    for start, end in spans:
        if end - start > 1:
            positions[start + 1 : end] = b"\1" * (end - start - 1)


class _Measure:
    """How much of each limit a stretch of the text takes; a stretch is a pair of code points."""

    def __init__(self, whole: Formatted, limit: int) -> None:
        self.text = whole.text
        self._limits = (limit, SOURCE_BYTES - NUMBER_UNITS, ENTITY_LIMIT, ENTITY_BYTES)
        self._entities = whole.entities
        self._units = [0, *accumulate(1 + (c > "\uffff") for c in self.text)]
        self._bytes = [0, *accumulate(map(_html_bytes, self.text))]
        self.spans = [
            (bisect_left(self._units, e.offset), bisect_left(self._units, e.offset + e.length))
            for e in whole.entities
        ]
        costs = [(sum(map(len, map(str.encode, tags(e)))), 1, entity_bytes(e)) for e in whole.entities]
        by_end = sorted((end, cost) for (_, end), cost in zip(self.spans, costs, strict=True))
        self._starts = [start for start, _ in self.spans]
        self._ends = [end for end, _ in by_end]
        self._begun = _sums(costs)
        self._ended = _sums([cost for _, cost in by_end])

    def fits(self, start: int, end: int) -> bool:
        """Whether the stretch, without white space at its end, is within all limits."""
        while end > start and self.text[end - 1] in " \n":
            end -= 1
        begun = self._begun[bisect_left(self._starts, end)]
        ended = self._ended[bisect_right(self._ends, start)]
        markup, count, size = (a - b for a, b in zip(begun, ended, strict=True))
        source = self._bytes[end] - self._bytes[start] + markup
        taken = (self._units[end] - self._units[start], source, count, size)
        return all(used <= limit for used, limit in zip(taken, self._limits, strict=True))

    def html(self, start: int, end: int) -> str:
        """The stretch in HTML, trimmed; indentation at the start of code is kept."""
        text = self.text[start:end]
        blank_lines = len(text) - len(text.lstrip(" \n"))
        if any(a <= start + blank_lines < b for a, b in self._plain_spans):
            blank_lines = text.rfind("\n", 0, blank_lines) + 1
        start, end = start + blank_lines, start + len(text.rstrip(" \n"))
        first, last = self._units[start], self._units[max(start, end)]
        entities = [clipped(e, first, last, -first) for e in self._entities]
        return to_html(self.text[start:end], [e for e in entities if e.length > 0])

    @cached_property
    def _plain_spans(self) -> list[tuple[int, int]]:
        pairs = zip(self._entities, self.spans, strict=True)
        return [span for entity, span in pairs if entity.type in PLAIN]


def _html_bytes(character: str) -> int:
    if character in "&<>":
        return 5 if character == "&" else 4
    return 1 + (character > "\x7f") + (character > "\u07ff") + (character > "\uffff")


def _sums(costs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Running totals, beginning with zero."""
    return list(accumulate(costs, lambda a, b: (a[0] + b[0], a[1] + b[1], a[2] + b[2]), initial=(0, 0, 0)))
