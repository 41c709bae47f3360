"""Completion of commands, options and topics in a shell."""

from __future__ import annotations

from typing import Literal

import click
from click.shell_completion import get_completion_class

from digest.cli.base import cli


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print what makes a shell complete commands, options and the names of topics.

    The shell then asks digest itself, so that what is offered is what this version has, and the topics are
    those of your configuration. Bash must be 4.4 or newer.
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "digest", "_DIGEST_COMPLETE").source())
