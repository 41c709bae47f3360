"""The simulator: lives are whole, a seed brings a life back to the letter, and planted mistakes are found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.app import App
from digest.sources.oai import Oai
from digest.store import Store
from planted import an_unclear_answer_is_taken_for_a_failure, nothing_is_marked_before_it_is_sent
from simulator.life import Life
from simulator.oracle import Violation
from soak_simulate import lived

DAYS = 16
Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("seed", [1, 2, pytest.param(7, marks=pytest.mark.slow)])
def test_a_life_in_which_everything_is_ill_loses_and_doubles_nothing(seed: int) -> None:
    """In 7 arXiv takes a paper out before it is first asked."""
    came = lived(seed, DAYS, "")
    assert came.violated == ""
    assert came.counts["papers on topic posted"] > 5
    assert came.counts["parts that stand once"] > 5
    assert came.counts["crash"] > 0


def test_a_seed_brings_a_life_back_to_the_letter_in_another_process() -> None:
    """Also with another order of sets (PYTHONHASHSEED), and whatever the time is."""
    script = f"from soak_simulate import lived; print(lived(3, {DAYS}, '').trace)"
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.split()[-1] == lived(3, DAYS, "").trace


# Planted mistakes: each is found within a few lives.


def a_harvest_begins_where_the_last_one_ended(patch: pytest.MonkeyPatch) -> None:
    """Some papers are listed late, under the date of their batch."""
    patch.setattr(Oai, "_start", lambda _, mark, now: mark.high_water or (now - timedelta(days=7)).date())


def what_was_posted_before_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "posted_papers", lambda *_: set())
    patch.setattr(Store, "posted_since", lambda *_: [])
    patch.setattr(Store, "last_post", lambda *_: None)


def a_run_looks_back_for_a_day_only(patch: pytest.MonkeyPatch) -> None:
    real = App.__dict__["plan"].func
    patch.setattr(App, "plan", property(lambda app: replace(real(app), lookback=0)))


PLANTED: list[tuple[Plant, int, float, str]] = [
    (what_was_posted_before_is_forgotten, 1, 0.0, "papers in two posts"),
    (a_run_looks_back_for_a_day_only, 1, 0.0, "was lost"),
    (a_harvest_begins_where_the_last_one_ended, 3, 0.0, "the archive differs"),
    (an_unclear_answer_is_taken_for_a_failure, 2, 0.5, "posted twice"),
    (nothing_is_marked_before_it_is_sent, 1, 0.5, "posted twice"),
]
"""The mistake, a seed in whose life it shows, how ill that is, and what is found."""


@pytest.mark.slow
@pytest.mark.parametrize(("plant", "seed", "ill", "found"), PLANTED, ids=[one[0].__name__ for one in PLANTED])
def test_a_planted_mistake_is_found(
    plant: Plant, seed: int, ill: float, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(Violation, match=found):
        Life(seed, tmp_path, 18, ill=ill).live()
