"""The topics: their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.types import Key, KeyState

if TYPE_CHECKING:
    from digest.app import App


def keys(app: App, topic: str, *, everything: bool) -> list[Key]:
    """The keys of a topic: active and proposed, or all."""
    states: tuple[KeyState, ...] | None = None if everything else ("active", "proposed")
    return app.store.keys(app.topic(topic).name, states=states)


def propose(app: App, topic: str) -> list[Key]:
    """Look for adjacent keys of a topic now."""
    from digest import pipeline

    with app.alone():
        return pipeline.propose_keys(app.store, app.plan, app.topic(topic), app.now)


def decide(app: App, topic: str, key: str, state: KeyState, reason: str) -> Key:
    """A person accepts or rejects a key, known or new."""
    from digest.phrases import normalise

    return app.store.decide_key(
        app.topic(topic).name, key, normalise(key), state, by="human", reason=reason, now=app.now
    )
