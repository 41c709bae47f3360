"""Every recorded answer gives records or a named error, and the documentation shows how many."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorded import KINDS, Outcome, outcome, outcomes, summary

DOCS = Path(__file__).parents[1] / "docs/crawling.md"


def test_no_recorded_answer_passes_in_silence_and_the_documentation_counts_them(shared: Path) -> None:
    found = list(outcomes(shared / "data/arxiv-responses"))
    assert len(found) == 136
    assert all(one.said for one in found if one.ended in ("refused", "no answer"))
    really_empty = {one.file.rpartition("/")[2].partition("_s0")[0] for one in found if one.ended == "empty"}
    assert really_empty == {
        "id_0000.0000",
        "id_0808.05394",
        "arxiv_empty.xml",
        "empty_weekend_atom_math.xml",
        "rss_hepph.xml",
    }
    assert summary(found) in DOCS.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_answer_of_any_kind_is_named(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "answer"
    file.write_text("Rate exceeded.")
    found = outcome(kind, file, f"{kind}/answer")
    assert found.ended in ("no answer", "refused")
    assert found.said
    assert found.records == found.skipped == 0


def test_the_summary_counts_by_kind() -> None:
    found = [
        Outcome("api/a", "records", 3, 1),
        Outcome("api/b", "refused", said="no"),
        Outcome("rss/c", "empty"),
    ]
    rows = summary(found).splitlines()
    assert rows[2] == "| search API | 2 | 1 | 3 | 1 | 0 | 1 | 0 |"
    assert rows[4] == "| daily feeds | 1 | 0 | 0 | 0 | 1 | 0 | 0 |"
