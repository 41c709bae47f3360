"""A term over the years: the archive's unevenness, the jump, and what stood beside the term."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from digest import trends
from digest.report import trends as report
from digest.store import Store
from digest.types import Key, Page, Paper, Topic, Trend

TOPIC = Topic(
    name="unlearning", term="unlearning", seed_keys=("unlearning",), exclude_keys=("unlearnable example",)
)


def paper(number: int, year: int, text: str = "Of lamps", category: str = "cs.LG") -> Paper:
    moment = datetime(year, 6, 1, tzinfo=UTC)
    return Paper(
        id=f"{year % 100:02}06.{number:05}",
        version=1,
        title=text,
        abstract="It is about this and that.",
        authors=("A",),
        categories=(category,),
        submitted=moment,
        updated=moment,
        announced=moment.date(),
    )


def papers(year: int, count: int, text: str, category: str = "cs.LG") -> list[Paper]:
    return [paper(number, year, text, category) for number in range(count)]


def of_counts(found: Sequence[int], held: int | Sequence[int] = 1000, first: int = 2010) -> Trend:
    every = [held] * len(found) if isinstance(held, int) else held
    cells = {(first + at, "cs.LG"): number for at, number in enumerate(every)}
    said = [one for at, count in enumerate(found) for one in papers(first + at, count, "Lamp unlearning")]
    return trends.trend("unlearning", cells, said)


def test_the_jump_is_the_year_of_the_higher_level_with_factor_and_bounds() -> None:
    jump = of_counts([2, 3, 2, 1, 2, 20, 24, 22, 19]).said.jump
    assert jump is not None
    assert (jump.year, jump.earliest, jump.latest) == (2015, 2015, 2015)
    assert 7 < jump.ratio < 14
    assert 3 < jump.at_least < jump.ratio


def test_noise_and_a_fall_are_no_jumps() -> None:
    assert of_counts([3, 2, 4, 3, 2, 4, 3, 3]).said.jump is None
    assert of_counts([40, 42, 41, 4, 3, 5]).said.jump is None
    assert of_counts([0, 0, 0]).said.jump is None


def test_a_rise_that_only_the_archive_grew_by_is_no_jump() -> None:
    found = of_counts([1, 1, 2, 10, 20, 22], held=[100, 100, 200, 1000, 2000, 2200])
    assert found.said.jump is None
    assert len(found.said.stretches) == 1


def test_a_slow_rise_has_stretches_and_its_sharpest_step_is_the_jump() -> None:
    found = of_counts([1, 1, 2, 1, 12, 14, 30, 60, 120, 240]).said
    assert len(found.stretches) <= trends.MOST_STRETCHES
    assert found.jump is not None
    assert found.jump.year == 2014


def test_another_mix_of_categories_is_no_rise() -> None:
    """Half of cs.LG says it, nobody in hep-th; the archive holds ever more of cs.LG."""
    years = range(2010, 2020)
    held = {(year, "cs.LG"): 100 * (1 + year - 2010) for year in years}
    held |= {(year, "hep-th"): 1000 for year in years}
    said = [one for year in years for one in papers(year, 50 * (1 + year - 2010), "Unlearning")]
    curve = trends.trend("unlearning", held, said).said
    raw = [one.found / one.held for one in curve.years]
    assert raw[-1] > 5 * raw[0]
    assert curve.years[-1].share < 1.6 * curve.years[0].share
    assert curve.jump is None


def test_a_year_without_papers_says_nothing() -> None:
    found = of_counts([1, 2, 0, 30, 30], held=[500, 500, 0, 500, 500]).said
    assert (found.years[2].share, found.years[2].low, found.years[2].high) == (0, 0, 1)
    assert found.jump is not None
    assert found.jump.earliest <= 2013 <= found.jump.latest


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 900)), min_size=1, max_size=20))
def test_stretches_cover_every_year_once_and_hold_every_paper(years: list[tuple[int, int]]) -> None:
    found = of_counts([count for count, _ in years], [count + more for count, more in years]).said
    covered = [year for each in found.stretches for year in range(each.since, each.until + 1)]
    assert covered == [one.year for one in found.years] == list(range(2010, 2010 + len(years)))
    assert sum(each.found for each in found.stretches) == found.found == sum(count for count, _ in years)
    assert all(0 <= one.low <= one.share <= one.high <= 1 or not one.held for one in found.years)


def test_since_leaves_earlier_years_out() -> None:
    held = {(year, "cs.LG"): 100 for year in range(2000, 2010)}
    found = trends.trend("lamp", held, papers(2001, 9, "A lamp") + papers(2006, 3, "A lamp"), since=2005)
    assert [one.year for one in found.said.years] == [2005, 2006, 2007, 2008, 2009]
    assert (found.papers, found.said.found) == (500, 3)


def test_a_term_is_counted_in_all_its_inflections_and_not_in_longer_words() -> None:
    texts = ("Machine un-learning", "It was unlearned", "Unlearnable pixels", "Learning")
    found = trends.holding("unlearning", [paper(at, 2020, text) for at, text in enumerate(texts)])
    assert [one.title for one in found] == ["Machine un-learning", "It was unlearned"]


def test_silent_papers_hold_another_key_or_match_and_never_a_seed_key() -> None:
    erasure = Key(
        topic="unlearning",
        text="concept erasure",
        normal="concept erasure",
        state="active",
        origin="adjacent",
    )
    dropped = Key(topic="unlearning", text="lamp", normal="lamp", state="rejected", origin="auto")
    texts = ("Concept erasure", "Concept erasure is unlearning", "Lamp", "Nothing of note", "Unlearning")
    found = trends.silent_of(
        TOPIC, [erasure, dropped], [paper(at, 2020, text) for at, text in enumerate(texts)], {"2006.00003"}
    )
    assert [one.title for one in found] == ["Concept erasure", "Nothing of note"]


def test_the_topic_of_a_term_is_the_one_that_has_it_as_a_seed_before_any_other_key() -> None:
    other = Topic(name="safety", term="safety", seed_keys=("safety",))
    key = Key(topic="safety", text="unlearning", normal="unlearning", state="active", origin="human")
    known = [(other, [key]), (TOPIC, list[Key]())]
    assert trends.topic_of("Unlearning", known) == (TOPIC, [])
    assert trends.topic_of("safety", known) == (other, [key])
    assert trends.topic_of("diffusion", known) is None


def beside_years(early: str, late: str, around: str) -> list[tuple[str, ...]]:
    said = papers(2011, 12, f"Unlearning with {early} and common words") + papers(
        2016, 40, f"Unlearning with {late} and common words"
    )
    held = {(year, "cs.LG"): 200 for year in range(2010, 2018)}
    found = trends.trend("unlearning", held, said)
    assert [each.since for each in found.said.stretches][:2] == [2010, 2016] or len(found.said.stretches) > 1
    others = {each.since: papers(each.until, 100, around) for each in found.said.stretches}
    told = trends.with_company(found, said, others)
    return [tuple(one.text for one in each.beside) for each in told.said.stretches if each.found]


def test_what_stood_beside_a_term_is_told_for_each_stretch() -> None:
    early, late = beside_years("support vector machines", "language models", "Of lamps")[:2]
    assert early == ("support vector machines",)
    assert late == ("language models",)


def test_what_all_papers_of_the_day_say_does_not_stand_beside_a_term() -> None:
    told = beside_years("support vector machines", "language models", "Of language models")
    assert told[0] == ("support vector machines",)
    assert "language models" not in {phrase for each in told for phrase in each}


def test_a_word_that_papers_say_once_and_never_again_stands_beside_nothing() -> None:
    said_once, repeated = beside_years("crucial steps", "circuit after circuit", "Of lamps")[:2]
    assert "circuit" in repeated
    assert beside_years("lamps", "crucial", "Of tables")[1] == ()
    assert said_once == ("crucial steps",)


def test_a_term_does_not_stand_beside_itself_its_parts_or_its_initials() -> None:
    own = trends._Own("support vector machine")
    assert own.is_in(("support", "vector"))
    assert own.is_in(("kernel", "support", "vector", "machine"))
    assert own.is_in(("svm", "classifier"))
    assert not own.is_in(("kernel", "machine"))


def test_the_store_counts_by_year_and_category_without_withdrawn_papers_and_the_future() -> None:
    gone = paper(9, 2012)
    kept = [*papers(2012, 3, "A"), *papers(2013, 2, "B", "stat.ML"), paper(7, 2014)]
    from msgspec.structs import replace

    page = Page(papers=(*kept, replace(gone, withdrawn=True)), cursor=None)
    with Store.open("sqlite://") as store:
        store.add_papers("test", page, datetime(2020, 1, 1, tzinfo=UTC))
        assert store.papers_by_year(date(2013, 12, 31)) == Counter({(2012, "cs.LG"): 3, (2013, "stat.ML"): 2})
        spread = store.spread_of_years(2012, 2013, date(2020, 1, 1), 3)
        assert 2 <= len(spread) <= 3
        assert {one.submitted.year for one in spread} == {2012, 2013}


def test_the_table_says_that_the_archive_is_uneven_and_marks_years_of_few_papers() -> None:
    text = report.trend(of_counts([0, 1, 20, 30], held=[10, 90, 1000, 1200]))
    assert "The archive is uneven: it holds 10 to 1,200 papers a year" in text
    rows = {line.split()[0]: line for line in text.splitlines() if line[:2] == "20"}
    assert "?" in rows["2011"]
    assert "?" not in rows["2013"]


def test_a_term_that_nothing_holds_is_one_line() -> None:
    assert report.trend(of_counts([0, 0])) == "none of the 2,000 papers held says 'unlearning'"
