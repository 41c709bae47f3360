"""Keys."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from digest.report.table import table
from digest.types import Key


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
