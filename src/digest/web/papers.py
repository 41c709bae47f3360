"""One paper: what it says, why it is on topic, what is near it, where it was posted."""

from __future__ import annotations

from starlette.responses import Response

from digest import ids
from digest.errors import InputError
from digest.web.visit import Visit, get


def paper(visit: Visit) -> Response:
    """The page of a paper."""
    base = ids.parse(visit.path["id"]).base
    found = visit.app.store.papers([base])
    if not found:
        raise InputError(f"{base} is not in the archive")
    return visit.page("paper.html.j2", paper=found[0])


ROUTES = (get("/papers/{id:path}", paper),)
