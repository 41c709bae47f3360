"""The page in a browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from threading import Thread
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from digest.cli.base import as_of, cli, given_again, opened
from digest.errors import DigestError, UsageError

if TYPE_CHECKING:
    from digest.app import App


@cli.command()
@click.option("--address", metavar="IP", help="Listen here (page.address).")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Listen on this port (page.port).")
@click.option("--schedule", is_flag=True, help="Do what digest daemon does, too.")
@click.option("--set-password", "wants_password", is_flag=True, help="Ask for the page's password, and end.")
@click.option("--make-token", "wants_token", is_flag=True, help="Make a token for programs, and end.")
@as_of
@click.pass_context
def serve(
    context: click.Context,
    address: str | None,
    port: int | None,
    schedule: bool,
    wants_password: bool,
    wants_token: bool,
    as_of: datetime | None,
) -> None:
    """Show the archive, posts, keys and trends in a browser.

    Listens on this machine alone unless told otherwise; anywhere else it wants a password or a token first.
    """
    from digest import memory

    memory.share_arenas()
    _compute_calmly()
    from digest.home import make_home
    from digest.web import access, guard, server, work
    from digest.web import app as web

    if schedule and as_of:
        raise UsageError("--schedule goes by the clock: leave out --as-of")
    with opened(context, as_of) as app:
        make_home(app.settings.home)
        if wants_password:
            file = access.set_password(app.settings.home, _password())
            click.echo(f"the password is set; its hash is in {file}")
            return
        if wants_token:
            click.echo(access.make_token(app.settings.home))
            click.echo("this is the token; it is shown once: Authorization: Bearer TOKEN", err=True)
            return
        chosen = app.settings.page
        chosen = replace(
            chosen, address=address or chosen.address, port=chosen.port if port is None else port
        )
        known = access.load(app.settings.home)
        if not known.is_locked and not guard.is_loopback(chosen.address):
            raise UsageError(
                f"{chosen.address} can be reached from elsewhere: set a password first: "
                "digest serve --set-password (or, for programs, a token: digest serve --make-token)"
            )
        hosts = guard.Hosts(chosen.address, chosen.hosts)
        listening = server.listen(chosen.address, chosen.port)
        options = ["--as-of", as_of.isoformat()] if as_of else []
        runs = _schedule(context) if schedule else nullcontext()
        with listening, runs, work.Jobs(_program(context), app.clock.now, options) as jobs:
            page = web.build(app, known, hosts, jobs, now=as_of, https=chosen.https)
            Thread(target=_make_ready, args=(app,)).start()
            server.serve(page, listening, _told)


def _program(context: click.Context) -> list[str]:
    """How the same program is called for a command, over the same home and configuration."""
    return [sys.executable, "-m", "digest", *given_again(context)]


@contextmanager
def _schedule(context: click.Context) -> Iterator[None]:
    """What is due is done beside the page."""
    from digest import config, daemon

    given = context.obj
    at_work = daemon.start_schedule(
        lambda: config.load(given.get("config"), given.get("home"), os.environ), given_again(context)
    )
    try:
        yield
    finally:
        at_work.stop()


def _compute_calmly() -> None:
    """Load what computes, told to take one thread: pages are made side by side, and on a busy machine the
    threads of one computation wait for each other: a search took twice the CPU time. Commands that are
    begun from here, in processes of their own, take what they want."""
    from importlib import import_module

    before = os.environ.copy()
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    for name in ("numpy", "faiss"):  # their libraries look there once
        with suppress(ImportError):
            import_module(name)
    os.environ.clear()
    os.environ.update(before)


def _make_ready(app: App) -> None:
    """Load what the first search needs, while nobody waits for it; what is wrong is told by that search."""
    from digest.actions import archive

    with suppress(DigestError):
        archive.make_ready(app)


def _told(address: str) -> None:
    sys.stderr.write(f"the page is at {address} (Ctrl-C ends it)\n")
    sys.stderr.flush()


def _password() -> str:
    """What a person types twice, or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return given
