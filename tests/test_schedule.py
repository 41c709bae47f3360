"""When something is due: over years of real time zones, and beside APScheduler's own reckoning."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.schedule import WEEKDAYS, Rule, Try, next_run, times

# Clocks that change at midnight, by half an hour, on the southern side, never; and one that skipped a day.
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Europe/Moscow",
    "Asia/Shanghai",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Apia",
    "UTC",
)
CRAWL = Rule((time(1, 30),), "America/New_York", WEEKDAYS)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

minutes = st.times().map(lambda at: at.replace(second=0, microsecond=0))
rules = st.builds(
    Rule,
    st.lists(minutes, min_size=1, max_size=3).map(tuple),
    st.sampled_from(ZONES),
    st.sets(st.integers(1, 7), min_size=1).map(lambda days: tuple(sorted(days))),
)
moments = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@settings(deadline=None)
@given(rules, moments)
def test_no_moment_lies_between_the_last_and_the_next(rule: Rule, now: datetime) -> None:
    last, following = rule.last(now), rule.next(now)
    assert last <= now < following
    assert rule.next(last) == following
    assert rule.last(following) == following
    assert rule.last(following - timedelta(microseconds=1)) == last


@settings(deadline=None)
@given(rules, moments)
def test_a_moment_shows_on_the_clock_of_its_place(rule: Rule, now: datetime) -> None:
    moment = rule.next(now)
    local = moment.astimezone(ZoneInfo(rule.zone))
    skipped = local.replace(tzinfo=None, fold=0) - timedelta(hours=1)
    shown = {local.time(), skipped.time(), (skipped + timedelta(minutes=30)).time()}
    assert shown & set(rule.at)
    assert local.isoweekday() in {*rule.days, *(day % 7 + 1 for day in rule.days)}


@pytest.mark.parametrize("zone", ZONES)
def test_a_hundred_years_of_days_have_one_moment_each(zone: str) -> None:
    seeded = Random(zone)
    rule = Rule((time(seeded.randrange(24), seeded.randrange(60)),), zone)
    now, end, found = at("2026-01-01T00:00Z"), at("2126-01-01T00:00Z"), 0
    local_days = set()
    while (now := rule.next(now)) < end:
        local_days.add((now - timedelta(hours=1) * (now.astimezone(ZoneInfo(zone)).hour < 2)).date())
        found += 1
    assert abs(found - 36_525) <= 1  # 100 years with 25 leap days
    assert rule.next(at("2028-02-28T23:59Z")) < at("2028-03-01T00:00Z")


def test_arxivs_rule_gives_weekdays_of_a_hundred_years_and_nothing_else() -> None:
    now, end = at("2026-01-01T00:00Z"), at("2126-01-01T00:00Z")
    found = []
    while (now := CRAWL.next(now)) < end:
        found.append(now)
    assert {one.astimezone(ZoneInfo("America/New_York")).strftime("%H:%M") for one in found} == {"01:30"}
    assert {one.astimezone(ZoneInfo("America/New_York")).isoweekday() for one in found} == {1, 2, 3, 4, 5}
    days = (date(2026, 1, 1) + timedelta(number) for number in range(36_524))
    assert len(found) == sum(day.isoweekday() in WEEKDAYS for day in days)


@pytest.mark.parametrize(
    ("clock", "zone", "after", "due"),
    [
        ("02:30", "America/New_York", "2026-03-08T00:00-05:00", "2026-03-08T03:30-04:00"),  # skipped
        ("01:30", "America/New_York", "2026-11-01T00:00-04:00", "2026-11-01T01:30-04:00"),  # twice: the first
        ("01:30", "America/New_York", "2026-11-01T01:45-04:00", "2026-11-02T01:30-05:00"),  # and only it
        ("02:15", "Australia/Lord_Howe", "2026-10-03T12:00+10:30", "2026-10-04T02:45+11:00"),
        ("09:00", "Europe/Berlin", "2028-02-28T12:00+01:00", "2028-02-29T09:00+01:00"),
        ("09:00", "Pacific/Apia", "2011-12-29T12:00-10:00", "2011-12-31T09:00+14:00"),  # no 30th
    ],
)
def test_clocks_that_change(clock: str, zone: str, after: str, due: str) -> None:
    assert Rule(times([clock]), zone).next(at(after)) == at(due)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Shanghai"])
def test_apscheduler_names_the_same_moments(zone: str) -> None:
    """Over three years; at 09:00, since at the hours that are skipped or come twice it has its own mind."""
    rule = Rule((time(9),), zone, WEEKDAYS)
    theirs = CronTrigger(day_of_week="mon-fri", hour=9, timezone=zone)
    now = at("2026-01-01T00:00Z")
    while now < at("2029-01-01T00:00Z"):
        following = theirs.get_next_fire_time(None, now + timedelta(microseconds=1))
        assert rule.next(now) == following
        now = rule.next(now)


# What is due.

FRIDAY, MONDAY = CRAWL.last(at("2026-05-15T12:00Z")), CRAWL.last(at("2026-05-18T12:00Z"))


def test_a_run_that_met_its_moment_is_not_repeated() -> None:
    done = [Try(FRIDAY + MINUTE)]
    assert next_run(CRAWL, done, FRIDAY + HOUR) == MONDAY
    assert next_run(CRAWL, [Try(FRIDAY + MINUTE, 1)], FRIDAY + HOUR) == MONDAY


def test_whoever_slept_runs_once_for_all_that_was_missed() -> None:
    days_later = at("2026-05-14T17:00Z")
    assert next_run(CRAWL, [Try(at("2026-05-04T05:31Z"))], days_later) <= days_later
    assert next_run(CRAWL, [Try(days_later)], days_later + HOUR) == FRIDAY


def test_what_failed_is_tried_again_later_each_time_and_not_beyond_the_next_moment() -> None:
    tries, now, pauses = [Try(MONDAY, 75)], MONDAY, []
    for _ in range(4):
        due = next_run(CRAWL, tries, now + MINUTE)
        pauses.append(due - now)
        now = due
        tries.append(Try(now, None))
    assert pauses == [15 * MINUTE, 30 * MINUTE, HOUR, HOUR]
    late = CRAWL.next(MONDAY) - 10 * MINUTE
    assert next_run(CRAWL, [Try(late, 75)], late + MINUTE) == CRAWL.next(MONDAY)


def test_a_batch_that_is_late_is_looked_for_three_times() -> None:
    tries, now, pauses = [Try(MONDAY, 0, complete=False)], MONDAY, []
    while (due := next_run(CRAWL, tries, now + MINUTE)) < CRAWL.next(MONDAY):
        pauses.append(due - now)
        now = due
        tries.append(Try(now, 0, complete=False))
    assert pauses == [2 * HOUR, 4 * HOUR, 6 * HOUR]
    assert next_run(CRAWL, [tries[0], Try(now, 0)], now + MINUTE) == CRAWL.next(MONDAY)


def test_a_run_as_of_another_time_counts_for_that_time() -> None:
    assert next_run(CRAWL, [Try(at("2026-05-12T16:00Z"))], FRIDAY + HOUR) == FRIDAY
    assert next_run(CRAWL, [Try(at("2027-01-01T00:00Z"))], FRIDAY + HOUR) == FRIDAY


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_clock_does_no_moment_is_met_twice_or_left_out(seed: int) -> None:
    """Looks at uneven times, sleeps of days, clocks that are set back, every fifth run failing."""
    chance, now = Random(seed), at("2026-01-01T00:00Z") + timedelta(days=400 * seed)
    tries: list[Try] = []
    for _ in range(100):
        now += timedelta(seconds=chance.choice([20, 600, 3600, 7 * 3600, 3 * 86_400, -7200]))
        since = [one for one in tries if CRAWL.last(now) <= one.began <= now]
        met = any(one.exit_code == 0 for one in since)
        if next_run(CRAWL, tries, now) > now:
            assert since
        else:
            assert not met
            tries.append(Try(now, chance.choice([0, 0, 0, 0, 75])))
