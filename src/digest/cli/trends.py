"""A term over the years: a table, and a picture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import as_of, cli, opened, show

if TYPE_CHECKING:
    from digest.types import Language


@cli.command()
@click.argument("term", nargs=-1, required=True)
@click.option("--near", is_flag=True, help="Also which terms stood beside it, and when.")
@click.option("--since", type=click.IntRange(1986, 2100), metavar="YEAR", help="From this year on.")
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Draw it into this file.")
@click.option(
    "--language", type=click.Choice(["en", "ru", "zh"]), default="en", help="Language of the picture."
)
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
