"""What the tests at the desk share: posts that wait for a decision, and a browser before them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import desk
import web


@pytest.fixture
def home(tmp_path: Path, sample_home: Path) -> Path:
    """A home with the sample, its posts drafts, and a configuration of its own."""
    return desk.copy(sample_home, tmp_path / "home")


@pytest.fixture
def browser(home: Path) -> Iterator[web.Browser]:
    """A browser before the page over it."""
    with web.serving(home, web.FRIDAY) as address, web.Browser(address) as made:
        yield made
