"""Measuring: how good keys and ranking are by lists that experts made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import TOPIC, Command, Group, cli, opened, show

if TYPE_CHECKING:
    from digest.actions.evaluate import Lists


class ManyValues(Command):
    """A command whose repeated options take several values at once: ``--seed XAI interpretability``."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Repeat the option's name before each of its values."""
        many = {name for each in self.params if getattr(each, "multiple", False) for name in each.opts}
        return super().parse_args(context, repeated(args, many))


def repeated(args: Sequence[str], many: set[str]) -> list[str]:
    """The arguments with the name of an option of ``many`` before each value that follows it."""
    given: list[str] = []
    name = None
    for at, arg in enumerate(args):
        if arg.startswith("-") and len(arg) > 1:
            name = arg if arg in many else None
        elif name is not None and args[at - 1] != name:
            given.append(name)
        given.append(arg)
    return given


@cli.group(cls=Group)
def evaluate() -> None:
    """Measure keys and ranking by lists that experts made, beside other methods."""


def lists_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every evaluation by lists needs to be told."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--ids", type=path, metavar="FILE", help="Only papers with these ids, one a line."),
        click.option(
            "--subfield", "subfields", multiple=True, metavar="NAME...", help="Only these of the topic."
        ),
        click.option("--off", multiple=True, metavar="KEY...", help="What names neighbouring topics."),
        click.option(
            "--seed",
            "seeds",
            multiple=True,
            required=True,
            metavar="KEY...",
            help="What the topic calls itself.",
        ),
        click.option(
            "--topic", type=TOPIC, required=True, metavar="NAME", help="The topic, as the labels name it."
        ),
        click.option("--labels", type=path, required=True, metavar="FILE", help="A label in JSON a line."),
    ):
        command = option(command)
    return command


@evaluate.command("keys", cls=ManyValues)
@lists_options
@click.pass_context
def evaluate_keys(context: click.Context, /, **lists: Any) -> None:
    """Keys proposed from the seeds: how many of them lead to listed papers.

    Nothing but the papers and the seeds is used: neither the topics of the configuration nor what was
    decided about keys.
    """
    from digest.actions import evaluate as actions
    from digest.report import evaluate as report

    with opened(context) as app:
        found = actions.keys(app, _lists(**lists))
        show(context, found, lambda: report.evaluation(found))


@evaluate.command("ranking", cls=ManyValues)
@lists_options
@click.pass_context
def evaluate_ranking(context: click.Context, /, **lists: Any) -> None:
    """The ranking learned from the seeds: where the listed papers stand that hold none of them.

    Nothing but the papers and the seeds is used: neither the topics of the configuration nor what was
    decided about keys.
    """
    from digest.actions import evaluate as actions
    from digest.report import evaluate as report

    with opened(context) as app:
        found = actions.ranking(app, _lists(**lists))
        show(context, found, lambda: report.evaluation(found))


@evaluate.command("search")
@click.option(
    "--queries", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Queries and answers."
)
@click.option("--ids", type=click.Path(path_type=Path), metavar="FILE", help="Only papers with these ids.")
@click.pass_context
def evaluate_search(context: click.Context, queries: Path, ids: Path | None) -> None:
    """Search by words, by meaning and by both: where the papers stand that answer a query.

    FILE has a query a line: {"query": "...", "relevant": ["2107.05580", ...]}
    """
    from digest.actions import evaluate as actions
    from digest.report import evaluate as report

    with opened(context) as app:
        found = actions.search(app, queries, ids)
        show(context, found, lambda: report.evaluation(found))


@evaluate.command("recall", cls=ManyValues)
@lists_options
@click.option(
    "--floor",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Found is from this score on.",
)
@click.pass_context
def evaluate_recall(context: click.Context, /, floor: float, **lists: Any) -> None:
    """The estimate of recall, month by month: does its interval hold the share of listed papers found?

    Nothing but the papers and the seeds is used; a month counts from 10 listed papers on.
    """
    from digest.actions import evaluate as actions
    from digest.report import evaluate as report

    with opened(context) as app:
        found = actions.recall(app, _lists(**lists), floor)
        show(context, found, lambda: report.recall(found))


def _lists(**given: Any) -> Lists:
    from digest.actions.evaluate import Lists

    return Lists(**given)
