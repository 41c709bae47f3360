"""Readers' reactions: kept by post, shared by its papers, and a weak like where the setting says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fields
from botapi import BotApi
from digest import pipeline
from digest.applause import applauded, balance
from digest.store import Store
from digest.types import Choice, Evidence, Page, Paper, Plan, Reactions, Topic, Turn
from fields import papers_of
from outbox import NOON, Office, draft
from reviewing import polled


@pytest.mark.parametrize("named", [True, False])
def test_readers_reactions_are_kept_by_post_and_the_newest_count(
    desk: Office, api: BotApi, named: bool
) -> None:
    number = desk.write("one", "two")
    if named:
        desk.chat = "@Daily_News"  # type: ignore[assignment]
    desk.deliver()
    chat = next(one.id for one in api.world.chats.values() if one.username == "daily_news")
    message = api.messages(chat)[0].message_id
    api.react(chat, message, {"👍": 3, "🔥": 1})
    polled(desk)
    api.react(chat, message, {"👍": 5})
    api.react(chat, message + 77, {"👎": 9})
    polled(desk)
    [found] = desk.store.reactions()
    assert (found.post, found.part, dict(found.counts)) == (number, 0, {"👍": 5})


def show_papers(desk: Office, *ids: str, per_part: int = 1) -> list[int]:
    """Post these papers, so many in a part; the numbers of the messages."""
    words = {"title": "A", "abstract": "A", "authors": ("B",), "categories": ("cs.CV",), "version": 1}
    papers = tuple(Paper(id=one, submitted=NOON, updated=NOON, announced=NOON.date(), **words) for one in ids)
    desk.store.add_papers("sample", Page(papers, None), NOON)
    about = {"tier": "brief", "score": 1, "silent": False, "evidence": Evidence(), "topics": ("xai",)}
    links = [f'<a href="https://arxiv.org/abs/{one}">A</a>' for one in ids]
    parts = ["\n".join(links[at : at + per_part]) for at in range(0, len(ids), per_part)]
    desk.write(*parts, day=1, choices=tuple(Choice(paper=one, **about) for one in ids))
    desk.deliver()
    return [one.message_id for one in desk.api.messages(desk.chat)]


def test_reactions_count_for_the_papers_that_the_part_shows(desk: Office, api: BotApi) -> None:
    first, second = show_papers(desk, "2607.00001", "2607.00002", "2607.00003", per_part=2)
    polled(desk)
    api.react(desk.chat, first, {"👍": 6, "👎": 2, "🤔": 9})
    api.react(desk.chat, second, {"❤️": 3})
    polled(desk)
    found = desk.store.paper_reactions("xai")
    assert [(one.part, one.papers) for one in found] == [
        (0, ("2607.00001", "2607.00002")),
        (1, ("2607.00003",)),
    ]
    assert applauded(found, 1) == ["2607.00001", "2607.00002", "2607.00003"]
    assert applauded(found, 3) == ["2607.00003"]
    assert applauded(found, 0) == []
    assert desk.store.paper_reactions("unlearning") == []


@pytest.mark.parametrize(
    ("counts", "good"),
    [
        ({"👍": 2, "👎": 3}, -1),
        ({"❤": 1, "❤\ufe0f": 1, "❤\ufe0f\u200d🔥": 1, "❤\u200d🔥": 1}, 4),
        ({"😢": 5, "custom": 7, "paid": 100, "🤷\u200d♂": 1}, 0),
    ],
)
def test_praise_counts_for_and_blame_against(counts: dict[str, int], good: int) -> None:
    assert balance(counts) == good


@given(st.lists(st.tuples(st.sampled_from("👍👎🤔"), st.integers(1, 99)), max_size=5), st.integers(0, 20))
def test_a_message_gives_away_no_more_praise_than_it_got(told: list[tuple[str, int]], least: int) -> None:
    papers = ("a", "b", "c")
    found = [Reactions(post=1, part=at, counts=dict([one]), papers=papers) for at, one in enumerate(told)]
    praise = sum(balance(one.counts) for one in found)
    assert len(applauded(found, least)) * least <= max(0, praise)


# --- a weak like ----------------------------------------------------------------------------------

TOPIC = Topic(name="unlearning", term="unlearning", seed_keys=("unlearning",), floor=0.0)


@pytest.fixture
def archive() -> Iterator[Store]:
    with fields.archive(NOON) as opened:
        yield opened


def matched(store: Store, applause: int) -> tuple[dict[str, float], tuple[str, ...]]:
    """The scores of the matches, and what the stage says."""
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    wanted = {"lookback": 3650, "state": "draft", "channels": {"unlearning": {}}, "applause": applause}
    report = pipeline.match(store, Plan(topics=(TOPIC,), model="none", **wanted), at)  # type: ignore[arg-type]
    found = store.matches("unlearning", date(2000, 1, 1), at.date(), 0.0)
    return {one.paper: one.score for one in found}, report.notes


def react(store: Store, papers: Sequence[str], count: int) -> None:
    """A post showed each of these papers in a message of its own, and readers liked each so often."""
    about = {"tier": "brief", "score": 1, "silent": True, "evidence": Evidence(), "topics": ("unlearning",)}
    html = [f'<a href="https://arxiv.org/abs/{one}">A</a>' for one in papers]
    one = draft(*html, topic="unlearning", choices=tuple(Choice(paper=each, **about) for each in papers))
    store.add_posts([one], {"en": ["news"]}, "approved", 0, NOON)
    for number in range(1, len(papers) + 1):
        turn = Turn(sender="telegram", owner="me", until=NOON + timedelta(hours=1), chat="-1", rest=NOON)
        store.take_turn("telegram", "me", NOON, NOON + timedelta(hours=1))
        claimed = store.claim_delivery("news", NOON, turn)
        assert claimed is not None
        store.record_delivery(claimed.id, "sent", NOON, receipt="x", message=number)
        assert store.put_reactions(["-1"], number, {"👍": count})


def test_what_readers_applaud_draws_its_like_nearer_and_less_than_an_editors_like(archive: Store) -> None:
    erasure = [paper.id for paper in papers_of("erasure", 12)]
    praised, others = erasure[:6], erasure[6:]
    before, _ = matched(archive, 5)
    react(archive, praised, 5)
    applauded_, notes = matched(archive, 5)
    for paper in praised:
        archive.add_feedback("unlearning", paper, "like", "human", NOON)
    liked, _ = matched(archive, 5)
    near = [sum(scores.get(paper, 0) for paper in others) for scores in (before, applauded_, liked)]
    assert near[0] < near[1] < near[2]
    assert "unlearning: 6 papers count as weakly liked by readers" in notes


@pytest.mark.parametrize(("count", "applause"), [(500, 0), (4, 5)])
def test_reactions_touch_nothing_where_the_setting_is_off_or_they_are_few(
    archive: Store, count: int, applause: int
) -> None:
    before, _ = matched(archive, 0)
    fingerprint = archive.fit_fingerprint("unlearning")
    react(archive, [paper.id for paper in papers_of("erasure", 6)], count)
    assert matched(archive, applause)[0] == before
    assert archive.fit_fingerprint("unlearning") == fingerprint


def test_a_paper_that_an_editor_dislikes_is_not_brought_back_by_applause(archive: Store) -> None:
    praised = [paper.id for paper in papers_of("erasure", 6)]
    react(archive, praised, 9)
    archive.add_feedback("unlearning", praised[0], "dislike", "human", NOON)
    assert praised[0] not in matched(archive, 5)[0]
