"""A part of a post as the arguments of the Bot API's methods (https://core.telegram.org/bots/api)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from digest.errors import InputError, Refused
from digest.ids import abs_url
from digest.markup import CAPTION_LIMIT, check, parse, to_html, utf16_length
from digest.types import Part, Post, TextEntity

PHOTO_BYTES = 10 * 1024 * 1024
"""The largest photo (https://core.telegram.org/bots/api#sending-files)."""

_STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre")
_KEPT = frozenset((*_STYLES, "text_link", "custom_emoji", "blockquote", "expandable_blockquote"))
_PRE = re.compile(r"(<pre>.*?</pre>)", re.DOTALL)


def text(part: Part) -> dict[str, Any]:
    """Text and entities, for sendMessage and editMessageText."""
    return {"text": part.text, "entities": entities(part)}


def caption(part: Part) -> dict[str, Any]:
    """Text and entities, for sendPhoto and editMessageCaption."""
    return {"caption": part.text, "caption_entities": entities(part)}


def entities(part: Part) -> list[Any]:
    """The entities as the client has them."""
    from telegram import MessageEntity

    return [MessageEntity.de_json(msgspec.to_builtins(one), None) for one in part.entities]


def written(text: str, given: Sequence[Any], old: Part) -> Part:
    """What a person wrote in Telegram as a part, with the picture of the old one. What Telegram finds by
    itself (hashtags, addresses) needs no entity. Raises InputError for what a message cannot hold."""
    html = to_html(text, [_entity(one) for one in given if str(one.type) in _KEPT])
    made = parse(html)
    check(html)
    if old.picture and (units := utf16_length(made.text)) > CAPTION_LIMIT:
        raise InputError(f"it has {units} characters; under a picture there is room for {CAPTION_LIMIT}")
    return Part(html, made.text, made.entities, old.picture)


def _entity(given: Any) -> TextEntity:
    return TextEntity(
        str(given.type),
        given.offset,
        given.length,
        url=given.url,
        language=given.language,
        custom_emoji_id=given.custom_emoji_id,
    )


def rich(part: Part) -> dict[str, Any]:
    """An InputRichMessage: paragraphs for blocks, as the white space of its HTML means nothing."""
    blocks = (_broken(block) for block in re.split(r"\n\s*\n", part.html))
    return {"html": "".join(f"<p>{block}</p>" for block in blocks)}


def _broken(block: str) -> str:
    pieces = _PRE.split(block)
    return "".join(one if at % 2 else one.replace("\n", "<br>") for at, one in enumerate(pieces))


def picture(part: Part, home: Path) -> bytes:
    """The picture of a part. Raises Refused for one that cannot be read, or is too large."""
    assert part.picture is not None
    path = home / part.picture
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: the picture cannot be read: {error.strerror}; put it there") from None
    if len(content) > PHOTO_BYTES:
        size = f"{len(content) / 1024 / 1024:.1f} MB"
        raise Refused(f"{path}: the picture has {size}, and Telegram takes 10 MB: make it smaller")
    return content


def no_preview() -> Any:
    """No preview of any link."""
    from telegram import LinkPreviewOptions

    return LinkPreviewOptions(is_disabled=True)


def preview(post: Post, part: int) -> Any:
    """A preview of the paper where there is one, none of the first link of a list."""
    from telegram import LinkPreviewOptions

    if len(post.papers) == 1 and part == 0:
        return LinkPreviewOptions(url=abs_url(post.papers[0]), prefer_small_media=True)
    return no_preview()
