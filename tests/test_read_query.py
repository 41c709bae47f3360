from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import query
from digest.query import Term, read
from digest.types import Window


def texts(terms: tuple[Term, ...]) -> list[str]:
    return [term.text if term.where == "any" else f"{term.where}:{term.text}" for term in terms]


def test_stop_words_do_not_rank_unless_there_is_nothing_else() -> None:
    assert texts(read("why do the diffusion models fail").terms) == ["diffusion", "models", "fail"]
    assert texts(read("to be or not").terms) == ["to", "be", "or", "not"]


def test_the_meaning_keeps_the_stop_words() -> None:
    assert read('why do "diffusion models" fail ti:fingers -cats').meaning == (
        "why do diffusion models fail fingers"
    )


def test_a_quoted_phrase_must_stand_in_the_paper() -> None:
    found = read('"concept bottleneck" shapley')
    assert texts(found.must) == ["concept bottleneck"]
    assert set(texts(found.terms)) == {"concept bottleneck", "shapley"}


def test_a_hyphen_joins_words_and_a_minus_takes_papers_out() -> None:
    found = read('self-attention -video -ti:survey -"large language" a - b')
    assert texts(found.terms) == ["self attention", "b"]
    assert texts(found.without) == ["video", "title:survey", "large language"]


@pytest.mark.parametrize(
    ("text", "must"),
    [
        ("ti:unlearning", ["title:unlearning"]),
        ('abs:"null space"', ["abstract:null space"]),
        ("AU:Carlini", ["authors:Carlini"]),
        ("title:x author:y", ["title:x", "authors:y"]),
    ],
)
def test_a_field_asks_for_words_in_one_place(text: str, must: list[str]) -> None:
    assert texts(read(text).must) == must


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("year:2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("year:2023..2026", date(2023, 1, 1), date(2026, 12, 31)),
        ("year:2023..", date(2023, 1, 1), None),
        ("year:..2020", None, date(2020, 12, 31)),
    ],
)
def test_years_are_a_window(text: str, since: date | None, until: date | None) -> None:
    found = read(text)
    assert (found.window.since, found.window.until, found.terms) == (since, until, ())


def test_the_window_of_the_options_is_only_narrowed() -> None:
    given_ = Window(since=date(2024, 6, 1), until=date(2025, 1, 1))
    assert read("year:2023..2024", given_).window == Window(since=date(2024, 6, 1), until=date(2024, 12, 31))


def test_a_category_is_a_code_or_a_whole_archive() -> None:
    assert read("cat:cs.LG -cat:cs.CV").window == Window(categories=("cs.LG",), not_categories=("cs.CV",))
    whole = read("cat:stat").window.categories
    assert "stat.ML" in whole
    assert not any(code.startswith("cs.") for code in whole)
    assert read("cat:stat.*").window.categories == whole


def test_ids_are_read_in_every_form() -> None:
    assert read("id:2107.05580v2 id:hep-th/9901001").ids == ("2107.05580", "hep-th/9901001")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat:cs.XX", ["cat cs XX"]),
        ("year:20x", ["year 20x"]),
        ("year:..", ["year"]),
        ("id:nothing", ["id nothing"]),
        ("-year:2020", None),
        ("foo:bar", ["foo bar"]),
    ],
)
def test_what_is_no_field_is_read_as_words_and_said(text: str, words: list[str] | None) -> None:
    found = read(text)
    assert [note.rpartition("; ")[2] for note in found.notes] == ["read as words"]
    if words is not None:
        assert texts(found.terms) == words


def test_an_address_is_no_field() -> None:
    assert read("http://x.org/a").notes == ()


def test_an_open_quotation_mark_ends_with_the_query() -> None:
    assert texts(read('a "b c').must) == ["b c"]


def test_only_so_much_is_read() -> None:
    found = read("word " * 2_000)
    assert found.notes
    assert len(found.meaning) <= query.LONGEST
    assert len(read(" ".join(f"w{n}" for n in range(300))).terms) == query.MOST_TERMS


@given(st.text(alphabet=st.characters() | st.sampled_from('":-().*^ ti:cat:year:')))
def test_any_text_is_a_query(text: str) -> None:
    found = read(text)
    for term in (*found.terms, *found.must, *found.without):
        assert term.words
        assert all(word.isalnum() for word in term.words)
