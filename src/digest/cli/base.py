"""What the commands share: common options, kinds of arguments, the program opened for one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from digest import __version__
from digest.cli import opening

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from digest.app import App

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Exit codes: 0 done, 1 failed, 2 wrong use, 65 bad input, 75 try again later.
First steps: digest init; digest run; digest posts show; digest search "concept bottleneck"
"""


# Options that every command takes, before or after its name.


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    given = context.ensure_object(dict)
    if value:
        given[parameter.name] = value


def _common_options() -> list[click.Parameter]:
    def option(*names: str, **more: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_remember, **more)

    path = click.Path(path_type=Path, readable=False)  # config says why it cannot be read
    return [
        option("--config", type=path, metavar="FILE", help="Configuration (default: digest.toml)."),
        option("--home", type=path, metavar="DIR", help="Folder of database and index (DIGEST_HOME)."),
        option("--json", is_flag=True, help="Machine-readable output on stdout; logs as JSON."),
        option("-v", "--verbose", count=True, help="Say more; twice for everything."),
        option("-q", "--quiet", is_flag=True, help="Say nothing but errors and results."),
        option("--child-of", type=int, hidden=True),  # of the daemon: ends with it
    ]


class Command(click.Command):
    """A command that takes the common options too, with the manual's part of its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The summary, and what the command does."""
        from digest.cli.manual import entry

        super().format_help_text(ctx, formatter)
        found = entry(ctx.command_path)
        if found and found.about:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(found.about)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples and exit codes."""
        from digest.cli.manual import below

        for paragraph in below(ctx.command_path):
            formatter.write_paragraph()
            formatter.write_text(paragraph)


class Group(click.Group):
    """A group whose commands all take the common options, as it does itself."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Name the nearest command when there is no such one."""
        try:
            return super().resolve_command(context, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(context), n=1)
            if not near:
                raise
            context.fail(f"No such command '{args[0]}'; did you mean '{near[0]}'?")


MODULES = {
    "archive": ("search", "similar", "papers", "status"),
    "backtest": ("backtest",),
    "backup": ("backup", "restore"),
    "completion": ("completion",),
    "evaluate": ("evaluate",),
    "export": ("export",),
    "operations": ("doctor", "watch", "daemon"),
    "posts": ("posts",),
    "road": ("init", "run", "crawl", "backfill", "import", "embed", "match", "write", "deliver"),
    "serve": ("serve",),
    "site": ("site",),
    "stores": ("migrate-store",),
    "sending": ("outbox", "channel", "review"),
    "templates": ("template",),
    "topics": ("keys", "feedback", "topic", "why"),
    "trends": ("trend", "map"),
    "vectors": ("vectors",),
}
"""The commands of each module of ``digest.cli``."""


class Root(Group):
    """All commands; the module of one is imported when it is asked for (all cost 0.1 CPU-seconds)."""

    def list_commands(self, _: click.Context) -> list[str]:
        """All names, without an import."""
        return sorted(name for names in MODULES.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name; its module makes it known by being imported."""
        for module, names in MODULES.items():
            if cmd_name in names:
                import_module(f"digest.cli.{module}")
        return super().get_command(ctx, cmd_name)


def language_option(*name: str, **more: Any) -> Callable[[F], F]:
    """``--language`` of a command, or ``--lang``."""
    return click.option("--language", "--lang", *name, type=click.Choice(["en", "ru", "zh"]), **more)


FIRST_YEAR, LAST_YEAR = 1991, 9000
"""Of a moment to act as of: the days before and after it, too, are days."""


class Moment(click.ParamType[datetime]):
    """An ISO time (UTC unless it says otherwise), or a day, which means noon in New York."""

    name = "time"

    def convert(self, value: Any, *_: Any) -> datetime:
        """Read the time."""
        if isinstance(value, datetime):
            return value
        try:
            moment = _moment(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-05-12T06:00Z or a day such as 2026-05-12")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fail(f"{value!r} is not of the years {FIRST_YEAR}, when arXiv began, to {LAST_YEAR}")
        return moment.astimezone(UTC)


def _moment(text: str) -> datetime:
    if len(text) != len("2026-05-12"):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    from digest.days import NEW_YORK

    return datetime.fromisoformat(f"{text}T12:00").replace(tzinfo=NEW_YORK)


class Day(click.ParamType[date]):
    """A calendar day, YYYY-MM-DD; a year, YYYY, is its first day, or its last at the ``end`` of a time."""

    name = "day"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, *_: Any) -> date:
        """Read the day."""
        if isinstance(value, date):
            return value
        whole = f"{value}-12-31" if self._end else f"{value}-01-01"
        try:
            return date.fromisoformat(whole if len(value) == len("2026") else value)
        except ValueError:
            self.fail(f"{value!r} is not a day such as 2026-05-12 or a year such as 2026")


class TopicName(click.ParamType[str]):
    """The name of a topic; the shell offers those of the configuration."""

    name = "topic"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's
        incomplete: str,
    ) -> list[CompletionItem]:
        """The topics that begin so, with their terms."""
        import os

        from click.shell_completion import CompletionItem

        from digest import config
        from digest.errors import DigestError

        given = ctx.find_root().obj or {}
        try:
            settings = config.load(given.get("config"), given.get("home"), os.environ)
        except DigestError:
            return []
        named = settings.topics.items()
        return [CompletionItem(name, help=one.term) for name, one in named if name.startswith(incomplete)]


TOPIC = TopicName()

as_of = click.option("--as-of", type=Moment(), metavar="TIME", help="Act as if it were this time.")


def search_options(command: F) -> F:
    """The options that search and similar share."""
    for option in (
        click.option(
            "-k", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="Hits."
        ),
        click.option("--topic", type=TOPIC, metavar="NAME", help="Only papers of this topic."),
        click.option("--since", type=Day(), metavar="DAY", help="Announced on this day or later."),
        click.option("--until", type=Day(end=True), metavar="DAY", help="Announced on this day or earlier."),
        click.option(
            "--category",
            "categories",
            multiple=True,
            metavar="CODE",
            help="In this category (again for more).",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def opened(context: click.Context, now: datetime | None = None) -> Iterator[App]:
    """The wired program for one command, its configuration read and checked."""
    with opening.opened(context.obj, now) as app:
        yield app


def given_again(context: click.Context) -> list[str]:
    """The common options as they were given, for a command in another process."""
    given = context.obj
    named = [word for name in ("config", "home") if name in given for word in (f"--{name}", str(given[name]))]
    flags = [f"--{name}" for name in ("json", "quiet") if given.get(name)]
    return [*named, *flags, *["--verbose"] * given.get("verbose", 0)]


def show(context: click.Context, value: Any, text: Callable[[], str]) -> None:
    """Print a result: JSON when asked for, else the text."""
    opening.show(context.obj, value, text)


@click.group(cls=Root, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="digest")
def cli() -> None:
    """Watches arXiv for people who follow a field and tell others about it."""
