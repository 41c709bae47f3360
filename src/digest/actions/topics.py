"""The topics: their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from msgspec import Struct

from digest import ids, mentions, terms, yields
from digest.corpus import configured_keys, known_keys
from digest.days import new_york_day
from digest.errors import InputError, UsageError
from digest.phrases import normalise
from digest.types import (
    Feedback,
    Key,
    KeyState,
    Language,
    Match,
    Opinion,
    Origin,
    Paper,
    Post,
    Recall,
    Topic,
)
from digest.why import Posted, Record, Why
from digest.yields import Below, KeyStory, Overview, Yield

if TYPE_CHECKING:
    from digest.app import App

PERSON = "human"

DAYS = 30
"""So many days a topic is tried on before it is saved."""
BELOW = 5
"""So many papers are shown that nearly reached the floor."""
FLOOR = 0.5
"""The floor of a topic that is made of a few words."""


def keys(app: App, topic: str, *, everything: bool) -> list[Key]:
    """The keys of a topic: active and proposed, or all; in use first, and of proposals the surest."""
    states: tuple[KeyState, ...] | None = None if everything else ("active", "proposed")
    return sorted(app.store.keys(app.topic(topic).name, states=states), key=_place)


def _place(key: Key) -> tuple[int, int, float, int, str]:
    told = key.evidence
    sure = (-told.lower_bound, -told.adds) if told else (-1.0, 0)
    return get_args(KeyState).index(key.state), get_args(Origin).index(key.origin), *sure, key.text


def propose(app: App, topic: str) -> list[Key]:
    """Look for adjacent keys of a topic now."""
    from digest import pipeline

    with app.alone("run"):
        return pipeline.propose_keys(app.store, app.plan, app.topic(topic), app.now)


def judge(app: App, topic: str, paper: str, opinion: Opinion | None) -> Feedback:
    """A person likes or dislikes a paper as one of a topic, or takes that back; saying the same again
    is harmless."""
    base = ids.parse(paper).base
    if not app.store.papers([base]):
        raise InputError(f"{base} is not in the archive; digest search finds what is")
    name = app.topic(topic).name
    app.store.add_feedback(name, base, opinion, PERSON, app.now)
    return Feedback(topic=name, paper=base, opinion=opinion, given_by=PERSON, given_at=app.now)


def feedback(app: App, topic: str) -> list[Feedback]:
    """All that was said of a topic's papers, oldest first."""
    return app.store.feedback(app.topic(topic).name)


def decide(app: App, topic: str, key: str, state: KeyState, reason: str) -> Key:
    """A person accepts, rejects or retires a key, known or new; the configuration's are kept or dropped
    there, as it is read anew at each run."""
    if not normalise(key):
        raise UsageError(f"{key!r} holds no word: a key is a phrase that papers say")
    given = {each.normal for each in configured_keys(app.topic(topic))}
    if state != "active" and normalise(key) in given:
        raise UsageError(
            f"{key!r} is a key of the configuration: take it out of topics.{topic} in digest.toml instead"
        )
    return app.store.decide_key(
        app.topic(topic).name, key, normalise(key), state, by=PERSON, reason=reason, now=app.now
    )


def key(app: App, topic: str, text: str) -> KeyStory:
    """A key with all its evidence; raises InputError for one the topic never had."""
    wanted = app.topic(topic)
    known = known_keys(app.store, wanted)
    found = _find_key(wanted, known, text)
    view = _View(app, wanted, [found, *(each for each in known if each.state == "active")])
    parents = found.evidence.parents if found.evidence else ()
    return KeyStory(
        yielded=view.yields([found])[0],
        overlaps=tuple(yields.overlaps(found.text, view.where, parents)),
        history=tuple(app.store.key_history(wanted.name, found.normal)),
    )


def _find_key(topic: Topic, keys: Sequence[Key], text: str) -> Key:
    from difflib import get_close_matches

    by_normal = {each.normal: each for each in keys}
    wanted = normalise(text)
    if wanted not in by_normal:
        near = get_close_matches(wanted, by_normal, n=1)
        hint = f"; did you mean {by_normal[near[0]].text!r}?" if near else ""
        raise InputError(
            f"{topic.name} has no key {text!r}{hint} (digest keys list {topic.name} --all shows them)"
        )
    return by_normal[wanted]


class Backtest(Struct, frozen=True):
    """What a topic would have found in the last days until ``day``: the matches that reach its floor, best
    first, with their papers, the keys that would have been proposed, of how many papers, and the seed papers
    that the archive does not hold."""

    day: date
    matches: tuple[Match, ...]
    papers: Mapping[str, Paper]
    proposed: tuple[Key, ...]
    held: int
    missing: tuple[str, ...]


def described(
    term: str,
    keys: Sequence[str],
    papers: Sequence[str],
    languages: tuple[Language, ...],
    *,
    name: str = "",
    titles: Mapping[Language, str] = {},
) -> Topic:
    """A topic by what the field calls itself, phrases that point to it (the term itself where there are none)
    and papers on it. Raises InputError, UsageError."""
    term = " ".join(term.split())
    name = name or re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")
    if name == "new" or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise InputError("give the topic a short name of small letters, digits, - and _")
    if not term:
        raise UsageError("say what the field calls itself")
    return Topic(
        name=name,
        term=term,
        seed_keys=tuple(dict.fromkeys(" ".join(one.split()) for one in keys)) or (term,),
        seed_papers=tuple(dict.fromkeys(ids.parse(one).base for one in papers)),
        titles={language: title for language, title in titles.items() if title},
        languages=languages,
        floor=FLOOR,
    )


def backtest(app: App, topic: Topic) -> Backtest:
    """What a topic that is not configured yet would have found in the last month. Nothing is stored.
    Raises UsageError where a topic has its name."""
    from digest import pipeline

    check_new(app, topic)
    matches, proposed = pipeline.backtest(app.store, app.plan, topic, app.now, DAYS, app.encode_if_possible)
    found = [one for one in matches if one.score >= topic.floor]
    day = new_york_day(app.now)
    here = {paper.id for paper in app.store.papers(topic.seed_papers)}
    return Backtest(
        day=day,
        matches=tuple(found),
        papers={paper.id: paper for paper in app.store.papers([one.paper for one in found])},
        proposed=tuple(proposed),
        held=sum(app.store.day_counts(day - timedelta(days=DAYS - 1), day).values()),
        missing=tuple(one for one in topic.seed_papers if one not in here),
    )


def add(app: App, topic: Topic) -> Path:
    """Write a new topic into the configuration, and go on with it. Gives the file. Raises UsageError where a
    topic has its name, or the file cannot be written."""
    check_new(app, topic)
    return app.add_topic(topic)


def check_new(app: App, topic: Topic) -> None:
    """Raises UsageError where a topic has this one's name."""
    if topic.name in app.settings.topics:
        raise UsageError(f"there is a topic {topic.name!r}: give this one another name")


def overview(app: App, topic: str) -> Overview:
    """What the keys of a topic bring, month by month."""
    wanted = app.topic(topic)
    shown = [each for each in known_keys(app.store, wanted) if each.state in ("active", "proposed")]
    view = _View(app, wanted, shown)
    found = sorted(
        view.yields(shown), key=lambda each: (each.key.state, each.key.origin != "seed", -each.adds)
    )
    matches = app.store.matches(wanted.name, view.day - yields.RECENT, view.day, 0.0)
    opinions = app.store.opinions(wanted.name)
    return Overview(
        topic=wanted.name,
        day=view.day,
        papers=app.store.count_papers(),
        keys=tuple(found),
        feedback=app.store.count_feedback(wanted.name),
        recall=_recall(wanted, matches, opinions),
        floor=wanted.floor,
        below=_below(app, wanted, [each for each in matches if each.paper not in opinions]),
    )


def _recall(topic: Topic, matches: Sequence[Match], opinions: Mapping[str, Opinion]) -> Recall | None:
    """How many papers of the last 30 days were missed; None where no run has scored any."""
    from digest import recall

    return recall.estimate(recall.catch(matches, topic.floor, opinions)) if matches else None


def _below(app: App, topic: Topic, matches: Sequence[Match]) -> tuple[Below, ...]:
    """The best of the matches, best first, that do not reach the floor."""
    scores = {each.paper: each.score for each in matches if each.score < topic.floor}
    wanted = list(scores)[:BELOW]
    titles = {paper.id: paper.title for paper in app.store.papers(wanted)}
    return tuple(Below(paper=one, title=titles[one], score=scores[one]) for one in wanted)


class _View:
    """Where the keys of a topic stand in the archive until today."""

    def __init__(self, app: App, topic: Topic, shown: Sequence[Key]) -> None:
        self.day = new_york_day(app.now)
        self._app, self._seeds = app, mentions.seed_keys(topic, shown)
        texts = list(dict.fromkeys((*self._seeds, *(each.text for each in shown))))
        papers = app.store.with_phrases(texts, self.day, terms.MOST)
        self.where = yields.standing(texts, topic.exclude_keys, papers)

    def yields(self, keys: Sequence[Key]) -> list[Yield]:
        """What some of the keys bring."""
        held = self._app.store.day_counts(self.day - yields.BEFORE - yields.RECENT, self.day)
        posted = self._app.store.posted_papers()
        return yields.yields(keys, self.where, self._seeds, posted, held, self.day)


# Why.


class Known(Struct, frozen=True):
    """What is stored of a paper, whatever the topic; matches by topic."""

    paper: Paper
    matches: Mapping[str, Match]
    posts: Sequence[Post]
    feedback: Sequence[Feedback]
    merged_into: str | None
    scored: tuple[date, date] | None
    left_out: Mapping[str, tuple[date, str]]


def why(app: App, paper: str) -> list[Why]:
    """All that speaks for and against a paper in each topic, and what came of it."""
    return told(app, known(app, paper))


def known(app: App, paper: str) -> Known:
    """What is stored of a paper. Raises InputError for one that the archive does not hold."""

    base = ids.parse(paper).base
    found = app.store.papers([base])
    if not found:
        raise InputError(f"{base} is not in the archive; digest search finds what is")
    store = app.store
    return Known(
        paper=found[0],
        matches={one.topic: one for one in store.matches_of(base)},
        posts=store.posts_with(base),
        feedback=store.feedback_of(base),
        merged_into=store.merged_into(base),
        scored=_scored(app, found[0]),
        left_out=store.left_out(base),
    )


def told(app: App, known: Known) -> list[Why]:
    """As ``why``, of a paper that was looked up."""
    from digest.why import why

    keys = {topic.name: known_keys(app.store, topic) for topic in app.topics}
    return [why(known.paper, topic, keys[topic.name], _record(app, topic, known)) for topic in app.topics]


def _record(app: App, topic: Topic, known: Known) -> Record:
    match = known.matches.get(topic.name)
    elsewhere = [(name, one.score) for name, one in known.matches.items() if name != topic.name]
    floors = {each.name: each.floor for each in app.topics}
    holding = tuple(post for post in known.posts if post.topics[0] == topic.name)
    is_missing = match is not None and match.score >= topic.floor and not holding
    return Record(
        match=match,
        feedback=tuple(each for each in known.feedback if each.topic == topic.name),
        holding=holding,
        candidate=_candidate(app, known.paper, topic) if is_missing else None,
        elsewhere=tuple((name, score) for name, score in elsewhere if score >= floors.get(name, 1.0)),
        merged_into=known.merged_into,
        left_out=known.left_out.get(topic.name),
        scored=known.scored,
    )


def _candidate(app: App, paper: Paper, topic: Topic) -> Posted | None:
    """The first post of the topic that could have held the paper."""
    first = app.store.first_post(topic.name, "roundup", paper.announced)
    if first is None:
        return None
    return Posted(post=first, scores=app.store.scores(topic.name, first.papers))


def _scored(app: App, paper: Paper) -> tuple[date, date] | None:
    """The window of a run that scored the paper, by the record of runs."""
    lookback = timedelta(days=app.settings.lookback_days)
    for run in app.store.runs(1000):
        day = new_york_day(run.as_of)
        stages = run.report.stages if run.report else ()
        if any(each.stage == "match" for each in stages) and day - lookback <= paper.announced <= day:
            return day - lookback, day
    return None
