"""A bot's token appears nowhere: not in what is said, nor in logs, nor in any file."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from botapi import TOKEN, BotApi
from digest import log
from digest.channels.telegram import Bot, TelegramChannel, Token
from digest.errors import ConfigError
from digest.store import Store
from newsroom import WRONG, Command
from outbox import NOON, Office, draft


@pytest.mark.parametrize(
    "text", ["", "hello", "0123:abc", "123 :abc", f"{TOKEN}\nx", "123:" + "x" * 90, "1:ё"]
)
def test_what_is_no_token_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError, match="the bot token is not one") as caught:
        Token(text)
    assert not text or text not in str(caught.value)


def test_a_token_shows_itself_nowhere() -> None:
    token = Token(TOKEN)
    bot = Bot(lambda: token, "http://127.0.0.1:9")
    assert TOKEN not in f"{token} {token!r} {bot!r} {TelegramChannel('n', bot, '@news')!r}"


@pytest.mark.parametrize(
    ("token", "fault"),
    [(TOKEN, ""), (TOKEN, "502"), (TOKEN, "drop_after"), (WRONG, ""), ("no token at all", "")],
)
def test_the_token_stands_in_no_output_no_log_and_no_file(
    home: Path, api: BotApi, chat: int, token: str, fault: str, digest: Command
) -> None:
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one", "two")], {"en": ["news"]}, "approved", 0, NOON)
    if fault:
        api.fault(fault, methods=["sendMessage"])
        api.fault(fault, methods=["getUpdates"])
    commands = (
        ["deliver"],
        ["channel", "check"],
        ["review", "poll"],
        ["review", "poll", "--wait", "0.1"],
        ["outbox", "list", "--all"],
        ["--json", "deliver"],
    )
    done = [digest(home, *command, "-vv", token=token) for command in commands]
    said = "".join(one.stdout + one.stderr for one in done)
    secret = token.partition(":")[2] or token
    assert "Traceback" not in said
    assert secret not in said
    assert [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []
    if token == TOKEN and not fault:
        assert [one.text for one in api.messages(chat)] == ["one", "two"]


def test_a_process_that_crashes_leaves_no_image_of_its_memory(home: Path) -> None:
    code = (
        "import os, resource, sys; from digest.channels.telegram import Bot, Token;"
        "resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2);"
        "bot = Bot(lambda: Token(sys.argv[1]), sys.argv[2]); bot.open();"
        "assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0; os.abort()"
    )
    url = (home / "digest.toml").read_text().partition('url = "')[2].partition('"')[0]
    done = subprocess.run(
        [sys.executable, "-c", code, TOKEN, url], cwd=home, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert not [path for path in home.iterdir() if TOKEN.encode() in path.read_bytes()]


def test_other_packages_do_not_log_the_address(
    desk: Office, api: BotApi, caplog: pytest.LogCaptureFixture
) -> None:
    log.configure(2)
    desk.write("x")
    try:
        desk.deliver()
    finally:
        logging.basicConfig(force=True, level=logging.WARNING)
    assert desk.posted() == ["x"]
    assert TOKEN not in caplog.text
