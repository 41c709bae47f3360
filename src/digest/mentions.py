"""Which keys of a topic stand in which papers, and what that says.

A paper that holds an excluded phrase and no seed key beside it is not on topic. A title that names
the topic says most, a lone mention in an abstract little: "interpretability" is a selling word in
many abstracts whose paper is about something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Rows
from digest.phrases import KeyMatcher, normalise
from digest.types import Key, Paper, Topic

IN_TITLE, REPEATED, ONCE = 0.6, 0.4, 0.25
"""How much a seed key says by where it stands: in the title, twice or more in the text, once."""

UNPROVEN = 0.6
"""How far a key is trusted that a person activated and no corpus verified."""


@dataclass(frozen=True)
class Mentions:
    """Per row of an archive: the keys that stand in the paper, whether a phrase rules it out, whether
    it is of an off-topic (it holds an off key and no seed key), and the evidence of its keys,
    1 - prod(1 - p_k), float64[n] from 0 (no key) to 1."""

    seed: tuple[tuple[str, ...], ...]
    other: tuple[tuple[str, ...], ...]
    excluded: NDArray[np.bool_]
    evidence: NDArray[np.float64]
    off: NDArray[np.bool_]

    @property
    def named(self) -> NDArray[np.bool_]:
        """bool[n]: papers that hold a key of the topic, seed or not."""
        return np.array(
            [bool(seed or other) for seed, other in zip(self.seed, self.other, strict=True)], bool
        )


def seed_keys(topic: Topic, keys: Sequence[Key]) -> tuple[str, ...]:
    """The topic's seed keys as they are written: the configured ones, then active ones from a store."""
    stored = (key.text for key in keys if key.state == "active" and key.origin == "seed")
    return _one_each((*topic.seed_keys, *stored))


def other_keys(topic: Topic, keys: Sequence[Key]) -> dict[str, float]:
    """The topic's active keys that are no seeds, each with how far it is trusted (0 to 1)."""
    seeds = {normalise(seed) for seed in seed_keys(topic, keys)}
    active = [key for key in keys if key.state == "active" and normalise(key.text) not in seeds]
    return {key.text: _trust(key) for key in active}


def find_mentions(topic: Topic, keys: Sequence[Key], archive: Archive) -> Mentions:
    """Looks for the topic's keys in all papers of an archive."""
    seeds = seed_keys(topic, keys)
    trust = dict.fromkeys(seeds, 1.0) | {
        text: value for text, value in other_keys(topic, keys).items() if text not in seeds
    }
    matcher = KeyMatcher(tuple(trust), topic.exclude_keys)
    seed: list[tuple[str, ...]] = [()] * len(archive)
    other: list[tuple[str, ...]] = [()] * len(archive)
    excluded, evidence = np.zeros(len(archive), bool), np.zeros(len(archive))
    for row in archive.rows_with(matcher.ends):
        paper, normal = archive.papers[row], archive.normals[row]
        found = matcher.find(paper.text, normal)
        seed[row] = tuple(key for key in found if key in seeds)
        if not seed[row] and matcher.holds_excluded(paper.text, normal):
            excluded[row] = True
        elif found:
            other[row] = tuple(key for key in found if key not in seeds)
            evidence[row] = _evidence(paper, normal, matcher, trust)
    off = np.zeros(len(archive), bool)
    for rows in postings(topic.off_keys, archive).values():
        off[rows] = True
    off &= np.array([not found for found in seed], dtype=bool)
    return Mentions(tuple(seed), tuple(other), excluded, evidence, off)


def postings(keys: Iterable[str], archive: Archive) -> dict[str, Rows]:
    """Per key the rows of the papers it stands in, ascending."""
    matcher = KeyMatcher(tuple(keys))
    rows: dict[str, list[int]] = {key: [] for key in matcher.keys}
    for row in archive.rows_with(matcher.ends):
        for key in matcher.count(archive.papers[row].text, archive.normals[row]):
            rows[key].append(row)
    return {key: np.array(found, dtype=np.int64) for key, found in rows.items()}


def _evidence(paper: Paper, normal: str, matcher: KeyMatcher, trust: Mapping[str, float]) -> float:
    """1 - prod(1 - p_k) over other keys and the best seed: several names of a topic are one claim."""
    counts, title = matcher.count(paper.text, normal), matcher.count(paper.title)
    says = {
        key: trust[key] * (IN_TITLE if key in title else REPEATED if count > 1 else ONCE)
        for key, count in counts.items()
    }
    seeds = [value for key, value in says.items() if trust[key] == 1]
    others = [value for key, value in says.items() if trust[key] < 1]
    return 1 - (1 - max(seeds, default=0.0)) * prod(1 - value for value in others)


def _trust(key: Key) -> float:
    if key.evidence is None:
        return UNPROVEN
    return min(0.99, max(key.evidence.lower_bound, UNPROVEN if key.origin in ("adjacent", "human") else 0.0))


def _one_each(keys: Sequence[str]) -> tuple[str, ...]:
    return tuple({normalise(key): key for key in reversed(keys)}.values())[::-1]
