"""For machines: whether work goes on, and the figures (docs/operations.md)."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from digest import metrics
from digest.actions import operations
from digest.errors import DigestError
from digest.web.visit import Visit, get


def probe(visit: Visit) -> Response:
    """200 where work goes on by itself, else 503; what does not is told to those who may enter."""
    try:
        found = metrics.probe(operations.health(visit.app))
    except DigestError as error:  # a database that cannot be read is what a probe is for
        found = metrics.Probe(False, {"database": str(error)})
    told = found if visit.site.access.may_enter(visit.session) else metrics.Probe(found.ok)
    return Response(msgspec.json.encode(told), 200 if found.ok else 503, media_type="application/json")


def figures(visit: Visit) -> Response:
    """All figures, in Prometheus's format."""
    return Response(metrics.text(operations.health(visit.app)), media_type=metrics.CONTENT_TYPE)


ROUTES = (get("/healthz", probe, open_to_all=True), get("/metrics", figures))
