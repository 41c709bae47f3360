"""The daily feeds: how a paper was announced, and whether the feed is today's at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from answers import Time, http, item, rss, serving
from digest.errors import Deferred, InputError, NotAnAnswer
from digest.sources.polite import Gate
from digest.sources.rss import Rss, looks_of, parse
from digest.types import Page

NOW = datetime(2026, 6, 2, 6, 0, tzinfo=UTC)
NEW = item("2606.00001v1")
CROSS = item("2603.00002v1", "cross")
REPLACED = item("2505.00003v3", "replace")
RECROSSED = item("2505.00004v2", "replace-cross")


def atom_feed(*entries: str, title: str = "cs.AI updates on arXiv.org", subtitle: str = "") -> bytes:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><id>x</id>'
        f"<title>{title}</title><subtitle>{subtitle}</subtitle>"
        f"<updated>2026-06-02T04:00:19.866337+00:00</updated>{''.join(entries)}</feed>"
    ).encode()


ENTRY = (
    "<entry><id>oai:arXiv.org:2606.00001v1</id><title>Forgetting on request</title>"
    "<summary>arXiv:2606.00001v1 Announce Type: new \nAbstract: A model forgets what it was asked to forget."
    '</summary><category term="cs.LG"/><category term="stat.ML"/>'
    "<arxiv:announce_type>new</arxiv:announce_type>"
    '<dc:creator>Ada Lovelace, Kurt G\\"odel</dc:creator></entry>'
)


# --- a feed ------------------------------------------------------------------------------------------


def test_an_item_becomes_a_paper_with_the_type_and_day_of_its_announcement() -> None:
    feed = parse(rss(NEW))
    [paper] = feed.papers
    assert (paper.id, paper.version, paper.announce_type) == ("2606.00001", 1, "new")
    assert paper.announced == feed.day == date(2026, 6, 2)
    assert paper.abstract == "A model forgets what it was asked to forget."
    assert paper.authors == ("Ada Lovelace", "Kurt Gödel")
    assert paper.categories == ("cs.LG", "stat.ML")
    assert paper.versions == (), "a feed has no dates of submission"


def test_atom_says_the_same_as_rss() -> None:
    assert parse(atom_feed(ENTRY)).papers == parse(rss(NEW)).papers


def test_all_types_of_announcement_are_told_apart() -> None:
    feed = parse(rss(NEW, CROSS, REPLACED, RECROSSED))
    assert [paper.announce_type for paper in feed.papers] == ["new", "cross", "replace", "replace-cross"]
    assert [paper.id for paper in feed.announced] == ["2606.00001", "2603.00002"]
    assert [str(paper.announced) for paper in feed.papers] == [
        "2026-06-02",
        "2026-06-02",
        "2025-05-01",
        "2025-05-01",
    ]


@pytest.mark.parametrize(
    "day",
    [
        "Mon, 01 Jun 2026 00:00:00 -0400",
        "Tue, 02 Jun 2026 00:00:00 -0400",
        "Wed, 03 Jun 2026 00:00:00 -0400",
        "Thu, 04 Jun 2026 00:00:00 -0400",
        "Fri, 15 Jan 2027 00:00:00 -0500",
        "Sat, 06 Jun 2026 04:00:00 +0000",
    ],
)
def test_the_day_is_new_yorks(day: str) -> None:
    assert parse(rss(NEW, day=day)).day.day == int(day[5:7])


def test_affiliations_and_references_are_read() -> None:
    more = "<arxiv:DOI>10.1/x</arxiv:DOI><arxiv:journal_reference>J 1</arxiv:journal_reference>"
    said = item(more=more).replace('Ada Lovelace, Kurt G\\"odel', "Ada Lovelace (Home, London), Bo Li")
    [paper] = parse(rss(said)).papers
    assert (paper.doi, paper.journal_ref) == ("10.1/x", "J 1")
    assert paper.authors == ("Ada Lovelace", "Bo Li")


def test_text_between_angle_brackets_is_kept() -> None:
    [paper] = parse(rss(item(title="x<y for all <think> tokens"))).papers
    assert paper.title == "x<y for all <think> tokens"


def test_a_weekends_feed_is_empty_and_no_error() -> None:
    for body in (rss(), atom_feed()):
        assert parse(body).papers == ()


@pytest.mark.parametrize(
    "body",
    [rss(title="Feed error for query: x"), atom_feed(title="Feed error for query: x", subtitle="The reason")],
)
def test_an_error_feed_is_told_in_arxivs_words(body: bytes) -> None:
    with pytest.raises(InputError, match="The reason"):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"No archive specified. Archives are: astro-ph",
        b"<rss version='2.0'/>",
        b"<feed/>",
        rss(NEW)[:-30],
        rss(NEW, title="News"),
        rss(NEW, day="today"),
        rss(NEW).replace(b"oai:arXiv.org:", b"x").replace(b"</item>", b"</item><item/>"),
    ],
)
def test_what_is_no_daily_feed_is_an_error(body: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        parse(body)


def test_an_item_that_cannot_be_read_is_named() -> None:
    broken = [
        NEW.replace(">new<", ">novel<"),
        NEW.replace("Abstract:", ""),
        NEW.replace("00001v1</guid", "00001</guid"),
    ]
    feed = parse(rss(CROSS, *broken))
    assert len(feed.papers) == 1
    assert [skipped.reason for skipped in feed.skipped] == [
        "not a type of announcement: 'novel'",
        "no abstract in the description",
        "the id has no version",
    ]


# --- is it today's -----------------------------------------------------------------------------------


class Known:
    """What is stored."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)

    def __call__(self, ids: Sequence[str]) -> set[str]:
        return self.ids & set(ids)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    clock = Time()
    gate = Gate("t", gap=3, state=tmp_path / "gate.json", clock=clock, sleep=clock.sleep, random=lambda: 1.0)
    yield gate
    gate.close()


def fetch(
    gate: Gate, url: str, known: Known, cursor: str | None = None, categories: tuple[str, ...] = ("cs.LG",)
) -> list[Page]:
    """The pages, stored as they come."""
    pages = []
    for page in Rss(gate, url, categories, known).fetch(cursor, NOW):
        known.ids.update(paper.id for paper in page.papers)
        pages.append(page)
    return pages


def test_new_and_cross_listed_papers_are_taken_and_of_the_replaced_ones_those_that_are_stored(
    gate: Gate,
) -> None:
    with serving(http(rss(NEW, CROSS, REPLACED, RECROSSED), 200, "ETag: e1")) as server:
        [page] = fetch(gate, server.url, Known("2505.00004"))
    assert [paper.id for paper in page.papers] == ["2606.00001", "2603.00002", "2505.00004"]
    look = looks_of(page.cursor)["cs.LG"]
    assert (look.etag, look.day, look.highest) == ("e1", date(2026, 6, 2), "2606.00001")
    assert page.notes == ()
    assert server.targets == ["/x/cs.LG"]


def test_a_feed_that_still_shows_the_batch_before_is_stale_and_asked_for_again(gate: Gate) -> None:
    known = Known()
    later = rss(NEW, CROSS, day="Wed, 03 Jun 2026 00:00:00 -0400")
    with serving(http(rss(NEW, CROSS), 200, "ETag: e1"), http(later, 200, "ETag: e2")) as server:
        [first] = fetch(gate, server.url, known)
        [second] = fetch(gate, server.url, known, first.cursor)
    assert second.papers == ()
    assert "stale: dated 2026-06-03, it still shows the batch of 2026-06-02" in second.notes[0]
    assert second.cursor == first.cursor, "its ETag is not kept"


def test_a_second_look_on_the_same_day_is_not_called_stale(gate: Gate) -> None:
    known = Known()
    with serving(http(rss(NEW, CROSS))) as server:
        [first] = fetch(gate, server.url, known)
        [second] = fetch(gate, server.url, known, first.cursor)
    assert second.papers == ()
    assert second.notes == ("rss cs.LG: nothing new since the batch of 2026-06-02",)


def test_a_feed_whose_papers_were_brought_by_another_source_is_fresh_by_its_ids(gate: Gate) -> None:
    later = item("2606.00009v1")
    with serving(http(rss(NEW)), http(rss(NEW, later))) as server:
        [first] = fetch(gate, server.url, Known())
        [second] = fetch(gate, server.url, Known("2606.00001", "2606.00009"), first.cursor)
    assert len(second.papers) == 2
    assert second.notes == ()


def test_a_feed_of_papers_never_seen_is_fresh_though_their_ids_are_low(gate: Gate) -> None:
    with serving(http(rss(NEW)), http(rss(item("2605.00009v1"), NEW))) as server:
        [first] = fetch(gate, server.url, Known())
        [second] = fetch(gate, server.url, Known("2606.00001"), first.cursor)
    assert len(second.papers) == 2


def test_cross_lists_of_one_run_do_not_make_the_next_feed_look_old(gate: Gate) -> None:
    known = Known()
    both = ("cs.LG", "stat.ML")
    with serving(http(rss(NEW))) as server:
        before = fetch(gate, server.url, known, None, both)[-1]
    batch = http(rss(item("2605.20001v1")))
    with serving(batch) as server:
        pages = fetch(gate, server.url, known, before.cursor, both)
    assert [len(page.papers) for page in pages] == [1, 1]


def test_an_unchanged_feed_is_not_sent_twice(gate: Gate) -> None:
    known = Known()
    with serving(http(rss(NEW), 200, "ETag: e1"), http(b"", 304)) as server:
        [first] = fetch(gate, server.url, known)
        [second] = fetch(gate, server.url, known, first.cursor)
    assert "if-none-match: e1" in server.asked[1].lower()
    assert (second.papers, second.cursor) == ((), first.cursor)
    assert second.notes == ("rss cs.LG: the feed is as it was, of 2026-06-02",)


def test_a_feed_that_was_cut_says_so(gate: Gate) -> None:
    many = [item(f"2606.{number:05}v1") for number in range(1, 1901)]
    with serving(http(rss(*many))) as server:
        [page] = fetch(gate, server.url, Known())
    assert len(page.papers) == 1900
    assert "cut at 1900 papers" in page.notes[0]
    assert "use oai" in page.notes[0]


def test_an_empty_feed_says_why_and_keeps_what_was_seen(gate: Gate) -> None:
    with serving(http(rss())) as server:
        [page] = fetch(gate, server.url, Known(), '{"cs.LG": {"day": "2026-06-01", "highest": "2606.00001"}}')
    assert page.papers == ()
    assert page.notes[0] == "rss cs.LG: the feed is empty"
    assert "no batch of Tuesday 2026-06-02" in page.notes[1]
    assert looks_of(page.cursor)["cs.LG"].highest == "2606.00001"


def test_a_feed_with_replacements_only_is_read(gate: Gate) -> None:
    with serving(http(rss(REPLACED))) as server:
        [page] = fetch(gate, server.url, Known("2505.00003"))
    assert [paper.version for paper in page.papers] == [3]


def test_a_throttled_feed_defers_and_keeps_the_feeds_before(gate: Gate) -> None:
    source = Rss(gate, "", ("cs.LG", "cs.AI"), Known())
    with serving(http(rss(NEW)), http(b"Rate exceeded.")) as server:
        pages = Rss(gate, server.url, source.categories, Known()).fetch(None, NOW)
        first = next(pages)
        with pytest.raises(Deferred):
            next(pages)
    assert set(looks_of(first.cursor)) == {"cs.LG"}


@pytest.mark.parametrize("cursor", ["x", "[]", '{"cs.LG": 1}'])
def test_a_cursor_that_cannot_be_read_begins_anew(gate: Gate, cursor: str) -> None:
    with serving(http(rss(NEW))) as server:
        assert len(fetch(gate, server.url, Known(), cursor)[0].papers) == 1


# --- recorded answers --------------------------------------------------------------------------------

FEEDS = {
    "arxiv_cs_ai.xml": (["new"] * 3, 0),
    "arxiv_cs_lg.xml": (["new"] * 3, 0),
    "arxiv_rss_example.xml": (["cross"] * 5 + ["new"] * 2, 0),
    # Made from test data with ids such as 1234.5657, of a month there is not.
    "atom_math.xml": (["new"], 1),
    "rss_math.xml": (["new"], 1),
    "rss_multi.xml": (["new"], 1),
    "rss_cs.xml": (["new"], 3),
    "rss_astroph.xml": ([], 1),
    "rss_hepph.xml": ([], 0),
    "empty_weekend_atom_math.xml": ([], 0),
}
REFUSED = {
    "err_badclass.xml": "Bad subject class 'ZZZ'",
    "err_rss1.xml": "Unsupported feed version 'RSS 1.0'",
}


def test_every_recorded_feed_gives_its_papers_or_its_error(shared: Path) -> None:
    folder = shared / "data/arxiv-responses"
    files = [
        file for name in ("rss", "listing") for file in sorted((folder / name).rglob("*")) if file.is_file()
    ]
    assert len(files) > 20
    for file in files:
        if file.name in FEEDS:
            kinds, skipped = FEEDS[file.name]
            feed = parse(file.read_bytes())
            assert [paper.announce_type for paper in feed.papers] == kinds, file
            assert len(feed.skipped) == skipped, file
        else:
            error = InputError if file.name in REFUSED else NotAnAnswer
            with pytest.raises(error, match=REFUSED.get(file.name)):
                parse(file.read_bytes())
