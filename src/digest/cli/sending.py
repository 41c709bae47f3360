"""Sending: the outbox, the channels, approval in Telegram."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TextIO

import click

from digest.cli.base import Group, as_of, cli, opened, show
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.review import Polled


@cli.group(cls=Group)
def outbox() -> None:
    """What waits to be posted, and what may have been."""


@outbox.command("list")
@click.option("--all", "everything", is_flag=True, help="What was sent or given up too.")
@click.pass_context
def outbox_list(context: click.Context, everything: bool) -> None:
    """List parts that are not sent, and what to do about those that are held."""
    from digest.actions import sending
    from digest.report import sending as report

    with opened(context) as app:
        found = sending.outbox(app, everything=everything)
        following = sending.followups(app, everything=everything)
        show(context, [*found, *following], lambda: report.outbox(found, following))


@outbox.command("resolve")
@click.argument("number", metavar="ID", type=int)
@click.option("--sent", type=click.IntRange(min=1), metavar="MSGID", help="It stands there: its number.")
@click.option("--retry", is_flag=True, help="It is not there: send it again.")
@click.option("--drop", is_flag=True, help="Give it up, and with it the parts behind it.")
@click.pass_context
def outbox_resolve(context: click.Context, number: int, sent: int | None, retry: bool, drop: bool) -> None:
    """Say what became of a part that is held."""
    from digest.actions import sending
    from digest.report import sending as report

    if [sent is not None, retry, drop].count(True) != 1:
        raise UsageError("say one of --sent MSGID, --retry, --drop")
    with opened(context) as app:
        found = [sending.resolve(app, number, sent=sent, retry=retry)]
        show(context, found, lambda: report.outbox(found))


@outbox.command("correct")
@click.argument("number", metavar="POST", type=int)
@click.argument("file", required=False, type=click.File(encoding="utf-8"))
@click.option("--part", type=click.IntRange(min=1), default=1, show_default=True, help="Which of its parts.")
@click.pass_context
def outbox_correct(context: click.Context, number: int, file: TextIO | None, part: int) -> None:
    """Give a part that was sent the text in FILE (Telegram's HTML; - reads standard input).

    The next delivery edits the message. Without FILE, show the text as it is, to be changed.
    """
    from digest.actions import sending

    with opened(context) as app:
        if file is None:
            found = sending.part_of(app, number, part)
        else:
            found = sending.correct(app, number, part, file.read())
        show(context, found, lambda: found.html)


@cli.group(cls=Group)
def channel() -> None:
    """The channels that posts go to."""


@channel.command("check")
@click.argument("name", required=False)
@click.pass_context
def channel_check(context: click.Context, name: str | None) -> None:
    """See whether Telegram channels can be posted to, and what is missing."""
    from digest.actions import sending
    from digest.report import sending as report

    with opened(context) as app:
        found = sending.check(app, name)
        show(context, found, lambda: report.findings(found))
        if not all(one.good for one in found):
            context.exit(1)


@cli.group(cls=Group)
def review() -> None:
    """Approval of drafts in Telegram."""


@review.command("poll")
@click.option("--wait", type=click.FloatRange(0, 86400), metavar="SECONDS", help="Go on for so long.")
@click.option("--live", is_flag=True, help="Go on until it is stopped (Ctrl-C, SIGTERM).")
@as_of
@click.pass_context
def review_poll(context: click.Context, wait: float | None, live: bool, as_of: datetime | None) -> None:
    """Take the editors' decisions and texts, and show them the drafts that wait.

    Once, for a timer; or live, each press at once. Only one process polls for a bot.
    """
    from digest.actions import sending
    from digest.report import sending as report

    with opened(context, as_of) as app:
        if not live and wait is None:
            found = sending.review(app)
            show(context, found, lambda: report.polled(found))
            return

        def told(one: Polled) -> None:
            if one.shown or one.decided or one.edited or one.notes:
                show(context, one, lambda: report.polled(one))

        sending.live_review(app, None if live else wait, told)
