"""Search by words: the best first, within the window, and nothing a user types is a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import InputError
from digest.store import Store, fts_quote
from digest.types import Evidence, Match, Page, Paper, Window

NOW = datetime(2026, 5, 5, tzinfo=UTC)
DAY = date(2026, 5, 5)


def paper(
    number: int, title: str, abstract: str = "", *authors: str, days: int = 0, categories: str = "cs.LG"
) -> Paper:
    return Paper(
        id=f"2605.{number:05}",
        version=1,
        title=title,
        abstract=abstract,
        authors=authors,
        categories=tuple(categories.split()),
        submitted=NOW,
        updated=NOW,
        announced=DAY - timedelta(days=days),
        withdrawn=title == "Withdrawn",
    )


PAPERS = [
    paper(1, "Machine unlearning", "We make models forget."),
    paper(
        2, "Deleting data", "Unlearning a data point; a model that forgets.", days=3, categories="cs.CV cs.LG"
    ),
    paper(3, "Diffusion", "Images from noise.", "José Unlearning", days=1),
    paper(4, "Withdrawn", "Unlearning unlearning unlearning."),
    paper(5, "扩散模型", "机器遗忘 综述", days=9),
]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.open("sqlite://") as store:
        store.add_papers("oai", Page(tuple(PAPERS), None), NOW)
        match = Match(
            topic="xai", paper=PAPERS[1].id, score=0.1, silent=True, evidence=Evidence(), scorer="s"
        )
        store.put_matches("xai", [match], "f")
        yield store


def found(store: Store, expression: str, window: Window = Window(), k: int = 9) -> list[int]:  # noqa: B008
    return [number for number, _ in store.search_words(expression, k, window)]


def test_a_word_in_the_title_counts_more_than_in_the_abstract_and_in_the_authors_least(store: Store) -> None:
    answers = store.search_words("unlearning", 9)
    assert [number for number, _ in answers] == [1, 2, 3]
    assert answers[0][1] > answers[1][1] > answers[2][1] > 0
    assert store.search_words("unlearning", 1) == answers[:1]


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("unlearn", [1, 2, 3]),  # stems
        ("jose", [3]),  # accents
        ('"machine unlearning"', [1]),
        ('"unlearning machine"', []),
        ("forget NOT machine", [2]),
        ("title : unlearning", [1]),
        ("diffus*", [3]),
        ("扩散模型", [5]),
        ("扩散", []),  # Han text is not split into words
        ("nothing", []),
    ],
)
def test_fts5_expressions_are_answered(store: Store, expression: str, numbers: list[int]) -> None:
    assert found(store, expression) == numbers


@pytest.mark.parametrize(
    ("window", "numbers"),
    [
        (Window(), [1, 2, 3]),
        (Window(since=DAY - timedelta(1)), [1, 3]),
        (Window(until=DAY - timedelta(1)), [2, 3]),
        (Window(since=DAY - timedelta(2), until=DAY - timedelta(1)), [3]),
        (Window(categories=("cs.CV",)), [2]),
        (Window(categories=("cs.CV", "cs.LG")), [1, 2, 3]),
        (Window(topics=("xai",)), [2]),
        (Window(topics=("xai",), since=DAY), []),
    ],
)
def test_words_and_vectors_are_filtered_by_the_same_window(
    store: Store, window: Window, numbers: list[int]
) -> None:
    assert sorted(found(store, "unlearning", window)) == numbers
    assert sorted(store.filter_numbers([3, 2, 1, 4, 99], window)) == numbers


def test_filtered_numbers_keep_their_order(store: Store) -> None:
    assert store.filter_numbers([3, 1, 2], Window()) == [3, 1, 2]
    assert store.filter_numbers([], Window()) == []


@pytest.mark.parametrize(
    "expression", ["", '"', "AND", "(a", "a OR", "nofield : a", "*", "\ud800", "NEAR(", "^", "-a"]
)
def test_what_is_no_expression_is_told_in_one_line(store: Store, expression: str) -> None:
    with pytest.raises(InputError, match="this cannot be searched for") as told:
        store.search_words(expression, 9)
    assert "\n" not in str(told.value)


@settings(max_examples=200, deadline=None)
@given(words=st.text(max_size=30))
def test_whatever_is_quoted_is_an_expression(store: Store, words: str) -> None:
    store.search_words(fts_quote(words), 1)


@given(word=st.sampled_from(["machine unlearning", "unlearning", "forget", "images from noise"]))
def test_quoted_words_find_what_holds_them(store: Store, word: str) -> None:
    assert found(store, fts_quote(word)) == found(store, f'"{word}"') != []


def test_an_expression_of_a_thousand_terms_is_answered(store: Store) -> None:
    many = " OR ".join(fts_quote(f"term{n}") for n in range(1000))
    assert found(store, f"{many} OR diffusion") == [3]


def test_the_index_can_be_made_anew() -> None:
    with Store.open("sqlite://") as store:
        store.add_papers("oai", Page(tuple(PAPERS), None), NOW)
        with store._writing() as connection:
            connection.exec_driver_sql("INSERT INTO paper_word(paper_word) VALUES ('delete-all')")
        assert found(store, "unlearning") == []
        store.rebuild_words()
        assert found(store, "unlearning") == [1, 2, 3]


def test_the_words_of_a_page_are_written_once() -> None:
    """FTS5 left to itself writes a segment for each megabyte, and merges them again and again."""
    vocabulary = [f"w{number}" for number in range(997)]
    texts = [" ".join(vocabulary[n * step % 997] for step in range(200)) for n in range(3_000)]
    papers = tuple(paper(n, "Paper", text) for n, text in enumerate(texts, start=1))
    segments = "SELECT count(DISTINCT segid) FROM paper_word_idx"
    with Store.open("sqlite://") as store:
        store.add_papers("snapshot", Page(papers, None), NOW)
        with store._writing() as connection:
            assert connection.exec_driver_sql(segments).scalar() == 1
        assert len(found(store, "w1 AND w42", k=9_999)) > 100
