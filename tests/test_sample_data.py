"""The bundled sample: real papers, described in our own words, with enough silent ones to be found."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

SAMPLE = Path(__file__).parents[1] / "src" / "digest" / "sources" / "sample.jsonl"

FIELDS = [
    *("id", "submitter", "authors", "title", "comments", "journal-ref", "doi", "report-no", "categories"),
    *("license", "abstract", "versions", "update_date", "authors_parsed"),
]
FACTS = [name for name in FIELDS if name not in ("abstract", "comments", "authors_parsed")]

NAMES = {  # any form of the topic's own word
    "unlearning": re.compile(r"un-?\s?learn", re.IGNORECASE),
    "xai": re.compile(r"explain|explanat|explicab|interpret|XAI", re.IGNORECASE),
    "diffusion": re.compile(r"diffus", re.IGNORECASE),
}
SAYS_TOPIC = {  # a paper that says this is on topic; the bare word is not enough (diffusion of innovations)
    "unlearning": re.compile(r"\bunlearn(ing|ed|s)?\b", re.IGNORECASE),
    "xai": re.compile(r"\bXAI\b|explainab|interpretab|explanation", re.IGNORECASE),
    "diffusion": re.compile(r"diffusion (language |planner|transformer|model)", re.IGNORECASE),
}
SILENT_IDS = {  # on topic, and never say its name
    "unlearning": """
        2606.28643 2606.29282 2606.29801 2606.25548 2606.23267 2606.27147 2606.23276 2403.06135 2503.14232
        2412.06143 2503.12356 2507.13386 2504.11850 2505.16174 2505.22586 2602.01089 2404.06666 2502.13989
        2504.02199 2412.10257 2403.05592 2401.01814""",
    "xai": """
        2606.29693 2606.31106 2607.00415 2606.26396 2606.22020 2606.26474 2606.21249 2607.01987 2606.23443
        2606.24251 2606.31257 1703.01365 1312.6034 1611.02639 1805.08249 2405.15476 2504.18026 2506.05014
        2602.11219 2606.04364 2511.19636 2411.02193 2410.19750 2505.23556 2604.16430 2512.06665
        2407.15421""",
    "diffusion": """
        2606.28226 2607.00535 2606.29110 2607.00363 2606.28537 2606.27371 2606.30705 2606.31288 2605.15822
        2511.21335 2505.23309 2504.06305 2605.07319 2603.02452 2410.23594 2512.18184 2602.19461 2510.17266
        2507.03738 2509.23457 2512.06615 2606.24849""",
}
SILENT = {topic: ids.split() for topic, ids in SILENT_IDS.items()}
WEEK = (date(2026, 6, 27), date(2026, 7, 3))

Record = dict[str, Any]


@pytest.fixture(scope="module")
def papers() -> dict[str, Record]:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {record["id"]: record for record in records}


def text(record: Record) -> str:
    return f"{record['title']}. {record['abstract']}"


def first_day(record: Record) -> date:
    """The day of the first version in New York, arXiv's calendar."""
    created = parsedate_to_datetime(record["versions"][0]["created"])
    return created.astimezone(ZoneInfo("America/New_York")).date()


def named(papers: dict[str, Record], topic: str) -> list[str]:
    return [paper for paper, record in papers.items() if SAYS_TOPIC[topic].search(text(record))]


def runs(words: str, length: int) -> set[tuple[str, ...]]:
    """All runs of so many consecutive words; addresses do not count."""
    bare = re.findall(r"\w+", re.sub(r"https?://\S+", " ", words).lower())
    return {tuple(bare[at : at + length]) for at in range(len(bare) - length + 1)}


def test_every_id_occurs_once(papers: dict[str, Record]) -> None:
    assert len(papers) == len(SAMPLE.read_text(encoding="utf-8").splitlines())
    assert 200 <= len(papers) <= 260


def test_every_record_has_the_fields_of_the_snapshot_in_its_order(papers: dict[str, Record]) -> None:
    for paper, record in papers.items():
        assert list(record) == FIELDS, paper
        for name in ("authors", "title", "categories", "abstract"):
            assert isinstance(record[name], str), (paper, name)
            assert record[name].strip(), (paper, name)


def test_every_id_is_an_arxiv_identifier(papers: dict[str, Record]) -> None:
    form = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}")
    assert [paper for paper in papers if not form.fullmatch(paper)] == []


def test_versions_count_up_and_are_dated_in_gmt(papers: dict[str, Record]) -> None:
    for paper, record in papers.items():
        numbers = [int(version["version"].removeprefix("v")) for version in record["versions"]]
        dates = [parsedate_to_datetime(version["created"]) for version in record["versions"]]
        assert numbers[0] == 1, paper
        assert numbers == sorted(set(numbers)), paper
        assert dates == sorted(dates), paper
        assert all(version["created"].endswith(" GMT") for version in record["versions"]), paper
        updated = record["update_date"]
        assert updated is None or date.fromisoformat(updated) >= dates[0].date(), paper


def test_parsed_authors_are_as_many_as_the_record_names(papers: dict[str, Record]) -> None:
    for paper, record in papers.items():
        names = re.split(r",(?: and)? | and ", re.sub(r"\([^()]*\)", "", record["authors"]))
        assert len(record["authors_parsed"]) == len(names), paper
        assert all(len(author) >= 3 and author[0] for author in record["authors_parsed"]), paper


def test_papers_stand_in_the_order_of_their_first_version(papers: dict[str, Record]) -> None:
    order = [(parsedate_to_datetime(r["versions"][0]["created"]), paper) for paper, r in papers.items()]
    assert order == sorted(order)


def test_a_description_is_three_to_six_sentences_of_plain_text(papers: dict[str, Record]) -> None:
    for paper, record in papers.items():
        words = record["abstract"].split()
        sentences = re.findall(r"[.?!](?=\s|$)", re.sub(r"https?://\S+", "URL.", record["abstract"]))
        assert 55 <= len(words) <= 115, (paper, len(words))
        assert 3 <= len(sentences) <= 6, (paper, len(sentences))
        assert record["abstract"].isascii(), paper


@pytest.mark.parametrize("topic", sorted(SILENT))
def test_silent_papers_never_say_the_name_of_their_topic(papers: dict[str, Record], topic: str) -> None:
    for paper in SILENT[topic]:
        assert not NAMES[topic].search(text(papers[paper])), (topic, paper)


def test_there_are_at_least_thirty_six_silent_papers_and_a_dozen_a_topic() -> None:
    assert all(len(set(ids)) == len(ids) >= 12 for ids in SILENT.values())
    assert sum(len(ids) for ids in SILENT.values()) >= 36


@pytest.mark.parametrize("topic", sorted(SAYS_TOPIC))
def test_enough_papers_say_their_topic_to_learn_from(papers: dict[str, Record], topic: str) -> None:
    """Keys are proposed from papers that match a seed key: twenty at least."""
    assert len(named(papers, topic)) >= 30


@pytest.mark.parametrize(
    ("topic", "phrase", "silent", "said"),
    [
        ("unlearning", "concept erasure", 8, 5),
        ("unlearning", "concept removal", 3, 0),
        ("unlearning", "knowledge removal", 2, 3),
        ("unlearning", "unsafe content", 3, 1),
        ("xai", "sparse autoencoder", 5, 5),
        ("xai", "concept bottleneck", 5, 5),
        ("xai", "feature attribution", 3, 5),
        ("xai", "linear probes", 4, 1),
        ("xai", "mechanistic", 4, 5),
        ("xai", "internal activations", 4, 4),
        ("diffusion", "score-based generative", 4, 3),
        ("diffusion", "score matching", 4, 2),
        ("diffusion", "flow matching", 5, 4),
        ("diffusion", "consistency models", 2, 2),
        ("diffusion", "text-to-image generation", 3, 8),
    ],
)
def test_silent_papers_share_phrases_with_papers_that_say_the_topic(
    papers: dict[str, Record], topic: str, phrase: str, silent: int, said: int
) -> None:
    """From shared phrases the program learns adjacent keys."""
    holding = {paper for paper, record in papers.items() if phrase in text(record).lower()}
    assert len(holding & set(SILENT[topic])) >= silent
    assert len(holding & set(named(papers, topic))) >= said


def test_the_last_week_holds_papers_of_each_topic_silent_ones_too(papers: dict[str, Record]) -> None:
    week = {paper for paper, record in papers.items() if WEEK[0] <= first_day(record) <= WEEK[1]}
    on_topic = {topic: set(named(papers, topic)) | set(SILENT[topic]) for topic in SILENT}
    assert len(week & on_topic["diffusion"]) >= 8
    assert len(week & on_topic["xai"]) >= 6
    assert len(week & on_topic["unlearning"]) >= 5
    assert all(week & set(ids) for ids in SILENT.values())
    assert len(week - set().union(*on_topic.values())) >= 10


def test_the_sample_reaches_back_to_old_identifiers(papers: dict[str, Record]) -> None:
    assert sum("/" in paper for paper in papers) >= 3
    assert min(first_day(record).year for record in papers.values()) < 2000
    assert {first_day(record).year for record in papers.values()} >= {2015, 2016, 2017, 2024, 2025, 2026}


def test_the_sample_has_the_forms_that_break_readers(papers: dict[str, Record]) -> None:
    """TeX in names, mathematics in titles, several versions, withdrawn papers, two topics at once."""
    records = list(papers.values())
    assert sum("\\" in record["authors"] for record in records) >= 2
    assert sum("$" in record["title"] for record in records) >= 2
    assert sum(len(record["versions"]) > 1 for record in records) >= 5
    assert sum("withdrawn" in (record["comments"] or "").lower() for record in records) >= 1
    assert len(set(named(papers, "unlearning")) & set(named(papers, "diffusion"))) >= 3


def real_records(corpus: Path, papers: set[str]) -> Iterator[Record]:
    for shard in sorted(corpus.glob("*.jsonl.xz")):
        with lzma.open(shard, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line[7 : line.index('"', 7)] in papers:  # each line begins {"id":"
                    yield json.loads(line)


@pytest.fixture(scope="module")
def real(papers: dict[str, Record], shared: Path) -> dict[str, Record]:
    return {record["id"]: record for record in real_records(shared / "data" / "corpus", set(papers))}


@pytest.mark.slow
def test_every_fact_is_that_of_the_real_paper(papers: dict[str, Record], real: dict[str, Record]) -> None:
    assert set(real) == set(papers)
    for paper, record in papers.items():
        assert [record[name] for name in FACTS] == [real[paper][name] for name in FACTS], paper
        if "\\" not in record["authors"]:  # the snapshot's parsed names have their TeX decoded
            assert record["authors_parsed"] == real[paper]["authors_parsed"], paper
        if record["comments"] is not None:
            assert record["comments"].split() == real[paper]["comments"].split(), paper


@pytest.mark.slow
def test_no_description_copies_eight_words_in_a_row(
    papers: dict[str, Record], real: dict[str, Record]
) -> None:
    copied = {
        paper: runs(papers[paper]["abstract"], 8) & runs(real[paper]["abstract"], 8) for paper in papers
    }
    assert {paper: shared for paper, shared in copied.items() if shared} == {}


@pytest.mark.slow
def test_a_silent_paper_is_silent_in_its_real_abstract_too(real: dict[str, Record]) -> None:
    for topic, ids in SILENT.items():
        assert [paper for paper in ids if NAMES[topic].search(text(real[paper]))] == [], topic


@pytest.mark.slow
def test_no_figure_is_invented(papers: dict[str, Record], real: dict[str, Record]) -> None:
    """Every number of a description stands in the real title, abstract or comments."""
    for paper, record in papers.items():
        source = " ".join(real[paper][name] or "" for name in ("title", "abstract", "comments"))
        bare = re.sub(r"https?://\S+", " ", record["abstract"])
        assert [n for n in re.findall(r"\d+(?:[.,]\d+)*", bare) if n not in source] == [], paper
