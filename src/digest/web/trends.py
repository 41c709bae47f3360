"""Trends: a term over the years, a topic's map, papers per day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from msgspec import Struct
from starlette.responses import Response

from digest.actions import pictures, trends
from digest.days import new_york_day
from digest.errors import DigestError, UsageError
from digest.types import Topic, Trend
from digest.web import charts
from digest.web.pieces import Piece
from digest.web.visit import Visit, get

MENU = "/trends"

DAYS = 45
MONTH = timedelta(days=30)
LONGEST = 100
DOTS = 300
"""So many papers a map on the page has, the surest: each is a link, and the page stays under 100 kB."""
LISTED = 12
"""So many papers of a group are listed beside it."""


def index(visit: Visit) -> Response:
    """A term over the years where one is asked for; papers per day."""
    term = " ".join(visit.query.get("term", "").split())[:LONGEST]
    found: Trend | None = None
    work: Piece[Trend] | None = None
    wrong: list[str] = []
    if term:
        try:
            work = _trend(visit, term)
            found = work.result() if work.is_done else None
        except DigestError as error:
            work, wrong = None, str(error).splitlines()
    return visit.page(
        "trends.html.j2",
        status=422 if wrong else 200,
        term=term,
        found=found,
        work=work,
        wrong=wrong,
        chart=_years(visit, found) if found else None,
        topics=visit.app.topics,
        days=_days(visit),
        has_pictures=_has_pictures(),
        few=charts.FEW,
    )


def _trend(visit: Visit, term: str) -> Piece[Trend]:
    app = visit.app
    mark = ("trend", term.casefold(), new_york_day(app.now), app.store.highest_number())
    return visit.site.works.get(mark, partial(trends.trend, app, term, beside=True))


def _years(visit: Visit, found: Trend) -> object:
    curves = {"named": found.said} | ({"quiet": found.silent} if found.silent else {})
    return charts.years(curves, visit.t("trends.chart", term=found.term), partial(_share, visit))


def _share(visit: Visit, value: float) -> str:
    from babel.numbers import format_decimal

    locale = {"en": "en", "ru": "ru", "zh": "zh_Hans"}[visit.language]
    return format_decimal(100 * value, "0.#" if value < 0.1 else "0", locale=locale) + "%"


def _days(visit: Visit) -> object:
    """A bar for each of the last days, up to the newest with papers."""
    store, today = visit.app.store, new_york_day(visit.app.now)
    counts = store.day_counts(today - timedelta(days=DAYS - 1), today)
    if not counts:
        return None
    days = [min(counts) + timedelta(days=at) for at in range((max(counts) - min(counts)).days + 1)]
    by_day = {day: counts.get(day, 0) for day in days}
    return charts.days(by_day, visit.t("trends.per_day"), visit.t.short_day)


class Wanted(Struct, frozen=True):
    """A map that is asked for."""

    topic: Topic
    since: date
    until: date


def _wanted(visit: Visit) -> Wanted:
    """The topic and days of the address; the last month where it gives none."""
    topic = visit.app.topic(visit.query.get("topic", ""))
    until = _day(visit, "until") or new_york_day(visit.app.now)
    return Wanted(topic, _day(visit, "since") or until - MONTH, until)


def _mapped(visit: Visit, wanted: Wanted) -> Piece[pictures.Mapped]:
    app, name = visit.app, wanted.topic.name
    mark = ("map", name, wanted.since, wanted.until, visit.language, app.store.highest_number())
    make = partial(pictures.mapped, app, name, wanted.since, wanted.until, visit.language)
    return visit.site.works.get(mark, make)


def map_(visit: Visit) -> Response:
    """A topic's papers of some days, like ones near each other."""
    wanted = _wanted(visit)
    topic, work = wanted.topic, _mapped(visit, wanted)
    if not work.is_done:
        return visit.page("working.html.j2", title=topic.title(visit.language), work=work, status=202)
    found = work.result()
    rows = zip(found.places.tolist(), found.papers, found.titles, found.map.points, strict=True)
    dots = [
        charts.Dot(x, y, f"/papers/{quote(paper)}", title, point.group, point.silent)
        for (x, y), paper, title, point in islice(rows, DOTS)
    ]
    return visit.page(
        "map.html.j2",
        topic=topic,
        found=found,
        chart=charts.dots(dots, visit.t("trends.map_of", topic=topic.title(visit.language))),
        since=wanted.since,
        until=wanted.until,
        shown=len(dots),
        by_group=_groups(dots),
        listed=LISTED,
        has_pictures=_has_pictures(),
        colours=charts.COLOURS,
    )


def _groups(dots: list[charts.Dot]) -> dict[int | None, list[charts.Dot]]:
    found: dict[int | None, list[charts.Dot]] = {}
    for one in sorted(dots, key=lambda one: (one.group is None, one.group or 0)):
        found.setdefault(one.group, []).append(one)
    return found


def _day(visit: Visit, name: str) -> date | None:
    """A day of the address; None where there is none. Raises UsageError."""
    given = visit.query.get(name, "")
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        raise UsageError(f"{given[:30]!r} is not a day such as 2026-05-12") from None


# --- pictures to download -------------------------------------------------------------------------


def trend_png(visit: Visit) -> Response:
    """The picture of a trend, to be posted."""
    from digest.pictures import term_over_years

    term = " ".join(visit.query.get("term", "").split())[:LONGEST]
    found = _trend(visit, term).result()
    draw = partial(term_over_years, found, language=visit.language, dark="dark" in visit.query)
    return _png(
        visit, ("png", found, visit.language, "dark" in visit.query), lambda file: draw(path=file), term
    )


def map_png(visit: Visit) -> Response:
    """The picture of a map, to be posted."""
    from digest.cards import draw_map

    wanted = _wanted(visit)
    found = _mapped(visit, wanted).result()
    draw = partial(draw_map, found.map, found.places, language=visit.language, dark="dark" in visit.query)
    mark = ("png", wanted.topic.name, found.papers, visit.language, "dark" in visit.query)
    return _png(visit, mark, lambda file: draw(path=file), wanted.topic.name)


def _png(visit: Visit, mark: object, draw: Callable[[Path], Path], name: str) -> Response:
    """A picture, drawn where all long work is done: matplotlib is for one thread at a time."""

    def make() -> bytes:
        with TemporaryDirectory() as folder:
            return draw(Path(folder) / "made.png").read_bytes()

    made = visit.site.works.get(mark, make).result()
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
    disposition = f'attachment; filename="{kept.strip("-") or "picture"}.png"'
    return Response(made, media_type="image/png", headers={"Content-Disposition": disposition})


def _has_pictures() -> bool:
    return find_spec("matplotlib") is not None


ROUTES = (
    get("/trends", index),
    get("/trends.png", trend_png),
    get("/trends/map", map_),
    get("/trends/map.png", map_png),
)
