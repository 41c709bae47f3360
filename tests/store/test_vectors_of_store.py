"""Vectors: those of the papers' texts, of one model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from digest.errors import StoreError
from digest.store import Store
from digest.store.papers import text_hash
from stored import DAY, MODEL, NOW, Archive, page, paper, rows


def test_vectors_come_back_exactly_and_in_the_order_asked_for(archive: Archive) -> None:
    archive.store.add_papers("oai", page(*map(paper, range(1, 5))), NOW)
    archive.store.ensure_model(MODEL, 2)
    archive.store.add_vectors(MODEL, rows(1, 2, 4))
    for store in (archive.store, archive.reopen()):
        found, matrix = store.vectors(MODEL, [paper(n).id for n in (4, 3, 1)])
        assert found == [paper(4).id, paper(1).id]
        assert matrix.dtype == np.float32
        assert matrix.tolist() == [[4, 4.5], [1, 1.5]]
        assert store.model_dimension(MODEL) == 2
        assert store.model_dimension("another") is None


def test_all_texts_are_embedded_once_newest_papers_first(store: Store) -> None:
    papers = [paper(n, announced=DAY - timedelta(days=n // 3)) for n in range(1, 9)]
    twin = paper(20, title=papers[0].title, abstract=papers[0].abstract)
    store.add_papers("oai", page(*papers, twin), NOW)
    store.ensure_model(MODEL, 2)
    assert store.count_without_vector(MODEL) == len(papers)
    told: list[str] = []
    for batch in store.texts_without_vector(MODEL, 3):
        told += [text for _, text in batch]
        store.add_vectors(MODEL, [(text_hash, np.zeros(2, np.float32)) for text_hash, _ in batch])
    assert told == [one.text for one in papers]
    assert store.count_without_vector(MODEL) == 0
    assert list(store.texts_without_vector(MODEL, 3)) == []


def test_a_changed_text_waits_for_its_vector_and_an_unchanged_one_does_not(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2)), NOW)
    store.ensure_model(MODEL, 2)
    store.add_vectors(MODEL, rows(1, 2))
    store.add_papers("oai", page(paper(1, version=2, abstract="New."), paper(2, version=2)), NOW)
    assert list(store.texts_without_vector(MODEL, 9)) == [[(text_hash("Paper 1. New."), "Paper 1. New.")]]
    assert store.vectors(MODEL, [paper(1).id, paper(2).id])[0] == [paper(2).id]


def test_vectors_of_two_models_never_mix(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2)), NOW)
    store.ensure_model(MODEL, 2)
    store.ensure_model("other", 3)
    store.add_vectors(MODEL, rows(1))
    store.add_vectors("other", [(text_hash(paper(2).text), np.ones(3, np.float32))])
    assert store.vectors(MODEL, [paper(1).id, paper(2).id])[0] == [paper(1).id]
    assert store.vectors("other", [paper(1).id, paper(2).id])[1].shape == (1, 3)
    assert [texts for _, texts, _ in store.vectors_since(MODEL, 0)] == [[text_hash(paper(1).text)]]
    assert store.count_without_vector("other") == 1
    assert store.count_without_vector("unknown") == 2


def test_a_vector_that_does_not_fit_is_refused_and_nothing_is_stored(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2)), NOW)
    store.ensure_model(MODEL, 2)
    with pytest.raises(StoreError, match="give the changed model a name of its own"):
        store.ensure_model(MODEL, 3)
    for bad in (np.ones(3, np.float32), np.array([1, np.nan], np.float32)):
        with pytest.raises(StoreError, match="a vector of a-model"):
            store.add_vectors(MODEL, [*rows(1), (text_hash(paper(2).text), bad)])
    with pytest.raises(StoreError, match="knows no model nobody"):
        store.add_vectors("nobody", rows(1))
    assert store.count_without_vector(MODEL) == 2


def test_vectors_are_told_in_the_order_in_which_they_came(store: Store) -> None:
    store.ensure_model(MODEL, 2)
    assert store.newest_vector(MODEL) is None
    store.add_vectors(MODEL, rows(7, 100, 3))
    store.ensure_model("other", 2)
    store.add_vectors("other", rows(5))
    store.add_vectors(MODEL, rows(1))
    blocks = list(store.vectors_since(MODEL, 0, size=3))
    assert [numbers.tolist() for numbers, _, _ in blocks] == [[1, 2, 3], [5]]
    assert [text for _, texts, _ in blocks for text in texts] == [text for text, _ in rows(7, 100, 3, 1)]
    assert blocks[0][0].dtype == np.int64
    assert blocks[0][2].dtype == np.float32
    assert blocks[0][2].tolist() == [[7, 7.5], [100, 100.5], [3, 3.5]]
    assert [numbers.tolist() for numbers, _, _ in store.vectors_since(MODEL, 3)] == [[3, 5]]
    assert store.newest_vector(MODEL) == (5, text_hash(paper(1).text))
    assert list(store.vectors_since("nobody", 0)) == []
    assert store.newest_vector("nobody") is None


def test_papers_are_found_by_the_text_they_have_now(store: Store) -> None:
    store.add_papers("oai", page(paper(1), paper(2, title=paper(1).title, abstract=paper(1).abstract)), NOW)
    store.add_papers("oai", page(paper(3), paper(4)), NOW)
    store.add_papers("oai", page(paper(3, version=2, title="New")), NOW)
    one, three, new, four = (
        text_hash(each.text) for each in (paper(1), paper(3), paper(3, title="New"), paper(4))
    )
    assert store.papers_with_texts([four, three, one, new]) == [(4, four), (1, one), (2, one), (3, new)]
    assert store.papers_with_texts([]) == []


def test_the_vector_state_changes_exactly_when_the_vectors_of_papers_may_have(archive: Archive) -> None:
    def changes(act: Callable[[Store], object]) -> bool:
        before = archive.store.vector_state(MODEL)
        act(archive.store)
        return archive.reopen().vector_state(MODEL) != before

    archive.store.ensure_model(MODEL, 2)
    archive.store.ensure_model("other", 2)
    assert changes(lambda store: store.add_papers("oai", page(paper(1)), NOW))
    assert changes(lambda store: store.add_vectors(MODEL, rows(1)))
    assert changes(lambda store: store.add_papers("oai", page(paper(1, version=2, title="New")), NOW))
    assert not changes(lambda store: store.add_papers("oai", page(paper(1, version=2, doi="10.1/1")), NOW))
    assert not changes(lambda store: store.add_papers("oai", page(cursor="further"), NOW))
    assert not changes(lambda store: store.add_vectors("other", rows(1)))
    assert not changes(lambda store: store.add_vectors(MODEL, []))
