"""The help of each command: what it does, examples that are right, exit codes."""

from __future__ import annotations

import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from digest.cli.base import MODULES, cli
from digest.cli.manual import MANUAL

for module in MODULES:
    import_module(f"digest.cli.{module}")


def commands(group: click.Group, path: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, one in group.commands.items():
        found |= commands(one, f"{path}{name} ") if isinstance(one, click.Group) else {f"{path}{name}": one}
    return found


COMMANDS = commands(cli)


def said(name: str) -> str:
    """What `digest NAME --help` prints."""
    context, command = click.Context(cli, info_name="digest"), COMMANDS[name]
    for part in name.split()[:-1]:
        context = click.Context(cli, info_name=part, parent=context)
    return command.get_help(click.Context(command, info_name=name.rsplit(maxsplit=1)[-1], parent=context))


def test_the_manual_has_every_command_and_no_other() -> None:
    assert set(MANUAL) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_a_summary_a_paragraph_and_examples(name: str) -> None:
    usage, summary, about, *_ = said(name).split("\n\n")
    assert usage.startswith(f"Usage: digest {name}")
    assert summary.strip().endswith((".", "?"))
    assert about.startswith("  ")
    assert not about.lstrip().startswith("-")
    assert f"\nExamples:\n  digest {name}" in said(name)


@pytest.mark.parametrize("example", [one for entry in MANUAL.values() for one in entry.examples])
def test_an_example_parses(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("card.png").touch()
    Path("fixed.html").touch()
    if example.startswith('eval "$('):
        example = example.removeprefix('eval "$(').removesuffix(')"')
    program, *words = shlex.split(example.partition(" > ")[0])
    assert program == "digest"
    context: click.Context = click.Context(cli, info_name="digest")
    command: click.Command = cli
    while isinstance(command, click.Group):
        name, command, words = command.resolve_command(context, words)
        assert command is not None
        assert name is not None
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
    with command.make_context(command.name, words, parent=context):  # a file that was opened is closed
        pass
