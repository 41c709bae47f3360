"""What can be quoted: definitions, questions, problems, doubts, what is open; word for word or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import passages
from digest.types import Paper
from fields import paper


def of(abstract: str, title: str = "Lamps that Forget") -> Paper:
    return paper("2605.00001", title, abstract)


AIM = "We propose DIM, which removes one colour of a lamp."
AMISS = "Existing lamps struggle to forget a colour that they were shown once."
TURN = "However, most lamps fail to forget a colour without losing all others."


def test_a_problem_is_what_is_amiss_before_the_papers_own_part() -> None:
    assert passages.problem(of(f"Lamps are bright. {AMISS} {AIM}")) == AMISS
    assert passages.problem(of(f"{AIM} {AMISS}")) is None
    assert passages.problem(of(f"Lamps give light at night, and people like them. {AIM}")) is None


def test_of_several_problems_the_one_after_the_turn_is_told() -> None:
    first = "Costly wires are a known problem of the older lamps."
    assert passages.problem(of(f"{first} {TURN} {AIM}")) == TURN


@pytest.mark.parametrize(
    "leaning",
    [
        "However, these suffer from a severe loss of colour at night.",
        "This problem makes most lamps fail in the dark rooms.",
        "Moreover, most lamps fail to forget a colour in the dark.",
        "To address this, lamps that fail must be costly and large.",
    ],
)
def test_a_sentence_that_leans_on_another_is_not_quoted(leaning: str) -> None:
    assert passages.problem(of(f"Lamps are bright. {leaning} {AIM}")) is None


def test_a_doubt_is_a_finding_against_something_and_no_praise() -> None:
    against = "Our results show that dimmed lamps do not forget but hide their colours."
    praise = "Our results show that, unlike others, our method does not fail in dark rooms."
    assert passages.doubt(of(f"{AIM} {against}")) == against
    assert passages.doubt(of(f"{AIM} {praise}")) is None


def test_what_is_open_is_quoted_where_the_abstract_says_so() -> None:
    open_ = "How a lamp comes to know its first colour remains poorly understood."
    assert passages.unsolved(of(f"{open_} {AIM}")) == open_
    assert passages.unsolved(of("We leave open problems of lamps that remain unclear to us.")) is None


def test_a_question_is_the_title_up_to_its_mark_else_a_sentence() -> None:
    assert (
        passages.question(of(AIM, "Do Lamps Really Forget Colours? A Study"))
        == "Do Lamps Really Forget Colours?"
    )
    assert passages.question(of(f"Can a lamp be made to forget its colours? {AIM}")) == (
        "Can a lamp be made to forget its colours?"
    )
    assert passages.question(of(AIM, "Why?")) is None


def test_a_definition_says_what_the_term_means() -> None:
    told = "Lamp unlearning (LU) aims to remove a colour from a lamp that was trained on it."
    assert passages.definition(of(f"{told} {AIM}"), ("lamp unlearning", "unlearning")) == told
    assert (
        passages.definition(
            of(f"Lamp unlearning is popular in large cities these days. {AIM}"), ("lamp unlearning",)
        )
        is None
    )


def test_an_abbreviation_is_one_that_two_papers_agree_on() -> None:
    one, other = of("Lamp unlearning (LU) aims high."), of("We study lamp unlearning (LU) at night.")
    assert passages.abbreviation([one, other], ("lamp unlearning",)) == "LU"
    assert passages.abbreviation([one], ("lamp unlearning",)) is None


@given(st.text(max_size=300))
@pytest.mark.parametrize("of_", [passages.question, passages.problem, passages.doubt, passages.unsolved])
def test_whatever_is_quoted_stands_in_the_paper(of_: Callable[[Paper], str | None], text: str) -> None:
    found = of_(of(text, text))
    assert found is None or found in text
