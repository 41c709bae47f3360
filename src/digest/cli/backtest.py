"""What a channel would have posted, before anything is switched on."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import TOPIC, Day, as_of, cli, language_option, opened, show
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.types import Topic


@cli.command()
@click.option("--topic", "name", type=TOPIC, metavar="NAME", help="A topic of the configuration.")
@click.option("--term", metavar="TEXT", help="Or a new one: what the field calls itself.")
@click.option("--key", "keys", multiple=True, metavar="PHRASE", help="A seed key of it (again for more).")
@click.option("--paper", "papers", multiple=True, metavar="ID", help="A paper on it (again for more).")
@language_option("languages", multiple=True, help="In this language (again for more).")
@click.option("--days", type=click.IntRange(1, 3650), default=60, show_default=True, help="So many days.")
@click.option("--show", "shown", type=Day(), metavar="DAY", help="The post of this day as it would be sent.")
@as_of
@click.pass_context
def backtest(
    context: click.Context,
    /,
    name: str | None,
    days: int,
    shown: date | None,
    as_of: datetime | None,
    **described: Any,
) -> None:
    """Show what a topic's channel would have posted in the last days, before anything is switched on.

    Posts a day, silent finds, what was held back as a repeat, lengths. Of the days asked for, those count
    whose announcements the archive holds. Nothing is stored or sent.
    """
    from digest.actions import backtest as actions
    from digest.report import backtest as report

    with opened(context, as_of) as app:
        topic = _topic(app, name, **described)
        found, drafts = actions.backtest(app, topic, days)
        if shown is not None:
            one = [draft for draft in drafts if draft.slot == shown]
            show(context, one, lambda: report.posts(found, shown, one))
            return
        show(context, found, lambda: report.backtest(found))


def _topic(
    app: App,
    name: str | None,
    term: str | None,
    keys: tuple[str, ...],
    papers: tuple[str, ...],
    languages: Any,
) -> Topic:
    """The topic that is meant."""
    from msgspec.structs import replace

    from digest.actions import topics

    if (name is None) is (term is None):
        raise UsageError("say --topic NAME, or --term TEXT for a topic that is not configured yet")
    if term is not None:
        made = topics.described(term, keys, papers, languages or ("en",))
        topics.check_new(app, made)
        return made
    if keys or papers:
        raise UsageError("--key and --paper describe a new topic: they go with --term")
    assert name is not None
    found = app.topic(name)
    return replace(found, languages=languages) if languages else found
