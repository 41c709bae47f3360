"""Approval at once, by a process that stays."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from botapi import TOKEN, BotApi
from digest import config
from digest.actions import sending
from digest.app import App
from digest.errors import TryAgain
from digest.review import POLLER, Polled, Waiting, live
from digest.store import Store
from outbox import EDITOR, NOON, Office, draft
from reviewing import polled, press


def test_two_pollers_of_one_bot_do_not_meet(desk: Office, api: BotApi) -> None:
    now = desk.clock.now()
    desk.store.take_turn(POLLER, "another", now, now.replace(minute=now.minute + 2))
    with pytest.raises(TryAgain, match="another process reads what the bot is told"):
        polled(desk)
    assert api.requests("getUpdates") == []


@pytest.mark.usefixtures("a_draft")
def test_a_live_poll_takes_presses_until_it_is_ended(desk: Office, api: BotApi) -> None:
    waiting = Waiting()
    seen: list[Polled] = []

    def told(one: Polled) -> None:
        seen.append(one)
        if one.shown:
            press(api, "✅ Publish")
        if one.decided:
            waiting.end()

    with desk.bot() as bot:
        live(desk.store, bot, (EDITOR,), desk.clock, waiting, told=told)
    assert [one.shown for one in seen] == [(1,), ()]
    assert [one.decided for one in seen] == [(), (1,)]
    now = desk.clock.now()
    assert desk.store.take_turn(POLLER, "next", now, now) is None


@pytest.mark.usefixtures("a_draft")
def test_a_live_poll_outlives_a_network_that_is_down(desk: Office, api: BotApi) -> None:
    waiting = Waiting()
    notes: list[str] = []

    def told(one: Polled) -> None:
        notes.extend(one.notes)
        if one.shown:
            waiting.end()

    api.fault("502", "drop_before", methods=["getUpdates"])
    with desk.bot() as bot:
        live(desk.store, bot, (EDITOR,), desk.clock, waiting, told=told)
    assert len([one for one in notes if "going on in" in one]) == 2


def test_a_live_poll_ends_at_its_time(desk: Office, api: BotApi) -> None:
    with desk.bot() as bot:
        until = desk.clock.now().replace(second=desk.clock.now().second + 2)
        live(desk.store, bot, (EDITOR,), desk.clock, Waiting(), until=until)
    assert desk.clock.now() >= until


def test_a_live_poll_shows_drafts_takes_presses_and_ends_cleanly_when_it_is_told_to(
    home: Path, api: BotApi
) -> None:
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one")], {"en": ["news"]}, "draft", 0, NOON)
    command = [sys.executable, "-m", "digest", "--home", str(home), "review", "poll", "--live"]
    environ = {**os.environ, "DIGEST_TELEGRAM_TOKEN": TOKEN}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as running:
        until(lambda: [one for one in api.messages(EDITOR) if one.markup])
        [control] = [one for one in api.messages(EDITOR) if one.markup]
        query = api.press(EDITOR, control.message_id, EDITOR, "✅ Publish")
        until(lambda: api.answers(query))
        until(lambda: api.world.allowed and api.log[-1].method == "getupdates" and not api.log[-1].status)
        began = time.monotonic()
        running.terminate()
        said, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert time.monotonic() - began < 15
    assert "0 decided, 1 drafts shown" in said
    assert "post 1 approved" in said
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        now = NOON.replace(year=2040)
        assert store.take_turn("telegram:poll", "next", NOON, now) is None


def test_a_thread_of_a_process_that_stays_reads_and_ends_when_it_is_told_to(
    home: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.review.WAIT", 1)
    monkeypatch.setenv("DIGEST_TELEGRAM_TOKEN", TOKEN)
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one")], {"en": ["news"]}, "draft", 0, NOON)
    waiting, seen = Waiting(), list[Polled]()

    def reads() -> None:
        with App(config.load(None, home, os.environ), NOON) as app:
            sending.watch(app, waiting, seen.append)

    thread = threading.Thread(target=reads)
    thread.start()
    until(lambda: [one for one in api.messages(EDITOR) if one.markup])
    with (
        App(config.load(None, home, os.environ), NOON) as app,
        pytest.raises(TryAgain, match="another process"),
    ):
        sending.watch(app, Waiting(), seen.append)
    press(api, "✅ Publish")
    until(lambda: [one for one in seen if one.decided])
    waiting.over = True
    thread.join(20)
    assert not thread.is_alive()


def until(happens: Callable[[], object]) -> None:
    """Wait for it, a minute at most."""
    for _ in range(600):
        if happens():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")
