"""What a channel would have posted, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import date
from statistics import median

from digest.report.table import WIDTH, table
from digest.text import readable
from digest.types import Draft, Evidence, Rehearsal, RehearsedDay

FEW = 12
"""So many silent finds are shown, the surest first."""


def backtest(found: Rehearsal) -> str:
    """A summary, the days, and the papers that no key of the topic found."""
    parts = [_wrapped(line) for line in _summary(found)]
    return "\n\n".join(["\n".join(parts), _days(found), *_silent(found)])


def posts(found: Rehearsal, day: date, drafts: Sequence[Draft]) -> str:
    """The posts of one day as they would be sent, or why there is none."""
    if drafts:
        return "\n\n".join(
            "\n\n".join([f"── {found.topic} {day} {one.language}", *(part.text for part in one.parts)])
            for one in drafts
        )
    why = next((one.why_none for one in found.days if one.day == day), "the archive holds no such day")
    return f"{found.topic}: no post on {day}: {why}"


def _summary(found: Rehearsal) -> Iterator[str]:
    days = found.days
    posted = [one for one in days if one.papers]
    papers, silent = sum(len(one.papers) for one in posted), sum(one.silent for one in posted)
    yield f"{found.topic}: what its channel would have posted from {found.since} to {found.until}."
    if found.since < days[0].day:
        yield (
            f"The archive holds the announcements of {_counted(found.held, 'day')} of these {found.asked},"
            f" from {days[0].day} on; {found.scored:,} papers of the window were scored."
        )
    rate, each = len(posted) / len(days), papers / max(1, len(posted))
    yield (
        f"{_counted(len(posted), 'post')} in {_counted(len(days), 'day')} on which a run would look,"
        f" {rate:.2f} a day; {_counted(papers, 'paper')}, {each:.1f} a post."
    )
    share = f" ({silent / papers:.0%})" if papers else ""
    yield f"{_counted(silent, 'silent find')}{share}: papers with none of the topic's seed keys."
    yield f"repeats: {len(found.twice)} papers posted twice; {_held_back(days)}."
    yield from _lengths(posted)


def _held_back(days: Sequence[RehearsedDay]) -> str:
    """What was kept out of the posts, and why."""
    return (
        f"{sum(one.repeats for one in days)} kept out as repeats of what was posted,"
        f" {sum(one.elsewhere for one in days)} that fit another topic better,"
        f" {sum(one.unsure for one in days)} that only look like the topic,"
        f" {sum(one.crowded for one in days)} that found no room"
    )


def _lengths(posted: Sequence[RehearsedDay]) -> Iterator[str]:
    for language in posted[0].characters if posted else ():
        lengths = [one.characters[language] for one in posted]
        most = max(one.messages[language] for one in posted)
        yield (
            f"length in {language}: {min(lengths):,} to {max(lengths):,} characters,"
            f" median {median(lengths):,.0f}; {f'up to {most} messages' if most > 1 else 'one message'}."
        )


def _days(found: Rehearsal) -> str:
    languages = list(dict.fromkeys(name for one in found.days for name in one.characters))
    heading = ("day", "announced", "fit", "posted", "silent", "repeats", *languages, "")
    return table([heading, *(_day_row(one, languages) for one in found.days)])


def _day_row(one: RehearsedDay, languages: Sequence[str]) -> tuple[str, ...]:
    lengths = {str(name): f"{count:,}" for name, count in one.characters.items()}
    counts = (f"{one.announced:,}", str(one.fitting), str(len(one.papers)), str(one.silent), str(one.repeats))
    parts = max(one.messages.values(), default=0)
    remark = one.why_none or (f"{parts} messages" if parts > 1 else "")
    return (f"{one.day:%a} {one.day}", *counts, *(lengths.get(name, "") for name in languages), remark)


def _silent(found: Rehearsal) -> Iterator[str]:
    best = sorted(found.silent, key=lambda one: -one.score)[:FEW]
    if best:
        lines = [f"silent finds{f', the surest {FEW}' if len(found.silent) > FEW else ''}"]
        for one in best:
            lines += [
                f"  {one.day} {one.paper} {one.score:.2f}  {_short(one.title)}",
                f"    {_why(one.evidence)}",
            ]
        yield "\n".join(lines)
    name = f"--topic {found.topic}"
    yield f"one day as it would be sent: digest backtest {name} --show {found.days[-1].day}"


def _why(told: Evidence) -> str:
    if told.other_keys:
        return f"found by: {', '.join(told.other_keys)}"
    return next((f"near {_short(one.title)}" for one in told.neighbours), "looks like the topic's papers")


def _short(title: str) -> str:
    return textwrap.shorten(readable(title), WIDTH - 30, placeholder="…")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")
