"""The command line: options to calls, results to text. Results go to stdout, messages to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import click

from digest import __version__
from digest.errors import DigestError, UsageError, refused

if TYPE_CHECKING:
    from digest.app import App
    from digest.types import KeyState, Window

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
    ]


class Command(click.Command):
    """A command that takes the common options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())


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


class Moment(click.ParamType[datetime]):
    """An ISO time (UTC unless it says otherwise), or a day, which means noon in New York."""

    name = "time"

    def convert(self, value: Any, *_: Any) -> datetime:
        """Read the time."""
        if isinstance(value, datetime):
            return value
        try:
            if len(value) == len("2026-05-12"):
                from digest.days import NEW_YORK

                return datetime.fromisoformat(f"{value}T12:00").replace(tzinfo=NEW_YORK).astimezone(UTC)
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-05-12T06:00Z or a day such as 2026-05-12")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


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


as_of = click.option("--as-of", type=Moment(), metavar="TIME", help="Act as if it were this time.")


def search_options(command: F) -> F:
    """The options that search and similar share."""
    for option in (
        click.option(
            "-k", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="Hits."
        ),
        click.option("--topic", metavar="NAME", help="Only papers of this topic."),
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
    import os

    from digest import config, log
    from digest.app import App

    given = context.obj
    verbosity = -1 if given.get("quiet") else given.get("verbose", 0)
    log.configure(verbosity, json=bool(given.get("json")))
    settings = config.load(given.get("config"), given.get("home"), os.environ)
    with App(settings, now or datetime.now(UTC), quiet=bool(given.get("quiet") or given.get("json"))) as app:
        yield app


def show(context: click.Context, value: Any, text: Callable[[], str]) -> None:
    """Print a result: JSON when asked for, else the text."""
    if context.obj.get("json"):
        import msgspec

        line = msgspec.json.encode(value).decode()
    else:
        line = text().rstrip("\n")
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        raise


@click.group(cls=Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="digest")
def cli() -> None:
    """Watches arXiv for people who follow a field and tell others about it."""


# The road: one command a stage, and all of them.


@cli.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("digest.toml"))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def init(context: click.Context, path: Path, force: bool) -> None:
    """Write a commented digest.toml to change."""
    from digest import config

    written = config.init(path, force=force)
    show(context, {"path": str(written)}, lambda: f"wrote {written}\nnext: read it, then: digest run")


@cli.command()
@click.option("--source", metavar="NAME", help="Crawl this source instead of the configured one.")
@as_of
@click.pass_context
def run(context: click.Context, source: str | None, as_of: datetime | None) -> None:
    """Do all stages: crawl, embed, match, write, deliver."""
    from digest import report

    with opened(context, as_of) as app:
        done = app.run(source)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


def _stage(name: Literal["embed", "match", "write", "deliver"], text: str) -> None:
    @cli.command(name, help=text)
    @as_of
    @click.pass_context
    def command(context: click.Context, as_of: datetime | None) -> None:
        from digest import report

        with opened(context, as_of) as app:
            done = app.stage(name)
            show(context, done, lambda: report.run(done))
        context.exit(done.exit_code)


_stage("embed", "Embed papers that have no vector yet.")
_stage("match", "Score the papers of the last days for each topic.")
_stage("write", "Write the posts that are due.")
_stage("deliver", "Send what waits to its channels.")


@cli.command()
@click.option("--source", metavar="NAME", help="Crawl this source instead of the configured one.")
@click.option("--since", type=Day(), metavar="DAY", help="All that changed since this day: a bulk load.")
@click.option("--check", is_flag=True, help="Look for what a bulk load has missed, and fetch it.")
@as_of
@click.pass_context
def crawl(
    context: click.Context, source: str | None, since: date | None, check: bool, as_of: datetime | None
) -> None:
    """Read new papers from the source."""
    from digest import report

    with opened(context, as_of) as app:
        done = app.crawl(source, since, check=check)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command()
@click.argument("topic")
@click.option("--since", type=Day(), required=True, metavar="YEAR|DAY", help="Submitted then or later.")
@click.option("--until", type=Day(end=True), metavar="YEAR|DAY", help="Submitted then or earlier.")
@as_of
@click.pass_context
def backfill(
    context: click.Context, topic: str, since: date, until: date | None, as_of: datetime | None
) -> None:
    """Ask arXiv for the papers of a topic of the years behind, by its keys.

    What was cut off goes on when the same is asked again.
    """
    from digest import report

    with opened(context, as_of) as app:
        done = app.backfill(topic, since, until)
        show(context, done, lambda: report.run(done))
    context.exit(done.exit_code)


@cli.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option("--announced", type=Day(), metavar="DAY", help="The day these papers were announced.")
@as_of
@click.pass_context
def import_(
    context: click.Context, files: tuple[Path, ...], announced: date | None, as_of: datetime | None
) -> None:
    """Read papers from files in the arXiv metadata snapshot's format (JSON lines; .gz, .xz, .zst)."""
    from digest import report

    with opened(context, as_of) as app:
        done = app.import_files(files, announced)
        show(context, done, lambda: report.run(done))


# The archive: search and look.


@cli.command()
@click.argument("query", nargs=-1, required=True)
@search_options
@click.pass_context
def search(context: click.Context, /, query: tuple[str, ...], count: int, **limits: Any) -> None:
    """Search the archive by words and by meaning."""
    from digest import report

    with opened(context) as app:
        hits = app.search(" ".join(query), count, _window(app, **limits))
        show(context, hits, lambda: report.hits(hits))


@cli.command()
@click.argument("paper", metavar="ID")
@search_options
@click.pass_context
def similar(context: click.Context, /, paper: str, count: int, **limits: Any) -> None:
    """Papers that are near to a paper in meaning."""
    from digest import report

    with opened(context) as app:
        hits = app.similar(paper, count, _window(app, **limits))
        show(context, hits, lambda: report.hits(hits))


def _window(
    app: App, topic: str | None, since: date | None, until: date | None, categories: tuple[str, ...]
) -> Window:
    from digest import ids
    from digest.types import Window

    if topic is not None:
        app.topic(topic)
    for category in categories:
        if category not in ids.CATEGORIES:
            raise UsageError(
                f"--category {category}: no such category; did you mean {ids.nearest_category(category)}?"
            )
    return Window(topic, since, until, categories)


@cli.group(cls=Group)
def papers() -> None:
    """The papers of the archive."""


@papers.command("list")
@click.option("--announced", type=Day(), metavar="DAY", help="Announced on this day.")
@click.option("--since", type=Day(), metavar="DAY", help="Announced on this day or later.")
@click.option("--until", type=Day(end=True), metavar="DAY", help="Announced on this day or earlier.")
@click.pass_context
def papers_list(
    context: click.Context, announced: date | None, since: date | None, until: date | None
) -> None:
    """List papers by the day they were announced: do we have it?"""
    from digest import report

    if announced and (since or until):
        raise UsageError("--announced is one day: leave out --since and --until")
    with opened(context) as app:
        found = app.store.listed_between(announced or since, announced or until)
        show(context, found, lambda: report.papers(found))


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
    from digest import report

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
    from digest import report

    with opened(context) as app:
        found = [app.post(number) for number in ids] if ids else app.newest_posts()
        show(context, found, lambda: report.full_posts(found))


def _decide_post(name: Literal["approve", "reject"], text: str) -> None:
    @posts.command(name, help=text)
    @click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
    @as_of
    @click.pass_context
    def command(context: click.Context, ids: tuple[int, ...], as_of: datetime | None) -> None:
        from digest import report

        with opened(context, as_of) as app:
            found = [app.decide_post(number, name) for number in ids]
            show(context, found, lambda: report.posts(found))


_decide_post("approve", "Let posts go out.")
_decide_post("reject", "Keep posts back and give their papers free again.")


@cli.group(cls=Group)
def outbox() -> None:
    """What waits to be posted, and what may have been."""


@outbox.command("list")
@click.option("--all", "everything", is_flag=True, help="What was sent or given up too.")
@click.pass_context
def outbox_list(context: click.Context, everything: bool) -> None:
    """List parts that are not sent, and what to do about those that are held."""
    from digest import report

    with opened(context) as app:
        found = app.outbox(everything=everything)
        show(context, found, lambda: report.outbox(found))


@outbox.command("resolve")
@click.argument("number", metavar="ID", type=int)
@click.option("--sent", type=click.IntRange(min=1), metavar="MSGID", help="It stands there: its number.")
@click.option("--retry", is_flag=True, help="It is not there: send it again.")
@click.option("--drop", is_flag=True, help="Give it up, and with it the parts behind it.")
@click.pass_context
def outbox_resolve(context: click.Context, number: int, sent: int | None, retry: bool, drop: bool) -> None:
    """Say what became of a part that is held."""
    from digest import report

    if [sent is not None, retry, drop].count(True) != 1:
        raise UsageError("say one of --sent MSGID, --retry, --drop")
    with opened(context) as app:
        found = [app.resolve(number, sent=sent, retry=retry)]
        show(context, found, lambda: report.outbox(found))


@cli.group(cls=Group)
def channel() -> None:
    """The channels that posts go to."""


@channel.command("check")
@click.argument("name", required=False)
@click.pass_context
def channel_check(context: click.Context, name: str | None) -> None:
    """See whether Telegram channels can be posted to, and what is missing."""
    from digest import report

    with opened(context) as app:
        found = app.check_channels(name)
        show(context, found, lambda: report.findings(found))
        if not all(one.good for one in found):
            context.exit(1)


@cli.group(cls=Group)
def review() -> None:
    """Approval of drafts in Telegram."""


@review.command("poll")
@as_of
@click.pass_context
def review_poll(context: click.Context, as_of: datetime | None) -> None:
    """Take the editors' decisions, and show them the drafts that wait."""
    from digest import report

    with opened(context, as_of) as app:
        found = app.review()
        show(context, found, lambda: report.polled(found))


@cli.group(cls=Group)
def keys() -> None:
    """The keys of a topic: phrases that point to it, with their evidence."""


@keys.command("list")
@click.argument("topic")
@click.option("--all", "everything", is_flag=True, help="Rejected and retired keys too.")
@click.pass_context
def keys_list(context: click.Context, topic: str, everything: bool) -> None:
    """List the keys of a topic."""
    from digest import report

    with opened(context) as app:
        found = app.keys(topic, everything=everything)
        show(context, found, lambda: report.keys(found))


@keys.command("propose")
@click.argument("topic")
@as_of
@click.pass_context
def keys_propose(context: click.Context, topic: str, as_of: datetime | None) -> None:
    """Look for phrases that lead to papers the topic's keys miss."""
    from digest import report

    with opened(context, as_of) as app:
        found = app.propose_keys(topic)
        show(context, found, lambda: report.keys(found))


def _decide_key(name: str, state: KeyState, text: str) -> None:
    @keys.command(name, help=text)
    @click.argument("topic")
    @click.argument("key", nargs=-1, required=True)
    @click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
    @as_of
    @click.pass_context
    def command(
        context: click.Context, topic: str, key: tuple[str, ...], reason: str, as_of: datetime | None
    ) -> None:
        from digest import report

        with opened(context, as_of) as app:
            found = app.decide_key(topic, " ".join(key), state, reason)
            show(context, found, lambda: report.keys([found]))


_decide_key("accept", "active", "Use a key from now on.")
_decide_key("reject", "rejected", "Never propose a key again.")


@cli.command()
@as_of
@click.pass_context
def status(context: click.Context, as_of: datetime | None) -> None:
    """What the archive holds, how far arXiv was read, what waits, and how the last runs went."""
    from digest import report

    with opened(context, as_of) as app:
        found = app.status()
        show(context, found, lambda: report.status(found))


def main() -> None:
    """Run the command line; every error a user can mend is one line and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal without Chinese shows escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # What a command gave to context.exit comes back; one that ends by itself gives None.
        sys.exit(cli(prog_name="digest", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(_as_line(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        _forget_output()
        sys.exit(141)
    except OSError as error:
        _forget_output()
        _fail(str(refused(error)), refused(error).exit_code)
    except DigestError as error:
        _fail(str(error), error.exit_code)


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        sys.stderr.write(f"digest: {line}\n")
    sys.exit(code)


def _as_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message}; see {context.command_path} --help" if context else message


def _forget_output() -> None:
    """What could not be written is not tried again at exit (https://docs.python.org/3/library/signal.html)."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
