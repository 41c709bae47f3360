"""A term over the years: a table, and a picture."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import TOPIC, Day, as_of, cli, language_option, opened, show

if TYPE_CHECKING:
    from digest.types import Language


@cli.command()
@click.argument("term", nargs=-1, required=True)
@click.option("--near", is_flag=True, help="Also which terms stood beside it, and when.")
@click.option("--since", type=click.IntRange(1986, 2100), metavar="YEAR", help="From this year on.")
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Draw it into this file.")
@language_option(default="en", help="Language of the picture.")
@click.option("--dark", is_flag=True, help="A picture for a dark background.")
@as_of
@click.pass_context
def trend(
    context: click.Context,
    term: tuple[str, ...],
    near: bool,
    since: int | None,
    png: Path | None,
    language: Language,
    dark: bool,
    as_of: datetime | None,
) -> None:
    """How common a term was over the years, when that jumped, and what stood beside it."""
    from digest.actions import trends
    from digest.report import trends as report

    with opened(context, as_of) as app:
        found = trends.trend(app, " ".join(term), since=since, beside=near)
        if png:
            from digest.pictures import term_over_years

            term_over_years(found, png, language, dark=dark)
        show(context, found, lambda: report.trend(found, png))


@cli.command("map")
@click.argument("topic", type=TOPIC)
@click.option("--since", type=Day(), required=True, metavar="DAY", help="Announced on this day or later.")
@click.option("--until", type=Day(end=True), metavar="DAY", help="Announced on this day or earlier.")
@click.option("--png", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Draw it there.")
@language_option(default="en", help="Language of the map.")
@click.option("--dark", is_flag=True, help="For a dark background.")
@as_of
@click.pass_context
def map_(
    context: click.Context,
    topic: str,
    since: date,
    until: date | None,
    png: Path,
    language: Language,
    dark: bool,
    as_of: datetime | None,
) -> None:
    """Draw a topic's papers of some days: like ones near each other, those without its word marked."""
    from digest.actions import pictures

    with opened(context, as_of) as app:
        made = pictures.topic_map(app, topic, since, until, png, language, dark=dark)
        show(context, {"path": str(made)}, lambda: f"wrote {made}")
