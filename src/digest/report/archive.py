"""Papers, search answers, and what the archive holds."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from digest.report.table import WIDTH, table
from digest.types import Hit, Listed, Status


def hits(found: Sequence[Hit]) -> str:
    """Search answers: title, where and when, why, address."""
    if not found:
        return "nothing found; fewer words or no filter may find more"
    return "\n\n".join(_hit(place, one) for place, one in enumerate(found, start=1))


def _hit(place: int, one: Hit) -> str:
    from digest.text import readable

    facts = f"{_authors(one.authors)}{one.published:%Y-%m-%d} · {' '.join(one.categories)} · {one.score:.2f}"
    title = textwrap.fill(readable(one.title), WIDTH - 4, subsequent_indent="    ")
    return f"{place:>2}. {title}\n    {facts}\n    {one.why}\n    {one.url}"


def _authors(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (" et al." if len(names) > 3 else "")
    return f"{shown} · "


def papers(found: Sequence[Listed]) -> str:
    """Papers as the archive has them, a line each."""
    if not found:
        return "no papers; digest crawl brings what is new, digest backfill TOPIC what was before"
    heading = ("id", "version", "announced", "as", "submitted", "categories")
    return table([heading, *map(_paper_row, found)])


def _paper_row(one: Listed) -> tuple[str, ...]:
    how = f"{one.announce_type}, withdrawn" if one.withdrawn else one.announce_type
    facts = (one.id, f"v{one.version}", str(one.announced), how, f"{one.submitted:%Y-%m-%d}")
    return (*facts, " ".join(one.categories))


def status(found: Status) -> str:
    """What the archive holds and how the last runs went."""
    lines = [f"{name:<20}{value}" for name, value in found.archive.items()]
    lines += [
        "",
        "deliveries          " + _tally(found.deliveries),
        "posts               " + _tally(found.posts),
    ]
    if found.reactions:
        lines += ["", "readers' reactions", *(f"  {line}" for line in found.reactions)]
    lines += ["", *(f"{name:<20}{words}" for name, words in found.arxiv.items())]
    lines += ["", "last runs"] + [f"  {line}" for line in found.runs]
    return "\n".join(lines)


def _tally(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {number}" for name, number in counts.items()) or "none"
