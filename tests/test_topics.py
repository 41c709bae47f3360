"""What a person can ask of topics: a key's story, the topic's, why a paper is there, a term's trend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import road
from digest.actions import topics, trends
from digest.app import App
from digest.errors import InputError, UsageError
from digest.report import topics as report
from digest.report import trends as trend_report
from digest.types import Key, KeyEvidence

FRIDAY = datetime(2026, 7, 3, 12, tzinfo=UTC)
NO_MODEL = road.Remembered("none", {"": np.zeros(2, np.float32)})


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The sample, matched for one topic without vectors."""
    with road.app(tmp_path_factory.mktemp("home"), FRIDAY, NO_MODEL, topics=["unlearning"]) as opened:
        opened.crawl("sample")
        opened.stage("match")
        opened.stage("write")
        yield opened


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[App]:
    with road.app(tmp_path / "home", FRIDAY, NO_MODEL) as opened:
        yield opened


def test_a_key_of_the_configuration_is_shown_with_what_it_brings(app: App) -> None:
    found = topics.key(app, "unlearning", "Machine-Unlearning")
    assert found.yielded.key.text == "machine unlearning"
    assert found.yielded.papers > 0
    assert [each.state for each in found.history] == ["active"]
    assert "unlearning" in {each.key for each in found.overlaps}
    assert '"machine unlearning" of unlearning: active, origin seed' in report.key_story(found)


@pytest.mark.parametrize(("corpus", "told"), [(13_400, True), (78_496, False)])
def test_keys_that_were_measured_on_few_papers_say_so(corpus: int, told: bool) -> None:
    key = _proposal("saliency", 0.6, corpus=corpus)
    assert ("Measured on 13,400 papers only" in report.keys([key])) == told


def test_of_the_keys_those_in_use_come_first_and_of_the_proposals_the_surest(empty: App) -> None:
    empty.stage("match")
    empty.store.propose_keys(
        [_proposal("saliency", 0.4), _proposal("probing", 0.7), _proposal("lens", 0.4, adds=9)], FRIDAY
    )
    topics.decide(empty, "xai", "steering", "active", "")
    found = topics.keys(empty, "xai", everything=False)
    assert [key.text for key in found[-4:]] == ["steering", "probing", "lens", "saliency"]
    assert {key.origin for key in found[:-4]} == {"seed", "adjacent"}


def test_a_decision_about_a_key_says_what_it_means() -> None:
    known = _proposal("saliency", 0.4, adds=7)
    assert "stands in 9 papers, 7 of them without another key" in report.decided(
        replace(known, state="active")
    )
    assert "digest keys show xai" in report.decided(replace(known, state="active", evidence=None))
    assert "is not proposed for xai again" in report.decided(replace(known, state="rejected"))
    assert "no key of xai any more" in report.decided(replace(known, state="retired"))


def _proposal(text: str, bound: float, *, adds: int = 8, corpus: int = 99_000) -> Key:
    told = KeyEvidence(matches=9, adds=adds, verified=7, lower_bound=bound, contrast=3.0, corpus=corpus)
    return Key(topic="xai", text=text, normal=text, state="proposed", origin="auto", evidence=told)


def test_a_key_that_is_not_there_names_the_nearest(app: App) -> None:
    with pytest.raises(InputError, match="did you mean 'machine unlearning'"):
        topics.key(app, "unlearning", "machine unlaerning")


def test_a_topic_is_shown_with_all_active_keys_and_its_recall(app: App) -> None:
    found = topics.overview(app, "unlearning")
    active = {each.text for each in app.store.keys("unlearning", states=("active",))}
    assert active == {each.key.text for each in found.keys if each.key.state == "active"}
    assert found.recall is not None
    assert found.recall.by_keys > 0
    told = report.overview(found)
    assert "missed in the last 30 days: about" in told
    assert "the floor of 0.3 keeps out of posts" in " ".join(told.split())


def test_a_topic_shows_what_is_nearest_below_its_floor_and_not_judged(app: App) -> None:
    [best, second, *_] = topics.overview(app, "unlearning").below
    assert 0.3 > best.score >= second.score
    assert f"{best.paper}  {best.title[:20]}" in report.overview(topics.overview(app, "unlearning"))
    topics.judge(app, "unlearning", best.paper, "dislike")
    assert topics.overview(app, "unlearning").below[0] == second
    topics.judge(app, "unlearning", best.paper, None)


def test_why_tells_the_same_score_as_the_match_and_the_post(app: App) -> None:
    [match, *_] = app.store.matches("unlearning", FRIDAY.date().replace(year=2020), FRIDAY.date(), 0.3)
    [told] = topics.why(app, match.paper)
    assert told.score == match.score
    posts = app.store.posts_with(match.paper)
    assert bool(posts) == any("stands in post" in line for line in told.outcome)
    assert told.speaks_for


def test_why_of_a_paper_that_was_scored_and_does_not_match_says_so(app: App) -> None:
    papers = app.store.announced_between(FRIDAY.date().replace(day=1), FRIDAY.date())
    other = next(paper.id for paper in papers if not app.store.matches_of(paper.id))
    [told] = topics.why(app, other)
    assert told.score is None
    assert "was scored and is no match" in told.outcome[0]


def test_why_and_feedback_of_an_unknown_paper_are_one_line(app: App) -> None:
    with pytest.raises(InputError, match="2601.99999 is not in the archive"):
        topics.why(app, "2601.99999")
    with pytest.raises(InputError, match="2601.99999 is not in the archive"):
        topics.judge(app, "unlearning", "2601.99999", "like")


def test_a_person_judges_a_paper_by_any_form_of_its_id_and_takes_it_back(app: App) -> None:
    paper = app.store.announced_between(FRIDAY.date(), FRIDAY.date())[0].id
    topics.judge(app, "unlearning", f"https://arxiv.org/abs/{paper}v1", "like")
    assert app.store.opinions("unlearning") == {paper: "like"}
    topics.judge(app, "unlearning", paper, None)
    assert app.store.opinions("unlearning") == {}
    assert [each.opinion for each in topics.feedback(app, "unlearning")[-2:]] == ["like", None]
    assert "taken back" in report.feedback(topics.feedback(app, "unlearning"))


def test_a_key_of_the_configuration_is_taken_out_there(app: App) -> None:
    with pytest.raises(UsageError, match=r"take it out of topics\.unlearning"):
        topics.decide(app, "unlearning", "Concept erasure", "retired", "")
    topics.decide(app, "unlearning", "lamp", "active", "mine")
    assert topics.decide(app, "unlearning", "lamp", "retired", "no more").state == "retired"


def test_the_trend_of_a_seed_key_has_the_silent_papers_of_its_topic(app: App) -> None:
    found = trends.trend(app, "unlearning", beside=True)
    assert found.topic == "unlearning"
    assert found.papers == sum(each.held for each in found.said.years)
    assert 0 < app.store.count_papers() - found.papers < 10  # withdrawn, or announced later
    assert found.said.found > 0
    assert found.silent is not None
    assert "The archive is uneven" in trend_report.trend(found)
    assert trends.trend(app, "graph").silent is None


def test_a_trend_since_a_year_that_is_not_there_yet_names_the_newest(app: App) -> None:
    with pytest.raises(UsageError, match="newest papers of the archive are of 2026"):
        trends.trend(app, "unlearning", since=2030)


def test_the_trend_of_an_empty_archive_is_one_line(empty: App) -> None:
    with pytest.raises(InputError, match="the archive is empty"):
        trends.trend(empty, "unlearning")


def test_a_look_for_keys_that_finds_none_says_so_and_what_to_do() -> None:
    told = " ".join(report.proposed("xai", [], 0).split())
    assert told.startswith("no new key")
    assert "digest keys accept TOPIC KEY" in told
    assert "looks for some" not in told
    assert "digest keys list xai (3)" in report.proposed("xai", [], 3)
