"""The road: one command a stage, and all of them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from digest.cli.base import TOPIC, Day, as_of, cli, language_option, opened, show


@cli.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("digest.toml"))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def init(context: click.Context, path: Path, force: bool) -> None:
    """Write a commented digest.toml to change."""
    from digest import config

    written = config.init(path, force=force)
    show(context, {"path": str(written)}, lambda: f"wrote {written}\nnext: read it, then: digest run")


@cli.command()
@click.option("--source", metavar="NAME", help="Crawl this source instead of the configured one.")
@as_of
@click.pass_context
def run(context: click.Context, source: str | None, as_of: datetime | None) -> None:
    """Do all stages: crawl, embed, match, write, deliver."""
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.run(source)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command()
@click.option("--ray", metavar="ADDRESS", help="Let a Ray cluster compute: HOST:PORT, auto, or local.")
@as_of
@click.pass_context
def embed(context: click.Context, ray: str | None, as_of: datetime | None) -> None:
    """Embed papers that have no vector yet.

    With --ray a Ray cluster computes (docs/scale.md); the archive is still written by this process alone.
    Each text is embedded once, and what was cut off goes on when the same is asked again.
    """
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.stage("embed", ray)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command()
@as_of
@click.pass_context
def deliver(context: click.Context, as_of: datetime | None) -> None:
    """Send what waits to its channels."""
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.stage("deliver")
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command()
@click.option("--since", type=Day(), metavar="DAY", help="All papers announced on this day or later.")
@as_of
@click.pass_context
def match(context: click.Context, since: date | None, as_of: datetime | None) -> None:
    """Score the papers of the last days for each topic.

    What papers are scored by is learned from the archive once a week, after 20 judgements, or when a
    topic has changed, and kept in between. With --since older papers are scored too: for a review or an
    essay about them.
    """
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.match(since) if since else app.stage("match")
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


GENRES = ("roundup", "links", "review", "essay", "listing")


@cli.command()
@click.option(
    "--genre", type=click.Choice(GENRES), default="roundup", show_default=True, help="What to write."
)
@click.option(
    "--topic", "topics", multiple=True, type=TOPIC, metavar="NAME", help="Of this topic (again for more)."
)
@click.option("--since", type=Day(), metavar="DAY", help="About papers announced on this day or later.")
@click.option("--until", type=Day(end=True), metavar="DAY", help="Announced on this day or earlier.")
@language_option("languages", multiple=True, help="In this language.")
@as_of
@click.pass_context
def write(
    context: click.Context,
    genre: Any,
    topics: tuple[str, ...],
    since: Any,
    until: Any,
    languages: Any,
    as_of: Any,
) -> None:
    """Write the roundups that are due; or, with --genre, a post about a window of days.

    links: sections, a line and the links of each paper. review: what the term means, the approaches, the
    ideas, what was found without the word. essay: problems and what is done about them. listing: an index
    page, for files and feeds.
    """
    from digest.actions import posts
    from digest.report import road as report

    with opened(context, as_of) as app:
        if genre == "roundup":
            if topics or since or until or languages:
                context.fail(
                    "--topic, --since, --until and --lang go with another --genre: roundups know their day"
                )
            done = app.stage("write")
        else:
            done = posts.write(app, genre, topics, since, until, languages)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command()
@click.option("--source", metavar="NAME", help="Crawl this source instead of the configured one.")
@click.option("--since", type=Day(), metavar="DAY", help="All that changed since this day: a bulk load.")
@click.option("--check", is_flag=True, help="Look for what a bulk load has missed, and fetch it.")
@as_of
@click.pass_context
def crawl(
    context: click.Context, source: str | None, since: date | None, check: bool, as_of: datetime | None
) -> None:
    """Read new papers from the source."""
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.crawl(source, since, check=check)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command()
@click.argument("topic", type=TOPIC)
@click.option("--since", type=Day(), required=True, metavar="YEAR|DAY", help="Submitted then or later.")
@click.option("--until", type=Day(end=True), metavar="YEAR|DAY", help="Submitted then or earlier.")
@as_of
@click.pass_context
def backfill(
    context: click.Context, topic: str, since: date, until: date | None, as_of: datetime | None
) -> None:
    """Ask arXiv for the papers of a topic of the years behind, by its keys.

    What was cut off goes on when the same is asked again.
    """
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.backfill(topic, since, until)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option("--announced", type=Day(), metavar="DAY", help="The day these papers were announced.")
@as_of
@click.pass_context
def import_(
    context: click.Context, files: tuple[Path, ...], announced: date | None, as_of: datetime | None
) -> None:
    """Read papers from files in the arXiv metadata snapshot's format (JSON lines; .gz, .xz, .zst)."""
    from digest.report import road as report

    with opened(context, as_of) as app:
        done = app.import_files(files, announced)
        show(context, done, lambda: report.run(done))
