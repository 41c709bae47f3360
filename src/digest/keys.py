"""From a topic's keys to further ones, each with its evidence.

Candidates are phrases of the topic's own papers that stand out there (log-odds with an informative
Dirichlet prior: Monroe, Colaresi, Quinn 2008). A key is judged by the papers it adds, those that no
active key finds: how many of them belong to the topic without its words, the key's own, and its
companions (:mod:`digest.verify`)? Keys are ordered by the lower bound of that share (Wilson 1927), so
that two lucky papers do not outrank thirty good ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from digest.archive import Archive, Rows
from digest.mentions import Mentions, find_mentions, other_keys, postings, seed_keys
from digest.phrases import NORMALISER, KeyMatcher, is_acronym, key_form, normalise, phrases, stem, surface
from digest.ranking import topic_stems
from digest.types import Key, KeyEvidence, Topic
from digest.verify import VERIFIED, Added, Verifier, wilson

__all__ = ["SCORER", "contrast", "exhausted", "phrases_of", "propose", "ranked", "wilson"]

Phrase = tuple[str, ...]

SCORER = f"leave-key-out-2/{NORMALISER}"

LEAST_OWN = 5
"""Below so many own papers nothing is proposed: there is nothing to verify against."""
PRIOR = 500.0
LEAST_CONTRAST = 2.0
"""In standard errors; 1.5 for fewer own papers than :data:`MANY`, where little is significant."""
MANY = 200
SINGLE_CONTRAST = 3.0
"""For a single word: the common ones of any text pass 2 by chance."""
LEAST_ADDED = 2
ORDER_Z = 1.5
"""Standard errors below the share that keys are ordered by: 1 puts keys of two papers first, 3
those of hundreds."""
SIBLING = 0.8
"""Two keys whose papers overlap more (Jaccard) are one key; so are a phrase and a better one within
it, or around it, that adds this share of its papers."""
PROPOSED = 0.25
"""The least lower bound a key is proposed with; and it is twice what chance would verify."""
SURE = 0.6
"""The least lower bound of a key that nobody need look at."""
LEADING = 0.5
"""The least lower bound of a found key whose papers lead to further keys."""
MOST_HOPS = 2
MOST_SHARE = 0.05
"""An archive of which a topic fills more was gathered for the topic: there its neighbours, such as
"backdoor attacks" beside unlearning, are verified too, and all keys wait for a person."""
MOST_GROWTH = 1.3
"""How much keys that nobody looked at may enlarge what the others find."""
YIELD_DAYS = timedelta(days=60)
LEAST_YIELD = 0.15
EXPECTED = 3.0
"""A key that should have added so many papers by now and added none has dried up (Poisson, p = .05)."""
PARENTS = 3
OVERLAPS = 2


@dataclass(frozen=True)
class _Candidate:
    """A phrase in normal form, the rows that hold it, and its contrast."""

    normal: str
    rows: Rows
    contrast: float


@dataclass(frozen=True)
class _Judged:
    """A candidate with the papers it adds."""

    candidate: _Candidate
    added: Added

    @property
    def lower_bound(self) -> float:
        return wilson(self.added.verified, len(self.added))

    @property
    def order(self) -> tuple[float, int, str]:
        belief = wilson(float(self.added.belief.sum()), len(self.added), z=ORDER_Z)
        return -belief, -len(self.added), self.candidate.normal


def propose(
    topic: Topic,
    keys: Sequence[Key],
    archive: Archive,
    limit: int = 30,
    *,
    liked: Collection[str] = (),
    disliked: Collection[str] = (),
) -> list[Key]:
    """New keys for a topic, best first, none that is active, rejected or retired, nor its sibling.

    A key is ``active`` only where no person needs to look: in an archive that was not gathered for
    the topic, lower bound at least .6, two words or more, three added papers or more, found from
    keys that people gave, and a growth of at most x1.3 by all such keys together. The others are
    ``proposed``. ``liked`` and ``disliked`` are ids of papers.
    """
    bench = _Bench.build(topic, keys, archive, liked, disliked)
    if bench is None:
        return []
    good = [each for each in bench.judged() if bench.worth_a_look(each)]
    shown = [each for each in bench.shown(good, 3 * limit) if bench.worth_a_look(each[1])]
    return bench.decided(_apart(shown)[:limit])


def ranked(topic: Topic, keys: Sequence[Key], archive: Archive, limit: int) -> list[Key]:
    """As :func:`propose`, and after the proposed keys those not good enough to be proposed."""
    bench = _Bench.build(topic, keys, archive)
    if bench is None:
        return []
    every = _apart(bench.shown(bench.judged(), limit))
    return bench.decided(sorted(every, key=lambda each: not bench.worth_a_look(each[1])))


def exhausted(topic: Topic, keys: Sequence[Key], archive: Archive, day: date) -> list[tuple[Key, str]]:
    """Found keys that no longer lead anywhere, each with the reason.

    Of what a key added in the 60 days before ``day`` surely less than .15 is verified (Wilson's upper
    bound), or nothing came where three papers or more were to be expected by what came before. Keys
    that people gave are never exhausted.
    """
    found = [key for key in keys if key.state == "active" and key.origin == "auto"]
    bench = _Bench.build(topic, [key for key in keys if key not in found], archive) if found else None
    if bench is None:
        return []
    recent = np.array([day - paper.announced <= YIELD_DAYS for paper in archive.papers], dtype=bool)
    rows = postings([key.text for key in found], archive)
    reasons = [(key, _exhaustion(bench.verifier.judge(key.normal, rows[key.text]), recent)) for key in found]
    return [(key, reason) for key, reason in reasons if reason]


def _exhaustion(added: Added, recent: NDArray[np.bool_]) -> str:
    new = recent[added.rows]
    expected = (len(new) - new.sum()) * recent.mean() / max(1e-9, 1 - recent.mean())
    if not new.any():
        return f"no paper in 60 days, {expected:.0f} expected" if expected >= EXPECTED else ""
    verified, count = int((added.belief[new] >= VERIFIED).sum()), int(new.sum())
    surely_few = 1 - wilson(count - verified, count) < LEAST_YIELD
    return f"{verified} of {count} papers of 60 days verified" if surely_few else ""


@dataclass(frozen=True)
class _Bench:
    """What the keys of a topic are judged on."""

    topic: Topic
    keys: Sequence[Key]
    archive: Archive
    mentions: Mentions
    stems: set[str]
    verifier: Verifier

    @classmethod
    def build(
        cls,
        topic: Topic,
        keys: Sequence[Key],
        archive: Archive,
        liked: Collection[str] = (),
        disliked: Collection[str] = (),
    ) -> _Bench | None:
        """None where there is nothing to verify against."""
        mentions = find_mentions(topic, keys, archive)
        own = mentions.named
        own[archive.rows((*topic.seed_papers, *liked))] = True
        own[archive.rows(disliked)] = False
        if own.sum() < LEAST_OWN or not (~own & ~mentions.excluded).any():
            return None
        stems = topic_stems(seed_keys(topic, keys), own, archive)
        return cls(topic, keys, archive, mentions, stems, Verifier(archive, mentions, own, stems))

    def judged(self) -> list[_Judged]:
        """All candidates with the papers they add, best first."""
        judge = self.verifier.judge
        every = [_Judged(each, judge(each.normal, each.rows)) for each in self._candidates()]
        return sorted(every, key=lambda one: one.order)

    def _candidates(self) -> list[_Candidate]:
        own, outside = self.verifier.own, self.verifier.outside
        size, leading = int(own.sum()), self._leading()
        least = max(2 if size < MANY // 2 else 3, round(0.003 * size))
        seeds = seed_keys(self.topic, self.keys)
        found_in = postings(phrases_of(self.archive, leading, seeds, least, self.stems), self.archive)
        known = self._known()
        lengths = np.array([normal.count(" ") + 1 for normal in self.archive.normals])
        words = int(lengths[own].sum()), int(lengths[~own].sum())
        found = []
        for normal, rows in found_in.items():
            inside, added = int(own[rows].sum()), int(outside[rows].sum())
            if inside < least or not LEAST_ADDED <= added <= 3 * max(size, MANY):
                continue
            told = contrast(inside, len(rows) - inside, *words)
            if told >= _least_contrast(normal, size) and not any(
                _jaccard(rows, each) > SIBLING for each in known
            ):
                found.append(_Candidate(normal, rows, told))
        return found

    def _leading(self) -> Rows:
        """The own papers that may lead to further keys: not those that only weak or far keys found."""
        weak = {
            key.text
            for key in self.keys
            if key.origin == "auto" and (_hop(key) >= MOST_HOPS or _bound(key) < LEADING)
        }
        named = self.mentions.named
        strong = [
            bool(seed) or not set(other) <= weak or not named[row]
            for row, (seed, other) in enumerate(zip(self.mentions.seed, self.mentions.other, strict=True))
        ]
        return np.flatnonzero(self.verifier.own & np.array(strong, dtype=bool))

    def _known(self) -> list[Rows]:
        """The papers of each key that has been decided on: neither it nor a sibling is proposed again."""
        decided = [key.text for key in self.keys if key.state not in ("proposed", "lapsed")]
        topic = self.topic
        texts = (*decided, *seed_keys(topic, self.keys), *topic.exclude_keys, *topic.off_keys)
        return [rows for rows in postings(texts, self.archive).values() if len(rows)]

    def worth_a_look(self, judged: _Judged) -> bool:
        """Whether a key is proposed."""
        least = max(PROPOSED, 2 * self.verifier.chance)
        return len(judged.added) >= LEAST_ADDED and judged.lower_bound >= least

    def shown(self, judged: Sequence[_Judged], limit: int) -> list[tuple[str, _Judged]]:
        """The forms authors write, each with the evidence for it, without siblings: an acronym finds
        fewer papers than the word."""
        papers = self.archive.papers
        shown = []
        for each in _without_siblings(judged, limit):
            candidate = each.candidate
            text = surface(candidate.normal, (papers[row].text for row in candidate.rows)) or candidate.normal
            if is_acronym(text):
                matcher = KeyMatcher((text,))
                rows = np.array(
                    [row for row in candidate.rows if matcher.find(papers[row].text)], dtype=np.int64
                )
                own = _Candidate(candidate.normal, rows, candidate.contrast)
                shown.append((text, _Judged(own, self.verifier.judge(own.normal, rows))))
            else:
                shown.append((text, each))
        return sorted(shown, key=lambda one: one[1].order)

    def decided(self, best: Sequence[tuple[str, _Judged]]) -> list[Key]:
        """Keys in order; as many of the surest are active as the growth allows."""
        own = self.verifier.own
        grown = set(np.flatnonzero(own).tolist())
        natural = own.sum() <= MOST_SHARE * len(self.archive)
        budget = MOST_GROWTH * len(self._found_by_people())
        keys: list[Key] = []
        for text, judged in best:
            evidence = self._evidence(judged, best)
            larger = grown | set(judged.added.rows.tolist())
            sure = natural and _sure(judged, evidence) and len(larger) <= budget
            grown = larger if sure else grown
            keys.append(
                Key(
                    topic=self.topic.name,
                    text=text,
                    normal=normalise(text),
                    state="active" if sure else "proposed",
                    origin="auto",
                    evidence=evidence,
                )
            )
        return keys

    def _found_by_people(self) -> set[int]:
        """The papers found by seed keys and by keys a person activated."""
        automatic = {key.text for key in self.keys if key.origin == "auto"}
        others = other_keys(self.topic, self.keys)
        texts = [*seed_keys(self.topic, self.keys), *(text for text in others if text not in automatic)]
        found = {row for rows in postings(texts, self.archive).values() for row in rows.tolist()}
        return found | set(self.archive.rows(self.topic.seed_papers).tolist())

    def _evidence(self, judged: _Judged, best: Sequence[tuple[str, _Judged]]) -> KeyEvidence:
        titles = [self.archive.papers[row].title for row in judged.added.rows]
        parents = self._parents(judged.candidate.rows)
        hops = {key.text: _hop(key) for key in self.keys if key.origin == "auto"}
        return KeyEvidence(
            matches=len(judged.candidate.rows),
            adds=len(judged.added),
            verified=judged.added.verified,
            lower_bound=round(judged.lower_bound, 4),
            contrast=round(judged.candidate.contrast, 2),
            best=tuple(titles[:3]),
            worst=tuple(titles[3:][-2:]),
            corpus=len(self.archive),
            scorer=SCORER,
            parents=parents,
            hop=1 + min((hops.get(parent, 0) for parent in parents), default=0),
            overlap=_overlap(judged, best),
        )

    def _parents(self, rows: Rows) -> tuple[str, ...]:
        """The keys of the papers that a phrase was found in, the commonest first."""
        seed, other = self.mentions.seed, self.mentions.other
        counted = Counter(key for row in rows for key in (*seed[row], *other[row]))
        return tuple(key for key, _ in counted.most_common(PARENTS))


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


def _least_contrast(normal: str, own: int) -> float:
    if " " not in normal:
        return SINGLE_CONTRAST
    return LEAST_CONTRAST if own >= MANY else 1.5


def _jaccard(one: Rows, other: Rows) -> float:
    if min(len(one), len(other)) <= SIBLING * max(len(one), len(other)):
        return 0.0  # cannot be siblings
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / max(1, len(one) + len(other) - both)


def _without_siblings(judged: Sequence[_Judged], limit: int) -> list[_Judged]:
    """The best so many. Of keys with the same papers the longest phrase is kept ("classifier free
    guidance", not "free guidance"), of keys with the same words the one that adds most."""
    kept: list[_Judged] = []
    words: dict[frozenset[str], int] = {}
    for each in judged:
        stems = frozenset(stem(word) for word in each.candidate.normal.split())
        at = words.get(stems)
        if at is None:
            at = next(
                (
                    at
                    for at, one in enumerate(kept)
                    if _jaccard(each.candidate.rows, one.candidate.rows) > SIBLING
                ),
                None,
            )
        if at is None:
            if len(kept) == limit:
                break
            words[stems] = len(kept)
            kept.append(each)
        elif each.candidate.normal.count(" ") > kept[at].candidate.normal.count(" "):
            kept[at] = each
    return kept


def _apart(shown: Sequence[tuple[str, _Judged]]) -> list[tuple[str, _Judged]]:
    """Without a phrase that adds hardly a paper to a better one within or around it: whoever has
    accepted "concept erasure" need not look at "concept erasure method"."""
    kept: list[tuple[str, _Judged]] = []
    for text, judged in shown:
        normal, rows = judged.candidate.normal, judged.added.rows
        nested = (
            better.added.rows
            for _, better in kept
            if normal in better.candidate.normal or better.candidate.normal in normal
        )
        if not any(
            len(np.intersect1d(rows, one, assume_unique=True)) >= SIBLING * len(rows) for one in nested
        ):
            kept.append((text, judged))
    return kept


def _overlap(judged: _Judged, best: Sequence[tuple[str, _Judged]]) -> dict[str, float]:
    """The better keys that add the most of the same papers, with the share they add."""
    rows = judged.added.rows
    shares = {}
    for text, other in best:
        if other is judged or not len(rows):
            break
        share = len(np.intersect1d(rows, other.added.rows, assume_unique=True)) / len(rows)
        if share > 0:
            shares[text] = round(share, 2)
    most = sorted(shares, key=lambda text: (-shares[text], text))[:OVERLAPS]
    return {text: shares[text] for text in most}


def _sure(judged: _Judged, evidence: KeyEvidence) -> bool:
    return (
        judged.lower_bound >= SURE
        and " " in judged.candidate.normal
        and len(judged.added) >= 3
        and evidence.hop < MOST_HOPS
    )


def _hop(key: Key) -> int:
    return key.evidence.hop if key.evidence else 0


def _bound(key: Key) -> float:
    return key.evidence.lower_bound if key.evidence else 1.0
