"""SIGTERM: nothing is lost by it, and no message is cut off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from botapi import BotApi
from digest import delivery
from digest.channels.telegram import TelegramChannel
from digest.stopping import Ended, Stop
from digest.store import Store
from digest.types import Post
from loopback.world import World
from machine import TOPIC, TUESDAY, batch
from outbox import office
from replay import LoopbackArxiv

NOON_THERE = datetime(2026, 5, 12, 16, tzinfo=UTC)


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stop]:
    """A handler of the test's own."""
    stop = Stop()
    monkeypatch.setattr(delivery, "STOP", stop)
    known = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    stop.listen()
    yield stop
    for number, handler in known:
        signal.signal(number, handler)


def ask(number: int = signal.SIGTERM) -> None:
    """To this thread: one sent to the process may reach another thread first, and this one whenever."""
    signal.raise_signal(number)


def test_a_signal_ends_at_once(stop: Stop) -> None:
    with pytest.raises(Ended) as ended:
        ask()
    assert ended.value.exit_code == 143


def test_what_is_held_is_done_first(stop: Stop) -> None:
    done = []
    with pytest.raises(Ended), stop.held():
        with stop.held():
            ask()
        done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]


def test_a_person_who_presses_twice_means_it(stop: Stop) -> None:
    with pytest.raises(Ended) as ended, stop.held():
        ask(signal.SIGINT)
        ask(signal.SIGINT)
        raise AssertionError("never")
    assert ended.value.exit_code == 130


def test_an_error_within_is_not_hidden_by_a_signal(stop: Stop) -> None:
    with pytest.raises(ZeroDivisionError), stop.held():
        ask()
        _ = 1 / 0


def test_the_message_under_way_is_finished_and_the_next_not_begun(
    stop: Stop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = TelegramChannel.send

    def asked(channel: TelegramChannel, post: Post, part: int) -> str:
        ask()
        return send(channel, post, part)

    with BotApi() as api, office(tmp_path, api) as desk:
        desk.write("one", "two")
        with monkeypatch.context() as patch:
            patch.setattr(TelegramChannel, "send", asked)
            with pytest.raises(Ended):
                desk.deliver()
        assert desk.posted() == ["one"]
        assert desk.states() == ["sent", "queued"]
        monkeypatch.setattr(delivery, "STOP", Stop())
        desk.deliver()
        assert desk.posted() == ["one", "two"]


def test_a_crawl_stops_between_two_pages_and_the_next_one_goes_on(tmp_path: Path) -> None:
    days = [TUESDAY - timedelta(days=number) for number in range(5)]
    world = World([one for day in days for one in batch(day, 30) if day.weekday() < 5])
    (tmp_path / "digest.toml").write_text(
        'contact = "me@example.org"\n' + TOPIC.format(categories='"cs.LG"', more="")
    )
    with LoopbackArxiv(world, NOON_THERE, page_size=10) as arxiv:
        slow = arxiv.environment | {"DIGEST_ARXIV_GAP_SECONDS": "0.5"}
        environ = os.environ | slow | {"DIGEST_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "digest", "crawl", "--as-of", "2026-05-12"]
        child = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        while len(arxiv.requests) < 3 and child.poll() is None:
            time.sleep(0.01)
        begun = time.monotonic()
        child.terminate()
        _, said = child.communicate(timeout=30)
        took = time.monotonic() - begun
        assert (child.returncode, took < 15) == (143, True), said
        assert said.splitlines()[-1].startswith("digest: stopped; what was done is stored")
        with Store.open(f"sqlite:///{tmp_path / 'digest.sqlite3'}") as store:
            assert store.count_papers() in range(10, 90, 10)
        done = subprocess.run(command, env=environ | arxiv.environment, check=False, timeout=60)
        assert done.returncode == 0
        with Store.open(f"sqlite:///{tmp_path / 'digest.sqlite3'}") as store:
            assert store.count_papers() == 90
