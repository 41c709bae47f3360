"""The archive: search it, look into it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Day, Group, as_of, cli, opened, search_options, show
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.types import Window


@cli.command()
@click.argument("query", nargs=-1, required=True)
@search_options
@click.pass_context
def search(context: click.Context, /, query: tuple[str, ...], count: int, **limits: Any) -> None:
    """Search the archive by words and by meaning."""
    from digest.actions import archive
    from digest.report import archive as report

    with opened(context) as app:
        hits = archive.search(app, " ".join(query), count, window(app, **limits))
        show(context, hits, lambda: report.hits(hits))


@cli.command()
@click.argument("paper", metavar="ID")
@search_options
@click.pass_context
def similar(context: click.Context, /, paper: str, count: int, **limits: Any) -> None:
    """Papers that are near to a paper in meaning."""
    from digest.actions import archive
    from digest.report import archive as report

    with opened(context) as app:
        hits = archive.similar(app, paper, count, window(app, **limits))
        show(context, hits, lambda: report.hits(hits))


def window(
    app: App, topic: str | None, since: date | None, until: date | None, categories: tuple[str, ...]
) -> Window:
    """The filters of a search, as they were given. Raises UsageError for a topic or category that is none."""
    from digest import ids
    from digest.types import Window

    if topic is not None:
        app.topic(topic)
    for category in categories:
        if category not in ids.CATEGORIES:
            raise UsageError(
                f"--category {category}: no such category; did you mean {ids.nearest_category(category)}?"
            )
    return Window(topic, since, until, categories)


@cli.group(cls=Group)
def papers() -> None:
    """The papers of the archive."""


@papers.command("list")
@click.option("--announced", type=Day(), metavar="DAY", help="Announced on this day.")
@click.option("--since", type=Day(), metavar="DAY", help="Announced on this day or later.")
@click.option("--until", type=Day(end=True), metavar="DAY", help="Announced on this day or earlier.")
@click.pass_context
def papers_list(
    context: click.Context, announced: date | None, since: date | None, until: date | None
) -> None:
    """List papers by the day they were announced: do we have it?"""
    from digest.report import archive as report

    if announced and (since or until):
        raise UsageError("--announced is one day: leave out --since and --until")
    with opened(context) as app:
        found = app.store.listed_between(announced or since, announced or until)
        show(context, found, lambda: report.papers(found))


@cli.command()
@as_of
@click.pass_context
def status(context: click.Context, as_of: datetime | None) -> None:
    """What the archive holds, how far arXiv was read, what waits, and how the last runs went."""
    from digest.actions import archive
    from digest.report import archive as report

    with opened(context, as_of) as app:
        found = archive.status(app)
        show(context, found, lambda: report.status(found))
