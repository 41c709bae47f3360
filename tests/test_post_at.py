"""Posts go out at the times of their channel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from botapi import BotApi
from digest.schedule import Rule, times
from outbox import NOON, Office, office

AT_ELEVEN = Rule(times(["11:00"]), "UTC")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with BotApi() as api, office(tmp_path, api) as made:
        yield made


def approve(desk: Office, post: int, ago: timedelta) -> None:
    desk.store.set_post_state(post, ("draft",), "approved", NOON - ago)


def test_a_post_goes_with_the_first_delivery_after_its_time(desk: Office) -> None:
    for number, ago in enumerate((timedelta(minutes=61), timedelta(minutes=59)), start=1):
        desk.write(f"{number}", day=number, state="draft")
        approve(desk, number, ago)
    desk.deliver(times=AT_ELEVEN)
    assert desk.posted() == ["1"]
    desk.api.skip(23 * 3600)  # to eleven on the next day
    desk.deliver(times=AT_ELEVEN)
    assert desk.posted() == ["1", "2"]


def test_a_post_that_has_begun_is_finished_at_any_time(desk: Office) -> None:
    desk.write("one", "two", state="draft")
    approve(desk, 1, timedelta(minutes=61))
    desk.api.fault("429", methods=["sendMessage"])
    desk.deliver(times=AT_ELEVEN)
    desk.api.skip(3600)
    desk.deliver(times=Rule(times(["11:00"]), "UTC"))
    assert desk.posted() == ["one", "two"]


def test_what_needs_no_approval_waits_from_when_it_was_written(desk: Office) -> None:
    desk.write("one")  # at noon
    desk.deliver(times=AT_ELEVEN)
    assert desk.posted() == []
    desk.api.skip(23 * 3600)
    desk.deliver(times=AT_ELEVEN)
    assert desk.posted() == ["one"]


def test_what_waits_does_so_since_its_approval_or_its_own_time(desk: Office) -> None:
    desk.write("1", state="draft")
    assert desk.store.backlog("m").queued_since is None
    approve(desk, 1, timedelta(hours=2))
    assert desk.store.backlog("m").queued_since == NOON - timedelta(hours=2)
    desk.store.put_off(1, NOON + timedelta(days=3), NOON, by="me")
    assert desk.store.backlog("m").queued_since == NOON + timedelta(days=3)
