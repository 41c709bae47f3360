"""Templates tried out: posts of papers of every kind, as a day or a month may bring them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import product

from msgspec.structs import replace

from digest.errors import UsageError
from digest.markup import MarkupError, check
from digest.overview import overview
from digest.render import Writer, write_post, write_window
from digest.summarize import summarize
from digest.types import (
    Choice,
    Draft,
    Evidence,
    Genre,
    Language,
    Neighbour,
    Paper,
    Tier,
    Topic,
    Update,
)

DAY = date(2026, 5, 12)
NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
NEAR = Neighbour("2604.00009", "Lamps that Forget: A Field Guide & More", 0.81)
TOPIC = Topic(
    name="lamps",
    term="forgetting",
    seed_keys=("forgetting lamps",),
    titles={"en": "Forgetting lamps", "ru": "Забывчивые лампы", "zh": "会遗忘的灯"},
    hashtags=("lamps",),
)
OTHER = replace(TOPIC, name="rooms", titles={"en": "Rooms", "ru": "Комнаты", "zh": "房间"})
_ABSTRACT = (
    "Lamps remember what they were shown, but forgetting lamps remain costly. We propose DIM, a lamp for "
    "$x<y$ & more that forgets one colour in every {0} rooms. It fails to forget red. On nine invented rooms "
    "DIM forgets 98.5\\% of a colour at 4.2x the speed. Whether a dark room can be forgotten remains an open "
    "problem. Code is at https://github.com/example/dim{0}."
)
_TITLES = (
    'DIM: Removing One Colour from a Lamp when $x<y$ & "Nothing" Else Helps',
    "A Survey of Forgetting Lamps",
    "DarkBench: A Benchmark for Forgetting Lamps in Every Room of a House",
    "Was It Ever Lit?",
)
_EVIDENCE = (
    Evidence(seed_keys=("forgetting lamps",)),
    Evidence(other_keys=("dark & dim",), neighbours=(NEAR,)),
    Evidence(neighbours=(NEAR,)),
    Evidence(),
)


def problems(writer: Writer, genre: Genre, language: Language) -> Iterator[str]:
    """What a genre's template does wrong in a language, a line each."""
    writer = replace(writer, topics={"lamps": TOPIC, "rooms": OTHER}, strict=True)
    for count in (1, 12):
        try:
            draft = _draft(writer, genre, language, count)
            for part in draft.parts:
                check(part.html)
        except (UsageError, MarkupError) as error:
            yield str(error) if isinstance(error, UsageError) else f"{language}/{genre}.html.j2: {error}"
            return
        missing = [one.paper for one in draft.choices if not _links(draft, one.paper)]
        if missing:
            told = f"links to {len(draft.choices) - len(missing)} of its {count} papers"
            yield f"{language}/{genre}.html.j2: {told}"
            return


def _links(draft: Draft, paper: str) -> bool:
    return any(f"https://arxiv.org/abs/{paper}" in part.html for part in draft.parts)


def _draft(writer: Writer, genre: Genre, language: Language, count: int) -> Draft:
    papers = {paper.id: paper for paper in map(_paper, range(1, count + 1))}
    choices = list(_choices(list(papers)))
    if genre == "roundup":
        updates = [Update("2605.00001", 1, 2)] if count > 1 else []
        sentences = {id_: summarize(paper, 2) for id_, paper in papers.items()}
        return write_post(writer, TOPIC, DAY, language, choices, papers, sentences, updates=updates)
    found = overview(TOPIC, DAY.replace(day=1), DAY, choices, papers, {}, list(papers.values()))
    return write_window(writer, TOPIC, genre, language, found, papers)


def _paper(number: int) -> Paper:
    comments = (
        None,
        "9 pages. Accepted at LAMP 2026. https://huggingface.co/example/dim",
        "Published in Rooms 7",
    )
    return Paper(
        id=f"2605.{number:05}",
        version=1,
        title=_TITLES[number % len(_TITLES)] + f" {number}",
        abstract=_ABSTRACT.format(number),
        authors=tuple(f"Ada{at} Example<{at}>" for at in range(number % 7)),
        categories=("cs.LG", "cs.CV") if number % 2 else ("eess.XX",),
        submitted=NOON,
        updated=NOON,
        announced=DAY,
        comments=comments[number % 3],
    )


def _choices(ids: Sequence[str]) -> Iterator[Choice]:
    tiers: Sequence[Tier] = ("detailed", "brief", "named")
    shapes = list(product(tiers, _EVIDENCE))
    for number, (id_, (tier, evidence)) in enumerate(zip(ids, shapes * len(ids), strict=False)):
        yield Choice(
            paper=id_,
            tier=tier,
            score=0.9 - number / 100,
            silent=not evidence.seed_keys,
            evidence=evidence,
            topics=("lamps", "rooms") if number % 3 == 1 else ("lamps",),
            duplicates=("2605.09999",) if number % 4 == 3 else (),
        )
