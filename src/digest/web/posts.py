"""The posts: what there is, one as it will be sent, its editor, the decision, its history."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from digest import ids
from digest.actions import posts, sending
from digest.actions.site import picture_file
from digest.editing import Source, body
from digest.errors import Changed, DigestError, InputError, UsageError
from digest.text import readable
from digest.types import Delivery, Part, Post
from digest.web.bubbles import bubbles, called
from digest.web.public import TYPES
from digest.web.visit import Visit, get, post
from digest.web.words import Words

MENU = "/posts"

DAYS = 10
"""So many days of posts on a page."""
STATES = ("draft", "approved", "rejected")
UNDONE = ("uncertain", "failed", "sending", "queued")
"""What a post's deliveries are together: the first of these that one of them is, else sent."""


# --- the list -------------------------------------------------------------------------------------


class Listed(Struct, frozen=True):
    """A post of the list: what became of it in its channels ("" where it goes to none), and until when it
    waits."""

    post: Post
    state: str
    until: datetime | None = None


def index(visit: Visit) -> Response:
    """The posts of some days, newest first."""
    store, query = visit.app.store, visit.query
    until = visit.day("until")
    days = store.slots(until, DAYS + 1)
    shown = days[:DAYS]
    limits = {name: query.get(name) or None for name in ("topic", "language", "state")}
    state: Any = limits.pop("state")
    found = store.posts(**limits, state=state, since=shown[-1], until=shown[0], bare=True) if shown else []
    undone: dict[int, list[Delivery]] = defaultdict(list)
    for one in sending.outbox(visit.app, everything=False):
        undone[one.post].append(one)
    listed = [_listed(one, undone[one.id]) for one in reversed(found)]
    return visit.page(
        "posts.html.j2",
        title=called(visit.app),
        days=[(day, list(same)[::-1]) for day, same in groupby(listed, key=lambda one: one.post.slot)],
        older=days[DAYS] if len(days) > DAYS else None,
        chosen={**limits, "state": state},
        topics=visit.app.topics,
        states=STATES,
        waiting=sum(one.state in ("uncertain", "failed") for each in undone.values() for one in each),
        until=until,
        drafts=len(store.posts(state="draft", bare=True)),
    )


def _listed(post: Post, undone: Sequence[Delivery]) -> Listed:
    states = {one.state for one in undone}
    state = next((one for one in UNDONE if one in states), "sent" if post.state == "approved" else "")
    return Listed(post, state, max((one.not_before for one in undone if one.not_before), default=None))


# --- one post -------------------------------------------------------------------------------------


class Draft(Struct, frozen=True):
    """What stands in the editor: the post's own text, or what somebody has made of it; what is wrong with it;
    the parts it would have where it is not stored."""

    papers: Sequence[str]
    text: str
    wrong: Sequence[str] = ()
    parts: Sequence[Part] | None = None


def show(visit: Visit) -> Response:
    """A post as it will be sent, with all that can be done about it."""
    return _page(visit, posts.find(visit.app, visit.path["id"]))


def _page(visit: Visit, post: Post, draft: Draft | None = None, *, status: int = 200) -> Response:
    app = visit.app
    deliveries = app.store.deliveries(post_id=post.id)
    titles = {one.id: readable(one.title) for one in app.store.papers(post.papers)}
    closed = posts.why_closed(app, post)
    return visit.page(
        "post.html.j2",
        status=status,
        title=called(app),
        post=post,
        bubbles=bubbles(post, draft.parts if draft else None),
        draft=draft or Draft(post.papers, body(post.parts)),
        closed=closed,
        titles=titles,
        deliveries=deliveries,
        waits=any(one.state == "queued" for one in deliveries),
        is_sent=any(one.state == "sent" for one in deliveries),
        others=posts.siblings(app, post.id),
        genre=posts.GENRE,
        zone=_zone(visit, post).key,
    )


def edit(visit: Visit) -> Response:
    """Store what stands in the editor, with the papers in the order of the button that was pressed. Nothing
    that was typed is ever lost: what cannot be stored stands in the editor again."""
    number = visit.path["id"]
    given = _source(visit)
    try:
        papers = _moved(given.papers, visit.form.get("do", ""), visit.form.get("add", ""))
        done = posts.put(visit.app, Source(number, given.version, papers, given.text))
    except Changed as error:
        return _conflict(visit, given, str(error))
    except (InputError, UsageError) as error:
        draft = Draft(given.papers, given.text, str(error).splitlines())
        return _page(visit, posts.find(visit.app, number), draft, status=422)
    if done.post.version != given.version:
        visit.site.notes.add(visit.session, visit.t("posts.told_saved", n=done.post.version))
    for note in done.notes:
        visit.site.notes.add(visit.session, visit.said(note))
    return visit.to(f"/posts/{number}")


def preview(visit: Visit) -> Response:
    """The messages that the editor's text would become, or why it cannot: for a script these alone
    (``alone``), else the whole page with the text as it was typed."""
    given = _source(visit)
    post = posts.find(visit.app, given.post)
    parts: Sequence[Part] = ()
    wrong: Sequence[str] = ()
    try:
        parts = posts.preview(visit.app, given)
    except DigestError as error:
        wrong = str(error).splitlines()
    if "alone" in visit.form:
        return visit.page("bubbles.html.j2", post=post, bubbles=bubbles(post, parts), wrong=wrong)
    return _page(visit, post, Draft(given.papers, given.text, wrong, parts))


def _conflict(visit: Visit, given: Source, told: str) -> Response:
    """Somebody else was quicker: both texts."""
    theirs = posts.find(visit.app, given.post)
    text = body(theirs.parts)
    return visit.page("conflict.html.j2", status=409, given=given, theirs=theirs, text=text, told=told)


def _source(visit: Visit) -> Source:
    """What the editor holds. Raises HTTPException for what no editor sends."""
    version = visit.form.get("version", "")
    if not version.isdecimal() or len(version) > 9:
        raise HTTPException(400, "there is no version")
    papers = tuple(value for name, value in visit.fields if name == "paper")
    text = visit.form.get("text", "").replace("\r\n", "\n").strip()
    return Source(visit.path["id"], int(version), papers, text)


def _moved(papers: Sequence[str], what: str, added: str) -> tuple[str, ...]:
    """The papers after a button was pressed: ``up:ID``, ``down:ID``, ``drop:ID``, ``add``. Raises InputError
    for an id that is none."""
    verb, _, paper = what.partition(":")
    order = list(papers)
    if verb == "add":
        return tuple(dict.fromkeys([*order, ids.parse(added).base]))
    if paper not in order:
        return tuple(order)
    at = order.index(paper)
    del order[at]
    if verb != "drop":
        order.insert(max(0, at - 1) if verb == "up" else at + 1, paper)
    return tuple(order)


# --- decisions ------------------------------------------------------------------------------------


def decide(visit: Visit) -> Response:
    """Approve, schedule or reject a post as it was seen, and the other languages that were ticked."""
    what = visit.form.get("do", "")
    if what not in ("approve", "reject", "schedule"):
        raise HTTPException(400, "there is no such decision")
    seen = [f"{visit.path['id']}:{visit.form.get('version', '')}"]
    seen += [value for name, value in visit.fields if name == "also"]
    pairs = [(int(id_), int(version)) for id_, _, version in (one.partition(":") for one in seen)
             if id_.isdecimal() and version.isdecimal() and len(id_ + version) < 18]  # fmt: skip
    try:
        for number, version in pairs:
            _decided(visit, what, number, version)
    except InputError as error:
        return _page(visit, posts.find(visit.app, number), _wrong(visit, number, error), status=422)
    told = visit.t(f"posts.told_{what}", n=len(pairs))
    return visit.to(f"/posts/{visit.path['id']}", told)


def _decided(visit: Visit, what: str, number: int, version: int) -> None:
    if what == "schedule":
        at = _moment(visit, posts.find(visit.app, number))
        posts.schedule(visit.app, number, at, version=version)
    else:
        decision: Literal["approve", "reject"] = "approve" if what == "approve" else "reject"
        posts.decide(visit.app, number, decision, version=version)


def _wrong(visit: Visit, number: int, error: DigestError) -> Draft:
    found = posts.find(visit.app, number)
    return Draft(found.papers, body(found.parts), str(error).splitlines())


def _moment(visit: Visit, post: Post) -> datetime:
    """The time that was given, in the zone of the post's channel. Raises InputError where it is none, or
    over."""
    try:
        local = datetime.fromisoformat(visit.form.get("at", ""))
    except ValueError:
        raise InputError("give a day and a time") from None
    at = local.replace(tzinfo=_zone(visit, post)).astimezone(UTC)
    if at <= visit.app.now:
        raise InputError("this time is over: give a later one")
    return at


def _zone(visit: Visit, post: Post) -> ZoneInfo:
    """Where the readers of a post are: the zone of the first of its channels that says, else UTC."""
    channels = visit.app.settings.channels.values()
    zones = (one.time_zone for one in channels if one.takes(post.topics[0], post.language))
    return ZoneInfo(next((one for one in zones if one), "UTC"))


def correct(visit: Visit) -> Response:
    """Change the text of a part of an approved post as it was seen; where it was sent, the message is
    edited."""
    number, part = visit.path["id"], visit.path["part"]
    old = sending.part_of(visit.app, number, part)
    text = visit.form.get("text", "").replace("\r\n", "\n")
    if old.sha256 != visit.form.get("seen"):
        found = posts.find(visit.app, number)
        given = Source(number, found.version, found.papers, text)
        return _conflict(visit, given, "somebody has changed this message meanwhile")
    try:
        sending.correct(visit.app, number, part, text)
    except InputError as error:
        wrong = _wrong(visit, number, error)
        return _page(visit, posts.find(visit.app, number), wrong, status=422)
    return visit.to(f"/posts/{number}", visit.t("posts.told_corrected"))


# --- what it was ----------------------------------------------------------------------------------


def history(visit: Visit) -> Response:
    """Who did what to a post, and what two of its versions differ by."""
    number = visit.path["id"]
    found = posts.find(visit.app, number)
    after = visit.number("to", found.version, found.version)
    before = visit.number("from", max(1, after - 1), found.version)
    lines = posts.diff(visit.app, number, before, after).splitlines()[2:] if before != after else []
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return visit.page(
        "history.html.j2",
        title=called(visit.app),
        post=found,
        changes=posts.history(visit.app, number),
        told=partial(told, visit.t),
        lines=[(kinds.get(line[:1], ""), line[1:] if line[:1] in "+- " else "") for line in lines],
        before=before,
        after=after,
    )


_NOTED = (
    (re.compile(r"dropped (?P<papers>.+)"), "dropped"),
    (re.compile(r"added (?P<papers>.+)"), "added"),
    (re.compile(r"part (?P<number>\d+) changed"), "part"),
    (re.compile(r"not before (?P<moment>.+)"), "not_before"),
)
"""What the archive notes of a change, beside single words."""


def told(t: Words, what: str) -> Markup:
    """What was done to a post, which the archive notes in English, in the visitor's language."""
    return Markup("; ").join(_told(t, one) for one in what.split("; "))


def _told(t: Words, what: str) -> str:
    for pattern, name in _NOTED:
        if found := pattern.fullmatch(what):
            return t(f"posts.change_{name}", **found.groupdict())
    word = f"posts.change_{what.replace(' ', '_')}"
    return t(word) if t.has(word) else what


def picture(visit: Visit) -> Response:
    """The picture of a part."""
    found = posts.find(visit.app, visit.path["id"])
    at = visit.path["part"]
    name = found.parts[at - 1].picture if 1 <= at <= len(found.parts) else None
    file = picture_file(visit.app, name) if name else None
    if file is None:
        raise HTTPException(404)
    return Response(file.read_bytes(), media_type=TYPES[file.suffix.lower()])


ROUTES = (
    get("/posts", index),
    get("/posts/{id:int}", show),
    post("/posts/{id:int}/edit", edit),
    post("/posts/{id:int}/preview", preview),
    post("/posts/{id:int}/decide", decide),
    post("/posts/{id:int}/part/{part:int}", correct),
    get("/posts/{id:int}/history", history),
    get("/posts/{id:int}/picture/{part:int}", picture),
)
