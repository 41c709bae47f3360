"""What a soak says of itself: which commit it tried."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def commit() -> str:
    """The commit that is tried, with a + where files were changed since."""
    git = shutil.which("git") or "git"
    asked = [git, "describe", "--always", "--dirty=+"]
    found = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
