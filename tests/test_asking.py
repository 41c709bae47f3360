"""A plain search does without click, and prints what it prints through click."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest import config
from digest.app import App
from digest.cli.asking import plain
from digest.types import Page, Paper, Window

NOW = datetime(2026, 7, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "", "search", "status", "search -k 3 a", "search -a", "search -- -a b", "search --mode a",
        "search a --mode deep", "--mode words search a", "--expand search a", "search --home", "-v search a",
        "search --home=/tmp a", "search --queries file", "search --topic xai a", "search --help", "-h",
        "search a --home x --home y", "similar 2107.05580", "--home search a", "search --since 2024 a",
    ],
)  # fmt: skip
def test_whatever_is_more_than_words_is_left_to_click(line: str) -> None:
    assert plain(line.split()) is None


def test_words_and_the_usual_options_are_read() -> None:
    line = "--home h search a ti:b --mode words c --expand --json -q --config f".split()
    given = {"home": Path("h"), "config": Path("f"), "json": True, "quiet": True}
    assert plain(line) == (given, "a ti:b c", "words", True)
    assert plain(["search", "search", ""]) == ({"json": False, "quiet": False}, "search ", "both", False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("asking")
    papers = [
        Paper(
            id=f"2605.{number:05}", version=1, title=f"Concept bottleneck {number}",
            abstract="Of $x^2$ — идеи.", authors=("Ann Roe",), categories=("cs.LG",), submitted=NOW,
            updated=NOW, announced=date(2026, 5, 1),
        )
        for number in range(1, 4)
    ]  # fmt: skip
    with App(config.load(None, found, {}), NOW, quiet=True) as app:
        app.store.add_papers("oai", Page(tuple(papers), None), NOW)
        app.word_index()
    return found


@pytest.mark.parametrize(
    "said",
    [
        ["concept"], ["идеи", "--mode", "words"], ["concept", "--json"], ["year:9 concept", "--json"],
        ["concept bottleneck", "--expand", "-q"], ["concept", "--mode", "vectors"], ["topic:unlearnin", "a"],
        ["concept", "--config", "nowhere.toml"], [""],
    ],
)  # fmt: skip
def test_it_prints_what_it_prints_through_click(home: Path, said: list[str]) -> None:
    def run(*more: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "digest", "--home", str(home), "search", *said, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home, timeout=60)
        return done.returncode, done.stdout, done.stderr

    assert plain(["search", *said]) is not None
    assert run() == run("-k", "10")


def test_output_that_nobody_reads_is_told_as_by_any_command(home: Path) -> None:
    command = f"{sys.executable} -m digest --home {home} search concept > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "standard output" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_query_of_a_file_that_cannot_be_answered_leaves_the_others(home: Path, tmp_path: Path) -> None:
    from digest.actions import archive

    file = tmp_path / "queries.jsonl"
    file.write_text("".join(f'{{"query": "{text}"}}\n' for text in ("bottleneck", "topic:zz", "concept")))
    with App(config.load(None, home, {}), NOW, quiet=True) as app:
        answers = [answer for _, answer in archive.search_file(app, file, 10, Window(), "words")]
    assert [bool(answer.hits) for answer in answers] == [True, False, True]
    assert answers[1].notes == ("no topic 'zz'; there are xai, unlearning, diffusion",)
