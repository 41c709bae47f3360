"""Groups of a topic's papers: named by their own phrases, the same in every run."""

from __future__ import annotations

import numpy as np
import pytest

from digest.phrases import normalise
from digest.taxonomy import taxonomy
from digest.types import Paper
from fields import paper, papers_of, vectors_of

DIRECTIONS = {"rooms": 0, "shades": 1, "wires": 2}
SENTENCES = {
    "rooms": "The lamp stands in a dark room and is seen by a wall sensor.",
    "shades": "A paper shade dims the lamp, and the paper shade is of many colours.",
    "wires": "The copper wire heats the lamp; each copper wire is thin.",
}


def lamps(each: int = 5) -> list[Paper]:
    """Papers on lamps of three kinds, in turn."""
    return [
        paper(f"{kind}.{at}", f"Lamps and number {at}", f"We study lamps. {SENTENCES[kind]}")
        for at in range(each)
        for kind in DIRECTIONS
    ]


def named(papers: list[Paper], **more: object) -> dict[str, set[str]]:
    groups = taxonomy(papers, vectors_of(papers, DIRECTIONS), **more)  # type: ignore[arg-type]
    return {group.name: set(group.papers) for group in groups}


def test_papers_that_are_alike_stand_together_under_a_phrase_of_their_own() -> None:
    groups = named(lamps(), background=papers_of("robots", 30), without=("lamp",))
    assert len(groups) == 2  # so many are found among fifteen papers
    assert all(len({one.split(".")[0] for one in ids}) == 1 for ids in groups.values())
    assert all(len(ids) == 5 for ids in groups.values())


def test_a_name_stands_in_the_papers_as_they_write_it() -> None:
    papers = lamps()
    by_id = {one.id: one for one in papers}
    for name, ids in named(papers, without=("lamp",)).items():
        assert sum(normalise(name) in normalise(by_id[id_].text) for id_ in ids) > len(ids) / 2


def test_what_is_common_everywhere_names_no_group() -> None:
    everywhere = [paper(f"b.{at}", "Other things", SENTENCES["shades"]) for at in range(30)]
    assert not any("shade" in name for name in named(lamps(), background=everywhere, without=("lamp",)))


def test_the_topics_own_words_name_no_group() -> None:
    own = (
        "paper shade",
        "copper wire",
        "dark room",
        "wall sensor",
        "many colours",
        "lamp",
        "thin",
        "stand",
        "seen",
    )
    assert not {"paper shade", "copper wire", "dark room"} & named(lamps(), without=own).keys()


def test_a_group_is_named_by_the_whole_of_the_phrase_its_papers_hold() -> None:
    whole = "We train a glass bottleneck lamp, and another glass bottleneck lamp."
    papers = [paper(one.id, "Lamps", whole) if one.id.startswith("rooms") else one for one in lamps(9)]
    assert any("glass bottleneck" in name for name in named(papers))


def test_the_order_of_the_papers_changes_nothing() -> None:
    papers = lamps()
    vectors = vectors_of(papers, DIRECTIONS)
    assert taxonomy(papers, vectors) == taxonomy(papers[::-1], vectors[::-1])


def test_without_vectors_the_words_tell_what_is_alike() -> None:
    groups = taxonomy(lamps(), None, without=("lamp",))
    assert groups
    assert all(len({id_.split(".")[0] for id_ in group.papers}) == 1 for group in groups)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_papers_have_no_groups(count: int) -> None:
    assert taxonomy(lamps(count), np.eye(3 * count, 8, dtype=np.float32)) == ()
