"""What an owner of a channel does on the page, in a browser: at the size of a phone and of a laptop, in light
and dark, with scripts and without."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import desk
import web
from chromium import Size, chromium, overflows, tab, violations
from desk import FRIDAY, XAI
from digest.actions import posts, site
from digest.types import Post

PAGES = (
    "/posts",
    "/posts/1",
    "/posts/7",
    "/posts/1/history",
    "/posts/outbox",
    "/topics",
    "/topics/unlearning",
    "/topics/unlearning?state=active",
    "/topics/new",
    "/trends",
    "/public/index.html",
    "/public/ru/topics/diffusion.html",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture
def address(home: Path) -> Iterator[str]:
    with web.serving(home, FRIDAY) as made:
        yield made


def stored(home: Path, number: int = XAI) -> Post:
    with desk.opened(home) as app:
        return posts.find(app, number)


# --- posts ----------------------------------------------------------------------------------------


def test_what_is_typed_is_seen_at_once_beside_it_and_saved(browser: Any, home: Path, address: str) -> None:
    with tab(browser, address) as seen:
        seen.goto(f"/posts/{XAI}")
        text = seen.get_by_label("Text", exact=True)
        text.press("Control+Home")
        text.press_sequentially("<b>Breaking</b> news. ")
        expect(seen.locator("#messages .message b").first).to_have_text("Breaking")
        text.press("Control+Home")
        text.press_sequentially("<i>")
        expect(seen.locator("#messages [role=alert]")).to_contain_text("end tag corresponding")
        for _ in range(3):
            text.press("Backspace")
        expect(seen.locator("#messages .message b").first).to_have_text("Breaking")
        text.press("Control+s")
        expect(seen.get_by_role("link", name="version 2")).to_be_visible()
    assert stored(home).parts[0].text.startswith("Breaking news.")


def test_papers_are_moved_and_dropped_on_a_phone_without_scripts(
    browser: Any, home: Path, address: str
) -> None:
    before = stored(home).papers
    with tab(browser, address, "phone", color_scheme="dark", java_script_enabled=False) as seen:
        seen.goto(f"/posts/{XAI}")
        seen.get_by_label("Text", exact=True).fill(stored(home).parts[0].html + "\n\nMine")
        seen.get_by_role("button", name="Move down").first.click()
        seen.get_by_role("button", name="Drop").first.click()
        expect(seen.locator(".papers li")).to_have_count(len(before) - 1)
    now = stored(home)
    assert now.papers == (before[0], *before[2:])
    assert "Mine" in now.parts[-1].text


def test_a_post_is_previewed_without_scripts_and_nothing_typed_is_lost(
    browser: Any, home: Path, address: str
) -> None:
    with tab(browser, address, java_script_enabled=False) as seen:
        seen.goto(f"/posts/{XAI}")
        text = seen.get_by_label("Text", exact=True)
        text.fill(stored(home).parts[0].html + "\n\n<u>Underlined</u>")
        seen.get_by_role("button", name="Preview").click()
        expect(seen.locator("#messages .message u")).to_have_text("Underlined")
        expect(text).to_have_value(stored(home).parts[0].html + "\n\n<u>Underlined</u>")
    assert stored(home).version == 1


@pytest.mark.parametrize(("button", "state"), [("Approve", "approved"), ("Reject", "rejected")])
def test_a_draft_is_decided_about(browser: Any, home: Path, address: str, button: str, state: str) -> None:
    with tab(browser, address, "phone") as seen:
        seen.goto("/posts?state=draft")
        seen.locator(".row-name").first.click()
        seen.get_by_role("checkbox", name="Русский").check()
        seen.get_by_role("button", name=button, exact=True).click()
        expect(seen.get_by_role("status").first).to_contain_text("2 posts")
    with desk.opened(home) as app:
        assert {one.language for one in app.store.posts(state=state)} >= {"en", "ru"}  # type: ignore[arg-type]


def test_the_second_of_two_browsers_is_told_and_can_save_over_it(
    browser: Any, home: Path, address: str
) -> None:
    with tab(browser, address) as one, tab(browser, address, "phone") as other:
        for seen in (one, other):
            seen.goto(f"/posts/{XAI}")
        source = stored(home).parts[0].html
        one.get_by_label("Text", exact=True).fill(f"{source}\n\nFrom the first")
        one.get_by_role("button", name="Save").click()
        expect(one.get_by_role("link", name="version 2")).to_be_visible()
        other.get_by_label("Text", exact=True).fill(f"{source}\n\nFrom the second")
        other.get_by_role("button", name="Save").click()
        expect(other.get_by_role("heading", name="It was changed meanwhile")).to_be_visible()
        assert "From the second" in other.get_by_label("Yours").input_value()
        assert "From the first" in other.get_by_label("Now stored, version 2").input_value()
        other.get_by_role("button", name="Save mine over it").click()
        expect(other.get_by_role("link", name="version 3")).to_be_visible()
    assert stored(home).parts[-1].text.endswith("From the second")


def test_a_message_is_shown_in_telegrams_light_and_dark(browser: Any, address: str) -> None:
    with tab(browser, address) as seen:
        seen.goto(f"/posts/{XAI}")
        bubble = seen.locator(".bubble").first
        seen.get_by_label("Dark").check()
        expect(bubble).to_have_css("background-color", "rgb(24, 37, 51)")
        seen.get_by_label("Light").check()
        expect(bubble).to_have_css("background-color", "rgb(255, 255, 255)")


# --- keys, topics, trends -------------------------------------------------------------------------


def test_keys_are_judged_by_the_keyboard_and_taken_back(browser: Any, home: Path, address: str) -> None:
    with tab(browser, address) as seen:
        seen.goto("/topics/unlearning")
        cards = seen.locator(".key")
        names = cards.locator("h2").all_inner_texts()
        seen.keyboard.press("j")
        expect(cards.nth(0)).to_be_focused()
        seen.keyboard.press("a")
        expect(cards).to_have_count(len(names) - 1)
        expect(cards.nth(0)).to_be_focused()
        seen.keyboard.press("r")
        expect(cards).to_have_count(len(names) - 2)
        seen.keyboard.press("u")
        expect(cards).to_have_count(len(names) - 1)
        expect(cards.nth(0).locator("h2")).to_have_text(names[1])
    with desk.opened(home) as app:
        state = {key.text: key.state for key in app.store.keys("unlearning")}
    assert (state[names[0]], state[names[1]]) == ("active", "proposed")


def test_a_key_is_judged_by_a_button_without_scripts(browser: Any, home: Path, address: str) -> None:
    with tab(browser, address, "phone", java_script_enabled=False) as seen:
        seen.goto("/topics/unlearning")
        name = seen.locator(".key h2").first.inner_text()
        seen.get_by_role("button", name="Reject").first.click()
        expect(seen.get_by_role("status").first).to_contain_text(name)
    with desk.opened(home) as app:
        assert {key.text: key.state for key in app.store.keys("unlearning")}[name] == "rejected"


@pytest.mark.slow
def test_a_topic_is_made_of_two_words_tried_and_saved(browser: Any, home: Path, address: str) -> None:
    with tab(browser, address, "phone", color_scheme="dark", java_script_enabled=False) as seen:
        seen.goto("/topics")
        seen.get_by_role("link", name="New topic").click()
        seen.get_by_label("What the field calls itself").fill("concept erasure")
        seen.get_by_label("Words that point to it").fill("concept erasure, concept removal")
        seen.get_by_role("button", name="Try it on the last month").click()
        seen.get_by_role("button", name="Save as").click(timeout=120_000)
        expect(seen.get_by_role("heading", name="concept erasure")).to_be_visible()
    assert "[topics.concept-erasure]" in (home / "digest.toml").read_text("utf-8")


def test_a_term_is_drawn_and_leads_on(browser: Any, address: str) -> None:
    with tab(browser, address, "phone") as seen:
        seen.goto("/trends")
        seen.get_by_label("A term over the years").fill("unlearning")
        seen.get_by_role("button", name="Show").click()
        expect(seen.get_by_role("heading", name="unlearning")).to_be_visible(timeout=120_000)
        seen.get_by_text("In numbers").click()
        expect(seen.get_by_role("columnheader", name="Papers held")).to_be_visible()
        assert not overflows(seen)


# --- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("phone", "light"),
        pytest.param("phone", "dark", marks=pytest.mark.slow),
        pytest.param("laptop", "dark", marks=pytest.mark.slow),
    ],
)
def test_every_page_fits_its_screen_and_breaks_no_rule_of_ours(
    browser: Any, address: str, size: Size, scheme: str
) -> None:
    with tab(browser, address, size, color_scheme=scheme) as seen:
        for path in PAGES:
            answer = seen.goto(path)
            assert answer.status == 200, path
            assert not overflows(seen), path
            assert len(answer.body()) < 100_000
            expect(seen.get_by_role("heading", level=1)).to_have_count(1)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ru", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility(
    browser: Any, address: str, scheme: str, language: str
) -> None:
    with tab(browser, address, language=language, color_scheme=scheme) as seen:
        for path in (
            *PAGES,
            "/",
            "/search?q=model",
            "/papers/2607.01642",
            "/jobs",
            "/trends?term=unlearning",
        ):
            seen.goto(path)
            expect(seen.locator("progress")).to_have_count(0)
            assert violations(seen) == [], path


ATTACK = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


def test_titles_keys_and_posts_that_attack_do_nothing(browser: Any, home: Path, address: str) -> None:
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
        connection.execute("UPDATE paper SET title = ?", (ATTACK,))
        connection.execute("UPDATE topic_key SET text = text || ?", (ATTACK,))
    with tab(browser, address) as seen:
        for path in (*PAGES, "/trends?term=" + ATTACK.replace("<", "%3C"), "/posts?topic=" + ATTACK):
            seen.goto(path)
            seen.wait_for_timeout(20)
            assert seen.locator("main img[src=x]").count() == 0
        seen.goto("/public/index.html")
        seen.get_by_role("searchbox").fill("img")
        expect(seen.locator(".hits li").first).to_be_visible()
        assert seen.locator(".hits img").count() == 0


# --- the site -------------------------------------------------------------------------------------


def test_the_site_is_searched_from_the_disk_and_read_without_scripts(
    browser: Any, home: Path, tmp_path: Path
) -> None:
    with desk.opened(home) as app:
        site.build(app, tmp_path / "site")
        title = app.store.papers(posts.find(app, 7).papers)[0].title
    disk = (tmp_path / "site").as_uri()
    with tab(browser, disk, "phone") as seen:
        seen.goto(f"{disk}/index.html")
        seen.keyboard.press("/")
        seen.keyboard.type(" ".join(title.split()[:3]))
        seen.locator(".hits a").first.click()
        expect(seen.locator("article.post")).to_contain_text(" ".join(title.split()[:3]))
        seen.get_by_role("link", name="Русский").click()
        expect(seen.locator("html")).to_have_attribute("lang", "ru")
        assert not overflows(seen)
    with tab(browser, disk, java_script_enabled=False) as seen:
        seen.goto(f"{disk}/index.html")
        expect(seen.get_by_role("searchbox")).to_be_hidden()
        seen.get_by_role("link", name="Diffusion models").first.click()
        seen.locator(".posts a").first.click()
        expect(seen.locator("article.post")).to_be_visible()
