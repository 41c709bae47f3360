"""Exports: posts, topics and searches as files for other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from digest.cli.archive import window
from digest.cli.base import TOPIC, Day, Group, cli, language_option, opened, search_options, show

F = TypeVar("F", bound=Callable[..., Any])


@cli.group(cls=Group)
def export() -> None:
    """Posts, topics and searches as Markdown, BibTeX, JSON or CSV."""


def _options(command: F) -> F:
    forms = click.Choice(["markdown", "bibtex", "json", "csv"])
    path = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("-o", "--output", "file", type=path, metavar="FILE", help="Write it there."),
        click.option("--format", "form", type=forms, help="As what; markdown, or with --json json."),
    ):
        command = option(command)
    return command


@export.command("posts")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@_options
@click.option("--topic", type=TOPIC, metavar="NAME", help="Only posts of this topic.")
@language_option(help="Only posts in this language.")
@click.option("--since", type=Day(), metavar="DAY", help="For this day or later.")
@click.option("--until", type=Day(end=True), metavar="DAY", help="For this day or earlier.")
@click.pass_context
def export_posts(
    context: click.Context, /, ids: tuple[int, ...], form: Any, file: Path | None, **limits: Any
) -> None:
    """Posts, by ID or all: their text (Markdown), or the papers they show."""
    from digest.actions import export

    with opened(context) as app:
        form = form or _usual(context)
        _put(context, export.posts(app, form, ids, **limits), form, file)


@export.command("topic")
@click.argument("name", type=TOPIC)
@_options
@click.option("--since", type=Day(), metavar="DAY", help="Announced on this day or later.")
@click.option("--until", type=Day(end=True), metavar="DAY", help="Announced on this day or earlier.")
@click.pass_context
def export_topic(context: click.Context, /, name: str, form: Any, file: Path | None, **limits: Any) -> None:
    """The papers of a topic, best first: a base to read from."""
    from digest.actions import export

    with opened(context) as app:
        form = form or _usual(context)
        _put(context, export.topic(app, form, name, **limits), form, file)


@export.command("search")
@click.argument("query", nargs=-1, required=True)
@_options
@search_options
@click.pass_context
def export_search(
    context: click.Context, /, query: tuple[str, ...], form: Any, file: Path | None, count: int, **limits: Any
) -> None:
    """What a search finds."""
    from digest.actions import export

    with opened(context) as app:
        form = form or _usual(context)
        found = export.search(app, form, " ".join(query), count, window(app, **limits))
        _put(context, found, form, file)


def _usual(context: click.Context) -> Literal["json", "markdown"]:
    """The form where none was named."""
    return "json" if context.obj.get("json") else "markdown"


def _put(context: click.Context, text: str, form: Any, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    from digest.actions import export

    export.write(text, file, form)
    show(context, {"path": str(file)}, lambda: f"wrote {file}")
