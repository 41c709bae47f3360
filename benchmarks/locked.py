"""Whether what is installed is what constraints.txt says, and a wheel built twice is the same to the byte.

    python benchmarks/locked.py

constraints.txt holds versions, no checksums: that the registry gave the same file is not shown. The
wheel is built from two copies of the tree, with the time of the last commit for SOURCE_DATE_EPOCH
(https://reproducible-builds.org/specs/source-date-epoch/). Ends with exit code 1 where a version differs,
something that digest needs is not locked, or the wheels differ. What else is installed is left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, distributions, requires
from io import BytesIO
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def normal(name: str) -> str:
    """A name as package registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    """The versions of constraints.txt, by normal name."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = (line.split(";")[0].strip().split("==") for line in lines if "==" in line)
    return {normal(name): version for name, version in pairs}


def asked_for() -> set[str]:
    """The packages that digest with all extras of `dev` needs here, and those they need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for name in ("dev", "docs") for one in extras[name])]
    waiting = [Requirement(one) for one in wanted]
    found = set[tuple[str, str]]()
    while waiting:
        one = waiting.pop()
        for extra in ("", *one.extras):
            if (normal(one.name), extra) in found:
                continue
            found.add((normal(one.name), extra))
            theirs = extras.get(extra, []) if one.name == "digest" else _requires(one.name)
            needs = [Requirement(text) for text in theirs]
            waiting += [need for need in needs if not need.marker or need.marker.evaluate({"extra": extra})]
    return {name for name, _ in found} - {"digest"}


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def unlike(wanted: dict[str, str], there: dict[str, str]) -> list[str]:
    """What is installed otherwise than it is locked. A build's local part (+cpu) is the same version."""
    return [
        f"{name} {version} ({wanted.get(name, 'not locked')})"
        for name, version in sorted(there.items())
        if wanted.get(name, "").partition("+")[0] != version.partition("+")[0]
    ]


def wheel(archive: bytes, epoch: str, *, touched: bool) -> tuple[str, str]:
    """Name and SHA-256 of a wheel built from a tree in a tar archive; ``touched``: as if written now."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as tree:
            tree.extractall(folder, filter="data")
        for file in Path(folder).rglob("*") if touched else ():
            os.utime(file)
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "made"]
        environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
        subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
        [made] = Path(folder, "made").iterdir()
        return made.name, hashlib.sha256(made.read_bytes()).hexdigest()


def main() -> int:
    """Compare, build twice, tell."""
    wanted = locked()
    there, needed = {normal(one.name): one.version for one in distributions()}, asked_for()
    different = unlike(wanted, {name: version for name, version in there.items() if name in needed})
    used = len(needed & there.keys())
    print(f"{len(wanted)} packages locked by version (no checksums), {used} needed and installed")
    print(f"{len(different)} otherwise than locked{': ' if different else ''}{', '.join(different)}")
    git = ["git", "-C", str(ROOT)]
    tree = subprocess.run([*git, "archive", "HEAD"], capture_output=True, check=True).stdout
    shown = [*git, "log", "-1", "--format=%ct"]
    epoch = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()
    first, second = (wheel(tree, epoch, touched=one) for one in (False, True))
    same = "the same" if first == second else "NOT the same"
    print(f"{first[0]} built twice: {same}, sha256 {first[1]}")
    return int(bool(different) or first != second)


if __name__ == "__main__":
    sys.exit(main())
