"""The one gate to arXiv, for all sources and all processes of a machine.

arXiv asks for at least three seconds between requests and one connection, over API, OAI-PMH and RSS
together (https://info.arxiv.org/help/api/tou.html, "Rate limits"). So every request holds a lock on
one small file, in which stands when the next one may begin, whether arXiv asked us to stay away, and
for how long. Whatever comes back is either what was asked for, or a named failure: never "nothing".
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from random import Random
from threading import Timer
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
from msgspec.structs import replace

from digest.errors import ConfigError, Deferred, InputError, NotAnAnswer, refused
from digest.sources.gap import LEAST_GAP, is_loopback

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

logger = logging.getLogger(__name__)

_TRIES = 5
_TRIES_TO_REACH, _REACH_SECONDS = 3, 10.0  # where no connection comes about, nothing was asked
_REDIRECTS = 3
_BODY_CAP = 64 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 900.0
_LONGEST_RETRY_AFTER = 86_400.0
_THROTTLES = 3  # in a row, until the gate closes
_CLOSED, _LONGEST_CLOSED = 3600.0, 8 * 3600.0
_FORBIDDEN = 86_400.0
_RETRIED = frozenset({408, 425, 429})  # and all that are neither 200 nor 400 to 499
_REDIRECTED = frozenset({301, 302, 303, 307, 308})


def user_agent(version: str, contact: str | None, url: str | None = None) -> str:
    """How the program names itself: "digest/0.1.0 (+https://example.org; mailto:me@example.org)"."""
    about = "; ".join([*([f"+{url}"] if url else []), *([f"mailto:{contact}"] if contact else [])])
    return f"digest/{version} ({about})" if about else f"digest/{version}"


def default_state(name: str = "arxiv-gate") -> Path:
    """Where a gate's state stands: in the user's state folder, whatever the digest home
    (https://specifications.freedesktop.org/basedir-spec/latest/)."""
    given = os.environ.get("XDG_STATE_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path("~/.local/state").expanduser()
    return base / "digest" / f"{name}.json"


# --- what is remembered between requests, and what follows from it; pure ---------------------------


class GateState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands in the file; times are seconds since 1970.

    ``next_allowed_at``: a gap after the last response ended. ``busy``: a request is on its way, or
    was when its process died. ``closed_until`` (decided at ``closed_at``): no request before it, and
    ``reason`` says why. ``throttles``: answers 429 in a row; ``closings``: how often they closed the
    gate since the last good answer.
    """

    next_allowed_at: float = 0.0
    busy: bool = False
    closed_until: float = 0.0
    closed_at: float = 0.0
    reason: str = ""
    throttles: int = 0
    closings: int = 0

    def gap_left(self, now: float, gap: float) -> float:
        """Seconds until the gap has passed; at most one gap, should the clock have been set back.
        After a request whose end nobody saw it begins anew."""
        return gap if self.busy else min(max(self.next_allowed_at - now, 0.0), gap)

    def closed_left(self, now: float) -> float:
        """Seconds the gate stays closed; not longer than was decided, whatever the clock says."""
        return min(max(self.closed_until - now, 0.0), max(self.closed_until - self.closed_at, 0.0))

    def closed(self, now: float, seconds: float, reason: str) -> GateState:
        """The state in which the gate is closed for so long, or longer if it was."""
        until = max(now + seconds, now + self.closed_left(now))
        return replace(self, closed_until=until, closed_at=now, reason=reason[:200])


def after_answer(state: GateState, reply: Reply, now: float) -> GateState:
    """The state after an answer: 429 three times in a row closes the gate for 1 h, then 2, 4, 8;
    403 for a day."""
    if reply.status == 403:
        why = "arXiv answered 403, forbidden: stop, and write to help@arxiv.org before you go on"
        return state.closed(now, _FORBIDDEN, why)
    if not reply.is_throttle:
        return replace(state, throttles=0, closings=state.closings if reply.status >= 500 else 0)
    state = replace(state, throttles=state.throttles + 1)
    if state.throttles < _THROTTLES:
        return state
    pause = min(_CLOSED * 2**state.closings, _LONGEST_CLOSED)
    why = f"arXiv answered 429, too many requests, {state.throttles} times in a row"
    return replace(state, closings=state.closings + 1).closed(now, pause, why)


def backoff(tries: int, draw: float, gap: float = LEAST_GAP) -> float:
    """Seconds to wait after so many tries: 30, 60, 120 ... at most 900, the upper half of it drawn
    at random (``draw`` from 0 to 1), lest all clients come back at once. Where the gap may be shorter
    than arXiv's, on this machine, the pauses are shorter in the same measure."""
    longest = float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tries - 1)))
    return longest * (1 + draw) / 2 * min(1.0, gap / LEAST_GAP)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds asked for by a Retry-After header, a number or a date (RFC 9110, 10.2.3), at most a
    day; None where there is none that can be read."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_RETRY_AFTER)
    try:
        then = parsedate_to_datetime(text)
        seconds = (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


class Reply(msgspec.Struct, frozen=True):
    """What came back: status, headers (lower case) and the unpacked body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_throttle(self) -> bool:
        """429, or the same said with 200: a body "Rate exceeded."."""
        return self.status == 429 or self.body[:200].lstrip().lower().startswith(b"rate exceeded")


class _Unreachable(Exception):
    """No connection came about within ``seconds``: surely nothing was sent."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class _Failed(Exception):
    """A request that may succeed when it is made again."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


# --- the gate --------------------------------------------------------------------------------------


class Gate:
    """Asks arXiv, politely. ``state`` is the file that all processes share, ``gap`` the seconds
    between the end of a response and the next request.

    A request that fails is made again, ``tries`` times in all, as long as the pauses stay within
    ``patience`` seconds; else Deferred is raised and the file remembers until when. A server that
    cannot be reached is tried three times within about ten seconds: no network is no fault of arXiv's.
    ``total`` is the most seconds a response may take. Clock, sleep and random number are given for the
    tests' sake.
    """

    def __init__(
        self,
        agent: str,
        *,
        gap: float = 3.5,
        state: Path | None = None,
        patience: float = 120.0,
        total: float = 180.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.gap = gap
        self._agent = agent
        self._path = state or default_state()
        self._patience = patience
        self._total = total
        self._clock = clock
        self._sleep = sleep
        self._random = random or Random().random  # noqa: S311 - spreads requests, guards no secret
        self._client: httpx.Client | None = None

    def get(self, url: str, params: Mapping[str, str], accept: Callable[[bytes], T]) -> T:
        """What ``accept`` makes of the answer.

        ``accept`` raises NotAnAnswer for a body that is not what was asked for: it is asked for
        again, like after 429, 5xx, a timeout or a cut. Raises Deferred (come back later), InputError
        (arXiv refuses the query: told with its own words), ConfigError (``gap`` below 3 s for an
        address that is not on this machine).
        """
        found, _ = self.get_if_changed(url, params, accept, None)
        assert found is not None
        return found

    def get_if_changed(
        self, url: str, params: Mapping[str, str], accept: Callable[[bytes], T], etag: str | None
    ) -> tuple[T | None, str | None]:
        """As ``get``, with the ETag of the answer; None where it is still the one of ``etag``."""
        address = f"{url}?{urlencode(params)}" if params else url
        self._check(address)
        patience = self._patience
        failure: Exception | None = None
        for tries in range(1, _TRIES + 1):
            try:
                reply, patience = self._fetch(address, etag, patience)
                if reply.status == 304 and etag is not None:
                    return None, etag
                return _answer(reply, address, accept, self._clock()), reply.headers.get("etag")
            except (_Failed, NotAnAnswer) as error:
                failure = error
                self._hold(address, error, tries)
        raise Deferred(f"{_place(address)}: {failure}, {_TRIES} times; {_until(self.state())}") from failure

    def state(self) -> GateState:
        """What the gate remembers, for a report; as new where nothing can be read."""
        try:
            return _decoded(self._path.read_bytes()[:_BLOCK])
        except OSError:
            return GateState()

    def closed(self, now: datetime) -> str | None:
        """Why and until when arXiv is not to be asked, in a sentence; None if it may be."""
        state = self.state()
        return f"{state.reason}; {_until(state)}" if state.closed_left(now.timestamp()) else None

    def in_words(self) -> str:
        """Whether the gate is open, by the file alone: nothing is asked."""
        state, now = self.state(), self._clock()
        if state.closed_left(now):
            return f"closed: {state.reason}; {_until(state)}"
        if state.busy:
            return "open; a request is on its way, or its process has died"
        left = state.gap_left(now, self.gap)
        return f"open; next request {f'in {left:.1f} s' if left else 'at any time'}"

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _check(self, address: str) -> None:
        import httpx

        try:
            parts = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise ConfigError(f"{_shown(address)} is no address: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ConfigError(f"{_shown(address)} is no address of a web server")
        if self.gap < LEAST_GAP and not is_loopback(address):
            raise ConfigError(
                f"arxiv.gap_seconds is {self.gap:g}: arXiv asks for at least {LEAST_GAP:g} s between "
                f"requests; less is for servers on this machine, not for {parts.host}"
            )

    def _hold(self, address: str, failure: _Failed | NotAnAnswer, tries: int) -> None:
        """Close the gate for the pause that follows a failure."""
        after = failure.after if isinstance(failure, _Failed) else None
        pause = backoff(tries, self._random(), self.gap) if after is None else after
        logger.info("retry", extra={"url": address, "reason": str(failure), "seconds": round(pause, 1)})
        with _locked(self._path) as file:
            state = _read(file)
            now = self._clock()
            if state.closed_left(now) < pause:
                _write(file, state.closed(now, pause, str(failure)))

    def _fetch(self, address: str, etag: str | None, patience: float) -> tuple[Reply, float]:
        """The answer, redirects followed, and the patience left."""
        target = address
        for _ in range(_REDIRECTS + 1):
            reply, patience = self._reach(target, etag, patience)
            if reply.status not in _REDIRECTED:
                return reply, patience
            target = _redirected(target, reply.headers.get("location", ""))
        raise _Failed(f"redirected more than {_REDIRECTS} times")

    def _reach(self, address: str, etag: str | None, patience: float) -> tuple[Reply, float]:
        """The answer; Deferred where no connection comes about within some seconds."""
        tries, spent = 0, 0.0
        while True:
            try:
                return self._turn(address, etag, patience)
            except _Unreachable as error:
                tries += 1
                spent += error.seconds + self.gap
                if tries >= _TRIES_TO_REACH or spent + error.seconds > _REACH_SECONDS:
                    where = f"{urlsplit(address).hostname}: {error}"
                    again = "run again when the network is back"
                    raise Deferred(f"arXiv cannot be reached ({where}); {again}") from error

    def _turn(self, address: str, etag: str | None, patience: float) -> tuple[Reply, float]:
        """One request when its turn has come: the gate is open, the gap has passed, nobody else asks."""
        while True:
            with _locked(self._path) as file:
                state = _read(file)
                left = state.closed_left(self._clock())
                if left <= 0:
                    return self._request(file, state, address, etag), patience
            if left > patience:
                raise Deferred(f"{_place(address)}: {state.reason}; {_until(state)}")
            self._sleep(left)
            patience -= left

    def _request(self, file: int, state: GateState, address: str, etag: str | None) -> Reply:
        if gap := state.gap_left(self._clock(), self.gap):
            self._sleep(gap)
        _write(file, replace(state, busy=True))
        try:
            reply = self._send(address, etag)
            state = after_answer(state, reply, self._clock())
        finally:
            _write(file, replace(state, busy=False, next_allowed_at=self._clock() + self.gap))
        return reply

    # HTTP

    def _send(self, address: str, etag: str | None) -> Reply:
        import httpx

        headers = {"If-None-Match": etag} if etag else {}
        begun = self._clock()
        with _Deadline(self._total) as deadline:
            try:
                with self._connected().stream(
                    "GET", address, headers=headers, extensions={"trace": deadline.trace}
                ) as answer:
                    return Reply(answer.status_code, _headers(answer), _body(answer, deadline))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise _Unreachable(_why_unreachable(error), self._clock() - begun) from error
            except (httpx.HTTPError, httpx.InvalidURL, zlib.error) as error:
                raise _Failed(deadline.reason or _said(error)) from error

    def _connected(self) -> httpx.Client:
        """One connection at a time, closed after each answer: between two requests lies a gap in
        which another process may ask. No proxy stands before this machine itself."""
        if self._client is None:
            import httpx

            direct = ("all://localhost", "all://127.0.0.1", "all://[::1]")
            self._client = httpx.Client(
                headers={"User-Agent": self._agent, "Accept-Encoding": "gzip", "Connection": "close"},
                timeout=httpx.Timeout(120.0, connect=10.0),
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
                follow_redirects=False,
                mounts=dict.fromkeys(direct),
            )
        return self._client


def _answer(reply: Reply, address: str, accept: Callable[[bytes], T], now: float) -> T:
    """What ``accept`` makes of a good answer; else the failure, by what helps against it."""
    if reply.is_throttle or reply.status in _RETRIED or reply.status not in (200, *range(400, 500)):
        after = retry_after(reply.headers.get("retry-after"), now)
        raise _Failed(f"answered {reply.status}{' (rate exceeded)' if reply.is_throttle else ''}", after)
    if reply.status == 403:
        raise _Failed("answered 403", 0.0)
    if reply.status == 200:
        return accept(reply.body)
    try:
        accept(reply.body)  # an error that comes as a feed is told in arXiv's words
    except InputError as error:
        raise InputError(f"arXiv refuses {address}: {error}") from error
    except NotAnAnswer:
        pass
    said = " ".join(reply.body[:300].decode("utf-8", "replace").split())
    raise InputError(f"arXiv answers {reply.status} to {address}: {said}")


def _redirected(address: str, location: str) -> str:
    """Where a redirect leads, inside arxiv.org or on the same server only."""
    try:
        target = urljoin(address, location)
        old, new = urlsplit(address), urlsplit(target)
        same = (old.scheme, old.netloc) == (new.scheme, new.netloc)
        host = new.hostname or ""
    except ValueError:
        same, host, target = False, "", location
        new = urlsplit("")
    inside = new.scheme == "https" and (host == "arxiv.org" or host.endswith(".arxiv.org"))
    if not location or not (same or (inside and not is_loopback(address))):
        raise _Failed(f"redirected to {location[:200]!r}, which is not inside arxiv.org")
    return target


def _headers(answer: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _body(answer: httpx.Response, deadline: _Deadline) -> bytes:
    """The body, unpacked while it comes and counted after unpacking. The client's own unpacking takes
    a cut body for a whole one."""
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise _Failed(f"packed as {encoding[:60]!r}, not as gzip")
    packed = zlib.decompressobj(wbits=31) if encoding != "identity" else None  # 31: gzip, RFC 1952
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk if packed is None else packed.decompress(chunk, _BODY_CAP + 1 - len(body))
        if len(body) > _BODY_CAP:
            raise _Failed(f"longer than {_BODY_CAP >> 20} MB")
    if deadline.reason:
        raise _Failed(deadline.reason)
    if packed is not None and not packed.eof and answer.num_bytes_downloaded:
        raise _Failed("cut in the middle")
    return bytes(body)


class _Deadline:
    """Ends a response that takes too long in all, however steadily its bytes drip: a timeout of the
    client is one of each read. The connection is learnt from the client's trace
    (https://www.encode.io/httpcore/extensions/#trace)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True
        self._socket: Any = None
        self.reason = ""

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the client at each step."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    def _end(self) -> None:
        import socket

        self.reason = f"no full answer within {self._seconds:g} s"
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200].rstrip(": ")


def _why_unreachable(error: Exception) -> str:
    """The system's words without their number: "Name or service not known"."""
    said = re.sub(r"^\[Errno -?\d+\] ", "", " ".join(str(error).split()))
    return said[:120] or "no connection within 10 s"


def _place(address: str) -> str:
    """The address without what is asked for."""
    return _shown(address.partition("?")[0])


def _shown(address: str) -> str:
    return address if len(address) <= 200 else address[:197] + "..."


def _until(state: GateState) -> str:
    when = datetime.fromtimestamp(state.closed_until, UTC)
    return f"no request before {when:%Y-%m-%d %H:%M:%S} UTC; run again then"


# --- the file --------------------------------------------------------------------------------------

_BLOCK = 2048  # bytes of the file that count; written at once


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The state file, locked; the system lets go of it when the process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise refused(error, "set XDG_STATE_HOME to a folder of yours") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _read(file: int) -> GateState:
    return _decoded(os.pread(file, _BLOCK, 0))


def _decoded(content: bytes) -> GateState:
    """The state; what cannot be read counts as a request whose end nobody saw."""
    if not content.strip():
        return GateState()
    try:
        return msgspec.json.decode(content, type=GateState)
    except msgspec.DecodeError:
        return GateState(busy=True)


def _write(file: int, state: GateState) -> None:
    """Replace the state by one write of one block, so that a kill leaves the old or the new one."""
    content = msgspec.json.encode(state)
    try:
        os.pwrite(file, content.ljust(_BLOCK), 0)
    except OSError as error:
        error.filename = "the file of the gate to arXiv, in XDG_STATE_HOME"
        raise refused(error) from error
