"""The page over a server: every form does, and every page shows, what it does over a file."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

import desk
import web
from desk import FRIDAY, UNLEARNING, XAI, XAI_RU
from digest.actions import stores
from digest.store import Store
from digest.web import access
from digest.web import app as pages
from postgres import Server, needs_postgres
from stored import contents
from test_web_fuzz import START

pytestmark = needs_postgres

SECRET = "correct horse battery"
PAPER = "2607.01642"
SENT, UNCERTAIN = 7, 8
"""Posts: what was sent, what may have been."""

Step = Callable[[web.Browser], httpx.Response]


def form(page: str, path: str, **fields: str) -> Step:
    """A form of a page, sent with these fields."""
    return lambda browser: browser.send_form(page, path, **fields)


def edit(number: int, path: str, do: str, **changes: str) -> Step:
    """The editor of a post, sent by one of its buttons."""

    def step(browser: web.Browser) -> httpx.Response:
        fields = {**desk.editor(browser, number), "do": do, **changes}
        typed = {**fields, "paper": desk.papers(browser, number)}
        origin = str(browser.base_url).rstrip("/")
        return browser.post(f"/posts/{number}/{path}", data=typed, headers={"Origin": origin})

    return step


def move(number: int, what: str) -> Step:
    """The button of the editor beside its last paper."""
    return lambda browser: edit(number, "edit", f"{what}:{desk.papers(browser, number)[-1]}")(browser)


def decide(number: int, do: str, **fields: str) -> Step:
    return form(f"/posts/{number}", f"/posts/{number}/decide", do=do, **fields)


def key(do: str, text: str) -> Step:
    return form(
        "/topics/unlearning?state=active", "/topics/unlearning", do=do, key=text, reason="of the test"
    )


def judge(opinion: str, paper: str = PAPER) -> Step:
    return form(f"/papers/{PAPER}", "/feedback", topic="xai", opinion=opinion, paper=paper)


def resolve(do: str, **fields: str) -> Step:
    return lambda browser: form("/posts/outbox", _outbox(browser), do=do, **fields)(browser)


def _outbox(browser: web.Browser) -> str:
    """Where the first form of the outbox goes."""
    found = re.search(r'action="(/posts/outbox/\d+)"', browser.get("/posts/outbox").text)
    assert found
    return found[1]


TRIED = "/topics/new?term=concept+bottleneck&name=bottleneck"

STEPS: dict[str, Step] = {
    "enter by a wrong password": form("/login", "/login", password="wrong"),
    "enter": form("/login", "/login", password=SECRET),
    "preview": edit(XAI, "preview", "save", text="<b>Typed</b> text"),
    "move up": move(XAI_RU, "up"),
    "drop": move(XAI_RU, "drop"),
    "add": lambda browser: edit(XAI_RU, "edit", "add", add=desk.papers(browser, XAI)[-1])(browser),
    "save": edit(XAI, "edit", "save", text="<b>Typed</b> text"),
    "what cannot be stored": edit(XAI, "edit", "save", text="<b>open"),
    "what was changed meanwhile": edit(XAI, "edit", "save", version="1", text="Another text"),
    "a decision about an old version": decide(XAI, "approve", version="1"),
    "approve": decide(XAI, "approve"),
    "a time that is over": decide(XAI_RU, "schedule", at="2020-01-01T09:00"),
    "schedule": decide(XAI_RU, "schedule", at="2026-07-05T09:00"),
    "reject": decide(UNLEARNING, "reject"),
    "correct": form(f"/posts/{SENT}", f"/posts/{SENT}/part/1", text="<b>Corrected</b> text"),
    "correct without having seen": form(f"/posts/{SENT}", f"/posts/{SENT}/part/1", seen="0", text="late"),
    "a message without its number": resolve("sent", message="x"),
    "it stands there": resolve("sent", message="7"),
    "like": judge("like"),
    "dislike": judge("dislike"),
    "undo": judge("undo"),
    "an opinion of nothing": judge("like", "2607.00000"),
    "accept a key": key("accept", "влияние данных"),
    "take it back": key("undo", "влияние данных"),
    "reject a key": key("reject", "влияние данных"),
    "retire a key": key("retire", "влияние данных"),
    "a seed is not rejected": key("reject", "machine unlearning"),
    "a topic is tried": lambda browser: browser.settled(TRIED),
    "a new topic": form(TRIED, "/topics"),
    "a job": form("/jobs", "/jobs", kind="deliver"),
    "a job that is none": form("/jobs", "/jobs", kind="harm"),
    "its end": form("/jobs/1", "/jobs/1/stop"),
    "leave": form("/", "/logout"),
    "enter again": form("/login", "/login", password=SECRET),
}  # fmt: skip


class Done(NamedTuple):
    """What the page answered to each form and showed at each address, which addresses the forms went to,
    and what the archive holds afterwards."""

    answers: dict[str, Any]
    asked: set[str]
    rows: dict[str, list[Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def begun(sample_home: Path, folder: Path) -> Path:
    """A home whose posts are drafts, but for one that was sent and one of which nobody knows."""
    home = desk.copy(sample_home, folder / "begun")
    desk.held(home, UNCERTAIN, "uncertain", "time-out")
    access.set_password(home, SECRET)
    return home


@pytest.fixture(scope="module")
def here(begun: Path, folder: Path) -> Done:
    """All forms over a file."""
    home = shutil.copytree(begun, folder / "here")
    return done(home, f"sqlite:///{home}/digest.sqlite3")


@pytest.fixture(scope="module")
def there(begun: Path, folder: Path, server: Server) -> Iterator[Done]:
    """All forms over a server to which the same archive was moved."""
    home = shutil.copytree(begun, folder / "there")
    (home / "digest.sqlite3").unlink()
    with server.database() as url:
        stores.migrate(f"sqlite:///{begun}/digest.sqlite3", url, lambda _: None)
        (home / "digest.toml").write_text(f'database = "{url}"\n{desk.CONFIGURATION}', encoding="utf-8")
        yield done(home, url)


def done(home: Path, url: str) -> Done:
    """Send all forms, then look at all pages."""
    work = [sys.executable, "-c", "import time; time.sleep(60)"]
    asked: set[str] = set()
    with web.serving(home, FRIDAY, program=work) as address, web.Browser(address) as browser:
        browser.event_hooks["request"] = [lambda one: one.method == "POST" and asked.add(one.url.path)]
        answers = {name: shown(step(browser), home) for name, step in STEPS.items()}
        answers |= {path: shown(browser.get(path), home) for path in START}
    with Store.open(url) as store:
        return Done(answers, asked, contents(store))


def shown(answer: httpx.Response, home: Path) -> tuple[int, str, str]:
    """The status, the address and the text of an answer. The number of a delivery may be another one: on a
    server those of a transaction that was undone are not given again."""
    text = re.sub(r' name="csrf" value="[^"]*"|(?<=/posts/outbox/)\d+', "", answer.text)
    path = re.sub(r"(?<=/posts/outbox/)\d+", "", answer.url.path)
    text = "" if path.startswith("/jobs/") else text.replace(str(home), "HOME")  # how far it is, is chance
    return answer.status_code, path, text


def timeless(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row without the moments of the clock."""
    return tuple(None if isinstance(one, datetime) and one > FRIDAY else one for one in row)


@pytest.mark.parametrize("name", [*STEPS, *START])
def test_the_page_answers_as_over_a_file(here: Done, there: Done, name: str) -> None:
    assert there.answers[name] == here.answers[name]


def test_what_was_done_by_forms_stands_in_the_archive_as_in_a_file(here: Done, there: Done) -> None:
    for table, rows in here.rows.items():
        first = 1 if table == "delivery" else 0  # its number
        found, wanted = (
            sorted(map(str, (timeless(row[first:]) for row in one))) for one in (there.rows[table], rows)
        )
        assert found == wanted, table
    assert len(there.rows["feedback"]) == 3
    assert len(there.rows["post_version"]) > 3


def test_every_form_of_the_page_was_sent(there: Done) -> None:
    patterns = {
        re.sub(r"{\w+(?::\w+)?}", "[^/]+", route.path)
        for group in pages.GROUPS
        for route in group.ROUTES
        if "POST" in (route.methods or ())
    }
    assert len(patterns) > 10
    assert {one for one in patterns if not any(re.fullmatch(one, path) for path in there.asked)} == set()
