"""Sentences of an abstract: verbatim, in order, the contribution before its results, never a mere notice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.summarize import summarize
from digest.types import Paper

NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)
BACKGROUND = "Lamps have recently become very large, and nobody knows which colours they remember."
TURN = "However, existing methods need the whole history of a lamp and take weeks."
AIM = "We propose DIM, a method that removes one colour from a lamp without its history."
HOW = "DIM first finds the filament that holds the colour and then cools it step by step."
RESULT = "Experiments on nine lamps show that DIM forgets 98.5\\% of a colour and is 4.2x faster than rivals."
NOTICE = "Code is available at https://github.com/example/dim."


def paper(abstract: str, title: str = "DIM: removing one colour from a lamp") -> Paper:
    return Paper(
        id="2605.00001", version=1, title=title, abstract=abstract, authors=(), categories=("cs.LG",),
        submitted=NOON, updated=NOON, announced=NOON.date(),
    )  # fmt: skip


ABSTRACT = " ".join((BACKGROUND, TURN, AIM, HOW, RESULT, NOTICE))


def test_one_sentence_is_the_contribution() -> None:
    assert summarize(paper(ABSTRACT), 1) == (AIM,)


def test_two_sentences_are_the_contribution_and_the_result_in_the_abstracts_order() -> None:
    assert summarize(paper(ABSTRACT), 2) == (AIM, RESULT)


@pytest.mark.parametrize(
    "aim",
    [
        "In this paper, we introduce a lamp that forgets its colours when it is told to do so.",
        "This paper presents a lamp that forgets its colours when it is told to do so.",
        "A lamp that forgets its colours when it is told to do so is proposed.",
        "In this work, we address the problem by proposing a lamp that forgets colours.",
        "We show that lamps forget their colours in the order in which they were shown.",
    ],
)
def test_the_words_of_a_contribution_are_known(aim: str) -> None:
    assert summarize(paper(f"{BACKGROUND} {TURN} {aim} {HOW}"), 1) == (aim,)


@pytest.mark.parametrize(
    "notice",
    [
        NOTICE,
        "The code and the models are publicly available.",
        "Our code will be released at \\url{https://github.com/example/dim}.",
        "Project page: https://example.github.io/dim/.",
        "Link: https://example.org",
        "All data can be found at https://example.org/lamps.",
    ],
)
def test_a_notice_of_code_is_never_quoted(notice: str) -> None:
    assert summarize(paper(f"{AIM} {notice}"), 3) == (AIM,)
    assert summarize(paper(notice), 1) == ()


def test_a_sentence_that_names_its_link_in_passing_may_be_quoted() -> None:
    aim = "We present LampBench (https://example.org), nine thousand questions on what a lamp forgets."
    assert summarize(paper(f"{BACKGROUND} {aim}"), 1) == (aim,)


def test_a_short_and_an_endless_sentence_lose_to_one_of_fair_length() -> None:
    short = "We propose DIM here."
    endless = "We propose DIM, which " + "cools and then heats and then cools the lamp " * 9 + "again."
    assert summarize(paper(f"{short} {endless} {AIM}"), 1) == (AIM,)


def test_the_only_sentence_is_given_whole_however_long() -> None:
    endless = "We propose DIM, which " + "cools and then heats and then cools the lamp " * 20 + "again."
    assert summarize(paper(endless), 2) == (endless,)


def test_the_second_sentence_does_not_say_the_first_again() -> None:
    again = "We propose DIM, which removes one colour from a lamp without its history."
    first, second = summarize(paper(f"{AIM} {again} {RESULT}"), 2)
    assert first in (AIM, again)
    assert second == RESULT


def test_a_sentence_is_never_cut_inside_a_formula() -> None:
    aim = "We propose a loss $L(x) = f(x). g(x)! + 0.5$ by which a lamp forgets its colours at once."
    assert summarize(paper(f"{BACKGROUND} {aim} {HOW}"), 1) == (aim,)


def test_what_stands_before_the_contribution_is_never_its_result() -> None:
    assert summarize(paper(f"{BACKGROUND} {RESULT} {AIM}"), 2) == (AIM,)


def test_a_list_within_a_sentence_is_not_cut_at_its_numbers() -> None:
    aim = "We propose three ways to make a lamp forget: 1. Cooling it, 2. Hiding it, and 3. Painting it."
    assert summarize(paper(f"{BACKGROUND} {aim} {HOW}"), 1) == (aim,)


@pytest.mark.parametrize("abstract", ["", " ", ".", "$$", "Withdrawn."])
def test_an_abstract_without_sentences_gives_none(abstract: str) -> None:
    assert summarize(paper(abstract), 2) == ()


@given(
    st.lists(
        st.sampled_from((BACKGROUND, TURN, AIM, HOW, RESULT, NOTICE, "$a<b$ holds.", "Yes!")), max_size=7
    ),
    st.integers(0, 4),
)
def test_sentences_are_verbatim_in_order_and_no_more_than_asked(pieces: list[str], count: int) -> None:
    abstract = " ".join(pieces)
    shown = summarize(paper(abstract), count)
    assert len(shown) <= count
    end = 0
    for sentence in shown:
        end = abstract.index(sentence, end) + len(sentence)


@given(st.text(max_size=300))
def test_any_text_gives_its_own_sentences(text: str) -> None:
    assert all(sentence in text for sentence in summarize(paper(text), 2))
