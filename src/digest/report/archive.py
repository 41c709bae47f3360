"""Papers, search answers, and what the archive holds."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise

from digest.report.table import WIDTH, table
from digest.types import Answer, Hit, Listed, Status


def answer(found: Answer, *, colours: bool = False) -> str:
    """Search answers, how the query was read, and what was added to it. ``colours``: the words found
    stand in bold, as a terminal shows it."""
    added = [f"with the keys {', '.join(found.expanded)}"] if found.expanded else []
    notes = [f"note: {note}" for note in found.notes]
    return "\n".join([*notes, *added, *([""] if notes or added else []), hits(found.hits, colours=colours)])


def hits(found: Sequence[Hit], *, colours: bool = False) -> str:
    """Search answers: title, where and when, why, the passage, address."""
    if not found:
        return "nothing found; fewer words or no filter may find more"
    return "\n\n".join(_hit(place, one, colours=colours) for place, one in enumerate(found, start=1))


def _hit(place: int, one: Hit, *, colours: bool) -> str:
    from digest.text import readable

    facts = f"{_authors(one.authors)}{one.published:%Y-%m-%d} · {' '.join(one.categories)} · {one.score:.2f}"
    title = textwrap.fill(readable(one.title), WIDTH - 4, subsequent_indent="    ")
    lines = [f"{place:>2}. {title}", f"    {facts}", f"    {one.why}", *_passage(one, colours=colours)]
    return "\n".join([*lines, f"    {one.url}"])


def _passage(one: Hit, *, colours: bool) -> list[str]:
    """The passage in lines; the marks are put in last, since they have no width."""
    if not one.snippet:
        return []
    lines = textwrap.wrap(one.snippet, WIDTH - 6)
    return [f"    | {line}" for line in (_bold(one, lines) if colours else lines)]


def _bold(one: Hit, lines: Sequence[str]) -> list[str]:
    shown, at = [], 0
    for line in lines:
        at = one.snippet.index(line, at)
        marks = [(start - at, end - at) for start, end in one.marks if at <= start and end <= at + len(line)]
        at += len(line)
        ends = [0, *(place for mark in marks for place in mark), len(line)]
        pieces = [line[start:end] for start, end in pairwise(ends)]
        shown.append("".join(f"\x1b[1m{piece}\x1b[0m" if n % 2 else piece for n, piece in enumerate(pieces)))
    return shown


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
    """In one screen: what wants a person, what went out, how far arXiv was read, what the archive holds,
    how the last runs went."""
    wants = [f"  {line}" for line in found.wants] or ["  nothing: all that can be done is done"]
    rows = {"posts": _tally(found.posts), "parts": _tally(found.deliveries), **found.arxiv}
    rows |= {"archive": _holdings(found.archive), "keys": _keys(found.archive)}
    lines = ["wants you", *wants, "", *(_row(name, words) for name, words in rows.items())]
    if found.reactions:
        lines += ["", "readers' reactions", *(f"  {line}" for line in found.reactions)]
    return "\n".join([*lines, "", "last runs", *(f"  {line}" for line in found.runs or ["none"])])


def _row(name: str, words: str) -> str:
    indent = " " * 20
    return textwrap.fill(f"{name:<20}{words}", WIDTH, subsequent_indent=indent)


def _holdings(archive: Mapping[str, str | int]) -> str:
    """The figures of the archive in a line; those of keys have their own."""
    shown = {name: count for name, count in archive.items() if not name.endswith((" keys", " day"))}
    return " · ".join(f"{count:,} {name}" for name, count in shown.items())


def _keys(archive: Mapping[str, str | int]) -> str:
    return _tally(
        {name.removesuffix(" keys"): int(n) for name, n in archive.items() if name.endswith(" keys")}
    )


def _tally(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {number}" for name, number in counts.items()) or "none"
