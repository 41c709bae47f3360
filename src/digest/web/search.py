"""Search: a query, its facets, what was found and why."""

from __future__ import annotations

from starlette.responses import Response

from digest.actions import archive
from digest.types import Window
from digest.web.visit import Visit, get

MENU = "/search"


def search(visit: Visit) -> Response:
    """The form, and what was found where something was asked."""
    text = visit.query.get("q", "")
    found = archive.search(visit.app, text, 20, Window()) if text.strip() else None
    return visit.page("search.html.j2", text=text, found=found)


ROUTES = (get("/search", search),)
