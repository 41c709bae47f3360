"""arXiv's identifiers and categories."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import InputError
from digest.ids import CATEGORIES, PaperId, abs_url, is_category, nearest_category, parse, pdf_url, sort_key

new_ids = st.builds(
    lambda year, month, serial: f"{year:02}{month:02}.{serial:0{5 if year >= 15 else 4}}",
    st.integers(8, 99),
    st.integers(1, 12),
    st.integers(1, 9999),
)
old_ids = st.builds(
    lambda archive, year, month, serial: f"{archive}/{year:02}{month:02}{serial:03}",
    st.sampled_from(["hep-th", "math", "cs", "cond-mat", "cmp-lg", "q-bio"]),
    st.integers(92, 106).map(lambda year: year % 100),
    st.integers(1, 12),
    st.integers(1, 999),
)
ids = st.builds(PaperId, new_ids | old_ids, st.none() | st.integers(1, 99))


@given(ids)
def test_an_identifier_survives_being_written_and_read(paper: PaperId) -> None:
    assert parse(str(paper)) == paper


@given(
    ids, st.sampled_from(["arXiv:{}", "http://arxiv.org/abs/{}", "https://www.arxiv.org/pdf/{}.pdf", " {}\n"])
)
def test_every_way_to_name_a_paper_means_the_same(paper: PaperId, form: str) -> None:
    assert parse(form.format(paper)) == paper


@given(ids)
def test_addresses_lead_back_to_the_identifier(paper: PaperId) -> None:
    assert parse(abs_url(paper)) == parse(pdf_url(paper)) == paper


@pytest.mark.parametrize(
    ("text", "base", "version"),
    [
        ("2107.05580", "2107.05580", None),
        ("arXiv:2107.05580v2", "2107.05580", 2),
        ("ARXIV: 0704.0001V1", "0704.0001", 1),
        ("https://arxiv.org/abs/2107.05580v12?context=cs#x", "2107.05580", 12),
        ("http://export.arxiv.org/abs/hep-th/9901001v2", "hep-th/9901001", 2),
        ("arxiv.org/html/2501.00001v1/", "2501.00001", 1),
        ("https://arxiv.org/pdf/1412.9999v3.pdf", "1412.9999", 3),
        ("oai:arXiv.org:2605.01234v1", "2605.01234", 1),
        ("https://doi.org/10.48550/arXiv.2107.05580", "2107.05580", None),
        ("math.GT/0309136v1", "math/0309136", 1),
        ("cmp-lg/9404001", "cmp-lg/9404001", None),
        ("math/0703999", "math/0703999", None),
    ],
)
def test_an_identifier_is_read_from(text: str, base: str, version: int | None) -> None:
    assert parse(text) == PaperId(base, version)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "give one such as"),
        ("unlearning", "give one such as"),
        ("2107.0558", "5 digits after the point"),
        ("1412.00001", "4 digits after the point"),
        ("2113.00001", "13 is no month"),
        ("2100.00001", "00 is no month"),
        ("0703.0001", "begin with 0704"),
        ("2107.00000", "begin with 1"),
        ("hep-th/9106001", "from 9107 to 0703"),
        ("hep-th/0704001", "from 9107 to 0703"),
        ("hep-th/9913001", "13 is no month"),
        ("2107.05580v0", "give one such as"),
        ("2107.05580 and 2107.05581", "give one such as"),
        ("https://www.alphaxiv.org/abs/2107.05580", "give one such as"),
        ("https://arxiv.org.example.com/abs/2107.05580", "give one such as"),
        ("２１０７.０５５８０", "give one such as"),
    ],
)
def test_what_is_no_identifier_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert repr(text) in str(caught.value)


@given(st.text(max_size=300))
def test_any_text_is_an_identifier_or_one_clear_line(text: str) -> None:
    said = ""
    try:
        assert parse(text).base
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 1000


def test_identifiers_sort_by_the_time_they_were_given() -> None:
    order = [
        "hep-th/9108001",
        "cs/9912002",
        "cs/0001001",
        "math/0703999",
        "0704.0001",
        "1412.9999",
        "1501.00001",
    ]
    assert sorted(order[3:] + order[:3], key=sort_key) == order


def test_all_of_arxivs_categories_are_known_and_have_the_form_of_one() -> None:
    assert len(CATEGORIES) == 155
    assert all(is_category(code) for code in CATEGORIES)
    assert CATEGORIES["cs.LG"] == CATEGORIES["stat.ML"] == "Machine Learning"
    assert {"quant-ph", "cond-mat.mes-hall", "eess.AS", "q-fin.MF", "physics.data-an"} <= set(CATEGORIES)


@pytest.mark.parametrize(
    "text", ["68T07", "I.2.6; I.5", "", "cs.", "CS.LG", "cs.LG ", "cs.LG.x", "68T07, 62H30"]
)
def test_subject_codes_of_other_schemes_are_no_category(text: str) -> None:
    assert not is_category(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cs.lg", "cs.LG"),
        ("cs.LGG", "cs.LG"),
        ("cs.ML", "stat.ML"),
        ("stat-ml", "stat.ML"),
        ("Machine Learning", "cs.LG"),
        ("computer vision", "cs.CV"),
        ("quantph", "quant-ph"),
        ("zzzzzz", None),
        ("", None),
    ],
)
def test_the_nearest_category_is_offered(text: str, meant: str | None) -> None:
    assert nearest_category(text) == meant


def test_every_category_of_arxivs_own_list_of_sets_is_known(shared: Path) -> None:
    file = shared / "data/arxiv-responses/oai/generated-by-arxiv-server/listsets.xml"
    sets = re.findall(r"<setSpec>([^<]+)</setSpec>\s*<setName>([^<]+)", file.read_text())
    classes = {".".join(spec.split(":")[1:]): name for spec, name in sets if spec.count(":") == 2}
    assert len(classes) == 146
    assert classes.items() <= CATEGORIES.items()
