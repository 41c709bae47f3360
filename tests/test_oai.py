"""OAI-PMH: from answers to papers, and how far a set was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from answers import (
    Raw,
    Time,
    header,
    http,
    identifiers,
    oai,
    oai_error,
    records,
    serving,
)
from digest.errors import Deferred, DigestError, InputError, NotAnAnswer
from digest.sources import oai as oai_source
from digest.sources.oai import Check, Oai, OaiError, marks_of, parse, sets_of
from digest.sources.polite import Gate
from digest.types import Page, Paper

NOW = datetime(2026, 6, 3, 6, 0, tzinfo=UTC)


def make_gate(folder: Path) -> Gate:
    clock = Time()
    return Gate("t", gap=3, state=folder / "gate.json", clock=clock, sleep=clock.sleep, random=lambda: 1.0)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = make_gate(tmp_path)
    yield gate
    gate.close()


# --- one record ------------------------------------------------------------------------------------


def one(raw: Raw) -> Paper:
    [paper] = parse(records(raw)).papers
    return paper


def test_a_record_becomes_a_paper() -> None:
    paper = one(Raw(more="<comments> 9\n pages</comments><journal-ref>J 1</journal-ref><doi>10.1/x</doi>"))
    assert paper.id == "2606.00001"
    assert paper.version == 1
    assert (paper.title, paper.abstract) == (
        "Forgetting on request",
        "A model forgets what it was asked to forget.",
    )
    assert paper.authors == ("Ada Lovelace", "Kurt Gödel")
    assert paper.categories == ("cs.LG", "stat.ML")
    assert paper.submitted == paper.updated == datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
    assert (paper.comments, paper.journal_ref, paper.doi) == ("9 pages", "J 1", "10.1/x")
    assert not paper.withdrawn


def test_published_is_the_first_versions_date_and_updated_the_last_ones_whatever_their_order() -> None:
    versions = (("v2", "Tue, 02 Jun 2026 09:00:00 GMT"), ("v1", "Mon, 01 Jun 2026 10:00:00 GMT"))
    paper = one(Raw(versions=versions))
    assert paper.version == 2
    assert (paper.submitted.day, paper.updated.day) == (1, 2)
    assert [version.number for version in paper.versions] == [1, 2]


def test_old_identifiers_keep_their_archive() -> None:
    raw = Raw(id="hep-th/9901002", versions=(("v1", "Mon, 04 Jan 1999 23:58:16 GMT"),), categories="hep-th")
    assert one(raw).id == "hep-th/9901002"


@pytest.mark.parametrize(
    ("source", "comments", "withdrawn"),
    [
        (("0kb", "I"), "gone", True),
        (("0kb", "D"), "9 pages", False),
        (("0kb", ""), "9 pages", False),
        (("12kb", "D"), "This paper has been withdrawn by the author", True),
        (("12kb", "D"), "Withdrawn", True),
        (("12kb", "I"), "9 pages", False),
    ],
)
def test_withdrawn_is_a_last_version_without_source_or_one_whose_comments_say_so(
    source: tuple[str, str], comments: str, withdrawn: bool
) -> None:
    assert one(Raw(source=source, more=f"<comments>{comments}</comments>")).withdrawn is withdrawn


# --- the day and type of the announcement ------------------------------------------------------------

V1 = ("v1", "Mon, 01 Jun 2026 10:00:00 GMT")
V2 = ("v2", "Thu, 04 Jun 2026 10:00:00 GMT")


def test_a_first_version_is_announced_on_the_day_its_record_changed() -> None:
    paper = one(Raw(changed="2026-06-02"))
    assert (paper.announced, paper.announce_type) == (date(2026, 6, 2), "new")


def test_a_paper_that_moderation_held_for_days_is_of_the_day_it_is_announced() -> None:
    paper = one(Raw(changed="2026-06-08"))
    assert (paper.announced, paper.announce_type) == (date(2026, 6, 8), "new")


def test_a_later_version_never_counts_as_new() -> None:
    paper = one(Raw(changed="2026-06-05", versions=(V1, V2)))
    assert (paper.announced, paper.announce_type) == (date(2026, 6, 1), "replace")


def test_a_paper_that_was_held_for_weeks_is_told_by_the_month_of_its_id() -> None:
    april = (("v1", "Wed, 08 Apr 2026 16:22:45 GMT"),)
    held = one(Raw(id="2605.08093", changed="2026-05-12", versions=april))
    assert (held.announced, held.announce_type) == (date(2026, 5, 12), "new")
    assert one(Raw(id="2605.08093", changed="2026-06-01", versions=april)).announce_type == "new"
    assert one(Raw(id="2604.08093", changed="2026-05-12", versions=april)).announce_type == "replace"


def test_an_old_paper_whose_record_changed_is_no_news() -> None:
    may = (("v1", "Wed, 20 May 2026 10:00:00 GMT"),)
    paper = one(Raw(id="2605.12345", changed="2026-06-04", versions=may))
    assert (paper.announced, paper.announce_type) == (date(2026, 5, 20), "replace")
    assert one(Raw(id="2605.12345", changed="2026-06-03", versions=may)).announce_type == "new"


def test_the_day_before_is_new_yorks_when_it_is_told_by_the_first_version() -> None:
    late = (("v1", "Tue, 02 Jun 2026 02:00:00 GMT"), V2)
    assert one(Raw(versions=late)).announced == date(2026, 6, 1)


# --- answers that are none -----------------------------------------------------------------------------

WRONG = {
    "empty": b"",
    "blank": b" \n",
    "text": b"Rate exceeded.",
    "html": b"<!DOCTYPE html><html><body><p>Down</body></html>",
    "xhtml": b"<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
    "cut": records(Raw(), Raw(id="2606.00002"))[:-40],
    "cut between records": records(Raw(), Raw(id="2606.00002")).replace(b"</ListRecords></OAI-PMH>", b""),
    "not UTF-8": records(Raw(title="caf\xe9")).replace("é".encode(), b"\xe9"),
    "another verb": oai("<Identify><repositoryName>arXiv</repositoryName></Identify>"),
    "no record": oai("<ListRecords/>"),
    "another format": records(Raw()).replace(b"arXivRaw", b"arXiv"),
    "nothing readable": records(Raw(id="x"), Raw(id="y")),
    "no date of the answer": records(Raw(), day="today"),
    "undefined entity": records(Raw()).replace(b"Forgetting", b"&nbsp;"),
    "deep": b"<OAI-PMH>" + b"<a>" * 100_000,
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer_is_an_error_and_never_a_shorter_page(name: str) -> None:
    with pytest.raises(NotAnAnswer):
        parse(WRONG[name], "ListRecords")


def test_an_error_of_the_protocol_is_told_in_its_own_words() -> None:
    with pytest.raises(OaiError, match="OAI-PMH badArgument: Told why") as caught:
        parse(oai_error("badArgument"))
    assert caught.value.code == "badArgument"
    assert caught.value.exit_code == 65


def test_a_record_that_cannot_be_read_is_named_and_the_others_are_kept() -> None:
    broken = [
        Raw(id="2606.00002", versions=()),
        Raw(id="2606.00003", versions=(("v1", "someday"),)),
        Raw(id="2606.00004", title=" "),
        Raw(id="2606.00005", changed="soon"),
        Raw(id="2606.00006", categories="68T05"),
        Raw(id="2606.00007", versions=(("v1", "Mon, 01 Jan 0001 00:00:01 GMT"),)),
        Raw(id="9999.99999"),
    ]
    found = parse(records(Raw(), *broken, "<record/>"))
    assert [paper.id for paper in found.papers] == ["2606.00001"]
    assert [one.where for one in found.skipped] == [f"oai: oai:arXiv.org:{raw.id}" for raw in broken] + [
        "oai: record 9"
    ]
    assert all(one.reason for one in found.skipped)


def test_a_record_whose_header_speaks_of_another_paper_is_not_taken() -> None:
    mixed = Raw().xml().replace("<id>2606.00001</id>", "<id>2606.00009</id>")
    found = parse(records(Raw(id="2606.00002"), mixed))
    assert [paper.id for paper in found.papers] == ["2606.00002"]
    assert "the metadata of 2606.00009" in found.skipped[0].reason


def test_letters_that_xml_forbids_do_not_cost_a_page() -> None:
    assert one(Raw(title="Forgetting\x0b on\x00 request")).title == "Forgetting on request"


def test_deleted_records_are_told_apart() -> None:
    found = parse(records(Raw(), f"<record>{header('2606.00002', status='deleted')}</record>"))
    assert found.deleted == ("2606.00002",)
    assert [paper.id for paper in found.papers] == ["2606.00001"]


@pytest.mark.parametrize("end", [None, "", "  "])
def test_a_list_ends_without_a_token_or_with_an_empty_one(end: str | None) -> None:
    assert parse(records(Raw(), token=end)).token is None


def test_tokens_come_with_or_without_a_count() -> None:
    xml = records(Raw(), token="verb%3DListRecords%26skip%3D46")
    assert parse(xml).token == "verb%3DListRecords%26skip%3D46"
    old = xml.replace(b"<resumptionToken>", b'<resumptionToken cursor="0" completeListSize="9">')
    assert parse(old).token == "verb%3DListRecords%26skip%3D46"


def test_sets_are_those_that_hold_the_categories() -> None:
    assert sets_of(("cs.LG", "stat.ML", "cs.AI", "eess.IV")) == ("cs", "stat", "eess")
    assert sets_of(("hep-th", "cond-mat.soft", "physics.optics")) == (
        "physics:hep-th",
        "physics:cond-mat",
        "physics",
    )
    assert sets_of(()) == ("",)


# --- a harvest ---------------------------------------------------------------------------------------


def source(gate: Gate, url: str, *sets: str, **more: object) -> Oai:
    return Oai(gate, url, sets or ("cs",), **more)  # type: ignore[arg-type]


def test_the_first_harvest_begins_a_week_back_and_follows_the_tokens(gate: Gate) -> None:
    first = http(records(Raw(), token="a&b=1"))
    with serving(first, http(records(Raw(id="2606.00002")))) as server:
        pages = list(source(gate, server.url).fetch(None, NOW))
    assert [[paper.id for paper in page.papers] for page in pages] == [["2606.00001"], ["2606.00002"]]
    assert server.targets == [
        "/x?verb=ListRecords&metadataPrefix=arXivRaw&set=cs&from=2026-05-27",
        "/x?verb=ListRecords&resumptionToken=a%26b%3D1",
    ]


def test_all_of_arxiv_is_asked_for_without_set_and_day(gate: Gate) -> None:
    with serving(http(records(Raw()))) as server:
        list(source(gate, server.url, "", first=None).fetch(None, NOW))
    assert server.targets == ["/x?verb=ListRecords&metadataPrefix=arXivRaw"]


def test_the_high_water_moves_to_the_day_of_the_first_page_when_the_chain_ends(gate: Gate) -> None:
    first = http(records(Raw(), token="t", day="2026-06-02T23:59:00Z"))
    with serving(first, http(records(Raw(id="2606.00002"), day="2026-06-03T00:01:00Z"))) as server:
        pages = list(source(gate, server.url).fetch(None, NOW))
    assert [marks_of(page.cursor)["cs"].high_water for page in pages] == [None, date(2026, 6, 2)]


def test_the_next_harvest_begins_a_week_before_the_high_water(gate: Gate) -> None:
    with serving(http(records(Raw()))) as server:
        [page] = source(gate, server.url).fetch(None, NOW)
        list(source(gate, server.url).fetch(page.cursor, NOW + timedelta(days=3)))
        list(source(gate, server.url, overlap=timedelta(days=2)).fetch(page.cursor, NOW))
    assert [target[-10:] for target in server.targets] == ["2026-05-27", "2026-05-27", "2026-06-01"]


def test_a_harvest_that_was_cut_off_goes_on_at_its_token(gate: Gate) -> None:
    with serving(http(records(Raw(), token="t")), http(b"", 503)) as server:
        fetching = source(gate, server.url).fetch(None, NOW)
        page = next(fetching)
        with pytest.raises(Deferred):
            next(fetching)
    with serving(http(records(Raw(id="2606.00002")))) as server:
        gate = make_gate(Path(gate._path.parent / "next"))
        [last] = source(gate, server.url).fetch(page.cursor, NOW + timedelta(days=1))
        gate.close()
    assert server.targets == ["/x?verb=ListRecords&resumptionToken=t"]
    assert marks_of(last.cursor)["cs"].high_water == date(2026, 6, 3)


def test_an_expired_token_begins_the_window_anew(gate: Gate) -> None:
    stored = json.dumps(
        {"cs": {"chain": {"start": "2026-05-20", "token": "old", "pages": 3, "day": "2026-05-27"}}}
    )
    with serving(http(oai_error("badResumptionToken")), http(records(Raw()))) as server:
        [page] = source(gate, server.url).fetch(stored, NOW)
    assert server.targets[1].endswith("set=cs&from=2026-05-20")
    assert marks_of(page.cursor)["cs"].high_water == date(2026, 5, 27), "it may be complete only until then"


def test_tokens_that_expire_at_once_do_not_turn_in_a_circle(gate: Gate) -> None:
    def answers(number: int) -> bytes:
        return http(records(Raw(), token=str(number)) if number % 2 == 0 else oai_error("badResumptionToken"))

    with serving(*map(answers, range(20))) as server, pytest.raises(Deferred, match="4 times"):
        list(source(gate, server.url).fetch(None, NOW))
    assert len(server.asked) == 8


def test_a_token_that_comes_twice_is_asked_for_again_and_then_given_up(gate: Gate) -> None:
    with serving(http(records(Raw(), token="t"))) as server:
        fetching = source(gate, server.url).fetch(None, NOW)
        page = next(fetching)
        with pytest.raises(Deferred, match="the same resumption token twice"):
            next(fetching)
    assert len(server.asked) == 1 + 3
    assert marks_of(page.cursor)["cs"].high_water is None


def test_a_token_that_came_twice_by_accident_costs_nothing(gate: Gate) -> None:
    twice = http(records(Raw(), token="t"))
    with serving(twice, twice, http(records(Raw(id="2606.00002")))) as server:
        pages = list(source(gate, server.url).fetch(None, NOW))
    assert [len(page.papers) for page in pages] == [1, 1]


def test_a_list_without_end_is_given_up_and_begins_anew(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oai_source, "_MOST_PAGES", 3)
    answers = [http(records(Raw(), token=str(number))) for number in range(5)]
    with serving(*answers) as server:
        fetching = source(gate, server.url).fetch(None, NOW)
        pages = [next(fetching) for _ in range(3)]
        with pytest.raises(Deferred, match="3 pages and no end"):
            next(fetching)
        next(source(gate, server.url).fetch(pages[-1].cursor, NOW + timedelta(days=5)))
    assert server.targets[-1].endswith("from=2026-05-27"), "the window is not lost"


def test_nothing_changed_is_a_success_with_nothing(gate: Gate) -> None:
    with serving(http(oai_error("noRecordsMatch"))) as server:
        [page] = source(gate, server.url).fetch(None, NOW)
    assert page.papers == ()
    assert marks_of(page.cursor)["cs"].high_water == date(2026, 6, 3)
    assert "0 records" in page.notes[0]


def test_other_errors_end_the_crawl_with_arxivs_words(gate: Gate) -> None:
    with serving(http(oai_error("badArgument"))) as server, pytest.raises(InputError, match="Told why"):
        list(source(gate, server.url).fetch(None, NOW))
    assert len(server.asked) == 1


def test_a_clock_that_is_wrong_at_arxiv_or_here_never_skips_a_day(gate: Gate) -> None:
    for day in ("2036-01-01T00:00:00Z", "2016-01-01T00:00:00Z"):
        with serving(http(records(Raw(), day=day))) as server:
            [page] = source(gate, server.url).fetch(None, NOW)
        assert marks_of(page.cursor)["cs"].high_water == min(date.fromisoformat(day[:10]), NOW.date())


def test_the_high_water_never_falls(gate: Gate) -> None:
    stored = '{"cs": {"high_water": "2026-06-02"}}'
    with serving(http(records(Raw(), day="2020-01-01T00:00:00Z"))) as server:
        [page] = source(gate, server.url).fetch(stored, NOW)
    assert marks_of(page.cursor)["cs"].high_water == date(2026, 6, 2)


def test_each_set_has_a_mark_of_its_own_and_those_of_other_sets_are_kept(gate: Gate) -> None:
    stored = '{"math": {"high_water": "2026-01-01"}, "stat": {"high_water": "2026-06-01"}}'
    with serving(http(records(Raw()))) as server:
        pages = list(source(gate, server.url, "cs", "stat").fetch(stored, NOW))
    assert [target[target.index("set=") :] for target in server.targets] == [
        "set=cs&from=2026-05-27",
        "set=stat&from=2026-05-25",
    ]
    marks = marks_of(pages[-1].cursor)
    assert {name: str(mark.high_water) for name, mark in marks.items()} == {
        "math": "2026-01-01",
        "cs": "2026-06-03",
        "stat": "2026-06-03",
    }


@pytest.mark.parametrize("cursor", ["", "x", "[]", '{"cs": 3}', '{"cs": {"high_water": "soon"}}'])
def test_a_cursor_that_cannot_be_read_begins_anew(gate: Gate, cursor: str) -> None:
    with serving(http(records(Raw()))) as server:
        assert len(list(source(gate, server.url).fetch(cursor, NOW))) == 1


def test_deleted_and_skipped_records_are_handed_on(gate: Gate) -> None:
    deleted = f"<record>{header('2606.00002', status='deleted')}</record>"
    with serving(http(records(Raw(), deleted, Raw(id="x")))) as server:
        [page] = source(gate, server.url).fetch(None, NOW)
    assert page.deleted == ("2606.00002",)
    assert len(page.skipped) == 1


# --- why a day is empty ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("2026-06-02T12:00:00Z", None),
        (
            "2026-06-03T12:00:00Z",
            "no batch of Wednesday 2026-06-03: a deferred mailing, or it is not out yet",
        ),
        ("2026-06-06T12:00:00Z", "Saturday 2026-06-06 has no batch: arXiv announces on Sunday to Thursday"),
        ("2026-06-08T12:00:00Z", "ALARM: no batch since Tuesday 2026-06-02: 6 days"),
    ],
)
def test_an_empty_day_is_explained(gate: Gate, now: str, said: str | None) -> None:
    with serving(http(records(Raw(changed="2026-06-02")))) as server:
        [page] = source(gate, server.url).fetch(None, datetime.fromisoformat(now))
    assert len(page.notes) == (1 if said is None else 2)
    assert said is None or said in page.notes[-1]


# --- the check after a bulk load ---------------------------------------------------------------------


def test_the_check_lists_all_identifiers_and_asks_for_what_is_missing(gate: Gate) -> None:
    listed = [header("2606.00001"), header("2606.00002"), header("2606.00003", status="deleted")]
    answers = [
        http(identifiers(*listed, token="t")),
        http(records(Raw(id="2606.00002")).replace(b"ListRecords>", b"GetRecord>")),
        http(identifiers(header("2606.00004"))),
        http(oai_error("idDoesNotExist")),
    ]
    with serving(*answers) as server:
        check = Check(gate, server.url, ("cs",), lambda ids: {"2606.00001"} & set(ids))
        pages = list(check.fetch(None, NOW))
    assert [[paper.id for paper in page.papers] for page in pages] == [["2606.00002"], [], [], []]
    assert pages[1].deleted == ("2606.00003",)
    assert "idDoesNotExist" in pages[2].skipped[0].reason
    assert server.targets[0] == "/x?verb=ListIdentifiers&metadataPrefix=arXivRaw&set=cs"
    assert (
        server.targets[1]
        == "/x?verb=GetRecord&metadataPrefix=arXivRaw&identifier=oai%3AarXiv.org%3A2606.00002"
    )
    assert pages[-1].notes == ("oai-check cs: 4 identifiers, 1 fetched now",)
    assert marks_of(pages[-1].cursor)["cs"].high_water == date(2026, 6, 3)


def test_a_check_keeps_what_it_fetched_some_records_at_a_time(gate: Gate) -> None:
    names = [f"2606.{number:05}" for number in range(1, 31)]
    known: set[str] = set()
    one = lambda name: http(records(Raw(id=name)).replace(b"ListRecords>", b"GetRecord>"))  # noqa: E731
    listed = http(identifiers(*map(header, names)))
    check = lambda server: Check(gate, server.url, ("cs",), lambda ids: known & set(ids))  # noqa: E731
    with serving(listed, *map(one, names)) as server:
        first = next(check(server).fetch(None, NOW))
    known.update(paper.id for paper in first.papers)
    assert 10 <= len(known) < 30
    with serving(listed, *map(one, names[len(known) :])) as server:
        rest = list(check(server).fetch(first.cursor, NOW))
        assert len(server.asked) == 1 + 30 - len(known), "what was fetched is not asked for again"
    assert known | {paper.id for page in rest for paper in page.papers} == set(names)


def test_a_check_before_the_bulk_load_asks_for_nothing_one_by_one(gate: Gate) -> None:
    names = [f"2606.{number:05}" for number in range(1, 602)]
    with serving(http(identifiers(*map(header, names)))) as server:
        with pytest.raises(InputError, match=r"601 of 601 records are not in the archive.*crawl --since"):
            list(Check(gate, server.url, ("cs",), lambda ids: set()).fetch(None, NOW))
        assert len(server.asked) == 1


def test_a_harvest_since_before_there_were_records_is_one_of_all(gate: Gate) -> None:
    with serving(http(records(Raw()))) as server:
        list(Oai(gate, server.url, ("cs",), since=date(1991, 8, 1)).fetch(None, NOW))
        list(Oai(gate, server.url, ("cs",), since=date(2005, 9, 17)).fetch(None, NOW))
    assert server.targets[0].endswith("set=cs")
    assert server.targets[1].endswith("from=2005-09-17")


def test_a_check_of_several_sets_goes_on_where_it_was_cut_off_and_then_begins_anew(gate: Gate) -> None:
    check = lambda server: Check(gate, server.url, ("cs", "stat"), set)  # noqa: E731
    with serving(http(identifiers(header("2606.00001")))) as server:
        [first, last] = check(server).fetch(None, NOW)
        assert len(list(check(server).fetch(first.cursor, NOW))) == 1
        assert len(list(check(server).fetch(last.cursor, NOW))) == 2
    assert [target.rpartition("=")[2] for target in server.targets] == ["cs", "stat", "stat", "cs", "stat"]


def test_a_harvest_since_a_day_takes_all_sets_along_and_goes_on_without_being_told(gate: Gate) -> None:
    day = date(2020, 1, 1)
    daily, bulk = (
        lambda url, since=since: Oai(gate, url, ("cs", "stat"), since=since) for since in (None, day)
    )
    with serving(http(records(Raw()))) as server:
        known = list(daily(server.url).fetch(None, NOW))[-1].cursor
        first = next(bulk(server.url).fetch(known, NOW))
        for source in (daily, bulk):
            server.asked.clear()
            pages = list(source(server.url).fetch(first.cursor, NOW))
            asked = [target.partition("set=")[2] for target in server.targets]
            assert asked == ["cs&from=2026-05-27", "stat&from=2020-01-01"]
        assert {mark.chain for mark in marks_of(pages[-1].cursor).values()} == {None}


# --- recorded answers --------------------------------------------------------------------------------

RECORDS = {
    "listrecords_arXivRaw_limit50_page1.xml": (50, True),
    "listrecords_arXivRaw_limit50_page3.xml": (50, True),
    "listrecords_arXivRaw_limit50_page4.xml": (50, True),
    "listrecords_arxivraw_all.xml": (501, False),
}
ERRORS = {
    "oai_arXiv.org_0704.0001.xml": "cannotDisseminateFormat",
    "err_badarg_datetime.xml": "badArgument",
    "err_badformat.xml": "cannotDisseminateFormat",
    "err_badset.xml": "badArgument",
    "err_badtoken.xml": "badResumptionToken",
    "err_noid.xml": "idDoesNotExist",
    "err_norecords.xml": "noRecordsMatch",
    "err_toearly.xml": "badArgument",
    "err_token_plus_arg.xml": "badArgument",
    "badArgument.xml": "badArgument",
    "idDoesNotExist.xml": "idDoesNotExist",
    "noRecordsMatch.xml": "noRecordsMatch",
    "undefinedError.xml": "undefinedError",
}


def test_every_recorded_answer_gives_its_records_or_its_error(shared: Path) -> None:
    """Files of this protocol are all in one folder; what is neither in RECORDS nor in ERRORS is in
    another format, of another verb or no answer at all, and must say so."""
    files = [file for file in sorted((shared / "data/arxiv-responses/oai").rglob("*")) if file.is_file()]
    assert len(files) > 75
    for file in files:
        if file.name in RECORDS:
            count, more = RECORDS[file.name]
            found = parse(file.read_bytes())
            assert (len(found.papers), len(found.skipped)) == (count, 0)
            assert (found.token is not None) is more
        else:
            with pytest.raises(DigestError) as caught:
                parse(file.read_bytes())
            code = getattr(caught.value, "code", None)
            assert code == ERRORS.get(file.name), file
            assert code or isinstance(caught.value, NotAnAnswer)


def test_the_records_of_arxivs_own_server_are_read_as_they_are(shared: Path) -> None:
    file = shared / "data/arxiv-responses/oai/generated-by-arxiv-server/listrecords_arxivraw_all.xml"
    body = file.read_bytes()
    papers = parse(body).papers
    assert len({paper.id for paper in papers}) == 501 == body.count(b"<record>")
    assert sum(len(paper.versions) for paper in papers) == 1023
    assert sorted(paper.id for paper in papers if paper.withdrawn) == [
        "0901.3666", "0903.0442", "1101.2483", "1101.6031", "1102.0219", "cond-mat/0703772",
    ]  # fmt: skip
    assert all(paper.announce_type == "replace" for paper in papers if paper.version > 1)


def test_a_page_is_what_it_says(gate: Gate) -> None:
    with serving(http(records(Raw()))) as server:
        [page] = source(gate, server.url).fetch(None, NOW)
    assert isinstance(page, Page)
    assert page.notes[0] == "oai cs: 1 records changed since 2026-05-27, pages: 1"
