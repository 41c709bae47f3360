"""Exports: nothing in a title breaks a file, and the same papers give the same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest import export
from digest.export import Entry, Format, key, latex, markdown
from digest.markup import split
from digest.types import Paper, Post

NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)


def paper(title: str = "Lamps", **changes: object) -> Paper:
    values: dict[str, object] = {
        "id": "2605.00001",
        "version": 2,
        "title": title,
        "abstract": "We propose a lamp that forgets what it was shown. Code: https://github.com/example/lamp",
        "authors": ("Ada Example",),
        "categories": ("cs.LG", "cs.CV"),
        "submitted": NOON,
        "updated": NOON,
        "announced": date(2026, 5, 12),
        "comments": "Accepted at LAMP 2026",
    }
    return Paper(**values | changes)  # type: ignore[arg-type]


def written(one: Paper, form: Format) -> str:
    return export.papers([Entry(one, ("2026-05-12 roundup en",))], form, "Lamps")


def records(text: str) -> list[tuple[str, dict[str, str]]]:
    """The records of a BibTeX file: @misc{key, name = {value}, ...}, read as BibTeX does, brace by brace."""
    found = []
    at = 0
    while (at := text.find("@misc{", at)) >= 0:
        name, at = text[at + 6 : text.index(",", at)], text.index(",", at) + 1
        fields = {}
        while field := re.compile(r"\s*(\w+) = \{").match(text, at):
            start = at = field.end()
            depth = 1
            while depth:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            fields[field[1]] = text[start : at - 1]
            at += text[at] == ","
        assert re.compile(r"\s*\}\n").match(text, at), text[at:]
        found.append((name, fields))
    return found


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("100% of R&D in C# for a_b", r"100\% of R\&D in C\# for a\_b"),
        (r"already 5\% & $x_1 < y$", r"already 5\% \& $x_1 < y$"),
        ("Gödel, Erdős and Ångström", r"G{\"o}del, Erd{\H{o}}s and {\r{A}}ngstr{\"o}m"),
        (r"\textit{so} it is", r"\textit{so} it is"),
        ("it costs $5 each", r"it costs \$5 each"),
        ("open { brace", r"open \textbraceleft{} brace"),
        ("机器遗忘 и разобучение", "机器遗忘 и разобучение"),
        ("~50 ^ 2", r"\textasciitilde{}50 \textasciicircum{} 2"),
    ],
)
def test_a_text_becomes_latex_that_compiles(given_: str, wanted: str) -> None:
    assert latex(given_) == wanted


@given(st.text(max_size=40))
def test_any_title_leaves_the_braces_of_a_record_in_pairs(title: str) -> None:
    text = written(paper(f"a {title} b", authors=(f"Ada {title}", title or "x")), "bibtex")
    [(name, fields)] = records(text)
    assert name == "arXiv:2605.00001"
    assert {"title", "author", "year", "eprint", "url"} <= fields.keys()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Ada Example", "Example, Ada"),
        ("Laurens van der Maaten", "van der Maaten, Laurens"),
        ("Martin Luther King Jr.", "King, Jr., Martin Luther"),
        ("OpenAI", "{OpenAI}"),
        ("Kurt Gödel", r"G{\"o}del, Kurt"),
        ("陈 例", "例, 陈"),
    ],
)
def test_names_are_written_last_name_first(name: str, wanted: str) -> None:
    [(_, fields)] = records(written(paper(authors=(name,)), "bibtex"))
    assert fields["author"] == wanted


def test_a_key_holds_whatever_else_changes() -> None:
    assert key("hep-th/9901001") == "arXiv:hep-th/9901001"
    one, other = written(paper(), "bibtex"), written(paper("Rooms", authors=("Bo",), version=7), "bibtex")
    assert records(one)[0][0] == records(other)[0][0]


@example("\\*")
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_cell_is_a_formula_and_each_paper_is_a_row(title: str) -> None:
    text = written(paper(f"{title}", authors=(f"={title}", "+1")), "csv")
    head, row = list(csv.reader(io.StringIO(text)))
    assert len(head) == len(row)
    assert not any(cell.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r") for cell in row if cell)
    assert dict(zip(head, row, strict=True))["id"] == "2605.00001"


def test_json_says_all_that_is_known() -> None:
    [row] = json.loads(written(paper('A $x^2$ "lamp"'), "json"))
    assert row == {
        "id": "2605.00001",
        "version": 2,
        "title": 'A x² "lamp"',
        "authors": ["Ada Example"],
        "announced": "2026-05-12",
        "categories": ["cs.LG", "cs.CV"],
        "doi": "",
        "venue": "LAMP 2026",
        "url": "https://arxiv.org/abs/2605.00001",
        "code": "https://github.com/example/lamp",
        "posts": ["2026-05-12 roundup en"],
        "abstract": "We propose a lamp that forgets what it was shown. Code: https://github.com/example/lamp",
    }


def test_markdown_lists_papers_to_read() -> None:
    assert (
        written(paper("A [lamp] #1 $x<y$_"), "markdown")
        .splitlines()[2]
        .startswith(r"- [A \[lamp\] \#1 x\<y\_](https://arxiv.org/abs/2605.00001), Ada Example, 2026-05-12")
    )
    assert markdown("1. one\n- two\n2 3) no\n#four") == "1\\. one\n\\- two\n2 3) no\n\\#four"


def test_a_post_is_markdown_with_its_links_and_quotations() -> None:
    html = (
        'Hi!\n\n<b>1.</b> <a href="https://arxiv.org/abs/2605.00001">A_B (so)</a>\n'
        "<blockquote>quoted\ntwice</blockquote>\n<i>why</i>"
    )
    post = Post(
        id=1,
        topics=("lamps",),
        slot=date(2026, 5, 12),
        genre="roundup",
        language="en",
        state="approved",
        papers=("2605.00001",),
        parts=split(html.split("\n\n")),
    )
    assert export.posts([post]) == (
        "## lamps, roundup, en, 2026-05-12\n\nHi!\n\n"
        "**1\\.** [A\\_B (so)](https://arxiv.org/abs/2605.00001)  \n> quoted  \n> twice\n\n*why*\n"
    )
