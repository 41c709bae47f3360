"""The daemon: what it starts and when, and that it ends well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest import config, daemon
from digest.daemon import Daemon
from digest.errors import TryAgain
from digest.store import Store
from digest.types import RunReport
from loopback.faults import Faults
from loopback.world import World
from machine import TOPIC, batch
from outbox import draft
from postgres import Server, needs_postgres
from replay import LoopbackArxiv

TELEGRAM = """
[telegram]
editors = [500000001]
[channels.news]
type = "telegram"
chat = "@xai_daily"
post_at = ["09:00"]
time_zone = "Europe/Berlin"
"""


class Home:
    """A digest home, and daemons in it that start stubs in place of commands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.database = f"sqlite:///{folder / 'digest.sqlite3'}"
        self.said: list[str] = []
        self.at_work: list[Daemon] = []
        self.configure()

    def configure(self, more: str = "") -> None:
        (self.folder / "digest.toml").write_text(TOPIC.format(categories='"cs.LG"', more="") + more)

    def daemon(self) -> Daemon:
        program = [sys.executable, str(Path(__file__).with_name("stub.py")), str(self.log), self.database]
        made = Daemon(
            lambda: config.load(None, self.folder, {}), (), self.said.append, program=program, beat=0.05
        )
        self.at_work.append(made)
        return made

    def counts(self) -> Counter[str]:
        return Counter(self.log.read_text().splitlines() if self.log.exists() else ())

    def until(self, met: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < end, (self.counts(), self.said)
            time.sleep(0.02)

    def store(self) -> Store:
        return Store.open(self.database, busy_timeout=30)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    for one in made.at_work:
        one.stop()


def test_what_is_due_is_run_once_and_the_next_time_is_told(home: Home) -> None:
    one = home.daemon()
    one.start()
    home.until(lambda: any(line.startswith("next run") for line in home.said))
    time.sleep(0.5)
    one.stop()
    assert home.counts()["begin run"] == home.counts()["end run"] == 1
    assert home.said[0].startswith("digest run: done")
    again = home.daemon()
    again.start()
    time.sleep(0.5)
    again.stop()
    assert home.counts()["begin run"] == 1  # the database knows


def test_a_run_by_cron_is_a_run(home: Home) -> None:
    with home.store() as store:
        now = datetime.now(UTC)
        store.put_run("run", RunReport(as_of=now, stages=()), now)
    one = home.daemon()
    one.start()
    home.until(lambda: bool(home.said))
    one.stop()
    assert home.counts()["begin run"] == 0


@pytest.mark.parametrize(("code", "said"), [(75, "put off"), (2, "ended with 2")])
def test_a_run_that_came_to_nothing_waits_a_quarter_of_an_hour(home: Home, code: int, said: str) -> None:
    """One that was put off, and one that ended before it could be recorded."""
    home.log.with_suffix(".code").write_text(str(code))
    one = home.daemon()
    one.start()
    home.until(lambda: len(home.said) > 1)
    time.sleep(0.3)
    one.stop()
    assert home.counts()["begin run"] == 1
    assert home.said[0].startswith(f"digest run: {said}")


def test_a_second_daemon_in_the_same_home_is_sent_away(home: Home) -> None:
    home.daemon().start()
    with pytest.raises(TryAgain, match="another digest daemon"):
        home.daemon().start()


def test_it_stops_within_seconds_and_ends_what_it_started(home: Home) -> None:
    home.configure(TELEGRAM)
    one = home.daemon()
    one.start()
    home.until(lambda: home.counts()["begin review"] == 1)
    begun = time.monotonic()
    one.stop()
    assert time.monotonic() - begun < 15
    assert home.counts()["end review"] == 1


def test_a_changed_configuration_is_read_and_a_wrong_one_is_not(home: Home) -> None:
    home.configure(TELEGRAM)
    one = home.daemon()
    one.start()
    home.until(lambda: home.counts()["begin review"] == 1)
    (home.folder / "digest.toml").write_text("lookback_dasy = 3\n")
    one.reload()
    assert "lookback_days" in home.said[-1]
    home.configure(TELEGRAM.replace("09:00", "10:00"))
    one.reload()
    assert "the configuration was read again" in home.said
    home.until(lambda: home.counts()["end review"] == 1)


def test_what_may_go_out_is_delivered_and_what_may_not_is_left(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "AGAIN", timedelta(seconds=0.4))
    with home.store() as store:
        now = datetime.now(UTC)
        store.put_run("run", RunReport(as_of=now, stages=()), now)
        store.add_posts([draft("one")], {"en": ["files"]}, "draft", 0, now)
    one = home.daemon()
    one.start()
    time.sleep(0.5)
    assert home.counts()["begin deliver"] == 0
    with home.store() as store:
        store.set_post_state(1, ("draft",), "approved", datetime.now(UTC))
    home.until(lambda: home.counts()["begin deliver"] == 2)  # the stub sends nothing: again after a while
    one.stop()


@pytest.mark.parametrize(("approved", "due"), [("2026-05-12T06:59Z", True), ("2026-05-12T07:01Z", False)])
def test_a_post_waits_for_the_channels_time_after_its_approval(home: Home, approved: str, due: bool) -> None:
    from digest.app import App

    home.configure(TELEGRAM)
    noon = datetime(2026, 5, 12, 10, tzinfo=UTC)
    with home.store() as store:
        store.add_posts([draft("one")], {"en": ["news"]}, "draft", 0, noon - timedelta(days=1))
        store.set_post_state(1, ("draft",), "approved", datetime.fromisoformat(approved))
    with App(config.load(None, home.folder, {}), noon, quiet=True) as app:
        [channel] = app.channels()
        assert (daemon._due(app, channel, noon) is not None) is due
        assert daemon._due(app, channel, noon + timedelta(days=1)) is not None
        app.store.pause_channel("news", "@xai_daily", "kicked", noon)
        assert daemon._due(app, channel, noon + timedelta(days=1)) is None


class Machines:
    """Homes with the program's own processes over one archive, and the arXiv of this week on loopback."""

    def __init__(self, folder: Path, database: str, count: int, arxiv: LoopbackArxiv) -> None:
        self.homes = [folder / f"home{number}" for number in range(count)]
        for home in self.homes:
            home.mkdir()
            configuration = TOPIC.format(categories='"cs.LG"', more="")
            (home / "digest.toml").write_text(f'contact = "me@example.org"\n{configuration}')
        self.environ = {
            **os.environ,
            **arxiv.environment,
            "DIGEST_ARXIV_GAP_SECONDS": "0.5",
            "DIGEST_DATABASE": database,
            "XDG_STATE_HOME": str(folder),
            "DIGEST_EMBED_DEVICE": "cpu",
        }

    def begin(self, at: int, *words: str) -> subprocess.Popen[str]:
        """A command on one of the machines."""
        program = [sys.executable, "-m", "digest", "--home", str(self.homes[at % len(self.homes)])]
        return subprocess.Popen([*program, *words], env=self.environ, stdout=subprocess.PIPE, text=True)


@contextmanager
def week(folder: Path, database: str, machines: int) -> Iterator[tuple[Machines, LoopbackArxiv, int]]:
    """Machines, arXiv as it is today, and how many papers it told in the last days."""
    today = datetime.now(UTC)
    days = [(today - timedelta(days=number)).date() for number in range(1, 6)]
    papers = [one for day in days if day.weekday() < 5 for one in batch(day, 20)]
    with LoopbackArxiv(World(papers), today, page_size=10) as arxiv:
        yield Machines(folder, database, machines, arxiv), arxiv, len(papers)


@pytest.fixture(params=[1, pytest.param(2, marks=needs_postgres)], ids=["a file", "a server"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Where an archive is to be, and how many machines share it: one a file, two a server."""
    if request.param == 1:
        yield f"sqlite:///{tmp_path / 'digest.sqlite3'}", 1
    else:
        with request.getfixturevalue("server").database() as url:
            yield url, 2


@pytest.mark.slow
def test_killed_in_the_middle_beside_cron_and_another_daemon_nothing_is_lost_or_doubled(
    tmp_path: Path, archive: tuple[str, int]
) -> None:
    """Real processes: two daemons and cron begin at once, one daemon is killed in its crawl, a third
    finishes the work and is told to end."""
    database, count = archive
    with week(tmp_path, database, count) as (machines, arxiv, papers):
        crowd = [machines.begin(0, "daemon"), machines.begin(1, "daemon"), machines.begin(0, "run")]
        while len(arxiv.requests) < 3:
            time.sleep(0.05)
        for one in crowd[:2]:
            if one.poll() is None:
                one.kill()
        for one in crowd:
            one.communicate(timeout=120)  # ends when what they started has ended too: it holds their output
        third = machines.begin(1, "daemon")
        lines = []
        assert third.stdout is not None
        for line in third.stdout:
            lines.append(line)
            if "next run" in line:
                break
        third.send_signal(signal.SIGTERM)
        said, _ = third.communicate(timeout=30)
        assert third.returncode == 0, lines
        assert said.endswith("stopped\n")
    with Store.open(database) as store:
        posts = store.posts()
        assert len({(post.topics, post.slot, post.language) for post in posts}) == len(posts)
        assert store.count_papers() == papers
        assert {one.state for one in store.deliveries()} <= {"sent"}


@needs_postgres
@pytest.mark.slow
def test_of_two_machines_one_runs_and_a_signal_inside_a_page_of_arxiv_loses_nothing(
    tmp_path: Path, server: Server
) -> None:
    """Daemons of two machines over one server. The one at work is told to end in the middle of an answer;
    cron on the other machine goes on where it was."""
    with server.database() as database, week(tmp_path, database, 2) as (machines, arxiv, papers):
        arxiv.silence = 8.0
        first = machines.begin(0, "daemon")
        while len(arxiv.requests) < 3:
            time.sleep(0.02)
        arxiv.faults.order("drip")
        while not any(one.fault == "drip" for one in arxiv.requests):
            time.sleep(0.02)
        second = machines.begin(1, "daemon")
        assert second.stdout is not None
        assert any("digest run: put off" in line for line in second.stdout)
        begun = time.monotonic()
        first.send_signal(signal.SIGTERM)
        said, _ = first.communicate(timeout=30)
        assert time.monotonic() - begun < 10
        assert "digest run: stopped" in said
        assert said.endswith("stopped\n")
        with Store.open(database) as store:
            assert 0 < store.count_papers() < papers
            assert store.count_papers() % 10 == 0  # whole pages
        arxiv.faults = Faults()
        cron = machines.begin(1, "run")
        cron.communicate(timeout=120)
        assert cron.returncode == 0
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=30)
        with Store.open(database) as store:
            assert store.count_papers() == papers


def test_a_page_with_the_schedule_is_the_daemon_of_its_home_and_ends_on_a_signal(
    tmp_path: Path, archive: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes; sample is the source, so that nothing is asked of arXiv whatever is due."""
    (tmp_path / "digest.toml").write_text('source = "sample"\n' + TOPIC.format(categories='"cs.LG"', more=""))
    monkeypatch.setenv("DIGEST_DATABASE", archive[0])
    program = [sys.executable, "-m", "digest", "--home", str(tmp_path)]
    page = subprocess.Popen(
        [*program, "serve", "--port", "0", "--schedule"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert page.stderr is not None
        lines = iter(page.stderr.readline, "")
        assert any(line.startswith("the page is at http://127.0.0.1:") for line in lines)
        other = subprocess.run([*program, "daemon"], capture_output=True, text=True, check=False, timeout=60)
        assert (other.returncode, "another digest daemon is at work" in other.stderr) == (75, True)
    finally:
        page.send_signal(signal.SIGTERM)
        page.communicate(timeout=60)
    assert page.returncode in (0, 128 + signal.SIGTERM)


def test_with_json_each_line_of_the_daemon_is_an_object(tmp_path: Path) -> None:
    (tmp_path / "digest.toml").write_text('source = "sample"\n' + TOPIC.format(categories='"cs.LG"', more=""))
    with Store.open(f"sqlite:///{tmp_path / 'digest.sqlite3'}") as store:
        now = datetime.now(UTC)
        store.put_run("run", RunReport(as_of=now, stages=()), now)
    program = [sys.executable, "-m", "digest", "--home", str(tmp_path), "--json", "daemon"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        first = json.loads(daemon.stdout.readline())
        daemon.send_signal(signal.SIGTERM)
        last = [json.loads(line) for line in daemon.stdout][-1]
    assert first["said"].startswith("next run: ")
    assert datetime.fromisoformat(first["at"]).tzinfo is not None
    assert last["said"] == "stopped"
