"""What deploy/ holds is taken by those it is for. Docker is not tried: no test may build an image."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from digest import config
from digest.cli.base import cli

DEPLOY = Path(__file__).parents[1] / "deploy"
UNITS = ("digest.service", "digest-run.service", "digest.timer")
SYSTEMD = shutil.which("systemd-analyze")
with_systemd = pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not here")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SYSTEMD or "", *words], capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, for a machine on which digest is installed: systemd looks whether a program is there."""
    for name in UNITS:
        (tmp_path / name).write_text(
            (DEPLOY / name).read_text().replace("/opt/digest/bin/digest", "/bin/true")
        )
    return [str(tmp_path / name) for name in UNITS]


@with_systemd
def test_systemd_takes_the_units_without_a_word(units: list[str]) -> None:
    done = analyze("verify", *units)
    assert (done.returncode, done.stderr) == (0, "")  # of an unknown setting it only warns


@with_systemd
@pytest.mark.parametrize("name", UNITS[:2])
def test_the_services_are_as_shut_as_systemd_asks(name: str) -> None:
    done = analyze("security", "--offline=true", "--threshold=20", str(DEPLOY / name))
    assert done.returncode == 0, done.stdout[-300:]  # an exposure of 2.0 or less; "OK" begins at 4.9


@with_systemd
def test_the_timers_times_are_new_yorks() -> None:
    times = re.findall(r"OnCalendar=(.*)", (DEPLOY / "digest.timer").read_text())
    assert len(times) == 2
    for one in times:
        assert one.endswith("America/New_York")
        assert analyze("calendar", one).returncode == 0


def test_the_example_configuration_is_accepted(tmp_path: Path) -> None:
    settings = config.load(DEPLOY / "digest.example.toml", tmp_path, {})
    [channel] = settings.channels.values()
    assert (settings.posts_wait, channel.post_at) == (True, ("09:00", "18:00"))


@pytest.mark.parametrize("name", ["digest.service", "digest-run.service", "crontab.example", "Dockerfile"])
def test_every_command_that_is_named_is_one(name: str) -> None:
    text = (DEPLOY / name).read_text()
    named = re.findall(r"(?:bin/digest |CMD \[\")(?!digest\")([a-z]+)", text)
    assert named
    assert set(named) <= set(cli.list_commands(click.Context(cli)))


def test_the_variables_that_are_named_are_settings() -> None:
    known = {*config.variables(), *config.OWN_VARIABLES}
    for file in DEPLOY.iterdir():
        assert set(re.findall(r"\bDIGEST_[A-Z_]+", file.read_text())) <= known, file.name


def test_the_image_runs_as_nobody_in_particular_and_copies_what_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    last = text.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    for names in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        assert all((DEPLOY.parent / name).exists() for name in names.split())


def test_the_image_has_what_the_database_of_compose_needs() -> None:
    assert "DIGEST_DATABASE: postgresql" in (DEPLOY / "compose.yaml").read_text()
    assert ".[postgres]" in (DEPLOY / "Dockerfile").read_text()
