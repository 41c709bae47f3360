"""The page for machines: a probe and figures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

import web
from digest.web import access


@pytest.fixture
def locked(tmp_path: Path, sample_home: Path) -> Iterator[str]:
    """The address of a page with a password."""
    shutil.copytree(sample_home, tmp_path / "home")
    access.set_password(tmp_path / "home", "correct horse battery")
    with web.serving(tmp_path / "home", web.FRIDAY) as address:
        yield address


def test_a_probe_says_whether_work_goes_on(page: str) -> None:
    answer = httpx.get(page + "/healthz", trust_env=False)
    assert answer.headers["content-type"] == "application/json"
    assert (answer.status_code == 200) is answer.json()["ok"]


def test_prometheus_reads_the_figures(page: str) -> None:
    answer = httpx.get(page + "/metrics", trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert found["digest_papers"].samples[0].value > 100


def test_a_stranger_learns_that_it_is_well_or_not_and_no_more(locked: str) -> None:
    told = httpx.get(locked + "/healthz", trust_env=False)
    assert told.status_code in (200, 503)
    assert set(told.json()) == {"ok", "wrong"}
    assert told.json()["wrong"] == {}
    figures = httpx.get(locked + "/metrics", trust_env=False)
    assert (figures.status_code, "digest_papers" in figures.text) == (303, False)


@pytest.mark.parametrize("kept", [0, 1, 40])
def test_a_damaged_database_is_503_and_one_line(
    tmp_path: Path, sample_home: Path, capfd: pytest.CaptureFixture[str], kept: int
) -> None:
    """``kept``: so many pages of the file are left whole."""
    home = tmp_path / "home"
    shutil.copytree(sample_home, home)
    file = home / "digest.sqlite3"
    whole = file.read_bytes()
    with web.serving(home, web.FRIDAY) as address:
        file.write_bytes(whole[: kept * 4096] + b"\xff" * (len(whole) - kept * 4096))
        for _ in range(2):
            answer = httpx.get(address + "/healthz", trust_env=False)
            assert answer.status_code == 503
            assert answer.json()["ok"] is False
            [line] = answer.json()["wrong"].values()
            assert "digest.sqlite3" in line
            assert "\n" not in line
    assert "Traceback" not in "".join(capfd.readouterr())
