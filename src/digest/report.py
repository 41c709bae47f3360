"""Results as text for a terminal: plain lines, no colours, nothing a pipe would stumble over."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from digest.types import Delivery, Hit, Key, Listed, Post, RunReport, StageReport, Status

if TYPE_CHECKING:
    from digest.channels.check import Finding
    from digest.review import Polled

WIDTH = 100


def run(report: RunReport) -> str:
    """What each stage did, with counts and seconds, and its notes."""
    lines = [f"as of {report.as_of:%Y-%m-%d %H:%M} UTC"]
    for stage in report.stages:
        lines.append(f"{stage.stage:<8}{stage.seconds:8.1f} s  {_counts(stage)}")
        lines.extend(_wrapped(note, indent=20) for note in stage.notes)
    return "\n".join(lines)


def _counts(stage: StageReport) -> str:
    return " · ".join(f"{name} {number}" for name, number in stage.counts.items()) or "nothing to do"


def _wrapped(text: str, indent: int) -> str:
    space = " " * indent
    return textwrap.fill(text, WIDTH, initial_indent=space, subsequent_indent=space + "  ")


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


def posts(found: Sequence[Post]) -> str:
    """Posts, a line each."""
    if not found:
        return "no posts yet; digest run writes them"
    heading = ("id", "slot", "topics", "genre", "lang", "state", "papers", "parts")
    return table([heading, *map(_post_row, found)])


def _post_row(post: Post) -> tuple[str, ...]:
    about = (str(post.id), str(post.slot), ",".join(post.topics), post.genre, post.language, post.state)
    return (*about, str(len(post.papers)), str(len(post.parts)))


def full_posts(found: Sequence[Post]) -> str:
    """Posts as a reader of the channel would see them: the text without its mark-up."""
    if not found:
        return "no posts yet; digest run writes them"
    return "\n\n".join(_full_post(post) for post in found)


def _full_post(post: Post) -> str:
    facts = (str(post.slot), ",".join(post.topics), post.genre, post.language, post.state)
    head = f"post {post.id} · " + " · ".join(facts)
    parts = [f"── {head} " + "─" * max(0, WIDTH - len(head) - 4)]
    for number, part in enumerate(post.parts, start=1):
        if len(post.parts) > 1:
            parts.append(f"── part {number} of {len(post.parts)} ──")
        parts.append(part.text)
    return "\n".join(parts)


def outbox(found: Sequence[Delivery]) -> str:
    """Deliveries, a line each, and below them what to do about those that are held."""
    if not found:
        return "nothing waits"
    heading = ("id", "channel", "post", "part", "state", "tries", "what happened")
    lines = [table([heading, *map(_delivery_row, found)])]
    lines += [_what_to_do(one) for one in found if one.state in ("uncertain", "failed")]
    return "\n".join(lines)


def _delivery_row(one: Delivery) -> tuple[str, ...]:
    about = (str(one.id), one.channel, str(one.post), str(one.part + 1), one.state, str(one.attempts))
    return (*about, one.receipt or one.error or "")


def _what_to_do(one: Delivery) -> str:
    if one.state == "failed":
        return f"\n{one.id} was refused and is not there: digest outbox resolve {one.id} --retry, or --drop"
    tried = f"of {one.attempted:%Y-%m-%d %H:%M} UTC and later" if one.attempted else "there"
    return (
        f"\n{one.id} may stand in {one.channel}: compare part {one.part + 1} of digest posts show {one.post} "
        f"with the messages {tried}\n"
        f"  it is there:     digest outbox resolve {one.id} --sent MSGID (the number that ends its link)\n"
        f"  it is not there: digest outbox resolve {one.id} --retry\n"
        f"  give it up:      digest outbox resolve {one.id} --drop"
    )


def findings(found: Sequence[Finding]) -> str:
    """What a check has found, a line each."""
    return "\n".join(f"{'ok     ' if one.good else 'WRONG  '} {one.channel}: {one.text}" for one in found)


def polled(found: Polled) -> str:
    """What a poll did."""
    lines = [f"{len(found.decided)} decided, {len(found.shown)} drafts shown", *found.notes]
    return "\n".join(lines)


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


def status(found: Status) -> str:
    """What the archive holds and how the last runs went."""
    lines = [f"{name:<20}{value}" for name, value in found.archive.items()]
    lines += [
        "",
        "deliveries          " + _tally(found.deliveries),
        "posts               " + _tally(found.posts),
    ]
    lines += ["", *(f"{name:<20}{words}" for name, words in found.arxiv.items())]
    lines += ["", "last runs"] + [f"  {line}" for line in found.runs]
    return "\n".join(lines)


def _tally(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {number}" for name, number in counts.items()) or "none"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows in columns as wide as their widest cell; the first row is the heading."""
    listed = [tuple(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*listed, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in listed
    )
