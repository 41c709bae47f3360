"""Surveys, benchmarks, datasets, libraries and lists of papers, by what their authors say."""

from __future__ import annotations

import pytest

from digest.kinds import kind, list_of_papers
from digest.types import Paper
from fields import paper


def of(title: str, abstract: str = "We study lamps.", comments: str | None = None) -> Paper:
    from msgspec.structs import replace

    return replace(paper("2605.00001", title, abstract), comments=comments)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("A Survey of Forgetful Lamps", "survey"),
        ("Forgetful Lamps: A Systematic Literature Review", "survey"),
        ("SoK: Lamps that Forget", "survey"),
        ("Lamps: A Comprehensive Review", "survey"),
        ("An Overview of Lamps", "survey"),
        ("Lamps in a Galaxy Survey Data Release", None),
        ("Answering Survey Questions with Lamps", None),
        ("A Lamp for Peer Review Systems", None),
        ("LampBench: Measuring Forgetting", "benchmark"),
        ("Dim: A Benchmark for Forgetful Lamps", "benchmark"),
        ("Benchmarking the Night", None),
        ("Dim: A Large Dataset of Lamps", "dataset"),
        ("A Corpus for Lamp Talk", "dataset"),
        ("Lamps on the DIM Dataset", None),
        ("lampy: a Python package for lamps", "library"),
        ("A Toolkit for Lamps", "library"),
        ("Lamps that Forget", None),
    ],
)
def test_the_title_says_what_a_paper_is(title: str, expected: str | None) -> None:
    assert kind(of(title)) == expected


@pytest.mark.parametrize(
    ("abstract", "expected"),
    [
        ("This survey gathers what is known of lamps.", "survey"),
        ("We systematically review lamps.", "survey"),
        ("We introduce a benchmark for lamps that forget.", "benchmark"),
        ("We release a new dataset of nine hundred lamps.", "dataset"),
        ("We propose a dataset distillation method.", None),
        ("We test our lamp on a public dataset.", None),
        ("We provide an open-source Python library for lamps.", "library"),
        ("Prior work released a dataset and a survey exists.", None),
    ],
)
def test_else_the_abstract_says_what_its_authors_make(abstract: str, expected: str | None) -> None:
    assert kind(of("Lamps that Forget", abstract)) == expected


def test_a_repository_that_gathers_papers_is_known_by_its_address() -> None:
    url = "https://github.com/example/awesome-lamps"
    assert list_of_papers(of("Lamps", f"A list is kept at {url}.")) == url
    assert list_of_papers(of("Lamps", comments=f"Papers: {url}")) == url
    assert list_of_papers(of("Lamps", "Code: https://github.com/example/lamp")) is None
