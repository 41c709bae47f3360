"""From a topic's matches to the papers of one post: floor, no repeats, variety.

Everything here decides and nothing acts. Whatever is left out is left out with its reason, so that
a reader of the run's report can ask after any paper. The same input gives the same post.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from digest.links import links, venue
from digest.types import Choice, LeftOut, Match, Paper, Rhythm, Tier, Topic

RELEVANCE, NOVELTY, QUALITY = 0.6, 0.25, 0.15
MMR_LAMBDA = 0.7  # Carbonell & Goldstein 1998: share of the score against likeness to what is chosen already
SAME_COSINE = 0.92
SAME_JACCARD = 0.6
UNNAMED_FLOOR = 0.6
"""A paper that only looks like the topic, without any key of it, needs so high a score: of such papers below
it that stood among the ten best of a day most were off topic, above it few (docs/quality.md)."""
WHOLE_DAYS, YOUNG_FLOOR = 10, 0.7
"""Until an archive holds so many whole days, it needs so high a score: what was gathered for a topic before
says nothing of how rare such looks are. Of 24 such papers over the floors on three of the first six days of
a gathered archive 6 were on topic, 5 of them over this."""
ONLY_LOOKS = "only looks like the topic"

Vector = NDArray[np.float32]


class Home(Struct, frozen=True):
    """Where each paper is posted: per topic the matches that stand there, and per paper the names of
    all topics it belongs to, its home first."""

    matches: Mapping[str, tuple[Match, ...]]
    topics: Mapping[str, tuple[str, ...]]


class Chosen(Struct, frozen=True):
    """The papers of a post in their order, and those left out, best first, each with its reason."""

    choices: tuple[Choice, ...]
    left_out: tuple[LeftOut, ...]


class _Candidate(Struct, frozen=True, kw_only=True):
    match: Match
    paper: Paper
    vector: Vector | None
    score: float
    duplicates: tuple[str, ...] = ()


def home(
    matches_by_topic: Mapping[str, Sequence[Match]],
    topics_by_name: Mapping[str, Topic],
    *,
    young: bool = False,
) -> Home:
    """Give each paper one topic to stand in: the one where it scores best, the first one given on a tie.

    Topics that the paper can be posted in come before those whose floor it misses, which is higher for what
    only looks like a topic (``young``: as for `choose`): a paper is never given to a topic that refuses it
    while another takes it. Only the former are named among the topics it belongs to (its home always is).
    """
    by_paper: dict[str, list[Match]] = {}
    for matches in matches_by_topic.values():
        for match in matches:
            by_paper.setdefault(match.paper, []).append(match)

    def reaches(match: Match) -> bool:
        return match.score >= _floor(topics_by_name[match.topic], match, young)

    stays: dict[str, list[Match]] = {topic: [] for topic in matches_by_topic}
    topics: dict[str, tuple[str, ...]] = {}
    for paper, matches in by_paper.items():
        best, *others = sorted(matches, key=lambda match: (not reaches(match), -match.score))
        stays[best.topic].append(best)
        topics[paper] = (best.topic, *(match.topic for match in others if reaches(match)))
    return Home({topic: tuple(matches) for topic, matches in stays.items()}, topics)


def due(rhythm: Rhythm, waiting: Sequence[date], slot: date) -> bool:
    """Is a post due, when papers announced on the days ``waiting`` wait for the day ``slot``?

    The last possible day is ``at_latest_days - 1`` after the oldest paper's, so that none leaves the
    window of ``at_latest_days`` days unposted.
    """
    return bool(waiting) and (len(waiting) >= rhythm.at_least or slot >= latest(rhythm, waiting))


def latest(rhythm: Rhythm, waiting: Sequence[date]) -> date:
    """The day on which a post is due however few papers wait."""
    return min(waiting) + timedelta(days=rhythm.at_latest_days - 1)


def choose(
    topic: Topic,
    matches: Sequence[Match],
    papers: Mapping[str, Paper],
    vectors: Mapping[str, Vector],
    *,
    posted: Collection[str] = (),
    posted_vectors: Vector | None = None,
    posted_titles: Collection[str] = (),
    topics: Mapping[str, tuple[str, ...]] | None = None,
    young: bool = False,
) -> Chosen:
    """Choose the papers of a topic's post.

    ``vectors`` holds a normalised float32 row [dim] per paper (a paper without one is taken as unlike
    any other), ``posted`` ids and ``posted_titles`` titles as `fold_title` gives them, of all that the
    topic's channels have seen, ``posted_vectors`` float32 [m, dim] of what was posted lately,
    ``topics`` the names of all topics of a paper (`home`), ``young`` whether the archive is (`is_young`).

    Score: .6 relevance + .25 novelty + .15 quality, then maximal marginal relevance; one place goes to
    the best silent paper when none was chosen: readers are to see what the word misses. The chosen
    stand in the order of their relevance; the best of the rest are named after them.
    """
    ranked = sorted(matches, key=lambda match: (-match.score, match.paper))
    candidates: list[_Candidate] = []
    left_out: list[LeftOut] = []
    for match in ranked:
        paper, vector = papers[match.paper], vectors.get(match.paper)
        nearest = _nearest(vector, posted_vectors)
        before = paper.id in posted or fold_title(paper.title) in posted_titles
        reason = _refusal(topic, match, paper, before, nearest, young=young)
        if reason is None:
            score = _score(match, paper, nearest)
            candidates.append(_Candidate(match=match, paper=paper, vector=vector, score=score))
        else:
            left_out.append(LeftOut(match.paper, reason))
    kept = _merged(candidates)
    left_out += (
        LeftOut(paper, f"near-duplicate of {candidate.paper.id}")
        for candidate in kept
        for paper in candidate.duplicates
    )
    picked = sorted(_varied(kept, topic.limits.detailed + topic.limits.brief), key=_place)
    ids = {candidate.paper.id for candidate in picked}
    rest = sorted((c for c in kept if c.paper.id not in ids), key=_place)
    shown = [*picked, *rest[: topic.limits.named]]
    left_out += (LeftOut(c.paper.id, _crowded(shown)) for c in rest[topic.limits.named :])
    place = {match.paper: rank for rank, match in enumerate(ranked)}
    names = topics or {}
    return Chosen(
        tuple(_choice(c, _tier(topic, at), topic, names.get(c.paper.id)) for at, c in enumerate(shown)),
        tuple(sorted(left_out, key=lambda left: place[left.paper])),
    )


def everything(
    topic: Topic,
    matches: Sequence[Match],
    papers: Mapping[str, Paper],
    vectors: Mapping[str, Vector],
    topics: Mapping[str, tuple[str, ...]],
) -> tuple[Choice, ...]:
    """All papers of a topic that could be posted, posted before or not, best first, near-identical ones
    merged; all of them named, none told of. The arguments are those of `choose`."""
    candidates = [
        _Candidate(match=match, paper=paper, vector=vectors.get(paper.id), score=match.score)
        for match in matches
        if (paper := papers.get(match.paper)) and not paper.withdrawn and match.score >= topic.floor
    ]
    kept = sorted(_merged(candidates), key=_place)
    return tuple(_choice(one, "named", topic, topics.get(one.paper.id)) for one in kept)


def unsure(choice: Choice) -> bool:
    """Whether a paper only looks like its topic, without any key of it, and not so much that it surely is one
    (YOUNG_FLOOR): of 26 such papers of two weeks over .7 most were on topic, of the others few."""
    return choice.silent and not choice.evidence.other_keys and choice.score < YOUNG_FLOOR


def is_young(days: Mapping[date, int]) -> bool:
    """Whether an archive knows fewer than WHOLE_DAYS whole days, by how many papers were announced on each:
    a day is whole that has half as many as the largest."""
    largest = max(days.values(), default=0)
    return sum(2 * papers >= largest for papers in days.values()) < WHOLE_DAYS


def _floor(topic: Topic, match: Match, young: bool) -> float:
    """The least score a match is posted with. A topic that has no keys has nothing but looks."""
    if not match.silent or match.evidence.other_keys:
        return topic.floor
    if young:
        return max(topic.floor, YOUNG_FLOOR)
    return max(topic.floor, UNNAMED_FLOOR) if topic.seed_keys else topic.floor


def _crowded(shown: Sequence[_Candidate]) -> str:
    least = min((candidate.match.score for candidate in shown), default=0.0)
    return f"over the limit of {_papers(len(shown))}, which score {least:.2f} and more"


def _refusal(
    topic: Topic, match: Match, paper: Paper, before: bool, nearest: float, *, young: bool
) -> str | None:
    """Why a paper cannot be posted at all; None when it can."""
    if paper.withdrawn:
        return "withdrawn"
    if before:
        return "posted before"
    if match.score < topic.floor:
        return "below the floor"
    if match.score < (floor := _floor(topic, match, young)):
        return f"{ONLY_LOOKS}: below the floor for a paper without a key, {floor:.2f}"
    if nearest > SAME_COSINE:
        return "near-duplicate of a paper posted before"
    return None


def _score(match: Match, paper: Paper, nearest: float) -> float:
    """0 to 1; ``nearest`` is the greatest cosine to what was posted."""
    return RELEVANCE * match.score + NOVELTY * (1.0 - max(0.0, nearest)) + QUALITY * quality(paper)


def quality(paper: Paper) -> float:
    """The share (0 to 1) of three good signs in the metadata: a link to code, a venue, a cross-list."""
    code = any(link.kind in ("code", "huggingface") for link in links(paper))
    return (code + (venue(paper.comments) is not None) + (len(paper.categories) > 1)) / 3


def _nearest(vector: Vector | None, others: Vector | None) -> float:
    """The greatest cosine (-1 to 1) of a vector to rows; 0 when either is not there."""
    if vector is None or others is None or not len(others):
        return 0.0
    return float(np.max(others @ vector))


def fold_title(title: str) -> str:
    """A title as it is compared: letters and digits alone, without accents, case or LaTeX commands."""
    plain = re.sub(r"\\[A-Za-z]+", " ", title)
    return "".join(c for c in unicodedata.normalize("NFKD", plain).casefold() if c.isalnum())


class _Print(Struct, frozen=True):
    """What is compared of two papers' words: the folded title, and the runs of five words."""

    title: str
    runs: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, paper: Paper) -> _Print:
        words = re.findall(r"\w+", paper.text.casefold())
        runs = frozenset(zip(*(words[start:] for start in range(5)), strict=False))
        return cls(fold_title(paper.title), runs)

    def same(self, other: _Print) -> bool:
        if self.title == other.title:
            return True
        fewer, more = sorted((self.runs, other.runs), key=len)
        if len(fewer) <= SAME_JACCARD * len(more):  # then the share in common cannot be greater
            return False
        return len(fewer & more) > SAME_JACCARD * len(fewer | more)


def _merged(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """The candidates, best first, each with the worse near-identical ones merged into it."""
    kept: list[_Candidate] = []
    prints: list[_Print] = []
    for candidate in sorted(candidates, key=lambda c: (-c.score, c.paper.id)):
        own = _Print.of(candidate.paper)
        for place, (other, theirs) in enumerate(zip(kept, prints, strict=True)):
            if own.same(theirs) or _likeness(candidate, other) > SAME_COSINE:
                kept[place] = replace(other, duplicates=(*other.duplicates, candidate.paper.id))
                break
        else:
            kept.append(candidate)
            prints.append(own)
    return kept


def _likeness(one: _Candidate, other: _Candidate) -> float:
    if one.vector is None or other.vector is None:
        return 0.0
    return float(one.vector @ other.vector)


def _varied(candidates: Sequence[_Candidate], places: int) -> list[_Candidate]:
    """Up to ``places`` candidates by maximal marginal relevance, the last of them silent if any can be."""
    picked: list[_Candidate] = []
    rest = list(candidates)
    while rest and len(picked) < places:

        def gain(candidate: _Candidate) -> float:
            nearest = max((_likeness(candidate, other) for other in picked), default=0.0)
            return MMR_LAMBDA * candidate.score - (1 - MMR_LAMBDA) * max(0.0, nearest)

        best = max(rest, key=gain)  # the first of equals: `candidates` are in order of score and id
        picked.append(best)
        rest.remove(best)
    silent = [candidate for candidate in rest if candidate.match.silent]
    if silent and len(picked) > 1 and not any(candidate.match.silent for candidate in picked):
        picked[-1] = silent[0]
    return picked


def _place(candidate: _Candidate) -> tuple[float, str]:
    """What stands first in a post: the surest. Variety decides who is in, not who is told of at length."""
    return -candidate.match.score, candidate.paper.id


def _tier(topic: Topic, rank: int) -> Tier:
    limits = topic.limits
    if rank < limits.detailed:
        return "detailed"
    return "brief" if rank < limits.detailed + limits.brief else "named"


def _choice(candidate: _Candidate, tier: Tier, topic: Topic, names: tuple[str, ...] | None) -> Choice:
    others = tuple(name for name in names or () if name != topic.name)
    return Choice(
        paper=candidate.paper.id,
        tier=tier,
        score=candidate.score,
        silent=candidate.match.silent,
        evidence=candidate.match.evidence,
        topics=(topic.name, *others),
        duplicates=candidate.duplicates,
    )


def empty_reason(
    topic: Topic,
    slot: date,
    *,
    announced: int,
    scores: Sequence[float] = (),
    left_out: Sequence[LeftOut] = (),
    waiting: Sequence[date] = (),
) -> str:
    """Why a topic has no post on a day, in words for the run's report.

    ``announced`` papers were announced since the last post, ``scores`` are those of the matches,
    ``waiting`` the days on which the papers that could be posted were announced.
    """
    if waiting:
        by = latest(topic.rhythm, waiting).isoformat()
        wait = "waits" if len(waiting) == 1 else "wait"
        return (
            f"waiting for {topic.rhythm.at_least} papers: {len(waiting)} {wait}, posted on {by} at the latest"
        )
    if not announced:
        weekend = slot.weekday() >= 5
        return "weekend: arXiv announces nothing" if weekend else "nothing announced"
    if not scores:
        return f"nothing on topic among {_papers(announced)} announced"
    if max(scores) < topic.floor:
        best = f"the best of {_matches(scores)} scores {max(scores):.2f}"
        return f"nothing over the floor {topic.floor:.2f}: {best}, of {_papers(announced)} announced"
    counts = Counter(re.sub(r" of .*", "", left.reason) for left in left_out)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    return f"nothing new among {_matches(scores)}: {reasons}" if reasons else "nothing to post"


def _papers(count: int) -> str:
    return "1 paper" if count == 1 else f"{count} papers"


def _matches(scores: Sequence[float]) -> str:
    return "1 match" if len(scores) == 1 else f"{len(scores)} matches"
