"""What the parsers make of a folder of recorded answers: records or a named error, never silence.

    python tests/recorded.py FOLDER

FOLDER has one folder for each kind of answer: api, oai, rss, listing, snapshot. Printed is a row for each
file, and the summary that docs/crawling.md shows.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from digest.errors import DigestError, NotAnAnswer
from digest.sources import api, oai, rss
from digest.sources.snapshot import Snapshot

KINDS = {
    "api": "search API",
    "oai": "OAI-PMH",
    "rss": "daily feeds",
    "listing": "listing page",
    "snapshot": "snapshot",
}


class Outcome(NamedTuple):
    """What became of a file: how it ended, its records, those left out by name, and what was said."""

    file: str
    ended: str
    records: int = 0
    skipped: int = 0
    said: str = ""


def outcomes(folder: Path) -> Iterator[Outcome]:
    """An outcome for each file of these kinds, in the order of kinds and names."""
    for kind in KINDS:
        for file in sorted((folder / kind).rglob("*")):
            if file.is_file():
                yield outcome(kind, file, file.relative_to(folder).as_posix())


def outcome(kind: str, file: Path, name: str) -> Outcome:
    """What the parser of its kind makes of a file."""
    try:
        records, skipped = READ[kind](file)
    except NotAnAnswer as error:
        return Outcome(name, "no answer", said=str(error))
    except DigestError as error:
        return Outcome(name, "refused", said=str(error))
    return Outcome(name, "records" if records or skipped else "empty", records, skipped)


def _api(file: Path) -> tuple[int, int]:
    body = file.read_bytes()
    if file.suffix == ".json":  # wrapped by who recorded it
        body = json.loads(body)["body"].encode("latin-1")
    found = api.parse(body)
    return len(found.papers), len(found.skipped)


def _oai(file: Path) -> tuple[int, int]:
    found = oai.parse(file.read_bytes())
    return len(found.headers), len(found.skipped)


def _feed(file: Path) -> tuple[int, int]:
    found = rss.parse(file.read_bytes())
    return len(found.papers), len(found.skipped)


def _snapshot(file: Path) -> tuple[int, int]:
    pages = list(Snapshot(file).fetch(None, datetime.now(UTC)))
    return sum(len(page.papers) for page in pages), sum(len(page.skipped) for page in pages)


READ: dict[str, Callable[[Path], tuple[int, int]]] = {
    "api": _api,
    "oai": _oai,
    "rss": _feed,
    "listing": _feed,
    "snapshot": _snapshot,
}


def summary(found: list[Outcome]) -> str:
    """A table of kinds and how their files ended."""
    rows = ["| | files | with records | records | left out by name | empty | refused | no answer |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    for kind, title in KINDS.items():
        of_kind = [one for one in found if one.file.startswith(f"{kind}/")]
        ended = Counter(one.ended for one in of_kind)
        records, skipped = (sum(one[at] for one in of_kind) for at in (2, 3))
        ends = [ended[name] for name in ("empty", "refused", "no answer")]
        numbers = [len(of_kind), ended["records"], records, skipped, *ends]
        rows.append(f"| {title} | {' | '.join(f'{number:,}' for number in numbers)} |")
    return "\n".join(rows)


def main() -> None:
    """Print both tables."""
    found = list(outcomes(Path(sys.argv[1])))
    for one in found:
        told = f"{one.records} records" + (f", {one.skipped} left out by name" if one.skipped else "")
        print(f"{one.file}: {told if one.ended in ('records', 'empty') else f'{one.ended}: {one.said}'}")
    print(f"\n{summary(found)}")


if __name__ == "__main__":
    main()
