"""The archive as readers see it, served without a password."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

import desk
import web
from desk import FRIDAY
from digest.actions import site
from digest.site import pages
from digest.web import access
from digest.web.public import TYPES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, sample_home: Path) -> Path:
    return desk.copy(sample_home, tmp_path_factory.mktemp("public") / "home")


@pytest.fixture(scope="module")
def page(home: Path) -> Iterator[str]:
    access.set_password(home, "correct horse battery")
    with web.serving(home, FRIDAY) as address:
        yield address


def get(page: str, path: str) -> httpx.Response:
    return httpx.get(page + path, trust_env=False, follow_redirects=True)


def test_readers_see_what_the_site_shows_without_password_or_cookie(page: str, home: Path) -> None:
    with desk.opened(home) as app:
        made = pages(site.published(app))
    assert any("diffusion" in name for name in made)
    for name, make in made.items():
        answer = get(page, f"/public/{name}")
        assert answer.status_code == 200
        assert answer.content == make()
        assert answer.headers["content-type"] == TYPES[Path(name).suffix]
        assert "set-cookie" not in answer.headers
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert get(page, "/public").url.path == "/public/index.html"
    assert get(page, "/posts").url.path == "/login"


def test_no_draft_is_shown_to_readers(page: str, home: Path) -> None:
    with desk.opened(home) as app:
        drafts = app.store.posts(state="draft")
    assert drafts
    index = get(page, "/public/index.html").text
    for one in drafts:
        name = f"{one.slot}-{one.topics[0]}-{one.genre}"
        assert name not in index
        assert get(page, f"/public/{one.language}/posts/{name}.html").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "../digest.toml",
        "%2e%2e/digest.toml",
        "..%2f..%2fetc/passwd",
        "en/../../digest.sqlite3",
        "%00",
        "nonsense",
    ],
)
def test_nothing_but_the_sites_files_is_served(page: str, path: str) -> None:
    connection = HTTPConnection(page.removeprefix("http://"))  # which sends a path as it is
    connection.request("GET", f"/public/{path}")
    answer = connection.getresponse()
    assert answer.status in (400, 404)
    assert b"approval" not in answer.read()
    connection.close()
