"""What a topic's name adds to sentence vectors is found, and taken out of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from digest import config, ranking, relevance
from digest.app import App
from digest.archive import Archive
from digest.fits import Fits, Kept, Label
from digest.naming import DIRECTIONS, Embed, Floats, Renamed, no_directions, projected, renamed, unnamed
from digest.phrases import stem, tokens
from digest.ranking import Labels
from digest.types import Topic
from fields import DAY, corpus

STEMS = {stem("unlearning"), stem("erasure")}
TOPIC = Topic(name="unlearning", term="unlearning", seed_keys=("unlearning",), floor=0.0)
DIMENSION = 24


@cache
def _word(word: str) -> Floats:
    made = np.random.default_rng(list(word.encode())).standard_normal(DIMENSION)
    return np.asarray(made, dtype=np.float32)


def embed(texts: Sequence[str]) -> Floats:
    """A vector for each word, the same in every run, and their sum for a text, of length 1."""
    rows = np.zeros((len(texts), DIMENSION), np.float32)
    for row, text in enumerate(texts):
        for word in tokens(text):
            rows[row] += _word(word)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def archive() -> Archive:
    papers = corpus(unlearning=140, erasure=15, continual=60, robots=60, speech=60)
    return Archive.build(papers, embed([each.text for each in papers]), embed)


def learned(archive: Archive) -> ranking.Fitted:
    own = np.array([each.id.startswith("unlearning") for each in archive.papers], dtype=bool)
    return ranking.fit(archive, Labels(own, np.ones(len(archive)), np.ones(len(archive))), {"unlearn"})


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Unlearning: a survey. We unlearn.", ": a survey. We."),
        ("Unlearnable examples (unlearning) harm", "examples harm"),
        ("Un-learning and UNLEARNED  weights", "and weights"),
        ("An erasure-based way", "An way"),
        ("Erase concepts, learn others", "Erase concepts, learn others"),
        ("Разучивание и 机器遗忘", "Разучивание и 机器遗忘"),
        ("", ""),
    ],
)
def test_the_words_that_name_a_topic_are_left_out(text: str, left: str) -> None:
    assert unnamed(text, STEMS) == left


@given(st.text(max_size=80))
def test_a_text_that_does_not_name_the_topic_stays_as_it_is(text: str) -> None:
    bare = unnamed(text, STEMS)
    if not any(stem(word).startswith(("unlearn", "erasure")) for word in tokens(text)):
        assert bare == text


def test_what_the_name_adds_is_found_and_taken_out(archive: Archive) -> None:
    texts = [each.text for each in archive.papers if each.id.startswith("unlearning")]
    pair = renamed(texts, embed(texts), {"unlearn"}, embed)
    assert pair is not None
    away = pair.directions()
    assert away.shape == (DIRECTIONS, DIMENSION)
    assert away @ away.T == pytest.approx(np.eye(DIRECTIONS), abs=1e-5)
    name = embed(["unlearning"])
    assert np.linalg.norm(name @ away.T) > 0.95  # it lies in them
    with_name, without = embed(texts), embed([unnamed(text, {"unlearn"}) for text in texts])
    gap = (with_name * without).sum(axis=1).mean()
    assert (projected(with_name, away) * projected(without, away)).sum(axis=1).mean() > (1 + gap) / 2


@given(arrays(np.float32, (5, 6), elements=st.floats(-4, 4, width=32)))
def test_projected_vectors_have_length_one_or_none_and_stay_so(rows: Floats) -> None:
    away = np.eye(6, dtype=np.float32)[:2]
    once = projected(rows, away)
    lengths = np.linalg.norm(once, axis=1)
    assert all(length == pytest.approx(1, abs=1e-3) or length < 0.01 for length in lengths)
    assert np.abs(once @ away.T).max() < 1e-3
    big = lengths > 0.9
    assert projected(once, away)[big] == pytest.approx(once[big], abs=1e-3)


def _none(texts: Sequence[str]) -> None:
    return None


@pytest.mark.parametrize(
    ("texts", "how"),
    [
        (["Unlearning weights"] * 40, _none),  # no model
        (["Erasing weights"] * 40, embed),  # no name
        (["Unlearning weights"] * DIRECTIONS, embed),  # too few
        ([], embed),
    ],
)
def test_where_it_cannot_be_told_the_name_is_left_in(texts: list[str], how: Embed) -> None:
    vectors = embed(texts)
    pair = renamed(texts, vectors, {"unlearn"}, how)
    away = no_directions() if pair is None else pair.directions()
    assert not len(away)
    assert projected(vectors, away) is vectors


def test_a_name_is_told_from_what_silent_papers_hold_too() -> None:
    bare = np.array([[0, 1], [1, -1]], np.float32)
    pair = Renamed(bare + np.array([2, 0], np.float32), bare)
    lower, higher = np.array([[-3, 9], [-4, 9]], np.float32), np.array([[3, 1], [4, -1]], np.float32)
    assert pair.alike(lower) == 1
    assert pair.alike(higher) == 0
    assert pair.alike(np.vstack([lower, higher])) == 0.5
    assert pair.alike(lower[:0]) == 0


def test_a_small_topic_is_ranked_without_its_name_and_others_with_it(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "ALIKE", 0)
    fitted = learned(archive)
    assert len(fitted.name_directions) == DIRECTIONS
    assert ranking.MEANING in fitted.linear
    assert np.abs(fitted.own.rows.astype(np.float32) @ fitted.name_directions.T).max() < 0.01
    assert not len(learned(Archive(archive.papers, archive.vectors)).name_directions)  # no model
    monkeypatch.setattr(ranking, "MANY", 140)
    assert not len(learned(archive).name_directions)
    monkeypatch.setattr(ranking, "FEW", 141)
    monkeypatch.setattr(ranking, "MANY", 2000)
    few = learned(archive)
    assert not len(few.name_directions)
    assert ranking.MEANING not in few.linear
    monkeypatch.setattr(ranking, "FEW", 100)
    monkeypatch.setattr(ranking, "ALIKE", 1.1)
    assert not len(learned(archive).name_directions)


def test_kept_weights_rank_without_the_model_as_they_did_with_it(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "ALIKE", 0)
    label = Label(day=DAY.date(), topic="t", papers=1, vectors=1, own=1, judged=0)
    scorer = relevance.fit(TOPIC, (), archive)
    assert scorer.fitted is not None
    assert len(scorer.fitted.name_directions)
    Fits(tmp_path).save("t", Kept(label, scorer))
    kept, _ = Fits(tmp_path).load("t", label)
    assert kept is not None
    later = Archive(archive.papers, archive.vectors, kept.scorer.vocabulary)
    found = [relevance.match(TOPIC, (), later, list(later.row), scorer=how) for how in (scorer, kept.scorer)]
    assert found[0] == found[1]
    assert len(found[0].matches) >= 140


def test_without_the_model_topics_are_ranked_with_their_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = config.load(None, tmp_path, {"DIGEST_EMBED_MODEL": str(tmp_path / "nowhere")})
    with App(settings, DAY, quiet=True) as app:
        assert app.encode_if_possible(["a text"]) is None
    assert "names left in vectors" in caplog.text
    assert "there is no model folder" in str(caplog.records[-1].__dict__["why"])
