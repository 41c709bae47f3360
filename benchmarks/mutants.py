"""Mistakes planted by the hundred into what stores and posts: does a test notice each?

    python benchmarks/mutants.py --mutants 20 [--seed 1] [--minutes 10] [--folder DIR]

A mutant is the program with one small change to its syntax tree: a comparison turned, a condition negated,
a statement left out, a constant changed. It is killed when one of the tests named for its module fails, which
does not fail without it. Of MANY mutants each is tried first by the tests that reach its line, as a run under
coverage.py tells. The seed chooses, each module alike; a copy of the tree is changed, never this one.
What became of a mutant is kept in the folder by what was changed, so the same command goes on where it was
ended, and after changes elsewhere. Ends with exit code 1 where fewer than LEAST were killed; survivors are
listed, some of which are no mistakes (an order by two columns that never tie, a time-out of a second more).
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
LEAST = 0.85
MANY = 100
PYTEST = ("-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider")
LONGEST = 600.0
"""Seconds after which a mutant is taken for one that hangs."""
_POSTING = ("outbox", "uncertain", "senders", "sending", "followup", "polls", "review", "review_races")
_STORE = ("store/test_posts_of_store", "store/test_failures_of_store", "corrections")
SUITES = {
    "store/outbox.py": _POSTING,
    "delivery.py": (*_POSTING, "pictures_sent"),
    "channels/telegram.py": ("telegram", *_POSTING, "pictures_sent"),
    "store/posts.py": (*_STORE, *_POSTING, "posts", "editing"),
    "store/papers.py": ("store/test_papers_of_store", "store/test_failures_of_store", "import"),
    "store/followups.py": ("followup", "polls", "reactions", "review", "corrections", "series"),
    "schedule.py": ("schedule",),
    "markup/split.py": ("split",),
}
"""Modules below src/digest, and the tests that should notice, those that fail soonest first."""


@dataclass(frozen=True)
class Mutant:
    """The source of a module with one change, and the change in words."""

    module: str
    line: int
    what: str
    source: str

    @property
    def name(self) -> str:
        """Its own name: a checksum of all of it."""
        return hashlib.sha256(f"{self.module}{self.source}".encode()).hexdigest()[:16]


class Fate(msgspec.Struct, frozen=True):
    """What became of a mutant."""

    module: str
    line: int
    what: str
    killed: bool
    by: str


_TURNED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt(), ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(), ast.In: ast.NotIn(), ast.NotIn: ast.In(),
}  # fmt: skip


def _other(value: object) -> ast.Constant | None:
    if isinstance(value, bool):
        return ast.Constant(not value)
    return ast.Constant(value + 1) if isinstance(value, int) else None


def _less(one: ast.BinOp) -> ast.BinOp | None:
    """Plus for minus, minus for plus."""
    if not isinstance(one.op, ast.Add | ast.Sub):
        return None
    return ast.BinOp(one.left, ast.Sub() if isinstance(one.op, ast.Add) else ast.Add(), one.right)


_OTHERWISE: dict[type[ast.AST], Callable[[Any], ast.AST | None]] = {
    ast.Compare: lambda one: (
        ast.Compare(one.left, [_TURNED[type(one.ops[0])]], one.comparators) if len(one.ops) == 1 else None
    ),
    ast.BoolOp: lambda one: ast.BoolOp(ast.And() if isinstance(one.op, ast.Or) else ast.Or(), one.values),
    ast.UnaryOp: lambda one: one.operand if isinstance(one.op, ast.Not) else None,
    ast.IfExp: lambda one: ast.IfExp(one.test, one.orelse, one.body),
    ast.Constant: lambda one: _other(one.value),
    ast.BinOp: _less,
    ast.Expr: lambda one: ast.Pass() if isinstance(one.value, ast.Call) else None,
    ast.Raise: lambda _: ast.Pass(),
    ast.Continue: lambda _: ast.Pass(),
    ast.Break: lambda _: ast.Pass(),
    ast.Return: lambda one: ast.Return(ast.Constant(None)) if one.value else None,
}


def changed(node: ast.AST) -> ast.AST | None:
    """A node with another meaning; None where there is none to be had."""
    otherwise = _OTHERWISE.get(type(node))
    return otherwise(node) if otherwise else None


def places(module: str) -> list[int]:
    """The nodes of a module that can be changed, by their place in a walk. What only names a type or says
    something to the log is left as it is."""
    tree = _tree(module)
    told = _told(tree)
    return [at for at, node in enumerate(ast.walk(tree)) if node not in told and changed(node) is not None]


def mutant(module: str, place: int) -> Mutant:
    """A module with this node changed."""
    tree = _tree(module)
    old = next(node for at, node in enumerate(ast.walk(tree)) if at == place)
    new, line = changed(old), getattr(old, "lineno", 0)
    assert new is not None
    what = f"{_short(old)} → {_short(new)}"
    return Mutant(module, line, what, ast.unparse(ast.fix_missing_locations(_Swap(old, new).visit(tree))))


def _tree(module: str) -> ast.Module:
    return ast.parse((ROOT / "src/digest" / module).read_text("utf-8"))


def _told(tree: ast.AST) -> set[ast.AST]:
    """The nodes below annotations and log lines, and ``strict`` of a zip, which is there for mistakes."""
    notes = [node.annotation for node in ast.walk(tree) if isinstance(node, ast.AnnAssign | ast.arg)]
    notes += [node.returns for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    logs = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and "logger." in ast.unparse(node)]
    zips = [node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "strict"]
    return {below for one in (*notes, *logs, *zips) if one is not None for below in ast.walk(one)}


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) < 70 else f"{text[:33]} … {text[-33:]}"


def chosen(count: int, seed: int) -> Iterator[Mutant]:
    """So many mutants, each module alike, in an order in which each beginning is a fair sample, too."""
    draw = random.Random(seed)
    each = {module: places(module) for module in SUITES}
    for some in each.values():
        draw.shuffle(some)
    turns = cycle(each)
    for _ in range(min(count, sum(map(len, each.values())))):
        module = next(one for one in turns if each[one])
        yield mutant(module, each[module].pop())


def files_of(module: str) -> tuple[str, ...]:
    """The files of the tests for a module."""
    return tuple(f"tests/{one}.py" if "/" in one else f"tests/test_{one}.py" for one in SUITES[module])


def reaching(module: str, tree: Path, folder: Path) -> dict[int, list[str]]:
    """By line of a module, as it is now, the tests that reach it. What is done once for all tests (a module's
    own lines, a statement that is kept) is told of the first of them only, or of none."""
    source = (ROOT / "src/digest" / module).read_bytes()
    kept = folder / f"reach-{hashlib.sha256(module.encode() + source).hexdigest()[:16]}.json"
    if not kept.exists():
        kept.write_bytes(msgspec.json.encode(_covered(module, tree)))
    return msgspec.json.decode(kept.read_bytes(), type=dict[int, list[str]])


def _covered(module: str, tree: Path) -> dict[int, list[str]]:
    rules = tree / "reach.ini"
    rules.write_text(f"[run]\ndynamic_context = test_function\ndata_file = {tree}/reach.coverage\n")
    coverage = [sys.executable, "-m", "coverage"]
    only = f"--include={tree}/src/digest/{module}"
    run = [*coverage, "run", f"--rcfile={rules}", only, *PYTEST, *files_of(module)]
    subprocess.run(run, cwd=tree, env=_environ(tree), stdout=subprocess.DEVNULL, check=False)
    told = [*coverage, "json", f"--rcfile={rules}", "-q", "--show-contexts", "-o", f"{tree}/reach.json"]
    if subprocess.run(told, cwd=tree, check=False).returncode:
        return {}
    [found] = json.loads((tree / "reach.json").read_text())["files"].values()
    homes = {Path(file).stem: file for file in files_of(module)}
    by_line = {
        int(line): [one.partition(".")[::2] for one in tests] for line, tests in found["contexts"].items()
    }
    return {
        line: [f"{homes[file]}::{test}" for file, test in tests if file in homes and test.startswith("test_")]
        for line, tests in by_line.items()
    }


def fate(mutant: Mutant, tree: Path, folder: Path | None = None) -> Fate:
    """Run the tests for a mutant, in a copy of the project; with a folder to keep what reaches which line,
    those that reach it first."""
    reach = reaching(mutant.module, tree, folder).get(mutant.line, []) if folder else []
    file = tree / "src/digest" / mutant.module
    kept = file.read_bytes()
    file.write_text(mutant.source, encoding="utf-8")
    try:
        by = _noticed(tuple(reach), tree) if reach else None
        by = by or _noticed(files_of(mutant.module), tree)
    finally:
        file.write_bytes(kept)
    if by is not None and "::" in by and _fails_always(by, tree):
        raise SystemExit(f"{by} fails without any mutant")
    return Fate(mutant.module, mutant.line, mutant.what, by is not None, by or "")


@cache
def _fails_always(test: str, tree: Path) -> bool:
    """Whether a test fails without any mutant, too."""
    return _noticed((test,), tree) is not None


def _noticed(files: tuple[str, ...], tree: Path) -> str | None:
    """The test that failed first; None where all passed."""
    command = [sys.executable, *PYTEST, "-x", *files]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env=_environ(tree),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode == 0:
        return None
    told = re.search(r"^(?:FAILED|ERROR) (\S+(?:\[.*?\])?)(?: - |$)", done.stdout, re.MULTILINE)
    return told[1] if told else f"exit code {done.returncode}"


def _environ(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{tree}/src:{tree}/tests", "PYTHONDONTWRITEBYTECODE": "1"}


def try_all(
    given: argparse.Namespace, folder: Path, act: Callable[[Mutant, Path, Path | None], Fate]
) -> list[Fate]:
    """The fates of the chosen mutants, as far as the time goes."""
    until, found = time.monotonic() + 60 * given.minutes, []
    with tempfile.TemporaryDirectory() as own:
        tree = Path(own)
        for name in ("src", "tests", "migrations", "templates"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("node_modules", "*.pyc"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        for mutant in chosen(given.mutants, given.seed):
            file = folder / f"{mutant.name}.json"
            if not file.exists():
                if time.monotonic() > until:
                    break
                file.write_bytes(
                    msgspec.json.encode(act(mutant, tree, folder if given.mutants >= MANY else None))
                )
            one = msgspec.json.decode(file.read_bytes(), type=Fate)
            found.append(one)
            print(f"{one.module}:{one.line} {one.what}: {one.by or 'SURVIVED'}", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Plant, try, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutants", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to keep what became of them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = given.folder or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        found = try_all(given, folder, fate)
    killed = [one for one in found if one.killed]
    print(f"reached {len(found)} of {given.mutants} mutants of {len(SUITES)} modules, seed {given.seed}")
    alive = [f"{one.module}:{one.line} {one.what}" for one in found if not one.killed]
    print(
        f"{len(killed)} killed ({100 * len(killed) / max(1, len(found)):.0f} %); survived: {alive or 'none'}"
    )
    return int(len(killed) < LEAST * len(found))


if __name__ == "__main__":
    sys.exit(main())
