"""What a window holds: everything found in the papers, nothing made up."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from digest.overview import overview
from digest.text import sentences
from digest.types import Choice, Evidence, Overview, Paper, Topic
from fields import corpus, papers_of, vectors_of

TOPIC = Topic(name="unlearning", term="unlearning", seed_keys=("machine unlearning", "unlearning"))
DIRECTIONS = {"unlearning": 0, "erasure": 1, "continual": 2}


def choice(one: Paper, score: float = 0.5, topics: tuple[str, ...] = ("unlearning",)) -> Choice:
    return Choice(paper=one.id, tier="named", score=score, silent=False, evidence=Evidence(), topics=topics)


def seen(papers: list[Paper], **topics: tuple[str, ...]) -> Overview:
    choices = [choice(one, topics=topics.get(one.id.replace(".", "_"), ("unlearning",))) for one in papers]
    rows = vectors_of(papers, DIRECTIONS)
    vectors = {one.id: row for one, row in zip(papers, rows, strict=True)}
    by_id = {one.id: one for one in papers}
    background = papers_of("robots", 30)
    return overview(TOPIC, date(2026, 5, 1), date(2026, 5, 15), choices, by_id, vectors, background)


def test_every_sentence_stands_in_its_own_paper() -> None:
    papers = corpus(unlearning=10, erasure=10)
    found = seen(papers)
    by_id = {one.id: one for one in papers}
    assert found.leads.keys() == by_id.keys()
    for id_, leads in found.leads.items():
        assert leads
        assert set(leads) <= set(sentences(by_id[id_].abstract))
    for passages in (found.questions, found.problems, found.doubts, found.unsolved):
        assert all(text in by_id[id_].abstract for id_, text in passages.items())


def test_a_group_holds_only_papers_of_the_window_each_once() -> None:
    papers = corpus(unlearning=10, erasure=10)
    grouped = [id_ for group in seen(papers).groups for id_ in group.papers]
    assert grouped
    assert len(set(grouped)) == len(grouped)
    assert set(grouped) <= {one.id for one in papers}


def test_a_paper_of_another_topic_is_a_bridge_to_it() -> None:
    papers = corpus(unlearning=10)
    found = seen(papers, unlearning_0003=("unlearning", "xai"))
    assert found.bridges == {"xai": ("unlearning.0003",)}


def test_surveys_and_lists_are_resources() -> None:
    papers = corpus(unlearning=10)
    papers[4] = replace(
        papers[4], title="A Survey of Unlearning", comments="https://github.com/example/awesome-unlearning"
    )
    assert [(one.kind, one.paper) for one in seen(papers).resources] == [
        ("survey", papers[4].id),
        ("list", papers[4].id),
    ]


def test_where_a_vector_is_missing_the_words_tell_what_is_alike() -> None:
    papers = corpus(unlearning=10)
    by_id = {one.id: one for one in papers}
    found = overview(TOPIC, date(2026, 5, 1), date(2026, 5, 15), [choice(one) for one in papers], by_id, {})
    assert len(found.choices) == 10


def test_a_window_of_one_paper_has_what_that_paper_says() -> None:
    [one] = corpus(unlearning=1)
    found = seen([one])
    assert (found.groups, found.resources, found.bridges) == ((), (), {})
    assert found.leads[one.id]
