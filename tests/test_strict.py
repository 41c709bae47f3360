"""What holds for every parser: the same paper by every road, nothing hostile read, nothing invented."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import Raw, api_error, atom, entry, header, identifiers, item, oai_error, records, rss
from digest.errors import InputError, NotAnAnswer
from digest.sources import api as api_source
from digest.sources import rss as rss_source
from digest.sources.oai import parse
from digest.sources.snapshot import paper_from_record
from digest.sources.strict import root_of
from digest.types import Paper

V1 = ("v1", "Mon, 01 Jun 2026 10:00:00 GMT")
V2 = ("v2", "Thu, 04 Jun 2026 10:00:00 GMT")


# --- hostile XML -------------------------------------------------------------------------------------

ENTITIES = "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "a" * 10}">' for n in range(12)
)  # a billion laughs and more
BOMB = f"?><!DOCTYPE x [{ENTITIES}]>".encode()
ATTACKS = {
    "bomb": (BOMB, b"&a11;"),
    "bomb not used": (BOMB, b"Forgetting"),
    "external entity": (b'?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', b"&a;"),
    "external entity by net": (b'?><!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]>', b"&a;"),
    "parameter entity": (b'?><!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/"> %a;]>', b"Forgetting"),
    "external DTD": (b'?><!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">', b"Forgetting"),
    "defaults": (b'?><!DOCTYPE x [<!ATTLIST header status CDATA "deleted">]>', b"Forgetting"),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("good", [records(Raw()), rss(item()), atom(entry())], ids=["oai", "rss", "api"])
def test_documents_that_define_anything_are_refused_at_once(good: bytes, attack: str) -> None:
    declared, used = ATTACKS[attack]
    body = good if good.startswith(b"<?xml") else b'<?xml version="1.0"?>' + good
    body = body.replace(b"?>", declared, 1).replace(b"Forgetting", used)
    begun = time.process_time()
    for parser in (parse, rss_source.parse, api_source.parse):
        with pytest.raises(NotAnAnswer):
            parser(body)
    assert time.process_time() - begun < 1


def test_a_bomb_in_an_attribute_is_refused() -> None:
    body = records(Raw()).replace(b"?>", BOMB, 1).replace(b'"v1"', b'"&a11;"')
    with pytest.raises(NotAnAnswer):
        parse(body)


def test_elements_inside_a_title_do_not_cost_its_end() -> None:
    marked = records(Raw()).replace(b"Forgetting on", b"Forgetting <i>up</i>on<!-- by --> this")
    [paper] = parse(marked).papers
    assert paper.title == "Forgetting upon this request"


def test_the_root_must_be_the_one_that_was_asked_for() -> None:
    assert root_of(b"<a/>", "b", "a") is not None
    with pytest.raises(NotAnAnswer, match="a document <a>, not <b> or <c>"):
        root_of(b"<a/>", "b", "c")


# --- the same paper by every road --------------------------------------------------------------------


def snapshot_paper(raw: Raw, more: dict[str, str | None]) -> Paper:
    return paper_from_record(
        {
            "id": raw.id,
            "title": raw.title,
            "abstract": f"  {raw.abstract}\n",
            "categories": raw.categories,
            "authors": raw.authors,
            "authors_parsed": [["Lovelace", "Ada", ""], ['G{\\"o}del', "Kurt", ""]],
            "versions": [{"version": number, "created": created} for number, created in raw.versions],
            **more,
        }
    )


def test_the_same_paper_is_equal_by_every_road_in_what_the_road_carries() -> None:
    raw = Raw(more="<comments>9 pages</comments><journal-ref>J 1</journal-ref><doi>10.1/x</doi>")
    snapshot = snapshot_paper(raw, {"comments": "9 pages", "journal-ref": "J 1", "doi": "10.1/x"})
    more = "<arxiv:journal_ref>J 1</arxiv:journal_ref><arxiv:doi>10.1/x</arxiv:doi>"
    [by_api] = api_source.parse(atom(entry(more=more))).papers
    in_feed = "<arxiv:journal_reference>J 1</arxiv:journal_reference><arxiv:DOI>10.1/x</arxiv:DOI>"
    [by_rss] = rss_source.parse(rss(item(more=in_feed))).papers
    [by_oai] = parse(records(raw)).papers

    def without(paper: Paper, *names: str) -> dict[str, object]:
        return {name: getattr(paper, name) for name in paper.__struct_fields__ if name not in names}

    assert by_api == snapshot, "neither tells the day of the announcement"
    told = ("announced", "estimated")
    assert without(by_oai, *told) == without(snapshot, *told)
    assert (snapshot.estimated, by_oai.estimated, by_rss.estimated) == (True, False, False)
    untold = ("submitted", "updated", "versions", "comments")
    assert without(by_rss, *untold) == without(by_oai, *untold)
    assert by_rss.announced == by_oai.announced == date(2026, 6, 2)


# --- fuzz --------------------------------------------------------------------------------------------

Parser = Callable[[bytes], object]

SEEDS: list[tuple[Parser, bytes]] = [
    (parse, records(Raw(), Raw(id="2606.00002", versions=(V1, V2)), Raw(id="hep-th/9901002"), token="t")),
    (parse, identifiers(header("2606.00001"), header("2606.00002", status="deleted"), token="t")),
    (parse, oai_error("badArgument")),
    (rss_source.parse, rss(item(), item("2606.00002v2", "replace"), item("2606.00003v1", "cross"))),
    (api_source.parse, atom(entry(), entry("2606.00002v3"), entry("hep-th/9901002v1"), total=9)),
    (api_source.parse, api_error()),
]
PIECES = [
    b"", b"<", b">", b"&", b"&amp;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"\x00", b"\xff", b"\xc3",
    b'"', b"'", b"</record>", b"<record>", b"<header>", b"<entry>", b"<item>", b"xmlns=''", b"<?x?>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"&#0;", b"&#x1F600;", b"\xe2\x80\xae", "٣".encode(),
    b"v0", b"v99999999999999999999", b"9" * 40, b"2026-06-31", b"0001-01-01", b"9999-12-31T23:59:59-23:59",
    b"Mon, 01 Jan 0001 00:00:00 +2359",
]  # fmt: skip


def mutated(chance: random.Random, body: bytes) -> bytes:
    """The body with one to six pieces cut out, doubled, moved or replaced."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.choice((0, 1, 2, 8, 64, 400)))
        piece = body[start:end]
        to = chance.randrange(len(body) + 1)
        body = chance.choice(
            (
                body[:start] + body[end:],
                body[:start] + chance.choice(PIECES) + body[end:],
                body[:to] + piece + body[to:],
                body[:start] + piece + piece + body[end:],
                body[:start] + bytes(chance.randrange(256) for _ in range(chance.randint(0, 4))) + body[end:],
            )
        )
    return body


def fuzz(seed: int, count: int) -> int:
    """Parses so many mutated answers; gives how many were accepted."""
    chance = random.Random(seed)
    accepted = 0
    for _ in range(count):
        parser, body = chance.choice(SEEDS)
        body = mutated(chance, body)
        try:
            found = parser(body)
        except (NotAnAnswer, InputError):
            continue
        accepted += 1
        papers: tuple[Paper, ...] = getattr(found, "papers")  # noqa: B009 - three types have it
        assert len(papers) <= len(re.findall(rb"<(?:record|entry|item)\b", body))
        text = re.sub(rb"<!--.*?-->|<!\[CDATA\[|\]\]>|<[^>]*>|[\x00-\x08\x0b\x0c\x0e-\x1f]", b"", body)
        for paper in papers:
            assert paper.id.rpartition("/")[2].encode() in text
            assert paper.title
            assert paper.categories
    return accepted


def test_whatever_comes_the_parsers_give_papers_that_stand_there_or_a_named_error() -> None:
    assert fuzz(1, 2_000) > 50


@pytest.mark.slow
def test_whatever_comes_for_long() -> None:
    assert fuzz(2, 100_000) > 2_500


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_no_answer(body: bytes) -> None:
    for parser in (parse, rss_source.parse, api_source.parse):
        with pytest.raises((NotAnAnswer, InputError)):
            parser(body)
