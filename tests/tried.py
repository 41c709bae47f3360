"""What soaks share: which commit they tried, and a folder to try it in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory


@cache
def commit() -> str:
    """The commit that is tried, with a + where files were changed since."""
    git = shutil.which("git") or "git"
    asked = [git, "describe", "--always", "--dirty=+"]
    found = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory, where there is such a disk: what a killed process leaves is the same there, and
    a sync costs nothing."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
