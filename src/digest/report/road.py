"""What the stages did."""

from __future__ import annotations

import textwrap

from digest.report.table import WIDTH
from digest.types import RunReport, StageReport


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
