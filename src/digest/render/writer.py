"""What all posts are written with: templates, the author's voice, the way from a template to parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from jinja2 import Environment
from msgspec import Struct

from digest.errors import UsageError
from digest.markup import MarkupError, split
from digest.render.environment import fill
from digest.types import Language, Part, Topic


class PostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The author's voice: openings and closings by language, taken in turn from slot to slot."""

    greetings: Mapping[Language, tuple[str, ...]] = {}
    sign_offs: Mapping[Language, tuple[str, ...]] = {}


class Writer(Struct, frozen=True):
    """What all posts are written with: the templates, the author's voice, and all topics by name."""

    templates: Environment
    settings: PostSettings
    topics: Mapping[str, Topic]


def hashtags(topic: Topic) -> tuple[str, ...]:
    """The topic's tags as Telegram reads them: letters, digits and underscores, not digits alone."""
    tags = (re.sub(r"\W+", "_", tag).strip("_") for tag in topic.hashtags or (topic.term,))
    return tuple(f"#{tag}" for tag in tags if tag.strip("0123456789_"))


def in_turn(lines: Sequence[str], slot: date) -> str:
    return lines[slot.toordinal() % len(lines)] if lines else ""


def written(
    writer: Writer, topic: Topic, slot: date, language: Language, genre: str, **values: object
) -> tuple[Part, ...]:
    """What the template of a genre writes, as parts; ``values`` are the genre's own.

    Raises UsageError naming file and line when the template cannot be used.
    """
    name = f"{language}/{genre}.html.j2"
    html = fill(
        writer.templates,
        name,
        language=language,
        title=topic.title(language),
        term=topic.term,
        slot=slot,
        hashtags=hashtags(topic),
        greeting=in_turn(writer.settings.greetings.get(language, ()), slot),
        sign_off=in_turn(writer.settings.sign_offs.get(language, ()), slot),
        **values,
    )
    blocks = [block for block in re.split(r"\n\s*\n", html.strip()) if block.strip()]
    try:
        return split(blocks)
    except MarkupError as error:
        raise UsageError(
            f"template {name}: what it writes is not Telegram's HTML: {error}; correct it"
        ) from error
