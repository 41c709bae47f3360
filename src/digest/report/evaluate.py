"""What was measured: a row for each method, a column for each metric with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.report.table import table

if TYPE_CHECKING:
    from digest.evaluation.intervals import Evaluation, Measured, Method
    from digest.evaluation.recall import Month, RecallCheck

SHOWN = 30
MANY_LISTED = 20


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


def recall(found: RecallCheck) -> str:
    """A row for each month, and how often each method's interval held what the lists say."""
    from digest.evaluation.recall import LEAST_LISTED, coverage

    methods = list(found.months[0].estimates)
    rows = [("month", "papers", "listed", "found", "share", *methods)]
    rows += [_month(each, methods) for each in found.months]
    lines = [
        f"{method}: the 90 % interval holds the share in {covered} of {of} months, and agrees with it, few "
        f"papers being listed, in {agreed} (of {least} listed or more)"
        for method in methods
        for least in (LEAST_LISTED, MANY_LISTED)
        for covered, agreed, of in [coverage(found.months, method, least)]
        if of
    ]
    return "\n\n".join([found.about, table(rows), "\n".join(lines)])


def _month(each: Month, methods: list[str]) -> tuple[str, ...]:
    told = [_figure(each.estimates[name]) + ("" if each.covered(name) else " *") for name in methods]
    return (each.month, str(each.papers), str(each.listed), str(each.found), f"{each.share:.2f}", *told)
