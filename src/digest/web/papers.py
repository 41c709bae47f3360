"""One paper: what it says, why it is on topic, what is near it, where it was posted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import cast

from markupsafe import Markup
from msgspec import Struct
from starlette.responses import Response

from digest import export, ids
from digest.actions import archive, topics
from digest.actions.topics import Known
from digest.errors import DigestError, InputError, UsageError
from digest.links import links
from digest.text import readable
from digest.types import Evidence, Hit, Match, Opinion, Paper, Post, Topic, Window
from digest.web.said import said
from digest.web.visit import Visit, get, post
from digest.web.words import Words
from digest.why import Said, Why

NEAR = 8
AUTHORS = 12
OPINIONS = ("like", "dislike", "undo")


class Verdict(Struct, frozen=True, kw_only=True):
    """What is known of a paper in one topic: its match, all that speaks for and against it, and what a
    person said of it."""

    topic: Topic
    match: Match | None
    why: Why
    opinion: Opinion | None

    @property
    def evidence(self) -> Evidence:
        """The evidence of the match."""
        return self.match.evidence if self.match else Evidence()

    @property
    def belongs(self) -> bool:
        """Whether the paper is one of the topic."""
        return self.match is not None and self.match.score >= self.topic.floor


def paper(visit: Visit) -> Response:
    """The page of a paper."""
    given = visit.path["id"]
    base = ids.parse(given).base
    known = topics.known(visit.app, base)
    if given != base:
        return visit.to(f"/papers/{base}")
    found, verdicts = known.paper, _verdicts(visit, known)
    return visit.page(
        "paper.html.j2",
        paper=found,
        links=[one for one in links(found) if one.kind != "paper"],
        abs_url=ids.abs_url(base),
        verdicts=[one for one in verdicts if one.match or one.opinion],
        others=[one for one in verdicts if not (one.match or one.opinion)],
        near=_near(visit, base),
        posts=_posts(known.posts),
        bibtex=export.papers([export.Entry(found)], "bibtex", ""),
        authors=AUTHORS,
        said=partial(_said, visit.t),
    )


def bibtex(visit: Visit) -> Response:
    """A paper as a file of BibTeX."""
    base = ids.parse(visit.path["id"]).base
    text = export.papers([export.Entry(_find(visit, base))], "bibtex", "")
    name = base.replace("/", "-")
    headers = {"Content-Disposition": f'attachment; filename="arxiv-{name}.bib"'}
    return Response(text, headers=headers, media_type="application/x-bibtex; charset=utf-8")


def judge(visit: Visit) -> Response:
    """Note what a person thinks of a paper as one of a topic."""
    base = ids.parse(visit.form.get("paper", "")).base
    topic, said = visit.form.get("topic", ""), visit.form.get("opinion", "")
    if said not in OPINIONS:
        raise UsageError(f"an opinion is like, dislike or undo, not {said[:40]!r}")
    opinion = None if said == "undo" else cast("Opinion", said)
    topics.judge(visit.app, topic, base, opinion)
    name = visit.app.topic(topic).title(visit.language)
    return visit.to(f"/papers/{base}", visit.t(f"paper.said_{said}", topic=name))


def _find(visit: Visit, base: str) -> Paper:
    found = visit.app.store.papers([base])
    if not found:
        raise InputError(f"{base} is not in the archive")
    return found[0]


def _verdicts(visit: Visit, known: Known) -> list[Verdict]:
    """The topics, those the paper fits best first."""
    said = {one.topic: one.opinion for one in known.feedback}
    whys = {one.topic: one for one in topics.told(visit.app, known)}
    verdicts = [
        Verdict(topic=one, match=known.matches.get(one.name), why=whys[one.name], opinion=said.get(one.name))
        for one in visit.app.topics
    ]
    return sorted(verdicts, key=lambda one: one.match.score if one.match else -1.0, reverse=True)


def _said(t: Words, line: Said) -> Markup:
    """A line of what speaks for and against a paper, in the visitor's language."""
    return t(f"why.{line.name}", **{name: _shown(t, name, value) for name, value in line.values.items()})


def _shown(t: Words, name: str, value: object) -> object:
    """A value of such a line: a part of it, phrases, a day, a share, a number, a word for what is stored."""
    if isinstance(value, Said):
        return _said(t, value)
    if isinstance(value, tuple):
        return t.quoted(value)
    if isinstance(value, date):
        return t.day(value)
    if isinstance(value, float):
        return t.share(value) if name == "share" else t.decimal(value)
    return _text(t, name, value) if isinstance(value, str) else value


def _text(t: Words, name: str, value: str) -> str:
    """A text in such a line: a word of ours, a sentence of the program, or what it is in every language."""
    if name == "ways" and t.language != "en":
        return re.sub(r"([\d.]+%) by ([^,]+)", r"\2 \1", value)
    for word in (f"paper.{name}_{value}", f"posts.{name}_{value}"):
        if t.has(word):
            return t(word)
    return said(value, t.language) or readable(value)


def _posts(posts: Sequence[Post]) -> list[tuple[date, str, list[Post]]]:
    """The posts that hold a paper, newest first; the languages of one stand together."""
    groups: dict[tuple[date, str], list[Post]] = {}
    for one in posts:
        groups.setdefault((one.slot, one.genre), []).append(one)
    return [(slot, genre, those) for (slot, genre), those in sorted(groups.items(), reverse=True)]


def _near(visit: Visit, base: str) -> list[Hit]:
    """The nearest papers; none where nothing is embedded."""
    try:
        return archive.similar(visit.app, base, NEAR, Window(), fast=True)
    except DigestError:
        return []


ROUTES = (get("/bibtex/{id:path}", bibtex), post("/feedback", judge), get("/papers/{id:path}", paper))
