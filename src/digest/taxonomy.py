"""The approaches within a topic: papers that are alike, named by the phrases that set them apart.

Seeded clustering (Basu et al. 2002): the seeds are phrases of the papers' own whose papers also lie near
each other in meaning, with what all papers of the topic share taken off. They are picked greedily, each
for the papers no other has covered; then each paper joins a group whose name it holds, else the group
it is nearest to, if near enough. So a name is never invented, and stands in most papers of its group.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import log, sqrt

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from digest.archive import Archive
from digest.phrases import normalise, phrases, stem, surface
from digest.types import Group, Paper

DIMENSIONS = 128
LEAST_PAPERS = 8
"""Fewer papers are read one by one."""
PAPERS_A_GROUP, MOST_GROUPS = 2.5, 7
LEAST_HELD, LEAST_SHARE, MOST_SHARE = 3, 0.03, 0.4
"""A name stands in at least so many papers, in such a share of them at least and at most."""
NEAR = 0.3
"""The cosine to a group's middle from which a paper that does not hold its name joins it."""
LEAST_CONTRAST = log(2.5)
"""A name is so many times as common among the topic's papers as among others, at least."""
LONGEST = 3

Phrase = tuple[str, ...]
Floats = NDArray[np.float32]

_VAGUE_WORDS = """
    approach method model framework baseline benchmark experiment result problem task performance paper
    work study analysis data dataset system setting evaluation technique state training accuracy example
    case step image network deep machine artificial intelligence neural strong real world general large
    language limitation challenge issue aim way number set research researcher domain application tool
    code type quality efficiency scale cost level process open source theoretical empirical prior
    learning attack success rate trade off high low time diverse robust fine grained grain tuning tuned
    scale end best cross pre trained human foundation computer vision comprehensive standard public
    level hidden core unified experimental ablation main key critical widely target generative modeling
    modelling generation knowledge visual explanation
"""
_VAGUE = frozenset(_VAGUE_WORDS.split())
_NO_END_WORDS = "based aware driven guided rate score free specific level wise like aligned related hoc"
_NO_END = frozenset(_NO_END_WORDS.split())


class _Seed(Struct, frozen=True):
    """A phrase that may name a group: the rows of the papers that hold it, and what it is worth."""

    phrase: Phrase
    rows: frozenset[int]
    worth: float


def taxonomy(
    papers: Sequence[Paper],
    vectors: Floats | None,
    background: Sequence[Paper] = (),
    without: Collection[str] = (),
) -> tuple[Group, ...]:
    """The groups of a topic's papers, the largest first; papers that fit none are left out.

    ``vectors`` is float32[n, dim] in the order of the papers, rows of length 1 (LSA where None);
    ``background`` are papers of any topic, which tell what is common everywhere; ``without`` are the
    topic's own phrases: what all papers share sets none apart.
    """
    if len(papers) < LEAST_PAPERS:
        return ()
    rows = _apart(_lsa(papers) if vectors is None else vectors)
    wanted = min(MOST_GROUPS, max(2, round(sqrt(len(papers) / PAPERS_A_GROUP))))
    held, titles = _held(papers)
    own = frozenset(stem(word) for key in without for word in normalise(key).split())
    seeds = _seeds(papers, rows, background, own, held, titles)
    seeds = [_whole(seed, held) for seed in _picked(seeds, wanted)]
    groups = [
        Group(name, tuple(papers[at].id for at in members))
        for seed, members in _assigned(seeds, rows)
        if (name := surface(" ".join(seed.phrase), (papers[at].text for at in sorted(seed.rows))))
    ]
    return tuple(sorted(groups, key=lambda group: (-len(group.papers), group.name)))


def _lsa(papers: Sequence[Paper]) -> Floats:
    from sklearn.decomposition import TruncatedSVD

    features = Archive.build(papers).features
    size = max(1, min(DIMENSIONS, len(papers) // 3, features.shape[1] - 1))
    return _unit(np.asarray(TruncatedSVD(size, n_iter=3, random_state=0).fit_transform(features)))


def _apart(vectors: Floats) -> Floats:
    """The vectors without their mean, rows of length 1 again (or 0)."""
    return _unit(vectors - vectors.mean(axis=0))


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length == 0, 1, length), dtype=np.float32)


def _seeds(
    papers: Sequence[Paper],
    rows: Floats,
    background: Sequence[Paper],
    own: Collection[str],
    held: Mapping[Phrase, set[int]],
    titles: Mapping[Phrase, int],
) -> list[_Seed]:
    """The phrases that set some papers apart, from other papers by how often and from each other by
    meaning."""
    least, most = max(LEAST_HELD, LEAST_SHARE * len(papers)), MOST_SHARE * len(papers)
    normals = [f" {normalise(paper.text)} " for paper in background]
    seeds = []
    for phrase, where in held.items():
        if not (least <= len(where) <= most and _tells(phrase, own)) or not _is_name(phrase, where, papers):
            continue
        contrast = _contrast(phrase, len(where) / len(papers), normals)
        together = _together(rows[sorted(where)])
        if contrast >= LEAST_CONTRAST and together > 0:
            in_titles = 1 + min(titles[phrase], LEAST_HELD) / (2 * LEAST_HELD)
            seeds.append(_Seed(phrase, frozenset(where), contrast * together * in_titles))
    return seeds


def _held(papers: Sequence[Paper]) -> tuple[Mapping[Phrase, set[int]], Counter[Phrase]]:
    """Per phrase the rows of the papers that hold it, and in how many titles it stands."""
    held: dict[Phrase, set[int]] = defaultdict(set)
    titles: Counter[Phrase] = Counter()
    for row, paper in enumerate(papers):
        title = set(phrases(normalise(paper.title), LONGEST))
        titles.update(title)
        for phrase in title.union(phrases(normalise(paper.abstract), LONGEST)):
            held[phrase].add(row)
    return held, titles


def _tells(phrase: Phrase, own: Collection[str]) -> bool:
    """Does a phrase say more than the topic's own words and the vague ones?"""
    if phrase[-1] in _NO_END:
        return False
    return any(stem(word) not in own and word not in _VAGUE for word in phrase)


def _is_name(phrase: Phrase, where: Collection[int], papers: Sequence[Paper]) -> bool:
    """Several words, or one that is written in capitals: SHAP, LoRA."""
    if len(phrase) > 1:
        return True
    written = surface(phrase[0], (papers[row].text for row in sorted(where)[:LEAST_HELD])) or ""
    return sum(letter.isupper() for letter in written) >= 2


def _contrast(phrase: Phrase, share: float, background: Sequence[str]) -> float:
    """The log of how many times as common a phrase is here as elsewhere; LEAST_CONTRAST where nothing is
    known of elsewhere."""
    if not background:
        return LEAST_CONTRAST
    wanted = f" {' '.join(phrase)} "
    elsewhere = (sum(wanted in text for text in background) + 0.5) / (len(background) + 1)
    return log(share / elsewhere)


def _together(rows: Floats) -> float:
    """How near vectors are to each other: the length of their mean, less what it would be by chance."""
    return float(np.linalg.norm(rows.mean(axis=0)) - 1 / sqrt(len(rows)))


def _picked(seeds: Sequence[_Seed], wanted: int) -> list[_Seed]:
    """Up to ``wanted`` seeds, each the best for what the others leave uncovered."""
    picked: list[_Seed] = []
    covered: set[int] = set()
    rest = sorted(seeds, key=lambda seed: seed.phrase)
    while rest and len(picked) < wanted:
        best = max(rest, key=lambda seed: len(seed.rows - covered) * seed.worth)
        if len(best.rows - covered) < LEAST_HELD:
            break
        picked.append(best)
        covered |= best.rows
        rest.remove(best)
    return picked


def _whole(seed: _Seed, held: Mapping[Phrase, set[int]]) -> _Seed:
    """The seed by the longest phrase that most of its papers hold: not "bottleneck model" where they
    write "concept bottleneck model"."""

    def holds(phrase: Phrase) -> bool:
        starts = range(len(phrase) - len(seed.phrase) + 1)
        return any(phrase[at : at + len(seed.phrase)] == seed.phrase for at in starts)

    longer = (
        phrase for phrase, where in held.items() if 3 * len(where) >= 2 * len(seed.rows) and holds(phrase)
    )
    name = max(longer, key=lambda phrase: (len(phrase), len(held[phrase]), phrase), default=seed.phrase)
    return replace(seed, phrase=name)


def _assigned(seeds: Sequence[_Seed], rows: Floats) -> list[tuple[_Seed, list[int]]]:
    """Per seed the rows of its group, the nearest to its middle first."""
    if not seeds:
        return []
    middles = _unit(np.stack([rows[sorted(seed.rows)].mean(axis=0) for seed in seeds]))
    likeness = rows @ middles.T
    members: list[list[int]] = [[] for _ in seeds]
    for row, to in enumerate(likeness):
        holds = [at for at, seed in enumerate(seeds) if row in seed.rows]
        best = max(holds or range(len(seeds)), key=lambda at: float(to[at]))
        if holds or to[best] >= NEAR:
            members[best].append(row)
    order = [sorted(group, key=lambda row: -float(likeness[row, at])) for at, group in enumerate(members)]
    return list(zip(seeds, order, strict=True))
