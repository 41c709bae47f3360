"""Search by words: the best first, within the filters, and nothing a user types is an error. The database's
own index and the one beside it answer alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.inverted import WordIndex, _opened, open_words, unfit
from digest.query import Query, read
from digest.search import Searcher
from digest.store import Reader, Store
from digest.types import Evidence, Match, Page, Paper, Window
from stored import found, reading

NOW = datetime(2026, 5, 5, tzinfo=UTC)
DAY = date(2026, 5, 5)


def paper(
    number: int, title: str, abstract: str = "", *authors: str, days: int = 0, categories: str = "cs.LG"
) -> Paper:
    return Paper(
        id=f"2605.{number:05}",
        version=1,
        title=title,
        abstract=abstract,
        authors=authors,
        categories=tuple(categories.split()),
        submitted=NOW,
        updated=NOW,
        announced=DAY - timedelta(days=days),
        withdrawn=title == "Withdrawn",
    )


PAPERS = [
    paper(1, "Machine unlearning", "We make models forget."),
    paper(
        2, "Deleting data", "Unlearning a data point; a model that forgets.", days=3, categories="cs.CV cs.LG"
    ),
    paper(3, "Diffusion", "Images from noise.", "José Unlearning", days=1),
    paper(4, "Withdrawn", "Unlearning unlearning unlearning."),
    paper(5, "扩散模型", "机器遗忘 综述", days=9),
    paper(6, "Разобучение моделей", "Über snake_case and GPT-4o 😀joy été", days=9),
]
Ask = Callable[[Query], list[int]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with Store.open(f"sqlite:///{home}/d.db") as store:
        store.add_papers("oai", Page(tuple(PAPERS), None), NOW)
        match = Match(
            topic="xai", paper=PAPERS[1].id, score=0.1, silent=True, evidence=Evidence(), scorer="s"
        )
        store.put_matches("xai", [match], "f")
    return home


@pytest.fixture(scope="module")
def reader(home: Path) -> Iterator[Reader]:
    with opened(home) as reader:
        yield reader


def opened(home: Path) -> Reader:
    reader = Reader.open(f"sqlite:///{home}/d.db")
    assert reader is not None
    return reader


@pytest.fixture(scope="module")
def index(home: Path, reader: Reader) -> WordIndex:
    index = open_words(home / "index", reader)
    assert index is not None
    return index


@pytest.fixture(params=["in the database", "beside it"])
def ask(request: pytest.FixtureRequest, reader: Reader, index: WordIndex) -> Ask:
    if request.param == "in the database":
        return lambda query: [number for number, _ in reader.words(query, 9)]
    return lambda query: reader.passing([number for number, _ in index.search(query, 9)], query)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("unlearn", [1, 2, 3]),  # stems; the title counts most, the authors least
        ("jose", [3]),  # accents
        ("JOSÉ", [3]),
        ("uber", [6]),
        ("été", [6]),
        ("e\u0301te\u0301", [6]),  # decomposed
        ('"machine unlearning"', [1]),
        ('"unlearning machine"', []),
        ("forget -machine", [2]),
        ("ti:unlearning", [1]),
        ("au:unlearning noise", [3]),
        ('abs:"data point"', [2]),
        ("扩散模型", [5]),
        ("扩散", []),  # Han text is not split into words
        ("综述", [5]),
        ("разобучение", [6]),
        ("МОДЕЛЕЙ", [6]),
        ("snake", [6]),
        ("gpt", [6]),
        ("4o", [6]),
        ("joy", [6]),
        ("nothing", []),
        ("of the", []),
    ],
)
def test_words_are_found(ask: Ask, text: str, numbers: list[int]) -> None:
    assert ask(read(text)) == numbers


@pytest.mark.parametrize(
    ("window", "numbers"),
    [
        (Window(), [1, 2, 3]),
        (Window(since=DAY - timedelta(1)), [1, 3]),
        (Window(until=DAY - timedelta(1)), [2, 3]),
        (Window(since=DAY - timedelta(2), until=DAY - timedelta(1)), [3]),
        (Window(categories=("cs.CV",)), [2]),
        (Window(categories=("cs.CV", "cs.LG")), [1, 2, 3]),
        (Window(not_categories=("cs.CV",)), [1, 3]),
        (Window(topics=("xai",)), [2]),
        (Window(not_topics=("xai",)), [1, 3]),
        (Window(silent=True), [2]),
        (Window(topics=("xai",), since=DAY), []),
    ],
)
def test_all_searches_are_filtered_by_the_same_window(
    ask: Ask, reader: Reader, window: Window, numbers: list[int]
) -> None:
    assert ask(read("unlearning", window)) == numbers
    assert sorted(reader.passing([3, 2, 1, 4, 99], Query(window=window))) == numbers


def test_filtered_numbers_keep_their_order(reader: Reader) -> None:
    assert reader.passing([3, 1, 2], Query()) == [3, 1, 2]
    assert reader.passing([], Query()) == []
    assert reader.passing([1, 2, 3], read("id:2605.00003 id:2605.00001 -diffusion")) == [1]


def test_the_newest_come_first(reader: Reader) -> None:
    assert reader.newest(read("year:2026 -diffusion"), 3) == [1, 2, 5]


def test_a_query_of_a_thousand_terms_is_answered(reader: Reader, index: WordIndex) -> None:
    many = Query(terms=tuple(term for n in range(1000) for term in read(f"term{n} diffusion").terms))
    assert [number for number, _ in reader.words(many, 9)] == [3]
    assert [number for number, _ in index.search(many, 9)] == [3]


@given(text=st.text(alphabet=st.characters() | st.sampled_from('"-:()*^ ')))
def test_no_text_is_an_error(reader: Reader, index: WordIndex, text: str) -> None:
    reader.words(read(text), 1)
    index.search(read(text), 1)


# The index beside the database follows it.


@pytest.fixture
def changing(home: Path, tmp_path: Path, index: WordIndex) -> Path:
    """A copy of the home, with its index, to be changed."""
    assert index.state
    return Path(shutil.copytree(home, tmp_path / "home"))


def numbers(home: Path, text: str, most: int | None = None) -> list[int] | None:
    with opened(home) as reader:
        found = open_words(home / "index", reader, most)
        return found and [number for number, _ in found.search(read(text), 9)]


def add(home: Path, *papers: Paper) -> None:
    with Store.open(f"sqlite:///{home}/d.db") as store:
        store.add_papers("oai", Page(papers, None), NOW)


def changed(old: Paper, version: int, title: str) -> Paper:
    return paper(int(old.id[-5:]), title) if version == 1 else Paper(
        **{name: getattr(old, name) for name in old.__struct_fields__ if name not in ("version", "title")},
        version=version,
        title=title,
    )  # fmt: skip


def test_new_papers_and_new_versions_are_found_and_old_words_are_not(changing: Path) -> None:
    add(changing, paper(7, "Sunflower"), changed(PAPERS[0], 2, "Tulip"))
    assert numbers(changing, "sunflower") == [7]
    assert numbers(changing, "tulip") == [1]
    assert numbers(changing, "machine") == []
    add(changing, changed(PAPERS[0], 3, "Rose"))
    assert numbers(changing, "tulip") == []
    assert numbers(changing, "rose") == [1]


def test_what_changed_is_all_that_is_indexed(changing: Path) -> None:
    with opened(changing) as reader:
        before = reader.change()
        add(changing, paper(7, "Sunflower"), paper(1, "Machine unlearning", "We make models forget."))
        add(changing, paper(8, "Tulip"), changed(PAPERS[2], 2, "Noise"))
        change = reader.change(before.state)
        assert (change.after, change.changed, reader.pending(change)) == (6, (3,), 3)
        assert [number for number, *_ in reader.texts(change)] == [3, 7, 8]
        assert reader.change(change.state).changed == ()


def test_a_crawl_that_brings_nothing_new_changes_no_state(changing: Path) -> None:
    with opened(changing) as reader:
        before = reader.change().state
        add(changing, PAPERS[0])
        assert reader.change().state == before


def test_too_much_work_for_a_search_is_left_to_the_next_crawl(changing: Path) -> None:
    add(changing, paper(7, "Sunflower"), paper(8, "Sunflower"))
    assert numbers(changing, "sunflower", most=1) is None
    assert numbers(changing, "sunflower", most=2) == [7, 8]


def test_a_database_that_was_put_back_is_indexed_anew(changing: Path, home: Path) -> None:
    add(changing, paper(7, "Sunflower"))
    assert numbers(changing, "sunflower") == [7]
    shutil.copy(home / "d.db", changing / "d.db")
    add(changing, paper(8, "Tulip"))
    assert numbers(changing, "sunflower") == []
    assert numbers(changing, "tulip") == [7]
    assert numbers(changing, "unlearning") == [1, 4, 2, 3]


def test_an_index_of_another_process_is_not_waited_for(changing: Path) -> None:
    import tantivy

    add(changing, paper(7, "Sunflower"))
    with tantivy.Index.open(str(changing / "index")).writer(15_000_000, 1):
        assert numbers(changing, "sunflower") is None
    assert numbers(changing, "sunflower") == [7]


@pytest.mark.parametrize("ending", [".term", ".idx", ".fast", "meta.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_damaged_index_is_made_anew(changing: Path, ending: str, damage: str) -> None:
    for file in (changing / "index").glob(f"*{ending}"):
        whole = file.read_bytes()
        file.unlink()
        if damage != "gone":
            file.write_bytes(whole[: len(whole) // 2 if damage == "cut" else 0])
    assert numbers(changing, "unlearning") == [1, 4, 2, 3]
    assert numbers(changing, "unlearning", most=0) == [1, 4, 2, 3]


@pytest.mark.parametrize("ending", [".term", ".fast"])
def test_an_index_that_is_found_damaged_in_use_is_left_for_the_database_and_made_anew(
    changing: Path, ending: str
) -> None:
    add(changing, *(paper(number, f"Sunflower {number}") for number in range(10, 400)))
    assert len(numbers(changing, "sunflower") or ()) == 9
    with opened(changing) as reader:
        index = open_words(changing / "index", reader)
        spoil(changing / "index", ending)
        index = _opened(changing / "index") or index
        found = Searcher(reader, index, None, "", lambda _: pytest.fail("asked")).search(read("sunflower"), 9)
    assert len(found.hits) == 9
    assert len(numbers(changing, "sunflower") or ()) == 9


def spoil(folder: Path, ending: str) -> None:
    """Write over the middle of files, in place: to cut what tantivy has mapped would end the process."""
    for path in folder.glob(f"*{ending}"):
        third = path.stat().st_size // 3
        with path.open("r+b") as file:
            file.seek(third)
            file.write(b"\xff" * third)


@pytest.mark.parametrize("ending", [".term", ".idx", ".pos", ".fast", ".fieldnorm", ".store"])
def test_what_is_wrong_with_an_index_is_told(changing: Path, ending: str) -> None:
    with opened(changing) as reader:
        assert unfit(changing / "index", reader) is None
        add(changing, paper(7, "Sunflower"))
        assert unfit(changing / "index", reader) == "it lacks 1 of the papers as they are now"
        spoil(changing / "index", ending)
        assert "it is damaged" in (unfit(changing / "index", reader) or "")
        shutil.rmtree(changing / "index")
        assert unfit(changing / "index", reader) == "there is none"


def test_a_folder_that_cannot_be_written_leaves_words_to_the_database(changing: Path) -> None:
    shutil.rmtree(changing / "index")
    (changing / "index").write_text("a file")
    assert numbers(changing, "unlearning") is None


def test_an_empty_archive_has_an_index_too(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/d.db").close()
    assert numbers(tmp_path, "unlearning") in ([], None)
    add(tmp_path, PAPERS[0])
    assert numbers(tmp_path, "unlearning") == [1]


# The database's own index.


def test_the_index_in_the_database_can_be_made_anew() -> None:
    with Store.open("sqlite://") as store:
        store.add_papers("oai", Page(tuple(PAPERS), None), NOW)
        with store._writing() as connection:
            connection.exec_driver_sql("INSERT INTO paper_word(paper_word) VALUES ('delete-all')")
        assert found(store, "unlearning") == []
        store.rebuild_words()
        assert found(store, "unlearning") == [1, 2, 3]


def test_the_words_of_a_page_are_written_once() -> None:
    """FTS5 left to itself writes a segment for each megabyte, and merges them again and again."""
    vocabulary = [f"w{number}" for number in range(997)]
    texts = [" ".join(vocabulary[n * step % 997] for step in range(200)) for n in range(3_000)]
    papers = tuple(paper(n, "Paper", text) for n, text in enumerate(texts, start=1))
    segments = "SELECT count(DISTINCT segid) FROM paper_word_idx"
    with Store.open("sqlite://") as store:
        store.add_papers("snapshot", Page(papers, None), NOW)
        with store._writing() as connection:
            assert connection.exec_driver_sql(segments).scalar() == 1
        assert len(reading(store).words(read("abs:w1 abs:w42"), 9_999)) > 100
