"""What the tests of posting by the command line share: a home with a Telegram channel, and the program."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from botapi import TOKEN, BotApi
from digest import cli
from outbox import EDITOR, new_database

WRONG = "7000000001:AAEwrong_token_that_no_one_may_see_anywhere"

CONFIG = """
[telegram]
url = "{url}"
editors = [{editor}]
[topics.xai]
term = "explainable AI"
seed_keys = ["XAI"]
[channels.news]
type = "telegram"
chat = "{chat}"
"""


class Done(NamedTuple):
    """What a command left: its exit code, and what it said."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


def newsroom(folder: Path, api: BotApi, chat: int) -> Path:
    """A digest home whose posts go to a chat of the server."""
    home = folder / "home"
    home.mkdir()
    api.write(EDITOR, "/start")
    (home / "digest.toml").write_text(CONFIG.format(url=api.url, chat=chat, editor=EDITOR))
    (home / "digest.sqlite3").write_bytes(new_database())
    return home


@contextmanager
def command_line(capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line, in this process."""
    known = {name: logging.getLogger(name).level for name in ("digest", "httpx", "httpcore", "urllib3")}

    def run(home: Path, *arguments: str, token: str = TOKEN) -> Done:
        patch.setenv("DIGEST_TELEGRAM_TOKEN", token)
        patch.setattr(sys, "argv", ["digest", "--home", str(home), *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, *capsys.readouterr())

    yield run
    logging.captureWarnings(False)
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])
    for name, level in known.items():
        logging.getLogger(name).setLevel(level)
