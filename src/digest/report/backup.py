"""What a backup holds, and what a restore did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digest.backup import Manifest, Restored


def made(target: Path, manifest: Manifest) -> str:
    """One line: the file, its size and what is in it."""
    size = target.stat().st_size / 1e6
    held = f"{len(manifest.files)} files, {sum(one.size for one in manifest.files) / 1e6:.1f} MB"
    return f"wrote {target}: {size:.1f} MB ({held}); tokens and keys are not in it"


def restored(done: Restored) -> str:
    """What is there now, what was moved aside, and what to look at before anything is sent."""
    lines = [f"restored {done.home} as of {done.made:%Y-%m-%d %H:%M} UTC, {done.files} files"]
    if done.aside:
        lines.append(f"what was there stands in {done.aside}")
    if done.paused:
        lines.append(f"paused: {', '.join(done.paused)}: what was sent since then is not known here")
        lines.append(
            "look at the channel, settle what is held (digest outbox list), then: digest channel check"
        )
    if done.held:
        lines.append(f"held as uncertain: {done.held} parts that waited when the backup was made")
    return "\n".join(lines)
