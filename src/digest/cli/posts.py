"""The posts: look at them, edit them, decide about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeVar

import click

from digest.cli.base import TOPIC, Day, Group, Moment, as_of, cli, language_option, opened, show
from digest.errors import DigestError, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.types import Edited

F = TypeVar("F", bound=Callable[..., Any])


@cli.group(cls=Group)
def posts() -> None:
    """The posts that were written."""


@posts.command("list")
@click.option("--topic", type=TOPIC, metavar="NAME", help="Only posts of this topic.")
@language_option(help="Only posts in this language.")
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
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="As it was in this version.")
@click.pass_context
def posts_show(context: click.Context, ids: tuple[int, ...], version: int | None) -> None:
    """Show posts as they will be sent; without ID, those of the newest day."""
    from digest.actions import posts
    from digest.report import posts as report

    if version and len(ids) != 1:
        raise UsageError("--version is of one post: give its ID")
    with opened(context) as app:
        if version:
            found = [posts.at_version(app, ids[0], version)]
        else:
            found = [posts.find(app, number) for number in ids] if ids else posts.newest(app)
        show(context, found, lambda: report.full_posts(found))


@posts.command("history")
@click.argument("number", metavar="ID", type=int)
@click.pass_context
def posts_history(context: click.Context, number: int) -> None:
    """Who did what to a post, and when."""
    from digest.actions import posts
    from digest.report import posts as report

    with opened(context) as app:
        found = posts.history(app, number)
        show(context, found, lambda: report.history(found))


@posts.command("diff")
@click.argument("number", metavar="ID", type=int)
@click.option("--from", "before", type=click.IntRange(min=1), metavar="N", help="Older version.")
@click.option("--to", "after", type=click.IntRange(min=1), metavar="N", help="Newer version (the newest).")
@click.pass_context
def posts_diff(context: click.Context, number: int, before: int | None, after: int | None) -> None:
    """Show what has changed in a post, by default since the version before."""
    from digest.actions import posts

    with opened(context) as app:
        found = posts.diff(app, number, before, after)
        show(context, found, lambda: found or f"post {number} has not changed")


@posts.command("card")
@click.argument("number", metavar="ID", type=int)
@click.option("--png", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Draw it there.")
@click.option("--dark", is_flag=True, help="For a dark background.")
@click.pass_context
def posts_card(context: click.Context, number: int, png: Path, dark: bool) -> None:
    """Draw a post's card: its topic's last four weeks, and what it shows."""
    from digest.actions import pictures

    with opened(context) as app:
        made = pictures.card(app, number, png, dark=dark)
        show(context, {"path": str(made)}, lambda: f"wrote {made}")


@posts.command("picture")
@click.argument("number", metavar="ID", type=int)
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--caption", metavar="HTML", help="What it says below, instead of the topic's title.")
@click.option("--none", "away", is_flag=True, help="Take the picture away.")
@click.pass_context
def posts_picture(
    context: click.Context, number: int, file: Path | None, caption: str | None, away: bool
) -> None:
    """Put a picture (PNG or JPEG) before a post's text; Telegram gets it as a photo with a caption.

    What was approved has to be approved again.
    """
    from digest.actions import pictures
    from digest.report import posts as report

    if away is (file is not None):
        raise UsageError("say which picture, or --none")
    with opened(context) as app:
        found = pictures.illustrate(app, number, file, caption)
        show(context, found, lambda: report.posts([found]))


@posts.command("edit")
@click.argument("number", metavar="ID", type=int)
@click.option("--drop", multiple=True, metavar="PAPER", help="Take a paper out (again for more).")
@click.option("--add", multiple=True, metavar="PAPER", help="Put a paper in (again for more).")
@click.option("--order", default="", metavar="PAPER,PAPER", help="Put these papers first, in this order.")
@click.option("--all-languages", is_flag=True, help="Do the same to the post in its other languages.")
@click.option(
    "--from",
    "file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="The source, edited elsewhere (- is stdin).",
)
@click.option("--source", "print_source", is_flag=True, help="Print the source and change nothing.")
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="Only if this is its version.")
@as_of
@click.pass_context
def posts_edit(
    context: click.Context,
    number: int,
    drop: tuple[str, ...],
    add: tuple[str, ...],
    order: str,
    *,
    all_languages: bool,
    file: TextIO | None,
    print_source: bool,
    version: int | None,
    as_of: datetime | None,
) -> None:
    """Change a post before it goes out; without options, in your editor ($VISUAL, $EDITOR).

    The source has a line for each paper, then the text. Lines of papers can be moved, deleted, added; the
    text follows the template, except for what was written by hand. A changed post is a draft again.
    """
    from digest.actions import posts
    from digest.report import posts as report

    papers = bool(drop or add or order)
    if [papers, file is not None, print_source].count(True) > 1:
        raise UsageError("say one of: --drop, --add and --order; --from FILE; --source")
    if all_languages and not papers:
        raise UsageError("--all-languages goes with --drop, --add and --order")
    with opened(context, as_of) as app:
        if print_source:
            text = posts.source(app, number)
            show(context, text, lambda: text)
            return
        if papers:
            first = [one.strip() for one in order.split(",") if one.strip()]
            wanted = posts.Wanted(drop, add, tuple(first))
            done = [posts.change(app, number, wanted, version=version)]
            done += posts.change_others(app, number, wanted) if all_languages else []
        elif file is not None:
            done = [posts.edit(app, number, file.read())]
        else:
            done = [_in_editor(app, number)]
        show(context, done, lambda: report.edited(done))


def _in_editor(app: App, number: int) -> Edited:
    """Let a person edit a post's source. What cannot be stored is kept in a file of the digest home, which
    the next edit of the post goes on with."""
    from digest.actions import posts

    text = posts.source(app, number)
    kept = app.settings.home / "edits" / f"post-{number}.html"
    if kept.exists() and kept.read_text("utf-8") != text:
        click.echo(f"going on with {kept}; empty it to begin anew", err=True)
    else:
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text, "utf-8")
    click.edit(filename=str(kept), require_save=False)
    edited = kept.read_text("utf-8")
    if not edited.strip() or edited == text:
        kept.unlink()
        return posts.unchanged(app, number)
    try:
        done = posts.edit(app, number, edited)
    except DigestError as error:
        again = f"your text is kept in {kept}: digest posts edit {number} goes on with it"
        raise type(error)(f"{error}\n{again}") from error
    kept.unlink()
    return done


def _decide(name: Literal["approve", "reject"], text: str) -> None:
    def with_time(command: F) -> F:
        told = "Let it go out then, not sooner."
        at = click.option("--at", type=Moment(), metavar="TIME", help=told)
        return at(command) if name == "approve" else command

    @posts.command(name, help=text)
    @click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
    @click.option("--version", type=click.IntRange(min=1), metavar="N", help="Only if this is its version.")
    @with_time
    @as_of
    @click.pass_context
    def command(
        context: click.Context,
        ids: tuple[int, ...],
        version: int | None,
        as_of: datetime | None,
        at: datetime | None = None,
    ) -> None:
        from digest.actions import posts
        from digest.report import posts as report

        if version and len(ids) != 1:
            raise UsageError("--version is of one post: give one ID")
        with opened(context, as_of) as app:
            if at is not None:
                found = [posts.schedule(app, number, at, version=version) for number in ids]
            else:
                found = [posts.decide(app, number, name, version=version) for number in ids]
            show(context, found, lambda: report.posts(found))


_decide("approve", "Let posts go out, each as it is now.")
_decide("reject", "Keep posts back and give their papers free again.")
