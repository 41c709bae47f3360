"""Backups, and a home from a backup."""

from __future__ import annotations

import os
from pathlib import Path

import click

from digest.cli.base import cli, opened, show


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def backup(context: click.Context, file: Path, force: bool) -> None:
    """Write database, configuration, templates and pictures to one FILE, also while digest is at work.

    Tokens and keys are left out. The file is checked as it is written, and replaces an older one only
    when it is whole: digest backup --force /mnt/backup/digest.zip
    """
    from digest import config
    from digest.actions import backup as actions
    from digest.report import backup as report

    with opened(context) as app:
        used = config.find_config(context.obj.get("config"), app.settings.home, os.environ)
        made = actions.backup(app, file, used, force=force)
        show(context, made, lambda: report.made(file, made))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--force", is_flag=True, help="Move an archive that is there aside.")
@click.pass_context
def restore(context: click.Context, file: Path, force: bool) -> None:
    """Make a home again from a backup FILE.

    All of the backup is checked first; what it replaces is moved aside, not deleted. Telegram channels
    are paused, since it is not known here what was sent after the backup was made.
    """
    from digest import config
    from digest.actions import backup as actions
    from digest.report import backup as report

    home = config.find_home(context.obj.get("home"), os.environ)
    done = actions.restore(file, home, os.environ, force=force)
    show(context, done, lambda: report.restored(done))
