"""A message as a web page shows it: what Telegram's apps make of its text and entities, as HTML.

Line breaks stay line breaks (``white-space: pre-wrap``). All text is escaped; a link leads to http,
https, or nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from digest.markup.formatted import Formatted, utf16_length
from digest.markup.parse import escape, read, tags, to_html
from digest.types import TextEntity

_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"«»“”]*[^\s<>\"«»“”.,:;!?)\]])|(?<![\w#])(?P<tag>#\w*[^\W\d]\w*)"
)
_SOLID = ("text_link", "code", "pre", "date_time", "custom_emoji")
_TAG = "#"


def web(text: str, entities: Sequence[TextEntity]) -> str:
    """A text and its entities as HTML for a web page. Addresses and hashtags are found as Telegram's apps
    find them (https://core.telegram.org/bots/api#messageentity)."""
    found = to_html(text, [*entities, *_by_itself(text, entities)], _web_tags)
    return found.replace("</blockquote>\n", "</blockquote>")  # a quotation ends its line


def web_blocks(block: str) -> str:
    """A block of Telegram's HTML (of a message of any length) as HTML for a web page. Raises MarkupError."""
    made: Formatted = read(block)
    return web(made.text, made.entities)


def _by_itself(text: str, entities: Sequence[TextEntity]) -> Iterator[TextEntity]:
    """What an app finds in a text without being told."""
    solid = [(one.offset, one.offset + one.length) for one in entities if one.type in _SOLID]
    for found in _FOUND.finditer(text):
        start, length = utf16_length(text[: found.start()]), utf16_length(found[0])
        if all(end <= start or start + length <= begin for begin, end in solid):
            yield TextEntity("text_link", start, length, url=found["url"] or _TAG)


def _web_tags(entity: TextEntity) -> tuple[str, str]:
    kind = entity.type
    if kind == "text_link":
        return _link(entity.url or "")
    if kind == "spoiler":
        return '<span class="spoiler" tabindex="0">', "</span>"
    if kind in ("custom_emoji", "date_time"):
        return "<span>", "</span>"
    if kind == "expandable_blockquote":
        return '<blockquote class="expandable">', "</blockquote>"
    return tags(entity)


def _link(url: str) -> tuple[str, str]:
    if url == _TAG:
        return '<span class="hashtag">', "</span>"
    if not url.startswith(("http://", "https://")):
        return '<span class="mention">', "</span>"
    return f'<a href="{escape(url)}" rel="noopener noreferrer">', "</a>"


def read_text(block: str) -> str:
    """The text alone of a block of Telegram's HTML, on one line. Raises MarkupError."""
    return " ".join(read(block).text.split())
