"""The archive: search it, look into it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import to_builtins

from digest.cli import asking
from digest.cli.base import Day, Group, as_of, cli, opened, search_options, show
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.types import Answer, Window


@cli.command()
@click.argument("query", nargs=-1)
@search_options
@click.option(
    "--mode",
    type=click.Choice(["words", "vectors", "both"]),
    default="both",
    show_default=True,
    help="Compare words, meaning, or both.",
)
@click.option("--expand", is_flag=True, help="Add the keys of the topic, and say which.")
@click.option(
    "--queries",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help='Answer the queries of a file, {"query": "..."} a line.',
)
@click.pass_context
def search(
    context: click.Context,
    /,
    query: tuple[str, ...],
    count: int,
    mode: Any,
    expand: bool,
    queries: Path | None,
    **limits: Any,
) -> None:
    """Search the archive by words and by meaning.

    \b
    "in quotes"            these words together
    -word -"a phrase"      papers without it
    ti:word abs:word au:name
                           in title, abstract or authors
    cat:cs.LG  cat:cs      category, or all of an archive; -cat:cs.CV leaves out
    topic:NAME  year:2024  year:2023..2026  id:2107.05580

    A minus at the start of the query wants -- before it: digest search -- -word other
    """
    from digest.actions import archive

    asking.one_thread()
    if bool(query) == bool(queries):
        raise UsageError("say what to search for, or --queries FILE")
    with opened(context) as app:
        limited = window(app, **limits)
        if not queries:
            asking.answer(app, context.obj, " ".join(query), count, limited, mode, expand=expand)
            return
        for text, answer in archive.search_file(app, queries, count, limited, mode, expand=expand):
            _show_line(context, text, answer)


def _show_line(context: click.Context, text: str, answer: Answer) -> None:
    from digest.report import archive as report

    line = {"query": text, **to_builtins(answer)}
    show(context, line, lambda: f"── {text}\n{report.answer(answer)}\n")


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
    return Window((topic,) if topic else (), since, until, categories)


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


@papers.command("fetch")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@as_of
@click.pass_context
def papers_fetch(context: click.Context, ids: tuple[str, ...], as_of: datetime | None) -> None:
    """Ask arXiv for single papers by their ids, such as 2107.05580 or cs/0301001.

    They are searched and learnt from, and can be added to a post; none is news.
    """
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.fetch(ids)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


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
