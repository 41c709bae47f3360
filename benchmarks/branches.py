"""Branches of what stores, posts, keeps time and escapes that the tests take: coverage.py, counted.

    python benchmarks/branches.py

Runs the tests named for these modules in one process and counts branches and lines that were reached, in that
process only: what the tests do in processes of their own counts for nothing here. Ends with exit code 1 where
a test fails or fewer branches than LEAST are taken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEAST = 0.85
MODULES = (
    *("store/*.py", "delivery.py", "followup.py", "schedule.py", "channels/*.py", "markup/*.py", "whole.py"),
)
TESTS = (
    *(
        "store",
        "test_outbox.py",
        "test_senders.py",
        "test_uncertain.py",
        "test_sending.py",
        "test_telegram.py",
    ),
    *(
        "test_followup.py",
        "test_polls.py",
        "test_pictures_sent.py",
        "test_reactions.py",
        "test_corrections.py",
    ),
    *("test_review.py", "test_review_races.py", "test_feed.py", "test_files.py", "test_post_at.py"),
    *("test_markup.py", "test_split.py", "test_schedule.py", "test_postgresql.py", "test_migrate.py"),
    *(
        "test_backup.py",
        "test_whole.py",
        "test_search.py",
        "test_words.py",
        "test_feedback.py",
        "test_posts.py",
    ),
)


def main() -> int:
    """Run, count, tell."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "COVERAGE_FILE": f"{folder}/coverage"}
        include = ",".join(f"{ROOT}/src/digest/{one}" for one in MODULES)
        tests = [f"tests/{one}" for one in TESTS]
        pytest = ["-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
        coverage = [sys.executable, "-m", "coverage"]
        run = [*coverage, "run", "--branch", f"--include={include}", *pytest]
        passed = subprocess.run(run, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=False)
        written = [*coverage, "json", "-q", "-o", f"{folder}/found.json"]
        subprocess.run(written, cwd=ROOT, env=environ, check=True)
        found = json.loads(Path(folder, "found.json").read_text())
    print(passed.stdout.splitlines()[-1])
    return _tell(found) or passed.returncode


def _tell(found: dict[str, dict[str, dict[str, float]]]) -> int:
    shares = {
        Path(name).relative_to("src/digest").as_posix(): one["summary"]["percent_covered"]
        for name, one in found["files"].items()
    }
    all_of = found["totals"]
    taken, there = all_of["covered_branches"], all_of["num_branches"]
    with_lines = f"with lines {all_of['percent_covered']:.1f} %"
    print(f"{taken} of {there} branches ({100 * taken / there:.1f} %), {with_lines}")
    whole = sum(share == 100 for share in shares.values())
    rest = sorted((share, name) for name, share in shares.items() if share < 100)
    least = ", ".join(f"{name} {share:.0f} %" for share, name in rest[:8])
    print(f"{whole} of {len(shares)} modules wholly; least: {least}")
    return int(taken < LEAST * there)


if __name__ == "__main__":
    sys.exit(main())
