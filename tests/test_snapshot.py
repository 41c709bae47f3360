"""The snapshot source: from a file of records to pages of papers."""

from __future__ import annotations

import gzip
import itertools
import json
import lzma
import os
import resource
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import InputError
from digest.sources.sample import sample
from digest.sources.snapshot import Record, Snapshot, paper_from_record
from digest.types import Page, Paper, Version

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def record(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A record as the snapshot writes them."""
    return {
        "id": f"2107.{number:05}",
        "submitter": "Someone",
        "authors": "Ada Lovelace and Andr\\'e Weil",
        "title": f"Paper\n  number {number}",
        "comments": None,
        "journal-ref": None,
        "doi": None,
        "report-no": None,
        "categories": "cs.LG stat.ML",
        "license": None,
        "abstract": "  We forget.\n",
        "versions": [{"version": "v1", "created": "Mon, 12 Jul 2021 17:59:02 GMT"}],
        "update_date": "2021-07-13",
        "authors_parsed": [["Lovelace", "Ada", ""], ["Weil", "André", ""]],
    } | fields


def lines(*records: dict[str, Any] | str) -> bytes:
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records).encode()


def pages(path: Path, cursor: str | None = None, **options: Any) -> list[Page]:
    return list(Snapshot(path, **options).fetch(cursor, NOW))


def papers(found: list[Page]) -> list[Paper]:
    return [paper for page in found for paper in page.papers]


def until_error(path: Path, cursor: str | None = None, **options: Any) -> tuple[list[Page], str]:
    """The pages before the error, and what it says."""
    found: list[Page] = []
    with pytest.raises(InputError) as caught:
        found.extend(Snapshot(path, **options).fetch(cursor, NOW))
    assert "\n" not in str(caught.value)
    return found, str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "papers.jsonl"
    path.write_bytes(lines(*(record(number) for number in range(1, 26))))
    return path


# --- a record -------------------------------------------------------------------------------------


def test_a_record_becomes_a_paper() -> None:
    assert paper_from_record(
        record(
            7,
            comments="12 pages,\n  withdrawn code",
            doi="10.1/x",
            versions=[
                {"version": "v1", "created": "Mon, 12 Jul 2021 17:59:02 GMT"},
                {"version": "v2", "created": "Sun, 1 Aug 2021 03:00:00 GMT"},
            ],
        )
    ) == Paper(
        id="2107.00007",
        version=2,
        title="Paper number 7",
        abstract="We forget.",
        authors=("Ada Lovelace", "André Weil"),
        categories=("cs.LG", "stat.ML"),
        submitted=datetime(2021, 7, 12, 17, 59, 2, tzinfo=UTC),
        updated=datetime(2021, 8, 1, 3, tzinfo=UTC),
        announced=date(2021, 7, 12),
        comments="12 pages, withdrawn code",
        doi="10.1/x",
        withdrawn=True,
        versions=(
            Version(1, datetime(2021, 7, 12, 17, 59, 2, tzinfo=UTC)),
            Version(2, datetime(2021, 8, 1, 3, tzinfo=UTC)),
        ),
        estimated=True,
    )


@pytest.mark.parametrize(
    ("created", "day"),
    [
        ("Tue, 13 Jul 2021 03:59:59 GMT", date(2021, 7, 12)),  # 23:59:59 in New York
        ("Tue, 13 Jul 2021 04:00:00 GMT", date(2021, 7, 13)),
        ("Wed, 13 Jan 2021 04:30:00 GMT", date(2021, 1, 12)),  # winter: five hours
        ("Tue, 13 Jul 2021 00:00:00 GMT", date(2021, 7, 13)),  # a day, not a time
    ],
)
def test_the_day_of_the_first_version_is_new_yorks_unless_it_is_midnight_sharp(
    created: str, day: date
) -> None:
    assert paper_from_record(record(versions=[{"version": "v1", "created": created}])).announced == day


def test_a_given_day_of_announcement_goes_before() -> None:
    assert paper_from_record(record(), date(2026, 5, 4)).announced == date(2026, 5, 4)


@pytest.mark.parametrize(
    "created",
    ["Mon, 2 Apr 2007 19:18:42 GMT", "Mon, 02 Apr 2007 19:18:42 +0000", "Mon, 2 Apr 2007 15:18:42 -0400",
     "Mon,  2 Apr 2007 19:18:42 GMT", "2 Apr 2007 19:18:42 GMT", "Mon, 2 Apr 2007 19:18:42 -0000"],
)  # fmt: skip
def test_dates_are_read_in_every_form_of_rfc_2822(created: str) -> None:
    paper = paper_from_record(record(versions=[{"version": "v1", "created": created}]))
    assert paper.submitted == datetime(2007, 4, 2, 19, 18, 42, tzinfo=UTC)
    assert paper.submitted.tzinfo is UTC


@given(st.integers(680_000_000, 3_800_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_a_date_in_the_snapshots_form_survives(time: datetime) -> None:
    created = f"{time:%a}, {time.day} {time:%b %Y %H:%M:%S} GMT"
    assert paper_from_record(record(versions=[{"version": "v1", "created": created}])).submitted == time


def test_versions_are_put_in_order() -> None:
    made = [{"version": f"v{n}", "created": f"Mon, {n} Mar 2021 10:00:00 GMT"} for n in (2, 10, 1)]
    paper = paper_from_record(record(versions=made))
    assert [version.number for version in paper.versions] == [1, 2, 10]
    assert (paper.version, paper.submitted.day, paper.updated.day) == (10, 1, 10)


@pytest.mark.parametrize(
    ("comments", "abstract", "withdrawn"),
    [
        ("Withdrawn", "A text.", True),
        ("This submission has been WITHDRAWN by the author", "A text.", True),
        (None, "This paper has been withdrawn due to an error.", True),
        ("cash withdrawnness", "Money is withdrawn.", False),
        (None, "We study withdrawn papers.", False),
    ],
)
def test_a_withdrawn_paper_says_so(comments: str | None, abstract: str, withdrawn: bool) -> None:
    assert paper_from_record(record(comments=comments, abstract=abstract)).withdrawn is withdrawn


@pytest.mark.parametrize(
    ("authors", "names"),
    [
        ("C. Bal\\'azs, E. L. Berger and C.-P. Yuan", ("C. Balázs", "E. L. Berger", "C.-P. Yuan")),
        (
            "A. Mishchenko (1 and 2) and N. Nagaosa (1) ((1) CREST, Japan,\n  (2) Moscow)",
            ("A. Mishchenko", "N. Nagaosa"),
        ),
        ("Jane Sand, Andy Band, Jr., and Bo Li", ("Jane Sand", "Andy Band Jr.", "Bo Li")),
        ("Maria Bruna, Martin Burger,, Jos\\'e Carrillo", ("Maria Bruna", "Martin Burger", "José Carrillo")),
        ("Ugo Boscain (LJLL (UMR\\_7598), CNRS), Dario Prandi (cut", ("Ugo Boscain", "Dario Prandi")),
        (None, ()),
        (" ", ()),
    ],
)
def test_names_are_read_from_the_line_where_they_were_not_parsed(
    authors: str | None, names: tuple[str, ...]
) -> None:
    assert paper_from_record(record(authors=authors, authors_parsed=None)).authors == names


def test_parsed_names_are_said_first_name_first() -> None:
    parsed = [
        ["Lee", "Bo", "III"],
        ["ATLAS Collaboration", "", ""],
        ['Gr\\"afe', "Jan", "", "Bonn"],
        ["Plato"],
        [""],
    ]
    names = paper_from_record(record(authors_parsed=parsed)).authors
    assert names == ("Bo Lee III", "ATLAS Collaboration", "Jan Gräfe", "Plato")


def test_only_arxivs_own_categories_are_kept_and_the_primary_stands_first() -> None:
    paper = paper_from_record(record(categories="stat.ML cs.LG 68T07 stat.ML"))
    assert (paper.primary, paper.categories) == ("stat.ML", ("stat.ML", "cs.LG"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": "21070.1"}, "not an arXiv identifier"),
        ({"title": " \n"}, "title is empty"),
        ({"title": None}, "title"),
        ({"categories": "68T07"}, "no category"),
        ({"versions": []}, "no version"),
        ({"versions": [{"version": "two", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}]}, "not a version"),
        ({"versions": [{"version": "v1", "created": "yesterday"}]}, "not a date"),
        ({"versions": [{"version": "v1", "created": "Mon, 31 Feb 2007 19:18:42 GMT"}]}, "not a date"),
    ],
)
def test_a_record_that_cannot_be_read_says_why(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        paper_from_record(record(**fields))


# --- a file ---------------------------------------------------------------------------------------

packers: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}


def in_two(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: pack(data[:3000]) + pack(data[3000:])


@pytest.mark.parametrize("kind", packers)
@pytest.mark.parametrize("around", [lambda pack: pack, in_two], ids=["whole", "two parts"])
def test_a_file_is_unpacked_by_what_it_is_whatever_its_name(
    tmp_path: Path, file: Path, kind: str, around: Callable[[Any], Callable[[bytes], bytes]]
) -> None:
    packed = tmp_path / "anything.txt"
    packed.write_bytes(around(packers[kind])(file.read_bytes()))
    assert papers(pages(packed)) == papers(pages(file))
    assert len(papers(pages(packed))) == 25


def test_pages_hold_so_many_lines_each(file: Path) -> None:
    assert [len(page.papers) for page in pages(file, page_size=10)] == [10, 10, 5]
    assert [len(page.papers) for page in pages(file, page_size=5)] == [5] * 5


def test_an_import_that_was_stopped_goes_on_where_it_was(file: Path) -> None:
    whole = papers(pages(file))
    for stop in range(5):
        first = list(itertools.islice(Snapshot(file, page_size=6).fetch(None, NOW), stop + 1))
        rest = pages(file, first[-1].cursor, page_size=4)
        assert papers(first) + papers(rest) == whole


def test_a_file_that_was_read_to_its_end_yields_nothing_again(file: Path) -> None:
    cursor = pages(file, page_size=10)[-1].cursor
    assert cursor is not None
    assert pages(file, cursor) == []


def test_a_file_that_changed_is_read_from_the_beginning(file: Path) -> None:
    first, *_, last = pages(file, page_size=10)
    with file.open("ab") as end:
        end.write(lines(record(99)))
    for page in (first, last):
        assert len(papers(pages(file, page.cursor))) == 26
    os.utime(file, ns=(1, 1))
    assert len(papers(pages(file, first.cursor))) == 26


@pytest.mark.parametrize("cursor", ["", "nonsense", "{}", '{"size": "x"}'])
def test_a_cursor_that_is_not_ours_begins_at_the_beginning(file: Path, cursor: str) -> None:
    assert len(papers(pages(file, cursor))) == 25


def test_a_bad_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    deep = "[" * 100_000
    path.write_bytes(
        b"\xef\xbb\xbf"
        + lines(
            record(1),
            "{not json",
            record(2),
            '{"id": "2107.00003"}',
            "",
            "  ",
            record(4, id="x"),
            deep,
            record(5),
        )
        + b"\xff\xfe bytes\n"
        + lines(record(6)).rstrip()
    )
    [page] = pages(path)
    assert [paper.id[-1] for paper in page.papers] == ["1", "2", "5", "6"]
    assert [skipped.where for skipped in page.skipped] == [
        "p.jsonl:2",
        "p.jsonl:4",
        "p.jsonl:7",
        "p.jsonl:8",
        "p.jsonl:10",
    ]
    assert all(skipped.reason and "\n" not in skipped.reason for skipped in page.skipped)
    assert "title" in page.skipped[1].reason


def test_a_line_too_long_is_skipped_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(lines(record(1)))
        out.write(b'{"id": "')
        for _ in range(200):
            out.write(b"x" * (1 << 20))
        out.write(b'"}\n')
        out.write(lines(record(2)))
        out.write(b"y" * (9 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    [page] = pages(path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    assert [paper.id for paper in page.papers] == ["2107.00001", "2107.00002"]
    assert [(skipped.where, skipped.reason) for skipped in page.skipped] == [
        ("long.jsonl.gz:2", "longer than 8 MB"),
        ("long.jsonl.gz:4", "longer than 8 MB"),
    ]
    assert grown < 60, f"{grown} MB more for a line of 200 MB"


@pytest.mark.parametrize("kind", ["gzip", "xz", "zstd"])
def test_of_a_file_that_is_cut_what_stands_before_the_cut_is_given(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cut"
    noise = (record(n, abstract=os.urandom(400).hex()) for n in range(1, 1001))
    data = packers[kind](lines(*noise))
    path.write_bytes(data[: len(data) * 2 // 3])
    found, said = until_error(path, page_size=100)
    read = papers(found)
    assert 250 < len(read) < 1000
    assert [paper.id for paper in read] == [f"2107.{n:05}" for n in range(1, len(read) + 1)]
    assert f"{path}: cut or damaged after line {len(read)} " in said
    rest, said = until_error(path, found[-1].cursor)
    assert papers(rest) == []
    assert f"after line {len(read)} " in said


@pytest.mark.parametrize("kind", ["gzip", "xz", "zstd"])
def test_a_file_that_is_damaged_in_the_middle_says_so(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "damaged"
    data = bytearray(
        packers[kind](lines(*(record(n, abstract=os.urandom(400).hex()) for n in range(1, 1001))))
    )
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(data)
    _, said = until_error(path)
    assert "cut or damaged after line" in said or "not a snapshot" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (bytes(range(256)) * 50, "none of its first"),
        (b'[{"id": "2107.00001"}]\n', "none of its first 1 lines"),
        (b'{"url": "https://example.com", "text": "other"}\n' * 20, "missing required field `id`"),
        (b"PK\x03\x04 something zipped", "malformed"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (gzip.compress(b"some text\n", mtime=0), "none of its first"),
        (b"\x1f\x8b\x08", "cut or damaged before its first line"),
        (b"\xfd7zXZ\x00\x00", "cut or damaged before its first line"),
        (b"\x28\xb5\x2f\xfd\x00", "cut or damaged before its first line"),
    ],
)
def test_what_is_no_snapshot_is_refused_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    found, said = until_error(path)
    assert papers(found) == []
    assert str(path) in said
    assert reason in said


def test_a_large_file_of_something_else_is_given_up_early(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"some log line\n" * 50_000)
    found, said = until_error(path)
    assert found == []
    assert "none of its first 10000 lines" in said


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'}: No such file" in until_error(tmp_path / "none")[1]
    assert f"{tmp_path}: Is a directory" in until_error(tmp_path)[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(file: Path) -> None:
    file.chmod(0)
    assert "Permission denied" in until_error(file)[1]


def test_a_given_day_is_the_day_of_all_papers(file: Path) -> None:
    day = date(2026, 5, 4)
    assert {paper.announced for paper in papers(pages(file, announced=day))} == {day}


def test_each_file_is_a_source_of_its_own(tmp_path: Path) -> None:
    assert Snapshot(tmp_path / "a").name != Snapshot(tmp_path / "b").name


# --- real files -----------------------------------------------------------------------------------


def test_the_recorded_snapshot_is_read_whole(shared: Path) -> None:
    [path] = (shared / "data/arxiv-responses/snapshot").rglob("*.json")
    [page] = pages(path)
    assert (len(page.papers), page.skipped) == (200, ())
    first = page.papers[0]
    assert first.id == "0704.0001"
    assert first.authors == ("C. Balázs", "E. L. Berger", "P. M. Nadolsky", "C. -P. Yuan")
    assert first.submitted == datetime(2007, 4, 2, 19, 18, 42, tzinfo=UTC)
    assert first.journal_ref == "Phys.Rev.D76:013009,2007"
    assert all("\n" not in paper.text and "(" not in "".join(paper.authors) for paper in page.papers)


def test_real_lines_are_all_read(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    with lzma.open(shared / "data/corpus/2020-2022.jsonl.xz") as corpus:
        path.write_bytes(b"".join(itertools.islice(corpus, 2000)))
    found = pages(path)
    assert sum(len(page.papers) for page in found) == 2000
    assert not any(page.skipped for page in found)
    records = [msgspec.json.decode(line, type=Record) for line in path.read_bytes().splitlines()]
    for paper, source in zip(papers(found), records, strict=True):
        assert paper.id == source.id
        assert paper.title.split()[0] in source.title or "\\" in source.title
        assert paper.announced <= paper.submitted.date()


def test_the_sample_is_a_snapshot() -> None:
    source = sample()
    if not source.path.exists():
        pytest.skip("the sample is not here yet")
    found = list(source.fetch(None, NOW))
    assert papers(found)
    assert not any(page.skipped for page in found)
