"""The loopback arXiv answers as arXiv does: byte for byte where there is a recorded answer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loopback import api, faults, oai, rss, tex
from loopback.world import Announcement, Record, RecordVersion, World, announcements, batch_day
from replay import LoopbackArxiv, moment

NOON = datetime(2026, 5, 12, 16, tzinfo=UTC)
DAY = date(2026, 5, 12)


def record(name: str, **more: object) -> Record:
    """A paper submitted the day before the batch of DAY."""
    made = (RecordVersion("v1", "Mon, 11 May 2026 12:00:00 GMT"),)
    given = {"title": f"Paper {name}", "abstract": "About it.", "categories": "cs.LG", "authors": "A. Author"}
    return Record(**{"id": name, "versions": made, **given, **more})  # type: ignore[arg-type]


def papers(count: int, day: date = DAY, **more: object) -> list[Announcement]:
    """So many papers of one day."""
    return [Announcement(day, record(f"2605.{day.day:02}{at:03}", **more)) for at in range(1, count + 1)]


def fetch(address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def listed(world: World, page_size: int, now: datetime = NOON, **asked: str) -> list[list[str]]:
    """The ids of each page of a list."""
    service, pages = oai.Oai(world, page_size), []
    asked = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", **asked}
    while True:
        text = service.answer(asked, "http://here/oai", now).decode()
        pages.append(re.findall(r"<identifier>oai:arXiv.org:(.*?)<", text))
        token = re.search(r"<resumptionToken[^>]*>(.+?)<", text)
        if token is None:
            return pages
        asked = {"verb": "ListRecords", "resumptionToken": token[1]}


# --- OAI-PMH --------------------------------------------------------------------------------------

RAW = {"metadataPrefix": "arXivRaw"}
LIST = {"verb": "ListRecords", **RAW}
ERRORS = {
    "err_badtoken": {"verb": "ListRecords", "resumptionToken": "nonsense"},
    "err_badset": {**LIST, "set": "cs:LG"},
    "err_badarg_datetime": {**LIST, "from": "2026-05-01T00:00:00Z"},
    "err_toearly": {**LIST, "from": "2001-01-01"},
    "err_token_plus_arg": {"verb": "ListRecords", "resumptionToken": "x", **RAW},
    "err_noid": {"verb": "GetRecord", "identifier": "oai:arXiv.org:nonsense", **RAW},
    "err_badformat": {"verb": "ListRecords", "metadataPrefix": "marc"},
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_oai_pmh_is_the_recorded_one_to_the_byte(shared: Path, name: str) -> None:
    recorded = (shared / f"data/arxiv-responses/oai/generated-by-arxiv-server/{name}.xml").read_bytes()
    base = re.search(rb">(http[^<]*)</request>", recorded)
    day = re.search(rb"<responseDate>(.*?)<", recorded)
    assert base is not None
    assert day is not None
    now = datetime.fromisoformat(day[1].decode())
    assert oai.Oai(World(papers(1)), 10).answer(ERRORS[name], base[1].decode(), now) == recorded


def test_a_record_is_the_recorded_one_but_for_sizes(shared: Path) -> None:
    folder = shared / "data/arxiv-responses/oai/generated-by-arxiv-server"
    text = (folder / "listrecords_arxivraw_all.xml").read_text()
    recorded = next(
        part for part in re.findall(r" {20}<record>.*?</record>\n", text, re.DOTALL) if "0901.3666" in part
    )
    versions = re.findall(r'version="(v\d)">\s*<date>(.*?)<', recorded)
    paper = Record(
        id="0901.3666",
        submitter="Fabio Musso",
        versions=tuple(RecordVersion(*each) for each in versions),
        categories="q-bio.PE",
        **{
            name: re.search(f"<{name}>(.*?)</{name}>", recorded)[1]  # type: ignore[index]
            for name in ("title", "authors", "comments", "license", "abstract")
        },
    )
    asked = {"verb": "GetRecord", "identifier": "oai:arXiv.org:0901.3666", **RAW}
    world = World([Announcement(date(2011, 2, 3), paper)])
    served = oai.Oai(world, 10).answer(asked, "http://here/oai", NOON).decode()
    assert without_sizes(recorded) in without_sizes(served)
    assert served.count("<size>0kb</size>\n                    <source_type>I<") == 1


def without_sizes(text: str) -> str:
    return re.sub(r"<size>.*?</size>(\s*<source_type>.*?</source_type>)?", "<size/>", text)


def test_pages_hold_every_record_once_in_the_order_of_their_days() -> None:
    days = [date(2026, 5, day) for day in (4, 5, 6, 7)]
    world = World([one for day in days for one in papers(7, day)])
    for size in (1, 3, 7, 10, 100):
        pages = listed(world, size, set="cs", **{"from": "2026-05-05"})
        assert all(len(page) == size for page in pages[:-1])
        assert sum(pages, []) == [f"2605.{day:02}{at:03}" for day in (5, 6, 7) for at in range(1, 8)]  # noqa: RUF017


def test_a_token_is_an_offset_within_the_day_of_the_last_record() -> None:
    world = World(papers(3, date(2026, 5, 4)) + papers(4, date(2026, 5, 5)))
    text = oai.Oai(world, 5).answer({**LIST, "set": "cs"}, "http://here/oai", NOON).decode()
    token = quote(urlencode({**LIST, "set": "cs", "from": "2026-05-05", "skip": "2"}))
    assert f"<resumptionToken expires='2026-05-13T00:00:00Z'>{token}</resumptionToken>" in text
    assert "cursor=" not in text


def test_a_record_modified_while_one_pages_lets_another_be_skipped() -> None:
    with LoopbackArxiv(World(papers(5)), NOON, page_size=2) as arxiv:
        _, _, first = fetch(f"{arxiv.base}/oai?{urlencode(LIST)}")
        token = re.search(r"Token[^>]*>(.+?)<", first.decode())
        arxiv.faults.order("modified record")
        assert token is not None
        _, _, second = fetch(f"{arxiv.base}/oai?verb=ListRecords&resumptionToken={quote(token[1])}")
    assert re.findall("<id>(.*?)<", first.decode()) == ["2605.12001", "2605.12002"]
    assert re.findall("<id>(.*?)<", second.decode()) == ["2605.12004", "2605.12005"]


def test_a_token_ends_at_midnight() -> None:
    service = oai.Oai(World(papers(3)), 2)
    text = service.answer(LIST, "http://here/oai", NOON).decode()
    token = re.search(r"Token[^>]*>(.+?)<", text)
    assert token is not None
    asked = {"verb": "ListRecords", "resumptionToken": token[1]}
    assert b"2605.12003" in service.answer(asked, "", NOON)
    assert b"badResumptionToken" in service.answer(asked, "", datetime(2026, 5, 13, 1, tzinfo=UTC))


def test_a_batch_is_seen_when_arxiv_shows_it_and_not_before() -> None:
    world = World(papers(1))
    before = {"oai": "2026-05-12T02:29Z", "api": "2026-05-11T23:59Z", "rss": "2026-05-12T03:59Z"}
    after = {"oai": "2026-05-12T02:30Z", "api": "2026-05-12T00:00Z", "rss": "2026-05-12T04:00Z"}
    for service, at in before.items():
        assert not world.view(service, moment(at)).papers
        assert world.view(service, moment(after[service])).papers


@pytest.mark.parametrize(
    ("submitted", "day"),
    [
        ("2026-05-11T17:59Z", "2026-05-12"),  # Monday 13:59 in New York: Monday's mailing
        ("2026-05-11T18:00Z", "2026-05-13"),
        ("2026-05-14T18:00Z", "2026-05-18"),  # Thursday 14:00: Sunday's mailing
        ("2026-05-15T17:59Z", "2026-05-18"),
        ("2026-05-15T18:00Z", "2026-05-19"),  # Friday 14:00: Monday's mailing
        ("2026-05-17T12:00Z", "2026-05-19"),
    ],
)
def test_a_submission_goes_out_with_the_batch_that_arxivs_calendar_says(submitted: str, day: str) -> None:
    assert batch_day(moment(submitted)) == date.fromisoformat(day)


def test_versions_come_one_by_one() -> None:
    made = ("Mon, 11 May 2026 12:00:00 GMT", "Thu, 14 May 2026 12:00:00 GMT")
    whole = record("2605.00001", versions=tuple(RecordVersion(f"v{n}", d) for n, d in enumerate(made, 1)))
    world = World(announcements(replace(whole, comments="withdrawn")))
    first, second = (world.until(date(2026, 5, day)).papers["2605.00001"] for day in (14, 15))
    assert (first.record.version, first.record.is_withdrawn) == (1, False)
    assert (second.record.version, second.record.is_withdrawn) == (2, True)


# --- RSS ------------------------------------------------------------------------------------------


def test_a_feed_is_the_recorded_one_to_the_byte(shared: Path) -> None:
    recorded = (shared / "data/arxiv-responses/rss/distill/arxiv_cs_lg.xml").read_text()
    found = re.findall(r"<item>.*?</item>", recorded, re.DOTALL)
    world = World(Announcement(date(2026, 4, 27), from_item(item)) for item in found)
    now = datetime(2026, 4, 27, 12, tzinfo=UTC)
    served = rss.Rss(world).answer("cs.LG", "http://rss.arxiv.org/rss/cs.LG", now).decode()
    assert items(served) == items(recorded)
    assert head(served) == head(recorded).replace("04:00:01 +0000", "04:00:00 +0000")


def items(feed: str) -> list[str]:
    return re.findall(r"<item>.*?</item>", feed, re.DOTALL)


def head(feed: str) -> list[str] | str:
    """The elements of a channel before its items; its recorder wrote the root in another way."""
    inside = feed[feed.index("<channel>") : feed.index("<item>")]
    return inside.replace(" />", "/>")


def from_item(item: str) -> Record:
    def text(name: str) -> str:
        found = re.search(f"<{name}[^>]*>(.*?)</{name}>", item, re.DOTALL)
        assert found is not None
        return re.sub("&(amp|lt|gt);", lambda entity: {"amp": "&", "lt": "<", "gt": ">"}[entity[1]], found[1])

    return record(
        text("guid").removeprefix("oai:arXiv.org:").removesuffix("v1"),
        title=text("title"),
        abstract=text("description").partition("Abstract: ")[2],
        categories=" ".join(re.findall("<category>(.*?)<", item)),
        authors=text("dc:creator"),
        license=text("dc:rights"),
    )


def test_a_feed_tells_how_each_paper_was_announced() -> None:
    two = (
        RecordVersion("v1", "Mon, 11 May 2026 12:00:00 GMT"),
        RecordVersion("v2", "Tue, 12 May 2026 12:00:00 GMT"),
    )
    old, other = record("2605.00001"), record("2605.00002", categories="stat.ML cs.LG")
    world = World(
        [
            *(Announcement(DAY, one) for one in (old, other, record("2605.00003", categories="math.OC"))),
            Announcement(date(2026, 5, 13), replace(old, versions=two)),
            Announcement(date(2026, 5, 13), replace(other, versions=two)),
            Announcement(date(2026, 5, 13), record("2605.00003", categories="math.OC cs.LG")),
            Announcement(date(2026, 5, 13), record("2605.00004")),
            Announcement(date(2026, 5, 13), record("2605.00005", categories="cs.CV cs.LG")),
        ]
    )
    feed = rss.Rss(world).answer("cs.LG", "", moment("2026-05-13")).decode()
    told = re.findall(r"arXiv:(2605\.\d+)v\d Announce Type: (\S+)", feed)
    assert told == [
        ("2605.00004", "new"),
        ("2605.00003", "cross"),
        ("2605.00005", "cross"),
        ("2605.00001", "replace"),
        ("2605.00002", "replace-cross"),
    ]


def test_a_feed_over_its_cap_loses_new_papers_first() -> None:
    world = World([*papers(5), Announcement(DAY, record("2605.99999", categories="cs.CV cs.LG"))])
    feed = rss.Rss(world, cap=3).answer("cs.LG", "", NOON).decode()
    assert re.findall(r"abs/(.*?)<", feed) == ["2605.12004", "2605.12005", "2605.99999"]


def test_a_weekend_has_a_feed_without_items_and_an_unknown_category_an_error_feed() -> None:
    with LoopbackArxiv(World(papers(2, date(2026, 5, 16))), moment("2026-05-16")) as arxiv:
        status, _, feed = fetch(f"{arxiv.base}/rss/cs.LG")
        assert (status, b"<item>" in feed, b"<skipDays>" in feed) == (200, False, True)
        status, _, feed = fetch(f"{arxiv.base}/rss/cs.ZZZ")
        assert (status, b"Feed error for query" in feed) == (400, True)


def test_an_error_feed_is_the_recorded_one_to_the_byte(shared: Path) -> None:
    folder = shared / "data/arxiv-responses/rss/generated-by-arxiv-server"
    recorded = (folder / "err_badclass.xml").read_text()
    url = "http://127.0.0.1:18082/rss/cs.ZZZ"
    now = moment("2026-11-21T21:08:34Z")
    with pytest.raises(rss.BadFeed) as bad:
        rss.Rss(World()).answer("cs.ZZZ", url, now)
    served = rss.error_feed("cs.ZZZ", url, now, str(bad.value)).decode()
    assert served == recorded.replace("21:08:34 +0000", "05:00:00 +0000")


def test_a_feed_that_is_as_it_was_need_not_be_sent_again() -> None:
    with LoopbackArxiv(World(papers(2)), NOON) as arxiv:
        _, headers, _ = fetch(f"{arxiv.base}/rss/cs.LG")
        assert headers["Cache-Control"] == "max-age=43200"
        status, _, body = fetch(f"{arxiv.base}/rss/cs.LG", **{"If-None-Match": headers["ETag"]})
        assert (status, body) == (304, b"")


def test_a_stale_feed_has_the_last_batch_and_the_date_of_today() -> None:
    world = World(papers(2, date(2026, 5, 11)) + papers(2))
    feed = rss.Rss(world).answer("cs.LG", "", NOON, "stale feed").decode()
    assert "2605.11001" in feed
    assert "2605.12001" not in feed
    assert "<pubDate>Tue, 12 May 2026 00:00:00 -0400</pubDate>" in feed


# --- the API --------------------------------------------------------------------------------------


def test_a_feed_of_the_api_is_the_recorded_one_to_the_byte(shared: Path) -> None:
    folder = shared / "data/arxiv-responses/api/arxiv.py-body"
    recorded = (folder / "id_1605.08386_s0_m100_199195aa31ad.200.xml").read_text()
    paper = record(
        "1605.08386",
        title="Heat-bath random walks with Markov bases",
        abstract=re.search("<summary>(.*?)<", recorded)[1],  # type: ignore[index]
        categories="math.CO math.ST",
        versions=(RecordVersion("v1", "Thu, 26 May 2016 17:59:46 GMT"),),
        comments="20 pages, 3 figures",
        authors="Caprice Stanley, Tobias Windisch",
    )
    now = datetime(2026, 4, 12, 22, 10, 19, tzinfo=UTC)
    service = api.Api(World([Announcement(date(2016, 5, 27), paper)]))
    served = service.answer({"id_list": "1605.08386", "max_results": "100"}, now).decode()
    unnamed = re.compile("<id>https://arxiv.org/api/.*?</id>")
    assert unnamed.sub("", served) == unnamed.sub("", recorded)


def test_an_error_of_the_api_is_the_recorded_one_to_the_byte(shared: Path) -> None:
    folder = shared / "data/arxiv-responses/api/arxiv.py-body"
    recorded = (folder / "id_abc_s0_m100_b79c8dcf6bc3.400.xml").read_bytes()
    with LoopbackArxiv(World(papers(1)), moment("2026-04-12T22:59:06Z")) as arxiv:
        assert fetch(f"{arxiv.base}/api/query?id_list=abc")[::2] == (400, recorded)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("cat:a OR cat:b AND cat:c", "cat:a OR (cat:b AND cat:c)"),
        ("cat:a AND cat:b OR cat:c", "cat:a AND (cat:b OR cat:c)"),
        ("cat:a ANDNOT cat:b OR cat:c", "cat:a ANDNOT (cat:b OR cat:c)"),
        ("(cat:a OR cat:b) AND cat:c", "(cat:a OR cat:b) AND cat:c"),
        ("abs:machine unlearning", "abs:machine OR all:unlearning"),
        ("abs:(machine unlearning)", "all:machine OR all:unlearning"),
        ('ti:"machine unlearning" and abs:x', 'ti:"machine unlearning" OR (all:and OR abs:x)'),
        ("grp:cs", "all:grp:cs"),
        ("submittedDate:[202605010000 to 202605020000]", 'all:"[202605010000 to 202605020000]"'),
    ],
)
def test_a_query_is_read_as_arxiv_reads_it(text: str, read: str) -> None:
    assert str(api.parse(text)) == read


@pytest.mark.parametrize("text", ["(ti:a", "ti:a)", "AND ti:a", "ti:a AND", '"', "()"])
def test_an_unbalanced_query_is_refused(text: str) -> None:
    with pytest.raises(api.BadRequest):
        api.parse(text)


def test_a_query_finds_what_holds_its_words_in_a_window_that_includes_both_minutes() -> None:
    def at(clock: str) -> tuple[RecordVersion, ...]:
        return (RecordVersion("v1", f"Mon, 11 May 2026 {clock} GMT"),)

    world = World(
        [
            Announcement(
                DAY, record("2605.00001", abstract="Concept bottlenecks forget.", versions=at("12:00:00"))
            ),
            Announcement(
                DAY, record("2605.00002", title="Concept-bottleneck models", versions=at("12:01:00"))
            ),
            Announcement(
                DAY, record("2605.00003", abstract="A bottleneck concept.", versions=at("12:01:01"))
            ),
        ]
    )
    words = '(ti:"concept bottleneck" OR abs:"concept bottleneck") AND (cat:cs.LG OR cat:cs.CV)'
    query = f"{words} AND submittedDate:[202605111200 TO 202605111201]"
    asked = {"search_query": query, "sortBy": "submittedDate", "sortOrder": "ascending"}
    feed = api.Api(world).answer(asked, NOON).decode()
    assert re.findall(r"<id>http://arxiv.org/abs/(.*?)<", feed) == ["2605.00001v1", "2605.00002v1"]
    assert "<opensearch:totalResults>2<" in feed


def test_ids_that_are_unknown_are_dropped_and_only_ten_are_given_unless_more_are_asked_for() -> None:
    service = api.Api(World(papers(12)))
    names = ",".join(f"2605.12{at:03}" for at in range(1, 14))
    assert service.answer({"id_list": names}, NOON).count(b"<entry>") == 10
    assert service.answer({"id_list": names, "max_results": "13"}, NOON).count(b"<entry>") == 12


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"search_query": "cat:cs.LG", "start": "9990", "max_results": "11"}, 500),
        ({"search_query": "cat:cs.LG", "max_results": "0"}, 500),
        ({"search_query": "submittedDate:[2025-01-01 TO 2025-02-01]"}, 500),
        ({"search_query": " OR ".join(["ti:a"] * 1500)}, 500),
        ({"search_query": "cat:cs.LG", "start": "-1"}, 400),
        ({}, 400),
        ({"search_query": "cat:cs.LG", "start": "9990", "max_results": "10"}, 200),
    ],
)
def test_what_arxiv_cannot_answer_is_not_answered(asked: dict[str, str], status: int) -> None:
    with LoopbackArxiv(World(papers(1)), NOON) as arxiv:
        assert fetch(f"{arxiv.base}/api/query?{urlencode(asked)}")[0] == status


# --- names ----------------------------------------------------------------------------------------


@given(st.text(alphabet="aeiouyncszlAEIOU áéíóúäöüñçşčžőåãøłßæœ木'$-.", max_size=30))
def test_names_in_tex_are_the_same_names(text: str) -> None:
    assert tex.to_unicode(tex.to_tex(text)) == text


def test_the_api_has_letters_where_the_others_have_tex() -> None:
    paper = record("2605.00001", title=r"The $\alpha$ of Gödel", authors=r"Andr\'e Weil, Kurt Gödel (Wien)")
    world = World([Announcement(DAY, paper)])
    feed = api.Api(world).answer({"id_list": "2605.00001"}, NOON).decode()
    assert "<title>The $α$ of Gödel</title>" in feed
    assert "<name>André Weil</name>" in feed
    assert "<name>Kurt Gödel</name>\n      <arxiv:affiliation>Wien</arxiv:affiliation>" in feed
    assert r"<authors>Andr\&#39;e Weil, Kurt G\&#34;odel (Wien)</authors>" in listed_raw(world)


def listed_raw(world: World) -> str:
    return oai.Oai(world, 10).answer(LIST, "", NOON).decode()


# --- the server -----------------------------------------------------------------------------------


def test_faults_are_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[str | None]:
        some = faults.Faults(seed, 0.3)
        return [some.next("oai", at % 2 == 1) for at in range(300)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 60 < sum(fault is not None for fault in drawn(1)) < 120


def test_an_ordered_fault_waits_for_a_request_it_fits() -> None:
    some = faults.Faults()
    some.order("expired token")
    assert [some.next("rss", True), some.next("oai", False), some.next("oai", True), some.waiting] == [
        None,
        None,
        "expired token",
        0,
    ]


def test_the_server_keeps_who_asked_what_and_when() -> None:
    with LoopbackArxiv(World(papers(1)), NOON) as arxiv:
        fetch(f"{arxiv.base}/rss/cs.LG", **{"User-Agent": "one"})
        fetch(f"{arxiv.base}/oai?verb=Identify", **{"User-Agent": "two"})
    assert [(one.service, one.agent, one.whole) for one in arxiv.requests] == [
        ("rss", "one", True),
        ("oai", "two", True),
    ]
    assert all(gap > 0 for gap in arxiv.gaps())


def test_a_person_can_run_it_and_change_the_day_and_order_faults(tmp_path: Path) -> None:
    made = {"version": "v1", "created": "Mon, 11 May 2026 12:00:00 GMT"}
    line = {"id": "2605.00001", "title": "T", "abstract": "A", "categories": "cs.LG", "versions": [made]}
    (tmp_path / "papers.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "days.json").write_text(json.dumps({"2026-05-12": ["2605.00001"]}))
    command = [sys.executable, str(Path(__file__).with_name("replay.py")), "--as-of", "2026-05-11"]
    options = ["--papers", str(tmp_path / "papers.jsonl"), "--days", str(tmp_path / "days.json")]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(5)]
        address = told[1].removeprefix("export DIGEST_ARXIV_OAI_URL=")
        base = address.removesuffix("/oai")
        asked = f"{address}?{urlencode(LIST)}"
        assert b"noRecordsMatch" in fetch(asked)[2]
        fetch(f"{base}/replay/as-of?2026-05-12")
        assert b"2605.00001" in fetch(asked)[2]
        fetch(f"{base}/replay/fault?429")
        assert fetch(asked)[0] == 429
        assert len(json.loads(fetch(f"{base}/replay/requests")[2])) == 3
        process.terminate()
    assert told[0] == "# 0 papers until 2026-05-11; Ctrl-C to end"
