"""Why a paper belongs to a topic or not, and why it was posted or not, in words for a person.

Everything is told that the decision stood on, for and against: keys and where they stand, how much
the paper looks like the topic when nothing is named, its neighbours, what people said of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Self

from msgspec import Struct

from digest.mentions import IN_TITLE, ONCE, REPEATED, other_keys, seed_keys
from digest.phrases import KeyMatcher, normalise
from digest.types import AnnounceType, Feedback, Key, Match, Paper, Post, Topic

NEWS: tuple[AnnounceType, ...] = ("new", "cross")
RELEVANCE_LEAST = 0.05
TELLING = 0.5
"""A paper that looks more like the topic than so many of its own speaks for itself, else against."""


ENGLISH: Mapping[str, str] = {
    "in_title": "its title holds",
    "in_abstract": "its abstract holds {n} times",
    "in_abstract_once": "its abstract holds once",
    "seed_title": '{place} the seed key "{key}" (weight {weight:g})',
    "seed_abstract": '{place} the seed key "{key}", which says less than the title (weight {weight:g})',
    "seed_once": '{place} the seed key "{key}", which says little (weight {weight:g})',
    "other_key": '{place} "{key}", {trust}',
    "trust_given": "a key a person gave, measured by no corpus (trust {trust:.2f})",
    "trust_measured": "a key of which {verified} of {adds} added papers were verified with its own words "
    "left out, at least {share:.0%} (trust {trust:.2f})",
    "silent": "never says {keys}: it is silent about its topic",
    "no_key": "holds no key of the topic, neither {keys} nor another",
    "excluded_beside": "holds the excluded {keys}, beside a seed key, so it counts as usual",
    "excluded": "holds the excluded {keys}, and no seed key: that rules it out",
    "holds_rejected": 'holds "{key}", a key that was rejected',
    "holds_retired": 'holds "{key}", a key that was retired',
    "looks": "looks more like the topic than {share:.0%} of its own papers, the topic's words left out",
    "looks_by": "looks more like the topic than {share:.0%} of its own papers, the topic's words left out "
    "(ranks above {ways})",
    "near": 'near to a paper on topic: "{title}" ({paper}, cosine {cosine:.2f})',
    "named": "the configuration names it as a paper of the topic",
    "liked": "liked on {day} by {by}",
    "disliked": "disliked on {day} by {by}: never posted in this topic",
    "withdrawn": "withdrawn by its authors",
    "categories": "its categories, {codes}, are none of the topic's",
    "no_news": "first seen as {kind}, a later version: it is no news",
    "out_disliked": "left out of the topic: a person dislikes it",
    "out": "left out of the topic on {day}: {reason}",
    "score_over": "score {score:.2f}, over the topic's floor of {floor:g}",
    "score_below": "score {score:.2f}, below the topic's floor of {floor:g}",
    "no_match": "was scored and is no match: ruled out, or no key and a score below {least:g}",
    "not_scored": "was not scored: it was announced on {day}, and a run looks only a few days back "
    "(digest match --as-of {day})",
    "holding": "stands in post {posts} of {day} ({genre} in {languages}; {state})",
    "in_no_post": "in no post: {reason}",
    "left_out": "left out on {day}: {reason}",
    "merged": "near-identical to {paper}, which stands for both",
    "elsewhere": "a paper stands in one topic only, and fits {topic} better ({score:.2f})",
    "unwritten": "no post of {topic} was written since it was announced on {day}",
    "full": "post {post} of {day} was full: its {n} papers score {score:.2f} and more",
    "crowded_out": "post {post} of {day} has {n} papers, from {score:.2f}: this one was too like one of "
    "them, said less that is new, or came later",
}
"""What is said, by name; other languages say the same of the same values (words/*/why.toml of the page)."""


class Said(str):
    """A line in English that can be said in other languages: its name and its values. A value that is Said is
    a part of the line; a tuple is phrases."""

    __slots__ = ("name", "values")

    name: str
    values: Mapping[str, Any]

    def __new__(cls, name: str, /, **values: Any) -> Self:
        shown = {key: _any_of(value) if isinstance(value, tuple) else value for key, value in values.items()}
        made = super().__new__(cls, ENGLISH[name].format(**shown))
        made.name, made.values = name, values
        return made


class Why(Struct, frozen=True, kw_only=True):
    """What speaks for a paper in a topic and what against it, and what came of it."""

    topic: str
    score: float | None
    speaks_for: tuple[Said, ...]
    speaks_against: tuple[Said, ...]
    outcome: tuple[Said, ...]


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


def _by_keys(paper: Paper, topic: Topic, keys: Sequence[Key]) -> tuple[list[Said], list[Said]]:
    seeds, others = seed_keys(topic, keys), other_keys(topic, keys)
    by_text = {key.text: key for key in keys}
    matcher = _matcher((*seeds, *others), topic.exclude_keys)
    normal = _normal(paper.text)
    counts, title = matcher.count(paper.text, normal), matcher.count(paper.title, _normal(paper.title))
    for_ = [_seed(key, counts[key], key in title) for key in seeds if counts[key]]
    named = bool(for_)
    for_ += [
        Said(
            "other_key",
            place=_place(counts[key], key in title),
            key=key,
            trust=_trust(by_text.get(key), trust),
        )
        for key, trust in others.items()
        if counts[key]
    ]
    against = [] if named else [Said("silent", keys=tuple(seeds))]
    if not for_:
        against = [Said("no_key", keys=tuple(seeds))]
    excluded = _matcher(topic.exclude_keys).find(paper.text, normal)
    if excluded:
        against.append(Said("excluded_beside" if named else "excluded", keys=excluded))
    return for_, against + _refused(paper, keys)


def _seed(key: str, count: int, in_title: bool) -> Said:
    place = _place(count, in_title)
    if in_title:
        return Said("seed_title", place=place, key=key, weight=IN_TITLE)
    if count > 1:
        return Said("seed_abstract", place=place, key=key, weight=REPEATED)
    return Said("seed_once", place=place, key=key, weight=ONCE)


def _place(count: int, in_title: bool) -> Said:
    if in_title:
        return Said("in_title")
    return Said("in_abstract_once") if count == 1 else Said("in_abstract", n=count)


def _trust(key: Key | None, trust: float) -> Said:
    if key is None or key.evidence is None:
        return Said("trust_given", trust=trust)
    told = key.evidence
    return Said("trust_measured", verified=told.verified, adds=told.adds, share=told.lower_bound, trust=trust)


def _refused(paper: Paper, keys: Sequence[Key]) -> list[Said]:
    states = {key.text: key.state for key in keys if key.state in ("rejected", "retired")}
    found = _matcher(tuple(states)).find(paper.text, _normal(paper.text))
    return [Said(f"holds_{states[key]}", key=key) for key in found]


def _any_of(phrases: Sequence[str]) -> str:
    quoted = [f'"{phrase}"' for phrase in phrases]
    return " or ".join((", ".join(quoted[:-1]), quoted[-1])) if len(quoted) > 1 else quoted[0]


def _by_looks(match: Match | None) -> tuple[list[Said], list[Said]]:
    if match is None:
        return [], []
    looks = match.evidence.scores.get("looks", 0.0)
    ways = {name: share for name, share in match.evidence.scores.items() if name not in ("looks", "keys")}
    by = ", ".join(f"{share:.1%} by {way}" for way, share in ways.items())
    told = Said("looks_by", share=looks, ways=by) if ways else Said("looks", share=looks)
    near = [
        Said("near", title=each.title, paper=each.paper, cosine=each.similarity)
        for each in match.evidence.neighbours
    ]
    return ([told, *near], []) if looks >= TELLING else (near, [told])


def _by_people(paper: Paper, topic: Topic, record: Record) -> tuple[list[Said], list[Said]]:
    for_, against = [], []
    if paper.id in topic.seed_papers:
        for_.append(Said("named"))
    last = record.feedback[-1] if record.feedback else None
    if last and last.opinion == "like":
        for_.append(Said("liked", day=last.given_at.date(), by=last.given_by))
    if last and last.opinion == "dislike":
        against.append(Said("disliked", day=last.given_at.date(), by=last.given_by))
    return for_, against


def _by_facts(paper: Paper, topic: Topic) -> list[Said]:
    told = [Said("withdrawn")] if paper.withdrawn else []
    if topic.categories and set(topic.categories).isdisjoint(paper.categories):
        told.append(Said("categories", codes=" ".join(paper.categories)))
    if paper.announce_type not in NEWS:
        told.append(Said("no_news", kind=paper.announce_type))
    return told


# What came of it.


def _of_match(paper: Paper, topic: Topic, record: Record) -> list[Said]:
    match = record.match
    if match is None and record.feedback and record.feedback[-1].opinion == "dislike":
        return [Said("out_disliked")]
    if match is None and record.left_out:
        day, reason = record.left_out
        return [Said("out", day=day, reason=reason)]
    if match is None:
        return [_unmatched(paper, record)]
    name = "score_over" if match.score >= topic.floor else "score_below"
    return [Said(name, score=match.score, floor=topic.floor)]


def _unmatched(paper: Paper, record: Record) -> Said:
    if record.scored and record.scored[0] <= paper.announced <= record.scored[1]:
        return Said("no_match", least=RELEVANCE_LEAST)
    return Said("not_scored", day=paper.announced)


def _of_posts(paper: Paper, topic: Topic, record: Record) -> list[Said]:
    if record.holding:
        return _holding(record.holding)
    reason = _unposted(paper, topic, record)
    return [Said("in_no_post", reason=reason)] if reason else []


def _holding(posts: Sequence[Post]) -> list[Said]:
    """A line for each day, genre and state; the languages of a post stand together."""
    groups: dict[tuple[date, str, str], list[Post]] = {}
    for post in posts:
        groups.setdefault((post.slot, post.genre, post.state), []).append(post)
    return [
        Said(
            "holding",
            posts=", ".join(str(each.id) for each in held),
            day=day,
            genre=genre,
            languages=", ".join(each.language for each in held),
            state=state,
        )
        for (day, genre, state), held in groups.items()
    ]


def _unposted(paper: Paper, topic: Topic, record: Record) -> Said | None:
    match = record.match
    if match is None or match.score < topic.floor:
        return None
    if record.left_out:
        day, reason = record.left_out
        return Said("left_out", day=day, reason=reason)
    if record.merged_into:
        return Said("merged", paper=record.merged_into)
    better = [(name, score) for name, score in record.elsewhere if score > match.score]
    if better:
        name, score = max(better, key=lambda each: each[1])
        return Said("elsewhere", topic=name, score=score)
    if record.candidate is None:
        return Said("unwritten", topic=topic.name, day=paper.announced)
    return _crowded_out(match, record.candidate)


def _crowded_out(match: Match, posted: Posted) -> Said:
    scores = sorted(posted.scores.values())
    post, least = posted.post, scores[0] if scores else 0.0
    name = "full" if match.score <= least else "crowded_out"
    return Said(name, post=post.id, day=post.slot, n=len(scores), score=least)
