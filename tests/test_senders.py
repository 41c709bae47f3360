"""Several processes that deliver, some of them killed: one sends at a time, nothing is doubled or lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from botapi import BotApi
from digest import delivery
from digest.channels.telegram import TelegramChannel
from digest.store import Store
from digest.types import Post, Turn
from outbox import EDITOR, TEXTS, THREE, Office


def test_while_another_process_has_its_turn_nothing_is_claimed(desk: Office, api: BotApi) -> None:
    desk.write(*THREE)
    now = desk.clock.now()
    desk.store.take_turn("telegram", "another", now, now + delivery.TURN)
    report = desk.deliver()
    assert "another process is sending" in "".join(report.notes)
    assert api.requests() == []
    desk.wait(minutes=3)
    assert desk.deliver().counts == {"sent": 3}


def test_who_has_lost_the_turn_claims_nothing(desk: Office) -> None:
    desk.write("one")
    now = desk.clock.now()
    desk.store.take_turn("telegram", "me", now, now + timedelta(seconds=1))
    turn = Turn(sender="telegram", owner="me", until=now + delivery.TURN, chat="-1", rest=now)
    late = now + timedelta(seconds=2)
    assert desk.store.claim_delivery("news", late, turn) is None
    assert desk.store.take_turn("telegram", "other", late, late + delivery.TURN) is None
    assert desk.store.claim_delivery("news", late, turn) is None


def test_what_another_process_is_sending_is_not_taken_for_lost(desk: Office, tmp_path: Path) -> None:
    """A second sender comes while the first waits for an answer: it neither holds nor sends the part."""
    desk.write("one")
    now = desk.clock.now()
    desk.store.take_turn("telegram", "first", now, now + delivery.TURN)
    claimed = desk.store.claim_delivery("news", now)
    assert claimed is not None
    with Store.open(f"sqlite:///{tmp_path / 'digest.sqlite3'}") as store:
        second = Office(store, desk.api, desk.chat)
        second.deliver()
        assert second.states() == ["sending"]


def test_a_claim_stands_on_disk_before_anything_is_sent(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process sees while the first one asks is what a crash then would leave."""
    desk.write("one")
    seen: list[str] = []
    send = TelegramChannel.send

    def watched(channel: TelegramChannel, post: Post, part: int) -> str:
        with Store.open(f"sqlite:///{desk.store.file}") as store:
            seen.extend(one.state for one in store.deliveries())
        return send(channel, post, part)

    monkeypatch.setattr(TelegramChannel, "send", watched)
    desk.deliver()
    assert (seen, desk.posted()) == (["sending"], ["one"])


# --- killed, and two at once ----------------------------------------------------------------------


def sender(desk: Office, *moment: str) -> subprocess.Popen[bytes]:
    """A process that delivers."""
    arguments = [f"sqlite:///{desk.store.file}", desk.api.url, str(desk.chat), str(EDITOR), *moment]
    return subprocess.Popen([sys.executable, str(Path(__file__).with_name("sender.py")), *arguments])


@pytest.mark.parametrize(("moment", "arrived"), [("claimed", False), ("asked", True), ("answered", True)])
def test_a_sender_killed_around_a_request_leaves_it_uncertain_and_the_next_looks(
    desk: Office, api: BotApi, moment: str, arrived: bool
) -> None:
    desk.write("first ever", day=-1)
    desk.deliver()
    desk.write(*THREE)
    if moment == "asked":
        api.fault("hang_after:1", methods=["sendMessage"])
    assert sender(desk, moment).wait(60) == -signal.SIGKILL
    assert desk.posted() == ["first ever", TEXTS[0]][: 1 + arrived]
    assert "another process is sending" in desk.deliver().notes[0]
    desk.wait(minutes=2)
    assert desk.deliver().counts.get("uncertain", 0) <= 1
    desk.wait(minutes=3)
    desk.deliver()
    assert desk.posted() == ["first ever", *TEXTS]
    assert desk.states() == ["sent"] * 4


def test_two_senders_at_once_send_each_part_once_and_in_order(desk: Office, api: BotApi) -> None:
    api.flood(False)
    for day in range(8):
        desk.write(f"{day} one", f"{day} two", day=day)
    running = [sender(desk) for _ in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    desk.deliver()
    assert desk.posted() == [f"{day} {part}" for day in range(8) for part in ("one", "two")]


def test_two_daemons_and_a_timer_at_once_lose_and_double_nothing(desk: Office, api: BotApi) -> None:
    """Two processes deliver again and again, and one that a timer starts comes and goes; while they do, posts
    are written and one that was sent is corrected."""
    api.flood(False)
    first = desk.write("0 one", "0 two")
    daemons = [sender(desk, "again") for _ in range(2)]
    for day in range(1, 5):
        desk.write(f"{day} one", f"{day} two", day=day)
        assert sender(desk).wait(120) == 0
    desk.correct(first, "0 one, corrected")
    for one in daemons:
        one.terminate()
    assert {one.wait(120) for one in daemons} <= {0, -signal.SIGTERM}
    for _ in range(3):
        desk.wait(minutes=3)
        desk.deliver()
    wanted = [f"{day} {part}" for day in range(5) for part in ("one", "two")]
    assert desk.posted() == ["0 one, corrected", *wanted[1:]]
    assert desk.states() == ["sent"] * 10


@pytest.mark.slow
def test_a_sender_killed_at_some_of_its_system_calls_doubles_and_loses_nothing() -> None:
    script = Path(__file__).with_name("soak_syscalls.py")
    command = [sys.executable, str(script), "--every", "19"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_days_of_faults_and_kills_leave_each_part_once_or_held() -> None:
    script = Path(__file__).with_name("soak_telegram.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
