"""The site."""

from __future__ import annotations

from digest.site import Built


def built(done: Built) -> str:
    """What was done to a folder."""
    first = done.folder / "index.html"
    lines = [
        f"{first}: {done.written} files written, {done.unchanged} as they were, {len(done.removed)} removed"
    ]
    lines += [f"  {name} is published no more; somebody has changed it, so it stays" for name in done.kept]
    return "\n".join(lines)
