"""Links and venues: only what the authors wrote, cleaned of the sentence around it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.links import ORDER, Venue, links, venue
from digest.types import Paper

NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)


def paper(abstract: str, comments: str | None = None, number: str = "2605.00001") -> Paper:
    return Paper(
        id=number, version=2, title="A lamp", abstract=abstract, authors=(), categories=("cs.LG",),
        submitted=NOON, updated=NOON, announced=NOON.date(), comments=comments,
    )  # fmt: skip


def found(abstract: str, comments: str | None = None) -> dict[str, str]:
    cluster = {link.kind: link.url for link in links(paper(abstract, comments))}
    return {kind: url for kind, url in cluster.items() if kind not in ("paper", "pdf")}


def test_every_paper_has_its_page_and_its_pdf() -> None:
    assert [(link.kind, link.url) for link in links(paper("", number="hep-th/9901001"))] == [
        ("paper", "https://arxiv.org/abs/hep-th/9901001"),
        ("pdf", "https://arxiv.org/pdf/hep-th/9901001"),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "url"),
    [
        ("Code: https://github.com/ex/lamp.", "code", "https://github.com/ex/lamp"),
        ("Code (https://github.com/ex/lamp).", "code", "https://github.com/ex/lamp"),
        ("Code is at \\url{https://github.com/ex/lamp\\_net}.", "code", "https://github.com/ex/lamp_net"),
        ("See \\href{https://ex.github.io/lamp}{here}.", "project", "https://ex.github.io/lamp"),
        ("Project page: ex.github.io/lamp", "project", "https://ex.github.io/lamp"),
        ("available at github.com/ex/lamp, enjoy", "code", "https://github.com/ex/lamp"),
        ("at https://github. com/ex/lamp", "code", "https://github.com/ex/lamp"),
        ("at https: //github.com/ex/lamp", "code", "https://github.com/ex/lamp"),
        ("at~ https://gitlab.com/ex/lamp", "code", "https://gitlab.com/ex/lamp"),
        ("at https://gitlab.example.org/ex/lamp", "code", "https://gitlab.example.org/ex/lamp"),
        ("at https://bitbucket.org/ex/lamp", "code", "https://bitbucket.org/ex/lamp"),
        ("at https://codeberg.org/ex/lamp;", "code", "https://codeberg.org/ex/lamp"),
        ("at https://anonymous.4open.science/r/lamp-1/", "code", "https://anonymous.4open.science/r/lamp-1/"),
        ("our code: https://lamps.example.org/src", "code", "https://lamps.example.org/src"),
        ("Models: https://huggingface.co/ex/lamp", "huggingface", "https://huggingface.co/ex/lamp"),
        ("Demo: https://huggingface.co/spaces/ex/lamp", "demo", "https://huggingface.co/spaces/ex/lamp"),
        ("video https://youtu.be/abc-123_X!", "video", "https://youtu.be/abc-123_X"),
        ("project website https://lamps.example.org", "project", "https://lamps.example.org"),
        ("https://en.example.github.io/a_(b)", "project", "https://en.example.github.io/a_(b)"),
        ("代码见https://github.com/ex/lamp。", "code", "https://github.com/ex/lamp"),
    ],
)
def test_a_link_is_read_clean_and_by_its_kind(text: str, kind: str, url: str) -> None:
    assert found(text) == {kind: url}
    assert found("", text) == {kind: url}


@pytest.mark.parametrize(
    "text",
    [
        "Code will be released upon acceptance.",
        "We mine GitHub repositories and github.com for lamps.",
        "https://github.com",
        "https://doi.org/10.1000/code.1 and https://arxiv.org/abs/2605.00002",
        "See https://lamps.example.org for more.",
        "broken [http://[ and https://",
        "mail lamp@www.example.org",
    ],
)
def test_what_is_no_link_of_the_paper_is_left_alone(text: str) -> None:
    assert found(text) == {}


def test_one_link_a_kind_the_first_named_in_a_fixed_order() -> None:
    abstract = "Page https://ex.github.io/lamp, code https://github.com/ex/one and https://github.com/ex/two."
    cluster = links(paper(abstract, "Video: https://vimeo.com/1"))
    assert [link.kind for link in cluster] == ["paper", "pdf", "code", "project", "video"]
    assert cluster[2].url == "https://github.com/ex/one"


@given(st.text())
def test_any_text_gives_links_in_order_and_no_error(text: str) -> None:
    kinds = [link.kind for link in links(paper(text, text))]
    assert kinds == sorted(kinds, key=ORDER.index)
    venue(text)


@pytest.mark.parametrize(
    ("comments", "name", "how"),
    [
        ("Accepted at LAMP 2026", "LAMP 2026", "accepted"),
        ("12 pages, 3 figures, accepted by LAMP2026", "LAMP2026", "accepted"),
        ("Accepted to LAMP 2026. Code: https://github.com/ex/lamp", "LAMP 2026", "accepted"),
        ("Accepted @ LAMP 2026", "LAMP 2026", "accepted"),
        ("accepted for publication in IEEE Lamp Letters; 9 pages", "IEEE Lamp Letters", "accepted"),
        ("Accepted as an oral presentation at LAMP 2026, 9 pages", "LAMP 2026", "accepted"),
        ("To appear in LAMP'26", "LAMP'26", "accepted"),
        (
            "Accepted at the 9th World Conference on Lamps and Light (LAMP 2026), Oslo",
            "LAMP 2026",
            "accepted",
        ),
        (
            "Accepted at the International Symposium on Lamps and Lanterns (ISLL), 2026",
            "ISLL 2026",
            "accepted",
        ),
        (
            "Accepted at the Workshop on Small Lamps at the World Conference (LAMP 2026)",
            "Workshop on Small Lamps at the World Conference (LAMP 2026)",
            "accepted",
        ),
        ("Published as a conference paper at LAMP 2026", "LAMP 2026", "published"),
        ("Presented at LAMP 2026", "LAMP 2026", ""),
        ("LAMP 2026 (oral)", "LAMP 2026 (oral)", ""),
        ("LAMP 2026, 9 pages", "LAMP 2026", ""),
        ("9 pages, 2 figures, IEEE LAMP 2026", "IEEE LAMP 2026", ""),
        ("LAMP 2026 Accepted", "LAMP 2026", "accepted"),
    ],
)
def test_a_venue_is_named_as_the_comments_name_it(comments: str, name: str, how: str) -> None:
    assert venue(comments) == Venue(name, how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "comments",
    [
        None,
        "",
        "9 pages, 2 figures",
        "Submitted to LAMP 2026",
        "LAMP 2026; under review",
        "Under review at LAMP 2026",
        "Extended version of a paper accepted at LAMP 2026",
        "Conditionally accepted to LAMP 2026",
        "Accepted author manuscript",
        "lecture notes, May 2026",
        "Accepted at a Workshop on " + "very " * 30 + "small Lamps, LAMP 2026",
    ],
)
def test_a_hope_is_no_venue(comments: str | None) -> None:
    assert venue(comments) is None
