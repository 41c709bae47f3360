"""What the editors are told, each thing once, by the bot against a strict server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from botapi import TOKEN, BotApi
from digest import alarms, config
from digest.actions import operations
from digest.app import App
from digest.errors import NotSent, UsageError
from digest.types import Backlog, Health, Room, Run, RunReport
from fakes import ServerClock
from outbox import EDITOR
from stored import page, paper

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
WELL = Health(
    now=NOW,
    counts={},
    posts={},
    deliveries={},
    backlog=Backlog(),
    room=Room(free=50 << 30, database=1 << 20),
    newest_batch=date(2026, 5, 12),
)
SHORT = Room(free=1 << 20)


def last_run(ago: timedelta) -> Run:
    when = NOW - ago
    return Run(id=1, command="run", as_of=when, started=when, finished=when, report=None, exit_code=0)


def test_all_is_quiet_where_all_is_well() -> None:
    assert alarms.raised(WELL) == []
    assert (
        alarms.raised(replace(WELL, newest_batch=date(2026, 5, 8), runs={"run": last_run(timedelta(3))}))
        == []
    )
    assert alarms.raised(replace(WELL, newest_batch=None)) == []  # nothing was begun


def test_five_days_of_nothing_a_short_disk_and_no_runs_are_alarms() -> None:
    ill = replace(WELL, newest_batch=date(2026, 5, 7), room=SHORT, runs={"run": last_run(timedelta(5))})
    assert [one.name for one in alarms.raised(ill)] == ["batch", "disk", "runs"]


def test_an_alarm_is_told_once_until_it_changes_and_when_it_is_over() -> None:
    told: dict[str, str] = {}
    days = [replace(WELL, now=NOW + timedelta(days=ahead)) for ahead in range(9)]
    said = []
    for health in days:
        there = alarms.raised(health)
        said.append(list(alarms.news(there, told)))
        told = alarms.noted(there)
    assert [len(lines) for lines in said] == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    again = alarms.raised(replace(days[8], newest_batch=date(2026, 5, 15)))
    assert len(list(alarms.news(again, told))) == 1  # another five days
    assert list(alarms.news([], told)) == ["✅ arXiv brings papers again."]


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as api:
        api.clock(NOW.timestamp())
        api.person(EDITOR)
        api.write(EDITOR, "/start")
        yield api


def app(home: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch, editors: str = f"[{EDITOR}]") -> App:
    home.joinpath("digest.toml").write_text(f"[telegram]\neditors = {editors}\nurl = '{api.url}'\n")
    monkeypatch.setenv("DIGEST_TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setattr(operations, "_room", lambda _: Room(free=50 << 30))
    return App(config.load(None, home, {}), NOW, quiet=True)


def seen(api: BotApi) -> list[str]:
    return [one.text for one in api.messages(EDITOR)[1:]]


def test_the_editor_hears_of_it_once_over_several_processes(
    tmp_path: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app(tmp_path, api, monkeypatch) as opened:
        opened.store.add_papers("oai", page(paper(1)), NOW)  # of 2026-05-05
        opened.store.put_run("run", RunReport(as_of=NOW, stages=()), NOW)
        assert len(operations.watch(opened)) == 1
    for _ in range(2):
        with app(tmp_path, api, monkeypatch) as opened:
            assert operations.watch(opened) == []
    assert len(seen(api)) == 1
    assert seen(api)[0].startswith("⚠️ arXiv has brought nothing since Tuesday 2026-05-05.")
    with app(tmp_path, api, monkeypatch) as opened:
        monkeypatch.setattr(operations, "_room", lambda _: SHORT)
        operations.watch(opened)
    assert [line.split(":")[0] for line in seen(api)[1:]] == ["⚠️ The disk is short"]


def test_what_did_not_arrive_is_told_later(
    tmp_path: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app(tmp_path, api, monkeypatch) as opened:
        monkeypatch.setattr(operations, "_room", lambda _: SHORT)
        api.down()
        with pytest.raises(NotSent):
            operations.watch(opened)
    api.up()
    with app(tmp_path, api, monkeypatch) as opened:
        monkeypatch.setattr(operations, "_room", lambda _: SHORT)
        assert len(operations.watch(opened)) == 1
    assert len(seen(api)) == 1


def test_without_editors_there_is_nobody_to_tell(
    tmp_path: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        app(tmp_path, api, monkeypatch, "[]") as opened,
        pytest.raises(UsageError, match=r"telegram\.editors"),
    ):
        operations.watch(opened)


def test_while_the_bot_has_to_rest_nobody_is_told(
    tmp_path: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app(tmp_path, api, monkeypatch) as opened:
        opened.clock = ServerClock(api)  # type: ignore[assignment]
        monkeypatch.setattr(operations, "_room", lambda _: SHORT)
        api.fault("429:300", methods=["sendMessage"])
        with pytest.raises(NotSent):
            operations.watch(opened)
        assert operations.watch(opened) == []
        assert api.early() == []
        api.skip(302)
        assert len(operations.watch(opened)) == 1
