"""Keeping it running: the doctor, the daemon, and what the editors are told."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import click

from digest.cli.base import as_of, cli, given_again, opened, show
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


@cli.command()
@as_of
@click.pass_context
def watch(context: click.Context, as_of: datetime | None) -> None:
    """Tell the editors in Telegram what they must know, each thing once.

    That arXiv has brought nothing for five days, that the disk is short, that no run came to its end for
    four days; and when it is over. For a timer; the daemon does it every hour.
    """
    from digest.actions import operations

    with opened(context, as_of) as app:
        lines = operations.watch(app)
        if lines or context.obj.get("json"):  # cron writes a mail for each word
            show(context, lines, lambda: "\n".join(lines))


@cli.command()
@click.pass_context
def daemon(context: click.Context) -> None:
    """Stay, and do everything when it is due, until SIGTERM or Ctrl-C.

    Runs all stages at schedule.run_at (New York), again after what failed or was late; delivers when a
    channel's times and quiet hours let it; shows drafts in Telegram and takes decisions at once; tells the
    editors what they must know. A cron job beside it does no harm. SIGHUP reads the configuration again.
    """
    from digest import config, log, memory
    from digest.daemon import Daemon
    from digest.stopping import Ended

    memory.share_arenas()
    given = context.obj
    log.configure(-1 if given.get("quiet") else given.get("verbose", 0), json=bool(given.get("json")))

    def load() -> config.Settings:
        return config.load(given.get("config"), given.get("home"), os.environ)

    def say(line: str) -> None:
        now = datetime.now(UTC)
        said = {"at": now.isoformat(timespec="seconds"), "said": line}
        show(context, said, lambda: f"{now:%Y-%m-%d %H:%M:%S} UTC  {line}")

    at_work = Daemon(load, given_again(context), say)
    at_work.start()
    signal.signal(signal.SIGHUP, lambda *_: at_work.reload())
    try:
        while True:
            time.sleep(3600)
    except Ended as ended:
        say(f"{ended}: stopping")
    finally:
        at_work.stop()
    say("stopped")
