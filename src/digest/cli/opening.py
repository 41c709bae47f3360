"""The program opened for one command, and its results printed: what needs no click."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from digest.stopping import STOP

if TYPE_CHECKING:
    from digest.app import App


@contextmanager
def opened(given: Mapping[str, Any], now: datetime | None = None) -> Iterator[App]:
    """The wired program for one command, its configuration read and checked. ``given``: the common
    options."""
    import os

    from digest import config, log
    from digest.app import App

    if parent := given.get("child_of"):
        STOP.follow(parent)
    verbosity = -1 if given.get("quiet") else given.get("verbose", 0)
    log.configure(verbosity, json=bool(given.get("json")))
    settings = config.load(given.get("config"), given.get("home"), os.environ)
    quiet = bool(given.get("quiet") or given.get("json"))
    with App(settings, now or datetime.now(UTC), quiet=quiet, config=given.get("config")) as app:
        yield app


def show(given: Mapping[str, Any], value: Any, text: Callable[[], str]) -> None:
    """Print a result: JSON when asked for, else the text."""
    if given.get("json"):
        import msgspec

        line = msgspec.json.encode(value, enc_hook=str).decode()
    else:
        line = text().rstrip("\n")
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        raise
