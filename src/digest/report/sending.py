"""Deliveries and channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from digest.report.table import table
from digest.types import Delivery, FollowUp

if TYPE_CHECKING:
    from digest.channels.check import Finding
    from digest.review import Polled


def outbox(found: Sequence[Delivery], following: Sequence[FollowUp] = ()) -> str:
    """Deliveries, a line each, and below them what to do about those that are held; then the edits, polls
    and pins."""
    if not found and not following:
        return "nothing waits"
    lines = []
    if found:
        heading = ("id", "channel", "post", "part", "state", "tries", "what happened")
        lines.append(table([heading, *map(_delivery_row, found)]))
        lines += [_what_to_do(one) for one in found if one.state in ("uncertain", "failed")]
    if following:
        heading = ("what follows", "channel", "post", "part", "state", "tries", "why, and what happened")
        lines += ["", table([heading, *map(_followup_row, following)])]
    return "\n".join(lines).strip("\n")


def _followup_row(one: FollowUp) -> tuple[str, ...]:
    about = (one.kind, one.channel, str(one.post), str(one.part + 1), one.state, str(one.attempts))
    return (*about, f"{one.why}: {one.error}" if one.error else one.why)


def _delivery_row(one: Delivery) -> tuple[str, ...]:
    about = (str(one.id), one.channel, str(one.post), str(one.part + 1), one.state, str(one.attempts))
    return (*about, one.receipt or one.error or "")


def _what_to_do(one: Delivery) -> str:
    if one.state == "failed":
        correct = f"digest outbox correct {one.post}" + (f" --part {one.part + 1}" if one.part else "")
        return (
            f"\n{one.id} was refused and is not there; the parts after it wait\n"
            f"  see its text: {correct} > part.html\n"
            f"  change it:    {correct} part.html\n"
            f"  then:         digest outbox resolve {one.id} --retry\n"
            f"  give it up:   digest outbox resolve {one.id} --drop"
        )
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
    edited = f", {len(found.edited)} edited" if found.edited else ""
    return "\n".join([f"{len(found.decided)} decided{edited}, {len(found.shown)} drafts shown", *found.notes])
