"""The stage that embeds: three things at a time, and nothing lost when one of them fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt
import pytest

from digest import pipeline
from digest.embed import Threads
from digest.errors import ModelError
from digest.store import Store
from stored import MODEL, NOW, page, paper

SECONDS = 20  # until a thread that should be there is given up


class Slow:
    """An embedder that goes on with a batch only when the next one was prepared."""

    name, dimension, at_once = MODEL, 2, 2

    def __init__(self, batches: int, broken: int | None = None) -> None:
        self.prepared = [Event() for _ in range(batches + 1)]
        self.prepared[batches].set()
        self.broken = broken
        self.seen = 0

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        raise AssertionError("texts by the thousand are taken in two steps")

    def prepare(self, texts: Sequence[str]) -> tuple[int, list[str]]:
        number, self.seen = self.seen, self.seen + 1
        self.prepared[number].set()
        return number, list(texts)

    def compute(self, prepared: tuple[int, list[str]]) -> npt.NDArray[np.float32]:
        number, texts = prepared
        assert self.prepared[number + 1].wait(SECONDS), "the next batch was not prepared meanwhile"
        if number == self.broken:
            raise ModelError("out of memory")
        return np.array([[int(text.split()[1].strip(".")), 1] for text in texts], np.float32)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/digest.sqlite3") as opened:
        opened.add_papers("oai", page(*map(paper, range(1, 8))), NOW)
        yield opened


def test_the_next_texts_are_prepared_while_others_are_computed(store: Store) -> None:
    told: list[tuple[int, int]] = []
    with Threads(Slow(4)) as workers:
        report = pipeline.embed(store, workers, lambda done, of: told.append((done, of)))
    assert report.counts == {"embedded": 7}
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    ids, rows = store.vectors(MODEL, [paper(number).id for number in range(1, 8)])
    assert ids == [paper(number).id for number in range(1, 8)]
    assert rows[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_what_was_computed_before_a_failure_is_kept_and_the_rest_is_embedded_next_time(store: Store) -> None:
    with pytest.raises(ModelError, match="out of memory"), Threads(Slow(4, broken=3)) as workers:
        pipeline.embed(store, workers)
    assert store.count_without_vector(MODEL) == 1
    again = Slow(1)
    with Threads(again) as workers:
        assert pipeline.embed(store, workers).counts == {"embedded": 1}
    assert again.seen == 1
