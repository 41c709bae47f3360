"""The genres that tell of a window: links, review, essay, listing.

A room says how much of an overview is shown. A genre begins with its full room and gives up one thing
after another, in its own order, until the post is one message; a listing is a page and stays whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from digest.ids import abs_url
from digest.render.item import Item, item, quotes
from digest.render.writer import Writer, written
from digest.text import detached, readable
from digest.types import (
    Beside,
    Choice,
    Draft,
    Group,
    Language,
    Overview,
    Paper,
    Part,
    Resource,
    ResourceKind,
    Stretch,
    Topic,
    Trend,
    WindowGenre,
)


class Room(Struct, frozen=True, kw_only=True):
    """How much is shown: papers of each group, sentences in all, silent papers, resources, papers of a
    bridge, passages of each kind, papers named at the end; ``second`` sentences of an entry."""

    each: int = 0
    sentences: int = 0
    silent: int = 0
    resources: int = 0
    bridge: int = 0
    passages: int = 0
    rest: int = 0
    second: int = 0


Step = tuple[str, int]

_FULL: Mapping[WindowGenre, Room] = {
    "links": Room(each=8, sentences=24, rest=12),
    "review": Room(each=6, sentences=7, silent=6, resources=8, passages=2),
    "essay": Room(each=3, sentences=5, bridge=5, passages=3, resources=3, rest=8),
    "listing": Room(each=40, second=1),
}
# What a genre gives up, in this order: down to how many of what.
_ORDER: Mapping[WindowGenre, Sequence[Step]] = {
    "links": [
        ("sentences", 10), ("each", 5), ("rest", 8), ("sentences", 3), ("each", 3), ("rest", 3),
        ("sentences", 0), ("each", 1), ("rest", 0),
    ],
    "review": [
        ("sentences", 5), ("silent", 4), ("resources", 5), ("sentences", 4), ("passages", 1), ("silent", 3),
        ("resources", 3), ("each", 3), ("sentences", 2), ("silent", 1), ("sentences", 0), ("each", 0),
    ],
    "essay": [
        ("passages", 2), ("resources", 1), ("bridge", 4), ("each", 2), ("sentences", 4), ("passages", 1),
        ("bridge", 2), ("sentences", 3), ("each", 1), ("sentences", 2), ("bridge", 1), ("sentences", 0),
    ],
    "listing": [],
}  # fmt: skip
LEAST_HELD, LEAST_OF_LARGEST = 100, 0.2
"""A year is compared with others where the archive holds so many of its papers, and so large a share of
what it holds of its largest year: of a thin year it has what a search has found."""
YEARS = 6
LEAST_FOUND = 20
"""Of so many papers of a stretch of years it can be told what stood beside the term."""
BESIDE, LEAST_BESIDE, TIMES_BESIDE = 3, 0.05, 6
"""So many phrases, each in such a share of its papers; a single word so many times as often as else."""


class Section(Struct, frozen=True):
    """A group as a template shows it: its name, how many papers it has, those shown, and the problem that
    one of its papers tells of."""

    name: str
    count: int
    items: tuple[Item, ...]
    problem: Passage | None = None

    @property
    def more(self) -> int:
        """How many papers are not shown."""
        return self.count - len(self.items)


class Passage(Struct, frozen=True):
    """A sentence of a paper, word for word, and what it says in other words (empty: none)."""

    text: str
    item: Item
    told: str = ""


class Found(Struct, frozen=True):
    """Something to keep: what it is, the paper that tells of it, and where it is."""

    kind: ResourceKind
    item: Item
    url: str


class Bridge(Struct, frozen=True):
    """Papers that stand in another topic too: that topic's name, how many, those shown."""

    title: str
    count: int
    items: tuple[Item, ...]


def write_window(
    writer: Writer,
    topic: Topic,
    genre: WindowGenre,
    language: Language,
    overview: Overview,
    papers: Mapping[str, Paper],
    trend: Trend | None = None,
    told: Mapping[str, str] | None = None,
) -> Draft:
    """Write a topic's post of a genre about a window, for the window's last day.

    ``papers`` holds every chosen paper by id, ``told`` other words for what would be quoted (`quotations`),
    which is kept beside them. Raises UsageError naming file and line when a template cannot be used.
    """
    view = _View(writer.topics, language, overview, papers, told or {})
    rooms, slot = _rooms(genre), overview.until
    own = _own_words(topic, language) | _over_the_years(trend)

    @cache
    def parts(step: int) -> tuple[Part, ...]:
        values = view.values(rooms[step], genre)
        return written(writer, topic, slot, language, genre, **own, **values)

    steps = range(len(rooms))
    first = bisect_left(steps, True, key=lambda step: len(parts(step)) == 1)  # each step is shorter
    chosen = parts(min(first, steps[-1]))
    return Draft(
        topics=(topic.name,),
        slot=overview.until,
        genre=genre,
        language=language,
        choices=tuple(_shown(overview, papers, chosen)),
        parts=chosen,
    )


def _rooms(genre: WindowGenre) -> list[Room]:
    """From everything to the least, one step at a time."""
    rooms = [_FULL[genre]]
    for field, least in _ORDER[genre]:
        while getattr(rooms[-1], field) > least:
            rooms.append(replace(rooms[-1], **{field: getattr(rooms[-1], field) - 1}))
    return rooms


def _over_the_years(trend: Trend | None) -> dict[str, Any]:
    """The years of a trend that can be compared, where there are two, and the jump if it lies in them."""
    years = trend.said.years if trend else ()
    largest = max((year.held for year in years), default=0)
    known = [year for year in years if year.held >= max(LEAST_HELD, LEAST_OF_LARGEST * largest)][-YEARS:]
    beside = _beside(trend.said.stretches if trend else ())
    if trend is None or len(known) < 2:
        return {"years": [], "jump": None, "beside": beside}
    jump = trend.said.jump
    shown = jump if jump and jump.year in {year.year for year in known[1:]} else None
    return {"years": known, "jump": shown, "beside": beside}


def _beside(stretches: Sequence[Stretch]) -> list[Stretch]:
    """The stretches of years with what stood beside the term most, where there are two to compare."""
    named = [(each, tuple(filter(_is_telling, each.beside))[:BESIDE]) for each in stretches]
    told = [replace(each, beside=found) for each, found in named if found and each.found >= LEAST_FOUND]
    return told if len(told) > 1 else []


def _is_telling(one: Beside) -> bool:
    """A phrase that says something without its papers: of two words, in capitals, or far more common then
    than in other years; "best" and "potential" are neither."""
    if len(one.text.split()) > 1 or sum(letter.isupper() for letter in one.text) > 1:
        return one.share >= LEAST_BESIDE
    return one.share >= max(2 * LEAST_BESIDE, TIMES_BESIDE * one.elsewhere)


def _own_words(topic: Topic, language: Language) -> dict[str, Any]:
    """The author's question and definition, as the configuration has them; empty where it has none."""
    return {
        "own_question": topic.questions.get(language, ""),
        "own_definition": topic.definitions.get(language, ""),
    }


def _shown(overview: Overview, papers: Mapping[str, Paper], parts: Sequence[Part]) -> Iterable[Choice]:
    """The papers that the post links to, in the order of their relevance; those quoted are brief ones."""
    html = "\n".join(part.html for part in parts)
    shown = "\n".join(part.text for part in parts)
    for choice in overview.choices:
        if f'href="{abs_url(choice.paper)}"' in html:
            lead = quotes(papers[choice.paper], overview.leads.get(choice.paper, ())[:1])[-1]
            told = bool(lead) and lead in shown
            yield replace(choice, tier="brief" if told else "named")


def quotations(draft: Draft, overview: Overview, papers: Mapping[str, Paper]) -> tuple[str, ...]:
    """What a post quotes of its papers, as it shows it, the leading sentences of papers first."""
    leads = (quotes(papers[id_], lead[:1])[-1] for id_, lead in overview.leads.items())
    others = (overview.problems, overview.doubts, overview.unsolved)
    passages = (_shown_alone(text) for found in others for text in found.values())
    shown = "\n".join(part.text for part in draft.parts)
    return tuple(dict.fromkeys(text for text in (*leads, *passages) if text and text in shown))


def _shown_alone(sentence: str) -> str:
    return readable(detached(sentence))


class _View:
    """An overview in the words that a template shows."""

    def __init__(
        self,
        topics: Mapping[str, Topic],
        language: Language,
        overview: Overview,
        papers: Mapping[str, Paper],
        told: Mapping[str, str],
    ) -> None:
        self._topics, self._language, self._overview, self._told = topics, language, overview, told
        numbered = enumerate(overview.choices, 1)
        self._items = {
            choice.paper: item(topics, language, number, choice, papers[choice.paper])
            for number, choice in numbered
        }
        self._quotes = {id_: quotes(papers[id_], overview.leads.get(id_, ())) for id_ in self._items}

    def values(self, room: Room, genre: WindowGenre) -> dict[str, Any]:
        """All that a template may use."""
        overview = self._overview
        groups = [*overview.groups, *self._ungrouped()] if genre == "links" else overview.groups
        sections = [self._section(group, room.each) for group in groups]
        if genre == "links":
            sections = self._quoted_in_turn(sections, room.sentences)
        told = {one.url for section in sections for one in section.items}
        rest = [one for one in self._items.values() if one.url not in told]
        silent, unsure = self._silent()
        return {
            "since": overview.since,
            "until": overview.until,
            "total": len(self._items),
            "sections": sections,
            "ideas": self._ideas(room.sentences),
            "threads": self._threads(room),
            "silent": self._quoted(silent[: room.silent], 0),
            "silent_total": len(silent),
            "unsure": unsure[: room.silent],
            "unsure_total": len(unsure),
            "coded": sum(any(link.kind == "code" for link in one.links) for one in self._items.values()),
            "resources": self._resources(room.resources),
            "bridges": self._bridges(room.bridge),
            "questions": self._passages(overview.questions, 1),
            "doubts": self._passages(overview.doubts, room.passages),
            "unsolved": self._passages(overview.unsolved, min(room.passages, 2)),
            "definition": self._definition(),
            "abbreviation": overview.abbreviation,
            "rest": rest[: room.rest],
            "rest_total": len(rest),
            "entries": self._entries(room) if genre == "listing" else [],
            "retold": bool(self._told),
        }

    def _silent(self) -> tuple[list[Item], list[Item]]:
        """The silent papers, those found by a key first, and apart those that only look like the topic."""
        silent = sorted((one for one in self._items.values() if one.silent), key=lambda one: not one.keys)
        unsure = [one for one in silent if _id(one) in self._overview.unsure]
        return [one for one in silent if one not in unsure], unsure

    def _ungrouped(self) -> list[Group]:
        """The papers of no group, as one without a name; those with links of their own come first."""
        grouped = {id_ for group in self._overview.groups for id_ in group.papers}
        rest = [id_ for id_ in self._items if id_ not in grouped]
        rest.sort(key=lambda id_: -len(self._items[id_].links))
        return [Group("", tuple(rest))] if rest else []

    def _section(self, group: Group, each: int) -> Section:
        shown = tuple(self._items[id_] for id_ in group.papers[:each])
        return Section(readable(group.name), len(group.papers), shown)

    def _quoted_in_turn(self, sections: Sequence[Section], sentences: int) -> list[Section]:
        """The sections with so many quotations in all: the first paper of each, then the second..."""
        places = sorted((at, which) for which, one in enumerate(sections) for at in range(len(one.items)))
        quoted = set(places[:sentences])
        return [
            replace(
                one,
                items=tuple(self._with(got, int((at, which) in quoted)) for at, got in enumerate(one.items)),
            )
            for which, one in enumerate(sections)
        ]

    def _with(self, one: Item, sentences: int) -> Item:
        quoted = self._quotes[_id(one)]
        quote = quoted[min(sentences, len(quoted) - 1)]
        return replace(one, quote=quote, told=self._told.get(quote, ""))

    def _quoted(self, items: Iterable[Item], sentences: int) -> list[Item]:
        return [self._with(one, sentences) for one in items]

    def _ideas(self, count: int) -> list[Section]:
        """The groups, each with the one paper whose sentence tells most; where there are no groups, the
        best papers."""
        groups = self._overview.groups or tuple(Group("", (id_,)) for id_ in self._items)
        first = [(group, group.papers[0]) for group in groups[:count]]
        return [
            Section(readable(group.name), len(group.papers), (self._with(self._items[id_], 1),))
            for group, id_ in first
        ]

    def _threads(self, room: Room) -> list[Section]:
        """The groups of which a paper says what is amiss: that sentence, and what the papers do about it."""
        threads = []
        groups = self._overview.groups or (Group("", tuple(self._items)),)
        for group in groups:
            telling = self._telling(group)
            if telling is None:
                continue
            problem = self._passage(self._overview.problems, telling)
            answers = list(dict.fromkeys((telling, *group.papers)))[: room.each]
            shown = tuple(self._quoted((self._items[id_] for id_ in answers), 1))
            threads.append(Section(readable(group.name), len(group.papers), shown, problem))
        return threads[: room.sentences]

    def _telling(self, group: Group) -> str | None:
        """The paper whose problem is told: the first one that names the group in it, else the first."""
        problems = self._overview.problems
        there = [id_ for id_ in group.papers if id_ in problems]
        name = group.name.lower().removesuffix("s")
        return next((id_ for id_ in there if name in problems[id_].lower()), there[0] if there else None)

    def _resources(self, count: int) -> list[Found]:
        order: Sequence[ResourceKind] = ("survey", "list", "benchmark", "dataset", "library")
        ranked = sorted(self._overview.resources, key=lambda one: order.index(one.kind))
        return [self._found(one) for one in ranked[:count]]

    def _found(self, one: Resource) -> Found:
        return Found(one.kind, self._items[one.paper], one.url)

    def _bridges(self, count: int) -> list[Bridge]:
        """The other topics, the one that shares most papers first."""
        found = sorted(self._overview.bridges.items(), key=lambda pair: -len(pair[1]))
        return [
            Bridge(
                self._topics[name].title(self._language),
                len(ids),
                tuple(self._quoted(map(self._item, ids[:count]), 1)),
            )
            for name, ids in found
            if name in self._topics and count
        ]

    def _item(self, id_: str) -> Item:
        return self._items[id_]

    def _passages(self, found: Mapping[str, str], count: int) -> list[Passage]:
        """The first passages, in the order of their papers' relevance."""
        there = [id_ for id_ in self._items if id_ in found]
        return [self._passage(found, id_) for id_ in there[:count]]

    def _passage(self, found: Mapping[str, str], id_: str) -> Passage:
        text = _shown_alone(found[id_])
        return Passage(text, self._items[id_], self._told.get(text, ""))

    def _definition(self) -> Passage | None:
        if self._overview.definition is None:
            return None
        id_, sentence = self._overview.definition
        return Passage(readable(sentence), self._items[id_])

    def _entries(self, room: Room) -> list[Item]:
        """The papers as the entries of a page, the newest first."""
        newest = sorted(self._items.values(), key=lambda one: (-one.day.toordinal(), one.number))
        return self._quoted(newest[: room.each], 1 + room.second)


def _id(one: Item) -> str:
    return one.url.removeprefix(abs_url(""))
