"""Search: a query, its facets, what was found and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Literal, cast
from urllib.parse import urlencode

from markupsafe import Markup, escape
from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from digest import ids
from digest.actions import archive
from digest.errors import UsageError
from digest.query import as_term
from digest.snippets import found as spans_of
from digest.snippets import merged
from digest.text import readable
from digest.types import Answer, Facets, Hit, Results, Window
from digest.web.visit import Visit, get

MENU = "/search"
SIZE = 20
MODES = ("both", "words", "vectors")
MOST_PAGES = 50
SHOWN = 10
"""Categories that are shown as facets, at most."""

NOTHING = Results(answer=Answer(()), total=0, facets=Facets(topics={}, years={}, categories={}, silent=0))


class Asked(Struct, frozen=True):
    """What is searched for, as the address says it."""

    q: str = ""
    topics: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    year: int | None = None
    silent: bool = False
    mode: Literal["words", "vectors", "both"] = "both"
    expand: bool = False
    page: int = 1

    @property
    def anything(self) -> bool:
        """Whether there is something to search for."""
        return bool(self.q.strip() or self.filters)

    @property
    def filters(self) -> int:
        """How many filters are set."""
        return len(self.topics) + len(self.categories) + (self.year is not None) + self.silent

    @property
    def window(self) -> Window:
        """The filters."""
        since, until = (date(self.year, 1, 1), date(self.year, 12, 31)) if self.year else (None, None)
        return Window(self.topics, since, until, self.categories, silent=self.silent)

    def url(self, **changes: object) -> str:
        """The address of this search with some of it changed; on its first page unless that is changed."""
        one = replace(self, **{"page": 1, **changes})
        pairs: list[tuple[str, object]] = [("q", one.q)] if one.q else []
        pairs += [("topic", name) for name in one.topics] + [("cat", code) for code in one.categories]
        pairs += [("year", one.year)] if one.year else []
        pairs += [("silent", 1)] if one.silent else []
        pairs += [("mode", one.mode)] if one.mode != "both" else []
        pairs += [("expand", 1)] if one.expand else []
        pairs += [("page", one.page)] if one.page > 1 else []
        return "/search" + (f"?{urlencode(pairs)}" if pairs else "")


class Choice(Struct, frozen=True):
    """A value of a facet: how it is shown, how many papers have it, whether it is chosen, and the address
    that chooses it, or no longer."""

    name: str
    label: str
    count: int | None
    chosen: bool
    url: str


def search(visit: Visit) -> Response:
    """The form, and what was found where something was asked."""
    asked = read(visit)
    wrong, found = None, NOTHING
    try:
        if asked.anything:
            found = archive.results(
                visit.app, asked.q, asked.window, asked.page, SIZE, asked.mode, expand=asked.expand
            )
    except UsageError as error:
        wrong = str(error)
    return visit.page(
        "search.html.j2",
        asked=asked,
        found=found,
        wrong=wrong,
        groups=facets(visit, asked, found.facets),
        modes=MODES,
        pages=-(-found.total // SIZE),
        first=(asked.page - 1) * SIZE + 1,
        titled=titled,
        marked=marked,
    )


def read(visit: Visit) -> Asked:
    """What an address asks for. What is no topic, category or year is left out: such addresses were not
    made by us."""
    query = visit.query
    topics = (name for name in visit.all("topic") if name in visit.app.settings.topics)
    categories = (code for code in visit.all("cat") if code in ids.CATEGORIES)
    mode = query.get("mode", "both")
    return Asked(
        q=query.get("q", "").strip(),
        topics=tuple(dict.fromkeys(topics)),
        categories=tuple(dict.fromkeys(categories)),
        year=visit.number("year", 0, 9998) or None,
        silent=query.get("silent") == "1",
        mode=cast("Literal['words', 'vectors', 'both']", mode if mode in MODES else "both"),
        expand=query.get("expand") == "1",
        page=visit.number("page", 1, MOST_PAGES),
    )


def facets(visit: Visit, asked: Asked, found: Facets) -> Mapping[str, Sequence[Choice]]:
    """The facets of what was found, with what is chosen of each."""
    topics = {topic.name: topic.title(visit.language) for topic in visit.app.topics}
    there = [name for name in topics if name in found.topics or name in asked.topics]
    codes = list(dict.fromkeys((*asked.categories, *found.categories)))[:SHOWN]
    years = list(dict.fromkeys((*found.years, *([asked.year] if asked.year else []))))
    silent = Choice(
        "silent", visit.t("search.silent"), found.silent, asked.silent, asked.url(silent=not asked.silent)
    )
    return {
        "topic": [
            _choice(asked, "topics", name, topics[name], found.topics.get(name)) for name in there
        ],
        "silent": [silent] if found.silent or asked.silent else [],
        "year": [
            Choice(str(one), str(one), found.years.get(one), asked.year == one,
                   asked.url(year=None if asked.year == one else one))
            for one in years
        ],
        "category": [_choice(asked, "categories", one, one, found.categories.get(one)) for one in codes],
    }  # fmt: skip


def _choice(asked: Asked, field: str, name: str, label: str, count: int | None) -> Choice:
    chosen: tuple[str, ...] = getattr(asked, field)
    after = tuple(one for one in chosen if one != name) if name in chosen else (*chosen, name)
    return Choice(name, label, count, name in chosen, asked.url(**{field: after}))


def titled(hit: Hit) -> Markup:
    """The title of an answer, with the words that were found in it."""
    title = readable(hit.title)
    spans = sorted(span for text in hit.held.get("title", ()) for span in spans_of(as_term(text), title))
    return marked(title, tuple(merged([(span, 0) for span in spans])))


def marked(text: str, marks: Sequence[tuple[int, int]]) -> Markup:
    """A text with some of its characters marked."""
    ends = [0, *(place for mark in _joined(text, marks) for place in mark), len(text)]
    pieces = [escape(text[start:end]) for start, end in pairwise(ends)]
    mark = Markup("<mark>{}</mark>")
    return Markup("").join(mark.format(piece) if n % 2 else piece for n, piece in enumerate(pieces))


def _joined(text: str, marks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Marks with nothing but a space between them as one."""
    joined: list[tuple[int, int]] = []
    for start, end in marks:
        if joined and text[joined[-1][1] : start] in ("", " ", "-"):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


ROUTES = (get("/search", search),)
