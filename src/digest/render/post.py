"""From choices to a post: a template of the topic's language, Telegram's HTML, one message if it fits.

A template writes a post whose blocks (header, papers, close) are parted by blank lines; a post that
is too long loses second sentences, then the sentences of brief papers, then authors, then all of brief
papers but their names, and only then is cut, between blocks. What a template may write: https://core.telegram.org/bots/api#html-style.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from digest.render.item import Item, item, quotes
from digest.render.writer import Writer, written
from digest.types import Choice, Draft, Language, Paper, Part, Topic

GENRE = "roundup"


class Budget(Struct, frozen=True):
    """How much is shown: the second sentence of the papers up to this number if they are detailed,
    the first sentence of those up to this number, authors or none; papers after number ``told`` are
    only named."""

    second: int
    first: int
    authors: bool
    told: int


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
    told = sum(choice.tier != "named" for choice in choices)
    return [
        *(Budget(second, told, True, told) for second in range(detailed, -1, -1)),
        *(Budget(0, first, True, told) for first in range(told - 1, detailed - 1, -1)),
        *(Budget(0, detailed, False, left) for left in range(told, detailed - 1, -1)),
    ]


def _within(budget: Budget, one: Item, quoted: Sequence[str]) -> Item:
    """The item with what a budget leaves it; ``quoted`` are its quotations of 0, 1, 2... sentences."""
    sentences = (one.number <= budget.first) + (one.tier == "detailed" and one.number <= budget.second)
    return replace(
        one,
        tier=one.tier if one.number <= budget.told else "named",
        quote=quoted[min(sentences, len(quoted) - 1)],
        authors=one.authors if budget.authors else (),
    )


def _rendered(
    writer: Writer, topic: Topic, slot: date, language: Language, items: Sequence[Item]
) -> tuple[Part, ...]:
    tiers = {tier: [one for one in items if one.tier == tier] for tier in ("detailed", "brief", "named")}
    told = [*tiers["detailed"], *tiers["brief"]]
    return written(
        writer,
        topic,
        slot,
        language,
        GENRE,
        items=items,
        silent=sum(one.silent for one in items),
        codes=list(dict.fromkeys((one.code, one.category) for one in told)),
        **tiers,
    )
