"""The page in Chromium: by keyboard, on a phone, in the dark, without JavaScript, for a screen reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import web
from chromium import chromium, tab, violations
from digest.web import access

PAPER = "2607.01642"
PATHS = ["/", "/search", "/search?q=interpretability&topic=xai", f"/papers/{PAPER}", "/jobs"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_serious(browser: Any, page: str, path: str) -> None:
    for size, scheme, language in (("laptop", "light", "en"), ("phone", "dark", "ru")):
        with tab(browser, page, size, language=language, color_scheme=scheme) as one:
            one.goto(path)
            one.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
            assert violations(one) == []


@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_no_page_is_wider_than_a_phone(browser: Any, page: str, language: str) -> None:
    with tab(browser, page, "phone", language=language) as one:
        for path in [*PATHS, f"/papers/{web.HARM}"]:
            one.goto(path)
            one.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
            assert one.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_by_keyboard_one_searches_walks_and_opens(browser: Any, page: str) -> None:
    with tab(browser, page) as one:
        one.goto("/search?q=model")
        one.keyboard.press("/")
        assert one.evaluate("document.activeElement.id") == "q"
        one.keyboard.type("interpretability")
        one.keyboard.press("Enter")
        one.wait_for_url("**/search?q=interpretability*")
        titles = one.locator("[data-item] a").all_text_contents()
        for key, place in (("j", 0), ("j", 1), ("k", 0), ("k", 0), ("j", 1)):
            one.keyboard.press(key)
            assert one.evaluate("document.activeElement.textContent") == titles[place]
        one.keyboard.press("Enter")
        one.wait_for_url("**/papers/*")
        assert one.locator("h1").text_content() == titles[1]


def test_the_first_tab_skips_the_menu_and_every_stop_is_seen(browser: Any, page: str) -> None:
    with tab(browser, page) as one:
        one.goto("/")
        one.keyboard.press("Tab")
        assert one.evaluate("document.activeElement.className") == "skip"
        assert one.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
        one.keyboard.press("Enter")
        assert one.evaluate("document.activeElement.id") == "main"
        for _ in range(6):
            one.keyboard.press("Tab")
            assert one.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("size", ["phone", "laptop"])
def test_everything_works_without_javascript(browser: Any, page: str, size: Any) -> None:
    with tab(browser, page, size, java_script_enabled=False) as one:
        one.goto("/")
        one.get_by_role("link", name="Search", exact=True).click()
        one.get_by_role("searchbox").fill("diffusion")
        one.get_by_role("button", name="Search").click()
        if size == "phone":
            one.locator("summary", has_text="Filters").click()
        one.locator(".facet a:visible", has_text="Diffusion models").click()
        assert "topic=diffusion" in one.url
        one.locator("[data-item] a").first.click()
        one.get_by_role("button", name="On topic").first.click()
        assert "Noted: on topic" in one.get_by_role("status").text_content()
        one.get_by_role("button", name="take back").first.click()
        one.locator(".languages a", has_text="Русский").click()
        assert one.locator("html").get_attribute("lang") == "ru"
        assert "/papers/" in one.url
        one.get_by_role("link", name="Задачи").click()
        one.get_by_role("button", name="Запустить: Отправка").click()
        one.get_by_text("выполнено").wait_for(timeout=60_000)  # the page renews itself


def test_a_phone_in_the_dark_has_dark_pages(browser: Any, page: str) -> None:
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    with tab(browser, page, "phone", color_scheme="dark") as one:
        one.goto("/")
        assert max(one.evaluate(brightness)) < 50
    with tab(browser, page, "phone", color_scheme="light") as one:
        one.goto("/")
        assert min(one.evaluate(brightness)) > 200


@pytest.mark.parametrize("path", ["/", f"/papers/{web.HARM}", f"/search?q={web.SCRIPT}", "/search?topic=xai"])
def test_nothing_that_is_stored_or_asked_runs(browser: Any, page: str, path: str) -> None:
    with tab(browser, page) as one:
        one.goto(path)
        assert "harmed" not in one.title() or web.SCRIPT[8:20] in one.title()
        assert one.title() != "1"
        assert one.locator("main script, main img").count() == 0


def test_a_link_from_elsewhere_finds_who_is_logged_in(
    browser: Any, sample_home: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample_home, tmp_path / "home")
    access.set_password(tmp_path / "home", "correct horse battery")
    with web.serving(tmp_path / "home", web.FRIDAY) as address, tab(browser, address) as one:
        one.goto("/jobs")
        one.get_by_label("Password").fill("correct horse battery")
        one.get_by_role("button", name="Log in").click()
        one.wait_for_url("**/jobs")
        one.goto("about:blank")
        one.set_content(f'<a href="{address}/search">digest</a>')
        one.get_by_role("link").click()
        one.get_by_role("searchbox").wait_for()
        one.get_by_role("button", name="Log out").click()
        one.wait_for_url("**/login")
