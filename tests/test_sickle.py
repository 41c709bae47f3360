"""The harvest beside another reader of OAI-PMH: from good answers Sickle
(https://sickle.readthedocs.io) takes the same records, and the same papers stand in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest
from sickle import Sickle
from sickle.models import Record

from answers import Raw, Time, header, http, records, serving
from digest.sources.oai import Oai, parse
from digest.sources.polite import Gate
from digest.sources.snapshot import Record as Told
from digest.sources.snapshot import RecordVersion, paper_from_record
from digest.types import Paper
from loopback.world import load
from replay import LoopbackArxiv, moment

SAMPLE = Path(__file__).parents[1] / "src/digest/sources/sample.jsonl"


def paper_of(record: Record) -> Paper:
    """The paper by what Sickle took of its record. It drops the numbers of the versions, which come in
    their order."""
    found = record.metadata
    text = {name: " ".join(values[0].split()) for name, values in found.items() if values[0]}
    dates = [RecordVersion(f"v{number}", made) for number, made in enumerate(found["date"], start=1)]
    names = {"id", "title", "abstract", "categories", "authors", "comments", "doi"} & text.keys()
    given = {name: text[name] for name in names} | {"journal_ref": text.get("journal-ref")}
    return paper_from_record(Told(versions=dates, **given))  # type: ignore[arg-type]


BY_NUMBER = ("version", "versions", "withdrawn", "announced", "announce_type", "estimated")


def told(papers: Iterable[Paper]) -> list[dict[str, object]]:
    """All of some papers but what is told by the numbers of versions; instead their dates."""
    return [
        {name: getattr(paper, name) for name in paper.__struct_fields__ if name not in BY_NUMBER}
        | {"dates": [version.submitted for version in paper.versions]}
        for paper in papers
    ]


@pytest.mark.parametrize("name", ["cs", "stat", ""])
def test_a_chain_of_pages_gives_the_same_papers_in_the_same_order(tmp_path: Path, name: str) -> None:
    clock = Time()
    gate = Gate("digest/test", gap=0.001, state=tmp_path / "gate", clock=clock, sleep=clock.sleep)
    days = [one.day for one in load(SAMPLE).announcements]
    now, since = moment(str(max(days) + timedelta(days=1))), date(2020, 1, 1)
    with LoopbackArxiv(load(SAMPLE), now, page_size=7) as arxiv:
        pages = list(Oai(gate, f"{arxiv.base}/oai", (name,), since=since).fetch(None, now))
        asked = {"metadataPrefix": "arXivRaw", "from": str(since)} | ({"set": name} if name else {})
        theirs = list(Sickle(f"{arxiv.base}/oai").ListRecords(**asked))
    gate.close()
    ours = [paper for page in pages for paper in page.papers]
    assert len(pages) == -(-len(theirs) // 7)
    assert told(ours) == told(map(paper_of, theirs))


def test_deleted_records_are_deleted_for_both() -> None:
    body = records(Raw(), f"<record>{header('2606.00002', status='deleted')}</record>")
    with serving(http(body, 200, "Content-Type: text/xml")) as server:
        theirs = list(Sickle(server.url).ListRecords(metadataPrefix="arXivRaw"))
    assert tuple(one.header.identifier[-10:] for one in theirs if one.deleted) == parse(body).deleted


def test_recorded_pages_are_read_alike(shared: Path) -> None:
    compared = 0
    for file in sorted((shared / "data/arxiv-responses/oai").rglob("listrecords_arXivRaw_*.xml")):
        body = file.read_bytes()
        found = parse(body)
        whole = body.replace((found.token or " none ").replace("&", "&amp;").encode(), b"")
        with serving(http(whole, 200, "Content-Type: text/xml")) as server:
            theirs = list(Sickle(server.url).ListRecords(metadataPrefix="arXivRaw"))
        assert told(found.papers) == told(map(paper_of, theirs)), file
        compared += len(theirs)
    assert compared >= 150
