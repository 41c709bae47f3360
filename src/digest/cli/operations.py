"""Keeping it running: the doctor, the daemon, and what the editors are told."""

from __future__ import annotations

import os
from datetime import datetime

import click

from digest.cli.base import as_of, cli, opened, show
from digest.errors import ConfigError


@cli.command()
@click.option("--online", is_flag=True, help="Ask arXiv, once, and Telegram too.")
@click.option("--repair", is_flag=True, help="Make the indexes of words and of vectors anew first.")
@as_of
@click.pass_context
def doctor(context: click.Context, online: bool, repair: bool, as_of: datetime | None) -> None:
    """Look at everything: what is well, and of what is not, what to do.

    Configuration, database, disk, model, index, GPU, arXiv, Telegram, clock, the last batch and run, and
    what waits. Changes nothing but with --repair. Ends with 1 where something is wrong.
    """
    from digest import config
    from digest.actions import operations
    from digest.report import operations as report
    from digest.types import Check

    given = context.obj
    try:
        with opened(context, as_of) as app:
            done = operations.repair(app) if repair else []
        with opened(context, as_of) as app:
            file = config.find_config(given.get("config"), app.settings.home, os.environ)
            found = [
                *(Check("repair", "ok", text) for text in done),
                *operations.check(app, file, online=online),
            ]
    except ConfigError as error:
        lines = str(error).splitlines()
        found = [Check("configuration", "wrong", line, "correct it: docs/configuration.md") for line in lines]
    show(context, found, lambda: report.checks(found))
    context.exit(int(any(one.level == "wrong" for one in found)))
