"""What can go wrong between arXiv and its reader, by name.

A fault of the wire turns a good answer into what comes instead of it; one of a service is made by
the service itself (`loopback.oai`, `loopback.rss`, `loopback.api`) or changes its world.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from random import Random
from typing import Literal


@dataclass(frozen=True)
class Answer:
    """What is sent: ``sent`` bytes of the body (None: all), after ``wait`` seconds of silence, in
    pieces ``drip`` seconds apart; ``reset``: the connection is reset before or after the headers."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = ()  # type: ignore[assignment]
    sent: int | None = None
    wait: float = 0.0
    drip: float = 0.0
    reset: Literal["", "before", "after"] = ""


class Where:
    """What a fault may refer to: the address of the answer, another host, the time, and how long a
    silence must be for the reader to give up."""

    def __init__(self, address: str, elsewhere: str, now: float, silence: float) -> None:
        self.address, self.elsewhere, self.now, self.silence = address, elsewhere, now, silence


Fault = Callable[[Answer, Where], Answer]

_HTML = b"<!DOCTYPE html>\n<html><head><title>arXiv</title></head><body><p>Back soon</p></body></html>\n"
_TEXT = "text/plain; charset=utf-8"
# A billion letters in a kilobyte (https://cwe.mitre.org/data/definitions/776.html).
_BOMB = b'<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY a "lollollol">%s]>\n' % b"".join(
    b'<!ENTITY %c "%s">' % (name, (b"&%c;" % (name - 1)) * 10) for name in range(ord("b"), ord("j"))
)
_FILE = b"""<?xml version="1.0"?>
<!DOCTYPE file [<!ENTITY passwords SYSTEM "file:///etc/passwd">]>
"""


def _status(status: int, said: str = "", **headers: str) -> Fault:
    """An answer of this status; its headers may hold {later}, a date 2 s from now."""

    def fault(_: Answer, where: Where) -> Answer:
        later = formatdate(where.now + 2, usegmt=True)
        told = {name.replace("_", "-"): value.format(later=later) for name, value in headers.items()}
        return Answer(said.encode(), status, {"Content-Type": _TEXT, **told})

    return fault


def _instead(body: bytes, **more: str) -> Fault:
    """Something else, with status 200."""
    return lambda answer, _: replace(answer, body=body, headers={**answer.headers, **more})


def _entity(document_type: bytes, name: bytes) -> Fault:
    """The answer with a document type whose entity stands in its first text."""

    def fault(answer: Answer, _: Where) -> Answer:
        inside = re.sub(rb"^<\?xml[^>]*\?>\s*", document_type, answer.body)
        return replace(
            answer, body=re.sub(rb"</(title|responseDate)>", rb"&" + name + rb";</\1>", inside, count=1)
        )

    return fault


def _packed(answer: Answer, packed: bytes) -> Answer:
    return replace(answer, body=packed, headers={**answer.headers, "Content-Encoding": "gzip"})


def _redirect(to: Callable[[Where], str]) -> Fault:
    return lambda _, where: Answer(b"", 301, {"Location": to(where)})


def _around(where: Where) -> str:
    mark = "&" if "?" in where.address else "?"
    return f"{where.address}{mark}again=1"


def _spoilt(spoil: bytes) -> Fault:
    """The answer with something inside that XML or UTF-8 do not allow."""

    def fault(answer: Answer, _: Where) -> Answer:
        at = answer.body.rfind(b"</")
        return replace(answer, body=answer.body[:at] + spoil + answer.body[at:])

    return fault


WIRE: dict[str, Fault] = {
    "429": _status(429, "Rate exceeded."),
    "429, seconds": _status(429, "Rate exceeded.", Retry_After="2"),
    "429, date": _status(429, "Rate exceeded.", Retry_After="{later}"),
    "429, junk": _status(429, "Rate exceeded.", Retry_After="soon"),
    "200, rate exceeded": _instead(b"Rate exceeded."),
    "503": _status(503, "upstream connect error"),
    "503, seconds": _status(503, "Retry after 2 seconds", Retry_After="2"),
    "502": _status(502, "Bad Gateway"),
    "504": _status(504, "Gateway Timeout"),
    "500": _status(500, "Internal Server Error"),
    "403": _status(403, "Forbidden"),
    "200, html": _instead(_HTML, **{"Content-Type": "text/html; charset=utf-8"}),
    "200, other xml": _instead(b"<?xml version='1.0'?>\n<note>Back soon</note>\n"),
    "empty body": _instead(b""),
    "white space": _instead(b"\n\n"),
    "cut body": lambda answer, _: replace(answer, sent=len(answer.body) * 2 // 3),
    "cut xml": lambda answer, _: replace(answer, body=answer.body[: len(answer.body) * 2 // 3]),
    "cut gzip": lambda answer, _: _packed(
        answer, gzip.compress(answer.body, 1)[: len(answer.body) // 20 + 30]
    ),
    "not gzip": lambda answer, _: _packed(answer, answer.body),
    "other packing": lambda answer, _: replace(answer, headers={**answer.headers, "Content-Encoding": "br"}),
    "bad utf-8": _spoilt(b"\xff\xfe\xc3"),
    "stray entity": _spoilt(b"&nonsense;"),
    "two documents": lambda answer, _: replace(answer, body=answer.body * 2),
    "xml bomb": _entity(_BOMB, b"i"),
    "external entity": _entity(_FILE, b"passwords"),
    "gzip bomb": lambda answer, _: _packed(answer, gzip.compress(b"<!--" + b" " * (80 << 20), 1)),
    "endless body": lambda answer, _: replace(answer, body=answer.body[:-9] + b" " * (80 << 20)),
    "301 inside": _redirect(_around),
    "301 elsewhere": _redirect(lambda where: where.elsewhere),
    "301 without end": _redirect(lambda where: where.address),
    "301 nowhere": lambda _, where: Answer(b"", 301, {}),
    "stall": lambda answer, where: replace(answer, wait=where.silence),
    "drip": lambda answer, where: replace(answer, drip=where.silence / 4),
    "reset before headers": lambda answer, _: replace(answer, reset="before"),
    "reset after headers": lambda answer, _: replace(answer, reset="after"),
    "reset in the body": lambda answer, _: replace(answer, reset="after", sent=len(answer.body) // 2),
}
"""Faults that any service may show."""

SERVICE: dict[str, dict[str, str]] = {
    "oai": {
        "duplicate token": "a page whose token is the one it was asked with",
        "expired token": "badResumptionToken for a token that was good",
        "modified record": "a record sent before is changed, so that another one is skipped",
        "empty list": "a list without a record, and no error",
    },
    "rss": {
        "stale feed": "the last batch, with today's dates",
        "truncated feed": "half of the items: the ones that are new are missing first",
        "empty feed": "no item on a weekday",
    },
    "api": {
        "empty page": "a page without entries, though there are more",
        "no results": "a feed that says there is nothing",
        "changed total": "another totalResults than there are",
        "repeated page": "the page before once more",
        "unsorted": "entries in another order",
        "error with 200": "the feed of an error, with status 200",
    },
}
"""Faults of one service, by name, and what they are."""


def names(service: str) -> list[str]:
    """All faults that a service may show."""
    return [*WIRE, *SERVICE.get(service, {})]


class Faults:
    """Which fault strikes which request: those that were ordered, in their order, each at the first
    request it fits; then, of each request, a share ``rate`` at random, the same for the same seed."""

    def __init__(self, seed: int = 0, rate: float = 0.0, among: Iterable[str] | None = None) -> None:
        self._random = Random(seed)
        self._rate = rate
        self._among = None if among is None else list(among)
        self._ordered: list[tuple[str, str | None]] = []

    def order(self, name: str, service: str | None = None, times: int = 1) -> None:
        """Let a fault strike the next requests, or the next ones to a service."""
        known = [fault for of_service in (WIRE, *SERVICE.values()) for fault in of_service]
        if name not in known:
            raise ValueError(f"no fault {name!r}; there are {', '.join(known)}")
        self._ordered += [(name, service)] * times

    def next(self, service: str, later_page: bool) -> str | None:
        """The fault for a request; ``later_page``: it asks for what follows an earlier page."""
        fitting = [name for name in names(service) if later_page or not needs_page(name)]
        for at, (name, wanted) in enumerate(self._ordered):
            if name in fitting and wanted in (None, service):
                return self._ordered.pop(at)[0]
        if self._random.random() >= self._rate:
            return None
        drawn = fitting if self._among is None else [name for name in self._among if name in fitting]
        return self._random.choice(drawn) if drawn else None

    @property
    def waiting(self) -> int:
        """How many ordered faults have not struck yet."""
        return len(self._ordered)


def needs_page(name: str) -> bool:
    """Can a fault only strike a request for a later page?"""
    return name in ("duplicate token", "expired token", "modified record", "empty page", "repeated page")
