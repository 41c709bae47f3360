"""When a post of a series is due."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.series import due, newest, window
from digest.types import Series

DAILY = Series("links", "day")
FRIDAYS = Series("links", "week", 5)
MONTHLY = Series("review", "month", 31)

any_day = st.dates(date(1991, 8, 14), date(2100, 1, 1))
any_series = st.builds(
    Series, st.just("review"), st.sampled_from(["day", "week", "month"]), st.integers(1, 31)
)


@pytest.mark.parametrize(
    ("series", "day", "found"),
    [
        (DAILY, date(2026, 5, 12), date(2026, 5, 12)),
        (FRIDAYS, date(2026, 5, 15), date(2026, 5, 15)),
        (FRIDAYS, date(2026, 5, 14), date(2026, 5, 8)),
        (Series("links", "week", 7), date(2026, 5, 16), date(2026, 5, 10)),
        (MONTHLY, date(2026, 5, 31), date(2026, 5, 31)),
        (MONTHLY, date(2026, 5, 30), date(2026, 4, 30)),
        (MONTHLY, date(2028, 3, 1), date(2028, 2, 29)),
        (Series("review", "month", 1), date(2026, 1, 1), date(2026, 1, 1)),
        (Series("review", "month", 2), date(2026, 1, 1), date(2025, 12, 2)),
    ],
)
def test_a_series_falls_on_its_days(series: Series, day: date, found: date) -> None:
    assert newest(series, day) == found


def test_a_post_tells_of_the_days_since_the_one_before() -> None:
    assert window(DAILY, date(2026, 5, 12)) == (date(2026, 5, 12), date(2026, 5, 12))
    assert window(FRIDAYS, date(2026, 5, 15)) == (date(2026, 5, 9), date(2026, 5, 15))
    assert window(MONTHLY, date(2026, 2, 28)) == (date(2026, 2, 1), date(2026, 2, 28))


@given(any_series, any_day)
def test_windows_leave_no_day_out_and_tell_of_none_twice(series: Series, day: date) -> None:
    slot = newest(series, day)
    since, until = window(series, slot)
    assert since <= until == slot <= day
    earlier = newest(series, slot - timedelta(1))
    assert window(series, earlier)[1] + timedelta(1) == since


@given(any_series, any_day, st.integers(0, 60))
def test_each_day_of_a_series_is_written_once_however_often_it_runs(
    series: Series, day: date, days: int
) -> None:
    written: list[date] = []
    for later in range(days):
        for _ in range(2):
            slot = due(series, day + timedelta(later), written)
            written += [slot] if slot else []
    assert len(written) == len(set(written))
    assert written == sorted(written)
    assert {newest(series, day + timedelta(later)) for later in range(days)} == set(written)
