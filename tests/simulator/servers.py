"""arXiv and Telegram as they are in the tests (loopback, botserver), without sockets: what the program asks
comes to them through httpx's own transports, on a clock of theirs, with faults at a rate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import httpx

from botapi import TOKEN
from botserver.chats import World as Chats
from botserver.control import Control
from botserver.faults import PLANS, named
from botserver.methods import run
from botserver.request import ApiError, read_call
from loopback.faults import SERVICE, WIRE, Answer, Where
from loopback.oai import Oai
from loopback.world import World
from simulator.perils import ANSWERED, Clock, Perils

Told = Callable[[str], None]

_HUGE = ("gzip bomb", "endless body", "xml bomb")  # each takes seconds, and has a test of its own
_RARE = ("403",)  # closes the gate for a day
ARXIV_FAULTS = [name for name in (*WIRE, *SERVICE["oai"]) if name not in (*_HUGE, *_RARE, "modified record")]
TELEGRAM_FAULTS = [*PLANS, "429:40"]
_READ_TIMEOUT = {"arxiv": 120.0, "telegram": 30.0}
_LATE = 45.0  # a request is done so long after it came, when its client has long gone


# --- arXiv ----------------------------------------------------------------------------------------


class _Body(httpx.SyncByteStream):
    """What comes of an answer before it breaks off."""

    def __init__(self, body: bytes, broken: str) -> None:
        self._body, self._broken = body, broken

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        if self._broken:
            raise httpx.RemoteProtocolError(self._broken)


class Arxiv(httpx.BaseTransport):
    """OAI-PMH of a world. ``down``: nobody answers."""

    def __init__(self, world: World, clock: Clock, perils: Perils, random: Random, told: Told) -> None:
        self.clock, self._perils, self._random, self._told = clock, perils, random, told
        self._oai = Oai(world, page_size=40)
        self.rate = 0.0
        self.down = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """An answer, or what comes instead of it."""
        self._perils.step("before arXiv is asked")
        asked = dict(parse_qsl(request.url.query.decode()))
        fault = self._fault("resumptionToken" in asked)
        self._told(f"arXiv {'later page' if 'resumptionToken' in asked else 'page'} {fault or ''}".rstrip())
        if fault == "down":
            self.clock.at += 10
            raise httpx.ConnectError("[Errno 111] Connection refused")
        own = fault if fault in SERVICE["oai"] else None
        body = self._oai.answer(asked, "http://oaipmh.arxiv.org/oai", self.clock.true(), own)
        answer = Answer(body, headers={"Content-Type": "application/xml"})
        where = Where(str(request.url), "http://127.0.0.2/", self.clock.at, 200.0)
        answer = WIRE[fault](answer, where) if fault in WIRE else answer
        self.clock.at += 1.0
        self._perils.step("before arXiv's answer is read")
        return self._sent(answer)

    def _fault(self, later: bool) -> str | None:
        if self.down:
            return "down"
        if self._random.random() >= self.rate:
            return None
        fault = self._random.choice([*ARXIV_FAULTS, "down"])
        needs_page = fault in ("duplicate token", "expired token")
        return "503" if needs_page and not later else fault

    def _sent(self, answer: Answer) -> httpx.Response:
        if answer.wait or answer.drip:
            self.clock.at += _READ_TIMEOUT["arxiv"]
            raise httpx.ReadTimeout("The read operation timed out")
        if answer.reset == "before":
            raise httpx.ReadError("[Errno 104] Connection reset by peer")
        whole = answer.sent is None and not answer.reset
        body = answer.body if answer.sent is None else answer.body[: answer.sent]
        broken = "" if whole else "peer closed connection without sending complete message body"
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=_Body(body, broken))


# --- Telegram -------------------------------------------------------------------------------------


class _Timed(Chats):
    """The server's chats on the time of the world."""

    clock: Clock

    def now(self) -> float:
        """Unix time."""
        return self.clock.at


@dataclass
class _Pending:
    """A call that is done later than its client waits for it."""

    due: float
    call: tuple[str, str, str, bytes]


class Telegram(httpx.AsyncBaseTransport, Control):
    """The Bot API of the tests. ``down``: nobody answers."""

    def __init__(self, clock: Clock, perils: Perils, random: Random, told: Told) -> None:
        chats = _Timed(TOKEN)
        chats.clock = clock
        Control.__init__(self, chats)
        self.clock, self._perils, self._random, self._told = clock, perils, random, told
        self._pending: list[_Pending] = []
        self.rate = 0.0
        self.down = False
        self.unheard: list[tuple[float, float]] = []  # 429s that nobody lived to hear: when, until when

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """An answer, or what comes instead of it."""
        body = await request.aread()
        kind = request.headers.get("Content-Type", "")
        method = request.url.path.rpartition("/")[2].lower()
        return self._answered((method, request.url.query.decode(), kind, body))

    def catch_up(self) -> None:
        """Do what was to be done later."""
        due = [one for one in self._pending if one.due <= self.clock.at]
        self._pending = [one for one in self._pending if one.due > self.clock.at]
        for one in due:
            self._told(f"telegram {one.call[0]} is done late: {self._done(one.call)[0]}")

    def _answered(self, call: tuple[str, str, str, bytes]) -> httpx.Response:
        self._perils.step("before Telegram is asked")
        self.catch_up()
        if self.down:
            self.clock.at += 10
            raise httpx.ConnectError("All connection attempts failed")
        self.clock.at += 0.2
        fault = self._random.choice(TELEGRAM_FAULTS) if self._random.random() < self.rate else ""
        plan = named(fault).plan if fault else PLANS["slow"]
        if fault.startswith("late"):
            self._pending.append(_Pending(self.clock.at + _LATE, call))
            status, said = 0, b""
        elif plan.done:
            status, said = self._done(call)
        else:
            status, said = self._undone(fault)
        self._told(f"telegram {call[0]} {status} {fault}".rstrip())
        try:
            self._perils.step(ANSWERED)
        except BaseException:
            if status == 429:
                self.unheard.append((self.clock.at, self.clock.at + 61))
            raise
        return self._spoiled(plan.answer, status, said, waits=fault.startswith(("late", "hang")))

    def _done(self, call: tuple[str, str, str, bytes]) -> tuple[int, bytes]:
        method, query, kind, body = call
        try:
            return 200, _json({"ok": True, "result": run(self.world, read_call(method, query, kind, body))})
        except ApiError as error:
            return error.code, _refusal(error)

    def _undone(self, fault: str) -> tuple[int, bytes]:
        if not fault.startswith("429"):
            return 500, _refusal(ApiError(500, "Internal Server Error: restart"))
        error = self.world.flood.block(named(fault).seconds, self.clock.at)
        return error.code, _refusal(error)

    def _spoiled(self, how: str, status: int, said: bytes, *, waits: bool) -> httpx.Response:
        if waits:
            self.clock.at += _READ_TIMEOUT["telegram"]
            raise httpx.ReadTimeout("")
        if how in ("close", "cut"):
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        if how == "reset":
            raise httpx.ReadError("")
        if how == "502":
            return httpx.Response(502, html="<html><body><h1>502 Bad Gateway</h1></body></html>")
        if how == "500":
            status, said = 500, _refusal(ApiError(500, "Internal Server Error: restart"))
        return httpx.Response(status, content=said, headers={"Content-Type": "application/json"})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _refusal(error: ApiError) -> bytes:
    told: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    return _json(told | ({"parameters": error.parameters} if error.parameters else {}))
