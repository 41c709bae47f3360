"""Requests put together by chance from what the pages know and what they do not: none breaks a page.

Every route is asked for, and every form that the pages hold is sent with some of its fields changed, by who
is logged in and by who is not.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx
import pytest
from starlette.routing import Route
from starlette.types import ASGIApp

import desk
import web
from digest.web import access
from digest.web import app as pages
from digest.web.guard import Hosts
from digest.web.work import Jobs

PAPER = "2607.01642"
SECRET = "correct horse battery"
START = (
    *(
        "/",
        "/search?q=model&topic=xai&cat=cs.LG&year=2026",
        "/search?topic=xai&silent=1&mode=words&expand=1&page=2",
    ),
    *(f"/papers/{PAPER}", f"/papers/{web.HARM}", "/papers/hep-th/9206064", "/jobs", "/login"),
    *(
        "/posts",
        "/posts?topic=xai&language=ru&state=draft&until=2026-07-03",
        "/posts/1",
        "/posts/7",
        "/posts/outbox",
    ),
    *(
        "/posts/1/history?from=1&to=1",
        "/topics",
        "/topics/unlearning",
        "/topics/xai?state=active",
        "/topics/new",
    ),
    *("/trends", "/public/index.html", "/public/ru/topics/diffusion.html", "/?day=2026-07-01"),
)
SLOW = ("/topics/new", "/trends/map", "/trends/map.png", "/trends.png", "/topics/unlearning/yield")
"""Pages behind which something is worked out: one in a hundred."""
VALUES = [
    *(
        "",
        "1",
        "0",
        "-1",
        "7",
        "9" * 30,
        "1e9",
        "١٢",
        "xai",
        "unlearning",
        "cs.LG",
        "2026",
        "2026-07-03",
        PAPER,
    ),
    *(
        "0001-01-01",
        "9999-12-31",
        "2026-07-05T09:00",
        "2026-07-05T09:00+99:00",
        "sent",
        "like",
        "approve",
        "save",
    ),
    *(
        "é",
        "中文",
        "🙈",
        "\x00",
        "\ud83d",
        "\r\nX: y",
        "a" * 3000,
        "<b>",
        "<b>x</b>" * 200,
        "&lt;",
        "'\"<>",
        "{{7*7}}",
    ),
    *(
        "..",
        "../../x",
        "/etc/passwd",
        "//evil.example",
        "\\\\evil",
        "%00",
        "%2e%2e%2f",
        "' OR 1=1 --",
        "NEAR(a b)",
    ),
    *(
        f"up:{PAPER}",
        "drop:x",
        "add",
        ":",
        "1:1",
        "hep-th/9206064v9",
        "javascript:alert(1)",
        '"; DROP TABLE post',
    ),
]
KINDS = [
    *["application/x-www-form-urlencoded"] * 30,
    "multipart/form-data; boundary=x",
    "application/json",
    "",
]
COOKIES = ("", "digest=x", "digest=a.b.c.d", "digest=é", "language=xx", "language=ru; digest=..1")
METHODS = [*["GET"] * 12, "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]
GATE = 400


class Form(NamedTuple):
    """A form of a page: where it goes and all that it holds."""

    action: str
    fields: Sequence[tuple[str, str]]


class Known(NamedTuple):
    """What is known of the pages: addresses, forms, the names of all fields and parameters, the cookie."""

    links: Sequence[str]
    forms: Sequence[Form]
    names: Sequence[str]
    cookie: str


@contextmanager
def program(home: Path) -> Iterator[ASGIApp]:
    """The application over a home, whose jobs do nothing; it ends when nothing is worked out any more."""
    with desk.opened(home) as app, Jobs(("true",), app.clock.now) as jobs:
        page = pages.build(app, access.load(home), Hosts("127.0.0.1"), jobs, now=desk.FRIDAY)
        yield page
        for piece in page.app.state.site.works.all():
            piece.wait(60)


async def explored(client: httpx.AsyncClient) -> Known:
    """Look at all pages once."""
    links: dict[str, None] = {}
    forms: list[Form] = []
    for path in START:
        answer = await client.get(path)
        assert answer.status_code in (200, 303), path
        links |= dict.fromkeys((path, *re.findall(r'href="(/[^"#]*)"', unescape(answer.text))))
        forms += _forms(answer.text)
    parameters = {name for link in links for name, _ in parse_qsl(urlsplit(link).query)}
    names = sorted(
        parameters | {name for form in forms for name, _ in form.fields} | {"still", "from", "dark"}
    )
    return Known(
        list(links), forms, names, "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    )


def _forms(page: str) -> list[Form]:
    found = []
    for head, inner in re.findall(r"<form([^>]*)>(.*?)</form>", page, re.DOTALL):
        fields = re.findall(r'name="([^"]+)"(?:[^>]*?value="([^"]*)")?', inner)
        action = re.search(r'action="([^"]*)"', head)
        fields += [
            ("text", text) for text in re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", inner, re.DOTALL)
        ]
        if action and "post" in head:
            found.append(Form(action[1], [(name, unescape(value)) for name, value in fields]))
    return found


def requests(count: int, seed: int, known: Known) -> Iterator[httpx.Request]:
    """So many, always the same ones for a seed."""
    chance = random.Random(seed)
    routes = [route for group in pages.GROUPS for route in group.ROUTES]
    makers = (_of_link, _of_route, _of_form, _of_form)
    while count:
        request = chance.choice(makers)(chance, known, routes)
        if request.url.path in SLOW and chance.random() > 0.01:
            continue
        count -= 1
        yield request


def _of_link(chance: random.Random, known: Known, _: Sequence[Route]) -> httpx.Request:
    """An address of a page with some of its parameters changed."""
    url = urlsplit(chance.choice(known.links))
    return _request(chance, known, "GET", url.path, _changed(chance, parse_qsl(url.query), known.names))


def _of_route(chance: random.Random, known: Known, routes: Sequence[Route]) -> httpx.Request:
    """An address of a route with anything in its holes, by any method."""
    route = chance.choice(routes)
    path = re.sub(r"{\w+(?::\w+)?}", lambda _: _quoted(chance.choice(VALUES)), route.path)
    method = chance.choice([*(route.methods or ()), *METHODS])
    return _request(chance, known, method, path, _changed(chance, [], known.names), [])


def _of_form(chance: random.Random, known: Known, _: Sequence[Route]) -> httpx.Request:
    """A form with some of its fields changed."""
    form = chance.choice(known.forms)
    path = (
        form.action if chance.random() < 0.9 else re.sub(r"\d+", _quoted(chance.choice(VALUES)), form.action)
    )
    return _request(chance, known, "POST", path, [], _changed(chance, form.fields, known.names))


def _changed(
    chance: random.Random, fields: Sequence[tuple[str, str]], names: Sequence[str]
) -> list[tuple[str, str]]:
    """Some fields with one or two of them changed, left out or added; the session's token stays, mostly."""
    made = list(fields)
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        at = chance.randrange(len(made) + 1)
        if at == len(made):
            made.append((chance.choice(names), chance.choice(VALUES)))
        elif made[at][0] != "csrf" or chance.random() < 0.1:
            made[at : at + 1] = [(made[at][0], chance.choice(VALUES))] if chance.random() < 0.8 else []
    return made


def _request(
    chance: random.Random,
    known: Known,
    method: str,
    path: str,
    query: Sequence[tuple[str, str]],
    form: Sequence[tuple[str, str]] = (),
) -> httpx.Request:
    headers = [
        (b"Content-Type", chance.choice(KINDS).encode()),
        (b"Accept-Language", chance.choice([b"ru", b"zh;q=x", b"*", b""])),
        (b"Cookie", (known.cookie if chance.random() < 0.9 else chance.choice(COOKIES)).encode()),
        *(
            [(b"Authorization", chance.choice(VALUES).encode("utf-8", "replace"))]
            if chance.random() < 0.1
            else []
        ),
    ]
    body = urlencode(form, errors="replace").encode() if chance.random() < 0.97 else b"\xff%ff&=&" * 30
    url = f"http://127.0.0.1{path}?{urlencode(query, errors='replace')}"
    return httpx.Request(
        method, url, headers=headers, content=body if method not in ("GET", "HEAD") else None
    )


def _quoted(value: str) -> str:
    return quote(value, safe="", errors="replace")


async def asked(app: ASGIApp, count: int, start: Mapping[str, str]) -> Counter[int]:
    """How often each status was the answer, through a transport that raises what a page raises."""
    seen: Counter[int] = Counter()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", follow_redirects=False
    ) as client:
        if start:
            first = _forms((await client.get("/login")).text)[0]
            entered = await client.post("/login", data=dict(first.fields) | dict(start))
            assert entered.status_code == 303
        known = await explored(client)
        for request in requests(count, count, known):
            answer = await client.send(request)
            assert answer.status_code < 500 or answer.status_code == 503, (request, answer.text)
            seen[answer.status_code] += 1
    return seen


@pytest.mark.parametrize("count", [GATE, pytest.param(5_000, marks=pytest.mark.slow)])
def test_no_request_breaks_a_page(sample_home: Path, tmp_path: Path, count: int) -> None:
    home = desk.copy(sample_home, tmp_path / "home")
    desk.held(home, 7, "uncertain", "time-out")
    web.add_harm(home)
    with program(home) as app:
        seen = asyncio.run(asked(app, count, {}))
    print(seen)
    assert {200, 303, 400, 403, 404, 405, 422} <= seen.keys()


@pytest.mark.parametrize("count", [GATE // 4, pytest.param(5_000, marks=pytest.mark.slow)])
def test_no_request_breaks_a_page_with_a_password(sample_home: Path, tmp_path: Path, count: int) -> None:
    home = desk.copy(sample_home, tmp_path / "home")
    web.add_harm(home)
    access.set_password(home, SECRET)
    with program(home) as app:
        within = asyncio.run(asked(app, count, {"password": SECRET}))
        without = asyncio.run(asked(app, count, {}))
    print(within, without)
    assert {200, 303, 404} <= within.keys()
    assert {303, 403} <= without.keys()
