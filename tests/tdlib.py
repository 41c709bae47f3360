"""TDLib's own parser as the judge of what Telegram makes of a text. Offline: no login, no network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from digest.types import TextEntity

tdjson = pytest.importorskip("tdjson", reason="TDLib (tdjson) is not installed")

KINDS = {
    "Bold": "bold",
    "Italic": "italic",
    "Underline": "underline",
    "Strikethrough": "strikethrough",
    "Spoiler": "spoiler",
    "Code": "code",
    "Pre": "pre",
    "PreCode": "pre",
    "TextUrl": "text_link",
    "MentionName": "text_link",
    "CustomEmoji": "custom_emoji",
    "BlockQuote": "blockquote",
    "ExpandableBlockQuote": "expandable_blockquote",
    "DateTime": "date_time",
}
INVISIBLE = "\n \u00a0\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2800\u3000\ufeff\ufffc"
MARKDOWN = str.maketrans("*_~|`[]()", "+++++++++")


def execute(**request: Any) -> dict[str, Any]:
    text = json.dumps({key.replace("type_", "@type"): value for key, value in request.items()})
    return json.loads(tdjson.td_execute(text.encode()))


execute(type_="setLogVerbosityLevel", new_verbosity_level=0)


def parse(html: str) -> dict[str, Any]:
    """Text and entities as written, or an error: the first step of the server."""
    return execute(type_="parseTextEntities", text=html, parse_mode={"@type": "textParseModeHTML"})


def repair(parsed: dict[str, Any]) -> dict[str, Any]:
    """The second step: nesting and characters. It reads Markdown too, whose signs become plus signs."""
    return execute(type_="parseMarkdown", text=parsed | {"text": parsed["text"].translate(MARKDOWN)})


def message(error: dict[str, Any]) -> str:
    """The error as the Bot API words it."""
    text = error["message"]
    return "Bad Request: " + (text if text[1].isupper() else text[0].lower() + text[1:])


def entities(parsed: dict[str, Any]) -> tuple[TextEntity, ...]:
    return tuple(map(entity, parsed.get("entities", ())))


def entity(given: dict[str, Any]) -> TextEntity:
    kind = given["type"]
    url = kind.get("url") or (f"tg://user?id={kind['user_id']}" if "user_id" in kind else None)
    return TextEntity(
        KINDS[kind["@type"].removeprefix("textEntityType")],
        given["offset"],
        given["length"],
        url=url,
        language=kind.get("language") or None,
        custom_emoji_id=kind.get("custom_emoji_id"),
        unix_time=kind.get("unix_time"),
        date_time_format=_date_format(kind.get("formatting_type")),
    )


def _date_format(how: dict[str, Any] | None) -> str | None:
    if how is None:
        return None
    if how["@type"].endswith("Relative"):
        return "r"
    date = {"Short": "d", "Long": "D", "None": ""}[how["date_precision"]["@type"].split("Precision")[1]]
    time = {"Short": "t", "Long": "T", "None": ""}[how["time_precision"]["@type"].split("Precision")[1]]
    return "w" * how["show_day_of_week"] + date + time


def moved(entity: TextEntity, offset: int) -> TextEntity:
    return structs.replace(entity, offset=offset)
