"""A paper as a template shows it: readable text, short titles, what may be quoted, its links."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from digest.ids import abs_url
from digest.links import Link, Venue, links, venue
from digest.text import detached, readable
from digest.types import Choice, Language, Paper, Tier, Told, Topic, Update

AUTHORS_SHOWN = 4  # of five and more only three stand before "et al."
KEYS_SHOWN = 3
NAME_WORDS = 3
SHORT_TITLE = 48  # characters
SHORT_HEAD = 64  # a title that stops by itself, at a colon or a question mark, may be as long


class Near(Struct, frozen=True):
    """A paper on topic that stands near, as a template shows it."""

    title: str
    url: str


class Item(Struct, frozen=True, kw_only=True):
    """A paper as a template shows it; everything is plain text, escaped where it is written.

    ``name`` is what its authors call their work, where the title begins with that, and ``about`` the rest
    of the title; else the title and nothing. ``day`` is that of the announcement; ``cite`` is arXiv's BibTeX.
    """

    number: int
    tier: Tier
    day: date
    code: str
    category: str
    title: str
    name: str
    about: str
    short_title: str
    url: str
    cite: str
    authors: tuple[str, ...]
    more_authors: bool
    quote: str
    silent: bool
    keys: tuple[str, ...]
    near: Near | None
    links: tuple[Link, ...]
    venue: Venue | None
    topics: tuple[str, ...]
    duplicates: tuple[str, ...]
    told: str = ""
    told_title: str = ""


def item(topics: Mapping[str, Topic], language: Language, number: int, choice: Choice, paper: Paper) -> Item:
    """The paper as it stands at this place of a post."""
    evidence = choice.evidence
    shown = len(paper.authors) if len(paper.authors) <= AUTHORS_SHOWN else AUTHORS_SHOWN - 1
    title = _spaced(paper.title)
    called, about = named(title)
    near = evidence.neighbours[0] if evidence.neighbours else None
    names = [topics[name].title(language) for name in choice.topics if name in topics]
    return Item(
        number=number,
        tier=choice.tier,
        code=paper.primary.removeprefix("cs."),
        category=paper.primary,
        day=paper.announced,
        title=readable(title),
        name=readable(called),
        about=readable(about),
        short_title=readable(short_title(title)),
        url=abs_url(paper.id),
        cite=f"https://arxiv.org/bibtex/{paper.id}",
        authors=tuple(_name(name) for name in paper.authors[:shown]),
        more_authors=shown < len(paper.authors),
        quote="",
        silent=choice.silent,
        keys=(evidence.other_keys if choice.silent else evidence.seed_keys or evidence.other_keys)[
            :KEYS_SHOWN
        ],
        near=Near(readable(short_title(near.title)), abs_url(near.paper)) if near else None,
        links=links(paper),
        venue=_venue(paper),
        topics=tuple(names) if len(names) > 1 else (),
        duplicates=choice.duplicates,
    )


def _spaced(title: str) -> str:
    """A title with the space that its authors forgot: "LampBench:Benchmarking Lamps"."""
    return re.sub(r"(?<=[A-Za-z]{2}):(?=[A-Z][a-z])", ": ", title)


def in_words(one: Item, told: Told | None) -> Item:
    """The item with what was said of it in other words."""
    return replace(one, told=told.text or "", told_title=told.title or "") if told else one


class Updated(Struct, frozen=True):
    """A paper posted before, as a template shows it: the version that was posted, and the newer one."""

    title: str
    url: str
    told: int
    version: int


def updated(one: Update, paper: Paper) -> Updated:
    """A newer version as a template shows it."""
    title = readable(short_title(paper.title))
    return Updated(title, f"{abs_url(paper.id)}v{one.version}", one.told, one.version)


def quotes(paper: Paper, sentences: Sequence[str]) -> list[str]:
    """The quotation of no sentence, of the first, of the first two...; […] stands for what is left out
    between them, … for what the first leans on."""
    made = [""]
    for sentence, previous in zip(sentences, ("", *sentences), strict=False):
        together = f"{previous} {sentence}" in paper.abstract
        gap = "" if not previous else " " if together else " […] "
        made.append(made[-1] + gap + readable(sentence if previous else detached(sentence)))
    return made


_APART = re.compile(r"(?<=[A-Za-z]{2})(?=20\d\d\b)")
"""Where ICML2026 wants a space."""


def _venue(paper: Paper) -> Venue | None:
    found = venue(paper.comments)
    return Venue(_APART.sub(" ", readable(found.name)), found.how) if found else None


def _name(name: str) -> str:
    """A person's name; one written from right to left is isolated, or it would turn the line around."""
    plain = readable(name)
    rtl = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in plain)
    return f"\u2068{plain}\u2069" if rtl else plain


_TURNS = re.compile(
    r"\s(?:via|through|using|by|with|without|for|in|from|under|towards?|on|at|beyond|against|based on)\s",
    re.IGNORECASE,
)


_LOOSE = re.compile(
    r"(?:[\s,;:–—-]+(?:an?|and|as|at|by|for|from|in|into|of|on|or|the|to|via|with))*[\s,;:–—-]*$"
)
_HEAD = re.compile(r".*?(?:[?!](?=\s)|(?=:\s))")


_NAME = re.compile(r"([^:?!]{2,40}):\s*(?=[^\W\d])")


def named(title: str) -> tuple[str, str]:
    """What the authors call their work and what it is: "DIM: Removing One Colour" is DIM and the rest."""
    head = _NAME.match(title)
    if head and len(head[1].split()) <= NAME_WORDS and _whole(head[1]):
        return head[1], title[head.end() :]
    return title, ""


def short_title(title: str) -> str:
    """A title for the line that names all papers: whole if short, else up to a colon or a preposition.

    It is never cut inside a formula or a bracket, in the middle of a word, or after the first word.
    """
    if len(title) <= SHORT_TITLE:
        return title
    match = _HEAD.match(title)
    head = match[0] if match else ""
    if len(head) <= SHORT_HEAD and (len(head.split()) >= 3 or len(head) >= 20) and _whole(head):
        return head
    turns = [turn.start() for turn in _TURNS.finditer(title, len(head), SHORT_TITLE + 1)]
    for turn in reversed(turns):
        if _whole(title[:turn]) and len(title[len(head) : turn].split()) > 2:
            return title[:turn].rstrip(",;: ")
    spaces = [space.start() for space in re.finditer(" ", title[:SHORT_TITLE])]
    for space in reversed(spaces[1:]):
        if _whole(title[:space]):
            return _LOOSE.sub("", title[:space]) + "…"
    return title


def _whole(text: str) -> bool:
    """Does a piece of LaTeX end outside formulas and braces?"""
    bare = re.sub(r"\\.", "", text)
    return (
        bare.count("$") % 2 == 0 and bare.count("{") == bare.count("}") and bare.count("(") == bare.count(")")
    )
