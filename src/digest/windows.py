"""Posts about a window of days, written when a person asks for one: links, review, essay, listing.

    store.matches | choose.everything | overview.overview | render.write_window | store.add_posts

They repeat what roundups told, and no roundup minds: only roundups remember what was posted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.pipeline import Counting
from digest.types import Draft, Language, Overview, Paper, StageReport, Task, Topic, Trend, WindowGenre

if TYPE_CHECKING:
    from digest.render import Writer
    from digest.store import Store
    from digest.types import Plan
    from digest.wording import Words

DAYS: Mapping[WindowGenre, int] = {"links": 7, "review": 30, "essay": 30, "listing": 30}
"""How many days a genre tells of where nobody says."""
BACKGROUND = 800
"""So many papers of any topic tell which phrases are common everywhere."""


def write(
    store: Store,
    plan: Plan,
    writer: Writer,
    topic: Topic,
    genre: WindowGenre,
    window: tuple[date, date],
    channels: Mapping[Language, Sequence[str]],
    *,
    now: datetime,
    trend: Trend | None = None,
    words: Words | None = None,
    again: bool = False,
) -> tuple[StageReport, list[int]]:
    """Write a topic's post about a window (both days included) in the languages of ``channels``, for the
    window's last day, in other words as far as there are any; a post that is there already is left as it is,
    with ``again`` unless it was rejected."""
    count = Counting("write", "posts")
    since, until = window
    there = store.posts(topic=topic.name, genre=genre, since=until, until=until)
    there = [post for post in there if not (again and post.state == "rejected")]
    count.notes += [f"{topic.name}: written before, post {post.id} ({post.language})" for post in there]
    languages = [language for language in channels if language not in {post.language for post in there}]
    if not languages:
        return count.report(), []
    found, papers = gather(store, plan, topic, since, until)
    if not found.choices:
        announced = sum(store.day_counts(since, until).values())
        count.notes.append(f"{topic.name}: no post, nothing on topic among {announced} papers announced")
        return count.report(), []
    writer = replace(writer, turn=store.turn(topic.name, genre, until))
    drafts = [_draft(writer, topic, genre, each, found, papers, trend, words) for each in languages]
    ids = store.add_posts(drafts, channels, plan.state, store.highest_number(), now)
    count.add("posts", len(ids))
    count.notes.append(_told(topic, found, drafts))
    count.notes += [f"writer: {note}" for note in (words.notes if words else ())]
    return count.report(), ids


def _draft(
    writer: Writer,
    topic: Topic,
    genre: WindowGenre,
    language: Language,
    found: Overview,
    papers: Mapping[str, Paper],
    trend: Trend | None,
    words: Words | None,
) -> Draft:
    """The post, first with its quotations; then, where there are other words for them, with both. A listing
    is a page of abstracts and stays as it is."""
    from digest.render import quotations, write_window

    quoted = write_window(writer, topic, genre, language, found, papers, trend)
    if words is None or genre == "listing":
        return quoted
    task: Task = "tell" if language == "en" else "translate"
    asked = {text: words(task, text, language) for text in quotations(quoted, found, papers)}
    told = {text: said for text, said in asked.items() if said}
    return write_window(writer, topic, genre, language, found, papers, trend, told) if told else quoted


def gather(
    store: Store, plan: Plan, topic: Topic, since: date, until: date
) -> tuple[Overview, dict[str, Paper]]:
    """The overview of a topic's papers of some days, and the papers by id."""
    from digest import choose
    from digest.overview import overview

    matches = {each.name: store.matches(each.name, since, until, 0.0) for each in plan.topics}
    homes = choose.home(matches, {each.name: each for each in plan.topics})
    own = [match for match in matches[topic.name] if match.score >= topic.floor]
    papers = {paper.id: paper for paper in store.papers([match.paper for match in own])}
    vectors = dict(zip(*store.vectors(plan.model, list(papers)), strict=True))
    choices = choose.everything(topic, own, papers, vectors, homes.topics)
    background = store.newest_until(until, BACKGROUND)
    return overview(topic, since, until, choices, papers, vectors, background), papers


def _told(topic: Topic, found: Overview, drafts: Sequence[Draft]) -> str:
    shown = max(len(draft.choices) for draft in drafts)
    groups = ", ".join(f"{group.name} ({len(group.papers)})" for group in found.groups) or "none"
    return f"{topic.name}: {len(found.choices)} papers, {shown} of them shown; groups: {groups}"
