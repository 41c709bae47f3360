"""Today: what came, what was found for each topic and why, what waits, what failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from markupsafe import Markup
from msgspec import Struct
from starlette.responses import Response

from digest.actions import today as action
from digest.text import readable
from digest.types import Evidence
from digest.web.visit import FIRST, Visit, get

MENU = "/"
SHOWN = 8
"""Papers of a topic that are shown at once; the others can be opened."""
_HEIGHT = 48


class Bar(Struct, frozen=True):
    """A day in the picture of the last days: the height of its bar and where it begins, in pixels."""

    day: date
    count: int
    height: int
    top: int


def today(visit: Visit) -> Response:
    """The first page, or that of the day the address names."""
    seen = action.today(visit.app, visit.day("day"))
    onward = seen.day + timedelta(days=1)
    return visit.page(
        "today.html.j2",
        seen=seen,
        bars=bars(seen.counts),
        total=sum(len(one.matches) for one in seen.found),
        before=seen.day - timedelta(days=1) if seen.day > FIRST else None,
        after=onward if onward <= seen.today else None,
        shown=SHOWN,
        reasons=lambda match: reasons(visit, match.evidence, silent=match.silent),
    )


def bars(counts: Mapping[date, int]) -> list[Bar]:
    """The picture of some days."""
    most = max(counts.values(), default=0) or 1
    heights = {day: round(count / most * _HEIGHT) or (1 if count else 0) for day, count in counts.items()}
    return [Bar(day, counts[day], height, _HEIGHT - height) for day, height in heights.items()]


def reasons(visit: Visit, evidence: Evidence, *, silent: bool) -> list[Markup]:
    """Why a paper belongs to a topic, in the visitor's language, most telling first."""
    t = visit.t
    said = []
    if evidence.seed_keys:
        said.append(t("today.seed", keys=t.quoted(evidence.seed_keys[:3])))
    if evidence.other_keys:
        said.append(t("today.key", keys=t.quoted(evidence.other_keys[:3])))
    looks = evidence.scores.get("looks", 0.0)
    if looks >= 0.5 or not said:
        said.append(t("today.looks", share=t.share(looks)))
    if silent and evidence.neighbours:
        said.append(t("today.near", title=readable(evidence.neighbours[0].title)))
    return said


ROUTES = (get("/", today),)
