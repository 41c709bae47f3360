from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from digest.query import Term
from digest.snippets import LENGTH, found, places, reason, snippet
from digest.types import Paper

ABSTRACT = (
    "We look at many things first, at some length, and none of them matters for what is asked here at all. "
    "Erasing concepts from a model is hard. An erased concept of $x^2$ comes back after fine-tuning. "
    "Nothing else is said about bottlenecks."
)


def paper(abstract: str = ABSTRACT) -> Paper:
    day = datetime(2026, 5, 1, tzinfo=UTC)
    return Paper(
        id="2605.00001", version=1, title="Concept Erasure", abstract=abstract, authors=("Ann Roe",),
        categories=("cs.LG",), submitted=day, updated=day, announced=date(2026, 5, 1), announce_type="new",
    )  # fmt: skip


def test_words_are_found_whatever_their_endings() -> None:
    text = "Erased concepts, and erasing a concept"
    assert [text[a:b] for a, b in found(Term(("erase", "concept")), text)] == ["Erased concepts"]
    assert [text[a:b] for a, b in found(Term(("concepts",)), text)] == ["concepts", "concept"]


def test_the_passage_holds_most_of_the_terms_and_marks_them() -> None:
    text, marks = snippet(paper(), [Term(("concept",)), Term(("erased",))])
    assert text.startswith("…Erasing concepts from")
    assert [text[a:b] for a, b in marks] == ["Erasing", "concepts", "erased", "concept"]
    assert "x²" in text


def test_there_is_no_passage_where_the_abstract_holds_nothing() -> None:
    assert snippet(paper(), [Term(("shapley",))]) == ("", ())
    assert snippet(paper(), [Term(("concept",), "title")]) == ("", ())


def test_the_reason_says_what_stands_where() -> None:
    said = reason(places(paper(), [Term(("concept",)), Term(("roe",), "authors")]), 0.512)
    assert said == "concept in the title; concept in the abstract; roe in the authors; near in meaning (0.51)"
    assert reason(places(paper(), [Term(("unlearnable",))]), None) == "a form of unlearnable"


@given(st.text(), st.integers(0, 40))
def test_marks_lie_in_the_passage_and_words_are_whole(noise: str, many: int) -> None:
    abstract = f"{noise} concept {'filling words ' * many}concepts {noise}"
    text, marks = snippet(paper(abstract), [Term(("concept",))])
    assert len(text) <= LENGTH + 2
    assert all(text[start:end].lower().startswith("concept") for start, end in marks)
