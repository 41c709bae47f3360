"""Vectors from one machine to another."""

from __future__ import annotations

from pathlib import Path

import click

from digest.cli.base import Group, cli, opened, show

_FILE = click.Path(path_type=Path, dir_okay=False, readable=False)


@cli.group(cls=Group)
def vectors() -> None:
    """Carry vectors from a machine that embeds to one that serves."""


@vectors.command("export")
@click.argument("file", type=_FILE)
@click.pass_context
def vectors_export(context: click.Context, file: Path) -> None:
    """Write the vectors of all papers to FILE (safetensors, with model, text hashes and checksum)."""
    from digest.actions import vectors
    from digest.report import vectors as report

    with opened(context) as app:
        done = vectors.export(app, file)
        show(context, done, lambda: report.exported(file, done))


@vectors.command("import")
@click.argument("file", type=_FILE)
@click.pass_context
def vectors_import(context: click.Context, file: Path) -> None:
    """Take the vectors of FILE for the papers that have the same text here and none yet.

    Papers whose text has changed are left to be embedded. Nothing is stored of a file of another model, of
    another dimension, or that is damaged; to import a file again changes nothing.
    """
    from digest.actions import vectors
    from digest.report import vectors as report

    with opened(context) as app:
        done = vectors.import_(app, file)
        show(context, done, lambda: report.imported(file, done))
