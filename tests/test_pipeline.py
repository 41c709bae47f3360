"""The whole road over the bundled sample, day after day, and killed on the way."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import pytest
from filelock import FileLock
from msgspec import structs

import road
from digest import config, pipeline
from digest.actions import posts
from digest.app import App
from digest.errors import TryAgain
from digest.sources.sample import sample
from digest.sources.snapshot import Snapshot
from digest.types import Post, RunReport
from fakes import Outbox
from road import Remembered

FRIDAY = datetime(2026, 7, 3, 12, tzinfo=UTC)
MONDAY = datetime(2026, 6, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POSTED = sorted(product(("xai", "unlearning", "diffusion"), ("en", "ru", "zh")))

Made = Callable[..., App]
Best = dict[str, list[str]]
Fork = Callable[..., int]
Unbroken = tuple[list[str], tuple[object, ...]]


@pytest.fixture(scope="session")
def embedder(vectors: Path) -> Remembered:
    return Remembered.load(vectors)


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory, embedder: Remembered) -> Path:
    """A home with the sample crawled, embedded and matched on Friday, to be copied."""
    home = tmp_path_factory.mktemp("crawled") / "home"
    with road.app(home, FRIDAY, embedder) as app:
        app.crawl("sample")
        app.stage("embed")
        app.stage("match")
    return home


@pytest.fixture
def home(tmp_path: Path, crawled: Path) -> Path:
    shutil.copytree(crawled, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def best(tmp_path_factory: pytest.TempPathFactory, embedder: Remembered) -> Best:
    """By topic the recent papers that are posted in it and belong to no other, best first; by "" those
    that look like none."""
    folder = tmp_path_factory.mktemp("best")
    with road.app(folder / "home", MONDAY, embedder) as app:
        road.stages(app, cut(folder, None, background()), cut(folder, MONDAY.date(), recent()))
        matches = {paper: app.store.matches_of(paper) for paper in recent()}
        found = {"": [paper for paper in matches if all(one.score < 0.1 for one in matches[paper])]}
        for post in app.store.posts(language="en"):
            choices = sorted(app.store.choices(post.id), key=lambda choice: -choice.score)
            found[post.topics[0]] = [one.paper for one in choices if one.topics == post.topics]
    return found


@pytest.fixture
def made(embedder: Remembered) -> Made:
    """The program over a home, at a time, with all topics or some."""

    def make(home: Path, now: datetime, *topics: str, **environ: str) -> App:
        return road.app(home, now, embedder, environ, topics)

    return make


# --- one day --------------------------------------------------------------------------------------


def test_a_run_writes_and_delivers_a_post_for_each_topic_in_each_language(made: Made, home: Path) -> None:
    with made(home, FRIDAY) as app:
        report = road.stages(app)
        posts = app.store.posts()
        sent = [delivery.receipt for delivery in app.store.deliveries() if delivery.state == "sent"]
    assert sorted((post.topics[0], post.language) for post in posts) == POSTED
    assert [post.id for post in posts] == list(report.posts)
    assert sorted(Path(name or "").name for name in sent) == sorted(road.files(home / "posts"))
    assert len(sent) == sum(len(post.parts) > 0 for post in posts) == len(POSTED)


def test_all_languages_of_a_topic_hold_the_same_papers(made: Made, home: Path) -> None:
    posts = written(made, home, FRIDAY)
    assert {
        topic: len({post.papers for post in posts if post.topics[0] == topic}) for topic in topics(posts)
    } == {
        "xai": 1,
        "unlearning": 1,
        "diffusion": 1,
    }


def test_the_same_day_again_changes_nothing(made: Made, home: Path) -> None:
    written(made, home, FRIDAY)
    before = road.left_by(home)
    with made(home, FRIDAY + timedelta(hours=6)) as app:
        again = app.run("sample")
    assert road.left_by(home) == before
    assert again.posts == ()
    assert notes(again, "write") == [
        f"{topic}: written before" for topic in ("xai", "unlearning", "diffusion")
    ]


def test_a_paper_of_two_topics_stands_once_and_both_are_named(made: Made, home: Path) -> None:
    with made(home, FRIDAY) as app:
        road.stages(app)
        posts = app.store.posts(language="en")
        several = [
            (choice, post)
            for post in posts
            for choice in app.store.choices(post.id)
            if len(choice.topics) > 1 and choice.tier != "named"  # of those only the title stands there
        ]
    papers = [paper for post in posts for paper in post.papers]
    assert len(papers) == len(set(papers))
    assert several
    for choice, post in several:
        html = "".join(part.html for part in post.parts)
        block = next(block for block in html.split("\n\n") if choice.paper in block)
        assert [name for name in choice.topics[1:] if app.topic(name).title("en") not in block] == []


def test_a_big_import_does_not_flood(made: Made, home: Path) -> None:
    """Of the sample's papers half are years old: they are searched and learnt from, and not posted."""
    posts = written(made, home, FRIDAY)
    announced = {paper.id: paper.announced for paper in road.papers()}
    days = {announced[paper] for post in posts for paper in post.papers}
    assert min(announced.values()) < date(2000, 1, 1)
    assert min(days) >= FRIDAY.date() - 7 * DAY


def test_papers_said_to_be_announced_long_ago_are_not_posted(made: Made, tmp_path: Path) -> None:
    with made(tmp_path / "home", FRIDAY) as app:
        report = road.stages(app, cut(tmp_path, FRIDAY.date() - 8 * DAY, recent()))
    assert report.posts == ()
    assert notes(report, "write") == [
        f"{topic}: no post, nothing announced" for topic in ("xai", "unlearning", "diffusion")
    ]


# --- day after day --------------------------------------------------------------------------------


def test_nothing_repeats_and_each_day_has_its_own_papers(made: Made, tmp_path: Path) -> None:
    home, fresh = tmp_path / "home", recent()
    by_day: dict[date, list[Post]] = {}
    for number in range(3):
        now = MONDAY + number * DAY
        parts = [cut(tmp_path, None, background())] if not number else []
        with made(home, now) as app:
            road.stages(app, *parts, cut(tmp_path, now.date(), fresh[number::3]))
            by_day[now.date()] = app.store.posts(language="en", since=now.date())
    papers = [paper for posts in by_day.values() for post in posts for paper in post.papers]
    assert len(papers) == len(set(papers)) > 30
    for number, written_posts in enumerate(by_day.values()):
        assert {paper for post in written_posts for paper in post.papers} <= set(fresh[number::3])


def test_a_day_without_papers_says_why_and_writes_no_post(made: Made, home: Path) -> None:
    written(made, home, FRIDAY)
    said = {}
    for days, day in ((1, "Saturday"), (2, "Sunday"), (3, "Monday")):
        with made(home, FRIDAY + days * DAY) as app:
            report = app.run("sample")
        assert report.posts == ()
        said[day] = {note.partition(": ")[2] for note in notes(report, "write")}
    weekend = {"no post, weekend: arXiv announces nothing"}
    assert said == {"Saturday": weekend, "Sunday": weekend, "Monday": {"no post, nothing announced"}}


def test_a_day_of_other_things_says_how_many_were_looked_at(made: Made, best: Best, tmp_path: Path) -> None:
    noise = best[""]
    with made(tmp_path / "home", MONDAY) as app:
        report = road.stages(app, cut(tmp_path, None, background()), cut(tmp_path, MONDAY.date(), noise))
    assert report.posts == ()
    said = notes(report, "write")
    assert len(said) == 3
    assert [one for one in said if f"{len(noise)} papers announced" not in one] == []


def test_a_topic_waits_for_three_papers_but_no_longer_than_the_week(
    made: Made, best: Best, tmp_path: Path
) -> None:
    two = best["unlearning"][:2]
    home, posted = tmp_path / "home", {}
    with made(home, MONDAY, "unlearning") as app:
        road.stages(app, cut(tmp_path, None, background()), cut(tmp_path, MONDAY.date(), two))
    for days in range(1, 8):
        with made(home, MONDAY + days * DAY, "unlearning") as app:
            report = road.stages(app)
            posted[days] = [set(post.papers) for post in app.store.posts(topic="unlearning", language="en")]
        if days < 6:
            waiting = "unlearning: no post, waiting for 3 papers: 2 wait, posted on 2026-07-05 at the latest"
            assert waiting in notes(report, "write")
    assert posted == {days: [set(two)] if days >= 6 else [] for days in range(1, 8)}


def test_the_third_paper_ends_the_waiting(made: Made, best: Best, tmp_path: Path) -> None:
    *two, third = best["unlearning"][:3]
    home = tmp_path / "home"
    with made(home, MONDAY, "unlearning") as app:
        road.stages(app, cut(tmp_path, None, background()), cut(tmp_path, MONDAY.date(), two))
    with made(home, MONDAY + DAY, "unlearning") as app:
        road.stages(app, cut(tmp_path, (MONDAY + DAY).date(), [third]))
        posts = app.store.posts(topic="unlearning", language="en")
    assert [set(post.papers) for post in posts] == [{*two, third}]


def test_a_late_paper_is_still_posted(made: Made, best: Best, tmp_path: Path) -> None:
    """It was announced before the last post, and came to the archive after it."""
    late, *others = best["xai"]
    home = tmp_path / "home"
    with made(home, MONDAY, "xai") as app:
        road.stages(app, cut(tmp_path, None, background()), cut(tmp_path, MONDAY.date(), others))
        assert app.store.posts(topic="xai")
    with made(home, MONDAY + DAY, "xai") as app:
        road.stages(app, cut(tmp_path, MONDAY.date(), [late]))
        tuesday = app.store.posts(topic="xai", language="en", since=(MONDAY + DAY).date())
    assert [post.papers for post in tuesday] == [(late,)]


# --- a person decides -----------------------------------------------------------------------------


def test_with_manual_approval_nothing_is_delivered_before_it(made: Made, home: Path) -> None:
    with made(home, FRIDAY, DIGEST_APPROVAL="manual") as app:
        report = road.stages(app)
        assert report.stages[-1].counts == {"sent": 0}
        assert road.files(home / "posts") == {}
        posts.decide(app, report.posts[1], "approve")
        assert app.stage("deliver").stages[0].counts == {"sent": 1}
    assert list(road.files(home / "posts")) == ["2026-07-03-xai-roundup-ru.html"]


def test_rejected_posts_give_their_papers_back(made: Made, home: Path) -> None:
    with made(home, FRIDAY, DIGEST_APPROVAL="manual") as app:
        road.stages(app)
        friday = app.store.posts(topic="xai")
        held = set(friday[0].papers)
        assert held <= app.store.posted_papers()
        for post in friday:
            posts.decide(app, post.id, "reject")
        assert held.isdisjoint(app.store.posted_papers())
        for post in app.store.posts(topic="diffusion"):
            posts.decide(app, post.id, "approve")
    with made(home, FRIDAY + DAY, DIGEST_APPROVAL="manual") as app:
        road.stages(app)
        saturday = app.store.posts(since=FRIDAY.date() + DAY)
    assert topics(saturday) == {"xai"}
    assert (
        len(held & set(saturday[0].papers)) > len(held) / 2
    )  # others may be newer to who read the other post


def test_a_post_that_was_changed_by_another_hand_is_not_sent_and_holds_up_no_other(
    made: Made, home: Path
) -> None:
    with made(home, FRIDAY) as app:
        app.stage("write")
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
        connection.execute("UPDATE part SET html = html || '!' WHERE post = 2")
    with made(home, FRIDAY) as app:
        report = app.stage("deliver")
        [stage] = report.stages
        assert app.stage("deliver").stages[0].counts == {"sent": 0}
    assert stage.counts == {"sent": len(POSTED) - 1, "failed": 1}
    assert "post 2 is not what was written" in stage.notes[0]
    assert report.exit_code == 1


# --- one at a time --------------------------------------------------------------------------------


def test_a_second_process_is_told_to_try_again(made: Made, home: Path) -> None:
    with FileLock(home / "digest.lock"), made(home, FRIDAY) as app:
        for command in (lambda: app.run("sample"), lambda: app.stage("deliver"), lambda: app.crawl("sample")):
            with pytest.raises(TryAgain, match=r"digest\.lock: another digest is at work in this home"):
                command()
        assert app.store.posts() == []


# --- killed ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory, vectors: Path, fork: Fork) -> Unbroken:
    """The moments of a run that nobody kills, and what it leaves."""
    folder = tmp_path_factory.mktemp("unbroken")
    assert fork(road.run, folder / "home", FRIDAY, vectors, None, folder / "moments") == 0
    return (folder / "moments").read_text().split("\n"), road.left_by(folder / "home")


def killed_and_run_again(home: Path, vectors: Path, fork: Fork, moment: int) -> tuple[object, ...]:
    assert fork(road.run, home, FRIDAY, vectors, moment) == -signal.SIGKILL
    assert fork(road.run, home, FRIDAY, vectors, None) == 0
    return road.left_by(home)


def test_a_run_can_be_killed_in_every_stage(unbroken: Unbroken) -> None:
    """The moments at which the tests below kill are where they should be."""
    moments, _ = unbroken
    stages = ["add_papers", "add_vectors", "propose_keys", "put_matches", "add_posts", "claim_delivery"]
    places = [moments.index(f"after {name}") for name in stages]
    assert places == sorted(places)
    for one, other in pairwise([0, *places]):
        assert "before a commit" in moments[one:other]
    weights, words = {topic for topic, _ in POSTED}, 1
    assert moments.count("before a file gets its name") == len(POSTED) + len(weights) + words


@pytest.mark.parametrize("twelfth", range(12))
def test_a_killed_run_that_is_run_again_leaves_what_an_unbroken_one_does(
    twelfth: int,
    unbroken: Unbroken,
    tmp_path: Path,
    vectors: Path,
    fork: Fork,
) -> None:
    moments, left = unbroken
    moment = (2 * twelfth + 1) * len(moments) // 24
    assert killed_and_run_again(tmp_path / "home", vectors, fork, moment) == left, moments[moment]


@pytest.mark.slow
def test_whenever_a_run_is_killed_running_again_leaves_the_same(
    unbroken: Unbroken,
    tmp_path: Path,
    vectors: Path,
    fork: Fork,
) -> None:
    """Of several inserts of one transaction the last is taken: before the commit all leave nothing."""
    moments, left = unbroken
    different = [
        (number, moment)
        for number, (moment, following) in enumerate(zip(moments, [*moments[1:], ""], strict=True))
        if moment != following and killed_and_run_again(tmp_path / str(number), vectors, fork, number) != left
    ]
    assert different == []


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "after it is sent"])
def test_a_channel_that_cannot_repeat_is_never_sent_a_part_twice(
    after: bool, made: Made, home: Path, vectors: Path, fork: Fork
) -> None:
    """The part that was on its way is held for a person; all others arrive, once."""
    with made(home, FRIDAY) as app:
        app.stage("write")
    sent, fatal = home / "sent.txt", 4
    assert fork(road.deliver_and_die, home, FRIDAY, vectors, sent, fatal, after) == -signal.SIGKILL
    with made(home, FRIDAY) as app:
        app.channels = lambda: [Outbox("files", sent)]  # type: ignore[method-assign]
        report = app.stage("deliver")
        states = [delivery.state for delivery in app.store.deliveries()]
        assert app.stage("deliver").stages[0].counts == {"sent": 0}
    assert report.stages[0].counts == {"sent": len(POSTED) - fatal, "uncertain": 1}
    assert report.exit_code == 1
    assert [at for at, state in enumerate(states, 1) if state != "sent"] == [fatal]
    assert states[fatal - 1] == "uncertain"
    arrived = sent.read_text().split()
    assert len(arrived) == len(set(arrived)) == len(POSTED) - (not after)


# --- what the tests above are made of -------------------------------------------------------------


def background() -> list[str]:
    """Ids of the sample's older papers."""
    return [paper.id for paper in road.papers() if paper.announced < date(2026, 6, 20)]


def recent() -> list[str]:
    """Ids of the sample's papers of the last two weeks."""
    return [paper.id for paper in road.papers() if paper.announced >= date(2026, 6, 20)]


def cut(folder: Path, announced: date | None, ids: Iterable[str]) -> Snapshot:
    """A file with some papers of the sample, announced on a day (None: on that of their first version)."""
    wanted = set(ids)
    lines = sample().path.read_text(encoding="utf-8").splitlines(keepends=True)
    file = folder / f"{announced}-{len(list(folder.glob('*.jsonl')))}.jsonl"
    file.write_text("".join(line for line in lines if json.loads(line)["id"] in wanted), encoding="utf-8")
    return Snapshot(file, announced)


def written(made: Made, home: Path, now: datetime) -> list[Post]:
    """The posts of a run of the later stages."""
    with made(home, now) as app:
        road.stages(app)
        return app.store.posts()


def notes(report: RunReport, stage: str) -> list[str]:
    """What a stage told."""
    return [note for one in report.stages if one.stage == stage for note in one.notes]


def topics(posts: Iterable[Post]) -> set[str]:
    return {post.topics[0] for post in posts}


def test_a_backtest_finds_what_matching_finds_and_stores_nothing(tmp_path: Path, sample_home: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(sample_home, home)
    now = datetime(2026, 7, 3, 12, tzinfo=UTC)
    before = road.dump(home)
    with App(config.load(None, home, {}), now, quiet=True) as app:
        topic = app.topic("unlearning")
        days = app.settings.lookback_days
        found, proposed = pipeline.backtest(app.store, app.plan, topic, now, days)
        stored = app.store.matches(topic.name, now.date() - timedelta(days), now.date(), 0.0)
        assert {one.paper: one.score for one in found} == {one.paper: one.score for one in stored}
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        known = {key.text for key in app.store.keys(topic.name, states=("proposed",))}
        assert {key.text for key in proposed} == known
        renamed = structs.replace(topic, name="another")
        again, _ = pipeline.backtest(app.store, app.plan, renamed, now, days)
        assert [one.paper for one in again] == [one.paper for one in found]
    assert road.dump(home) == before
