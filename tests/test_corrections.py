"""Notes about papers in parts that were sent: in place, in three languages, the same bytes each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.corrections import WITHDRAWN, amended, changes
from digest.markup import TEXT_LIMIT, check, parse, utf16_length
from digest.types import Language, Paper
from outbox import part

SENT = datetime(2026, 7, 3, 12, tzinfo=UTC)
TITLE = '<b>1.</b> [CV] <a href="https://arxiv.org/abs/2607.00001">On 🐈 &amp; <i>x</i></a>'
REST = '<a href="https://arxiv.org/abs/2607.00001">arXiv</a> · <a href="https://arxiv.org/abs/2607.00002">Dogs</a>'
HTML = f"<b>Head</b>\n\n{TITLE}\nnear: {REST}\n#xai"


def paper(**more: Any) -> Paper:
    given = {"id": "2607.00001", "version": 1, "submitted": SENT, "updated": SENT} | more
    words = {"title": "T", "abstract": "A", "authors": ("B",), "categories": ("cs.CV",)}
    return Paper(**words, announced=SENT.date(), **given)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "On 🐈 & x ⚠️ withdrawn"), ("ru", "On 🐈 & x ⚠️ отозвана"), ("zh", "On 🐈 & x ⚠️ 已撤稿")],
)
def test_a_withdrawn_paper_is_struck_through_where_its_title_stands(language: Language, said: str) -> None:
    made = amended(part(HTML), {"2607.00001": WITHDRAWN}, language)
    assert said in made.text
    struck = [one for one in made.entities if one.type == "strikethrough"]
    raw = made.text.encode("utf-16-le")
    pieces = [raw[2 * e.offset : 2 * (e.offset + e.length)].decode("utf-16-le") for e in struck]
    assert "".join(pieces) == "On 🐈 & x"
    assert made.text.replace(said.removeprefix("On 🐈 & x"), "") == part(HTML).text
    check(made.html)


def test_a_new_version_is_named_and_nothing_is_struck_through() -> None:
    made = amended(part(HTML), {"2607.00002": "v3"}, "en")
    assert "Dogs (updated: v3)\n#xai" in made.text
    assert {one.type for one in made.entities} == {one.type for one in part(HTML).entities}


def test_the_html_parses_to_the_text_and_entities() -> None:
    made = amended(part(HTML), {"2607.00001": WITHDRAWN, "2607.00002": "v2"}, "ru")
    again = parse(made.html)
    assert (again.text, again.entities) == (made.text, made.entities)


def test_a_part_that_does_not_show_the_paper_stays_as_it_is() -> None:
    one = part(HTML)
    assert amended(one, {"2607.99999": WITHDRAWN}, "en") is one
    assert amended(one, {}, "en") is one


def test_where_there_is_no_room_the_part_stays_as_it_is() -> None:
    full = part(f"{TITLE}\n" + "x" * (TEXT_LIMIT - 22))
    assert utf16_length(full.text) > TEXT_LIMIT - 12
    assert amended(full, {"2607.00001": WITHDRAWN}, "en") is full


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(["en", "ru", "zh"]))
def test_notes_are_the_same_bytes_each_time_and_move_nothing_else(
    before: str, after: str, language: Language
) -> None:
    from digest.markup import escape

    one = part(f"{escape(before)} {TITLE} <b>x{escape(after)}</b>")
    made = amended(one, {"2607.00001": WITHDRAWN}, language)
    assert made == amended(one, {"2607.00001": WITHDRAWN}, language)
    kept = [e for e in made.entities if e.type != "strikethrough"]
    assert [e.type for e in kept] == [e.type for e in one.entities]
    assert [e.length for e in kept] == [e.length for e in one.entities]


def test_only_what_is_wanted_and_new_since_the_post_is_said() -> None:
    later = SENT + timedelta(days=1)
    gone = paper(withdrawn=True, version=2, updated=later)
    new = paper(id="2607.00002", version=2, updated=later)
    old = paper(id="2607.00003", version=2, updated=SENT - timedelta(days=1))
    assert changes([gone, new, old], ("withdrawn", "version"), SENT) == {
        "2607.00001": WITHDRAWN,
        "2607.00002": "v2",
    }
    assert changes([gone, new, old], ("withdrawn",), SENT) == {"2607.00001": WITHDRAWN}
    assert changes([gone, new, old], (), SENT) == {}
