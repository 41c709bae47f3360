"""The archive as readers see it, for any web host."""

from __future__ import annotations

from pathlib import Path

import click

from digest.cli.base import Group, cli, opened, show


@cli.group(cls=Group)
def site() -> None:
    """The archive as readers see it."""


@site.command("build")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_context
def site_build(context: click.Context, folder: Path) -> None:
    """Write what was published into DIR: pages, Atom feeds and a search that needs no server.

    DIR can be put on any web host, or opened from the disk. Built again, only what has changed is
    written; nothing in DIR that digest did not write is touched. Drafts and posts that wait are left out.
    """
    from digest.actions import site
    from digest.report import site as report

    with opened(context) as app:
        done = site.build(app, folder)
        show(context, done, lambda: report.built(done))
