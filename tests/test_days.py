from __future__ import annotations

from datetime import UTC, date, datetime

from digest.days import is_weekend, new_york_day


def test_early_morning_in_utc_is_the_evening_before_in_new_york() -> None:
    assert new_york_day(datetime(2026, 5, 12, 3, 59, tzinfo=UTC)) == date(2026, 5, 11)
    assert new_york_day(datetime(2026, 5, 12, 4, 0, tzinfo=UTC)) == date(2026, 5, 12)


def test_winter_time_moves_the_border_by_an_hour() -> None:
    assert new_york_day(datetime(2026, 1, 12, 4, 30, tzinfo=UTC)) == date(2026, 1, 11)
    assert new_york_day(datetime(2026, 1, 12, 5, 0, tzinfo=UTC)) == date(2026, 1, 12)


def test_batches_stand_on_monday_to_friday() -> None:
    assert [is_weekend(date(2026, 5, day)) for day in range(11, 18)] == [False] * 5 + [True] * 2
