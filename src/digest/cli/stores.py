"""An archive from one database to another."""

from __future__ import annotations

import click

from digest.cli.base import cli, show


@cli.command("migrate-store")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.pass_context
def migrate_store(context: click.Context, source: str, target: str) -> None:
    """Copy an archive from database SRC to DST, and show that they are equal.

    Each is a file of SQLite or a database URL. DST must hold no archive yet. All tables are copied in one
    transaction, read back and compared, so that a copy is whole or not there; SRC is not changed, and nobody
    can write to it meanwhile. A password is better not written here: PostgreSQL reads ~/.pgpass.
    """
    from digest import log
    from digest.actions import stores
    from digest.report import stores as report

    given = context.obj
    log.configure(-1 if given.get("quiet") else given.get("verbose", 0), json=bool(given.get("json")))
    talks = not (given.get("quiet") or given.get("json"))
    copied = stores.migrate(source, target, lambda one: click.echo(report.line(one)) if talks else None)
    show(context, copied, lambda: report.equal(copied))
