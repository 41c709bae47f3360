"""What all tests share: the offline model, marks, and the reference data where it is present."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before numpy: on matrices this small two threads
    os.environ.setdefault(name, "1")  # take twice the CPU time of one
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")  # for the processes that tests start
for name in [name for name in os.environ if name.startswith("DIGEST_")]:
    del os.environ[name]  # a developer's own settings must not reach the tests


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the project; tests that need it skip where it is absent."""
    folder = Path(__file__).parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the reference data (../shared) is not here")
    return folder
