"""The part of the archive that ranking learns from, and the papers to be scored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from digest.types import AnnounceType, Key, KeyState, Opinion, Origin, Paper, Plan, Topic

if TYPE_CHECKING:
    from digest.archive import Archive
    from digest.fits import Fits, Label
    from digest.naming import Embed
    from digest.relevance import Matched, Scorer
    from digest.store import Store

# Ranking learns from the newest papers and from those that hold a key, spread over all years; more cost time
# and add nothing (docs/quality.md): the rankers are strongly regularised.
BACKGROUND = 20_000
SEED_LIMIT = 3_000
ANNOUNCED: tuple[AnnounceType, ...] = ("new", "cross")
ACTIVE: tuple[KeyState, ...] = ("active",)
OPINIONS: tuple[Opinion, ...] = ("like", "dislike")

Vectors = npt.NDArray[np.float32]


class Corpus:
    """The part of the archive that ranking learns from, read only when weights must be fitted, and the
    papers to be scored. ``embed`` makes vectors of other texts by the model of the plan."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        day: date,
        fits: Fits | None = None,
        since: date | None = None,
        embed: Embed | None = None,
    ) -> None:
        self._store, self._plan, self.day, self._fits, self._embed = store, plan, day, fits, embed
        self.since = since or day - timedelta(days=plan.lookback)
        self._read_with: dict[tuple[str, ...], Archive] = {}

    def match(self, topic: Topic, active: Sequence[Key]) -> tuple[Matched, str]:
        """The topic's matches among the papers of the window, and which weights they were scored by."""
        from digest import relevance

        if not self.candidates:
            return relevance.Matched(), "nothing to score"
        scorer, told = self._weights(topic, active)
        view = self._read_with.get(scorer.vocabulary.names)
        if view is None:
            view = self._seen.with_vocabulary(scorer.vocabulary)
            self._read_with[scorer.vocabulary.names] = view
        liked, disliked = (self._told(topic, opinion) for opinion in OPINIONS)
        return relevance.match(topic, active, view, self.candidates, liked, disliked, scorer=scorer), told

    def _weights(self, topic: Topic, active: Sequence[Key]) -> tuple[Scorer, str]:
        """What the topic's papers are scored by, and in words since when."""
        from digest import relevance
        from digest.fits import Kept

        label = self._label(topic, active)
        kept, reason = self._fits.load(topic.name, label) if self._fits else (None, "none are kept")
        if kept is not None:
            return kept.scorer, f"weights of {kept.label.day}, from {_own_of(kept.label)}"
        liked, disliked = (self._told(topic, opinion) for opinion in OPINIONS)
        scorer = relevance.fit(topic, active, self._built, liked, disliked, self.applauded[topic.name])
        label = replace(label, own=len(scorer.titles))
        if self._fits:
            self._fits.save(topic.name, Kept(label, scorer))
        return scorer, f"weights fitted anew, from {_own_of(label)}: {reason}"

    def _label(self, topic: Topic, active: Sequence[Key]) -> Label:
        from digest.fits import Label

        keys = sorted((key.normal, key.origin) for key in active)
        learnt = (topic.seed_keys, topic.exclude_keys, topic.off_keys, topic.seed_papers, topic.categories)
        about = msgspec.json.encode([self._plan.model, keys, learnt])
        papers = self._store.count_papers()
        return Label(
            day=self.day,
            topic=hashlib.sha256(about).hexdigest(),
            papers=papers,
            vectors=papers - self._store.count_without_vector(self._plan.model),
            own=0,
            judged=self._store.count_feedback(topic.name),
        )

    @cached_property
    def _seen(self) -> Archive:
        """The papers to be scored, and those that people spoke of."""
        from digest.archive import Archive

        said = {paper for opinions in self._opinions.values() for paper in opinions}
        wanted = set(self.candidates)
        there = [paper for paper in self._window if paper.id in wanted]
        papers = [*there, *self._store.papers(sorted(said - wanted))]
        return Archive(papers, vectors_of(self._store, self._plan.model, [paper.id for paper in papers]))

    @property
    def window(self) -> list[str]:
        """Ids of all papers of the look-back window."""
        return [paper.id for paper in self._window]

    @cached_property
    def candidates(self) -> list[str]:
        """Ids of the papers announced in the look-back window, as new or cross-listed: whoever is seen
        for the first time when replaced was announced before, and is no news."""
        return [paper.id for paper in self._window if paper.announce_type in ANNOUNCED]

    def propose(self, topic: Topic, known: Sequence[Key]) -> list[Key]:
        """Keys that the archive gives reason to add."""
        from digest import keys

        liked, disliked = (self._told(topic, opinion) for opinion in OPINIONS)
        return keys.propose(topic, known, self._built, liked=liked, disliked=disliked)

    def exhausted(self, topic: Topic, active: Sequence[Key]) -> list[tuple[Key, str]]:
        """Found keys that no longer lead anywhere, with the reason."""
        from digest import keys

        return keys.exhausted(topic, active, self._built, self.day)

    def fingerprint(self, topic: Topic, active: Sequence[Key]) -> str:
        """Changes whenever the topic's matches could."""
        from digest.relevance import SCORER

        opinions = sorted(self._opinions[topic.name].items())
        known = [SCORER, self.day, self.since, topic, sorted(key.normal for key in active), opinions]
        told = msgspec.json.encode([*known, *self.applauded[topic.name]])
        state = f"{self._store.vector_state(self._plan.model)} {self._store.highest_number()}"
        return hashlib.sha256(told + state.encode()).hexdigest()

    def _told(self, topic: Topic, opinion: Opinion) -> list[str]:
        """The papers that a person likes, or dislikes, as ones of a topic."""
        return [paper for paper, told in self._opinions[topic.name].items() if told == opinion]

    @cached_property
    def _opinions(self) -> dict[str, dict[str, Opinion]]:
        return {topic.name: self._store.opinions(topic.name) for topic in self._plan.topics}

    @cached_property
    def applauded(self) -> dict[str, list[str]]:
        """For each topic the papers that readers have applauded, where that counts."""
        from digest.applause import applauded

        least = self._plan.applause
        names = [topic.name for topic in self._plan.topics]
        return {name: applauded(self._store.paper_reactions(name), least) if least else [] for name in names}

    @cached_property
    def _window(self) -> list[Paper]:
        return self._store.announced_between(self.since, self.day)

    @cached_property
    def _built(self) -> Archive:
        from digest.archive import Archive

        papers = list({paper.id: paper for paper in self._read()}.values())
        vectors = vectors_of(self._store, self._plan.model, [paper.id for paper in papers])
        return Archive.build(papers, vectors, self._embed)

    def _read(self) -> Iterator[Paper]:
        yield from self._store.announced_between(self.day - timedelta(days=self._plan.lookback), self.day)
        yield from self._store.newest_until(self.day, BACKGROUND)
        for topic in self._plan.topics:
            known = self._store.keys(topic.name, states=ACTIVE) or configured_keys(topic)
            phrases = [key.text for key in known]
            yield from self._store.spread_with_phrases(phrases, self.day, SEED_LIMIT)
            told = (*self._opinions[topic.name], *self.applauded[topic.name])
            yield from self._store.papers((*topic.seed_papers, *told))


def _own_of(label: Label) -> str:
    return f"{label.own:,} papers of the topic among {label.papers:,}"


def configured_keys(topic: Topic) -> list[Key]:
    """The keys that the configuration gives a topic; one given twice is a seed key."""
    from digest.phrases import normalise

    texts: dict[str, Origin] = dict.fromkeys(topic.adjacent_keys, "adjacent")
    texts |= dict.fromkeys(topic.seed_keys, "seed")
    return [
        Key(topic=topic.name, text=text, normal=normalise(text), state="active", origin=origin)
        for text, origin in texts.items()
    ]


def known_keys(store: Store, topic: Topic) -> list[Key]:
    """The topic's keys in the archive, those of the configuration too where nothing was matched yet."""
    stored = store.keys(topic.name)
    known = {key.normal for key in stored}
    return [*stored, *(key for key in configured_keys(topic) if key.normal not in known)]


def vectors_of(store: Store, model: str, ids: Sequence[str]) -> Vectors | None:
    """float32 [n, dim], a row per id in order, zeros where a paper has no vector; None where none has."""
    found, vectors = store.vectors(model, ids)
    if not found:
        return None
    row = {paper: at for at, paper in enumerate(found)}
    padded = np.vstack([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
    return padded[[row.get(paper, -1) for paper in ids]]
