"""Eight processes at work in one archive neither double nor lose; the verdict sees it where they do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from soak_processes import _sent_once

WANTED = [(1, 0), (1, 1), (2, 0)]


@pytest.mark.slow
def test_eight_processes_at_work_in_one_archive_neither_double_nor_lose() -> None:
    script = Path(__file__).with_name("soak_processes.py")
    command = [sys.executable, str(script), "--operations", "200"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("ledger", "wrong"),
    [
        ("1 0\n2 0\n1 1\n", ""),
        ("1 0\n2 0\n1 1\n2 0\n", "sent twice"),
        ("1 0\n1 1\n", "not sent"),
        ("1 0\n1 1\n2 0\n3 0\n", "by nobody"),
        ("1 1\n1 0\n2 0\n", "out of order"),
    ],
)
def test_the_verdict_reads_the_ledger(tmp_path: Path, ledger: str, wrong: str) -> None:
    (tmp_path / "ledger").write_text(ledger)
    found = _sent_once(tmp_path, WANTED)
    assert wrong in found
    assert bool(found) == bool(wrong)
