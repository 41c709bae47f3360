"""The routes, and how the page is put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from digest.text import readable
from digest.web import door, health, jobs, outbox, papers, posts, public, search, today, topics, trends
from digest.web.guard import Guard, Hosts
from digest.web.visit import Site, get, nothing, threads

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App
    from digest.web.access import Access
    from digest.web.work import Jobs

GROUPS: tuple[ModuleType, ...] = (
    today, search, papers, posts, outbox, topics, trends, jobs, public, health, door,
)  # fmt: skip
"""The groups of pages. Each has ROUTES, and MENU, its address, where the menu shows it by the word
``layout.menu_<name of the module>``."""

_FOLDER = Path(__file__).parent
_STATIC: Mapping[str, str] = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "desk.css": "text/css",
    "desk.js": "text/javascript",
    "keys.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def build(
    app: App,
    access: Access,
    hosts: Hosts,
    work: Jobs,
    *,
    now: datetime | None = None,
    https: bool = False,
) -> Guard:
    """The page over a wired program, as an ASGI application. ``work`` is where long work is begun. With
    ``now`` it acts as if it were always this moment; with ``https`` browsers send cookies nowhere else."""
    routes = [route for group in GROUPS for route in group.ROUTES]
    made = Starlette(
        routes=[*routes, Route("/static/{name}", _static), get("/{path:path}", nothing)],
        exception_handlers={HTTPException: _refused, Exception: _broken},
    )
    made.state.site = Site(app, access, work, templates(), now=now, https=https)
    made.state.threads = threads()
    return Guard(made, hosts)


def templates() -> Environment:
    """The templates of the pages: they escape what they write and may use no undefined name."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["readable"] = lru_cache(10_000)(readable)
    made.globals["static"] = _address
    made.globals["menu"] = {
        group.__name__.rpartition(".")[2]: group.MENU for group in GROUPS if hasattr(group, "MENU")
    }
    return made


@cache
def _address(name: str) -> str:
    """The address of a file that browsers keep: another one where the file is another."""
    mark = hashlib.sha256((_FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{mark}"


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise HTTPException(404)
    keep = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(_FOLDER / "static" / name, media_type=_STATIC[name], headers=keep)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)


async def _broken(_: Request, __: Exception) -> Response:
    return PlainTextResponse("something broke; the log of digest serve says what\n", 500)
