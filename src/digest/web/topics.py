"""The topics: keys to judge, what they bring, a new topic tried on the last month before it is saved."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from digest.actions import topics
from digest.actions.topics import DAYS, Backtest
from digest.days import new_york_day
from digest.errors import DigestError
from digest.text import readable
from digest.types import KeyState, Topic
from digest.web import charts
from digest.web.visit import Visit, get, post

MENU = "/topics"

SHOWN = 12
"""So many papers of a backtest are shown."""
CARDS = 40
"""So many keys are shown at once, the surest; judged ones make room."""
STATES: tuple[KeyState, ...] = ("proposed", "active", "rejected", "retired")
_DECISIONS: dict[str, KeyState] = {
    "accept": "active",
    "reject": "rejected",
    "retire": "retired",
    "undo": "proposed",
}


def index(visit: Visit) -> Response:
    """All topics, with what waits in each."""
    store = visit.app.store
    counts = {topic.name: Counter(key.state for key in store.keys(topic.name)) for topic in visit.app.topics}
    return visit.page("topics.html.j2", topics=visit.app.topics, counts=counts)


def show(visit: Visit) -> Response:
    """The keys of a topic in one state, those that wait first, the surest on top."""
    topic = visit.app.topic(visit.path["name"])
    keys = topics.keys(visit.app, topic.name, everything=True)
    counts = Counter(key.state for key in keys)
    wanted = visit.query.get("state")
    state: KeyState = next((one for one in STATES if one == wanted), "proposed")
    found = [key for key in keys if key.state == state]
    return visit.page(
        "topic.html.j2",
        topic=topic,
        keys=found,
        state=state,
        states=STATES,
        counts=counts,
        shown=found[:CARDS],
    )


def decide(visit: Visit) -> Response:
    """Accept, reject or retire a key, or take that back."""
    topic = visit.app.topic(visit.path["name"])
    what, text = visit.form.get("do", ""), visit.form.get("key", "").strip()
    if what not in _DECISIONS or not text or len(text) > 200:
        raise HTTPException(400, "there is no such decision")
    reason = visit.form.get("reason", "").strip()[:500] or "judged on the page"
    topics.decide(visit.app, topic.name, text, _DECISIONS[what], reason)
    state = visit.form.get("state", "proposed")
    told = visit.t(f"topics.told_{what}", key=text)
    return visit.to(f"/topics/{topic.name}", told, state=state if state in STATES else "proposed")


def bring(visit: Visit) -> Response:
    """What the keys of a topic bring: by month, rising ones, how many papers were missed."""
    topic, app = visit.app.topic(visit.path["name"]), visit.app
    day = new_york_day(app.now)
    states = tuple((key.normal, key.state) for key in app.store.keys(topic.name))
    mark = ("bring", topic.name, day, app.store.highest_number(), hash(states))
    work = visit.site.works.get(mark, partial(topics.overview, app, topic.name))
    if not work.is_done:
        return visit.page("working.html.j2", title=topic.title(visit.language), work=work, status=202)
    found = work.result()
    rows = [
        (one, charts.months(one.months, f"{one.key.text}: {one.papers}")) for one in found.keys if one.papers
    ]
    return visit.page("bring.html.j2", topic=topic, found=found, rows=rows)


# --- a new topic ----------------------------------------------------------------------------------


class Asked(Struct, frozen=True):
    """What stands in the form of a new topic."""

    term: str = ""
    keys: str = ""
    papers: str = ""
    name: str = ""
    languages: tuple[str, ...] = ("en",)
    titles: tuple[str, str] = ("", "")


class Shown(Struct, frozen=True):
    """A paper of a backtest."""

    id: str
    title: str
    score: float
    silent: bool
    why: str


def new(visit: Visit) -> Response:
    """The form of a new topic, and with its words what it would have found in the last month."""
    asked = _asked({name: visit.query.get(name, "") for name in _FIELDS}, visit.all("language"))
    if not visit.query.get("term"):
        return _form(visit, asked)
    try:
        topic = _topic(asked)
        topics.check_new(visit.app, topic)
        mark = (
            "backtest",
            msgspec.json.encode(topic),
            new_york_day(visit.app.now),
            visit.app.store.highest_number(),
        )
        work = visit.site.works.get(mark, partial(topics.backtest, visit.app, topic))
        found = work.result() if work.is_done else None
    except DigestError as error:
        return _form(visit, asked, wrong=str(error).splitlines(), status=422)
    if found is None:
        return _form(visit, asked, work=work)
    counts = Counter(one.announced for one in found.papers.values())
    since = found.day - timedelta(days=DAYS - 1)
    by_day = {day: counts[day] for day in (since + timedelta(days=at) for at in range(DAYS))}
    shown = [_shown(found, at) for at in range(min(SHOWN, len(found.matches)))]
    chart = charts.days(by_day, visit.t("topics.by_day"), visit.t.short_day)
    return _form(visit, asked, found=found, shown=shown, topic=topic, chart=chart)


def save(visit: Visit) -> Response:
    """Write a new topic into the configuration."""
    asked = _asked(visit.form, [value for name, value in visit.fields if name == "language"])
    try:
        topic = _topic(asked)
        file = topics.add(visit.site.app, topic)
    except DigestError as error:
        return _form(visit, asked, wrong=str(error).splitlines(), status=422)
    return visit.to(f"/topics/{topic.name}", visit.t("topics.told_saved", file=file))


_FIELDS = ("term", "keys", "papers", "name", "title_ru", "title_zh")


def _asked(given: Any, languages: list[str]) -> Asked:
    known = tuple(one for one in ("en", "ru", "zh") if one in languages) or ("en",)
    term, keys, papers, name, ru, zh = (given.get(field, "").strip()[:4000] for field in _FIELDS)
    return Asked(term, keys, papers, name, known, (ru, zh))


def _topic(asked: Asked) -> Topic:
    """The topic of a form. Raises InputError, UsageError."""
    keys = [one for one in re.split(r"[\n,;，；、]", asked.keys) if one.strip()]
    papers = [one for one in re.split(r"[\s,;，；、]+", asked.papers) if one]
    titles: dict[Any, str] = {"ru": asked.titles[0], "zh": asked.titles[1]}
    languages: Any = asked.languages
    return topics.described(asked.term, keys, papers, languages, name=asked.name, titles=titles)


def _form(visit: Visit, asked: Asked, *, status: int = 200, **more: Any) -> Response:
    empty = {"wrong": (), "work": None, "found": None, "shown": (), "topic": None, "chart": None}
    return visit.page("new_topic.html.j2", status=status, asked=asked, days=DAYS, **{**empty, **more})


def _shown(found: Backtest, at: int) -> Shown:
    one = found.matches[at]
    paper, told = found.papers[one.paper], one.evidence
    near = [f"“{readable(each.title)}”" for each in told.neighbours[:1]]
    why = ", ".join((*told.seed_keys, *told.other_keys)) or ", ".join(near)
    return Shown(paper.id, readable(paper.title), one.score, one.silent, why)


ROUTES = (
    get("/topics", index),
    get("/topics/new", new),
    post("/topics", save),
    get("/topics/{name}", show),
    post("/topics/{name}", decide),
    get("/topics/{name}/yield", bring),
)
