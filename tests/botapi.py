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
import traceback
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
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
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n"
    b"</body>\r\n</html>\r\n"
)


class Answer(NamedTuple):
    """What goes out."""

    status: int
    body: bytes
    headers: dict[str, str]


class BotApi(Control):
    """The server on this machine, from start() to stop(), or as a context manager. ``log``: a file
    to which all that happens in chats is appended, one JSON object a line."""

    def __init__(
        self, token: str = TOKEN, *, flood: bool = True, port: int = 0, log: Path | None = None
    ) -> None:
        super().__init__(World(token, log))
        self.token = token
        self.world.flood.on = flood
        self.is_down = False
        self._listen(port)

    def _listen(self, port: int) -> None:
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
        if not self.is_down:
            self.down()

    def down(self) -> None:
        """Answer no one: connections are refused from now on, and open ones are closed when next used."""
        self.is_down = True
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def up(self) -> None:
        """Serve again, at the same address."""
        self.is_down = False
        self._listen(self._server.server_port)
        self.start()

    __enter__ = start

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if self.crashed and kind is None:
            raise RuntimeError(f"the server itself failed:\n{self.crashed[0]}")


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
        """Clients that go away are part of the play; all else is a fault of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            self.api.crashed.append(traceback.format_exc())


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
            self._reply(_refusal(ApiError(413, "Request Entity Too Large")))
            return
        body = self.rfile.read(length)
        if len(body) < length or self.server.api.is_down:  # the client went in the middle of its request
            self._close()
            return
        if address.path.startswith("/control/"):
            self._control(address.path.removeprefix("/control/"), body)
        elif found := _PATH.fullmatch(address.path):
            self._call(found[1], found[2].lower(), address.query, body)
        else:
            self._reply(_refusal(ApiError(404, "Not Found")))

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
            self._reply(self._done(token, request, query, body))
            return
        if fault.plan.wait_before and not self._silent(fault.seconds, stay=fault.plan.done):
            return
        answer = self._done(token, request, query, body) if fault.plan.done else self._undone(fault)
        if fault.plan.wait_after and not self._silent(fault.seconds, stay=False):
            return
        self._spoiled(fault, answer)

    def _done(self, token: str, request: Request, query: str, body: bytes) -> Answer:
        """Do what is asked."""
        api = self.server.api
        with api.world.lock:
            try:
                _check_token(token, api.token)
                kind = self.headers.get("Content-Type", "")
                call = read_call(request.method, query, kind, body)
                request.args = dict(call.args)
                answer = _json({"ok": True, "result": run(api.world, call)})
            except ApiError as error:
                answer = _refusal(error)
                api.world.record("refused", method=request.method, code=error.code, why=error.description)
            request.status = answer.status
            return answer

    def _undone(self, fault: Fault) -> Answer:
        if fault.plan.answer != "429":
            return _refusal(ApiError(500, "Internal Server Error: restart"))
        world = self.server.api.world
        with world.lock:
            return _refusal(world.flood.block(fault.seconds, world.now()))

    def _spoiled(self, fault: Fault, answer: Answer) -> None:
        """Answer as the fault will have it."""
        match fault.plan.answer:
            case "close":
                self._close()
            case "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self._close()
            case "cut":
                self._head(answer)
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self._close()
            case "drip":
                self._drip(fault.seconds, answer)
            case "502":
                self._reply(Answer(502, _GATEWAY, {"Content-Type": "text/html"}))
            case "500":
                self._reply(_refusal(ApiError(500, "Internal Server Error: restart")))
            case _:
                self._reply(answer)

    # --- on the wire ---

    def _reply(self, answer: Answer) -> None:
        self._head(answer)
        self.wfile.write(answer.body)

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _drip(self, seconds: float, answer: Answer) -> None:
        self._head(answer)
        step = max(1, len(answer.body) // 10)
        for at in range(0, len(answer.body), step):
            self.wfile.write(answer.body[at : at + step])
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
            self._reply(_json({"error": str(error)}, 400))
        else:
            self._reply(_json(result))


def _check_token(token: str, known: str) -> None:
    """telegram-bot-api, ClientManager.cpp, send."""
    if not token or token[0] == "0" or len(token) > 80 or ":" not in token:
        raise ApiError(401, "Unauthorized: invalid token specified")
    if token != known:
        raise ApiError(401, "Unauthorized")


def _refusal(error: ApiError) -> Answer:
    said: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        said["parameters"] = error.parameters
    wait = error.parameters.get("retry_after")
    return _json(said, error.code, {"Retry-After": str(wait)} if wait else {})


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False, default=_plain).encode(), dict(headers or {}))


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
