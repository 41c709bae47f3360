from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from digest.search import expression, fuse, read_query


def test_stop_words_are_left_out_unless_there_is_nothing_else() -> None:
    assert read_query("why do the diffusion models fail") == ("diffusion", "models", "fail")
    assert read_query("to be or not") != ()


def test_a_quoted_phrase_stays_together() -> None:
    assert read_query('"concept bottleneck" shapley') == ("concept bottleneck", "shapley")


def test_nothing_in_a_query_is_syntax() -> None:
    terms = read_query('NEAR(a b) OR title:x* AND "-c" ^d')
    assert '"' not in "".join(terms)
    assert expression(("concept-bottleneck", "x")) == '"concept bottleneck" OR "x"'


@given(st.text())
def test_any_text_becomes_terms_without_quotes(query: str) -> None:
    for term in read_query(query):
        assert expression([term]).count('"') == 2


def test_first_on_both_sides_scores_one_and_comes_first() -> None:
    fused = fuse([[7, 8], [7, 9]])
    assert fused[0] == (7, 1.0)
    assert {number for number, _ in fused} == {7, 8, 9}


def test_a_side_without_answers_takes_nothing_away() -> None:
    assert fuse([[3, 4], []]) == [(3, 1.0), (4, round(61 / 62, 4))]


def test_equal_scores_stand_in_the_order_of_numbers() -> None:
    assert [number for number, _ in fuse([[5], [2]])] == [2, 5]
