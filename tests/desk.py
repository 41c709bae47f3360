"""A digest home in which posts wait for a decision and deliveries for a look, for tests of the page."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import web
from digest import config
from digest.app import App

FRIDAY = datetime(2026, 7, 3, 12, tzinfo=UTC)
XAI, XAI_RU, UNLEARNING = 1, 2, 4
"""Posts of the sample: the first two are one roundup in two languages."""
CONFIGURATION = """\
approval = "manual"
[channels.files]
type = "file"
folder = "posts"
[channels.news]
type = "telegram"
chat = "@news"
time_zone = "Europe/Berlin"
topics = ["diffusion"]
"""


def drafts(home: Path, numbers: Sequence[int] = (1, 2, 3, 4, 5, 6)) -> None:
    """Make drafts of posts again, none of which has left the machine."""
    marks = ",".join("?" * len(numbers))
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
        connection.execute(
            f"UPDATE post SET state = 'draft', decided_at = NULL WHERE id IN ({marks})", numbers
        )
        connection.execute(
            f"UPDATE delivery SET state = 'queued', receipt = NULL, sha256 = NULL WHERE post IN ({marks})",
            numbers,
        )


def held(home: Path, post: int, state: str, error: str) -> int:
    """Make a delivery of a post one that was held; gives its number."""
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
        connection.execute(
            "UPDATE delivery SET state = ?, error = ?, receipt = NULL WHERE post = ?", (state, error, post)
        )
        found: int = connection.execute("SELECT id FROM delivery WHERE post = ?", (post,)).fetchone()[0]
    return found


def copy(sample: Path, home: Path) -> Path:
    """A copy of the sample's home with drafts, and a configuration of its own."""
    shutil.copytree(sample, home)
    drafts(home)
    (home / "digest.toml").write_text(CONFIGURATION, encoding="utf-8")
    return home


def opened(home: Path) -> App:
    """The program over a home, as of the sample's day."""
    return App(config.load(None, home, {}), FRIDAY, quiet=True)


def editor(browser: web.Browser, number: int) -> dict[str, str]:
    """What the editor of a post holds: its hidden fields (of papers only one) and its text."""
    import html
    import re

    page = browser.get(f"/posts/{number}").raise_for_status().text
    form = browser.form(f"/posts/{number}", f"/posts/{number}/edit")
    found = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found
    return {**form, "text": html.unescape(found[1])}


def papers(browser: web.Browser, number: int) -> list[str]:
    """The papers of a post's editor, in their order."""
    import re

    return re.findall(r'name="paper" value="([^"]+)"', browser.get(f"/posts/{number}").text)
