from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.query import read
from digest.search import expression, fuse, search
from digest.store import Store
from digest.types import Page, Paper


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("concept-bottleneck x", '("concept bottleneck" OR "x")'),
        ('shap "a bottleneck"', '("shap" OR "a bottleneck") AND "a bottleneck"'),
        ("lime -ti:fruit -pie", '(("lime")) NOT (title : "fruit" OR "pie")'),
        ("ti:lime", '(title : "lime") AND title : "lime"'),
        ("NEAR(cats) OR x* ^d", '("NEAR cats" OR "x" OR "d")'),
    ],
)
def test_a_query_is_an_expression_of_quoted_words(text: str, wanted: str) -> None:
    assert expression(read(text)) == wanted


HOSTILE = [
    "'; DROP TABLE paper; --", '"', '""', '"""', '" OR "', "*", "a*", "^a", "a AND", "NOT", "NOT a",
    "a NOT", "NEAR(", "NEAR(a b, 5)", "(a", "a)", "()", "{title} : a", "title : a", "-", "--", "-a",
    '-"', '-"a', "- a", "ti:", "ti: a", 'ti:"', 'au:""', "cat:", "cat:'", "year:9999..0000", "year:0000",
    "topic:", "id:..", "\0", "a\0b", "\ud800", "é", "扩散模型", "как", "😀", "e\u0301", "\u202e", "1", "0x1",
    "%", "_", "%%s", "\\", "$1", "?", ":a", "@a", "a:b:c", "a" * 10_000, "a " * 5_000, '"' * 999,
    "(" * 999, "-a " * 500, "ti:a " * 500, '"a b" ' * 500,
]  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    day = datetime(2026, 5, 1, tzinfo=UTC)
    paper = Paper(
        id="2605.00001", version=1, title="A cat", abstract="of a title", authors=("Ann Roe",),
        categories=("cs.LG",), submitted=day, updated=day, announced=date(2026, 5, 1), announce_type="new",
    )  # fmt: skip
    with Store.open("sqlite://") as store:
        store.add_papers("test", Page((paper,), None), day)
        yield store


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_query_is_an_error(store: Store, number: int) -> None:
    for before, after in (("", ""), ("cat ", ""), ("", " cat"), ('"', '"')):
        answer = search(store, None, lambda _: pytest.fail("asked"), read(before + HOSTILE[number] + after))
        assert all(hit.id == "2605.00001" for hit in answer.hits)


@given(st.text(alphabet=st.characters() | st.sampled_from('"-:()*^ ')))
def test_no_text_at_all_is_an_error(store: Store, text: str) -> None:
    search(store, None, lambda _: pytest.fail("asked"), read(text))


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("dog cat", 1), ("dog", 0), ("cat -title", 0), ("au:roe", 1), ("ti:title", 0), ("", 1),
        ('"a title"', 1),
        ("cat:cs", 1), ("cat:cs -cat:cs.LG", 0), ("year:2026", 1), ("year:2025 cat", 0), ("id:2605.00001", 1),
        ("id:2605.00001 dog", 0), ("id:2605.00001 -cat", 0), ("-cat", 0),
    ],
)  # fmt: skip
def test_filters_hold_for_every_kind_of_query(store: Store, text: str, hits: int) -> None:
    assert len(search(store, None, lambda _: pytest.fail("asked"), read(text)).hits) == hits


def test_a_phrase_that_nobody_wrote_is_told(store: Store) -> None:
    answer = search(store, None, lambda _: pytest.fail("asked"), read('"cat of the"'))
    assert answer.notes == (
        'no paper holds "cat of the" to the letter; without quotation marks and fields more is found',
    )


def test_first_on_both_sides_scores_one_and_comes_first() -> None:
    fused = fuse([[7, 8], [7, 9]])
    assert fused[0] == (7, 1.0)
    assert {number for number, _ in fused} == {7, 8, 9}


def test_a_side_without_answers_takes_nothing_away() -> None:
    assert fuse([[3, 4], []]) == [(3, 1.0), (4, round(61 / 62, 4))]


def test_equal_scores_stand_in_the_order_of_numbers() -> None:
    assert [number for number, _ in fuse([[5], [2]])] == [2, 5]
