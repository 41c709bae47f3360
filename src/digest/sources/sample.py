"""The papers that come with the program, for a first look without a network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from digest.sources.snapshot import Snapshot


def sample() -> Snapshot:
    """The bundled sample, read as a snapshot."""
    return Snapshot(Path(str(files("digest.sources") / "sample.jsonl")))
