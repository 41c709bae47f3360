"""Posts about a window, from an archive to the store: real SQLite, invented papers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from digest import config
from digest.actions import posts
from digest.app import App
from digest.cli.base import cli
from digest.errors import UsageError
from digest.types import Evidence, Language, Match, Page, Paper
from fields import corpus

NOW = datetime(2026, 5, 15, 16, tzinfo=UTC)
FIRST, LAST = date(2026, 5, 1), date(2026, 5, 15)
CHANNELS = """
[channels.page]
type = "feed"
folder = "feed"

[channels.news]
type = "telegram"
chat = "@lamps"
"""


def announced(papers: list[Paper], day: date) -> list[Paper]:
    return [replace(one, announced=day) for one in papers]


def match(one: Paper, topic: str, score: float = 0.9) -> Match:
    evidence = Evidence(seed_keys=("unlearning",) if topic == "unlearning" else ("XAI",))
    return Match(topic=topic, paper=one.id, score=score, silent=False, evidence=evidence, scorer="test")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    (tmp_path / "digest.toml").write_text(CHANNELS, encoding="utf-8")
    with App(config.load(None, tmp_path, {}), NOW, quiet=True) as made:
        inside = announced(corpus(unlearning=10), date(2026, 5, 10))
        outside = announced(corpus(erasure=4), date(2026, 4, 10))
        made.store.add_papers("test", Page((*inside, *outside), None), NOW)
        found = [match(one, "unlearning") for one in (*inside, *outside)]
        made.store.put_matches("unlearning", found, "print")
        made.store.put_matches("xai", [match(inside[0], "xai", 0.95)], "print")
        yield made


LANGUAGES: tuple[Language, ...] = ("en", "ru", "zh")


def test_a_review_is_written_once_for_each_language_about_its_window(app: App) -> None:
    report = posts.write(app, "review", ["unlearning"], FIRST)
    stored = app.store.posts(genre="review")
    assert [post.id for post in stored] == list(report.posts)
    assert [(post.language, post.slot, post.state) for post in stored] == [
        (one, LAST, "draft") for one in LANGUAGES
    ]
    assert all(paper.startswith("unlearning.") for post in stored for paper in post.papers)
    again = posts.write(app, "review", ["unlearning"], FIRST)
    assert again.posts == ()
    assert "written before, post" in again.stages[0].notes[0]
    assert app.store.posts(genre="review") == stored


def test_a_language_that_was_not_written_yet_can_be_added(app: App) -> None:
    posts.write(app, "essay", ["unlearning"], FIRST, languages=["ru"])
    posts.write(app, "essay", ["unlearning"], FIRST)
    assert sorted(post.language for post in app.store.posts(genre="essay")) == ["en", "ru", "zh"]


def test_a_paper_whose_home_is_another_topic_is_a_bridge(app: App) -> None:
    posts.write(app, "essay", ["unlearning"], FIRST, languages=["en"])
    [post] = app.store.posts(genre="essay")
    assert "Connecting to “Explainable AI”" in post.parts[0].text


def test_a_window_post_takes_no_paper_from_the_roundups(app: App) -> None:
    posts.write(app, "review", ["unlearning"], FIRST)
    assert app.store.posted_papers() == set()


def test_a_listing_goes_to_pages_and_to_no_messenger(app: App) -> None:
    posts.write(app, "listing", ["unlearning"], FIRST, languages=["en"])
    posts.write(app, "links", ["unlearning"], FIRST, languages=["en"])
    by_genre = {
        post.genre: {one.channel for one in app.store.deliveries() if one.post == post.id}
        for post in app.store.posts()
    }
    assert by_genre == {"listing": {"page"}, "links": {"page", "news"}}


def test_a_window_without_papers_says_so_and_writes_nothing(app: App) -> None:
    report = posts.write(app, "review", ["diffusion"], FIRST)
    assert report.posts == ()
    assert "nothing on topic among 10 papers announced" in report.stages[0].notes[0]


def test_without_days_a_genre_looks_back_as_far_as_is_its_own(app: App) -> None:
    posts.write(app, "listing", ["unlearning"], date(2026, 4, 1), languages=["en"])
    posts.write(app, "review", ["unlearning"], languages=["en"])
    listing, review = app.store.posts(genre="listing"), app.store.posts(genre="review")
    assert any(paper.startswith("erasure.") for paper in listing[0].papers)
    assert not any(paper.startswith("erasure.") for paper in review[0].papers)


def test_a_window_that_ends_before_it_begins_is_refused(app: App) -> None:
    with pytest.raises(UsageError, match="later than --until"):
        posts.write(app, "review", ["unlearning"], LAST, FIRST)


def test_a_topic_that_is_not_there_is_named(app: App) -> None:
    with pytest.raises(UsageError, match="did you mean unlearning"):
        posts.write(app, "review", ["unlerning"])


def test_a_roundup_takes_no_window() -> None:
    done = CliRunner().invoke(cli, ["write", "--topic", "xai"])
    assert done.exit_code == 2
    assert "go with another --genre" in done.output
