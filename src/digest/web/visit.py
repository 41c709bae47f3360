"""One request as a page sees it: the program at this moment, who asks, in which language, for what."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from anyio import CapacityLimiter, to_thread
from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from digest.clock import Clock
from digest.errors import Changed, DigestError, InputError, TryAgain, UsageError
from digest.types import Language
from digest.web.access import COOKIE, LASTS, PROGRAM, Access, Session, new_session
from digest.web.guard import SAFE, local_path
from digest.web.pieces import Works
from digest.web.said import said
from digest.web.words import LANGUAGES, Words, words
from digest.web.work import Jobs

if TYPE_CHECKING:
    from digest.app import App

logger = logging.getLogger(__name__)

LANGUAGE_COOKIE = "language"
MOST_FIELDS = 1_000
FIRST = date(1991, 8, 14)
"""arXiv's first day."""
STATUS: Mapping[type[DigestError], int] = {Changed: 409, InputError: 404, TryAgain: 503, UsageError: 400}


class Site:
    """What all visits share: the program, who may use it, the work begun here, the templates, and what is
    still to be told."""

    def __init__(
        self,
        app: App,
        access: Access,
        jobs: Jobs,
        templates: Environment,
        *,
        now: datetime | None = None,
        https: bool,
    ) -> None:
        self.app = app
        _ = app.store, app.plan, app.arxiv, app.writer  # made once: a visit has a copy of the program
        self.archive = app.open_to_read()  # for all pages; forms write
        self.jobs = jobs
        self.access = access
        self.templates = templates
        self.https = https
        self.notes = Notes()
        self.works = Works()
        self.clock = Clock()
        self._now = now

    def now(self) -> datetime:
        """The moment for which visits act."""
        return self._now or self.clock.now()


class Notes:
    """What is to be told to a session on the next page it sees: the last few things."""

    MOST, EACH = 1_000, 20

    def __init__(self) -> None:
        self._lock = Lock()
        self._notes: OrderedDict[str, deque[str]] = OrderedDict()

    def add(self, session: Session, note: str) -> None:
        """Tell this once."""
        with self._lock:
            self._notes.setdefault(session.name, deque(maxlen=self.EACH)).append(note)
            while len(self._notes) > self.MOST:
                self._notes.popitem(last=False)

    def take(self, session: Session) -> Sequence[str]:
        """What was not told yet."""
        with self._lock:
            return tuple(self._notes.pop(session.name, ()))


class Visit:
    """One request. ``app`` acts as of now; ``query`` holds the first value of each of the address's
    parameters, ``form`` those of a form that was sent, ``t`` says things in the visitor's language,
    ``section`` is the group of pages it is in."""

    def __init__(self, site: Site, request: Request, session: Session, body: bytes, section: str) -> None:
        self.site = site
        self.request = request
        self.session = session
        self.section = section
        self.app = site.app.at(site.now(), site.archive if request.method in SAFE else None)
        self.language = _language(request)
        self.t: Words = words(self.language)
        self.query = dict(reversed(request.query_params.multi_items()))
        self.fields = _fields(request, body)
        self.form = dict(reversed(self.fields))

    @property
    def path(self) -> Mapping[str, Any]:
        """What the address holds in the places that its route names."""
        return self.request.path_params

    @property
    def here(self) -> str:
        """The path and query of this page."""
        url = self.request.url
        return url.path + (f"?{url.query}" if url.query else "")

    def all(self, name: str) -> list[str]:
        """All values of a parameter of the address."""
        return self.request.query_params.getlist(name)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to ``most`` among the address's parameters; the default for any other."""
        text = self.query.get(name, "")
        value = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default
        return value if 1 <= value <= most else default

    def day(self, name: str) -> date | None:
        """A day among the address's parameters; None for what is none, or before arXiv."""
        try:
            day = date.fromisoformat(self.query.get(name, ""))
        except ValueError:
            return None
        return day if FIRST <= day <= date(9000, 1, 1) else None

    def said(self, line: str) -> Markup:
        """A line that the program says in English, in the visitor's language as far as it is known there."""
        if known := said(line, self.language):
            return escape(known)
        return escape(line) if self.language == "en" else Markup('<span lang="en">{}</span>').format(line)

    def page(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A page: a template filled with these values, and with what the layout needs."""
        text = self.site.templates.get_template(template).render(
            visit=self,
            t=self.t,
            token=self._token,
            may_enter=self.site.access.may_enter(self.session),
            is_locked=self.site.access.is_locked,
            section=self.section,
            notes=self.site.notes.take(self.session),
            languages=LANGUAGES,
            **values,
        )
        return HTMLResponse(text, status)

    def _token(self) -> Markup:
        """What every form holds, by which we know it again."""
        token = self.site.access.token(self.session)
        return Markup('<input type="hidden" name="csrf" value="{}">').format(token)

    def to(self, path: str, note: str | None = None, **query: object) -> RedirectResponse:
        """Go on to another page of ours, after something was done; ``note`` is told there once."""
        if note:
            self.site.notes.add(self.session, note)
        address = local_path(path) + (f"?{urlencode(query)}" if query else "")
        return RedirectResponse(address, 303)


Page = Callable[[Visit], Response]


def get(path: str, page: Page, *, open_to_all: bool = False) -> Route:
    """The route of a page."""
    return Route(path, _endpoint(page, open_to_all=open_to_all), methods=["GET"])


def post(path: str, page: Page, *, open_to_all: bool = False) -> Route:
    """The route of a form. It does something, then sends the browser on (``Visit.to``)."""
    return Route(path, _endpoint(page, open_to_all=open_to_all), methods=["POST"])


def _endpoint(page: Page, *, open_to_all: bool) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        body = await request.body()
        return await to_thread.run_sync(
            partial(_answer, page, request, body, open_to_all=open_to_all),
            limiter=request.app.state.threads,
        )

    return answer


def threads() -> CapacityLimiter:
    """How many pages are made at a time; more than there are connections to the database would wait."""
    return CapacityLimiter(10)


def _answer(page: Page, request: Request, body: bytes, *, open_to_all: bool) -> Response:
    site: Site = request.app.state.site
    known = _program(site, request) or site.access.session(request.cookies.get(COOKIE), site.clock.now())
    if known is None and request.headers.get("sec-fetch-site") == "cross-site":
        return _again(request)
    visit = Visit(site, request, known or new_session(), body, page.__module__.rpartition(".")[2])
    answer = _for_whom(page, visit, open_to_all=open_to_all)
    if known is None and COOKIE not in answer.headers.get("set-cookie", ""):
        give_cookie(answer, visit, visit.session)
    return answer


def _program(site: Site, request: Request) -> Session | None:
    """The session of a program that gives the token (RFC 6750); None where none is given. Raises
    HTTPException for a wrong one, and for any while too many were wrong."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if site.access.bearer is None or scheme.lower() != "bearer":
        return None
    wait = site.access.token_tries.take(site.clock.now())
    if wait:
        seconds = str(int(wait.total_seconds()) + 1)
        raise HTTPException(429, f"too many wrong tokens: wait {seconds} s", {"Retry-After": seconds})
    if not site.access.bearer.fits(given.strip()):
        raise HTTPException(401, "this is not the token of this page", {"WWW-Authenticate": "Bearer"})
    site.access.token_tries.forget()
    return PROGRAM


_ONCE_MORE = (
    '<!doctype html><html lang="en"><meta http-equiv="refresh" content="0"><title>digest</title>'
    '<link rel="icon" href="data:,">'
)


def _again(request: Request) -> Response:
    """To a browser that followed a link of another site, and so has kept its cookie back: ask for the same
    again, now from here (SameSite=Strict, RFC 6265bis, 5.5)."""
    if request.method not in SAFE:
        raise HTTPException(403)
    return HTMLResponse(_ONCE_MORE)


def _for_whom(page: Page, visit: Visit, *, open_to_all: bool) -> Response:
    if visit.request.method not in SAFE and visit.session is not PROGRAM:
        token = visit.form.get("csrf", "")
        if not visit.site.access.is_token(visit.session, token):
            return visit.page("error.html.j2", status=403, title=visit.t("layout.stale"), lines=())
    if not open_to_all and not visit.site.access.may_enter(visit.session):
        return visit.to("/login", next=visit.here if visit.request.method in SAFE else "/")
    try:
        return page(visit)
    except DigestError as error:
        return _told(visit, error)


def nothing(visit: Visit) -> Response:
    """The page for an address at which there is nothing."""
    return visit.page("error.html.j2", status=404, title=visit.t("layout.error_404"), lines=())


def _told(visit: Visit, error: DigestError) -> Response:
    """An error that a person can do something about, as a page."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    if status == 500:
        logger.warning("page failed", extra={"path": visit.request.url.path, "error": str(error)})
    lines = str(error).splitlines()
    return visit.page("error.html.j2", status=status, title=visit.t(f"layout.error_{status}"), lines=lines)


def give_cookie(answer: Response, visit: Visit, session: Session) -> None:
    """Let the browser keep a session."""
    site = visit.site
    value = site.access.cookie(session, site.clock.now())
    seconds = int(LASTS.total_seconds())
    answer.set_cookie(COOKIE, value, seconds, httponly=True, samesite="strict", secure=site.https)


def _fields(request: Request, body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in their order. Raises HTTPException 400 for what is none."""
    if not body or request.method in SAFE:
        return []
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "this takes forms only")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise HTTPException(400, "this is no form") from error


def _language(request: Request) -> Language:
    """The language that was chosen, else the first of the browser's that there is, else English."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    wanted = [chosen] if chosen else _accepted(request.headers.get("accept-language", ""))
    return next((one for one in LANGUAGES for name in wanted[:1] if one == name), "en")


def _accepted(header: str) -> list[str]:
    """The languages of a browser that there are, best first (RFC 9110, 12.5.4)."""
    found: list[tuple[float, str]] = []
    for item in header.split(",")[:20]:
        tag, _, weight = item.strip().partition(";q=")
        name = tag.partition("-")[0].lower()
        if name in LANGUAGES:
            found.append((-_weight(weight), name))
    return [name for _, name in sorted(found, key=lambda one: one[0])]


def _weight(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0
