"""The log is silent about secrets, polite about stdout, and costs nothing while nothing is said."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import log

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw_"
logger = logging.getLogger("digest.pipeline")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, names = logging.getLogger(), ("", "digest", "httpx", "httpcore", "urllib3")
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in names}
    root.handlers[:] = []  # force=True in configure closes what it finds: pytest's own must not be there
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == "", "stdout is for results"
    return [json.loads(line) for line in err.splitlines()]


def test_an_event_is_one_json_object_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(1, json=True)
    logger.info("crawled", extra={"papers": 12, "source": "образец"})
    [event] = said(capsys)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "crawled",
        "level": "info",
        "logger": "digest.pipeline",
        "papers": 12,
        "source": "образец",
    }


def test_an_event_is_one_line_for_a_person_without_colours_off_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure(1)
    logger.info("crawled", extra={"papers": 12})
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "crawled" in err
    assert "papers=12" in err
    assert "\x1b" not in err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert log.has_colours(_Terminal())
    assert not log.has_colours(io.StringIO())
    monkeypatch.setenv(name, value)
    assert not log.has_colours(_Terminal())


@pytest.mark.parametrize(
    ("verbosity", "heard"),
    [
        (-2, ["error"]),
        (-1, ["error"]),
        (0, ["warning", "error"]),
        (1, ["info", "warning", "error"]),
        (2, ["debug", "info", "warning", "error"]),
        (5, ["debug", "info", "warning", "error"]),
    ],
)
def test_verbosity_says_from_which_level_on_one_is_heard(
    verbosity: int, heard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(verbosity, json=True)
    for level in ("debug", "info", "warning", "error"):
        getattr(logger, level)(level)
    assert [event["event"] for event in said(capsys)] == heard


@pytest.mark.parametrize("name", ["httpx", "httpcore.connection", "urllib3.connectionpool", "filelock"])
def test_other_packages_are_heard_from_warnings_on_only(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(2, json=True)
    logging.getLogger(name).info("HTTP Request: POST %s", f"https://api.telegram.org/bot{TOKEN}/sendMessage")
    logging.getLogger(name).warning("slow")
    assert [event["event"] for event in said(capsys)] == ["slow"]


def test_httpx_stays_silent_even_when_everybody_else_is_asked_to_talk(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure(2, json=True)
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("httpx").info("GET https://example.org")
    logging.getLogger("someone").info("hello")
    assert [event["event"] for event in said(capsys)] == ["hello"]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        {"token": TOKEN},
        {"token": "short"},
        {"bot_token": "short"},
        {"Authorization": "short"},
        {"password": "short"},
        {"request": {"headers": [{"authorization": "short"}]}},
        {"url": f"https://api.telegram.org/bot{TOKEN}/sendMessage"},
        {"database": "postgresql://digest:short@db/digest"},
        {"header": "Bearer short"},
    ],
)
def test_secrets_are_blacked_out(
    fields: dict[str, Any], as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(0, json=as_json)
    logger.warning("sent", extra=fields)
    err = capsys.readouterr().err
    assert log.REDACTED in err
    assert "short" not in err
    assert TOKEN not in err


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_blacked_out_of_tracebacks_arguments_and_names_keep_their_sense(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(0, json=as_json)
    try:
        raise ValueError(f"no answer from {TOKEN}")
    except ValueError:
        logger.exception("failed at %s", TOKEN, extra={"tokens": 128})
    err = capsys.readouterr().err
    assert TOKEN not in err
    assert "ValueError: no answer from [redacted]" in err
    assert "128" in err, "a number of tokens is no token"


@given(
    bot=st.integers(100_000, 10**12),
    rest=st.text("ABCxyz019_-", min_size=30, max_size=50),
    before=st.sampled_from(["", " ", "bot", "/", '"', "="]),
)
def test_any_bot_token_is_blacked_out_and_nothing_around_it(bot: int, rest: str, before: str) -> None:
    assert log.redact(f"a {before}{bot}:{rest} b") == f"a {before}{log.REDACTED} b"


@pytest.mark.parametrize("text", ["2026-11-21T23:35:43.578992Z", "arXiv:2405.01234v2", "12:30", "a@b.org"])
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert log.redact(text) == text


def test_python_warnings_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.configure(0, json=True)
        warnings.warn("this is old", FutureWarning, stacklevel=1)
        logging.captureWarnings(False)
    [event] = said(capsys)
    assert "FutureWarning: this is old" in event["event"]


def test_configured_twice_each_event_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(0, json=True)
    log.configure(0, json=True)
    logger.warning("once")
    assert len(said(capsys)) == 1


def test_silence_does_not_load_structlog() -> None:
    code = (
        "import logging, sys; from digest import log; log.configure(0);"
        "logging.getLogger('digest').info('x');"
        "assert 'structlog' not in sys.modules;"
        "logging.getLogger('digest').warning('x'); assert 'structlog' in sys.modules"
    )
    source = str(Path(__file__).parents[1] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": source}, check=False, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
