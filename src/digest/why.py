"""Why a paper belongs to a topic or not, and why it was posted or not, in words for a person.

Everything is told that the decision stood on, for and against: keys and where they stand, how much
the paper looks like the topic when nothing is named, its neighbours, what people said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from msgspec import Struct

from digest.mentions import IN_TITLE, ONCE, REPEATED, other_keys, seed_keys
from digest.phrases import KeyMatcher, normalise
from digest.types import AnnounceType, Feedback, Key, Match, Paper, Post, Topic

NEWS: tuple[AnnounceType, ...] = ("new", "cross")
RELEVANCE_LEAST = 0.05
TELLING = 0.5
"""A paper that looks more like the topic than so many of its own speaks for itself, else against."""


class Why(Struct, frozen=True, kw_only=True):
    """What speaks for a paper in a topic and what against it, and what came of it."""

    topic: str
    score: float | None
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    outcome: tuple[str, ...]


class Posted(Struct, frozen=True, kw_only=True):
    """A post of the topic, and the scores of its papers as matches of the topic, by id."""

    post: Post
    scores: dict[str, float]


class Record(Struct, frozen=True, kw_only=True):
    """What is known of a paper in a topic: its match, the opinions of it, the first post of the topic
    that could have held it and those that hold it, its score in other topics, those it merged into, the
    days of the run that scored it, and the day on which it was last left out, with the reason."""

    match: Match | None = None
    feedback: tuple[Feedback, ...] = ()
    holding: tuple[Post, ...] = ()
    candidate: Posted | None = None
    elsewhere: tuple[tuple[str, float], ...] = ()
    merged_into: str | None = None
    scored: tuple[date, date] | None = None
    left_out: tuple[date, str] | None = None


def why(paper: Paper, topic: Topic, keys: Sequence[Key], record: Record) -> Why:
    """All that speaks for a paper and against it in a topic, from what is stored."""
    speaks_for, against = _by_keys(paper, topic, keys)
    looks_for, looks_against = _by_looks(record.match)
    said_for, said_against = _by_people(paper, topic, record)
    match = record.match
    return Why(
        topic=topic.name,
        score=match.score if match else None,
        speaks_for=(*said_for, *speaks_for, *looks_for),
        speaks_against=(*said_against, *against, *looks_against, *_by_facts(paper, topic)),
        outcome=(*_of_match(paper, topic, record), *_of_posts(paper, topic, record)),
    )


# What speaks.

# To make a matcher takes longer than to look at an abstract with it; each topic looks at the same one.
_matcher = lru_cache(100)(KeyMatcher)
_normal = lru_cache(10)(normalise)


def _by_keys(paper: Paper, topic: Topic, keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    seeds, others = seed_keys(topic, keys), other_keys(topic, keys)
    by_text = {key.text: key for key in keys}
    matcher = _matcher((*seeds, *others), topic.exclude_keys)
    normal = _normal(paper.text)
    counts, title = matcher.count(paper.text, normal), matcher.count(paper.title, _normal(paper.title))
    for_ = [_seed(key, counts[key], key in title) for key in seeds if counts[key]]
    named = bool(for_)
    for_ += [
        f'{_place(counts[key], key in title)} "{key}", {_trust(by_text.get(key), trust)}'
        for key, trust in others.items()
        if counts[key]
    ]
    against = [] if named else [f"never says {_any_of(seeds)}: it is silent about its topic"]
    if not for_:
        against = [f"holds no key of the topic, neither {_any_of(seeds)} nor another"]
    excluded = _matcher(topic.exclude_keys).find(paper.text, normal)
    if excluded:
        weight = "beside a seed key, so it counts as usual" if named else "and no seed key: that rules it out"
        against.append(f"holds the excluded {_any_of(excluded)}, {weight}")
    return for_, against + _refused(paper, keys)


def _seed(key: str, count: int, in_title: bool) -> str:
    says = IN_TITLE if in_title else REPEATED if count > 1 else ONCE
    weight = (
        "" if says == IN_TITLE else ", which says less than the title" if count > 1 else ", which says little"
    )
    return f'{_place(count, in_title)} the seed key "{key}"{weight} (weight {says:g})'


def _place(count: int, in_title: bool) -> str:
    if in_title:
        return "its title holds"
    return "its abstract holds once" if count == 1 else f"its abstract holds {count} times"


def _trust(key: Key | None, trust: float) -> str:
    if key is None or key.evidence is None:
        return f"a key a person gave, measured by no corpus (trust {trust:.2f})"
    told = key.evidence
    return (
        f"a key of which {told.verified} of {told.adds} added papers were verified with its own words left "
        f"out, at least {told.lower_bound:.0%} (trust {trust:.2f})"
    )


def _refused(paper: Paper, keys: Sequence[Key]) -> list[str]:
    states = {key.text: key.state for key in keys if key.state in ("rejected", "retired")}
    found = _matcher(tuple(states)).find(paper.text, _normal(paper.text))
    return [f'holds "{key}", a key that was {states[key]}' for key in found]


def _any_of(phrases: Sequence[str]) -> str:
    quoted = [f'"{phrase}"' for phrase in phrases]
    return " or ".join((", ".join(quoted[:-1]), quoted[-1])) if len(quoted) > 1 else quoted[0]


def _by_looks(match: Match | None) -> tuple[list[str], list[str]]:
    if match is None:
        return [], []
    looks = match.evidence.scores.get("looks", 0.0)
    ways = {name: share for name, share in match.evidence.scores.items() if name not in ("looks", "keys")}
    told = f"looks more like the topic than {looks:.0%} of its own papers, the topic's words left out"
    if ways:
        told += " (ranks above " + ", ".join(f"{share:.1%} by {way}" for way, share in ways.items()) + ")"
    near = [
        f'near to a paper on topic: "{each.title}" ({each.paper}, cosine {each.similarity:.2f})'
        for each in match.evidence.neighbours
    ]
    return ([told, *near], []) if looks >= TELLING else (near, [told])


def _by_people(paper: Paper, topic: Topic, record: Record) -> tuple[list[str], list[str]]:
    for_, against = [], []
    if paper.id in topic.seed_papers:
        for_.append("the configuration names it as a paper of the topic")
    last = record.feedback[-1] if record.feedback else None
    if last and last.opinion == "like":
        for_.append(f"liked on {last.given_at:%Y-%m-%d} by {last.given_by}")
    if last and last.opinion == "dislike":
        against.append(f"disliked on {last.given_at:%Y-%m-%d} by {last.given_by}: never posted in this topic")
    return for_, against


def _by_facts(paper: Paper, topic: Topic) -> list[str]:
    told = ["withdrawn by its authors"] if paper.withdrawn else []
    if topic.categories and set(topic.categories).isdisjoint(paper.categories):
        told.append(f"its categories, {' '.join(paper.categories)}, are none of the topic's")
    if paper.announce_type not in NEWS:
        told.append(f"first seen as {paper.announce_type}, a later version: it is no news")
    return told


# What came of it.


def _of_match(paper: Paper, topic: Topic, record: Record) -> list[str]:
    match = record.match
    if match is None and record.feedback and record.feedback[-1].opinion == "dislike":
        return ["left out of the topic: a person dislikes it"]
    if match is None and record.left_out:
        day, reason = record.left_out
        return [f"left out of the topic on {day}: {reason}"]
    if match is None:
        return [_unmatched(paper, record)]
    reached = "over" if match.score >= topic.floor else "below"
    return [f"score {match.score:.2f}, {reached} the topic's floor of {topic.floor:g}"]


def _unmatched(paper: Paper, record: Record) -> str:
    if record.scored and record.scored[0] <= paper.announced <= record.scored[1]:
        return f"was scored and is no match: ruled out, or no key and a score below {RELEVANCE_LEAST:g}"
    return (
        f"was not scored: it was announced on {paper.announced}, and a run looks only a few days back "
        f"(digest match --as-of {paper.announced})"
    )


def _of_posts(paper: Paper, topic: Topic, record: Record) -> list[str]:
    if record.holding:
        return _holding(record.holding)
    reason = _unposted(paper, topic, record)
    return [f"in no post: {reason}"] if reason else []


def _holding(posts: Sequence[Post]) -> list[str]:
    """A line for each day, genre and state; the languages of a post stand together."""
    groups: dict[tuple[date, str, str], list[Post]] = {}
    for post in posts:
        groups.setdefault((post.slot, post.genre, post.state), []).append(post)
    return [
        f"stands in post {', '.join(str(each.id) for each in held)} of {slot} "
        f"({genre} in {', '.join(each.language for each in held)}; {state})"
        for (slot, genre, state), held in groups.items()
    ]


def _unposted(paper: Paper, topic: Topic, record: Record) -> str | None:
    match = record.match
    if match is None or match.score < topic.floor:
        return None
    if record.left_out:
        day, reason = record.left_out
        return f"left out on {day}: {reason}"
    if record.merged_into:
        return f"near-identical to {record.merged_into}, which stands for both"
    better = [(name, score) for name, score in record.elsewhere if score > match.score]
    if better:
        name, score = max(better, key=lambda each: each[1])
        return f"a paper stands in one topic only, and fits {name} better ({score:.2f})"
    if record.candidate is None:
        return f"no post of {topic.name} was written since it was announced on {paper.announced}"
    return _crowded_out(match, record.candidate)


def _crowded_out(match: Match, posted: Posted) -> str:
    scores = sorted(posted.scores.values())
    post, least = posted.post, scores[0] if scores else 0.0
    if match.score <= least:
        return f"post {post.id} of {post.slot} was full: its {len(scores)} papers score {least:.2f} and more"
    return (
        f"post {post.id} of {post.slot} has {len(scores)} papers, from {least:.2f}: this one was too like "
        "one of them, said less that is new, or came later"
    )
