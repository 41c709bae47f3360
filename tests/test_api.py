"""The query API: papers by id, by topic over the years, and lately; and what it gets wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import arxiv
import pytest

from answers import Server, Time, api_error, atom, entry, http, serving
from digest.errors import Deferred, InputError, NotAnAnswer
from digest.sources import api as api_source
from digest.sources.api import Api, Backfill, Lookup, Results, job_of, parse, recent_of
from digest.sources.polite import Gate
from digest.text import clean
from digest.types import Page

NOW = datetime(2026, 6, 3, 6, 0, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def gate(tmp_path: Path, clock: Time) -> Iterator[Gate]:
    gate = Gate(
        "t",
        gap=3,
        state=tmp_path / "gate.json",
        clock=clock,
        sleep=clock.sleep,
        random=lambda: 0.0,
        patience=300,
    )
    yield gate
    gate.close()


# --- a page ------------------------------------------------------------------------------------------


def test_an_entry_becomes_a_paper() -> None:
    [paper] = parse(atom(entry("2606.00001v3", updated="2026-06-02T11:00:00Z"))).papers
    assert (paper.id, paper.version) == ("2606.00001", 3)
    assert paper.abstract == "A model forgets what it was asked to forget."
    assert paper.authors == ("Ada Lovelace", "Kurt Gödel")
    assert paper.categories == ("cs.LG", "stat.ML"), "the primary one first, codes of other schemes left out"
    assert paper.submitted == datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
    assert paper.updated == datetime(2026, 6, 2, 11, 0, tzinfo=UTC)
    assert [version.number for version in paper.versions] == [1, 3]
    assert (paper.announced, paper.announce_type) == (date(2026, 6, 1), "replace")
    assert paper.comments == "9 pages"


def test_old_identifiers_and_other_time_zones_are_read() -> None:
    [paper] = parse(atom(entry("hep-th/9901002v1", updated="2026-06-01T20:00:00-04:00"))).papers
    assert paper.id == "hep-th/9901002"
    assert paper.updated == datetime(2026, 6, 2, 0, 0, tzinfo=UTC)


def test_a_withdrawn_paper_is_told_by_its_comments() -> None:
    gone = entry().replace("9 pages", "This paper has been WITHDRAWN, see v1")
    assert parse(atom(gone)).papers[0].withdrawn
    assert not parse(atom(entry())).papers[0].withdrawn


def test_an_error_entry_is_an_error_whatever_the_status() -> None:
    with pytest.raises(InputError, match="incorrect id format for abc"):
        parse(api_error())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Rate exceeded.",
        b"<html><body>x</body></html>",
        atom(entry())[:-20],
        atom(entry()).replace(b"totalResults", b"total"),
        atom(entry()).replace(b"<opensearch:startIndex>0", b"<opensearch:startIndex>-1"),
        atom(entry("x"), entry("y")),
    ],
)
def test_what_is_no_feed_of_the_api_is_an_error_and_never_no_results(body: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        parse(body)


def test_an_entry_that_cannot_be_read_is_named_and_counted() -> None:
    broken = [
        entry("2606.00002"),
        entry("2606.00003v1", updated="yesterday"),
        entry("2606.00004v1").replace("<summary>", "<s>").replace("</summary>", "</s>"),
    ]
    found = parse(atom(entry(), *broken))
    assert [paper.id for paper in found.papers] == ["2606.00001"]
    assert len(found.ids) == 4
    assert [skipped.reason for skipped in found.skipped] == [
        "the id has no version",
        "not a date: 'yesterday'",
        "no summary",
    ]


# --- papers by id ------------------------------------------------------------------------------------


def lookup(gate: Gate, url: str, *ids: str) -> list[Page]:
    return list(Lookup(gate, url, ids).fetch(None, NOW))


def test_papers_are_looked_up_in_hundreds_and_as_many_are_asked_for(gate: Gate) -> None:
    ids = [f"2606.{number:05}" for number in range(1, 151)]
    pages = [http(atom(*(entry(f"{id_}v1") for id_ in part))) for part in (ids[99::-1], ids[100:])]
    with serving(*pages) as server:
        found = lookup(gate, server.url, *ids)
    assert [len(page.papers) for page in found] == [100, 50]
    asked = [parse_qs(urlsplit(target).query) for target in server.targets]
    assert [one["max_results"] for one in asked] == [["100"], ["50"]]
    assert asked[1]["id_list"] == [",".join(ids[100:])]


def test_what_arxiv_does_not_know_is_named(gate: Gate) -> None:
    with serving(http(atom(entry("2606.00001v2")))) as server:
        bad, page = lookup(gate, server.url, "arXiv:2606.00001v1", "2606.00009", "hello", "2606.00001")
    assert [paper.id for paper in page.papers] == ["2606.00001"]
    assert page.skipped[0].where == "api: 2606.00009"
    assert bad.skipped[0].where == "api: hello"


def test_an_id_that_arxiv_refuses_does_not_cost_the_others(gate: Gate) -> None:
    good = http(atom(entry("2606.00001v1")))
    with serving(http(api_error(), 400), good, http(api_error(), 400)) as server:
        [page] = lookup(gate, server.url, "2606.00001", "2606.00002")
    assert [paper.id for paper in page.papers] == ["2606.00001"]
    assert "incorrect id format" in page.skipped[0].reason
    assert len(server.asked) == 3


# --- papers by time: a server that has some -----------------------------------------------------------


class Archive:
    """Answers searches like arXiv's, from papers submitted an hour apart."""

    def __init__(self, count: int) -> None:
        self.first = datetime(2026, 5, 1, tzinfo=UTC)
        self.count = count
        self.asked: list[dict[str, str]] = []
        self.largest_page = 10_000
        self.spoil: list[bytes] = []

    def serve(self, server: Server, target: str) -> bytes:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        self.asked.append(asked)
        if self.spoil:
            return http(self.spoil.pop(0))
        span = asked["search_query"].partition("submittedDate:[")[2].rstrip("]").split(" TO ")
        start, end = (datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC) for text in span)
        times = [(number, self.first + timedelta(hours=number)) for number in range(self.count)]
        inside = [(number, at) for number, at in times if start <= at <= end]
        skip, size = int(asked["start"]), int(asked["max_results"])
        shown = inside[skip : skip + size] if size <= self.largest_page else []
        entries = [
            entry(f"2605.{number + 1:05}v1", f"Unlearning {number}" if number % 2 else f"Learning {number}")
            for number, _ in shown
        ]
        return http(atom(*entries, total=len(inside), start=skip))


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Archive, Server]]:
    held = Archive(100)
    server = Server(b"")

    def answer(connection: object) -> None:
        connection.sendall(held.serve(server, server.asked[-1].split()[1]))  # type: ignore[attr-defined]

    server.answers = [answer]
    with server:
        yield held, server


def backfill(gate: Gate, url: str, **more: object) -> Backfill:
    made = {
        "topic": "unlearning",
        "keys": ("unlearning",),
        "categories": ("cs.LG",),
        "since": date(2026, 1, 1),
    }
    return Backfill(gate, url, **{**made, "page_size": 30, **more})  # type: ignore[arg-type]


def ids_of(pages: list[Page]) -> list[str]:
    return [paper.id for page in pages for paper in page.papers]


def test_a_backfill_finds_all_confirms_its_hits_and_says_how_many(
    gate: Gate, archive: tuple[Archive, Server]
) -> None:
    held, server = archive
    pages = list(backfill(gate, server.url).fetch(None, NOW))
    assert sorted(set(ids_of(pages))) == [f"2605.{number + 1:05}" for number in range(1, 100, 2)]
    assert [one["start"] for one in held.asked] == ["0", "20", "40", "60", "80"], "pages share ten"
    assert held.asked[0]["search_query"] == (
        '(ti:"unlearning" OR abs:"unlearning") AND (cat:cs.LG) AND '
        "submittedDate:[202601010000 TO 202606030600]"
    )
    assert (held.asked[0]["sortBy"], held.asked[0]["sortOrder"]) == ("submittedDate", "ascending")
    assert pages[-1].notes[-1].endswith("hold a key")
    job = job_of(pages[-1].cursor)
    assert job is not None
    assert job.todo == ()
    assert job.kept * 2 == job.hits


def test_a_backfill_that_is_done_asks_nothing_until_its_keys_change(
    gate: Gate, archive: tuple[Archive, Server]
) -> None:
    held, server = archive
    done = list(backfill(gate, server.url).fetch(None, NOW))[-1].cursor
    held.asked.clear()
    [page] = backfill(gate, server.url).fetch(done, NOW + timedelta(hours=23))
    assert page.notes == (
        "backfill unlearning: done before, for what was submitted until 2026-06-03 06:00 UTC",
    )
    assert page.cursor == done
    assert held.asked == []
    assert list(backfill(gate, server.url, keys=("unlearning", "forgetting")).fetch(done, NOW))


def test_a_backfill_that_was_done_goes_on_from_there_a_day_later(
    gate: Gate, archive: tuple[Archive, Server]
) -> None:
    held, server = archive
    done = list(backfill(gate, server.url).fetch(None, NOW))[-1].cursor
    held.asked.clear()
    again = list(backfill(gate, server.url).fetch(done, NOW + timedelta(days=1)))[-1].cursor
    assert "[202605200600 TO 202606040600]" in held.asked[0]["search_query"]
    job = job_of(again)
    assert job is not None
    assert (job.todo, job.until) == ((), NOW.replace(second=0) + timedelta(days=1))


def test_a_backfill_until_a_day_ends_with_it_and_is_done_once(
    gate: Gate, archive: tuple[Archive, Server]
) -> None:
    held, server = archive
    source = backfill(gate, server.url, until=date(2026, 5, 10))
    pages = list(source.fetch(None, NOW))
    assert "[202601010000 TO 202605110000]" in held.asked[0]["search_query"]
    held.asked.clear()
    list(source.fetch(pages[-1].cursor, NOW + timedelta(days=300)))
    assert held.asked == []
    future = backfill(gate, server.url, until=date(2030, 1, 1))
    next(future.fetch(None, NOW))
    assert "TO 202606030600]" in held.asked[-1]["search_query"]


def test_a_backfill_can_be_stopped_after_any_page(
    gate: Gate, archive: tuple[Archive, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, server = archive
    monkeypatch.setattr(api_source, "MOST_RESULTS", 40)
    whole = list(backfill(gate, server.url).fetch(None, NOW))
    asked = len(held.asked)
    held.asked.clear()
    cursor, pages = None, []
    for step in range(200):
        page = next(backfill(gate, server.url).fetch(cursor, NOW + timedelta(minutes=step)))
        if page.cursor == cursor:
            break
        pages.append(page)
        cursor = page.cursor
    assert len(held.asked) == asked
    assert ids_of(pages) == ids_of(whole)


def test_a_window_of_too_many_results_is_halved(
    gate: Gate, archive: tuple[Archive, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, server = archive
    monkeypatch.setattr(api_source, "MOST_RESULTS", 40)
    pages = list(backfill(gate, server.url).fetch(None, NOW))
    assert set(ids_of(pages)) == {f"2605.{number + 1:05}" for number in range(1, 100, 2)}
    assert max(int(one["start"]) for one in held.asked) < 40


def test_the_minute_of_the_border_is_in_both_halves(
    gate: Gate, archive: tuple[Archive, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, server = archive
    held.count = 3
    monkeypatch.setattr(api_source, "MOST_RESULTS", 2)
    pages = list(
        backfill(gate, server.url, keys=("learning", "unlearning"), since=date(2026, 5, 1)).fetch(None, NOW)
    )
    assert set(ids_of(pages)) == {"2605.00001", "2605.00002", "2605.00003"}


def test_many_keys_are_asked_for_in_groups(gate: Gate, archive: tuple[Archive, Server]) -> None:
    held, server = archive
    held.count = 5
    some = ("unlearning", *(f"some long phrase number {number}" for number in range(90)))
    list(backfill(gate, server.url, keys=some).fetch(None, NOW))
    assert len(held.asked) > 2
    assert all(len(target) < 3000 for target in server.targets)


def test_an_empty_page_in_the_middle_is_asked_for_again_and_then_in_smaller_pages(
    gate: Gate, archive: tuple[Archive, Server], clock: Time
) -> None:
    held, server = archive
    held.largest_page = 30
    pages = list(backfill(gate, server.url, page_size=100).fetch(None, NOW))
    assert [one["max_results"] for one in held.asked[:5]] == ["100", "100", "50", "50", "25"]
    assert {one["max_results"] for one in held.asked[5:]} == {"25"}, "what it gives is remembered"
    assert len(set(ids_of(pages))) == 50
    assert len([pause for pause in clock.slept if pause > 3]) >= 2


def test_an_empty_first_page_is_no_proof(gate: Gate, archive: tuple[Archive, Server], clock: Time) -> None:
    held, server = archive
    held.spoil = [atom(total=0), atom(total=0)]
    pages = list(backfill(gate, server.url).fetch(None, NOW))
    assert len(set(ids_of(pages))) == 50
    assert len([pause for pause in clock.slept if pause > 3]) == 2


def test_no_results_three_times_are_believed_and_told(gate: Gate) -> None:
    with serving(http(atom(total=0))) as server:
        [page] = backfill(gate, server.url).fetch(None, NOW)
    assert len(server.asked) == 3
    assert "no results for 2026-01-01 00:00 to 2026-06-03 06:00" in page.notes[0]


def test_fewer_papers_than_promised_are_asked_for_once_more_and_then_told(gate: Gate) -> None:
    with serving(http(atom(entry(), entry(), total=2))) as server:
        pages = list(backfill(gate, server.url).fetch(None, NOW))
    assert len(server.asked) == 2
    assert "incomplete: arXiv gave 1 of 2 results" in pages[-1].notes[0]


def test_a_page_from_elsewhere_is_not_taken(gate: Gate) -> None:
    with serving(http(atom(entry(), total=1, start=10)), http(atom(entry(), total=1))) as server:
        list(backfill(gate, server.url).fetch(None, NOW))
    assert len(server.asked) == 2


def test_a_query_that_arxiv_refuses_is_told_with_its_words(gate: Gate) -> None:
    with (
        serving(http(api_error("parse error"), 400)) as server,
        pytest.raises(InputError, match="parse error") as caught,
    ):
        list(backfill(gate, server.url).fetch(None, NOW))
    assert "search_query=" in str(caught.value)
    assert len(server.asked) == 1


# --- lately --------------------------------------------------------------------------------------------


def test_the_latest_papers_begin_a_week_back_and_then_where_the_last_search_was_complete(
    gate: Gate, archive: tuple[Archive, Server]
) -> None:
    held, server = archive
    held.first = NOW - timedelta(days=3)
    source = Api(gate, server.url, ("cs.LG", "stat.ML"), page_size=60)
    pages = list(source.fetch(None, NOW))
    assert len(set(ids_of(pages))) == 73, "all that was submitted until now, whatever it is about"
    assert held.asked[0]["search_query"] == (
        "(cat:cs.LG OR cat:stat.ML) AND submittedDate:[202605270601 TO 202606030601]"
    )
    mark = recent_of(pages[-1].cursor)
    assert (mark.high_water, mark.job) == (datetime(2026, 6, 3, 6, 1, tzinfo=UTC), None)
    next(source.fetch(pages[-1].cursor, NOW + timedelta(days=2)))
    assert "[202605270601 TO 202606050601]" in held.asked[-1]["search_query"]


def test_a_search_that_was_cut_off_goes_on_with_its_own_window(
    gate: Gate, archive: tuple[Archive, Server]
) -> None:
    held, server = archive
    held.first = NOW - timedelta(days=3)
    source = Api(gate, server.url, ("cs.LG",), page_size=60)
    first = next(source.fetch(None, NOW))
    [last] = source.fetch(first.cursor, NOW + timedelta(days=1))
    assert (held.asked[-1]["start"], held.asked[-1]["search_query"]) == ("50", held.asked[0]["search_query"])
    assert recent_of(last.cursor).high_water == datetime(2026, 6, 3, 6, 1, tzinfo=UTC)


def test_a_week_without_any_paper_is_not_believed(gate: Gate) -> None:
    with serving(http(atom(total=0))) as server, pytest.raises(Deferred, match="an empty page, of 0 results"):
        list(Api(gate, server.url, ("cs.LG",)).fetch(None, NOW))


@pytest.mark.parametrize("cursor", ["x", "[]", '{"job": 1}'])
def test_a_cursor_that_cannot_be_read_begins_anew(gate: Gate, cursor: str) -> None:
    with serving(http(atom(entry()))) as server:
        assert len(list(Api(gate, server.url, ("cs.LG",)).fetch(cursor, NOW))) == 1
        assert len(list(backfill(gate, server.url).fetch(cursor, NOW))) == 1


# --- recorded answers, and what the package of that name makes of them ---------------------------------

COUNTS = {
    "id_1605.08386_s0_m100_199195aa31ad": (1, 1),
    "id_2104.12255v1_s0_m100_6ae69987ffe1": (1, 1),
    "id_astro-ph_0601001_s0_m100_3150dca9dc76": (1, 1),
    "id_1707.08567_s0_m100_6a1afebfc6a3": (1, 1),
    "id_quant-ph_0201082v1_s0_m100_86989fe779ef": (1, 1),
    "id_0000.0000_s0_m100_8b51d9633a68": (0, 0),
    "id_0808.05394_s0_m100_7b0c7d0a7cdd": (0, 0),
    "q_testing_s0_m100_cfe7536492ca": (100, 214881),
    "q_testing_s0_m10_bc5a6c384fe9": (10, 214881),
    "q_testing_s5_m10_c0e94a259d4a": (10, 214881),
    "q_testing_s5_m15_bbcf6b23085b": (15, 214881),
    "q_testing_s9_m15_0b78d4b4d476": (15, 214881),
    "q_testing_s10_m10_34e56e15aaac": (10, 214881),
    "q_testing_s20_m10_348a237fecab": (10, 214881),
    "q_testing_s30_m10_f2e39f0143dc": (10, 214881),
    "deep_dream-0": (10, 24617),
    "deep_dream-1": (10, 24617),
    "deep_dream-2": (10, 24617),
    "arxiv_response": (10, 58),
    "legacy-xiv/arxiv_response": (2, 5619),
    "arxiv_empty": (0, 0),
    "arxiv_feed": (2, 230),
}


def recorded(shared: Path) -> list[tuple[str, str, bytes]]:
    """Name, name with folder, and body of each recorded answer."""
    found = []
    for file in sorted((shared / "data/arxiv-responses/api").rglob("*")):
        if file.is_file():
            body = file.read_bytes()
            if file.suffix == ".json":
                body = json.loads(body)["body"].encode("latin-1")
            name = file.name.partition(".200")[0].partition(".400")[0]
            for ending in (".json", ".xml", ".atom"):
                name = name.removesuffix(ending)
            found.append((name, f"{file.parent.name}/{name}", body))
    return found


def test_every_recorded_answer_gives_its_papers_or_its_error(shared: Path) -> None:
    answers = recorded(shared)
    assert len(answers) > 25
    for name, place, body in answers:
        if name.startswith("id_abc"):
            with pytest.raises(InputError, match="incorrect id format for abc"):
                parse(body)
            continue
        found = parse(body)
        assert (len(found.papers), found.total) == COUNTS.get(place, COUNTS.get(name)), place
        assert found.skipped == ()


def test_pages_of_one_query_overlap_as_they_should(shared: Path) -> None:
    bodies = {name: parse(body) for name, _, body in recorded(shared) if name.startswith("q_testing")}

    def ids(name: str) -> tuple[str, ...]:
        [found] = [results for key, results in bodies.items() if key.startswith(f"q_testing_{name}_")]
        return tuple(paper.id for paper in found.papers)

    assert ids("s0_m100")[:10] == ids("s0_m10")
    assert ids("s5_m15")[:10] == ids("s5_m10")
    everything = [*ids("s0_m10"), *ids("s10_m10"), *ids("s20_m10"), *ids("s30_m10")]
    assert len(set(everything)) == 40


def read_by_package(url: str) -> list[arxiv.Result]:
    client = arxiv.Client(page_size=1000, delay_seconds=0, num_retries=0)
    client.query_url_format = url + "?{}"
    return list(client.results(arxiv.Search("x", max_results=1000)))


def check_against_package(found: Results, theirs: list[arxiv.Result]) -> None:
    assert [paper.id for paper in found.papers] == [
        result.get_short_id().partition("v")[0] for result in theirs
    ]
    for paper, result in zip(found.papers, theirs, strict=True):
        assert paper.version == int(result.get_short_id().rpartition("v")[2])
        assert paper.title == clean(result.title)
        assert paper.abstract == clean(result.summary)
        assert list(paper.authors) == [clean(author.name) for author in result.authors]
        assert (paper.submitted, paper.updated) == (result.published, result.updated)
        assert paper.primary == result.primary_category
        assert set(paper.categories) <= set(result.categories)
        assert (paper.comments, paper.journal_ref, paper.doi) == tuple(
            clean(text) if text else None for text in (result.comment, result.journal_ref, result.doi)
        )


def test_the_package_reads_the_same_from_good_answers(shared: Path) -> None:
    """The whole of its road, over HTTP: its parser takes cut pages, so only good ones are compared."""
    compared = 0
    for name, _, body in recorded(shared):
        if name.startswith("id_abc"):
            continue
        found = parse(body)
        # It would page on until it had them all.
        whole = body.replace(f">{found.total}<".encode(), f">{len(found.papers)}<".encode())
        with serving(http(whole, 200, "Content-Type: application/atom+xml")) as server:
            check_against_package(found, read_by_package(server.url))
        compared += len(found.papers)
    assert compared > 250
