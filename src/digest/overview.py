"""What a topic's papers of a window hold: groups, sentences worth quoting, bridges, resources.

Everything here is found, nothing is made up: a sentence stands in an abstract, a name in the papers it
names, and what was not found is left empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np

from digest import kinds, passages
from digest.choose import Vector, unsure
from digest.phrases import KeyMatcher
from digest.summarize import summarize
from digest.taxonomy import taxonomy
from digest.types import Choice, Group, Overview, Paper, Resource, Topic

LEADS = 2
"""Sentences taken from an abstract."""


def overview(
    topic: Topic,
    since: date,
    until: date,
    choices: Sequence[Choice],
    papers: Mapping[str, Paper],
    vectors: Mapping[str, Vector],
    background: Sequence[Paper] = (),
) -> Overview:
    """The overview of a topic's chosen papers. ``papers`` and ``vectors`` (float32 rows of length 1, [dim])
    are by id; ``background`` are papers of any topic (`taxonomy`)."""
    chosen = [papers[choice.paper] for choice in choices]
    doubtful = tuple(choice.paper for choice in choices if unsure(choice))
    sure = [paper for paper in chosen if paper.id not in doubtful]
    names = tuple(dict.fromkeys((topic.term, *topic.seed_keys)))
    leads = {paper.id: summarize(paper, LEADS) for paper in chosen}
    groups = taxonomy(chosen, _matrix(chosen, vectors), background, names)
    words = _Words(topic, choices, groups)
    return Overview(
        since=since,
        until=until,
        choices=tuple(choices),
        groups=tuple(_telling_first(group, leads, papers, choices) for group in groups),
        leads=leads,
        questions=words.among(_found(passages.question, sure)),
        problems=_found(passages.problem, sure),
        doubts=words.among(_found(passages.doubt, sure)),
        unsolved=words.among(_found(passages.unsolved, sure)),
        bridges=_bridges(topic, choices),
        resources=tuple(one for paper in sure for one in _resources(paper)),
        definition=_definition(sure, names),
        unsure=doubtful,
        abbreviation=passages.abbreviation((*chosen, *background), names),
    )


def _matrix(papers: Sequence[Paper], vectors: Mapping[str, Vector]) -> Vector | None:
    """float32[n, dim], or None where a paper has no vector."""
    rows = [vectors[paper.id] for paper in papers if paper.id in vectors]
    return np.stack(rows) if rows and len(rows) == len(papers) else None


def _found(of: Callable[[Paper], str | None], papers: Sequence[Paper]) -> dict[str, str]:
    return {paper.id: sentence for paper in papers if (sentence := of(paper))}


class _Words:
    """The words by which a sentence is about the topic: its keys, those that found papers, its groups'."""

    def __init__(self, topic: Topic, choices: Sequence[Choice], groups: Sequence[Group]) -> None:
        found = [key for choice in choices for key in choice.evidence.other_keys]
        named = [group.name for group in groups]
        self._keys = KeyMatcher((topic.term, *topic.seed_keys, *topic.adjacent_keys, *found, *named))

    def among(self, sentences: Mapping[str, str]) -> dict[str, str]:
        """Those of the sentences that are about the topic: read alone, the others seem out of place."""
        return {paper: text for paper, text in sentences.items() if self._keys.find(text)}


def _telling_first(
    group: Group, leads: Mapping[str, Sequence[str]], papers: Mapping[str, Paper], choices: Sequence[Choice]
) -> Group:
    """The group with its papers as they are to be told of: those whose own sentence can stand alone and that
    say the group's name in it or in the title, the typical and the sure before the others."""
    by_id = {choice.paper: choice for choice in choices}
    rank = {paper: at / len(group.papers) for at, paper in enumerate(group.papers)}
    name = KeyMatcher([group.name])

    def place(paper: str) -> float:
        lead = leads[paper][0] if leads[paper] else ""
        says = 1.0 if name.find(lead) else 0.6 if name.find(papers[paper].title) else 0.0
        looks = by_id[paper].silent and not by_id[paper].evidence.other_keys
        told = passages.stands_alone(lead) + says + by_id[paper].score
        return rank[paper] - told + looks + 2 * unsure(by_id[paper])

    return Group(group.name, tuple(sorted(group.papers, key=place)))


def _bridges(topic: Topic, choices: Sequence[Choice]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for choice in choices:
        for other in choice.topics:
            if other != topic.name:
                found[other] = (*found.get(other, ()), choice.paper)
    return found


def _resources(paper: Paper) -> list[Resource]:
    kind, gathers = kinds.kind(paper), kinds.list_of_papers(paper)
    found = [Resource(kind, paper.id, f"https://arxiv.org/abs/{paper.id}")] if kind else []
    return found + ([Resource("list", paper.id, gathers)] if gathers else [])


def _definition(papers: Sequence[Paper], names: Sequence[str]) -> tuple[str, str] | None:
    """The first definition among the papers, best first."""
    for paper in papers:
        sentence = passages.definition(paper, names)
        if sentence:
            return paper.id, sentence
    return None
