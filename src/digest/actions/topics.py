"""The topics: their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.errors import InputError
from digest.types import Feedback, Key, KeyState, Opinion

if TYPE_CHECKING:
    from digest.app import App


PERSON = "human"


def keys(app: App, topic: str, *, everything: bool) -> list[Key]:
    """The keys of a topic: active and proposed, or all."""
    states: tuple[KeyState, ...] | None = None if everything else ("active", "proposed")
    return app.store.keys(app.topic(topic).name, states=states)


def propose(app: App, topic: str) -> list[Key]:
    """Look for adjacent keys of a topic now."""
    from digest import pipeline

    with app.alone():
        return pipeline.propose_keys(app.store, app.plan, app.topic(topic), app.now)


def judge(app: App, topic: str, paper: str, opinion: Opinion | None) -> Feedback:
    """A person likes or dislikes a paper as one of a topic, or takes that back; saying the same again
    is harmless."""
    from digest import ids

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
    """A person accepts or rejects a key, known or new."""
    from digest.phrases import normalise

    return app.store.decide_key(
        app.topic(topic).name, key, normalise(key), state, by=PERSON, reason=reason, now=app.now
    )
