"""Queries to the API: nothing of a key can change what is asked, nothing is cut off."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import UsageError
from digest.sources.query import MOST_BYTES, MOST_PHRASES, Span, chunks, minute, phrase, query, request

URL = "https://export.arxiv.org/api/query"
SPAN = Span(datetime(2018, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, 12, 30, tzinfo=UTC))
keys = st.text(min_size=1, max_size=80).filter(lambda text: re.search(r"[a-z0-9]", text))


def test_a_query_has_parentheses_fields_and_quotes_everywhere() -> None:
    assert query(["machine unlearning", "XAI"], ["cs.LG", "stat.ML"], SPAN) == (
        '(ti:"machine unlearning" OR abs:"machine unlearning" OR ti:"XAI" OR abs:"XAI") AND '
        "(cat:cs.LG OR cat:stat.ML) AND submittedDate:[201801010000 TO 202606011230]"
    )


def test_no_keys_and_no_categories_stand_for_all() -> None:
    assert query([], ["cs.LG"], SPAN).startswith("(cat:cs.LG) AND submittedDate:[")
    assert query(["x"], [], SPAN).startswith('(ti:"x" OR abs:"x") AND submittedDate:[')


@pytest.mark.parametrize(
    ("key", "quoted"),
    [
        ("AND", '"AND"'),
        ("ANDNOT", '"ANDNOT"'),
        ('a" OR all:"b', '"a OR all: b"'),
        ("f(x) \\ y", '"f x y"'),
        ("*learning", '"learning"'),
        ("tab\tnew\nline\x00end", '"tab new line end"'),
        ("разобучение", '"разобучение"'),
        ("机器遗忘", '"机器遗忘"'),
        ("right to be forgotten", '"right to be forgotten"'),
    ],
)
def test_what_could_end_a_quote_is_taken_out(key: str, quoted: str) -> None:
    assert phrase(key) == quoted


@pytest.mark.parametrize("key", ["", " ", '"', "()", "**", "\x00", "..."])
def test_a_key_without_a_word_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="there is no word in it"):
        phrase(key)


@given(
    st.lists(keys, min_size=1, max_size=9),
    st.lists(st.sampled_from(["cs.LG", "stat.ML", "hep-th"]), max_size=3),
)
def test_the_servers_grammar_reads_back_what_was_meant(some: list[str], categories: list[str]) -> None:
    """Outside quotes stand only the words of the grammar; each quote holds one key."""
    text = query(some, categories, SPAN)
    quoted = re.findall(r'(ti|abs):"([^"]*)"', text)
    assert len(quoted) == 2 * len(some)
    outside = re.sub(r'"[^"]*"', "", text)
    words = "|".join(map(re.escape, ["ti:", "abs:", "cat:cs.LG", "cat:stat.ML", "cat:hep-th"]))
    assert re.fullmatch(
        rf"(\((?:{words})(?: OR (?:{words}))*\) AND ){{1,2}}submittedDate:\[\d{{12}} TO \d{{12}}\]", outside
    )


def address(group: tuple[str, ...], categories: list[str]) -> str:
    return f"{URL}?{urlencode(request(query(group, categories, SPAN), 8500, 500))}"


@given(st.lists(keys, min_size=1, max_size=120), st.integers(0, 20))
def test_every_key_is_in_a_group_and_no_address_is_too_long(some: list[str], count: int) -> None:
    categories = ["cs.LG"] * count
    groups = chunks(some, categories, URL, SPAN)
    assert [key for group in groups for key in group] == list(dict.fromkeys(some))
    assert all(len(group) <= MOST_PHRASES for group in groups)
    assert all(len(address(group, categories)) <= MOST_BYTES for group in groups)


def test_groups_are_as_large_as_they_may_be() -> None:
    some = [f"key {number}" for number in range(100)]
    sizes = [len(group) for group in chunks(some, [], URL, SPAN)]
    assert sizes == [MOST_PHRASES, MOST_PHRASES, 20]


def test_a_key_that_fits_into_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="too long for a query"):
        chunks(["short", "x" * 3000], [], URL, SPAN)


def test_without_keys_there_is_one_query() -> None:
    assert chunks([], ["cs.LG"], URL, SPAN) == ((),)


def test_spaces_and_brackets_are_encoded_once() -> None:
    encoded = urlencode(request(query(["a b"], ["cs.LG"], SPAN), 0, 100))
    assert "submittedDate%3A%5B201801010000+TO+202606011230%5D" in encoded
    assert "%25" not in encoded
    [back] = parse_qs(encoded)["search_query"]
    assert back == query(["a b"], ["cs.LG"], SPAN)


spans = st.builds(
    lambda start, minutes: Span(start, start + timedelta(minutes=minutes)),
    st.datetimes(datetime(1991, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(minute),
    st.integers(2, 10_000_000),
)


@given(spans)
def test_halves_share_their_border_and_lose_no_minute(span: Span) -> None:
    first, second = span.halves()
    assert (first.start, first.end, second.end) == (span.start, second.start, span.end)
    assert span.start < first.end < span.end
    assert abs((first.end - first.start) - (second.end - second.start)) <= timedelta(minutes=1)


def test_a_minute_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match="cannot be halved"):
        Span(SPAN.start, SPAN.start + timedelta(minutes=1)).halves()
