"""The documentation says what the program has: no less, and nothing else."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest

from digest import errors
from digest.cli.base import cli
from digest.render import item, window
from digest.types import Answer, Hit

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` makes it; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", folder / "trees", DOCS, folder]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def commands(group: click.Group, name: str = "digest") -> list[str]:
    found = []
    for one in group.commands.values():
        full = f"{name} {one.name}"
        found += commands(one, full) if isinstance(one, click.Group) else [full]
    return found


def test_the_site_is_made_and_has_every_command_with_its_options(site: Path) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "commands.html").read_text())
    assert [name for name in commands(cli) if name not in text] == []
    assert "--until" in text


def test_every_page_is_in_the_contents() -> None:
    index = (DOCS / "index.md").read_text()
    named = set(re.findall(r"^(\w[\w-]*)$", index, re.MULTILINE))
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} == named


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (DOCS.parent / "README.md").read_text()
    assert [page.name for page in DOCS.glob("[!i]*.md") if f"docs/{page.name}" not in readme] == []


def test_every_field_of_a_hit_is_told() -> None:
    text = (DOCS / "searching.md").read_text()
    table = text[text.index("| field | is |") :].partition("\n\n")[0]
    told = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(told) == sorted(Hit.__struct_fields__)
    assert all(f"`{name}`" in text for name in ("query", *Answer.__struct_fields__))


def test_every_error_is_told_with_its_exit_code() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| ?(\d*) ?\|", (DOCS / "errors.md").read_text(), re.MULTILINE))
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.DigestError)
    ]
    assert told.keys() == {kind.__name__ for kind in kinds} - {"DigestError"}
    for kind in kinds:
        if told.get(kind.__name__):
            assert int(told[kind.__name__]) == kind.exit_code


@pytest.mark.parametrize("kind", [item.Item, window.Section, window.Passage, window.Found, window.Bridge])
def test_every_field_that_a_template_may_use_is_told(kind: type[msgspec.Struct]) -> None:
    text = (DOCS / "posts.md").read_text()
    assert [name for name in kind.__struct_fields__ if f"`{name}`" not in text] == []


def test_every_value_that_a_template_is_given_is_told() -> None:
    text = (DOCS / "posts.md").read_text()
    given = re.findall(r'^            "(\w+)": ', inspect.getsource(window._View.values), re.MULTILINE)
    assert len(given) > 10
    assert [name for name in given if f"`{name}`" not in text] == []
