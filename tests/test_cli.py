"""The command line as a user meets it: real processes, a real home."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from digest.cli.base import MODULES, cli

HEAVY = tuple("torch sentence_transformers sklearn scipy faiss sqlalchemy alembic numpy jinja2".split())


def digest(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "digest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=120)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom digest.cli.base import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("LOADED []\n")


def test_a_module_has_the_commands_that_it_is_said_to_have() -> None:
    for module, names in MODULES.items():
        import_module(f"digest.cli.{module}")
        there = {name for name, one in cli.commands.items() if _module(one) == f"digest.cli.{module}"}
        assert there == set(names)
    assert set(cli.commands) == set(cli.list_commands(click.Context(cli)))


def _module(command: click.Command) -> str:
    assert command.callback is not None
    return command.callback.__module__


def test_help_names_every_command_and_the_exit_codes() -> None:
    said = digest("--help").stdout
    names = [
        "init",
        "run",
        "crawl",
        "embed",
        "match",
        "write",
        "deliver",
        "import",
        "search",
        "similar",
        "posts",
        "keys",
        "status",
    ]
    assert [name for name in names if f"  {name} " not in said] == []
    assert "75 try again later" in said


def test_common_options_stand_before_or_after_the_command(tmp_path: Path) -> None:
    before = digest("--json", "--home", "other", "posts", "list")
    after = digest("posts", "list", "--json", "--home", "other")
    assert (before.stdout, before.returncode) == (after.stdout, after.returncode) == ("[]\n", 0)
    assert (tmp_path / "other").is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("serch",), 2, "did you mean 'search'?"),
        (("keys", "list", "unlerning"), 2, "did you mean unlearning?"),
        (("search", "x", "--topic", "xia"), 2, "did you mean xai?"),
        (("search", "x", "topic:xia"), 2, "did you mean xai?"),
        (("search",), 2, "say what to search for"),
        (("search", "--queries", "none.jsonl"), 65, "none.jsonl: cannot be read"),
        (("search", "x", "--category", "cs.LGG"), 2, "did you mean cs.LG?"),
        (("run", "--as-of", "yesterday"), 2, "is not a time such as"),
        (("run", "--as-of", "0001-01-01"), 2, "is not of the years 1991, when arXiv began, to 9000"),
        (("run", "--as-of", "9999-12-31T23:59-12:00"), 2, "is not of the years"),
        (("backtest", "--days", "few"), 2, "'few' is not a whole number"),
        (("import", "no-such-file"), 65, "no-such-file"),
        (("posts", "show", "7"), 65, "no post 7"),
        (("similar", "hello"), 65, "hello"),
        (("similar", "2605.00001"), 65, "not in the archive"),
        (("crawl", "--source", "smaple"), 2, "smaple"),
    ],
)
def test_wrong_use_is_one_line_and_an_exit_code(arguments: tuple[str, ...], code: int, said: str) -> None:
    done = digest(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_mistake_in_the_configuration_stops_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "digest.toml").write_text("lookback_dasy = 3\n")
    done = digest("run")
    assert done.returncode == 2
    assert "digest.toml:1" in done.stderr
    assert "lookback_days" in done.stderr
    assert not (tmp_path / "home").exists()


def test_init_writes_a_file_that_is_accepted(tmp_path: Path) -> None:
    assert digest("init").returncode == 0
    assert (tmp_path / "digest.toml").is_file()
    assert digest("status").returncode == 0
    again = digest("init")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_one_that_nobody_reads(closed: str) -> None:
    command = f"{sys.executable} -m digest status {closed}; echo $? > code"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert Path("code").read_text() == "0\n"
    assert done.stderr == ""


def test_status_of_an_empty_home_says_where_to_begin() -> None:
    assert "last batch: none was seen yet → digest run" in digest("status").stdout


def test_status_of_an_empty_home_is_no_error() -> None:
    done = digest("status", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["archive"]["papers"] == 0


def test_an_export_for_machines_is_json_unless_a_form_is_named() -> None:
    digest("run", "--source", "sample", "--as-of", "2026-07-03", "--quiet")
    assert json.loads(digest("--json", "export", "search", "unlearning").stdout)[0]["id"]
    assert digest("--json", "export", "search", "unlearning", "--format", "csv").stdout.startswith("id,")
    assert json.loads(digest("--json", "export", "search", "x", "-o", "found.json").stdout) == {
        "path": "found.json"
    }
