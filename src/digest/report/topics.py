"""Keys."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from digest.report.table import table
from digest.types import Feedback, Key


def keys(found: Sequence[Key]) -> str:
    """Keys with the evidence they stand on."""
    if not found:
        return "no keys; digest keys propose TOPIC looks for some"
    heading = ("state", "origin", "key", "adds", "verified", "at least", "best added paper")
    return table([heading, *map(_key_row, found)])


def _key_row(key: Key) -> tuple[str, ...]:
    evidence = key.evidence
    if evidence is None:
        return (key.state, key.origin, key.text, "", "", "", "")
    best = textwrap.shorten(evidence.best[0], 50, placeholder="…") if evidence.best else ""
    measured = (str(evidence.adds), str(evidence.verified), f"{evidence.lower_bound:.0%}")
    return (key.state, key.origin, key.text, *measured, best)


def feedback(found: Sequence[Feedback]) -> str:
    """What was said of papers, a line each."""
    if not found:
        return "nothing was said yet; digest feedback like ID --topic TOPIC, or dislike"
    heading = ("when", "topic", "paper", "said", "by")
    return table([heading, *map(_feedback_row, found)])


def _feedback_row(one: Feedback) -> tuple[str, ...]:
    said = one.opinion or "taken back"
    return (f"{one.given_at:%Y-%m-%d %H:%M}", one.topic, one.paper, said, one.given_by)
