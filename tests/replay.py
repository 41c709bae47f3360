"""A loopback arXiv: OAI-PMH, RSS and the search API, served from a file of papers as of a given day.

To try the program without a network (docs/crawling.md):

    python tests/replay.py --papers FILE.jsonl[.xz] --days DAYS.json --as-of 2026-05-12

and put what it prints into the environment of `digest crawl`. For the tests it is also the server
from which arXiv's faults come (`loopback.faults`), and the witness of how politely it was asked.

While it runs: POST /replay/as-of?2026-05-13, POST /replay/fault?429, POST
/replay/quiet (no more faults), GET /replay/requests.
"""

from __future__ import annotations

import argparse
import gzip
import json
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from loopback import api, rss
from loopback.api import Api
from loopback.faults import WIRE, Answer, Faults, Where
from loopback.oai import Oai
from loopback.rss import Rss
from loopback.world import HOURS, NEW_YORK, World, load, newest_batch

_XML = {"oai": "application/xml", "rss": "application/rss+xml", "api": "application/atom+xml; charset=utf-8"}


@dataclass
class Asked:
    """One request: when it came and when its answer had gone out, seconds of a monotonic clock that
    all processes of the machine share; ``ended`` is None while it is on its way."""

    service: str
    path: str
    query: Mapping[str, str]
    agent: str
    arrived: float
    ended: float | None = None
    status: int = 0
    fault: str | None = None
    whole: bool = False
    given_up: bool = False


class LoopbackArxiv:
    """arXiv on this machine, from start() to stop(), or as a context manager.

    ``as_of`` is the moment it plays. ``silence`` is how many seconds a stall lasts; ``clock`` the
    one by which dates in headers are given.
    """

    def __init__(
        self,
        world: World,
        as_of: datetime,
        *,
        page_size: int = 2000,
        rss_cap: int = 2000,
        faults: Faults | None = None,
        silence: float = 200.0,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        self.world = world
        self.as_of = as_of
        self.faults = faults or Faults()
        self.silence = silence
        self.clock = clock
        self.requests: list[Asked] = []
        self.oai, self.rss, self.api = Oai(world, page_size), Rss(world, rss_cap), Api(world)
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"arxiv": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self.astray = _Server(("127.0.0.2", 0), handler)  # another host: nobody may come here
        self._threads: list[threading.Thread] = []

    @property
    def base(self) -> str:
        """The address of the server."""
        return "http://{}:{}".format(*self._server.server_address)

    @property
    def elsewhere(self) -> str:
        """The address of a server that is not arXiv; it keeps who asked it and has nothing."""
        return "http://{}:{}".format(*self.astray.server_address)

    @property
    def environment(self) -> dict[str, str]:
        """What `digest` needs to know to ask this server and not arXiv."""
        return {
            "DIGEST_ARXIV_OAI_URL": f"{self.base}/oai",
            "DIGEST_ARXIV_RSS_URL": f"{self.base}/rss",
            "DIGEST_ARXIV_API_URL": f"{self.base}/api/query",
            "DIGEST_ARXIV_GAP_SECONDS": "0.05",
        }

    def start(self) -> Self:
        """Begin to serve, in threads of this process."""
        for server in (self._server, self.astray):
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Serve no more."""
        for server in (self._server, self.astray):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def gaps(self, *, given_up: bool = False) -> list[float]:
        """Seconds from the end of each answer to the next request, from whomever it comes; below 0
        where one came before the other was answered. ``given_up``: of the answers whose reader went
        away, which the server learns a little later than the reader knows it."""
        return gaps(self.requests, given_up=given_up)

    # What is answered

    def answer(self, service: str, path: str, query: Mapping[str, str], fault: str | None) -> Answer:
        """The answer of a service, with a fault of its own if it is one."""
        headers = {"Content-Type": _XML[service]}
        if service == "oai":
            if fault == "modified record":
                self._modify(query)
            return Answer(self.oai.answer(query, f"{self.base}/oai", self.as_of, fault), headers=headers)
        if service == "rss":
            return self._feed(path, headers, fault)
        try:
            if fault == "error with 200":
                return Answer(api.error_feed("internal server error", self.as_of), headers=headers)
            return Answer(self.api.answer(query, self.as_of, fault), headers=headers)
        except api.BadRequest as bad:
            return Answer(api.error_feed(str(bad), self.as_of), 400, headers)
        except api.ServerError:
            html = b"<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n"
            return Answer(html, 500, {"Content-Type": "text/html; charset=utf-8"})

    def _feed(self, path: str, headers: dict[str, str], fault: str | None) -> Answer:
        names = unquote(path.rpartition("/")[2])
        if names == "rss":
            return Answer(b"No archive specified.", headers={"Content-Type": "text/html; charset=utf-8"})
        url = f"{self.base}/rss/{names}"
        try:
            feed, status = self.rss.answer(names, url, self.as_of, fault), 200
        except rss.BadFeed as bad:
            feed, status = rss.error_feed(names, url, self.as_of, str(bad)), 400
        midnight = self.as_of.astimezone(NEW_YORK).replace(hour=23, minute=59, second=59)
        age = f"max-age={int((midnight - self.as_of).total_seconds()) + 1}"
        return Answer(feed, status, {**headers, "ETag": rss.etag(feed), "Cache-Control": age})

    def _modify(self, query: Mapping[str, str]) -> None:
        """Change a record that the earlier pages of a list have sent: the first of the day at which
        the token stands, so that the record after the token is skipped."""
        given = dict(parse_qsl(unquote(query.get("resumptionToken", ""))))
        day = date.fromisoformat(given["from"])
        view = self.world.view("oai", self.as_of)
        listed = view.changed_since(day, given.get("set"))
        if int(given["skip"]) < len(listed):
            self.world.touch(listed[0].record.id, self.as_of)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that goes away is no error of the server."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    arxiv: LoopbackArxiv
    protocol_version = "HTTP/1.1"
    server_version = "replay"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Requests are kept, not printed."""

    def do_GET(self) -> None:
        """Answer a request and keep when that was."""
        arrived = time.monotonic()
        parts = urlsplit(self.path)
        if parts.path.startswith("/replay/"):
            self._reply(
                Answer(self._control(parts.path, parts.query), headers={"Content-Type": "application/json"})
            )
            return
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        service = "elsewhere" if self.server is self.arxiv.astray else _service(parts.path)
        agent = self.headers.get("User-Agent", "")
        asked = Asked(service, parts.path, query, agent, arrived)
        with self.arxiv.lock:
            self.arxiv.requests.append(asked)
            answer = self._answer(service, parts.path, query, asked)
        asked.status = answer.status
        try:
            asked.whole = self._send(answer, asked)
        except OSError:
            asked.given_up, asked.ended = True, None  # its reader went away, at some time before now
        finally:
            asked.ended = asked.ended or time.monotonic()
            self.close_connection = True

    do_POST = do_GET  # noqa: N815 - the name of the base class

    def _answer(self, service: str, path: str, query: Mapping[str, str], asked: Asked) -> Answer:
        if service == "elsewhere":
            return Answer(b"not found", 404, {"Content-Type": "text/plain"})
        again = {name: value for name, value in query.items() if name != "again"}
        later = "resumptionToken" in query or int(query.get("start", "0")) > 0
        asked.fault = fault = None if "again" in query else self.arxiv.faults.next(service, later)
        answer = self.arxiv.answer(service, path, again, fault)
        if (
            self.headers.get("If-None-Match") == dict(answer.headers).get("ETag", "") != ""
            and fault not in WIRE
        ):
            return replace(answer, status=304, body=b"")
        if fault in WIRE:
            elsewhere = f"{self.arxiv.elsewhere}{self.path}"
            where = Where(f"{self.arxiv.base}{self.path}", elsewhere, self.arxiv.clock(), self.arxiv.silence)
            answer = WIRE[fault](answer, where)
        return self._packed(answer)

    def _packed(self, answer: Answer) -> Answer:
        wanted = "gzip" in self.headers.get("Accept-Encoding", "")
        if (
            not wanted
            or answer.sent is not None
            or answer.drip
            or not answer.body
            or "Content-Encoding" in answer.headers
        ):
            return answer
        headers = {**answer.headers, "Content-Encoding": "gzip"}
        return replace(answer, body=gzip.compress(answer.body, 1), headers=headers)

    def _send(self, answer: Answer, asked: Asked) -> bool:
        """Send an answer, with what goes wrong in it; whether it went out whole.

        The answer ends for us before its last byte is given away: so the reader cannot have seen its
        end before.
        """
        if answer.wait and not self._silent(answer.wait):
            asked.given_up = True
            return False
        body = answer.body if answer.sent is None else answer.body[: answer.sent]
        if answer.reset == "before" or not body:
            asked.ended = time.monotonic()
        if answer.reset == "before":
            return self._reset()
        self._head(answer)
        if answer.drip:
            asked.given_up = not self._drip(body, answer.drip)
            return not asked.given_up
        self.wfile.write(body[:-1])
        asked.ended = asked.ended or time.monotonic()
        if answer.reset == "after":
            return self._reset()
        self.wfile.write(body[-1:])
        return answer.sent is None

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in dict(answer.headers).items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()

    def _reply(self, answer: Answer) -> None:
        self._head(answer)
        self.wfile.write(answer.body)
        self.close_connection = True

    def _silent(self, seconds: float) -> bool:
        """Say nothing for so long; whether the reader is still there."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        return not readable

    def _drip(self, body: bytes, pause: float) -> bool:
        for at in range(0, len(body), max(1, len(body) // 50)):
            self.wfile.write(body[at : at + max(1, len(body) // 50)])
            if not self._silent(pause):
                return False
        return True

    def _reset(self) -> bool:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        return False

    def _control(self, path: str, argument: str) -> bytes:
        """What a person or another process may do: see the requests, set the day, order a fault."""
        text = unquote(argument.replace("+", " "))
        with self.arxiv.lock:
            if path == "/replay/as-of":
                self.arxiv.as_of = moment(text)
            elif path == "/replay/fault":
                self.arxiv.faults.order(text)
            elif path == "/replay/quiet":
                self.arxiv.faults = Faults()
            elif path == "/replay/requests":
                return json.dumps([asdict(one) for one in self.arxiv.requests]).encode()
        return json.dumps({"as_of": self.arxiv.as_of.isoformat()}).encode()


def gaps(requests: Sequence[Asked], *, given_up: bool = False) -> list[float]:
    """See LoopbackArxiv.gaps."""
    asked = sorted((one for one in requests if one.ended), key=lambda one: one.arrived)
    found, last = [], None
    for one in asked:
        if last is not None and last.given_up == given_up:
            found.append(one.arrived - (last.ended or 0.0))
        if last is None or (one.ended or 0.0) > (last.ended or 0.0):
            last = one
    return found


def _service(path: str) -> str:
    """Whose address a path is."""
    first = path.strip("/").split("/")[0]
    return {"oai": "oai", "oai2": "oai", "rss": "rss", "api": "api"}.get(first, "elsewhere")


def moment(text: str) -> datetime:
    """An ISO time, or a day, which means noon in New York."""
    if len(text) == len("2026-05-12"):
        return datetime.fromisoformat(f"{text}T12:00").replace(tzinfo=NEW_YORK).astimezone(UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _seeded(text: str) -> Faults:
    seed, _, rate = text.partition(":")
    return Faults(int(seed), float(rate))


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--papers", type=Path, required=True, help="records of the metadata snapshot, .jsonl or .jsonl.xz"
    )
    parser.add_argument(
        "--days", type=Path, help="when they were announced: {day: [ids]}; else by their dates"
    )
    parser.add_argument("--as-of", type=moment, required=True, help="the day, or the moment, that is played")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--page-size", type=int, default=2000, help="records in a page of OAI-PMH")
    parser.add_argument("--faults", type=_seeded, default=Faults(), metavar="SEED:RATE", help="e.g. 1:0.2")
    given = parser.parse_args()
    world = load(given.papers, given.days)
    arxiv = LoopbackArxiv(world, given.as_of, page_size=given.page_size, faults=given.faults, port=given.port)
    with arxiv:
        day = newest_batch(given.as_of, HOURS["oai"])
        known = len(world.until(day).papers)
        print(f"# {known} papers until {day}; Ctrl-C to end", flush=True)
        for name, value in arxiv.environment.items():
            print(f"export {name}={value}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"# {len(arxiv.requests)} requests")


if __name__ == "__main__":
    main()
