"""All that people do on the page, over an archive of their own, as it was on the last day with posts:

    pytest tests/test_web_real.py --archive HOME --shots DIR

Of HOME a copy is used: its newest posts become drafts, one of which is sent to files and to a Telegram
channel on loopback. Each flow is walked on a laptop and a phone, in light and dark, with scripts and without.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import expect

import web
from botapi import TOKEN, BotApi
from chromium import AXE, Size, chromium, overflows, tab, violations
from desk import held
from digest import config
from digest.actions import topics
from digest.app import App
from digest.store import Store

CONFIGURATION = """\
approval = "manual"
[telegram]
url = "{url}"
[channels.files]
type = "file"
folder = "posts"
languages = ["en", "ru", "zh"]
[channels.news]
type = "telegram"
chat = "{chat}"
time_zone = "Europe/Berlin"
languages = ["en", "ru", "zh"]
"""
SECRET = "correct horse battery"


class Desk(NamedTuple):
    """An archive on its last day, and what is in it: a draft, a post that was sent, a delivery that may have
    been, a silent paper, a Sunday."""

    home: Path
    now: datetime
    address: str
    topic: str
    draft: int
    sent: int
    uncertain: int
    paper: str
    silent_day: str


class Way(NamedTuple):
    """How a flow is walked."""

    size: Size
    scheme: str
    scripts: bool
    language: str


WAYS = (
    Way("laptop", "light", scripts=True, language="en"),
    Way("phone", "dark", scripts=True, language="ru"),
    Way("laptop", "dark", scripts=False, language="zh"),
    Way("phone", "light", scripts=False, language="en"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The page over a copy of the archive, and a Telegram beside it."""
    given = request.config.getoption("--archive")
    if given is None:
        pytest.skip("no archive was given: --archive HOME")
    home = Path(shutil.copytree(given, tmp_path_factory.mktemp("real") / "home"))
    (home / "page.password").unlink(missing_ok=True)
    with BotApi() as api, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGEST_TELEGRAM_TOKEN", TOKEN)
        chat = api.chat("channel")
        (home / "digest.toml").write_text(CONFIGURATION.format(url=api.url, chat=chat), "utf-8")
        with Store.open(f"sqlite:///{home / 'digest.sqlite3'}"):
            pass  # brought to the newest schema
        day = rows(home, "SELECT max(slot) FROM post")[0][0]
        now = datetime.fromisoformat(day).replace(hour=20, tzinfo=UTC)
        prepared = _prepared(home, now)
        moment = ["--as-of", now.isoformat()]
        program = [sys.executable, "-m", "digest", "--home", str(home)]
        with web.serving(home, now, program=program, options=moment) as address:
            yield Desk(home, now, address, *prepared)


def _prepared(home: Path, now: datetime) -> tuple[Any, ...]:
    """The last posts are drafts again, for the channel too; one of the day before may have been sent."""
    last, before = (one for (one,) in rows(home, "SELECT DISTINCT slot FROM post ORDER BY slot DESC LIMIT 2"))
    drafts = [id_ for (id_,) in rows(home, "SELECT id FROM post WHERE slot = ? ORDER BY id", last)]
    older = [id_ for (id_,) in rows(home, "SELECT id FROM post WHERE slot = ? ORDER BY id", before)]
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
        marks = ",".join(map(str, drafts))
        connection.execute(f"UPDATE post SET state = 'draft', decided_at = NULL WHERE id IN ({marks})")
        connection.execute(
            f"UPDATE delivery SET state = 'queued', receipt = NULL, sha256 = NULL WHERE post IN ({marks})"
        )
        columns = [
            name
            for _, name, *_ in connection.execute("PRAGMA table_info(delivery)")
            if name not in ("id", "channel")
        ]
        rest, of = ", ".join(columns), f"FROM delivery WHERE post IN ({marks})"
        connection.execute(f"INSERT INTO delivery (channel, {rest}) SELECT 'news', {rest} {of}")
    uncertain = held(home, older[-1], "uncertain", "no answer in 60 s: it may stand in the channel")
    [topic] = rows(
        home, "SELECT topic FROM topic_key WHERE state = 'proposed' GROUP BY topic ORDER BY count(*) LIMIT 1"
    )[0]
    best = "SELECT paper.id FROM match JOIN paper ON number = paper WHERE silent AND announced = ? "
    [paper] = rows(home, f"{best} ORDER BY score DESC LIMIT 1", last)[0]
    sunday = now.date() - timedelta(days=now.weekday() + 1)
    return topic, drafts[0], older[0], uncertain, paper, sunday.isoformat()


def rows(home: Path, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection:
        return connection.execute(query, values).fetchall()


def opened(desk: Desk) -> App:
    return App(config.load(None, desk.home, {}), desk.now, quiet=True)


class Walk:
    """A browser on its way: it looks at every page it comes to, and keeps its picture."""

    def __init__(self, page: Any, way: Way, shots: str | None) -> None:
        self.page, self._way, self._shots = page, way, shots

    def to(self, path: str, name: str) -> Any:
        """Go to a page and look at it."""
        answer = self.page.goto(path)
        assert answer.status in (200, 202), path
        self.look(name)
        return self.page

    def look(self, name: str) -> None:
        """What holds of each page; its weight, its width, axe's rules."""
        assert not overflows(self.page), name
        assert self.page.get_by_role("heading", level=1).count() == 1, name
        assert len(self.page.content().encode()) < 100_000, name
        if AXE.exists() and self._way.scripts:
            assert violations(self.page) == [], name
        if self._shots:
            Path(self._shots).mkdir(parents=True, exist_ok=True)
            said = "-".join((name, self._way.size, self._way.scheme, self._way.language))
            self.page.screenshot(path=f"{self._shots}/{said}.png", full_page=True)

    def settled(self) -> None:
        """Wait until what is worked out behind the page is there; it renews itself."""
        expect(self.page.locator("progress, [data-renew]")).to_have_count(0, timeout=300_000)


@pytest.fixture(
    params=WAYS, ids=lambda way: f"{way.size}-{way.scheme}-{'js' if way.scripts else 'nojs'}-{way.language}"
)
def walk(request: pytest.FixtureRequest, browser: Any, real: Desk) -> Iterator[Walk]:
    way: Way = request.param
    options = {"color_scheme": way.scheme, "java_script_enabled": way.scripts}
    with tab(browser, real.address, way.size, language=way.language, **options) as page:
        page.set_default_timeout(60_000)
        yield Walk(page, way, request.config.getoption("--shots"))


def said(way: Walk) -> str:
    found: str = way.page.locator("main").inner_text()
    return found


# --- the flows ------------------------------------------------------------------------------------


def test_today_tells_what_came_and_an_empty_day_explains_itself(walk: Walk, real: Desk) -> None:
    page = walk.to("/", "today")
    assert page.locator("[data-item]").count() > 3
    assert page.locator(".why").first.inner_text()
    expect(page.locator(f'a[href="/posts/{real.draft}"]').first).to_be_visible()
    page = walk.to(f"/?day={real.silent_day}", "today-empty")
    assert page.locator("[data-item]").count() == 0
    assert page.locator(".lead").inner_text()


def test_search_narrows_marks_and_leads_to_a_paper_that_can_be_judged(walk: Walk, real: Desk) -> None:
    page = walk.to("/search?q=machine+unlearning", "search")
    assert page.locator("[data-item] mark").count() > 3
    if page.locator("summary:visible").count():
        page.locator("summary:visible").first.click()
    facet = page.locator(f'.facet a:visible[href*="topic={real.topic}"]').first
    facet.click()
    page.wait_for_url(f"**topic={real.topic}**")
    walk.look("search-narrowed")
    page.locator("[data-item] a").first.click()
    page.wait_for_url("**/papers/*")
    page = walk.to(f"/papers/{real.paper}", "paper")
    page.locator('button[value="like"]').first.click()
    expect(page.get_by_role("status").first).to_be_visible()
    page.locator('button[value="undo"]').first.click()
    expect(page.locator('button[aria-pressed="true"]')).to_have_count(0)


def test_a_post_is_read_edited_reordered_compared_and_decided_about(walk: Walk, real: Desk) -> None:
    walk.to("/posts", "posts")
    page = walk.to(f"/posts/{real.draft}", "post")
    expect(page.locator(".bubble").first).to_be_visible()
    expect(page.locator("meter").first).to_be_visible()
    text = page.locator("#text")
    before = version(real)
    text.fill(text.input_value() + "\n\n<i>My own words</i>")
    page.locator('button[value="save"]').last.click()
    expect(page.locator("#messages i", has_text="My own words").first).to_be_visible()
    walk.look("post-edited")
    page.locator('button[value^="down:"]').first.click()
    assert version(real) == before + 2
    walk.to(f"/posts/{real.draft}/history", "history")
    page = walk.to(f"/posts/{real.draft}", "post-again")
    page.locator('details:has(input[name="at"]) summary').click()
    page.locator('input[name="at"]').fill((real.now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"))
    page.locator('button[value="schedule"]').click()
    expect(page.get_by_role("status").first).to_be_visible()
    walk.look("post-scheduled")
    again(real)


def test_keys_are_judged_on_their_evidence_and_what_they_bring_is_told(walk: Walk, real: Desk) -> None:
    page = walk.to(f"/topics/{real.topic}", "keys")
    card = page.locator(".key").first
    name = card.locator("h2").inner_text()
    assert card.locator(".belongs li").count() > 0
    if walk.page.evaluate("true") and page.locator(".keys-help:visible").count():
        page.keyboard.press("j")
        page.keyboard.press("a")
    else:
        card.locator('button[value="accept"]').click()
    expect(page.locator(".key h2", has_text=re.compile(f"^{re.escape(name)}$"))).to_have_count(0)
    with opened(real) as app:
        assert {key.text: key.state for key in app.store.keys(real.topic)}[name] == "active"
        topics.decide(app, real.topic, name, "proposed", "again")
    walk.to("/topics", "topics")
    page.goto(f"/topics/{real.topic}/yield")
    walk.settled()
    walk.look("bring")
    assert page.locator("svg.chart").count() > 3


def test_a_new_topic_shows_what_it_would_have_found_before_it_is_saved(walk: Walk, real: Desk) -> None:
    page = walk.to("/topics/new", "new-topic-empty")
    page.locator("#term").fill("mechanistic interpretability")
    page.locator("#keys").fill("sparse autoencoders, circuit discovery")
    page.locator("#papers").fill(real.paper)
    page.locator("form.topic button, main form button").last.click()
    page.wait_for_url("**term=mechanistic**")
    walk.settled()
    walk.look("new-topic")
    assert page.locator('a[href^="/papers/"]').count() > 3
    assert "mechanistic-interpretability" not in config.load(None, real.home, {}).topics


def test_trends_and_maps_are_drawn_and_can_be_taken(walk: Walk, real: Desk) -> None:
    page = walk.to("/trends", "trends")
    page.goto("/trends?term=unlearning")
    walk.settled()
    walk.look("trend")
    expect(page.locator("svg.chart").first).to_be_visible()
    page.goto(f"/trends/map?topic={real.topic}")
    walk.settled()
    walk.look("map")
    assert page.locator("svg.map a").count() > 5
    png = page.request.get(
        f"/trends/map.png?topic={real.topic}&since={real.now.date() - timedelta(days=14)}", timeout=200_000
    )
    assert png.body()[:4] == b"\x89PNG"


def test_readers_find_posts_without_a_way_to_change_them(walk: Walk, real: Desk) -> None:
    page = walk.to("/public/index.html", "public")
    assert page.locator("form[method=post]").count() == 0
    page.locator("article.entry a").first.click()
    page.wait_for_url("**/posts/**")
    walk.look("public-post")
    assert page.locator('link[type="application/atom+xml"]').count() == 1


# --- one way only ---------------------------------------------------------------------------------


def test_what_was_approved_is_delivered_and_what_may_have_been_sent_is_settled(
    browser: Any, real: Desk
) -> None:
    with tab(browser, real.address) as page:
        walk = Walk(page, WAYS[0], None)
        page.goto(f"/posts/{real.draft + 1}")
        page.locator('button[value="approve"]').first.click()
        expect(page.get_by_role("status").first).to_be_visible()
        page.goto("/jobs")
        page.locator('button[value="deliver"], form:has(input[value="deliver"]) button').first.click()
        expect(page.locator("[data-renew]")).to_have_count(0, timeout=120_000)
        walk.look("job")
        with opened(real) as app:
            sent = {one.channel: one.state for one in app.store.deliveries(post_id=real.draft + 1)}
        assert sent == {"files": "sent", "news": "sent"}
        walk.to("/posts/outbox", "outbox")
        form = page.locator(f'form[action="/posts/outbox/{real.uncertain}"]').first
        form.locator('button[value="drop"], button[value="retry"]').first.click()
        expect(page.get_by_role("status").first).to_be_visible()


def test_the_second_of_two_browsers_is_told(browser: Any, real: Desk) -> None:
    with tab(browser, real.address) as one, tab(browser, real.address, "phone") as other:
        for page in (one, other):
            page.goto(f"/posts/{real.draft}")
        for page, text in ((one, "<i>first</i>"), (other, "<i>second</i>")):
            page.locator("#text").fill(f"{page.locator('#text').input_value()}\n\n{text}")
            page.locator('button[value="save"]').last.click()
        expect(other.get_by_role("heading", name="It was changed meanwhile")).to_be_visible()
        assert "second" in other.get_by_label("Yours").input_value()


def version(desk: Desk) -> int:
    return int(rows(desk.home, "SELECT version FROM post WHERE id = ?", desk.draft)[0][0])


def again(desk: Desk) -> None:
    """Make the draft a draft once more, for the next way."""
    with closing(sqlite3.connect(desk.home / "digest.sqlite3")) as connection, connection:
        connection.execute("UPDATE post SET state = 'draft', decided_at = NULL WHERE id = ?", [desk.draft])
        connection.execute("UPDATE delivery SET not_before = NULL WHERE post = ?", [desk.draft])
