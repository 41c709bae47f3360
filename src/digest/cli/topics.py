"""The topics: their keys, with what speaks for them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from digest.cli.base import TOPIC, Group, as_of, cli, opened, show

if TYPE_CHECKING:
    from digest.types import KeyState, Opinion


@cli.group(cls=Group)
def keys() -> None:
    """The keys of a topic: phrases that point to it, with their evidence."""


@keys.command("list")
@click.argument("topic", type=TOPIC)
@click.option("--all", "everything", is_flag=True, help="Rejected, retired and lapsed keys too.")
@click.pass_context
def keys_list(context: click.Context, topic: str, everything: bool) -> None:
    """List the keys of a topic."""
    from digest.actions import topics
    from digest.report import topics as report

    with opened(context) as app:
        found = topics.keys(app, topic, everything=everything)
        show(context, found, lambda: report.keys(found))


@keys.command("propose")
@click.argument("topic", type=TOPIC)
@as_of
@click.pass_context
def keys_propose(context: click.Context, topic: str, as_of: datetime | None) -> None:
    """Look for phrases that lead to papers the topic's keys miss."""
    from digest.actions import topics
    from digest.report import topics as report

    with opened(context, as_of) as app:
        found = topics.propose(app, topic)
        waiting = app.store.count_keys("proposed").get(topic, 0)
        show(context, found, lambda: report.proposed(topic, found, waiting))


@keys.command("show")
@click.argument("topic", type=TOPIC)
@click.argument("key", nargs=-1, required=True)
@as_of
@click.pass_context
def keys_show(context: click.Context, topic: str, key: tuple[str, ...], as_of: datetime | None) -> None:
    """All that is known of a key: evidence, overlap with others, what it brings, every decision."""
    from digest.actions import topics
    from digest.report import topics as report

    with opened(context, as_of) as app:
        found = topics.key(app, topic, " ".join(key))
        show(context, found, lambda: report.key_story(found))


def _decide_key(name: str, state: KeyState, text: str) -> None:
    @keys.command(name, help=text)
    @click.argument("topic", type=TOPIC)
    @click.argument("key", nargs=-1, required=True)
    @click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
    @as_of
    @click.pass_context
    def command(
        context: click.Context, topic: str, key: tuple[str, ...], reason: str, as_of: datetime | None
    ) -> None:
        from digest.actions import topics
        from digest.report import topics as report

        with opened(context, as_of) as app:
            found = topics.decide(app, topic, " ".join(key), state, reason)
            show(context, found, lambda: report.decided(found))


_decide_key("accept", "active", "Use a key from now on.")
_decide_key("reject", "rejected", "Never propose a key again.")
_decide_key("retire", "retired", "Use a key no more; it is not proposed again.")


@cli.group(cls=Group)
def feedback() -> None:
    """What you think of a topic's papers: the ranking learns from it."""


def _judge_paper(name: str, opinion: Opinion | None, text: str) -> None:
    @feedback.command(name, help=text)
    @click.argument("paper", metavar="ID")
    @click.option("--topic", type=TOPIC, required=True, metavar="NAME", help="As a paper of this topic.")
    @as_of
    @click.pass_context
    def command(context: click.Context, paper: str, topic: str, as_of: datetime | None) -> None:
        from digest.actions import topics
        from digest.report import topics as report

        with opened(context, as_of) as app:
            found = topics.judge(app, topic, paper, opinion)
            show(context, found, lambda: report.feedback([found]))


_judge_paper("like", "like", "This is what the topic is about.")
_judge_paper("dislike", "dislike", "This is not what the topic is about: never post it there.")
_judge_paper("undo", None, "Take back what was said of a paper.")


@feedback.command("list")
@click.argument("topic", type=TOPIC)
@click.pass_context
def feedback_list(context: click.Context, topic: str) -> None:
    """All that was said of a topic's papers, oldest first."""
    from digest.actions import topics
    from digest.report import topics as report

    with opened(context) as app:
        found = topics.feedback(app, topic)
        show(context, found, lambda: report.feedback(found))


@cli.group(cls=Group)
def topic() -> None:
    """A topic as a whole."""


@topic.command("show")
@click.argument("name", type=TOPIC, metavar="TOPIC")
@as_of
@click.pass_context
def topic_show(context: click.Context, name: str, as_of: datetime | None) -> None:
    """What a topic's keys bring by month, which rise, and how many papers may have been missed."""
    from digest.actions import topics
    from digest.report import topics as report

    with opened(context, as_of) as app:
        found = topics.overview(app, name)
        show(context, found, lambda: report.overview(found))


@cli.command()
@click.argument("paper", metavar="ID")
@as_of
@click.pass_context
def why(context: click.Context, paper: str, as_of: datetime | None) -> None:
    """All that speaks for and against a paper in each topic, and why it was posted or not."""
    from digest.actions import topics
    from digest.report import topics as report

    with opened(context, as_of) as app:
        found = topics.why(app, paper)
        show(context, found, lambda: report.why(found))
