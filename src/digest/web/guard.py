"""What every request passes before a page sees it, and every answer afterwards.

- Its host is one of ours: a name that an attacker points at 127.0.0.1 is none (DNS rebinding).
- What would change something comes from our own pages, as browsers tell it in Sec-Fetch-Site and Origin
  (https://web.dev/articles/fetch-metadata).
- Its body is small and comes soon.
- The answer forbids browsers all but our own files (https://www.w3.org/TR/CSP3/).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 512 * 1024
"""Of a body. The longest there is, a post of ten messages in its source, has 60 kB."""
BODY_SECONDS = 20.0

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TOO_LONG = f"the body is longer than {MOST_BYTES:,} bytes"
SAFE = frozenset({"GET", "HEAD"})


class Guard:
    """Lets through what is well, and answers the rest with a line."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        answer = self._refusal(scope) or await _with_body(self.app, receive)
        if isinstance(answer, tuple):
            status, reason = answer
            answer = PlainTextResponse(f"{reason}\n", status, {"Connection": "close"})
        await answer(scope, receive, _guarded(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._hosts.has(host):
            return 421, "this host is not served here; name it in page.hosts"
        if scope["method"] not in SAFE and not _is_ours(headers, host):
            return 403, "this came from another site"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return 413, _TOO_LONG
        return None


class Hosts:
    """The hosts that are served: on this machine alone its own names; elsewhere addresses too, which nobody
    can point elsewhere; and those that are named."""

    def __init__(self, address: str, named: Iterable[str] = ()) -> None:
        self._local = is_loopback(address)
        self._named = frozenset(name.lower() for name in named)

    def has(self, host: str) -> bool:
        """Whether a Host header names one of them."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._named or is_loopback(name):
            return True
        return not self._local and _is_address(name)


def is_loopback(name: str) -> bool:
    """Whether only this machine can reach an address, or is meant by a name."""
    return name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)


def local_path(given: str | None) -> str:
    """A path of this site to go on to; "/" for what could lead anywhere else."""
    path = given or "/"
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe and "\\" not in path else "/"


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_ours(headers: Headers, host: str) -> bool:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    return site in (None, "same-origin") and (origin is None or urlsplit(origin).netloc == host)


async def _with_body(app: ASGIApp, receive: Receive) -> ASGIApp | tuple[int, str]:
    """The application with the whole body of a request before it; else why it was not taken."""
    try:
        body = await asyncio.wait_for(_body(receive), BODY_SECONDS)
    except TimeoutError:
        return 408, "the body took too long"
    if body is None:
        return 413, _TOO_LONG

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, _given(body, receive), send)

    return answer


def _guarded(send: Send) -> Send:
    """Sends every answer with the headers that guard it."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where it is too long."""
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        piece = message.get("body", b"")
        size += len(piece)
        if size > MOST_BYTES:
            return None
        pieces.append(piece)
        more = message.get("more_body", False)
    return b"".join(pieces)


def _given(body: bytes, receive: Receive) -> Receive:
    """A body that is there, as what a page receives."""
    left = [body]

    async def give() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return give
