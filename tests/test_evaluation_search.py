from __future__ import annotations

from pathlib import Path

import pytest

from digest.errors import InputError
from digest.evaluation.search import Asked, answerable, evaluate_search, metrics, read_asked, tfidf


def test_the_first_place_counts_most() -> None:
    assert metrics(["a", "x"], ["a"]) == (1.0, 1.0, 1.0)
    gain, recall, rank = metrics(["x", "a", "y"], ["a", "b"])
    assert (round(gain, 4), recall, rank) == (round(0.63093 / 1.63093, 4), 0.5, 0.5)
    assert metrics([], ["a"]) == (0.0, 0.0, 0.0)


def test_answers_beyond_the_tenth_place_count_for_recall_only() -> None:
    ranked = [f"x{n}" for n in range(50)] + ["a"]
    assert metrics(ranked, ["a"]) == (0.0, 1.0, 1 / 51)


def test_only_answers_at_hand_are_asked_for() -> None:
    asked = [Asked("one", ("a", "b")), Asked("two", ("c",))]
    assert answerable(asked, ["b"]) == [Asked("one", ("b",))]


def test_methods_are_compared_query_by_query() -> None:
    asked = [Asked(f"q{n}", ("a",)) for n in range(20)]
    found = evaluate_search(asked, {"good": lambda _: ["a"], "bad": lambda _: ["x", "a"]}, "bad")
    assert [method.name for method in found] == ["good", "bad", "good - bad"]
    more = found[2].values["MRR"]
    assert (more.value, more.low, more.high) == (0.5, 0.5, 0.5)


def test_queries_are_read_with_their_answers(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(
        '{"query": "x", "relevant": ["arXiv:2107.05580v2"], "topic": "other facts are passed over"}\n'
    )
    assert read_asked(file) == [Asked("x", ("2107.05580",))]


@pytest.mark.parametrize(
    "line", ["", "{}", '{"query": "x"}', '{"query": "x", "relevant": ["nothing"]}', "\udcff"]
)
def test_a_line_that_is_no_query_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(line.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match="q.jsonl"):
        read_asked(file)


def test_tfidf_finds_the_text_that_shares_words() -> None:
    texts = ["cats purr loudly", "dogs bark at cars"] + [f"filler number{n} words" for n in range(30)]
    rank = tfidf(texts, [f"p{n}" for n in range(len(texts))])
    assert rank("a purring of cats purr")[0] == "p0"
    assert rank("unheard") == []
