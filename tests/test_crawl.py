"""The crawl misses nothing and repeats nothing, whatever the network does (tests/replay.py)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from crawling import (
    CATEGORIES,
    GAP,
    SPEED,
    Crawler,
    FastClock,
    announced,
    assert_polite,
    end_with_the_reader,
)
from digest.errors import Deferred, InputError
from loopback import faults
from loopback.world import Announcement, Record, RecordVersion, World, load
from replay import LoopbackArxiv, moment

MONDAY = date(2026, 5, 11)
WEEK = [MONDAY + timedelta(days=days) for days in range(7)]


def record(name: str, submitted: date = MONDAY - timedelta(days=1), **more: object) -> Record:
    made = (RecordVersion("v1", f"{submitted:%a, %d %b %Y} 12:00:00 GMT"),)
    given = {
        "title": f"Paper {name}",
        "abstract": f"About {name}.",
        "categories": "cs.LG",
        "authors": "A. Author",
    }
    return Record(**{"id": name, "versions": made, **given, **more})  # type: ignore[arg-type]


def second(first: Record, submitted: date, **more: object) -> Record:
    """The paper in its next version."""
    number = f"v{len(first.versions) + 1}"
    made = RecordVersion(number, f"{submitted:%a, %d %b %Y} 12:00:00 GMT")
    return replace(first, versions=(*first.versions, made), **more)  # type: ignore[arg-type]


def batch(day: date, count: int = 12) -> list[Announcement]:
    """The papers of a day, in the categories that are crawled and one that is cross-listed."""
    codes = ("cs.LG", "cs.CV cs.LG", "stat.ML", "eess.IV cs.CV")
    return [
        Announcement(
            day, record(f"26{day:%m}.{day.day:02}{at:03}", day - timedelta(1), categories=codes[at % 4])
        )
        for at in range(1, count + 1)
    ]


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def arxiv(clock: FastClock) -> Iterator[LoopbackArxiv]:
    """arXiv with a batch on each day of the week, as of its Monday; pages of five records."""
    world = World(one for day in WEEK[:5] for one in batch(day))
    with LoopbackArxiv(world, noon(MONDAY), page_size=5, silence=2.5, clock=clock) as server:
        yield server


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive without papers."""
    crawler = Crawler(tmp_path_factory.mktemp("empty"), "", FastClock())
    with crawler.store():
        return crawler.home / "digest.sqlite3"


@pytest.fixture
def crawler(tmp_path: Path, empty: Path, arxiv: LoopbackArxiv, clock: FastClock) -> Iterator[Crawler]:
    shutil.copy(empty, tmp_path)
    with closing(Crawler(tmp_path, arxiv.base, clock)) as made:
        yield made


def noon(day: date) -> datetime:
    return moment(day.isoformat())


def at(arxiv: LoopbackArxiv, day: date) -> datetime:
    """Noon of a day, for arXiv too."""
    arxiv.as_of = noon(day)
    return arxiv.as_of


# --- a clean week ---------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["oai", "rss", "api"])
def test_each_day_of_a_week_brings_its_batch_once(
    arxiv: LoopbackArxiv, crawler: Crawler, source: str
) -> None:
    for day in WEEK:
        report = crawler.crawl(at(arxiv, day), source)
        expected = announced(arxiv.world, day, lambda code: source == "oai" or code in CATEGORIES)
        assert crawler.versions() == expected
        assert report.counts["new"] == sum(paper[5:7] == f"{day.day:02}" for paper in expected)
        assert crawler.crawl(at(arxiv, day), source).counts["new"] == 0
    assert_polite(arxiv)


@pytest.mark.parametrize("source", ["oai", "rss"])
def test_a_paper_counts_from_the_day_of_its_batch(
    arxiv: LoopbackArxiv, crawler: Crawler, source: str
) -> None:
    for day in WEEK[:3]:
        crawler.crawl(at(arxiv, day), source)
    assert {paper.id[5:7]: paper.announced.day for paper in crawler.papers().values()} == {
        "11": 11,
        "12": 12,
        "13": 13,
    }


@pytest.mark.parametrize("source", ["oai", "rss"])
def test_a_day_without_a_batch_is_explained(arxiv: LoopbackArxiv, crawler: Crawler, source: str) -> None:
    crawler.crawl(at(arxiv, WEEK[4]), source)
    told = {day: " ".join(crawler.crawl(at(arxiv, day), source).notes) for day in (WEEK[5], *LATER)}
    assert "Saturday 2026-05-16 has no batch: arXiv announces on Sunday to Thursday evenings" in told[WEEK[5]]
    assert "no batch of Monday 2026-05-18: a deferred mailing, or it is not out yet" in told[LATER[0]]
    assert "ALARM: no batch since Friday 2026-05-15: 6 days" in told[LATER[1]]


LATER = (date(2026, 5, 18), date(2026, 5, 21))


def test_a_computer_that_slept_for_days_misses_nothing(arxiv: LoopbackArxiv, crawler: Crawler) -> None:
    crawler.crawl(at(arxiv, WEEK[0]))
    crawler.crawl(at(arxiv, WEEK[6] + timedelta(days=20)))
    assert crawler.versions() == announced(arxiv.world, WEEK[6])


# --- what happens to papers -----------------------------------------------------------------------


def test_a_paper_held_by_moderation_is_new_on_the_day_it_is_announced(
    arxiv: LoopbackArxiv, crawler: Crawler
) -> None:
    submitted, announced_on = WEEK[0], WEEK[0] + timedelta(days=7)
    arxiv.world.add([Announcement(announced_on, record("2605.00042", submitted))])
    for day in WEEK:
        crawler.crawl(at(arxiv, day))
    assert "2605.00042" not in crawler.papers()
    assert crawler.crawl(at(arxiv, announced_on)).counts["new"] == 1
    held = crawler.papers()["2605.00042"]
    assert (held.announced, held.announce_type, held.submitted.date()) == (announced_on, "new", submitted)


@pytest.mark.parametrize("source", ["oai", "rss", "api"])
def test_a_new_version_is_never_a_new_paper(arxiv: LoopbackArxiv, crawler: Crawler, source: str) -> None:
    first = record("2605.00042", WEEK[0])
    arxiv.world.add(
        [Announcement(WEEK[1], first), Announcement(WEEK[3], second(first, WEEK[2], title="Better"))]
    )
    for day in WEEK[:3]:
        crawler.crawl(at(arxiv, day), source)
    before = crawler.papers()["2605.00042"]
    report = crawler.crawl(at(arxiv, WEEK[3]), source)
    after = crawler.papers()["2605.00042"]
    if source != "api":  # the search API finds papers by the day of their first version
        assert (report.counts["newer"], after.version, after.title) == (1, 2, "Better")
    assert (after.announced, after.announce_type) == (before.announced, "new")


def test_a_paper_that_is_first_seen_in_a_later_version_is_no_news(
    arxiv: LoopbackArxiv, crawler: Crawler
) -> None:
    first = record("2512.00042", date(2025, 12, 1))
    arxiv.world.add([Announcement(date(2025, 12, 2), first), Announcement(WEEK[1], second(first, WEEK[0]))])
    crawler.crawl(at(arxiv, WEEK[1]))
    late = crawler.papers()["2512.00042"]
    assert (late.announce_type, late.announced) == ("replace", date(2025, 12, 1))


@pytest.mark.parametrize("source", ["oai", "rss"])
def test_a_later_cross_list_changes_categories_and_not_the_day(
    arxiv: LoopbackArxiv, crawler: Crawler, source: str
) -> None:
    first = record("2605.00042", WEEK[0])
    listed = replace(first, categories="cs.LG stat.ML")
    arxiv.world.add([Announcement(WEEK[1], first), Announcement(WEEK[3], listed)])
    for day in WEEK[:4]:
        crawler.crawl(at(arxiv, day), source)
    found = crawler.papers()["2605.00042"]
    assert (found.categories, found.announced, found.version) == (("cs.LG", "stat.ML"), WEEK[1], 1)


def test_a_paper_of_another_field_comes_when_it_is_cross_listed(
    arxiv: LoopbackArxiv, crawler: Crawler
) -> None:
    first = record("2605.00042", WEEK[0], categories="math.OC")
    listed = replace(first, categories="math.OC cs.LG")
    arxiv.world.add([Announcement(WEEK[1], first), Announcement(WEEK[3], listed)])
    crawler.crawl(at(arxiv, WEEK[1]))
    assert "2605.00042" not in crawler.papers()
    crawler.crawl(at(arxiv, WEEK[3]))
    assert crawler.papers()["2605.00042"].announced == WEEK[3]


def test_a_withdrawn_paper_is_marked_and_not_offered(arxiv: LoopbackArxiv, crawler: Crawler) -> None:
    first = record("2605.00042", WEEK[0])
    gone = second(first, WEEK[1], comments="This paper has been withdrawn by the author")
    arxiv.world.add([Announcement(WEEK[1], first), Announcement(WEEK[2], gone)])
    crawler.crawl(at(arxiv, WEEK[1]))
    assert not crawler.papers()["2605.00042"].withdrawn
    crawler.crawl(at(arxiv, WEEK[2]))
    assert crawler.papers()["2605.00042"].withdrawn
    with crawler.store() as store:
        assert "2605.00042" not in {paper.id for paper in store.announced_between(WEEK[0], WEEK[4])}


def test_a_paper_that_arxiv_deletes_is_kept_and_marked(arxiv: LoopbackArxiv, crawler: Crawler) -> None:
    first = record("2605.00042", WEEK[0])
    arxiv.world.add([Announcement(WEEK[1], first), Announcement(WEEK[2], first, deleted=True)])
    crawler.crawl(at(arxiv, WEEK[1]))
    crawler.crawl(at(arxiv, WEEK[2]))
    assert crawler.papers()["2605.00042"].withdrawn


def test_names_are_the_same_whatever_the_source(
    arxiv: LoopbackArxiv, tmp_path: Path, clock: FastClock
) -> None:
    names = "Zoë Čapek, Łukasz Ørsted, Gödel's Naïve José, 木村 花, Võ Nguyên"
    arxiv.world.add(
        [Announcement(WEEK[0], record("2605.00042", authors=names, title="É: a <think> & x<y token"))]
    )
    found = []
    for source in ("oai", "rss", "api"):
        home = tmp_path / source
        home.mkdir()
        with closing(Crawler(home, arxiv.base, clock)) as crawler:
            crawler.crawl(noon(MONDAY), source)
            found.append(crawler.papers()["2605.00042"])
    assert {(paper.authors, paper.title, paper.abstract, paper.categories) for paper in found} == {
        (tuple(names.split(", ")), "É: a <think> & x<y token", "About 2605.00042.", ("cs.LG",))
    }


# --- faults ---------------------------------------------------------------------------------------

ERROR = "error with 200"
FAULTS = [
    pytest.param(
        service, fault, marks=[pytest.mark.slow] if service != "oai" and fault in faults.WIRE else []
    )
    for service in ("oai", "rss", "api")
    for fault in faults.names(service)
    if fault != ERROR
]


@pytest.mark.parametrize(("service", "fault"), FAULTS)
def test_a_fault_costs_time_and_no_paper(
    arxiv: LoopbackArxiv, crawler: Crawler, service: str, fault: str
) -> None:
    """After the run it strikes, or the next one if arXiv is not to be asked, the archive holds what was
    announced. What a feed holds back comes when it is read again, what a cut feed or a shifted list
    leaves out comes with the harvest of the next day."""
    arxiv.faults.order(fault, service)
    crawler.page_size = 11
    now = at(arxiv, MONDAY)
    crawler.crawl_until_done(now, service)
    if fault in ("stale feed", "empty feed"):
        crawler.crawl_until_done(now, service)
    if fault in ("truncated feed", "modified record"):
        now = at(arxiv, WEEK[1])
        crawler.crawl_until_done(now, "oai")
    assert crawler.versions().items() >= announced(arxiv.world, now.date(), CATEGORIES.__contains__).items()
    assert crawler.versions().items() <= announced(arxiv.world, now.date()).items()
    assert [one.fault for one in arxiv.requests if one.fault] == [fault]
    assert_polite(arxiv)


def test_an_error_of_the_api_is_an_error_whatever_its_status(arxiv: LoopbackArxiv, crawler: Crawler) -> None:
    arxiv.faults.order(ERROR)
    with pytest.raises(InputError, match="internal server error"):
        crawler.crawl(at(arxiv, MONDAY), "api")
    assert crawler.crawl(at(arxiv, MONDAY), "api").counts["new"] == 12


def test_a_record_that_paging_skipped_comes_with_the_overlap_of_the_next_day(
    arxiv: LoopbackArxiv, crawler: Crawler
) -> None:
    arxiv.faults.order("modified record")
    crawler.crawl(at(arxiv, MONDAY))
    missed = announced(arxiv.world, MONDAY).keys() - crawler.papers().keys()
    assert len(missed) == 1
    report = crawler.crawl(at(arxiv, WEEK[1]))
    assert crawler.versions() == announced(arxiv.world, WEEK[1])
    assert report.counts["new"] == 12 + 1


@pytest.mark.parametrize("days", [1, 6])
def test_a_record_that_is_listed_late_under_an_old_date_comes_with_the_overlap(
    arxiv: LoopbackArxiv, crawler: Crawler, days: int
) -> None:
    shown = MONDAY + timedelta(days=days)
    arxiv.world.add([Announcement(shown, record("2605.00042"), stamped=MONDAY)])
    for day in WEEK:
        crawler.crawl(at(arxiv, day))
        assert ("2605.00042" in crawler.papers()) == (day >= shown)
    assert crawler.papers()["2605.00042"].announced == MONDAY


def test_three_429_in_a_row_keep_everybody_away_for_an_hour(arxiv: LoopbackArxiv, crawler: Crawler) -> None:
    arxiv.faults.order("429", times=3)
    crawler.patience = 120.0
    with pytest.raises(Deferred):
        while True:  # each run tries again as long as its patience lasts
            crawler.crawl(at(arxiv, MONDAY))
    while len(arxiv.requests) < 3:
        crawler.wait()
        with pytest.raises(Deferred):
            crawler.crawl(at(arxiv, MONDAY))
    assert 3300 < crawler.gate.state().closed_left(crawler.clock()) <= 3600
    crawler.close()  # another process
    with pytest.raises(Deferred, match="429"):
        crawler.crawl(at(arxiv, MONDAY))
    assert len(arxiv.requests) == 3
    crawler.wait()
    crawler.crawl(at(arxiv, MONDAY))
    assert crawler.versions() == announced(arxiv.world, MONDAY)


def test_after_403_nobody_asks_for_a_day(arxiv: LoopbackArxiv, crawler: Crawler) -> None:
    arxiv.faults.order("403")
    for source in ("oai", "rss", "api"):
        with pytest.raises(Deferred, match="403"):
            crawler.crawl(at(arxiv, MONDAY), source)
    assert len(arxiv.requests) == 1
    assert crawler.gate.state().closed_left(crawler.clock()) > 80_000


def test_what_was_read_before_a_fault_is_stored_and_not_asked_for_again(
    arxiv: LoopbackArxiv, crawler: Crawler
) -> None:
    crawler.patience = 0.0
    arxiv.as_of = noon(MONDAY)
    crawler_sets, crawler.sets = crawler.sets, ("cs",)
    with crawler.store() as store:
        pages = crawler.source("oai", store).fetch(None, arxiv.as_of)
        store.add_papers("oai", next(pages), arxiv.as_of)
        pages.close()
    crawler.sets = crawler_sets
    report = crawler.crawl(arxiv.as_of)
    assert crawler.versions() == announced(arxiv.world, MONDAY)
    first = [one for one in arxiv.requests if one.query.get("set") == "cs"]
    assert len(first) == 1
    assert report.counts["new"] == 12 - 5


def test_the_harvest_goes_on_when_its_token_has_expired_over_night(
    arxiv: LoopbackArxiv, crawler: Crawler
) -> None:
    arxiv.as_of = noon(MONDAY)
    with crawler.store() as store:
        pages = crawler.source("oai", store).fetch(None, arxiv.as_of)
        store.add_papers("oai", next(pages), arxiv.as_of)
        pages.close()
    crawler.crawl(at(arxiv, WEEK[1]))
    assert crawler.versions() == announced(arxiv.world, WEEK[1])


# --- the command line -----------------------------------------------------------------------------


def digest(
    home: Path, state: Path, arxiv: LoopbackArxiv, *arguments: str, gap: str = "0.2"
) -> subprocess.Popen[str]:
    environ = {
        **os.environ,
        **arxiv.environment,
        "DIGEST_CONTACT": "me@example.org",
        "DIGEST_ARXIV_GAP_SECONDS": gap,
        "XDG_STATE_HOME": str(state),
    }
    command = [sys.executable, "-m", "digest", "--home", str(home), *arguments]
    return subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_two_processes_at_once_keep_the_gap_between_them(arxiv: LoopbackArxiv, tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    started = [digest(home, tmp_path, arxiv, "crawl", "--as-of", "2026-05-11") for home in homes]
    ended = [(process.communicate(timeout=60), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    for home in homes:
        assert Crawler(home, arxiv.base, FastClock()).versions() == announced(arxiv.world, MONDAY)
    agents = {one.agent for one in arxiv.requests}
    assert len(agents) == 1
    assert re.match(r"digest/\d", agents.pop())
    assert len(arxiv.requests) >= 8
    assert min(arxiv.gaps()) >= 0.2


@pytest.mark.parametrize(("days", "kills"), [(1, 2), pytest.param(3, 5, marks=pytest.mark.slow)])
def test_commands_killed_at_random_moments_two_at_once_end_with_what_was_announced(
    arxiv: LoopbackArxiv, tmp_path: Path, days: int, kills: int
) -> None:
    """Real processes, two homes, one gate; each home's crawl of a day is killed so many times (SIGKILL)."""
    chance, homes, killed = Random(days), [tmp_path / "one", tmp_path / "two"], list[float]()
    ill = ("503", "cut body", "200, html", "modified record") if days > 1 else ()
    for day in WEEK[:days]:
        at(arxiv, day)
        for fault in chance.sample(ill, min(len(ill), 2)):
            arxiv.faults.order(fault, "oai")
        left = dict.fromkeys(homes, kills)
        running: dict[Path, subprocess.Popen[str]] = {}
        while left:
            for home in left.keys() - running.keys():
                running[home] = digest(home, tmp_path, arxiv, "crawl", "--as-of", str(day), gap="0.2")
            wait_for_requests(arxiv, chance.choice((0, 1, 1, 2, 4)), running.values())
            time.sleep(chance.uniform(0, 0.25))
            home = chance.choice(sorted(left))
            if left[home]:
                killed.append(time.monotonic())
                running[home].kill()
            _, error = running[home].communicate(timeout=120)
            ended = running.pop(home).returncode
            assert ended in (0, 75, -signal.SIGKILL), error
            left[home] = left[home] - 1 if left[home] else -(ended == 0)
            left = {home: count for home, count in left.items() if count >= 0}
    for home in homes if ill else ():  # what a shifted list left out comes with the overlap of the next day
        later = str(at(arxiv, WEEK[days]).date())
        digest(home, tmp_path, arxiv, "crawl", "--as-of", later, gap="0.2").communicate(timeout=120)
    expected = announced(arxiv.world, arxiv.as_of.date())
    assert [Crawler(home, arxiv.base, FastClock()).versions() for home in homes] == [expected] * 2
    end_with_the_reader(arxiv.requests, killed)
    assert len(killed) == 2 * days * kills
    assert min(arxiv.gaps() + arxiv.gaps(given_up=True)) >= 0.2


def wait_for_requests(
    arxiv: LoopbackArxiv, more: int, processes: Iterable[subprocess.Popen[str]], seconds: float = 30.0
) -> None:
    """Wait until so many more requests have come, or a process has ended."""
    seen, end = len(arxiv.requests), time.monotonic() + seconds
    while len(arxiv.requests) < seen + more and time.monotonic() < end:
        if any(process.poll() is not None for process in processes):
            return
        time.sleep(0.005)


def test_a_second_process_in_the_same_home_is_told_to_come_back(arxiv: LoopbackArxiv, tmp_path: Path) -> None:
    started = [
        digest(tmp_path / "home", tmp_path, arxiv, "crawl", "--as-of", "2026-05-11", gap="1") for _ in "12"
    ]
    ended = sorted((process.communicate(timeout=60), process.returncode) for process in started)
    assert sorted(code for _, code in ended) == [0, 75]
    told = next(error for (_, error), code in ended if code == 75)
    assert re.fullmatch(r"digest: .*another digest is at work in this home.*\n", told)


def test_a_refused_crawl_ends_with_75_and_says_until_when(arxiv: LoopbackArxiv, tmp_path: Path) -> None:
    arxiv.faults.order("403")
    process = digest(tmp_path / "home", tmp_path, arxiv, "crawl", "--as-of", "2026-05-11")
    output, error = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "arXiv answered 403, forbidden" in output
    assert "no batch" not in output, "who has not asked cannot know"
    assert re.fullmatch(r".*put off.*403.*no request before .*\n", error)
    assert len(arxiv.requests) == 1


assert GAP / SPEED == 0.01
assert noon(MONDAY).tzinfo is UTC


# --- to the posts ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_held_paper_is_posted_on_its_day_a_replaced_one_once_and_a_withdrawn_one_never(
    tmp_path: Path,
) -> None:
    """The bundled sample as arXiv: 2606.31699 is held until July 3, 2606.29282 is posted on July 1 and
    replaced on July 3, 2607.02513 is announced on July 2, when nobody crawls, and withdrawn by July 3."""
    world = load(Path(__file__).parents[1] / "src/digest/sources/sample.jsonl")
    first = {one.record.id: one for one in world.announcements}
    july = {day: date(2026, 7, day) for day in (1, 2, 3)}
    changed, gone = first["2606.29282"].record, first["2607.02513"].record
    first["2606.31699"] = replace(first["2606.31699"], day=july[3])
    first["2607.02513"] = Announcement(july[2], gone)
    later = [second(changed, july[2]), second(gone, july[2], comments="withdrawn")]
    world = World([*first.values(), *(Announcement(july[3], record) for record in later)])
    with LoopbackArxiv(world, noon(july[1])) as arxiv:
        for day in (july[1], july[3]):
            at(arxiv, day)
            told = digest(tmp_path / "home", tmp_path, arxiv, "run", "--as-of", str(day), gap="0.05")
            _, error = told.communicate(timeout=400)
            assert told.returncode == 0, error
        listed = digest(tmp_path / "home", tmp_path, arxiv, "posts", "list", "--json")
        posts = json.loads(listed.communicate(timeout=60)[0])
    slots = {id_: {post["slot"] for post in posts if id_ in post["papers"]} for id_ in first}
    assert slots["2606.31699"] == {"2026-07-03"}
    assert slots["2606.29282"] == {"2026-07-01"}
    assert slots["2607.02513"] == set()


@pytest.mark.slow
def test_five_days_of_arxiv_with_faults_and_kills_end_as_they_should(shared: Path, tmp_path: Path) -> None:
    """`python tests/soak_crawl.py` crawls all 66 days. In a process of its own: it forks."""
    data = shared / "data"
    files = ["--papers", data / "corpus/2026.jsonl.xz", "--days", data / "days-2026-05-01_2026-07-05.json"]
    script = Path(__file__).with_name("soak_crawl.py")
    command = [sys.executable, script, *files, "--first", "5", "--rate", "0.4"]
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    told = dict(re.findall(r"(.+?) {2,}([\d,.]+)\n", done.stdout))
    assert int(told["crawls killed"]) >= 5
    assert int(told["faults"]) >= 15
