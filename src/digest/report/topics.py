"""Topics: keys, what they bring, and why a paper belongs to them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from digest.report.table import WIDTH, table
from digest.text import readable
from digest.types import Feedback, Key, KeyDecision, KeyEvidence
from digest.why import Why
from digest.yields import KeyStory, Overlap, Overview, Rise, Yield

SHOWN = 25
HELD = "on expert lists the truth was inside in 8 months of 10"
"""How honest the interval is, by docs/keys.md."""
FEW_PAPERS = 20_000
"""arXiv announces as many in three weeks."""


def keys(found: Sequence[Key]) -> str:
    """Keys with the evidence they stand on."""
    if not found:
        return "no keys; digest keys propose TOPIC looks for some"
    heading = ("state", "origin", "key", "adds", "verified", "at least", "best added paper")
    return "\n\n".join([table([heading, *map(_key_row, found)]), *_caution(found)])


def proposed(topic: str, found: Sequence[Key], waiting: int) -> str:
    """The new keys that a look brought; ``waiting`` is how many nobody has judged, those proposed before
    and found again among them."""
    if found:
        return keys(found)
    if waiting:
        return f"no new key; those found before and found again wait: digest keys list {topic} ({waiting})"
    told = (
        "no new key: no phrase of the topic's papers leads to two others that are surely on topic. Ask again "
        "when the archive has grown (three weeks of arXiv are 20,000 papers), or give a key yourself: digest "
        "keys accept TOPIC KEY"
    )
    return textwrap.fill(told, WIDTH)


def decided(key: Key) -> str:
    """What a person's decision about a key means from now on."""
    told = key.evidence
    brings = (
        f"It stands in {told.matches:,} papers, {told.adds:,} of them without another key of the topic"
        if told
        else f"What it brings: digest keys show {key.topic} {key.text}"
    )
    means = {
        "active": f'"{key.text}" is a key of {key.topic} now. {brings}. The next run counts it; digest keys '
        f"retire {key.topic} {key.text} ends that.",
        "rejected": f'"{key.text}" is not proposed for {key.topic} again, nor is a key that finds the same '
        f"papers; digest keys accept {key.topic} {key.text} takes that back.",
        "retired": f'"{key.text}" is no key of {key.topic} any more, nor proposed again; digest keys '
        f"accept {key.topic} {key.text} takes that back.",
    }
    return textwrap.fill(means[key.state], WIDTH)


def _caution(found: Sequence[Key]) -> list[str]:
    """What is to be said of keys that were measured on few papers."""
    corpus = max((key.evidence.corpus for key in found if key.evidence), default=FEW_PAPERS)
    if corpus >= FEW_PAPERS:
        return []
    told = (
        f"Measured on {corpus:,} papers only: how rare a phrase is elsewhere these cannot tell. Look at what "
        "a key adds (digest keys show TOPIC KEY) before it is accepted."
    )
    return [textwrap.fill(told, WIDTH)]


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


# One key.


def key_story(found: KeyStory) -> str:
    """A key with all that is known of it."""
    key = found.yielded.key
    lines = [f'"{key.text}" of {key.topic}: {key.state}, origin {key.origin}', f"matched as: {key.normal}"]
    parts = ["\n".join(lines), _evidence(key.evidence), _brings(found.yielded)]
    parts += [_overlaps(found.overlaps, found.yielded.papers), _history(found.history)]
    return "\n\n".join(part for part in parts if part)


def _evidence(told: KeyEvidence | None) -> str:
    if told is None:
        return "evidence: none; a person gave it, and no corpus has verified it"
    lines = [
        f"evidence, from {told.corpus:,} papers (scorer {told.scorer})",
        f"  stands in {told.matches:,} papers and adds {told.adds:,} that no key of the topic found",
        f"  verified with its own words left out: {_verified(told)}",
        f"  stands out in the topic's papers by {told.contrast:.1f} standard errors; hop {told.hop}"
        + (f" from {', '.join(told.parents)}" if told.parents else ""),
    ]
    for name, titles in (("best added", told.best), ("worst added", told.worst)):
        lines += [f"  {name}"] + [f"    {_title(title)}" for title in titles] if titles else []
    return "\n".join(lines)


def _verified(told: KeyEvidence) -> str:
    share = told.verified / told.adds if told.adds else 0.0
    return f"{told.verified:,} of these, {share:.0%}, at least {told.lower_bound:.0%} (Wilson, z = 1)"


def _title(title: str) -> str:
    return textwrap.shorten(readable(title), WIDTH - 24, placeholder="…")


def _brings(found: Yield) -> str:
    months = " · ".join(f"{month} {count}" for month, count in found.months.items())
    return "\n".join(
        [
            f"brings {found.papers:,} papers, {found.adds:,} of them silent, {found.posted:,} posted",
            f"  by month: {months}",
            f"  {_rise(found.rise)}",
        ]
    )


def _rise(rise: Rise) -> str:
    what = "rises" if rise.is_certain else "does not surely rise"
    return (
        f"{what}: {rise.recent} of {rise.recent_of:,} papers of the last 30 days, "
        f"{rise.before} of {rise.before_of:,} of the year before (z {rise.z:+.1f})"
    )


def _overlaps(found: Sequence[Overlap], papers: int) -> str:
    if not found:
        return "shares no paper with another active key"
    lines = [
        f"  {each.papers:>4} of {papers:,} papers  {each.key}" + ("  (parent)" if each.parent else "")
        for each in found[:SHOWN]
    ]
    return "\n".join(["shares papers with", *lines])


def _history(found: Sequence[KeyDecision]) -> str:
    if not found:
        return "decisions: none yet"
    lines = [
        f"  {each.decided_at:%Y-%m-%d %H:%M}  {each.state} by {each.decided_by}"
        + (f": {each.reason}" if each.reason else "")
        + (f" ({each.evidence.verified} of {each.evidence.adds} verified)" if each.evidence else "")
        for each in found
    ]
    return "\n".join(["decisions, oldest first", *lines])


# A topic.


def overview(found: Overview) -> str:
    """What the keys of a topic bring by month, and which of them rise."""
    active = [each for each in found.keys if each.key.state == "active"]
    proposed = [each for each in found.keys if each.key.state == "proposed"]
    parts = [
        _heading(found, len(active), len(proposed)),
        _yields(active, "active keys: papers announced by month, all, silent, posted"),
        _rising(found.keys),
        _recall(found),
    ]
    if proposed:
        parts.append(f"{len(proposed)} proposed keys wait for a look: digest keys list {found.topic}")
    return "\n\n".join(part for part in parts if part)


def _heading(found: Overview, active: int, proposed: int) -> str:
    return (
        f"{found.topic} on {found.day}: {active} keys active, {proposed} proposed; {found.papers:,} papers "
        f"held; judged {found.feedback} times by people"
    )


def _yields(found: Sequence[Yield], heading: str) -> str:
    if not found:
        return "no active keys: digest match reads them from the configuration"
    months = [month[2:] for month in found[0].months]
    rows = [("key", "origin", *months, "all", "silent", "posted")]
    rows += [
        (
            each.key.text,
            each.key.origin,
            *map(str, each.months.values()),
            str(each.papers),
            str(each.adds),
            str(each.posted),
        )
        for each in found
    ]
    return f"{heading}\n{table(rows)}"


def _rising(found: Sequence[Yield]) -> str:
    rising = sorted((each for each in found if each.rise.is_certain), key=lambda each: -each.rise.z)
    if not rising:
        return "rising in the last 30 days: no key surely"
    lines = [f"  {each.key.text} ({each.key.state}) {_rise(each.rise)}" for each in rising[:SHOWN]]
    return "\n".join(["rising in the last 30 days", *lines])


def _recall(found: Overview) -> str:
    told = found.recall
    if told is None:
        return "missed in the last 30 days: no paper was scored (digest match)"
    estimate = (
        f"missed in the last 30 days: about {told.missed:.0f} papers on topic, where {told.found:.0f} were "
        f"found: {told.share:.0%} of them. How sure that is: {told.fewest:.0f} to {told.most:.0f} missed, "
        f"{told.low:.0%} to {told.high:.0%} found ({HELD})."
    )
    grounds = (
        f"Missed is what the archive holds and the floor of {found.floor:g} keeps out of posts; what was "
        f"never crawled is not counted. It is told by two ways of finding: {told.by_keys} papers hold a "
        f"key, {told.by_looks} look like the topic, {told.by_both} do both; the fewer do both, the more "
        "did neither."
    )
    return "\n".join([_paragraph(estimate, ""), _paragraph(grounds, "  "), *_below(found)])


def _below(found: Overview) -> list[str]:
    """Papers that a judgement would tell most of."""
    if not found.below:
        return []
    asked = (
        f"Nearest below the floor; judging them (digest feedback like ID --topic {found.topic}, or dislike) "
    )
    lines = [f"    {each.score:.3f}  {each.paper}  {_title(each.title)}" for each in found.below]
    return [_paragraph(asked + "makes the estimate surer:", "  "), *lines]


def _paragraph(text: str, indent: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent="  ")


# Why.


def why(found: Sequence[Why]) -> str:
    """What speaks for and against a paper in each topic; a topic it has nothing to do with is a line."""
    told = [each for each in found if each.score is not None or each.speaks_for]
    rest = [each.topic for each in found if each not in told]
    parts = [_topic_why(each) for each in told]
    if rest:
        parts.append(f"nothing speaks for it in {', '.join(rest)}: no key stands in it, and it is no match")
    return "\n\n".join(parts)


def _topic_why(each: Why) -> str:
    lines = [each.topic]
    for sign, points in (("+", each.speaks_for), ("-", each.speaks_against), ("=", each.outcome)):
        lines += [_point(sign, point) for point in points]
    return "\n".join(lines)


def _point(sign: str, point: str) -> str:
    return textwrap.fill(readable(point), WIDTH, initial_indent=f"  {sign} ", subsequent_indent="    ")
