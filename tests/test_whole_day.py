"""A day of `digest run` that is killed comes to what it comes to undisturbed; a planted mistake is seen."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calls import points
from digest.channels.telegram import TelegramChannel
from digest.store import sqlite
from planted import nothing_is_marked_before_it_is_sent
from whole_day import STAGES, Home, Morning, server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, list[Morning]]]:
    """A home that has lived two days, and their mornings."""
    with pytest.MonkeyPatch.context() as patch, server() as api:
        patch.setattr(sqlite, "new_engine", sqlite.new_engine)
        patch.setenv("DIGEST_TELEGRAM_TOKEN", "set by the home")
        made = Home(tmp_path_factory.mktemp("whole"), api, 1, 2)
        yield made, list(made.mornings(2))


def _killed_as_it_sends(home: Home, monkeypatch: pytest.MonkeyPatch, moment: str) -> int:
    """A run that is killed before or after its second message."""
    send, sent = TelegramChannel.send, Counter[str]()

    def dying(channel: Any, post: Any, part: int) -> str:
        sent["parts"] += 1
        if moment == "before" and sent["parts"] == 2:
            signal.raise_signal(signal.SIGKILL)
        receipt = send(channel, post, part)
        if sent["parts"] == 2:
            signal.raise_signal(signal.SIGKILL)
        return receipt

    with monkeypatch.context() as patch:
        patch.setattr(TelegramChannel, "send", dying)
        return home.end(home.start())


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_day_whose_run_is_killed_comes_to_the_same(
    home: tuple[Home, list[Morning]], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    made, mornings = home
    made.begin(mornings[0])
    assert _killed_as_it_sends(made, monkeypatch, moment) == -signal.SIGKILL
    assert made.stage == "deliver" == STAGES[-1]
    assert made.wrong() != ""
    assert made.settle() == "whole"


def test_a_part_that_is_not_marked_before_it_is_sent_is_seen_to_be_doubled(
    home: tuple[Home, list[Morning]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, mornings = home
    nothing_is_marked_before_it_is_sent(monkeypatch)
    made.begin(mornings[0])
    assert _killed_as_it_sends(made, monkeypatch, "after") == -signal.SIGKILL
    assert made.settle().startswith("doubled")


def test_papers_that_are_stored_without_their_words_are_seen(
    home: tuple[Home, list[Morning]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, mornings = home
    made.begin(mornings[1])
    monkeypatch.setattr(sqlite, "index_words", lambda *_: None)
    assert made.settle().startswith("damaged")


def test_each_call_of_each_kind_is_a_point() -> None:
    made = {1: Counter(write=2, fsync=1), 2: Counter(write=3)}
    assert list(points(made, ["write", "fsync", "rename"])) == [
        *(("write", at) for at in (1, 2, 3)),
        ("fsync", 1),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("options", ["--kills 30", "--calls --every 41", "--errors --every 61"])
def test_runs_that_are_killed_or_refused_anywhere_come_to_the_same(options: str) -> None:
    script = Path(__file__).with_name("soak_run.py")
    command = [sys.executable, str(script), *options.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
