"""The second look: what tells a topic's papers from those most like them."""

from __future__ import annotations

import numpy as np
import pytest

from digest import ranking
from digest.archive import Archive
from digest.ranking import APART, Labels, Ranking
from digest.types import Paper
from fields import paper

CONTEXT = "privacy client server attacker federation secret".split()
ACTION = "remove delete discard revoke".split()
OTHER = [f"w{letter}{again}" for letter in "bcdfghklmn" for again in "bcdfghklmn"]


def made(name: str, count: int, context: int, action: tuple[int, float], start: str = "") -> list[Paper]:
    """Papers with so many words of the context and, with a probability, of the action."""
    random = np.random.default_rng(len(name))
    papers = []
    for at in range(count):
        words = [*random.permutation(CONTEXT)[:context], *random.permutation(OTHER)[:12]]
        if random.random() < action[1]:
            words += [*random.permutation(ACTION)[: action[0]]]
        papers.append(paper(f"{name}.{at:04d}", start or "A study", ", ".join(random.permutation(words))))
    return papers


@pytest.fixture(scope="module")
def archive() -> Archive:
    """A topic whose context many papers share that do something else in it, by words that are common."""
    return Archive.build(
        [
            *made("own", 120, 5, (3, 1.0), "Unlearning"),
            *made("silent", 12, 4, (4, 1.0)),
            *made("neighbour", 400, 5, (0, 0.0)),
            *made("common", 1600, 0, (3, 0.9)),
        ]
    )


def ranked(archive: Archive) -> Ranking:
    own = np.array([each.id.startswith("own") for each in archive.papers], dtype=bool)
    labels = Labels(own, np.ones(len(archive)), np.ones(len(archive)))
    return ranking.rank(archive, labels, {"unlearn"})


@pytest.fixture(scope="module")
def twice(archive: Archive) -> Ranking:
    return ranked(archive)


@pytest.fixture(scope="module")
def once(archive: Archive) -> Ranking:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "MANY", 0)
        return ranked(archive)


def place(of: str, looked: Ranking, archive: Archive) -> float:
    """The median place of some papers among those that are not the topic's own."""
    others = [row for row, each in enumerate(archive.papers) if not each.id.startswith("own")]
    best = sorted(others, key=lambda row: -looked.looks[row])
    return float(np.median([at for at, row in enumerate(best) if archive.papers[row].id.startswith(of)]))


def test_papers_that_share_only_the_context_of_a_topic_sink(
    archive: Archive, once: Ranking, twice: Ranking
) -> None:
    assert place("neighbour", once, archive) < place("silent", once, archive) - 100
    assert place("silent", twice, archive) < place("silent", once, archive) - 10


def test_the_second_look_changes_the_order_and_not_how_many_look_how_alike(
    archive: Archive, once: Ranking, twice: Ranking
) -> None:
    others = np.array([not each.id.startswith("own") for each in archive.papers])
    assert np.sort(twice.looks[others]) == pytest.approx(np.sort(once.looks[others]), abs=1e-6)
    assert (twice.looks[others] != once.looks[others]).any()


def test_papers_far_from_the_topic_are_looked_at_once(
    archive: Archive, once: Ranking, twice: Ranking
) -> None:
    far = np.array([each.id.startswith("common") for each in archive.papers]) & (twice.ways[APART] == 0)
    assert far.sum() > 900
    assert twice.looks[far] == pytest.approx(once.looks[far])


def test_a_topic_of_few_papers_is_looked_at_once(archive: Archive) -> None:
    few = Archive.build([each for each in archive.papers if not each.id.startswith("own.00")])
    assert APART not in ranked(few).ways
