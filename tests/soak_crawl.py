"""Months of arXiv through the loopback arXiv, with faults and kills, and what the archive holds then.

    python tests/soak_crawl.py --papers FILE.jsonl.xz --days DAYS.json

Each day is crawled by a process that is forked for it (so that nothing is imported anew) and calls
what `digest crawl` calls: pipeline.crawl with the OAI-PMH source, the gate and the store. Some are
killed (SIGKILL) at a random moment; whoever is deferred tries again once the gate is open. On some
days a second process crawls the feeds into another archive at the same time, through the same gate.
A day is over when a crawl has come to its end.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import signal
import sqlite3
import sys
import time
import traceback
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from random import Random

from msgspec.structs import replace

from crawling import GAP, SETS, SPEED, Crawler, FastClock, announced, end_with_the_reader
from digest.errors import TryAgain
from loopback.faults import SERVICE, WIRE, Faults
from loopback.world import Announcement, Record, RecordVersion, World, announcements, read_days, read_records
from replay import Asked, LoopbackArxiv, gaps, moment
from tried import scratch

ALL_SETS = (*SETS, "math", "physics", "econ", "q-bio", "q-fin")
SLOW = ("stall", "drip", "gzip bomb", "endless body", "403")
QUICK = [name for name in (*WIRE, *SERVICE["oai"]) if name not in SLOW]
AMONG = [*QUICK * 4, *["modified record", "duplicate token", "expired token"] * 8, *SLOW]
"""What is drawn from: what costs seconds is rare."""


# --- what happens ---------------------------------------------------------------------------------


def happenings(records: list[Record], days: dict[str, date], random: Random) -> Iterator[Announcement]:
    """The announcements of the papers, and what befalls some of them later: a second version (5 %), a
    withdrawal (1 %), a cross-list (2 %), a deletion (0.1 %); 2 % were held by moderation, 0.5 % are
    listed up to a week late under the date of their batch."""
    for record in records:
        day = days[record.id]
        held = _submitted(record, day - timedelta(days=random.randint(3, 9)))
        first = held if random.random() < 0.02 else record
        if random.random() < 0.005:
            yield Announcement(day + timedelta(days=random.randint(1, 6)), first, stamped=day)
            continue
        yield from announcements(first, day)
        later = day + timedelta(days=random.randint(1, 20))
        draw = random.random()
        if draw < 0.05:
            yield Announcement(later, _second(first, later, comments="Second version"))
        elif draw < 0.06:
            yield Announcement(later, _second(first, later, comments="This paper has been withdrawn"))
        elif draw < 0.08:
            yield Announcement(later, replace(first, categories=f"{first.categories} cs.MM"))
        elif draw < 0.081:
            yield Announcement(later, first, deleted=True)


def _submitted(record: Record, day: date) -> Record:
    return replace(record, versions=(RecordVersion("v1", f"{day:%a, %d %b %Y} 09:00:00 GMT"),))


def _second(record: Record, day: date, comments: str) -> Record:
    made = RecordVersion("v2", f"{day - timedelta(days=1):%a, %d %b %Y} 09:00:00 GMT")
    return replace(record, versions=(*record.versions, made), comments=comments)


# --- the server, in a process of its own ----------------------------------------------------------


class Served:
    """The loopback arXiv in another process."""

    def __init__(self, base: str, process: int) -> None:
        self.base, self._process = base, process

    def ask(self, path: str) -> bytes:
        """One of the things that /replay/ answers to."""
        with urllib.request.urlopen(f"{self.base}/replay/{path}", timeout=60) as answer:
            return bytes(answer.read())

    def requests(self) -> list[Asked]:
        """All requests so far."""
        return [Asked(**one) for one in json.loads(self.ask("requests"))]


@contextmanager
def serving(world: World, begin: date, faults: Faults, page_size: int) -> Iterator[Served]:
    """The world, served until the end of the context."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        with LoopbackArxiv(
            world, moment(str(begin)), page_size=page_size, faults=faults, silence=4.0
        ) as arxiv:
            os.write(writing, arxiv.base.encode())
            os.close(writing)
            signal.pause()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        base = told.read().decode()
    try:
        yield Served(base, process)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


# --- one day --------------------------------------------------------------------------------------


_PATIENCE = 900.0
"""Seconds after which a crawl is taken to hang; it then says where, and fails."""


class Soak:
    """The crawls of all days, and what became of the processes."""

    def __init__(self, served: Served, home: Path, random: Random, kills_a_day: float) -> None:
        clock = FastClock()
        self.served, self.random, self.clock = served, random, clock
        self.crawler = Crawler(home, served.base, clock, sets=ALL_SETS, total=3.0)
        (home / "second").mkdir()
        self.second = Crawler(home / "second", served.base, clock, total=3.0, state=home / "gate.json")
        for each in (self.crawler, self.second):
            each.store().close()
            each.gate._connected()  # made once for all that are forked
        self.counts: Counter[str] = Counter()
        self.kills: list[float] = []
        self._kills_a_day = kills_a_day
        self._usual = 2.0

    def day(self, day: date) -> None:
        """Crawl until a crawl has come to its end."""
        self.served.ask(f"as-of?{day}")
        to_kill = int(self._kills_a_day + self.random.random())
        beside = self._start(self.second, day, "rss") if day.toordinal() % 3 == 0 else None
        while True:
            began = time.monotonic()
            process = self._start(self.crawler, day, "oai")
            if to_kill > 0:
                time.sleep(self.random.uniform(0, self._usual))
                self.kills.append(time.monotonic())
                os.kill(process, signal.SIGKILL)
                to_kill -= 1
            code = self._end(process)
            if code == 0:
                self._usual += 0.2 * (time.monotonic() - began - self._usual)
                break
            if code == 75:
                self.crawler.wait()
        if beside and self._end(beside) == 0:
            self.counts["feeds read beside"] += 1

    def _start(self, crawler: Crawler, day: date, source: str) -> int:
        if process := os.fork():
            return process
        code = 1
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)
        try:
            crawler.crawl(moment(str(day)), source)
            code = 0
        except TryAgain:
            code = 75
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _end(self, process: int) -> int:
        _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        names = {0: "crawls ended", 75: "crawls deferred", -signal.SIGKILL: "crawls killed"}
        assert code in names, f"a crawl failed with {code}"
        self.counts[names[code]] += 1
        return code


# --- the whole ------------------------------------------------------------------------------------


def soak(
    papers: Path,
    days_file: Path,
    home: Path,
    *,
    days: int,
    seed: int,
    rate: float,
    kills: float,
    page_size: int,
) -> dict[str, float]:
    """Crawl so many days and one more, without faults; the counts. Raises AssertionError where the
    archive is not what was announced, or arXiv was asked too soon."""
    random = Random(seed)
    day_of = read_days(days_file)
    begin = min(day_of.values())
    end = begin + timedelta(days=days - 1)
    known = [record for record in read_records(papers) if record.id in day_of and day_of[record.id] <= end]
    world = World(happenings(known, day_of, random))
    late = Counter[str]()
    began = time.monotonic()
    with serving(world, begin, Faults(seed, rate, AMONG), page_size) as served:
        run = Soak(served, home, random, kills)
        for at in range(days):
            run.day(begin + timedelta(days=at))
            print(f"\r{begin + timedelta(days=at)}", end="", file=sys.stderr, flush=True)
            if at % 10 == 9:
                missing = announced(world, begin + timedelta(days=at)).keys() - run.crawler.versions().keys()
                late["papers missing at the end of every tenth day"] += len(missing)
        asked = served.requests()
        run.clock.skip(86_400)
        served.ask("quiet")
        served.ask(f"as-of?{end + timedelta(days=1)}")
        clean = Crawler(home, served.base, run.clock, sets=ALL_SETS, total=30.0)
        done = clean.crawl_until_done(moment(str(end + timedelta(days=1))))
        late["papers that only the last, quiet crawl brought"] = done[-1].counts["new"]  # type: ignore[union-attr]
    _check(world, end + timedelta(days=1), run.crawler)
    return {
        "days": days,
        "papers announced": len(announced(world, end)),
        "papers in the archive": len(run.crawler.versions()),
        **dict(sorted(run.counts.items())),
        **late,
        **_told(asked, run.kills),
        "seconds": round(time.monotonic() - began),
        "seconds of CPU": round(_cpu()),
    }


def _check(world: World, day: date, crawler: Crawler) -> None:
    """The archive is what was announced: each paper once, in its version, with its day."""
    found, expected = crawler.papers(), world.until(day).papers
    assert found.keys() == expected.keys(), (len(found), len(expected), found.keys() ^ expected.keys())
    wrong = [id_ for id_, paper in found.items() if paper.version != expected[id_].record.version]
    assert not wrong, wrong
    first = {}
    for one in world.announcements:
        first.setdefault(one.record.id, one.stamped or one.day)
    moved = [id_ for id_, paper in found.items() if paper.announced != first[id_]]
    assert not moved, (len(moved), [(id_, found[id_].announced, first[id_]) for id_ in moved[:5]])
    gone = {id_ for id_, one in expected.items() if one.deleted or one.record.is_withdrawn}
    assert gone == {id_ for id_, paper in found.items() if paper.withdrawn}
    listed = [id_ for id_, one in expected.items() if set(found[id_].categories) != set(one.record.codes)]
    assert not listed, listed[:5]
    with closing(sqlite3.connect(crawler.home / "digest.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _told(asked: list[Asked], kills: list[float]) -> dict[str, float]:
    struck = Counter(one.fault for one in asked if one.fault)
    end_with_the_reader(asked, kills)
    between, after_leaving = gaps(asked), gaps(asked, given_up=True)
    assert not [one for one in asked if one.service == "elsewhere"]
    assert min(between) >= GAP / SPEED, min(between)
    return {
        "requests": len(asked),
        "faults": struck.total(),
        "kinds of faults": len(struck),
        "least gap at the server, ms": round(min(between) * 1000, 3),
        "least gap after a reader died or gave up, ms": round(min(after_leaving, default=0) * 1000, 3),
        "gap asked for, ms": GAP / SPEED * 1000,
    }


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Run the soak and print its counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--papers", type=Path, required=True)
    parser.add_argument("--days", type=Path, required=True)
    parser.add_argument("--first", type=int, default=66, help="how many days")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.25, help="share of requests with a fault")
    parser.add_argument("--kills", type=float, default=2.5, help="a day, on average")
    parser.add_argument("--page-size", type=int, default=500)
    given = parser.parse_args()
    with scratch() as home:
        options = {"seed": given.seed, "rate": given.rate, "kills": given.kills, "page_size": given.page_size}
        counts = soak(given.papers, given.days, home, days=given.first, **options)
    width = max(map(len, counts))
    for name, number in counts.items():
        print(f"{name:<{width}}  {number:>10,}")


if __name__ == "__main__":
    sys.exit(main())
