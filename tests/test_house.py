"""The house is as CONTRIBUTING.md shows it, and its rooms are small."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]


def house() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text().partition("## The house")[2].partition("\n## ")[0]


def modules() -> set[str]:
    """The modules and packages at the top of the program."""
    every = (ROOT / "src/digest").iterdir()
    found = {one.stem for one in every if one.suffix == ".py" or (one / "__init__.py").exists()}
    return found - {"__init__", "__main__"}


def test_the_diagram_of_the_house_is_what_import_linter_holds() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rows = [re.findall(r"digest\.(\w+)", layer) for layer in linter["contracts"][0]["layers"]]
    drawn: list[list[str]] = []
    for line in re.findall(r"^.{16}│ (.*)$", house(), re.MULTILINE):
        if line.startswith("  "):
            drawn[-1] += re.findall(r"\w+", line)
        else:
            drawn.append(re.findall(r"\w+", line))
    assert drawn == rows
    assert {name for row in rows for name in row} == modules()


def test_the_table_of_the_house_has_every_module() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| .*?\|", house(), re.MULTILINE))))
    assert modules() - named == set()


def lengths() -> Iterator[tuple[int, str]]:
    """How many lines each function has, its docstring aside, and where it is."""
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
                told = (said.end_lineno or 0) - said.lineno + 1 if said else 0
                yield (node.end_lineno or 0) - node.lineno + 1 - told, f"{file.name}:{node.name}"


def test_functions_and_modules_are_short() -> None:
    found = sorted(lengths())
    assert median(number for number, _ in found) <= 8
    assert found[len(found) * 9 // 10][0] <= 18
    assert found[-1][0] <= 60, found[-1]
    long = [file.name for file in (ROOT / "src").rglob("*.py") if len(file.read_text().splitlines()) > 600]
    assert long == []
