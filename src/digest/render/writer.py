"""What all posts are written with: templates, the author's voice, the way from a template to parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from jinja2 import Environment
from msgspec import Struct

from digest.errors import UsageError
from digest.markup import MarkupError, check_shown, split
from digest.render.environment import fill
from digest.types import Language, Part, Topic


class PostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The author's voice: openings and closings by language, and the emoji before them, taken in turn from
    post to post."""

    greetings: Mapping[Language, tuple[str, ...]] = {}
    sign_offs: Mapping[Language, tuple[str, ...]] = {}
    opening: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()


class Writer(Struct, frozen=True):
    """What all posts are written with: the templates, the author's voice, and all topics by name. ``turn``
    is how many posts of the series there were before: each takes the next greeting. ``strict``: mark-up that
    Telegram would drop without a word (a link in a link, bold in code) is a mistake of the template."""

    templates: Environment
    settings: PostSettings
    topics: Mapping[str, Topic]
    turn: int = 0
    strict: bool = False


def hashtags(topic: Topic) -> tuple[str, ...]:
    """The topic's tags as Telegram reads them: letters, digits and underscores, not digits alone."""
    tags = (re.sub(r"\W+", "_", tag).strip("_") for tag in topic.hashtags or (topic.term,))
    return tuple(f"#{tag}" for tag in tags if tag.strip("0123456789_"))


def in_turn(turn: int, emoji: Sequence[str], lines: Sequence[str]) -> str:
    """This turn's line, behind its emoji; each list goes round by itself."""
    return " ".join(each[turn % len(each)] for each in (emoji, lines) if each)


def written(
    writer: Writer, topic: Topic, slot: date, language: Language, genre: str, **values: object
) -> tuple[Part, ...]:
    """What the template of a genre writes, as parts; ``values`` are the genre's own.

    Raises UsageError naming file and line when the template cannot be used.
    """
    name, voice = f"{language}/{genre}.html.j2", writer.settings
    html = fill(
        writer.templates,
        name,
        language=language,
        title=topic.title(language),
        term=topic.term,
        slot=slot,
        hashtags=hashtags(topic),
        greeting=in_turn(writer.turn, voice.opening, voice.greetings.get(language, ())),
        sign_off=in_turn(writer.turn, voice.closing, voice.sign_offs.get(language, ())),
        **values,
    )
    blocks = [block for block in re.split(r"\n\s*\n", html.strip()) if block.strip()]
    try:
        if writer.strict:
            check_shown("\n\n".join(blocks))
        return split(blocks)
    except MarkupError as error:
        raise UsageError(
            f"template {name}: what it writes is not Telegram's HTML: {error}; correct it"
        ) from error
