"""From choices to a post: a template of the topic's language, Telegram's HTML, one message if it fits.

A template writes a post whose blocks (header, papers, close) are parted by blank lines; a post that
is too long loses second sentences, then the sentences of brief papers, then authors, and only then
is cut, between blocks. What a template may write: https://core.telegram.org/bots/api#html-style.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache

from jinja2 import Environment
from msgspec import Struct
from msgspec.structs import replace

from digest.errors import UsageError
from digest.markup import MarkupError, split
from digest.render.environment import fill
from digest.render.item import Item, item, quotes
from digest.types import Choice, Draft, Language, Paper, Part, Topic

GENRE = "roundup"


class PostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The author's voice: openings and closings by language, taken in turn from slot to slot."""

    greetings: Mapping[Language, tuple[str, ...]] = {}
    sign_offs: Mapping[Language, tuple[str, ...]] = {}


class Writer(Struct, frozen=True):
    """What all posts are written with: the templates, the author's voice, and all topics by name."""

    templates: Environment
    settings: PostSettings
    topics: Mapping[str, Topic]


class Budget(Struct, frozen=True):
    """How much is shown: the second sentence of the papers up to this number if they are detailed,
    the first sentence of those up to this number, authors or none."""

    second: int
    first: int
    authors: bool


def write_post(
    writer: Writer,
    topic: Topic,
    slot: date,
    language: Language,
    choices: Sequence[Choice],
    papers: Mapping[str, Paper],
    summaries: Mapping[str, Sequence[str]],
) -> Draft:
    """Write a topic's roundup of a day in a language.

    ``papers`` holds every chosen paper, ``summaries`` the sentences taken from its abstract (by id).
    Raises UsageError naming file and line when a template cannot be used.
    """
    items = [
        item(writer.topics, language, number, one, papers[one.paper]) for number, one in enumerate(choices, 1)
    ]
    quoted = [quotes(papers[one.paper], summaries.get(one.paper, ())) for one in choices]
    budgets = _budgets(choices)

    @cache
    def parts(step: int) -> tuple[Part, ...]:
        shown = [_within(budgets[step], one, has) for one, has in zip(items, quoted, strict=True)]
        return _rendered(writer, topic, slot, language, shown)

    steps = range(len(budgets))
    first = bisect_left(steps, True, key=lambda step: len(parts(step)) == 1)  # each step is shorter
    return Draft(
        topics=(topic.name,),
        slot=slot,
        genre=GENRE,
        language=language,
        choices=tuple(choices),
        parts=parts(min(first, steps[-1])),
    )


def _budgets(choices: Sequence[Choice]) -> list[Budget]:
    """From everything to the least, one step at a time, the last papers losing first."""
    detailed = sum(choice.tier == "detailed" for choice in choices)
    return [
        *(Budget(second, len(choices), True) for second in range(detailed, -1, -1)),
        *(Budget(0, first, True) for first in range(len(choices) - 1, detailed - 1, -1)),
        Budget(0, detailed, False),
    ]


def _within(budget: Budget, one: Item, quoted: Sequence[str]) -> Item:
    """The item with what a budget leaves it; ``quoted`` are its quotations of 0, 1, 2... sentences."""
    sentences = (one.number <= budget.first) + (one.tier == "detailed" and one.number <= budget.second)
    return replace(
        one,
        quote=quoted[min(sentences, len(quoted) - 1)],
        authors=one.authors if budget.authors else (),
    )


def hashtags(topic: Topic) -> tuple[str, ...]:
    """The topic's tags as Telegram reads them: letters, digits and underscores, not digits alone."""
    tags = (re.sub(r"\W+", "_", tag).strip("_") for tag in topic.hashtags or (topic.term,))
    return tuple(f"#{tag}" for tag in tags if tag.strip("0123456789_"))


def _in_turn(lines: Sequence[str], slot: date) -> str:
    return lines[slot.toordinal() % len(lines)] if lines else ""


def _rendered(
    writer: Writer, topic: Topic, slot: date, language: Language, items: Sequence[Item]
) -> tuple[Part, ...]:
    name = f"{language}/{GENRE}.html.j2"
    html = fill(
        writer.templates,
        name,
        language=language,
        title=topic.title(language),
        term=topic.term,
        slot=slot,
        items=items,
        detailed=[item for item in items if item.tier == "detailed"],
        brief=[item for item in items if item.tier == "brief"],
        silent=sum(item.silent for item in items),
        codes=list(dict.fromkeys((item.code, item.category) for item in items)),
        hashtags=hashtags(topic),
        greeting=_in_turn(writer.settings.greetings.get(language, ()), slot),
        sign_off=_in_turn(writer.settings.sign_offs.get(language, ()), slot),
    )
    blocks = [block for block in re.split(r"\n\s*\n", html.strip()) if block.strip()]
    try:
        return split(blocks)
    except MarkupError as error:
        raise UsageError(
            f"template {name}: what it writes is not Telegram's HTML: {error}; correct it"
        ) from error
