"""A backtest: what a channel would have posted, and nothing written anywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest import backtest, config
from digest.actions import backtest as actions
from digest.app import App
from digest.errors import InputError
from digest.report import backtest as report
from digest.types import Draft, Rehearsal, Rhythm, Series
from newsroom import Command

FRIDAY = datetime(2026, 7, 3, 16, tzinfo=UTC)


@pytest.fixture
def there(sample_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_home, tmp_path / "home"))


def files(home: Path) -> dict[str, str]:
    """All files of a home with their checksums."""
    return {
        str(file.relative_to(home)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(home.rglob("*"))
        if file.is_file() and not file.name.endswith(("-shm", "-wal", ".lock"))
    }


def rehearsed(home: Path, days: int = 60, **changes: object) -> tuple[Rehearsal, list[Draft]]:
    with App(config.load(None, home, {}), FRIDAY, quiet=True) as app:
        return actions.backtest(app, replace(app.topic("unlearning"), **changes), days)


def test_nothing_is_written_and_the_same_comes_twice(there: Path) -> None:
    before = files(there)
    found, drafts = rehearsed(there)
    assert files(there) == before
    assert (found, drafts) == rehearsed(there)


def test_no_paper_is_posted_twice_and_each_is_posted_after_its_announcement(there: Path) -> None:
    found, drafts = rehearsed(there, languages=("en",))
    posted = [(paper, day.day) for day in found.days for paper in day.papers]
    assert posted
    assert len({paper for paper, _ in posted}) == len(posted)
    assert found.twice == ()
    assert [draft.slot for draft in drafts] == [day.day for day in found.days if day.papers]
    with App(config.load(None, there, {}), FRIDAY, quiet=True) as app:
        days = {paper.id: paper.announced for paper in app.store.papers([paper for paper, _ in posted])}
        lookback = timedelta(days=app.settings.lookback_days)
    assert all(day - lookback <= days[paper] <= day for paper, day in posted)


def test_the_day_of_a_run_has_what_the_run_wrote(there: Path) -> None:
    """On the sample's only day the channel begins with both."""
    found, drafts = rehearsed(there, languages=("en",))
    with App(config.load(None, there, {}), FRIDAY, quiet=True) as app:
        [wrote] = app.store.posts(topic="unlearning", genre="roundup", language="en")
    first = next(draft for draft in drafts if draft.slot == wrote.slot)
    assert set(found.days[-1].papers) <= set(wrote.papers)
    assert first.choices[0].paper in wrote.papers


def test_a_rhythm_makes_papers_wait_and_a_series_makes_them_wait_for_its_day(there: Path) -> None:
    daily, _ = rehearsed(there, rhythm=Rhythm(1, 1), series=())
    slow, _ = rehearsed(there, rhythm=Rhythm(at_least=1000, at_latest_days=3650), series=())
    assert [day for day in slow.days if day.papers] == []
    assert "waiting for 1000 papers" in slow.days[-1].why_none
    weekly, _ = rehearsed(there, series=(Series("roundup", "week", 5),))
    posts = [day.day for day in weekly.days if day.papers]
    assert len(posts) <= 1 + len({day.isocalendar()[:2] for day in posts})
    assert len(posts) <= len([day for day in daily.days if day.papers])


def test_days_that_the_archive_does_not_hold_are_said(there: Path) -> None:
    found, _ = rehearsed(there, days=3650)
    assert found.held < found.asked == 3650
    assert f"The archive holds the announcements of {found.held} " in report.backtest(found)


def test_a_day_counts_where_it_holds_a_tenth_of_the_fullest() -> None:
    days = [date(2026, 5, day) for day in range(1, 5)]
    counts = dict(zip(days, (60, 1801, 585, 16), strict=True))
    assert list(backtest.announced(counts)) == [days[1], days[2]]
    assert backtest.announced({}) == {}


def test_an_empty_archive_is_one_line(tmp_path: Path) -> None:
    with App(config.load(None, tmp_path, {}), FRIDAY, quiet=True) as app:
        app.store.close()
    with pytest.raises(InputError, match="holds no announcements yet: digest run"):
        rehearsed(tmp_path)


def test_the_command_tells_of_a_topic_that_is_not_configured_and_shows_a_post(
    there: Path, digest: Command
) -> None:
    new = ("--term", "model merging", "--key", "model merging", "--key", "task arithmetic")
    told = digest(there, "backtest", "--as-of", "2026-07-03", *new)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("model-merging: what its channel would have posted")
    xai = ("backtest", "--as-of", "2026-07-03", "--topic", "xai")
    found = json.loads(digest(there, *xai, "--json").stdout)
    assert sum(len(day["papers"]) for day in found["days"]) > 0
    day = next(day["day"] for day in found["days"] if day["papers"])
    assert digest(there, *xai, "--show", day).stdout.startswith(f"── xai {day} en")
    assert "the archive holds no such day" in digest(there, *xai, "--show", "2020-01-01").stdout


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--topic", "xai", "--term", "model merging"),
        ("--topic", "xai", "--key", "SHAP"),
        ("--term", "XAI", "--key", "SHAP"),
        ("--term", "model merging", "--paper", "no id"),
    ],
)
def test_what_does_not_fit_together_is_one_line(there: Path, digest: Command, words: tuple[str, ...]) -> None:
    done = digest(there, "backtest", *words)
    assert done.returncode in (2, 65)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
