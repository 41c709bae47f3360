"""Which papers belong to a topic, how strongly, and why."""

from __future__ import annotations

import time

import numpy as np
import pytest
from msgspec.structs import replace

from digest import relevance
from digest.archive import Archive
from digest.mentions import find_mentions
from digest.relevance import SCORER, looks
from digest.types import Key, KeyEvidence, Match, Paper, Topic
from fields import corpus, paper, papers_of, vectors_of

UNLEARNING = Topic(
    name="unlearning",
    term="machine unlearning",
    seed_keys=("machine unlearning", "unlearning"),
    exclude_keys=("unlearnable examples",),
)


def match(*given: object, **more: object) -> list[Match]:
    return list(relevance.match(*given, **more).matches)  # type: ignore[arg-type]


BACKGROUND = {"continual": 60, "protection": 20, "robots": 60, "speech": 60, "physics": 40}


@pytest.fixture(scope="module")
def papers() -> list[Paper]:
    return corpus(unlearning=110, erasure=15, **BACKGROUND)


@pytest.fixture(scope="module")
def archive(papers: list[Paper]) -> Archive:
    return Archive.build(papers)


@pytest.fixture(scope="module")
def matches(archive: Archive) -> list[Match]:
    return match(UNLEARNING, (), archive, list(archive.row))


def key(text: str, state: str = "active", origin: str = "human", lower_bound: float | None = None) -> Key:
    evidence = None
    if lower_bound is not None:
        evidence = KeyEvidence(matches=9, adds=8, verified=7, lower_bound=lower_bound, contrast=3.0)
    return Key(
        topic="unlearning", text=text, normal=text.lower(), state=state, origin=origin, evidence=evidence
    )  # type: ignore[arg-type]


def field(found: Match) -> str:
    return found.paper.split(".")[0]


def test_papers_that_name_the_topic_are_matched_before_all_others(matches: list[Match]) -> None:
    named = [found for found in matches if not found.silent]
    assert len(named) == 110
    assert {field(found) for found in named} == {"unlearning"}
    assert all(found.score >= 0.6 for found in named)


def test_silent_papers_are_found_and_stand_before_other_fields(matches: list[Match]) -> None:
    silent = [found for found in matches if found.silent]
    assert {field(found) for found in silent[:12]} == {"erasure"}
    assert silent[0].score > 0.3


def test_other_fields_are_not_matched_well(matches: list[Match]) -> None:
    others = [found for found in matches if field(found) not in {"unlearning", "erasure"}]
    assert max((found.score for found in others), default=0) < 0.3


def test_a_match_says_why(matches: list[Match], archive: Archive) -> None:
    named = next(found for found in matches if not found.silent)
    silent = next(found for found in matches if found.silent)
    assert "unlearning" in named.evidence.seed_keys
    assert silent.evidence.seed_keys == ()
    assert named.scorer == SCORER
    assert len(silent.evidence.neighbours) == 3
    for near in silent.evidence.neighbours:
        assert near.paper.startswith("unlearning.")
        assert near.title == archive.papers[archive.row[near.paper]].title
        assert 0 < near.similarity <= 1
    cosines = [near.similarity for near in silent.evidence.neighbours]
    assert cosines == sorted(cosines, reverse=True)
    assert {"svm", "masked", "bayes", "looks", "keys"} <= set(silent.evidence.scores)
    assert all(0 <= score <= 1 for found in matches for score in found.evidence.scores.values())


def test_a_paper_is_not_its_own_neighbour(matches: list[Match]) -> None:
    assert all(near.paper != found.paper for found in matches for near in found.evidence.neighbours)


def test_the_best_come_first_and_the_same_input_gives_the_same_output(
    matches: list[Match], papers: list[Paper]
) -> None:
    scores = [found.score for found in matches]
    assert scores == sorted(scores, reverse=True)
    assert match(UNLEARNING, (), Archive.build(papers), [each.id for each in papers]) == matches


def test_the_order_of_the_candidates_does_not_matter(archive: Archive, matches: list[Match]) -> None:
    assert match(UNLEARNING, (), archive, list(reversed(list(archive.row)))) == matches


def test_unlearnable_examples_are_not_unlearning(matches: list[Match]) -> None:
    assert not [found for found in matches if field(found) == "protection"]


def test_an_excluded_phrase_does_not_hide_a_paper_that_names_the_topic(papers: list[Paper]) -> None:
    both = paper("both", "Machine unlearning against unlearnable examples", "Unlearning meets protection.")
    only = paper("only", "On unlearnable examples", "The influence of data is erased without retraining.")
    found = match(UNLEARNING, (), Archive.build([*papers, both, only]), ["both", "only"])
    assert [each.paper for each in found] == ["both"]


def test_a_title_that_names_the_topic_counts_more_than_a_lone_mention(papers: list[Paper]) -> None:
    titled = paper("titled", "Unlearning for robot arms", "A gripper grasps objects by torque control.")
    mention = paper("mention", "Robot arms", "A gripper grasps objects by torque control, as in unlearning.")
    found = {each.paper: each.score for each in match(
        UNLEARNING, (), Archive.build([*papers, titled, mention]), ["titled", "mention"]
    )}  # fmt: skip
    assert found["titled"] >= 0.6
    assert 0.2 <= found["mention"] < 0.35


def test_an_active_key_lifts_a_silent_paper_and_is_named(archive: Archive, matches: list[Match]) -> None:
    found = match(UNLEARNING, [key("concept erasure", lower_bound=0.8)], archive, list(archive.row))
    before = {each.paper: each.score for each in matches}
    lifted = [each for each in found if each.evidence.other_keys == ("concept erasure",)]
    assert {field(each) for each in lifted} == {"erasure"}
    assert all(each.silent for each in lifted)
    assert np.mean([each.score for each in lifted]) > np.mean([before.get(each.paper, 0) for each in lifted])


@pytest.mark.parametrize("state", ["proposed", "rejected", "retired"])
def test_only_active_keys_count(archive: Archive, matches: list[Match], state: str) -> None:
    assert match(UNLEARNING, [key("concept erasure", state)], archive, list(archive.row)) == matches


def test_a_key_in_capitals_is_matched_by_case(papers: list[Paper]) -> None:
    topic = Topic(name="xai", term="explainable AI", seed_keys=("SHAP", "explainable AI"))
    extra = [
        paper("caps", "Values by SHAP", "SHAP explains."),
        paper("low", "Well shap robots", "shap things"),
    ]
    found = match(topic, (), Archive.build([*papers, *extra]), ["caps", "low"])
    assert [each.paper for each in found if not each.silent] == ["caps"]


def test_categories_restrict_the_candidates(papers: list[Paper]) -> None:
    topic = Topic(name="u", term="unlearning", seed_keys=("unlearning",), categories=("cs.CR", "stat.ML"))
    inside = paper("inside", "Unlearning data", "We erase data.", ("cs.LG", "stat.ML"))
    outside = paper("outside", "Unlearning data", "We erase data.", ("q-bio.NC",))
    found = match(topic, (), Archive.build([*papers, inside, outside]), ["inside", "outside"])
    assert [each.paper for each in found] == ["inside"]


def test_withdrawn_and_unknown_papers_are_no_matches(papers: list[Paper]) -> None:
    gone = paper("gone", "Machine unlearning", "Unlearning.", withdrawn=True)
    assert match(UNLEARNING, (), Archive.build([*papers, gone]), ["gone", "never seen"]) == []


def test_two_seed_papers_are_enough(papers: list[Paper]) -> None:
    topic = Topic(name="t", term="t", seed_keys=(), seed_papers=("erasure.0000", "erasure.0001"))
    found = match(topic, (), Archive.build(papers), [each.id for each in papers])
    first = [field(each) for each in found[:10]]
    assert first.count("erasure") >= 8
    assert sum(each.score >= 0.5 for each in found) < 30


def test_one_seed_paper_is_enough(papers: list[Paper]) -> None:
    topic = Topic(name="t", term="t", seed_keys=(), seed_papers=("speech.0003",))
    found = match(topic, (), Archive.build(papers), [each.id for each in papers])
    assert [field(each) for each in found[:5]] == ["speech"] * 5


def test_a_paper_that_the_topic_names_is_on_topic_whatever_its_words(archive: Archive) -> None:
    topic = replace(UNLEARNING, seed_papers=("speech.0003",))
    found = {each.paper: each for each in match(topic, (), archive, list(archive.row))}
    assert found["speech.0003"].score == 1
    assert found["speech.0003"].silent


def test_a_topic_without_any_paper_matches_nothing(archive: Archive) -> None:
    topic = Topic(name="t", term="t", seed_keys=("quantum gravity",))
    assert match(topic, (), archive, list(archive.row)) == []
    assert match(UNLEARNING, (), archive, []) == []
    assert match(UNLEARNING, (), Archive.build([]), ["a"]) == []


def test_an_archive_of_own_papers_alone_is_ranked(papers: list[Paper]) -> None:
    own = papers_of("unlearning", 30)
    found = match(UNLEARNING, (), Archive.build(own), [each.id for each in own])
    assert len(found) == 30


def test_sentence_vectors_find_what_words_do_not(papers: list[Paper]) -> None:
    few = [*papers_of("unlearning", 12), *papers_of("robots", 30), *papers_of("speech", 30)]
    stranger = paper("robots.stranger", "Ζ", "Ξ ψ.")
    directions = {"unlearning": 0, "robots": 1, "speech": 2}
    everything = [*few, stranger]
    vectors = vectors_of(everything, directions)
    vectors[-1] = vectors[0]
    found = match(UNLEARNING, (), Archive.build(everything, vectors), [each.id for each in everything])
    silent = [each for each in found if each.silent]
    assert silent[0].paper == "robots.stranger"
    assert silent[0].evidence.neighbours[0].paper == "unlearning.0000"
    assert "vectors" in silent[0].evidence.scores


def test_papers_without_a_vector_are_ranked_by_words(papers: list[Paper]) -> None:
    vectors = np.zeros((len(papers), 4), dtype=np.float32)
    found = match(UNLEARNING, (), Archive.build(papers, vectors), [each.id for each in papers])
    assert {field(each) for each in found if each.silent and each.score > 0.3} <= {"erasure"}
    assert next(each for each in found if each.silent).evidence.neighbours == ()


def test_a_liked_paper_brings_its_kind_and_a_disliked_one_takes_it_away(
    archive: Archive, matches: list[Match]
) -> None:
    ids = [f"speech.{at:04d}" for at in range(8)]
    liked = match(UNLEARNING, (), archive, list(archive.row), liked=ids)
    assert [field(each) for each in liked].count("speech") > [field(each) for each in matches].count("speech")
    disliked = match(UNLEARNING, (), archive, list(archive.row), disliked=["unlearning.0000"])
    assert "unlearning.0000" not in {each.paper for each in disliked}


def test_a_paper_given_twice_is_matched_once() -> None:
    own = papers_of("unlearning", 30) + papers_of("robots", 30)
    found = match(UNLEARNING, (), Archive.build([*own, *own]), [each.id for each in own])
    assert len({each.paper for each in found}) == len(found)


def test_vectors_must_be_one_to_a_paper(papers: list[Paper]) -> None:
    with pytest.raises(ValueError, match="3 vectors for"):
        Archive.build(papers, np.zeros((3, 4), dtype=np.float32))


def test_a_topic_takes_seconds(archive: Archive) -> None:
    started = time.process_time()
    match(UNLEARNING, (), archive, list(archive.row))
    assert time.process_time() - started < 3


def test_a_paper_that_is_not_embedded_yet_is_judged_by_its_words(papers: list[Paper]) -> None:
    """Half an archive without vectors must neither rise nor sink for it."""
    vectors = vectors_of(
        papers, {name: at for at, name in enumerate(sorted({p.id.split(".")[0] for p in papers}))}
    )
    vectors[::2] = 0
    partly, without = Archive.build(papers, vectors), Archive.build(papers)
    missing = np.arange(len(papers)) % 2 == 0
    shift = looks(UNLEARNING, (), partly) - looks(UNLEARNING, (), without)
    silent = ~find_mentions(UNLEARNING, (), without).named
    assert abs(float(np.median(shift[missing & silent]))) < 0.1
