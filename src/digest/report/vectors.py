"""What was carried from one machine to another."""

from __future__ import annotations

from pathlib import Path

from digest.types import Carried


def exported(path: Path, done: Carried) -> str:
    """How many vectors the file holds, and how many texts have none."""
    lines = [f"{path}: {done.vectors:,} vectors of {done.model}, {done.dimension} dimensions"]
    return "\n".join([*lines, *_waiting(done)])


def imported(path: Path, done: Carried) -> str:
    """What was new, what was known, and what is left to be embedded."""
    known = done.vectors - done.stored - done.elsewhere
    lines = [f"{path}: {done.vectors:,} vectors of {done.model}; {done.stored:,} new, {known:,} were there"]
    if done.elsewhere:
        lines.append(
            f"left out: {done.elsewhere:,} of texts that no paper has here; import again after the papers"
        )
    return "\n".join([*lines, *_waiting(done)])


def _waiting(done: Carried) -> list[str]:
    return [f"texts left to be embedded: {done.waiting:,} (digest embed)"] if done.waiting else []
