"""Stands for `python -m digest` under the daemon, where only when it is called matters.

    python tests/stub.py LOG DATABASE [options] COMMAND...

Writes a line to LOG when it begins and one when it ends. `run` notes a run in DATABASE and ends with the
code in LOG.code, if there is one; `review` stays until SIGTERM.
"""

from __future__ import annotations

import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path


def main(log: Path, database: str, words: list[str]) -> int:
    def say(what: str) -> None:
        with log.open("a") as file:
            file.write(f"{what}\n")

    name = next(word for word in words if word in ("run", "deliver", "review", "watch"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    say(f"begin {name}")
    try:
        code = log.with_suffix(".code")
        ends = int(code.read_text()) if code.exists() else 0
        if name == "run":
            time.sleep(0.3)
            if ends in (0, 75):
                _note(database, ends)
            return ends
        if name == "review":
            time.sleep(60)
        return 0
    finally:
        say(f"end {name}")


def _note(database: str, ends: int) -> None:
    from digest.store import Store
    from digest.types import RunReport

    now = datetime.now(UTC)
    with Store.open(database, busy_timeout=30) as store:
        store.put_run("run", RunReport(as_of=now, stages=(), exit_code=ends), now, exit_code=ends)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
