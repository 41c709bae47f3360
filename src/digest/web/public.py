"""The archive as readers see it: the pages of the site, without a password, a session or a cookie."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest.actions import site as actions
from digest.site import pages

if TYPE_CHECKING:
    from digest.app import App
    from digest.site.pages import Made
    from digest.web.visit import Site

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
_KEEP = {"Cache-Control": "public, max-age=60"}


async def public(request: Request) -> Response:
    """One of the site's files."""
    site: Site = request.app.state.site
    make = partial(_file, site.app.at(site.now(), site.archive), request.path_params.get("name", ""))
    return await to_thread.run_sync(make, limiter=request.app.state.threads)


def _file(app: App, name: str) -> Response:
    made = app.kept.get("public", app.store.published_mark(), partial(_pages, app))
    if name in ("", "index"):
        return RedirectResponse("/public/index.html", 308)
    if name not in made:
        raise HTTPException(404)
    return Response(made[name](), media_type=TYPES[PurePosixPath(name).suffix], headers=_KEEP)


def _pages(app: App) -> dict[str, Made]:
    return pages(actions.published(app))


ROUTES = (
    Route("/public", public, methods=["GET"], name="public"),
    Route("/public/{name:path}", public, methods=["GET"]),
)
