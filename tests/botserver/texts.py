"""Text and entities as the server takes them: parsed, checked, trimmed, measured.

TDLib is the judge where tdjson is installed, else digest's own rules, which the tests hold against it.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import asdict

from botserver.request import ApiError, Call, bad_request
from digest.markup.formatted import SOURCE_BYTES, Formatted, MarkupError, utf16_length
from digest.markup.links import LinkError, checked_link, user_link
from digest.markup.parse import scan
from digest.markup.repair import limited, repair_nesting, repaired, trimmed
from digest.types import TextEntity

tdlib: Any = None
if importlib.util.find_spec("tdjson"):
    import tdlib

ENTITY_BYTES = 9500
"""Where the server says ENTITIES_TOO_LONG (https://github.com/tdlib/telegram-bot-api/issues/165)."""

_SURROGATE = re.compile(r"&#(?:[xX]0*[dD][89a-fA-F][0-9a-fA-F]{2}|0*5[5-7]\d{3})")
_SIGNS = "*_~|`[]()"
_HIDDEN = str.maketrans({sign: chr(0xE0F0 + at) for at, sign in enumerate(_SIGNS)})
_SHOWN = str.maketrans({chr(0xE0F0 + at): sign for at, sign in enumerate(_SIGNS)})
_LARGEST = 1_000_000
_MIDDLE = "a middle of a UTF-16 symbol"
_PLAIN = (
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "code",
    "blockquote",
    "expandable_blockquote",
)
_DETECTED = (
    *("mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number"),
)
_TD_NAMES = {"expandable_blockquote": "ExpandableBlockQuote", "blockquote": "BlockQuote"}


@dataclass(frozen=True)
class Text:
    """What stands in a message. ``dropped`` entities were too many: Telegram says nothing of them."""

    text: str
    entities: list[dict[str, Any]]
    dropped: int = 0


def read(call: Call, name: str = "text", entities: str = "entities") -> Formatted:
    """Text and entities as the call has them, before anything is checked but the markup."""
    text = call.arg(name)
    if len(text.encode()) > SOURCE_BYTES:
        raise bad_request("Text is too long")
    mode = call.arg("parse_mode").lower()
    if mode == "html":
        return _parsed_html(text)
    if mode in ("markdown", "markdownv2"):
        return _parsed_markdown(text, mode)
    if mode not in ("", "none"):
        raise bad_request("Unsupported parse_mode")
    return Formatted(text, _given_entities(call.arg(entities)))


def finish(given: Formatted, limit: int, too_long: str, *, empty: bool = False) -> Text:
    """The text as the message will have it. Raises ApiError: bad offsets, nothing to be seen (unless
    it may be ``empty``), longer than ``limit`` UTF-16 units (which it never counts less than Telegram
    does), entities too long."""
    whole = trimmed(_repaired(given))
    if not whole.text and not empty:
        raise bad_request("Text must be non-empty")
    if utf16_length(whole.text) > limit:
        raise bad_request(too_long)
    kept = limited(whole)
    if sum(map(_size, kept.entities)) > ENTITY_BYTES:
        raise bad_request("ENTITIES_TOO_LONG")
    dropped = max(0, len(whole.entities) - len(kept.entities)) if kept != whole else 0
    return Text(kept.text, [_shown(entity) for entity in kept.entities], dropped)


def _size(entity: TextEntity) -> int:
    """Bytes on the wire: constructor, flags, two integers, a string in fours
    (https://core.telegram.org/mtproto/serialize)."""
    string = (entity.url or entity.language or "").encode()
    if not string:
        return 16
    return 16 + (len(string) + (1 if len(string) < 254 else 4) + 3) // 4 * 4


def _shown(entity: TextEntity) -> dict[str, Any]:
    """A MessageEntity as the server writes it."""
    url = entity.url or ""
    if entity.type == "text_link" and url.startswith("tg://user?id="):
        user = {"id": int(url.rpartition("=")[2]), "is_bot": False, "first_name": "Somebody"}
        return {"type": "text_mention", "offset": entity.offset, "length": entity.length, "user": user}
    return {name: value for name, value in asdict(entity).items() if value is not None}


# --- markup ---------------------------------------------------------------------------------------


def _parsed_html(text: str) -> Formatted:
    try:
        if tdlib is None or _SURROGATE.search(text):  # TDLib aborts on a lone surrogate in a link
            scanned = scan(text)
            return Formatted(scanned.text, scanned.found)
    except MarkupError as error:
        raise ApiError(400, str(error)) from None
    return _of_tdlib(tdlib.parse(text))


def _parsed_markdown(text: str, mode: str) -> Formatted:
    if tdlib is None:
        raise ApiError(501, "Not Implemented: Markdown is read by TDLib only, which is not installed")
    kind = {"@type": "textParseModeMarkdown", "version": 2 if mode == "markdownv2" else 1}
    return _of_tdlib(tdlib.execute(type_="parseTextEntities", text=text, parse_mode=kind))


def _of_tdlib(answer: dict[str, Any]) -> Formatted:
    if answer["@type"] == "error":
        raise ApiError(answer["code"], tdlib.message(answer))
    return Formatted(answer["text"], tdlib.entities(answer))


# --- entities of the call -------------------------------------------------------------------------


def _given_entities(text: str) -> tuple[TextEntity, ...]:
    """What is no JSON array is ignored without a word; in an array each must be an entity."""
    try:
        given = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return ()
    found = (_given_entity(one) for one in given) if isinstance(given, list) else ()
    return tuple(entity for entity in found if entity is not None)


def _given_entity(given: Any) -> TextEntity | None:
    if not isinstance(given, dict):
        raise _unreadable("expected an Object")
    offset, length, kind = _number(given, "offset"), _number(given, "length"), _string(given, "type")
    if kind in _DETECTED:
        return None
    if kind not in (*_PLAIN, *_FIELDS):
        raise _unreadable("Unsupported type specified")
    return TextEntity(_RENAMED.get(kind, kind), offset, length, **_FIELDS.get(kind, _no_fields)(given))


def _no_fields(given: dict[str, Any]) -> dict[str, Any]:
    return {}


def _mention(given: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(user := given.get("user"), dict):
        raise _unreadable('Field "user" must be of type Object')
    return {"url": f"tg://user?id={_number(user, 'id')}"}


def _date(given: dict[str, Any]) -> dict[str, Any]:
    how = given.get("date_time_format") or None
    return {"unix_time": _number(given, "unix_time"), "date_time_format": how}


_RENAMED = {"text_mention": "text_link"}
_FIELDS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "pre": lambda given: {"language": given.get("language") or None},
    "text_link": lambda given: {"url": _string(given, "url")},
    "text_mention": _mention,
    "custom_emoji": lambda given: {"custom_emoji_id": str(_number(given, "custom_emoji_id"))},
    "date_time": _date,
}


def _unreadable(why: str) -> ApiError:
    return bad_request(f"Can't parse MessageEntity: {why}")


def _number(given: dict[str, Any], name: str) -> int:
    value = given.get(name)
    if value is None:
        raise _unreadable(f'Can\'t find field "{name}"')
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _unreadable(f'Field "{name}" must be of type Number')
    if not re.fullmatch(r"-?\d+", str(value)):
        raise _unreadable(f'Field "{name}" must be a valid Number')
    return int(value)


def _string(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        raise _unreadable(f'Can\'t find field "{name}"')
    if not isinstance(value, str):
        raise _unreadable(f'Field "{name}" must be of type String')
    return value


# --- repair ---------------------------------------------------------------------------------------


def _repaired(given: Formatted) -> Formatted:
    dates = any(entity.type == "date_time" for entity in given.entities)
    if tdlib is None or dates or given.text != given.text.translate(_SHOWN):
        return repaired_by_digest(given)
    return repaired_by_tdlib(given)


def repaired_by_tdlib(given: Formatted) -> Formatted:
    """TDLib's answer. It is asked by a request that reads Markdown too, whose signs are hidden: behind
    plus signs, as they must not change the byte offsets in errors, and to see the text as it becomes,
    behind characters of no use."""
    whole = {"@type": "formattedText", "text": given.text, "entities": list(map(_td_entity, given.entities))}
    entities = _of_tdlib(tdlib.repair(whole)).entities
    hidden = {"@type": "formattedText", "text": given.text.translate(_HIDDEN), "entities": []}
    text = _of_tdlib(tdlib.execute(type_="parseMarkdown", text=hidden)).text
    return Formatted(text.translate(_SHOWN), entities)


def repaired_by_digest(given: Formatted) -> Formatted:
    """The same by digest's own rules."""
    entities = [_with_link(entity) for entity in given.entities]
    _check_offsets(given.text, entities)
    try:
        return repaired(given.text, entities)
    except MarkupError as error:
        raise ApiError(400, str(error)) from None


def _td_entity(entity: TextEntity) -> dict[str, Any]:
    kind: dict[str, Any]
    if entity.type == "text_link":
        user = user_link(entity.url or "")
        kind = {"@type": "textEntityTypeTextUrl", "url": entity.url}
        if user:
            kind = {"@type": "textEntityTypeMentionName", "user_id": int(user.rpartition("=")[2])}
    elif entity.type == "custom_emoji":
        kind = {"@type": "textEntityTypeCustomEmoji", "custom_emoji_id": entity.custom_emoji_id}
    elif entity.type == "pre" and entity.language:
        kind = {"@type": "textEntityTypePreCode", "language": entity.language}
    else:
        kind = {"@type": "textEntityType" + _TD_NAMES.get(entity.type, entity.type.capitalize())}
    return {"@type": "textEntity", "offset": entity.offset, "length": entity.length, "type": kind}


def _with_link(entity: TextEntity) -> TextEntity:
    if entity.type != "text_link":
        return entity
    url = entity.url or ""
    try:
        return TextEntity("text_link", entity.offset, entity.length, url=user_link(url) or checked_link(url))
    except LinkError as error:
        raise bad_request(f"Entity URL '{url}' is invalid: {error}") from None


def _check_offsets(text: str, entities: Sequence[TextEntity]) -> None:
    """TDLib, MessageEntity.cpp, clean_input_string_with_entities."""
    for entity in entities:
        for name, value in (("offset", entity.offset), ("length", entity.length)):
            if not 0 <= value <= _LARGEST:
                raise bad_request(f"Receive an entity with incorrect {name} {value}")
    coming, begun = repair_nesting(entities)[::-1], list[TextEntity]()
    units = size = 0
    for character in [*text, ""]:
        _check_at(units, size, coming, begun)
        units += utf16_length(character)
        size += len(character.encode())
    if coming:
        at = coming[-1].offset
        raise bad_request(f"Entity begins after the end of the text at UTF-16 offset {at}")
    if begun:
        at = _end(begun[-1])
        raise bad_request(f"{_about(begun[-1])} ends after the end of the text at UTF-16 offset {at}")


def _check_at(units: int, size: int, coming: list[TextEntity], begun: list[TextEntity]) -> None:
    """Where a character begins: close the entities that end here, open those that begin here."""
    while begun and _end(begun[-1]) <= units:
        entity = begun.pop()
        if _end(entity) != units:
            raise bad_request(f"{_about(entity)} ends in {_MIDDLE} at byte offset {size}")
    while coming and coming[-1].offset <= units:
        if coming[-1].offset != units:
            raise bad_request(f"Entity begins in {_MIDDLE} at byte offset {size}")
        begun.append(coming.pop())


def _end(entity: TextEntity) -> int:
    return entity.offset + entity.length


def _about(entity: TextEntity) -> str:
    return f"Entity beginning at UTF-16 offset {entity.offset}"
