from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from digest.inverted import open_words
from digest.query import read
from digest.search import MEANING, FloatVector, Mode, Searcher, fuse, towards
from digest.store import Reader, Store
from digest.store.papers import text_hash
from digest.types import Page, Paper

HOSTILE = [
    "'; DROP TABLE paper; --", '"', '""', '"""', '" OR "', "*", "a*", "^a", "a AND", "NOT", "NOT a",
    "a NOT", "NEAR(", "NEAR(a b, 5)", "(a", "a)", "()", "{title} : a", "title : a", "-", "--", "-a",
    '-"', '-"a', "- a", "ti:", "ti: a", 'ti:"', 'au:""', "cat:", "cat:'", "year:9999..0000", "year:0000",
    "topic:", "id:..", "\0", "a\0b", "\ud800", "é", "扩散模型", "как", "😀", "e\u0301", "\u202e", "1", "0x1",
    "%", "_", "%%s", "\\", "$1", "?", ":a", "@a", "a:b:c", "a" * 10_000, "a " * 5_000, '"' * 999,
    "(" * 999, "-a " * 500, "ti:a " * 500, '"a b" ' * 500,
]  # fmt: skip


@pytest.fixture(scope="module", params=["in the database", "beside it"])
def searcher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    day = datetime(2026, 5, 1, tzinfo=UTC)
    paper = Paper(
        id="2605.00001", version=1, title="A cat", abstract="of a title", authors=("Ann Roe",),
        categories=("cs.LG",), submitted=day, updated=day, announced=date(2026, 5, 1), announce_type="new",
    )  # fmt: skip
    home = tmp_path_factory.mktemp("home")
    url = f"sqlite:///{home}/d.db"
    with Store.open(url) as store:
        store.add_papers("test", Page((paper,), None), day)
    with Reader.open(url) or pytest.fail("not ours") as reader:
        words = open_words(home / "index", reader) if request.param == "beside it" else None
        yield Searcher(reader, words, None, "", lambda _: pytest.fail("asked"))


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_query_is_an_error(searcher: Searcher, number: int) -> None:
    for before, after in (("", ""), ("cat ", ""), ("", " cat"), ('"', '"')):
        answer = searcher.search(read(before + HOSTILE[number] + after))
        assert all(hit.id == "2605.00001" for hit in answer.hits)


@given(st.text(alphabet=st.characters() | st.sampled_from('"-:()*^ ')))
def test_no_text_at_all_is_an_error(searcher: Searcher, text: str) -> None:
    searcher.search(read(text))


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("dog cat", 1), ("dog", 0), ("cat -title", 0), ("au:roe", 1), ("ti:title", 0), ("", 1),
        ('"a title"', 1),
        ("cat:cs", 1), ("cat:cs -cat:cs.LG", 0), ("year:2026", 1), ("year:2025 cat", 0), ("id:2605.00001", 1),
        ("id:2605.00001 dog", 0), ("id:2605.00001 -cat", 0), ("-cat", 0),
    ],
)  # fmt: skip
def test_filters_hold_for_every_kind_of_query(searcher: Searcher, text: str, hits: int) -> None:
    assert len(searcher.search(read(text)).hits) == hits


def test_a_phrase_that_nobody_wrote_is_told(searcher: Searcher) -> None:
    answer = searcher.search(read('"cat of the"'))
    assert answer.notes == (
        'no paper holds "cat of the" to the letter; without quotation marks and fields more is found',
    )


def test_first_on_both_sides_comes_first() -> None:
    fused = fuse({7: 30.0, 8: 15.0}, {7: 0.5, 9: 0.25})
    assert fused[0] == (7, pytest.approx(1 - MEANING + MEANING * 0.5))
    assert {number for number, _ in fused} == {7, 8, 9}


def test_words_that_single_out_a_paper_outweigh_a_little_more_nearness() -> None:
    assert [number for number, _ in fuse({1: 30.0, 2: 10.0}, {1: 0.5, 2: 0.7})] == [1, 2]
    assert [number for number, _ in fuse({1: 30.0, 2: 29.0}, {1: 0.5, 2: 0.7})] == [2, 1]


def test_a_side_without_answers_takes_nothing_away() -> None:
    assert fuse({3: 9.0, 4: 4.5}, {}) == [(3, 1.0), (4, 0.5)]
    assert fuse({}, {3: 0.5, 4: 0.25}) == [(3, 0.5), (4, 0.25)]
    assert fuse({}, {}) == []


def test_a_paper_without_a_vector_counts_as_the_least_near() -> None:
    scores = dict(fuse({1: 10.0, 2: 10.0, 3: 1.0}, {2: 0.2, 3: 0.8}))
    assert scores[1] == scores[2]


def test_equal_scores_stand_in_the_order_of_numbers() -> None:
    assert [number for number, _ in fuse({5: 2.0, 2: 2.0}, {})] == [2, 5]


def test_a_query_moves_towards_the_best_of_its_first_answer() -> None:
    query = np.array([1, 0], np.float32)
    moved = towards(query, np.array([[0, 1], [0, 1]], np.float32))
    assert np.linalg.norm(moved) == pytest.approx(1)
    assert 0 < moved[1] < moved[0]
    assert towards(query, np.empty((0, 2), np.float32)) is query


MODEL = "model"


class Same:
    """An index of the vectors that stand in a database, compared one by one."""

    def __init__(self, vectors: dict[bytes, FloatVector]) -> None:
        self.vectors, self.asked = vectors, list[int]()

    def __len__(self) -> int:
        return len(self.vectors)

    def nearest(self, vector: FloatVector, k: int) -> dict[bytes, float]:
        self.asked.append(k)
        cosines = {text: float(each @ vector) for text, each in self.vectors.items()}
        return dict(sorted(cosines.items(), key=lambda one: -one[1])[:k])


@contextmanager
def searching(
    folder: Path, papers: Sequence[Paper], angles: Sequence[float]
) -> Iterator[tuple[Searcher, Same]]:
    """What answers queries over papers whose vectors stand at some angles to the query's."""
    url = f"sqlite:///{folder}/d.db"
    vectors = {
        text_hash(one.text): np.array([np.cos(angle), np.sin(angle)], np.float32)
        for one, angle in zip(papers, angles, strict=True)
    }
    with Store.open(url) as store:
        store.add_papers("test", Page(tuple(papers), None), datetime(2026, 5, 1, tzinfo=UTC))
        store.ensure_model(MODEL, 2)
        store.add_vectors(MODEL, list(vectors.items()))
    with Reader.open(url) or pytest.fail("not ours") as reader:
        index = Same(vectors)
        words = open_words(folder / "index", reader)
        yield Searcher(reader, words, index, MODEL, lambda _: np.array([1, 0], np.float32)), index


def paper(number: int, abstract: str, day: date = date(2026, 5, 1)) -> Paper:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Paper(
        id=f"{day:%y%m}.{number:05}", version=1, title=f"Paper {number}", abstract=abstract, authors=("Ann",),
        categories=("cs.LG",), submitted=moment, updated=moment, announced=day, announce_type="new",
    )  # fmt: skip


def test_of_two_that_are_as_near_the_one_beside_what_holds_the_words_comes_first(tmp_path: Path) -> None:
    held = [paper(number, "a concept bottleneck") for number in range(1, 6)]
    others = [paper(6, "on this side"), paper(7, "on that side")]
    with searching(tmp_path, [*held, *others], [0.5] * 5 + [-0.6, 0.6]) as (searcher, _):
        answer = searcher.search(read("concept bottleneck"))
    assert [hit.title for hit in answer.hits[5:]] == ["Paper 7", "Paper 6"]
    near = [hit.cosine for hit in answer.hits[5:]]
    assert near == pytest.approx([np.cos(0.6)] * 2, abs=1e-6), "the cosine that is told is the query's own"


@pytest.mark.parametrize("mode", ["words", "vectors", "both"])
def test_as_many_are_found_as_pass_the_filters_however_deep_they_lie(tmp_path: Path, mode: Mode) -> None:
    new = [paper(number, "a cat and a cat") for number in range(300)]
    old = [paper(number, "a cat sleeps by the door", date(2020, 5, 1)) for number in range(260)]
    with searching(tmp_path, [*new, *old], [0.1] * 300 + [0.2] * 260) as (searcher, _):
        for k in (10, 150, 200, 259):
            assert len(searcher.search(read("cat year:2020"), k, mode).hits) == k
        assert len(searcher.search(read("cat year:2020"), 400, mode).hits) == 260


def test_one_does_not_look_again_for_the_last_few(tmp_path: Path) -> None:
    papers = [paper(number, "a cat", date(2026 - number % 5, 5, 1)) for number in range(2000)]
    with searching(tmp_path, papers, [number / 10_000 for number in range(2000)]) as (searcher, index):
        assert len(searcher.search(read("cat year:2026"), 10).hits) == 10
    assert index.asked == [800]


@pytest.mark.parametrize(
    "text", ["cat cat:math", "cat year:2021", '"a black cat"', "cat -grey cat:math", "cat id:2605.00004"]
)
def test_where_few_pass_these_alone_are_compared_and_nothing_else_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    papers = [
        replace(
            paper(number, "a black cat" if number % 100 == 7 else "a grey cat" if number % 2 else "a cat"),
            categories=("math.AG",) if number % 150 == 4 else ("cs.LG",),
            announced=date(2021 if number % 200 == 5 else 2026, 5, 1),
        )
        for number in range(3000)
    ]
    with searching(tmp_path, papers, [number / 5_000 for number in range(3000)]) as (searcher, index):
        few = searcher.search(read(text), 30)
        asked = len(index.asked)
        assert asked <= 1
        monkeypatch.setattr("digest.search.FEW", -1)
        assert searcher.search(read(text), 30) == few
        assert len(index.asked) > asked
    assert few.hits
