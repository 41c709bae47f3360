"""A term over the years."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from digest.report.table import WIDTH, table
from digest.types import Beside, Curve, Jump, Stretch, Trend

BAR = 24
FEW = 100
"""A share of fewer papers is marked: one more would change it."""


def trend(found: Trend, picture: Path | None = None) -> str:
    """The table of a trend: years, shares, the jump, the stretches and what stood beside the term."""
    if not found.said.found and not (found.silent and found.silent.found):
        return f"none of the {found.papers:,} papers held says {found.term!r}"
    parts = [_heading(found), _years(found), _stretches(found.said)]
    parts += [_note(found)] + ([f"picture: {picture}"] if picture else [])
    return "\n\n".join(part for part in parts if part)


def _heading(found: Trend) -> str:
    said = found.said
    lines = [f"{found.term}: {said.found:,} of {found.papers:,} papers say it; {_jump(said.jump)}"]
    if found.silent is not None:
        silent = found.silent
        lines.append(f"silent papers of {found.topic}: {silent.found:,}; {_jump(silent.jump)}")
    return "\n".join(lines)


def _jump(jump: Jump | None) -> str:
    if jump is None:
        return "no certain jump"
    when = f"{jump.year}"
    if jump.earliest != jump.latest:
        when += f" ({jump.earliest}-{jump.latest})"
    return (
        f"jump in {when}, to {_times(jump.ratio)} times the share before (at least {_times(jump.at_least)})"
    )


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _years(found: Trend) -> str:
    silent = found.silent.years if found.silent else None
    heading = ["year", "held", "say it", "share", ""]
    rows = [tuple(heading + (["silent", "share", ""] if silent else []))]
    tops = [
        max((each.share for each in curve.years if each.held >= FEW), default=0.0) for curve in _curves(found)
    ]
    for at, each in enumerate(found.said.years):
        if not each.held:
            continue
        row = [str(each.year), f"{each.held:,}"]
        for curve, top in zip(_curves(found), tops, strict=True):
            one = curve.years[at]
            row += [f"{one.found:,}", _share(one.share, one.held), _bar(one.share, top)]
        rows.append(tuple(row))
    return table(rows)


def _curves(found: Trend) -> list[Curve]:
    return [found.said, found.silent] if found.silent else [found.said]


def _share(share: float, held: int) -> str:
    return _percent(share) + ("?" if held < FEW else "")


def _percent(share: float) -> str:
    return (
        f"{share:.0%}" if share >= 0.1 else f"{share:.1%}" if share >= 0.01 or not share else f"{share:.2%}"
    )


def _bar(share: float, top: float) -> str:
    return "█" * min(BAR, round(BAR * share / top)) if top else ""


def _stretches(curve: Curve) -> str:
    if not any(each.beside for each in curve.stretches):
        return ""
    lines = ["beside it (share of its papers then, and in all other years)"]
    for each in curve.stretches:
        lines.append(f"  {_span(each)}: {each.found:,} papers, {_percent(each.share)} of all")
        told = _beside(each.beside) or "too few papers to tell"
        lines.append(textwrap.fill(told, WIDTH, initial_indent="    ", subsequent_indent="    "))
    return "\n".join(lines)


def _span(each: Stretch) -> str:
    return f"{each.since}" if each.since == each.until else f"{each.since}-{each.until}"


def _beside(found: Sequence[Beside]) -> str:
    return " · ".join(f"{each.text} ({_percent(each.share)}, {_percent(each.elsewhere)})" for each in found)


def _note(found: Trend) -> str:
    held = [each.held for each in found.said.years if each.held]
    text = (
        f"The archive is uneven: it holds {min(held):,} to {max(held):,} papers a year, and of some years "
        "only what a search has found. Shares are of the papers held, adjusted to one mix of categories; "
        f"a ? stands where fewer than {FEW} papers are held."
    )
    return textwrap.fill(text, WIDTH)
