from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from digest.days import is_weekend, new_york_day, why_no_batch


def test_early_morning_in_utc_is_the_evening_before_in_new_york() -> None:
    assert new_york_day(datetime(2026, 5, 12, 3, 59, tzinfo=UTC)) == date(2026, 5, 11)
    assert new_york_day(datetime(2026, 5, 12, 4, 0, tzinfo=UTC)) == date(2026, 5, 12)


def test_winter_time_moves_the_border_by_an_hour() -> None:
    assert new_york_day(datetime(2026, 1, 12, 4, 30, tzinfo=UTC)) == date(2026, 1, 11)
    assert new_york_day(datetime(2026, 1, 12, 5, 0, tzinfo=UTC)) == date(2026, 1, 12)


def test_batches_stand_on_monday_to_friday() -> None:
    assert [is_weekend(date(2026, 5, day)) for day in range(11, 18)] == [False] * 5 + [True] * 2


FRIDAY = date(2026, 7, 3)


@pytest.mark.parametrize(
    ("day", "newest", "said"),
    [
        (FRIDAY, FRIDAY, None),
        (FRIDAY, date(2026, 7, 6), None),
        (FRIDAY, date(2026, 7, 2), "a deferred mailing, or it is not out yet; the newest is of Thursday"),
        (date(2026, 7, 4), FRIDAY, "Saturday 2026-07-04 has no batch"),
        (date(2026, 7, 5), None, "Sunday 2026-07-05 has no batch: .* none was seen before"),
        (date(2026, 7, 7), FRIDAY, "no batch of Tuesday"),
        (date(2026, 7, 8), FRIDAY, "ALARM: no batch since Friday 2026-07-03: 5 days"),
        (date(2026, 7, 11), FRIDAY, "ALARM: no batch since Friday 2026-07-03: 8 days"),
        (FRIDAY, None, "no batch of Friday 2026-07-03"),
    ],
)
def test_a_day_without_a_batch_is_explained(day: date, newest: date | None, said: str | None) -> None:
    why = why_no_batch(day, newest)
    assert (why is None) == (said is None)
    assert said is None or re.search(said, why or "")
