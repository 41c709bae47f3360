"""From choices to a post: a template of the topic's language, Telegram's HTML, one message if it fits.

A template writes a post whose blocks (header, papers, close) are parted by blank lines; a post that
is too long loses second sentences, then the sentences of brief papers, then authors, and only then
is cut, between blocks. What a template may write: https://core.telegram.org/bots/api#html-style.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from types import TracebackType

from babel import Locale
from babel.dates import format_date
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from msgspec import Struct
from msgspec.structs import replace

from digest.errors import UsageError
from digest.links import Link, Venue, links, venue
from digest.markup import MarkupError, split
from digest.text import readable
from digest.types import Choice, Draft, Language, Paper, Part, Tier, Topic

GENRE = "roundup"
AUTHORS_SHOWN = 4  # of five and more only three stand before "et al."
KEYS_SHOWN = 3
SHORT_TITLE = 48  # characters
SHORT_HEAD = 64  # a title that stops by itself, at a colon or a question mark, may be as long
LOCALES: Mapping[Language, str] = {"en": "en", "ru": "ru", "zh": "zh_Hans"}


class PostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The author's voice: openings and closings by language, taken in turn from slot to slot."""

    greetings: Mapping[Language, tuple[str, ...]] = {}
    sign_offs: Mapping[Language, tuple[str, ...]] = {}


class Writer(Struct, frozen=True):
    """What all posts are written with: the templates, the author's voice, and all topics by name."""

    templates: Environment
    settings: PostSettings
    topics: Mapping[str, Topic]


class Near(Struct, frozen=True):
    """A paper on topic that stands near, as a template shows it."""

    title: str
    url: str


class Item(Struct, frozen=True, kw_only=True):
    """A paper as a template shows it; everything is plain text, escaped where it is written."""

    number: int
    tier: Tier
    code: str
    category: str
    title: str
    short_title: str
    url: str
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


class Budget(Struct, frozen=True):
    """How much is shown: the second sentence of the papers up to this number if they are detailed,
    the first sentence of those up to this number, authors or none."""

    second: int
    first: int
    authors: bool


def templates(folder: Path | None, packaged: Path) -> Environment:
    """The templates: the user's, by the same name, before the packaged ones.

    They run sandboxed, escape what they write and may use no undefined name.
    """
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([path for path in (folder, packaged) if path is not None]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(day=_day, plural=_plural)
    return environment


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
    items = [_item(writer, language, number, one, papers[one.paper]) for number, one in enumerate(choices, 1)]
    quotes = [_quotes(papers[one.paper], summaries.get(one.paper, ())) for one in choices]
    budgets = _budgets(choices)

    @cache
    def parts(step: int) -> tuple[Part, ...]:
        shown = [_within(budgets[step], item, has) for item, has in zip(items, quotes, strict=True)]
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


def _within(budget: Budget, item: Item, quotes: Sequence[str]) -> Item:
    """The item with what a budget leaves it; ``quotes`` are its quotations of 0, 1, 2... sentences."""
    sentences = (item.number <= budget.first) + (item.tier == "detailed" and item.number <= budget.second)
    return replace(
        item,
        quote=quotes[min(sentences, len(quotes) - 1)],
        authors=item.authors if budget.authors else (),
    )


def _item(writer: Writer, language: Language, number: int, choice: Choice, paper: Paper) -> Item:
    evidence = choice.evidence
    shown = len(paper.authors) if len(paper.authors) <= AUTHORS_SHOWN else AUTHORS_SHOWN - 1
    near = evidence.neighbours[0] if evidence.neighbours else None
    topics = [writer.topics[name] for name in choice.topics if name in writer.topics]
    return Item(
        number=number,
        tier=choice.tier,
        code=paper.primary.removeprefix("cs."),
        category=paper.primary,
        title=readable(paper.title),
        short_title=readable(short_title(paper.title)),
        url=_url(paper.id),
        authors=tuple(_name(name) for name in paper.authors[:shown]),
        more_authors=shown < len(paper.authors),
        quote="",
        silent=choice.silent,
        keys=(evidence.other_keys if choice.silent else evidence.seed_keys or evidence.other_keys)[
            :KEYS_SHOWN
        ],
        near=Near(readable(short_title(near.title)), _url(near.paper)) if near else None,
        links=links(paper),
        venue=_venue(paper),
        topics=tuple(topic.title(language) for topic in topics) if len(topics) > 1 else (),
        duplicates=choice.duplicates,
    )


def _quotes(paper: Paper, sentences: Sequence[str]) -> list[str]:
    """The quotation of no sentence, of the first, of the first two...; […] stands for what is left out
    between them."""
    quotes = [""]
    for sentence, previous in zip(sentences, ("", *sentences), strict=False):
        together = f"{previous} {sentence}" in paper.abstract
        gap = "" if not previous else " " if together else " […] "
        quotes.append(quotes[-1] + gap + readable(sentence))
    return quotes


def _venue(paper: Paper) -> Venue | None:
    found = venue(paper.comments)
    return Venue(readable(found.name), found.how) if found else None


def _name(name: str) -> str:
    """A person's name; one written from right to left is isolated, or it would turn the line around."""
    plain = readable(name)
    rtl = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in plain)
    return f"\u2068{plain}\u2069" if rtl else plain


def _url(paper: str) -> str:
    return f"https://arxiv.org/abs/{paper}"


_TURNS = re.compile(
    r"\s(?:via|through|using|by|with|without|for|in|from|under|towards?|on|at|beyond|against|based on)\s",
    re.IGNORECASE,
)


_LOOSE = re.compile(
    r"(?:[\s,;:–—-]+(?:an?|and|as|at|by|for|from|in|into|of|on|or|the|to|via|with))*[\s,;:–—-]*$"
)
_HEAD = re.compile(r".*?(?:[?!](?=\s)|(?=:\s))")


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
    html = _fill(
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


def _fill(environment: Environment, name: str, **values: object) -> str:
    """Render a template; its errors become one line with file, line and message."""
    try:
        return environment.get_template(name).render(**values)
    except TemplateSyntaxError as error:
        raise UsageError(
            f"{error.filename or name}, line {error.lineno}: {error.message}; correct the template"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"template {name}: not UTF-8; save the file in this encoding") from error
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        place = _place(error.__traceback__)
        if place is None and isinstance(error, TemplateNotFound):
            raise UsageError(f"no template {name} in {_folders(environment)}; correct the folder") from error
        if place is None:
            raise
        raise UsageError(f"{place}: {_line(error)}; correct the template") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _folders(environment: Environment) -> str:
    loader = environment.loader
    return " or ".join(loader.searchpath) if isinstance(loader, FileSystemLoader) else "the templates"


def _place(trace: TracebackType | None) -> str | None:
    """The last line of a template that a traceback passes through."""
    place = None
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if path.endswith(".j2"):
            place = f"{path}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(LOCALES[language])


@pass_context
def _day(context: Context, day: date, pattern: str) -> str:
    """Filter: a date in the post's language, by a CLDR pattern such as ``d MMMM y, EEEE``."""
    return format_date(day, pattern, locale=_locale(context["language"]))


@pass_context
def _plural(context: Context, count: int, **forms: str) -> str:
    """Filter: the form for a number in the post's language (CLDR: one, few, many, other), {n} the number."""
    form = _locale(context["language"]).plural_form(count)
    return forms.get(form, forms["other"]).replace("{n}", str(count))
