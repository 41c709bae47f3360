"""Posts changed by hand: their source, which papers are wanted, and what stays of whose words."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.editing import (
    body,
    difference,
    in_tiers,
    problems,
    read_source,
    revise,
    wanted_papers,
    with_changes,
    write_source,
)
from digest.errors import InputError
from digest.markup import blocks, parse, split
from digest.types import Choice, Evidence, Limits, Part, Post

A, B, C = "2605.00001", "2605.00002", "math/0211159"
TITLES = {A: "Lamps", B: "Rooms", C: "Flows"}


def link(paper: str) -> str:
    return f'<a href="https://arxiv.org/abs/{paper}">{TITLES.get(paper, paper)}</a>'


def item(number: int, paper: str, more: str = "") -> str:
    return f"<b>{number}.</b> {link(paper)}\nAda Example{more}"


def template(*papers: str) -> tuple[str, ...]:
    """What a template writes of these papers."""
    head = ("Hello!", f"<b>Lamps</b>\n{len(papers)} papers")
    return (*head, *(item(number, paper) for number, paper in enumerate(papers, 1)), "#lamps", "Bye!")


def post(*texts: str, papers: tuple[str, ...] = (A, B), version: int = 1) -> Post:
    parts = split(texts)
    return Post(
        id=7,
        topics=("lamps",),
        slot=date(2026, 5, 12),
        genre="roundup",
        language="en",
        state="draft",
        papers=papers,
        parts=parts,
        version=version,
    )


# --- the source -----------------------------------------------------------------------------------


def test_a_source_that_was_left_alone_says_what_the_post_says() -> None:
    source = read_source(write_source(post(*template(A, B)), TITLES))
    assert (source.post, source.version, source.papers) == (7, 1, (A, B))
    assert blocks(source.text) == template(A, B)


@given(
    st.lists(st.sampled_from(["a", "b & c", "1 < 2", "é", "七", "===x", "# no note"]), min_size=1, max_size=5)
)
def test_any_text_comes_back_from_its_source(words: list[str]) -> None:
    written = post(*(re.sub("<", "&lt;", word.replace("&", "&amp;")) for word in words))
    assert split(blocks(read_source(write_source(written, {})).text)) == written.parts


def test_an_editor_of_windows_does_no_harm() -> None:
    source = write_source(post(*template(A, B)), TITLES).replace("\n", "\r\n")
    assert blocks(read_source(source).text) == template(A, B)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("post 7, version 1", "hello", "line 1: the first line must say which post"),
        ("===", "", "there is no line ==="),
        (f"{B}  Rooms", f"{A}  Lamps", f"{A} stands twice"),
        (f"{B}  Rooms", "Rooms", "line 8: not an arXiv identifier: 'Rooms'"),
    ],
)
def test_a_broken_source_is_told_by_its_line(old: str, new: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        read_source(write_source(post(*template(A, B)), TITLES).replace(old, new))


# --- which papers ---------------------------------------------------------------------------------


def test_papers_are_dropped_added_and_put_first() -> None:
    assert with_changes((A, B), [A], [C], []) == (B, C)
    assert with_changes((A, B), [], [A], []) == (A, B)
    assert with_changes((A, B), [], [C], [C, B]) == (C, B, A)
    with pytest.raises(InputError, match=f"{C} is not in the post; its papers are {A}, {B}"):
        with_changes((A, B), [C], [], [])
    with pytest.raises(InputError, match="cannot be put in order"):
        with_changes((A, B), [], [], [C])


def test_the_list_and_the_blocks_say_which_papers_are_wanted() -> None:
    before = template(A, B)
    assert wanted_papers((A, B), (A, B), before, before) == (A, B)
    moved = (before[0], before[3], before[2])
    assert wanted_papers((A, B), (A, B), before, moved) == (B, A)
    without = (*before[:2], *before[3:])
    assert wanted_papers((A, B), (A, B), before, without) == (B,)
    assert wanted_papers((A, B), (C, A, B), before, without) == (C, B)
    assert wanted_papers((A, B), (B,), before, before) == (B,)


def test_a_paper_that_is_only_named_beside_another_has_lost_its_block() -> None:
    before = (item(1, A, f"\nnear: {link(B)}"), item(2, B))
    assert wanted_papers((A, B), (A, B), before, before[:1]) == (A,)


def test_the_first_papers_are_told_at_length() -> None:
    choices = [
        Choice(paper=paper, tier=tier, score=1, silent=False, evidence=Evidence(), topics=("lamps",))
        for paper, tier in ((A, "brief"), (B, "detailed"), (C, "brief"))
    ]

    def tiers(detailed: int, brief: int) -> list[str]:
        return [one.tier for one in in_tiers(choices, Limits(detailed, brief))]

    assert tiers(0, 0) == tiers(1, 2) == ["detailed", "brief", "brief"]
    assert tiers(2, 0) == ["detailed", "detailed", "brief"]
    assert [one.tier for one in in_tiers(choices[:2] * 2, Limits(1, 1))] == [
        *["detailed"] * 2,
        *["brief"] * 2,
    ]
    assert [one.tier for one in in_tiers(choices[1:2] + choices[:1], Limits(0, 0))] == ["detailed", "brief"]


# --- whose words ----------------------------------------------------------------------------------


def revised(current: tuple[str, ...], *papers: str, as_listed: bool = True) -> tuple[str, ...]:
    """A post of A and B, changed by hand, that is to hold these papers."""
    every = {A, B, *papers}
    return revise(every, template(A, B), current, template(*papers), as_listed=as_listed).blocks


def test_what_was_left_alone_is_the_templates_again() -> None:
    assert revised(template(A, B), B, A) == template(B, A)
    assert revised(template(A, B), A) == template(A)
    assert revised(template(A, B), A, B, C) == template(A, B, C)


def test_what_was_written_by_hand_stays_and_gets_the_new_number() -> None:
    _hello, head, one, _two, tag, bye = template(A, B)
    current = ("My friends!", head, one, item(2, B, "\nMy favourite."), tag, bye)
    assert revised(current, B, A) == (
        "My friends!",
        head,
        item(1, B, "\nMy favourite."),
        item(2, A),
        tag,
        bye,
    )
    notes = revise({A, B}, template(A, B), current, template(B, A), as_listed=True).notes
    assert notes == (
        "kept as you wrote it: “My friends!”",
        "kept as you wrote it: “2. Rooms Ada Example My favourite.”",
    )


def test_prose_that_was_put_in_stays_behind_the_block_it_stood_behind() -> None:
    hello, head, one, two, tag, bye = template(A, B)
    current = ("Before all.", hello, head, one, "Behind A.", two, "Behind B.", tag, bye)
    assert revised(current, B, A) == (
        "Before all.", hello, head, item(1, B), "Behind B.", item(2, A), "Behind A.", tag, bye,
    )  # fmt: skip
    assert revised(current, A) == (
        "Before all.",
        hello,
        template(A)[1],
        one,
        "Behind A.",
        "Behind B.",
        tag,
        bye,
    )


def test_prose_that_was_taken_out_does_not_come_back() -> None:
    _hello, head, one, two, _tag, bye = template(A, B)
    assert revised((head, one, two, bye), A) == (template(A)[1], one, bye)


def test_a_text_that_goes_with_its_paper_is_told() -> None:
    hello, head, one, _two, tag, bye = template(A, B)
    current = (hello, head, one, item(2, B, "\nMine."), tag, bye)
    found = revise({A, B}, template(A, B), current, template(A), as_listed=True)
    assert (found.blocks, found.notes) == (
        template(A),
        ("gone with its paper: “2. Rooms Ada Example Mine.”",),
    )


def test_blocks_that_were_moved_stay_where_they_are_and_are_numbered_anew() -> None:
    hello, head, one, two, tag, bye = template(A, B)
    current = (hello, head, two, "Now for lamps.", one, tag, bye)
    assert revised(current, B, A, as_listed=False) == (
        hello, head, item(1, B), "Now for lamps.", item(2, A), tag, bye,
    )  # fmt: skip
    without = (hello, head, two, tag, bye)
    assert revised(without, B, as_listed=False) == (hello, template(B)[1], item(1, B), tag, bye)


def test_a_paper_in_two_blocks_keeps_what_was_written_in_each() -> None:
    written = ("Named: " + link(A), item(1, A), item(2, B))
    current = ("Named: " + link(A), item(1, A, "\nMine."), item(2, B))
    fresh = ("Named: " + link(A), item(1, A))
    assert revise({A, B}, written, current, fresh, as_listed=True).blocks == current[:2]


edits = st.lists(st.sampled_from(["keep", "rewrite", "delete", "insert"]), min_size=6, max_size=6)


@given(edits, st.permutations([A, B, C]), st.integers(0, 3))
def test_no_word_of_the_author_is_lost_and_each_paper_stands_once(
    actions: list[str], order: list[str], count: int
) -> None:
    written = template(A, B)
    current: list[str] = []
    for number, (action, block) in enumerate(zip(actions, written, strict=True)):
        paper = number in (2, 3)
        if action != "delete" or paper:
            current.append(f"{block} by hand {number}" if action == "rewrite" else block)
        if action == "insert":
            current.append(f"inserted {number}")
    papers = order[:count]
    made = revised(tuple(current), *papers)
    for number, action in enumerate(actions):
        if number not in (2, 3) and action == "rewrite":
            assert sum(f"by hand {number}" in block for block in made) == 1
        if action == "insert":
            assert made.count(f"inserted {number}") == 1
    for paper in (A, B, C):
        assert sum(f"abs/{paper}" in block for block in made) == (paper in papers)


# --- is it well? ----------------------------------------------------------------------------------


def test_a_post_that_is_well_has_no_problems() -> None:
    assert problems(body(post(*template(A, B)).parts), (A, B)) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no text"),
        ("<i> </i>", "there is no text"),
        ("fine\n\nso <b>bad", "“so bad”: Bad Request: can't parse entities: Can't find end tag"),
        ("1 < 2", "“1 < 2”: Bad Request: can't parse entities: Unsupported start tag"),
        ("<h1>no</h1>", 'Unsupported start tag "h1"'),
        ('see <a href="javascript:x">this</a>', "Telegram would drop the link"),
        ("<code>a <b>b</b></code>", "would not show bold"),
        ('<a href="https://arxiv.org/abs/2605.1">x</a>', "“x”: not an arXiv identifier: '2605.1'"),
        ("<b>begins\n\nends", "“begins”: Bad Request"),
        ("<b>begins\n\nends</b> </i>", "“ends”: Bad Request"),
    ],
)
def test_what_is_wrong_is_told_with_the_words_where_it_is(text: str, told: str) -> None:
    assert any(told in line for line in problems(text, ())), problems(text, ())


def test_a_paper_that_is_not_linked_any_more_is_told() -> None:
    assert problems("nothing", (A,)) == [
        f"{A} is in the post and not linked: link to https://arxiv.org/abs/{A}, or drop it"
    ]
    for url in (f"https://arxiv.org/abs/{A}v2", f"http://www.arxiv.org/pdf/{A}.pdf"):
        assert problems(f'<a href="{url}">so</a>', (A,)) == []
    assert problems(f'<a href="https://arxiv.org/abs/{C}">so</a>', (C,)) == []


def test_blocks_are_cut_at_blank_lines_outside_formatting() -> None:
    assert blocks("a\n\n<b>b</b>\n \n\nc") == ("a", "<b>b</b>", "c")
    assert blocks("<blockquote>a\n\nb</blockquote>\n\nc") == ("<blockquote>a\n\nb</blockquote>", "c")
    assert blocks("") == ()


@given(st.lists(st.sampled_from(["a", "<b>b</b>", "<blockquote>c\nd</blockquote>", "七\n八"]), max_size=6))
def test_blocks_undo_the_joining(texts: list[str]) -> None:
    assert list(blocks("\n\n".join(texts))) == texts


def test_a_difference_shows_the_lines_that_changed() -> None:
    old, new = post("a", "<b>b</b>"), post("a", "<b>c</b>", version=2)
    assert difference(old, new).split("\n") == [
        "--- post 7, version 1", "+++ post 7, version 2", "@@ -2,2 +2,2 @@", " ", "-<b>b</b>", "+<b>c</b>",
    ]  # fmt: skip
    assert difference(old, old) == ""
    assert parse(body(new.parts)).text == "a\n\nc"
    assert body([Part("x", "x", ()), Part("y", "y", ())]) == "x\n\ny"
