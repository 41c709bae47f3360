"""The templates that posts are written by."""

from __future__ import annotations

import click

from digest.cli.base import Group, cli, opened, show


@cli.group(cls=Group)
def template() -> None:
    """The templates of posts: see them, change them, try them."""


@template.command("list")
@click.pass_context
def template_list(context: click.Context) -> None:
    """List the templates, and which of them are yours."""
    from digest.actions import templates
    from digest.report import templates as report

    with opened(context) as app:
        found = templates.found(app)
        show(context, found, lambda: report.templates(found))


@template.command("copy")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Replace your own.")
@click.pass_context
def template_copy(context: click.Context, names: tuple[str, ...], force: bool) -> None:
    """Copy built-in templates, such as ru/roundup, into your folder, to change them there."""
    from digest.actions import templates

    with opened(context) as app:
        made = [str(templates.copy(app, name, force=force)) for name in names]
        show(context, made, lambda: "\n".join(made) + "\nnext: change it, then: digest template check")


@template.command("check")
@click.pass_context
def template_check(context: click.Context) -> None:
    """Try all templates in all languages; say file, line and what is wrong."""
    from digest.actions import templates
    from digest.report import templates as report

    with opened(context) as app:
        wrong = templates.check(app)
        show(context, wrong, lambda: report.checked(wrong, templates.found(app)))
    if wrong:
        context.exit(1)
