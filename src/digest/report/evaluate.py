"""What was measured: a row for each method, a column for each metric with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.report.table import table

if TYPE_CHECKING:
    from digest.evaluation.intervals import Evaluation, Measured, Method

SHOWN = 30


def evaluation(found: Evaluation) -> str:
    """The counts, the table of figures with 95 % intervals, and what our method gave."""
    counts = " · ".join(f"{number} {name}" for name, number in found.counts.items())
    heading = ("", *found.methods[0].values)
    figures = table([heading, *map(_row, found.methods)])
    parts = [
        f"{found.about}\n{counts}",
        f"{figures}\nin brackets: 95 % of the figures if papers (queries, for search) are drawn again",
    ]
    ours = found.methods[0].listed
    if ours:
        parts.append("\n".join(f"{place:>3}. {each}" for place, each in enumerate(ours[:SHOWN], start=1)))
    return "\n\n".join(parts)


def _row(method: Method) -> tuple[str, ...]:
    return (method.name, *map(_figure, method.values.values()))


def _figure(one: Measured) -> str:
    return f"{one.value:.3f} [{one.low:.2f} {one.high:.2f}]"
