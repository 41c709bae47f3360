"""Chromium, where there is one: never downloaded, and without network of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
SIZES = {"phone": {"width": 390, "height": 844}, "laptop": {"width": 1280, "height": 800}}
LOCALES = {"en": "en-GB", "ru": "ru-RU", "zh": "zh-CN"}
AXE = Path(__file__).parent / "browser" / "node_modules" / "axe-core" / "axe.min.js"

Size = Literal["phone", "laptop"]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no Chromium is installed ({', '.join(NAMES)})")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def tab(
    browser: Any, address: str, size: Size = "laptop", *, language: str = "en", **more: Any
) -> Iterator[Any]:
    """A page of a new window, whose scripts and answers may hold no error."""
    context = browser.new_context(
        base_url=address, viewport=SIZES[size], locale=LOCALES[language], reduced_motion="reduce", **more
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if _is_wrong(said) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append(dialog.message), dialog.dismiss()))
    own = (f"{address}/", "about:", "data:")
    page.on("request", lambda asked: None if asked.url.startswith(own) else errors.append(asked.url))
    try:
        yield page
    finally:
        context.close()
    assert errors == [], errors


def _is_wrong(said: Any) -> bool:
    """Whether the console tells of an error; that a page came with a status of its own is none."""
    told = "the server responded with a status of "
    return said.type == "error" and not any(f"{told}{status}" in said.text for status in (409, 422))


def overflows(page: Any) -> bool:
    """Whether something reaches over the right edge of the page."""
    wide: int = page.evaluate("document.documentElement.scrollWidth")
    return wide > page.viewport_size["width"]


def violations(page: Any) -> list[str]:
    """What axe-core finds serious or critical; the test is skipped where axe-core is not installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci --prefix tests/browser")
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:200] for node in one["nodes"])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
