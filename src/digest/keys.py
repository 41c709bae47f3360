"""From a topic's keys to further ones, each with its evidence.

A key is judged by the papers it adds, those that no active key finds: do they look like the topic
to a scorer that may not use the topic's words, nor the key's own? Without the second condition a
key confirms itself: "forget" stands in papers on unlearning, and is full of continual learning.
They are judged a second time without the key's companions, the words that come with it elsewhere:
"membership inference" shares its privacy words with unlearning, and no more than those.

Candidates are phrases of the topic's own papers that stand out there (log-odds with an informative
Dirichlet prior: Monroe, Colaresi, Quinn 2008). They are ordered by the lower bounds of the shares
that were verified (Wilson 1927), so that two lucky papers do not outrank thirty good ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Rows
from digest.mentions import find_mentions, other_keys, postings, seed_keys
from digest.phrases import NORMALISER, KeyMatcher, is_acronym, key_form, normalise, phrases, stem, surface
from digest.ranking import Scores, topic_stems
from digest.types import Key, KeyEvidence, Topic

Phrase = tuple[str, ...]

SCORER = f"leave-key-out-1/{NORMALISER}"

LEAST_OWN = 8
"""Below so many own papers nothing is proposed: there is nothing to verify against."""
TRAINED = 200
"""From so many own papers the scorer is a linear SVM, below it is their centroid."""
PRIOR = 500.0
LEAST_CONTRAST = 2.0
"""In standard errors; 1.5 for fewer own papers than :data:`TRAINED`, where little is significant."""
SINGLE_CONTRAST = 3.0
"""For a single word: the common ones of any text pass 2 by chance."""
LEAST_ADDED = 2
SIBLING = 0.8
"""Two keys whose papers overlap more (Jaccard) are one key."""
COMPANIONS = 10
"""So many features that come with a key are left out when it is judged the second time."""
PROPOSED = 0.25
"""The least lower bound a key is proposed with; and it is twice what chance would verify."""
MOST_SHARE = 0.05
"""An archive of which a topic fills more was gathered for the topic: there its neighbours, such as
"backdoor attacks" beside unlearning, are verified too, and all keys wait for a person."""
MOST_GROWTH = 1.3
"""How much keys that nobody looked at may enlarge what the others find."""


@dataclass(frozen=True)
class _Candidate:
    """A phrase in normal form, the rows that hold it, and its contrast."""

    normal: str
    rows: frozenset[int]
    contrast: float


@dataclass(frozen=True)
class _Verified:
    """A candidate with the rows it adds, best first, how many of them were verified without the
    key's words, and how many also without its companions."""

    candidate: _Candidate
    added: tuple[int, ...]
    verified: int
    alone: int

    @property
    def lower_bound(self) -> float:
        return wilson(self.verified, len(self.added))

    @property
    def guarded(self) -> float:
        """The lower bound without companions."""
        return wilson(self.alone, len(self.added))

    @property
    def order(self) -> tuple[float, int, str]:
        sure = [wilson(each, len(self.added), z=2) for each in (self.verified, self.alone)]
        return -sure[0] * sure[1], -self.verified, self.candidate.normal


def propose(topic: Topic, keys: Sequence[Key], archive: Archive, limit: int = 30) -> list[Key]:
    """New keys for a topic, best first, none that is active, rejected or retired, nor its sibling.

    A key is ``active`` only where no person needs to look: in an archive that was not gathered for
    the topic, lower bound at least .5 (.4 without its
    companions), two words or more, three added papers or more of which .6 are verified, and a
    growth of at most x1.3 by all such keys together. The others are ``proposed``.
    """
    judged = _judged(topic, keys, archive)
    if judged is None:
        return []
    scorer, every = judged
    good = [each for each in every if scorer.worth_a_look(each)]
    shown = [_shown(each, scorer) for each in _merged(good)[: 2 * limit]]
    best = sorted((each for each in shown if scorer.worth_a_look(each[1])), key=lambda each: each[1].order)
    return _decided(topic, keys, best[:limit], archive, scorer.own)


def ranked(topic: Topic, keys: Sequence[Key], archive: Archive, limit: int) -> list[Key]:
    """As :func:`propose`, and after the proposed keys those not good enough to be proposed."""
    judged = _judged(topic, keys, archive)
    if judged is None:
        return []
    scorer, every = judged
    shown = [_shown(each, scorer) for each in _merged(every)[:limit]]
    best = sorted(shown, key=lambda each: (not scorer.worth_a_look(each[1]), each[1].order))
    return _decided(topic, keys, best, archive, scorer.own)


def _judged(topic: Topic, keys: Sequence[Key], archive: Archive) -> tuple[_Scorer, list[_Verified]] | None:
    """All candidates with what verifies them; None where there is nothing to verify against."""
    mentions = find_mentions(topic, keys, archive)
    own = mentions.named
    outside = ~own & ~mentions.excluded
    if own.sum() < LEAST_OWN or own.all() or not outside.any():
        return None
    seeds = seed_keys(topic, keys)
    stems = topic_stems(seeds, own, archive)
    scorer = _Scorer(archive, own, outside, stems)
    known = _known(topic, keys, archive)
    return scorer, [scorer.verify(each) for each in _candidates(archive, own, outside, seeds, stems, known)]


def wilson(successes: int, trials: int, z: float = 1.0) -> float:
    """The lower bound of Wilson's interval for a share; 0 of 0 is 0."""
    if not trials:
        return 0.0
    share = successes / trials
    spread = z * float(np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)))
    return (share + z * z / (2 * trials) - spread) / (1 + z * z / trials)


class _Scorer:
    """Scores papers by a linear model without the topic's words, and without a key's words."""

    def __init__(
        self, archive: Archive, own: NDArray[np.bool_], outside: NDArray[np.bool_], stems: set[str]
    ) -> None:
        masked = archive.masked(archive.features_with(stems))
        self.archive, self.own, self.outside = archive, own, outside
        self.others = int(outside.sum())
        self.count = _count(int(own.sum()), self.others)
        self.weights = _svm_weights(masked, own) if own.sum() >= TRAINED else _centroid_weights(masked, own)
        self.scores: Scores = np.asarray(masked @ self.weights).ravel()
        self.columns = masked.tocsc()
        self.papers_with = np.bincount(archive.features.indices, minlength=len(self.weights))

    def without(self, columns: Rows) -> Scores:
        """All papers' scores without some features; what is left of a paper has length 1 again."""
        dropped = self.columns[:, columns]
        lost = np.asarray(dropped @ self.weights[columns]).ravel()
        length = 1 - np.asarray(dropped.multiply(dropped).sum(axis=1)).ravel()
        scores: Scores = (self.scores - lost) / np.sqrt(np.maximum(length, 0.01))
        return scores

    def verify(self, candidate: _Candidate) -> _Verified:
        """How many of the papers a key adds are among the topic's best without it."""
        words = self.archive.features_with({stem(word) for word in candidate.normal.split()})
        added = np.array(sorted(row for row in candidate.rows if self.outside[row]), dtype=np.int64)
        scores = self.without(words)
        verified = self._verified(scores, added)
        companions = self._companions(candidate.rows)
        alone = self._verified(self.without(np.union1d(words, companions)), added)
        best_first = added[np.argsort(-scores[added], kind="stable")]
        return _Verified(candidate, tuple(best_first.tolist()), verified, alone)

    def _verified(self, scores: Scores, added: Rows) -> int:
        return int((scores[added] >= self._threshold(scores)).sum())

    def _companions(self, rows: Collection[int]) -> Rows:
        """The features that come with a key: highest in count times log of the ratio of shares."""
        held = sorted(rows)
        inside = np.bincount(self.archive.features[held].indices, minlength=len(self.papers_with))
        share = inside / len(held)
        elsewhere = (self.papers_with - inside + 0.5) / max(1, len(self.archive) - len(held))
        told = np.where(inside > 1, inside * np.log(np.maximum(share / elsewhere, 1e-9)), 0)
        return np.argsort(-told, kind="stable")[:COMPANIONS]

    def worth_a_look(self, judged: _Verified) -> bool:
        """Whether a key is proposed."""
        least = max(PROPOSED, 2 * self.count / self.others)
        return len(judged.added) >= LEAST_ADDED and judged.lower_bound >= least

    def _threshold(self, scores: Scores) -> float:
        return float(np.partition(scores[self.outside], -self.count)[-self.count])


def _count(own: int, others: int) -> int:
    """So many of the other papers count as the topic's best: twice the own papers, but at most a
    twelfth of the others (a sixth of few, of which a topic may be a large part)."""
    return min(2 * own, max(others // 12, min(others // 6, 100), 1))


def _svm_weights(features: Any, own: NDArray[np.bool_]) -> Scores:
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0).fit(features, own)
    weights: Scores = np.asarray(model.coef_, dtype=np.float64).ravel()
    return weights


def _centroid_weights(features: Any, own: NDArray[np.bool_]) -> Scores:
    difference = features[np.flatnonzero(own)].mean(axis=0) - features.mean(axis=0)
    weights: Scores = np.asarray(difference, dtype=np.float64).ravel()
    return weights


def _known(topic: Topic, keys: Sequence[Key], archive: Archive) -> list[frozenset[int]]:
    """The papers of each key that has been decided on: neither it nor a sibling is proposed again."""
    decided = [key.text for key in keys if key.state != "proposed"]
    texts = tuple(dict.fromkeys((*decided, *seed_keys(topic, keys), *topic.exclude_keys)))
    return [frozenset(rows.tolist()) for rows in postings(texts, archive).values() if len(rows)]


def _candidates(
    archive: Archive,
    own: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    seeds: Sequence[str],
    stems: set[str],
    known: Sequence[frozenset[int]],
) -> list[_Candidate]:
    size = int(own.sum())
    least = max(2 if size < 100 else 3, round(0.006 * size))
    found_in = postings(phrases_of(archive, np.flatnonzero(own), seeds, least, stems), archive)
    least_contrast = LEAST_CONTRAST if size >= TRAINED else 1.5
    lengths = np.array([normal.count(" ") + 1 for normal in archive.normals])
    found = []
    for normal, rows in found_in.items():
        inside, added = int(own[rows].sum()), int(outside[rows].sum())
        if inside < least or not LEAST_ADDED <= added <= 3 * size:
            continue
        told = contrast(inside, len(rows) - inside, lengths[own].sum(), lengths[~own].sum())
        least_here = least_contrast if " " in normal else SINGLE_CONTRAST
        if told >= least_here and not any(_jaccard(rows.tolist(), other) > SIBLING for other in known):
            found.append(_Candidate(normal, frozenset(rows.tolist()), told))
    return found


def phrases_of(
    archive: Archive, rows: Rows, seeds: Sequence[str], least: int, stems: Collection[str] = ()
) -> list[str]:
    """The phrases of some papers, of at least so many of them, that name no seed nor are one of the
    ``stems``: one normal form per key."""
    papers: Counter[Phrase] = Counter(phrase for row in rows for phrase in set(phrases(archive.normals[row])))
    forms: dict[Phrase, list[Phrase]] = defaultdict(list)
    for phrase in papers:
        forms[key_form(phrase)].append(phrase)
    seed = KeyMatcher(seeds)
    return [
        _commonest(variants, papers)
        for form, variants in forms.items()
        if sum(papers[variant] for variant in variants) >= least
        and not (len(form) == 1 and form[0] in stems)
        and not seed.find("", normal=" ".join(variants[0]))
    ]


def _commonest(variants: Sequence[Phrase], papers: Counter[Phrase]) -> str:
    chosen: Phrase = max(variants, key=lambda variant: (papers[variant], variant))
    return " ".join(chosen)


def contrast(inside: int, beyond: int, words_inside: int, words_beyond: int) -> float:
    """How far the log-odds of a phrase in own papers exceed those elsewhere, in standard errors."""
    prior = PRIOR * (inside + beyond) / (words_inside + words_beyond)
    odds = [
        np.log((count + prior) / (words + PRIOR - count - prior))
        for count, words in ((inside, words_inside), (beyond, words_beyond))
    ]
    return float((odds[0] - odds[1]) / np.sqrt(1 / (inside + prior) + 1 / (beyond + prior)))


def _jaccard(one: Iterable[int], other: Iterable[int]) -> float:
    left, right = set(one), set(other)
    return len(left & right) / max(1, len(left | right))


def _merged(judged: Sequence[_Verified]) -> list[_Verified]:
    """Without siblings: of keys with the same papers the longest phrase is kept ("classifier free
    guidance", not "free guidance"), of keys with the same words the one that adds most."""
    kept: list[_Verified] = []
    for each in sorted(
        judged, key=lambda one: (-one.candidate.normal.count(" "), -len(one.added), one.order)
    ):
        if not any(_siblings(each.candidate, other.candidate) for other in kept):
            kept.append(each)
    return sorted(kept, key=lambda one: one.order)


def _siblings(one: _Candidate, other: _Candidate) -> bool:
    same_words = {stem(word) for word in one.normal.split()} == {stem(word) for word in other.normal.split()}
    return same_words or _jaccard(one.rows, other.rows) > SIBLING


def _shown(judged: _Verified, scorer: _Scorer) -> tuple[str, _Verified]:
    """The form authors write, with the evidence for it: an acronym finds fewer papers than the word."""
    papers, candidate = scorer.archive.papers, judged.candidate
    text = surface(candidate.normal, (papers[row].text for row in sorted(candidate.rows))) or candidate.normal
    if not is_acronym(text):
        return text, judged
    matcher = KeyMatcher((text,))
    rows = frozenset(row for row in candidate.rows if matcher.find(papers[row].text))
    return text, scorer.verify(_Candidate(candidate.normal, rows, candidate.contrast))


def _decided(
    topic: Topic,
    keys: Sequence[Key],
    best: Sequence[tuple[str, _Verified]],
    archive: Archive,
    own: NDArray[np.bool_],
) -> list[Key]:
    """Keys in order; as many of the surest are active as the growth allows."""
    grown = set(np.flatnonzero(own).tolist())
    natural = own.sum() <= MOST_SHARE * len(archive)
    budget = MOST_GROWTH * len(_found_by_people(topic, keys, archive))
    proposed = []
    for text, judged in best:
        larger = grown | set(judged.added)
        sure = natural and _sure(judged) and len(larger) <= budget
        grown = larger if sure else grown
        proposed.append(
            Key(
                topic=topic.name,
                text=text,
                normal=normalise(text),
                state="active" if sure else "proposed",
                origin="auto",
                evidence=_evidence(judged, archive),
            )
        )
    return proposed


def _found_by_people(topic: Topic, keys: Sequence[Key], archive: Archive) -> set[int]:
    """The papers found by seed keys and by keys a person activated."""
    automatic = {key.text for key in keys if key.origin == "auto"}
    texts = [*seed_keys(topic, keys), *(text for text in other_keys(topic, keys) if text not in automatic)]
    return {row for rows in postings(texts, archive).values() for row in rows.tolist()}


def _sure(judged: _Verified) -> bool:
    added = len(judged.added)
    return (
        judged.lower_bound >= 0.5
        and judged.guarded >= 0.4
        and " " in judged.candidate.normal
        and added >= 3
        and judged.verified >= 0.6 * added
    )


def _evidence(judged: _Verified, archive: Archive) -> KeyEvidence:
    titles = [archive.papers[row].title for row in judged.added]
    return KeyEvidence(
        matches=len(judged.candidate.rows),
        adds=len(judged.added),
        verified=judged.verified,
        lower_bound=round(judged.lower_bound, 4),
        contrast=round(judged.candidate.contrast, 2),
        best=tuple(titles[:3]),
        worst=tuple(titles[3:][-2:]),
        corpus=len(archive),
        scorer=SCORER,
    )
