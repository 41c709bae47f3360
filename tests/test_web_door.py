"""Who may use the page: hosts, foreign sites, forms, sizes, the password, slow clients."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import web
from digest.web import access, guard, server
from digest.web.guard import MOST_BYTES, Hosts, local_path

SECRET = "correct horse battery"


@pytest.fixture
def locked(tmp_path: Path, sample_home: Path) -> Iterator[str]:
    """The address of a page with a password."""
    shutil.copytree(sample_home, tmp_path / "home")
    access.set_password(tmp_path / "home", SECRET)
    with web.serving(tmp_path / "home", web.FRIDAY) as address:
        yield address


def test_every_answer_forbids_scripts_and_frames_of_others(page: str) -> None:
    for path in ("/", "/search", "/static/page.css", "/nowhere"):
        answer = httpx.get(page + path, trust_env=False)
        assert answer.status_code == (404 if path == "/nowhere" else 200)
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8765", "192.0.2.1", ""]
)
def test_under_a_name_that_is_not_ours_nothing_is_served(page: str, host: str) -> None:
    answer = httpx.get(page, headers={"Host": host}, trust_env=False)
    assert answer.status_code in (400, 421)
    assert "<html" not in answer.text


def test_named_hosts_are_served_and_elsewhere_addresses_too() -> None:
    assert Hosts("127.0.0.1", ["digest.example.org"]).has("digest.example.org:8765")
    assert Hosts("127.0.0.1").has("[::1]:8765")
    assert Hosts("0.0.0.0").has("192.0.2.7:8765")
    assert not Hosts("127.0.0.1").has("192.0.2.7")
    assert not Hosts("0.0.0.0").has("evil.example")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_of_another_site_is_refused(page: str, headers: dict[str, str]) -> None:
    with web.Browser(page) as browser:
        answer = browser.post("/logout", data={"csrf": "x"}, headers=headers)
        assert answer.status_code == 403


def test_a_form_without_the_token_of_its_session_is_refused(page: str) -> None:
    with web.Browser(page) as one, web.Browser(page) as other:
        one.get("/")
        other.get("/")
        assert one.cookies["digest"] != other.cookies["digest"]
        assert one.post("/logout", data={}).status_code == 403
        assert one.post("/logout", data={"csrf": "0" * 64}).status_code == 403


def test_what_is_too_long_is_refused_before_it_is_read(page: str) -> None:
    assert httpx.post(page + "/login", content=b"x" * (MOST_BYTES + 1), trust_env=False).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // 65536 + 2):
            yield b"x" * 65536

    assert httpx.post(page + "/login", content=pieces(), trust_env=False).status_code == 413


def test_a_page_with_a_password_shows_nothing_before_it_is_given(locked: str) -> None:
    with web.Browser(locked) as browser:
        asked = browser.get("/search?q=unlearning")
        assert asked.url.path == "/login"
        assert "/papers/" not in asked.text
        wrong = browser.send_form("/login?next=/search", "/login", password="wrong")
        assert wrong.status_code == 403
        right = browser.send_form("/login?next=/search%3Fq%3Dunlearning", "/login", password=SECRET)
        assert str(right.url) == f"{locked}/search?q=unlearning"
        assert browser.send_form("/", "/logout").url.path == "/login"
        assert browser.get("/").url.path == "/login"


def test_a_session_that_was_known_before_the_password_is_none_afterwards(locked: str) -> None:
    with web.Browser(locked) as browser, web.Browser(locked) as thief:
        browser.get("/login")
        thief.cookies.set("digest", browser.cookies["digest"])
        browser.send_form("/login", "/login", password=SECRET)
        assert thief.get("/").url.path == "/login"


def test_after_five_tries_even_the_right_password_has_to_wait(locked: str) -> None:
    with web.Browser(locked) as browser:
        for _ in range(5):
            assert browser.send_form("/login", "/login", password="wrong").status_code == 403
        answer = browser.send_form("/login", "/login", password=SECRET)
        assert answer.status_code == 429
        assert "Wait" in answer.text


def test_of_a_password_only_a_hash_is_kept_that_only_its_owner_can_read(tmp_path: Path) -> None:
    file = access.set_password(tmp_path, SECRET)
    assert SECRET.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    password = access.load_password(tmp_path)
    assert password is not None
    assert password.fits(SECRET)
    assert not password.fits(SECRET + " ")


@pytest.fixture
def tokened(tmp_path: Path, sample_home: Path) -> Iterator[tuple[str, str]]:
    """The address of a page with a password and a token, and the token."""
    shutil.copytree(sample_home, tmp_path / "home")
    access.set_password(tmp_path / "home", SECRET)
    token = access.make_token(tmp_path / "home")
    with web.serving(tmp_path / "home", web.FRIDAY) as address:
        yield address, token


def test_a_program_gives_the_token_and_needs_no_cookie(tokened: tuple[str, str]) -> None:
    address, token = tokened
    with httpx.Client(base_url=address, trust_env=False) as program:
        assert program.get("/search").headers["location"].startswith("/login")
        program.cookies.clear()
        program.headers["Authorization"] = f"Bearer {token}"
        found = program.get("/search?q=unlearning")
        assert found.status_code == 200
        assert "set-cookie" not in found.headers
        assert program.get("/metrics").status_code == 200
        said = {"paper": "2607.01642", "topic": "xai", "opinion": "like"}
        assert program.post("/feedback", data=said).headers["location"] == "/papers/2607.01642"
        assert "Noted: on topic" in program.get("/papers/2607.01642").text


def test_a_browser_of_another_site_cannot_use_the_token(tokened: tuple[str, str]) -> None:
    address, token = tokened
    headers = {"Authorization": f"Bearer {token}", "Origin": "https://evil.example"}
    assert httpx.post(f"{address}/feedback", headers=headers, trust_env=False).status_code == 403
    asked = httpx.options(f"{address}/feedback", headers=headers, trust_env=False)
    assert "access-control-allow-origin" not in asked.headers


def test_wrong_tokens_are_refused_and_after_five_even_the_right_one_has_to_wait(
    tokened: tuple[str, str],
) -> None:
    address, token = tokened
    with httpx.Client(base_url=address, trust_env=False) as program:
        for given in ("y", "x", token[:-1], token + "x", "\xe9"):
            answer = program.get("/search", headers={"Authorization": f"Bearer {given}".encode("latin-1")})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        answer = program.get("/search", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 10


def test_of_a_token_only_a_hash_is_kept_and_it_opens_the_door_too(tmp_path: Path) -> None:
    made = access.make_token(tmp_path)
    file = tmp_path / "page.token"
    assert made.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    known = access.load(tmp_path)
    assert known.is_locked
    assert known.opens(made)
    assert not known.opens(made[:-1])
    cookie = known.cookie(access.new_session(entered=True), web.FRIDAY)
    assert known.session(cookie, web.FRIDAY)
    access.make_token(tmp_path)
    assert access.load(tmp_path).session(cookie, web.FRIDAY) is None
    assert not access.load(tmp_path).opens(made)


@pytest.mark.parametrize(
    "given",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "/\n/evil.example", "", None, "evil"],
)  # fmt: skip
def test_no_address_leads_anywhere_else(given: str | None) -> None:
    assert local_path(given) == "/"


def test_cookies_are_out_of_reach_for_scripts_and_other_sites(page: str) -> None:
    cookie = httpx.get(page, trust_env=False).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_page_that_others_can_reach_wants_a_password_first(tmp_path: Path) -> None:
    told = run(tmp_path, "serve", "--address", "0.0.0.0", "--port", "0")
    assert told.returncode == 2
    assert "set a password first: digest serve --set-password" in told.stderr
    assert "digest serve --make-token" in told.stderr
    assert run(tmp_path, "serve", "--set-password", typed="short\n").returncode == 65
    assert run(tmp_path, "serve", "--set-password", typed=f"{SECRET}\n").returncode == 0


def run(home: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "digest", "--home", str(home), *arguments]
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)


# --- slow clients ---------------------------------------------------------------------------------


def connection(page: str) -> socket.socket:
    url = httpx.URL(page)
    return socket.create_connection((url.host, url.port or 80), timeout=30)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for half a second."""
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.5)


def closed_after(line: socket.socket, pieces: Iterator[bytes]) -> bytes:
    """What the server says until it closes, while it is given one piece after the other."""
    line.settimeout(0.1)
    said = b""
    for piece in pieces:
        try:
            line.sendall(piece)
            found = line.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not found:
            return said
        said += found
    raise AssertionError("the server waits for ever")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_headers_that_come_drop_by_drop_are_not_waited_for(page: str, begin: bytes) -> None:
    with connection(page) as line:
        line.sendall(begin)
        drops = (b"X" if begin else b"" for _ in range(200))
        assert closed_after(line, drops) == b""


@pytest.mark.usefixtures("impatient")
def test_a_body_that_comes_drop_by_drop_is_not_waited_for(page: str) -> None:
    with connection(page) as line:
        line.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        assert b" 408 " in closed_after(line, (b"x" for _ in range(200)))


def test_a_quick_client_is_served_while_slow_ones_wait(page: str) -> None:
    lines = [connection(page) for _ in range(50)]
    try:
        for line in lines:
            line.sendall(b"GET / HTTP/1.1\r\n")
        assert httpx.get(page + "/search", trust_env=False).status_code == 200
    finally:
        for line in lines:
            line.close()
