"""Today: what came, what was found, what waits, what failed."""

from __future__ import annotations

from starlette.responses import Response

from digest.actions import archive
from digest.web.visit import Visit, get

MENU = "/"


def today(visit: Visit) -> Response:
    """The first page."""
    return visit.page("today.html.j2", status_=archive.status(visit.app))


ROUTES = (get("/", today),)
