"""The server: one process, one port, connections that nobody can hold on to."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from digest.errors import DigestError
from digest.web.guard import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

HEADER_SECONDS = 10.0
"""For a request's line and headers, from the first byte or, on a new connection, from its begin."""
MOST_HEADER_BYTES = 16 * 1024
MOST_CONNECTIONS = 200


class Protocol(H11Protocol):
    """uvicorn's HTTP, which waits for ever for the first request of a connection: this one does not."""

    def connection_made(self, transport: Any) -> None:
        """Begin to count."""
        super().connection_made(transport)
        self._count()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to count."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """A request whose headers are there may take its time (``Guard`` counts for its body)."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._deadline.cancel()

    def on_response_complete(self) -> None:
        """For the next request on this connection, count anew; also for who does not read the answer."""
        self._count()
        super().on_response_complete()

    def _count(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.abort)


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens. Raises DigestError where it cannot."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address, port))
        found.listen(128)
    except OSError as error:
        found.close()
        reason = error.strerror or str(error)
        raise DigestError(f"{address}:{port}: {reason}; choose another with --address or --port") from error
    return found


def url(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    if not is_loopback(host) and host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server(app: ASGIApp) -> uvicorn.Server:
    """A server of the page; ``run(sockets=[...])`` serves until a signal ends it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(HEADER_SECONDS),
            timeout_graceful_shutdown=5,
            limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        )
    )


def serve(app: ASGIApp, listening: socket.socket, told: Callable[[str], None]) -> None:
    """Serve until a signal ends it; ``told`` is given the address once it answers."""

    async def run() -> None:
        made = server(app)
        task = asyncio.create_task(made.serve(sockets=[listening]))
        while not made.started and not task.done():
            await asyncio.sleep(0.01)
        if made.started:
            told(url(listening))
        await task

    asyncio.run(run())
