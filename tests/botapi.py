"""A strict loopback Telegram Bot API: real limits, rights and error texts, and faults on demand.

In a test:

    with BotApi() as api:
        channel = api.chat("channel", username="xai_daily")
        ...                                   # a client talks to api.url with api.token
        assert [one.text for one in api.messages(channel)] == ["..."]

As a process of its own, which prints its address and outlives its clients:

    python tests/botapi.py --port 0 --state messages.jsonl

What a test does in the first case with methods of ``api`` it does in the second over HTTP:
``Remote(address).messages(chat)`` (botserver.control lists them all).
"""

from __future__ import annotations

import argparse
import json
import re
import select
import socket
import struct
import sys
import threading
import urllib.request
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

from botserver.chats import Message, World
from botserver.control import Control, Request
from botserver.faults import Fault
from botserver.methods import run
from botserver.request import ApiError, read_call

TOKEN = "7000000001:AAEtheLoopbackBotApiTokenOfTheTests"
_BODY_LIMIT = 50 * 1024 * 1024
_PATH = re.compile(r"/bot([^/]*)/(?:test/)?([^/]*)")
_GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n"
)


class BotApi(Control):
    """The server on this machine, from start() to stop(), or as a context manager. ``log``: a file
    to which all that happens in chats is appended, one JSON object a line."""

    def __init__(
        self, token: str = TOKEN, *, flood: bool = True, port: int = 0, log: Path | None = None
    ) -> None:
        super().__init__(World(token, log))
        self.token = token
        self.world.flood.on = flood
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The address, without a slash at its end: methods are at URL/botTOKEN/METHOD."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all that is under way."""
        self.world.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()


class Remote:
    """The control of a server in another process: the methods of Control, by HTTP."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        self.url, self.token = url, token

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any, **kwargs: Any) -> Any:
            body = json.dumps({"args": args, "kwargs": kwargs}).encode()
            request = urllib.request.Request(f"{self.url}/control/{name}", body, method="POST")
            with urllib.request.urlopen(request, timeout=60) as answer:
                result = json.load(answer)
            kind = {"messages": Message, "history": Message, "requests": Request}.get(name)
            return [kind(**one) for one in result] if kind else result

        return ask


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api: BotApi, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the play."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ValueError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "nginx/1.18.0"
    sys_version = ""
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """The address of a request holds the token: it is not printed."""

    def do_GET(self) -> None:
        """Answer a call, or a request of the control."""
        address = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > _BODY_LIMIT:
            self.close_connection = True
            self._error(ApiError(413, "Request Entity Too Large"))
            return
        body = self.rfile.read(length)
        if address.path.startswith("/control/"):
            self._control(address.path.removeprefix("/control/"), body)
        elif found := _PATH.fullmatch(address.path):
            self._call(found[1], found[2].lower(), address.query, body)
        else:
            self._error(ApiError(404, "Not Found"))

    do_POST = do_GET  # noqa: N815 - the name of the base class

    # --- a call ---

    def _call(self, token: str, method: str, query: str, body: bytes) -> None:
        api = self.server.api
        with api.world.lock:
            fault = api.faulty.next(method)
            request = Request(api.world.now(), method, {}, fault.name if fault else "")
            api.log.append(request)
            if fault:
                api.world.record("fault", name=fault.name, method=method)
        if fault is None:
            self._reply(*self._done(token, request, query, body))
            return
        if fault.plan.wait_before and not self._silent(fault.seconds, stay=fault.plan.done):
            return
        answer = self._done(token, request, query, body) if fault.plan.done else self._undone(fault)
        if fault.plan.wait_after and not self._silent(fault.seconds, stay=False):
            return
        self._spoiled(fault, *answer)

    def _done(
        self, token: str, request: Request, query: str, body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        """Do what is asked: status, body, headers."""
        api, headers = self.server.api, dict[str, str]()
        with api.world.lock:
            try:
                _check_token(token, api.token)
                kind = self.headers.get("Content-Type", "")
                call = read_call(request.method, query, kind, body)
                request.args = dict(call.args)
                answer = 200, _packed({"ok": True, "result": run(api.world, call)}), headers
            except ApiError as error:
                answer = _refusal(error)
                api.world.record("refused", method=request.method, code=error.code, why=error.description)
            request.status = answer[0]
            return answer

    def _undone(self, fault: Fault) -> tuple[int, bytes, dict[str, str]]:
        if fault.plan.answer != "429":
            return _refusal(ApiError(500, "Internal Server Error: restart"))
        world = self.server.api.world
        with world.lock:
            return _refusal(world.flood.block(fault.seconds, world.now()))

    def _spoiled(self, fault: Fault, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer as the fault will have it."""
        match fault.plan.answer:
            case "close":
                self._close()
            case "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self._close()
            case "cut":
                self._head(status, len(body), headers)
                self.wfile.write(body[: len(body) // 2])
                self._close()
            case "drip":
                self._drip(fault.seconds, status, body, headers)
            case "502":
                self._reply(502, _GATEWAY, {"Content-Type": "text/html"})
            case "500":
                self._error(ApiError(500, "Internal Server Error: restart"))
            case _:
                self._reply(status, body, headers)

    # --- on the wire ---

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._head(status, len(body), headers)
        self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _error(self, error: ApiError) -> None:
        self._reply(*_refusal(error))

    def _drip(self, seconds: float, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._head(status, len(body), headers)
        step = max(1, len(body) // 10)
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            if not self._silent(seconds / 10, stay=False):
                return

    def _silent(self, seconds: float, *, stay: bool) -> bool:
        """Say nothing for so long by the server's clock; False if the client went before (and we do
        not ``stay`` all the same) or the server stops."""
        world = self.server.api.world
        until = world.now() + seconds
        while (left := until - world.now()) > 0:
            if world.closing:
                self._close()
                return False
            if stay:
                with world.lock:
                    world.lock.wait(min(left, 0.2))
            elif select.select([self.connection], [], [], min(left, 0.2))[0]:
                self._close()
                return False
        return True

    def _close(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()

    # --- the control ---

    def _control(self, name: str, body: bytes) -> None:
        function = None if name.startswith("_") else getattr(Control, name, None)
        query = dict(parse_qsl(urlsplit(self.path).query))
        try:
            if function is None:
                raise ValueError(f"the control has no {name}")
            given = json.loads(body or b"{}")
            kwargs = given.get("kwargs", {}) | {key: json.loads(value) for key, value in query.items()}
            result = function(self.server.api, *given.get("args", ()), **kwargs)
        except (ValueError, TypeError, KeyError) as error:
            self._reply(400, _packed({"error": str(error)}), {})
        else:
            self._reply(200, _packed(result), {})


def _check_token(token: str, known: str) -> None:
    """telegram-bot-api, ClientManager.cpp, send."""
    if not token or token[0] == "0" or len(token) > 80 or ":" not in token:
        raise ApiError(401, "Unauthorized: invalid token specified")
    if token != known:
        raise ApiError(401, "Unauthorized")


def _refusal(error: ApiError) -> tuple[int, bytes, dict[str, str]]:
    said: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        said["parameters"] = error.parameters
    wait = error.parameters.get("retry_after")
    return error.code, _packed(said), {"Retry-After": str(wait)} if wait else {}


def _packed(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, help="a file to which all that happens in chats is appended")
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--no-flood", action="store_true", help="without limits on posting")
    given = parser.parse_args()
    with BotApi(given.token, flood=not given.no_flood, port=given.port, log=given.state) as api:
        print(api.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
