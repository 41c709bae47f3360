"""The posts: look at them, decide about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import click

from digest.cli.base import Day, Group, as_of, cli, opened, show


@cli.group(cls=Group)
def posts() -> None:
    """The posts that were written."""


@posts.command("list")
@click.option("--topic", metavar="NAME", help="Only posts of this topic.")
@click.option("--language", type=click.Choice(["en", "ru", "zh"]), help="Only posts in this language.")
@click.option("--since", type=Day(), metavar="DAY", help="For this day or later.")
@click.option("--until", type=Day(end=True), metavar="DAY", help="For this day or earlier.")
@click.pass_context
def posts_list(context: click.Context, topic: str | None, language: Any, since: Any, until: Any) -> None:
    """List posts, oldest first."""
    from digest.report import posts as report

    with opened(context) as app:
        if topic is not None:
            app.topic(topic)
        found = app.store.posts(topic=topic, language=language, since=since, until=until)
        show(context, found, lambda: report.posts(found))


@posts.command("show")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@click.pass_context
def posts_show(context: click.Context, ids: tuple[int, ...]) -> None:
    """Show posts as they will be sent; without ID, those of the newest day."""
    from digest.actions import posts
    from digest.report import posts as report

    with opened(context) as app:
        found = [posts.find(app, number) for number in ids] if ids else posts.newest(app)
        show(context, found, lambda: report.full_posts(found))


def _decide(name: Literal["approve", "reject"], text: str) -> None:
    @posts.command(name, help=text)
    @click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
    @as_of
    @click.pass_context
    def command(context: click.Context, ids: tuple[int, ...], as_of: datetime | None) -> None:
        from digest.actions import posts
        from digest.report import posts as report

        with opened(context, as_of) as app:
            found = [posts.decide(app, number, name) for number in ids]
            show(context, found, lambda: report.posts(found))


_decide("approve", "Let posts go out.")
_decide("reject", "Keep posts back and give their papers free again.")
