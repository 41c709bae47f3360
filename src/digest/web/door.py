"""The door: the password, the language, the way out."""

from __future__ import annotations

from typing import cast

from starlette.responses import Response

from digest.types import Language
from digest.web.access import COOKIE, new_session
from digest.web.guard import local_path
from digest.web.visit import LANGUAGE_COOKIE, Visit, get, give_cookie, nothing, post
from digest.web.words import LANGUAGES

YEAR = 365 * 24 * 3600


def login(visit: Visit) -> Response:
    """The form that asks for the password."""
    onward = local_path(visit.query.get("next"))
    if visit.site.access.may_enter(visit.session):
        return visit.to(onward)
    return visit.page("login.html.j2", onward=onward, wrong=None)


def enter(visit: Visit) -> Response:
    """Look at the password that was given. A session that gets in has a name that nobody knew before."""
    access, now = visit.site.access, visit.site.clock.now()
    onward = local_path(visit.form.get("next"))
    if not access.is_locked:
        return visit.to(onward)
    wait = access.tries.take(now)
    if wait:
        told = visit.t("door.wait", n=int(wait.total_seconds()) + 1)
        return visit.page("login.html.j2", status=429, onward=onward, wrong=told)
    if not access.opens(visit.form.get("password", "")):
        return visit.page("login.html.j2", status=403, onward=onward, wrong=visit.t("door.wrong"))
    access.tries.forget()
    answer = visit.to(onward)
    give_cookie(answer, visit, new_session(entered=True))
    return answer


def leave(visit: Visit) -> Response:
    """Forget the session."""
    answer = visit.to("/login")
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def language(visit: Visit) -> Response:
    """Show the pages in another language from now on."""
    chosen = visit.path["language"]
    if chosen not in LANGUAGES:
        return nothing(visit)
    answer = visit.to(local_path(visit.query.get("next")))
    answer.set_cookie(LANGUAGE_COOKIE, cast("Language", chosen), YEAR, httponly=True, samesite="lax")
    return answer


ROUTES = (
    get("/login", login, open_to_all=True),
    post("/login", enter, open_to_all=True),
    post("/logout", leave, open_to_all=True),
    get("/language/{language}", language, open_to_all=True),
)
