"""How much a digest home grows in a day: `python benchmarks/growth.py HOME DAY.jsonl...`.

Works on a copy of HOME. Each file, named after its day, is imported as announced on that day, then
matched, written and delivered to files by the program itself; only the vectors are drawn at random, in the
size and under the name of the real ones, since their content takes no room. Prints bytes by day, and in the
end by paper.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from digest import config
from digest.app import App


class Drawn:
    """Vectors of the default model's size, drawn at random."""

    dimension, at_once = 384, 512

    def __init__(self, name: str) -> None:
        self.name, self._random = name, np.random.default_rng(1)

    def prepare(self, texts: Sequence[str]) -> list[str]:
        """The texts."""
        return list(texts)

    def compute(self, prepared: Sequence[Any]) -> Any:
        """float32[n, 384], each of length 1."""
        rows = self._random.normal(size=(len(prepared), self.dimension)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def sizes(home: Path) -> dict[str, int]:
    """Bytes of the database, of the index of vectors, of the words' index and of the posts."""
    parts = {
        "database": "digest.sqlite3*",
        "index": "index/*.*",
        "words": "index/words/*",
        "posts": "posts/*",
    }
    return {
        name: sum(one.stat().st_size for one in home.glob(pattern) if one.is_file())
        for name, pattern in parts.items()
    }


def a_day(home: Path, file: Path) -> int:
    """Everything the program does on a day; how many papers came."""
    day = date.fromisoformat(file.stem)
    settings = replace(config.load(None, home, {}), approval="automatic")
    with App(settings, datetime(day.year, day.month, day.day, 12, tzinfo=UTC), quiet=True) as app:
        app.__dict__["embedder"] = Drawn(app.model)
        report = app.import_files([file], day)
        for stage in ("embed", "match", "write", "deliver"):
            app.stage(stage)  # type: ignore[arg-type]
        return report.stages[0].counts["new"]


def main() -> int:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("days", type=Path, nargs="+")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(given.home, home)
        with App(config.load(None, home, {}), datetime.now(UTC), quiet=True) as app:
            _ = app.store, app.word_index(), app.index()  # upgraded, and both indexes made
        begin, papers = sizes(home), 0
        for file in given.days:
            before, came = sizes(home), a_day(home, file)
            papers += came
            grown = {name: size - before[name] for name, size in sizes(home).items()}
            print(f"{file.stem}: {came} papers, {grown}", flush=True)
        total = sum(sizes(home).values()) - sum(begin.values())
        print(f"{papers} papers, {total:,} bytes: {total / papers:,.0f} a paper")
        print(f"database alone: {(sizes(home)['database'] - begin['database']) / papers:,.0f} a paper")
    return 0


if __name__ == "__main__":
    sys.exit(main())
