"""Debian's Chromium, steered by Playwright, at the size of a phone and of a laptop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, once for all tests that look at pages. Skips where there is none."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


@contextmanager
def page(
    browser: Browser,
    size: dict[str, int] = LAPTOP,
    scheme: Literal["light", "dark"] = "light",
    *,
    scripts: bool = True,
) -> Iterator[Page]:
    """A page in a session of its own. What goes wrong in it (an error of a script, something that the
    policy refuses) fails the test."""
    wrong: list[str] = []
    context = browser.new_context(viewport=dict(size), color_scheme=scheme, java_script_enabled=scripts)  # type: ignore[arg-type]
    context.set_default_timeout(30_000)
    made = context.new_page()
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on(
        "console",
        lambda told: wrong.append(told.text) if told.type == "error" and not _expected(told.text) else None,
    )
    yield made
    context.close()
    assert not wrong


def _expected(text: str) -> bool:
    """A status of 4xx that the test asked for is told in the console too."""
    return text.startswith("Failed to load resource: the server responded with a status of 4")


def overflows(page: Page) -> list[Any]:
    """The boxes that reach over the right edge, though nothing scrolls them: none on a well-made page."""
    try:
        wide = page.viewport_size["width"]  # type: ignore[index]
        return [] if page.locator("html").evaluate("node => node.scrollWidth") <= wide else ["the page"]
    except Error:  # without scripts nothing can be measured
        return []
