"""The road of a paper: crawl | embed | match | write | deliver.

    source.fetch | store.add_papers                                   crawl
    store.texts_without_vector | embedder.embed | store.add_vectors   embed
    store.newest_until | relevance.fit | fits.save                    match, once a week
    store.announced_between | relevance.match | store.put_matches     match
    store.matches | choose.choose | render.write_post | store.add_posts   write
    store.claim_delivery | channel.send | store.record_delivery       deliver (delivery.py)

Every stage reads what the one before has stored and commits what it did in steps that are whole by
themselves. So each can be run alone, again, or after a kill at any line, and the archive ends the
same. The stages call, in order; what they decide is decided in relevance, keys, choose and render.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.corpus import ACTIVE, Corpus, Vectors, configured_keys
from digest.days import new_york_day
from digest.errors import Deferred, NotAnAnswer
from digest.types import (
    ELSEWHERE,
    Choice,
    Draft,
    Key,
    Language,
    LeftOut,
    Match,
    Page,
    Paper,
    Plan,
    Post,
    Stage,
    StageReport,
    Told,
    Topic,
    Update,
)

if TYPE_CHECKING:
    from digest.choose import Chosen, Home
    from digest.embed import Workers
    from digest.fits import Fits
    from digest.naming import Embed
    from digest.render import Writer
    from digest.sources import Source
    from digest.store import Store
    from digest.wording import Words

KEYS_EVERY = timedelta(days=7)
NOVELTY_DAYS = timedelta(days=180)
UPDATED_DAYS = timedelta(days=60)
"""How long a roundup tells of newer versions of what an earlier one has posted."""
UPDATES = 3
"""So many newer versions in a post; the others wait for the next one."""
YOUNG_DAYS = timedelta(days=30)
SENTENCES = {"detailed": 2, "brief": 1, "named": 0}
GENRE = "roundup"
SKIPPED_TOLD = 100  # a run's report is kept, and a file may hold millions of bad lines

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


class Counting:
    """What a stage reports at its end: counts by name, and notes for a person."""

    def __init__(self, stage: Stage, *names: str) -> None:
        self.stage: Stage = stage
        self.counts = dict.fromkeys(names, 0)
        self.notes: list[str] = []
        self._started = time.monotonic()

    def add(self, name: str, number: int = 1) -> None:
        """Count up."""
        self.counts[name] = self.counts.get(name, 0) + number

    def report(self) -> StageReport:
        """The stage's report, with the seconds since it began."""
        return StageReport(self.stage, time.monotonic() - self._started, self.counts, tuple(self.notes))


# crawl


def crawl(
    store: Store, sources: Sequence[Source], now: datetime, told: Callable[[Page], None] | None = None
) -> StageReport:
    """Read each source from where it was left, one transaction a page; ``told`` hears of each page
    that is stored."""
    count = _crawled()
    for source in sources:
        _read(store, source, now, count, told)
    if (more := count.counts["skipped"] - SKIPPED_TOLD) > 0:
        count.notes.append(f"skipped {more} more records")
    return count.report()


def crawl_while_possible(
    store: Store, source: Source, now: datetime, told: Callable[[Page], None] | None = None
) -> StageReport:
    """As ``crawl``; where arXiv is not to be asked any more, what was read is counted and the reason
    noted: ``deferred`` is 1, and the next crawl goes on there."""
    count = _crawled()
    try:
        _read(store, source, now, count, told)
    except (Deferred, NotAnAnswer) as error:
        count.add("deferred")
        count.notes.append(str(error))
        logger.warning("put off", extra={"source": source.name, "reason": str(error)})
    return count.report()


def _crawled() -> Counting:
    return Counting("crawl", "new", "newer", "unchanged", "skipped")


def _read(
    store: Store, source: Source, now: datetime, count: Counting, told: Callable[[Page], None] | None
) -> None:
    for page in source.fetch(store.cursor(source.name), now):
        added = store.add_papers(source.name, _with_deleted(store, page), now)
        count.add("new", len(added.new))
        count.add("newer", len(added.newer))
        count.add("unchanged", added.unchanged)
        shown = page.skipped[: max(0, SKIPPED_TOLD - count.counts["skipped"])]
        count.add("skipped", len(page.skipped))
        count.notes.extend(f"skipped {one.where}: {one.reason}" for one in shown)
        count.notes.extend(page.notes)
        if told:
            told(page)


def _with_deleted(store: Store, page: Page) -> Page:
    """The page with the papers that arXiv deleted, marked withdrawn as far as they are stored."""
    if not page.deleted:
        return page
    gone = (replace(paper, withdrawn=True) for paper in store.papers(page.deleted))
    return replace(page, papers=(*page.papers, *gone))


# embed


def embed(store: Store, workers: Workers, progress: Progress | None = None) -> StageReport:
    """Embed every text that has no vector of this model yet, newest papers first, each once.

    Workers compute several batches at a time and are done with them in any order; the archive is read and
    written by this thread alone, while they go on.
    """
    count = Counting("embed", "embedded")
    store.ensure_model(workers.name, workers.dimension)
    waiting = store.count_without_vector(workers.name)
    under_way: dict[Future[Vectors], list[bytes]] = {}

    def keep() -> None:
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for each in [each for each in under_way if each in done]:
            hashes = under_way.pop(each)
            store.add_vectors(workers.name, zip(hashes, each.result(), strict=True))
            count.add("embedded", len(hashes))
            if progress:
                progress(count.counts["embedded"], waiting)

    for batch in store.texts_without_vector(workers.name, workers.at_once):
        begun = {text_hash for hashes in under_way.values() for text_hash in hashes}
        if new := {text_hash: text for text_hash, text in batch if text_hash not in begun}:
            under_way[workers.submit(list(new.values()))] = list(new)
        while len(under_way) > workers.ahead:
            keep()
    while under_way:
        keep()
    count.notes += workers.notes
    return count.report()


# match


def match(
    store: Store,
    plan: Plan,
    now: datetime,
    fits: Fits | None = None,
    since: date | None = None,
    embed: Embed | None = None,
) -> StageReport:
    """Score the papers of the look-back window, or those announced ``since`` a day, for each topic, and
    propose keys once a week.

    Papers are scored by weights that are kept in ``fits`` and fitted anew once a week, or when a topic has
    changed (:func:`digest.fits.stale`); without ``fits`` they are fitted each time. A topic whose keys,
    archive and opinions are as they were when it was last scored is left alone.
    """
    count = Counting("match")
    day = new_york_day(now)
    for topic in plan.topics:
        store.sync_keys(topic.name, configured_keys(topic), now)
    due = [topic for topic in plan.topics if _is_due(store.cursor(_keys_cursor(topic)), day)]
    new = _propose(store, plan, due, now)
    count.notes += [note for topic in due for note in _key_notes(topic, new)]
    archive = Corpus(store, plan, day, fits, since, embed)
    for topic in plan.topics:
        active = store.keys(topic.name, states=ACTIVE)
        fingerprint = archive.fingerprint(topic, active)
        if store.fit_fingerprint(topic.name) != fingerprint:
            found, weights = archive.match(topic, active)
            store.put_matches(
                topic.name,
                found.matches,
                fingerprint,
                scored=archive.window,
                left_out=found.left_out,
                day=day,
            )
            count.notes.append(f"{topic.name}: {weights}")
        matches = store.matches(topic.name, archive.since, day, topic.floor)
        silent = sum(one.silent for one in matches)
        count.add(topic.name, len(matches))
        count.notes.append(
            f"{topic.name}: {len(matches)} over the floor {topic.floor:g}, {silent} of them silent"
        )
        if praised := len(archive.applauded[topic.name]):
            count.notes.append(f"{topic.name}: {praised} papers count as weakly liked by readers")
    return count.report()


def propose_keys(store: Store, plan: Plan, topic: Topic, now: datetime) -> list[Key]:
    """Propose keys for one topic now, whenever it was last done."""
    store.sync_keys(topic.name, configured_keys(topic), now)
    return _propose(store, plan, [topic], now)


def backtest(
    store: Store, plan: Plan, topic: Topic, now: datetime, days: int, embed: Embed | None = None
) -> tuple[list[Match], list[Key]]:
    """What a topic would have found in the last days with the keys of its configuration alone, best first,
    and the keys that would have been proposed. Nothing is stored."""
    plan = replace(plan, topics=(topic,), lookback=days)
    archive = Corpus(store, plan, new_york_day(now), embed=embed)
    keys = configured_keys(topic)
    found, _ = archive.match(topic, keys)
    return list(found.matches), archive.propose(topic, keys) if found.matches else []


def _keys_cursor(topic: Topic) -> str:
    """Where the day of a topic's last key proposal is kept."""
    return f"keys:{topic.name}"


def _is_due(last: str | None, day: date) -> bool:
    return last is None or day - date.fromisoformat(last) >= KEYS_EVERY


def _propose(store: Store, plan: Plan, topics: Sequence[Topic], now: datetime) -> list[Key]:
    """Propose keys for some topics and retire found ones that lead nowhere any more, all stored at once:
    the keys of all topics gather the archive, so after a kill between two of them the second would
    learn from another archive."""
    if not topics:
        return []
    day = new_york_day(now)
    archive = Corpus(store, plan, day)
    retired = [each for topic in topics for each in archive.exhausted(topic, store.keys(topic.name, ACTIVE))]
    found = [key for topic in topics for key in archive.propose(topic, store.keys(topic.name))]
    cursors = {_keys_cursor(topic): day.isoformat() for topic in topics}
    return store.propose_keys(found, now, cursors, retired, looked=[topic.name for topic in topics])


def _key_notes(topic: Topic, new: Sequence[Key]) -> list[str]:
    found = [key for key in new if key.topic == topic.name]
    active = [key.text for key in found if key.state == "active"]
    waiting = len(found) - len(active)
    notes = [f"{topic.name}: accepted {', '.join(active)}"] if active else []
    return notes + (
        [f"{topic.name}: {waiting} keys wait for a look (digest keys list {topic.name})"] if waiting else []
    )


# write


def write(
    store: Store,
    plan: Plan,
    writer: Writer,
    now: datetime,
    words: Words | None = None,
    *,
    again: bool = False,
) -> tuple[StageReport, list[int]]:
    """Write the posts that are due today, each topic in all its languages at once; ``again``: also those
    that a person has rejected today, which else wait for the next day."""
    from digest import choose

    count = Counting("write", "posts")
    slot = new_york_day(now)
    since = slot - timedelta(days=plan.lookback)
    matches = {topic.name: store.matches(topic.name, since, slot, 0.0) for topic in plan.topics}
    young = choose.is_young(store.day_counts(slot - YOUNG_DAYS, slot))
    homes = choose.home(matches, {topic.name: topic for topic in plan.topics}, young=young)
    posts: list[int] = []
    waiting: dict[str, str] = {}
    for topic in plan.topics:
        desk = _Desk(store, plan, topic, slot, again=again, young=young)
        drafts = desk.drafts(homes, writer, count.notes, words)
        ids = store.add_posts(drafts, plan.channels[topic.name], plan.state, store.highest_number(), now)
        count.add("posts", len(ids))
        posts.extend(ids)
        waiting |= dict.fromkeys(desk.kept, topic.name)
    for name, scored in matches.items():  # the others remember what they could not consider
        kept = {one.paper: waiting[one.paper] for one in scored if one.paper in waiting}
        if told := [_stands(paper, at) for paper, at in kept.items() if at != name]:
            store.put_left_out(name, slot, told)
    count.notes += [f"writer: {note}" for note in (words.notes if words else ())]
    return count.report(), posts


class _Desk:
    """One topic's post of one day, from what the archive holds to drafts in all its languages."""

    def __init__(
        self, store: Store, plan: Plan, topic: Topic, slot: date, *, again: bool, young: bool
    ) -> None:
        self._store, self._plan, self._topic, self._slot, self._again = store, plan, topic, slot, again
        self._young = young
        self.kept: list[str] = []
        """The papers that are kept for a later post."""

    def drafts(
        self, homes: Home, writer: Writer, notes: list[str], words: Words | None = None
    ) -> list[Draft]:
        """The drafts that are due; none, with the reason in ``notes``, where none is."""
        topic, slot = self._topic, self._slot
        there = self._store.posts(topic=topic.name, genre=GENRE, since=slot, until=slot)
        if there and not (self._again and missing(there, topic.languages)):
            notes.append(f"{topic.name}: {before(there)}")
            return []
        if live := next((post for post in there if post.state != "rejected"), None):
            notes.append(f"{topic.name}: the papers of post {live.id} ({live.language})")
            same, told = self._store.choices(live.id), self._store.updates_of(live.id)
            return self._written(writer, same, told, missing(there, topic.languages), words)
        papers, matches = self._waiting(homes)
        chosen = self._chosen(matches, papers, homes)
        self._store.put_left_out(topic.name, slot, (*chosen.left_out, *self._elsewhere(homes)))
        days = [papers[choice.paper].announced for choice in chosen.choices]
        if not (choices := chosen.choices) or not self._is_due(days):
            notes.append(f"{topic.name}: no post, {self._reason(matches, chosen, days)}")
            self.kept = [choice.paper for choice in choices]
            return []
        notes.append(f"{topic.name}: {len(chosen.choices)} papers chosen, {_tally(chosen)}")
        updates = self._store.updates(topic.name, GENRE, slot - UPDATED_DAYS)[:UPDATES]
        return self._written(writer, choices, updates, topic.languages, words)

    def _written(
        self,
        writer: Writer,
        choices: Sequence[Choice],
        updates: Sequence[Update],
        languages: Sequence[Language],
        words: Words | None,
    ) -> list[Draft]:
        return [
            draft(self._store, writer, self._topic, self._slot, each, choices, updates, words=words)
            for each in languages
        ]

    def _elsewhere(self, homes: Home) -> list[LeftOut]:
        """The papers over the topic's floor that stand in another one."""
        here = {match.paper for match in homes.matches[self._topic.name]}
        since = self._slot - timedelta(days=self._plan.lookback)
        matches = self._store.matches(self._topic.name, since, self._slot, self._topic.floor)
        return [
            _stands(match.paper, homes.topics[match.paper][0]) for match in matches if match.paper not in here
        ]

    def _is_due(self, days: Sequence[date]) -> bool:
        """By the calendar where the topic has a series of roundups, else by its rhythm."""
        from digest import choose, series

        topic, slot = self._topic, self._slot
        for one in topic.series:
            if one.genre == GENRE:
                since = series.newest(one, slot)
                there = self._store.posts(topic=topic.name, genre=GENRE, since=since, until=slot)
                return not any(post.state != "rejected" or not self._again for post in there)
        return choose.due(topic.rhythm, days, slot)

    def _waiting(self, homes: Home) -> tuple[dict[str, Paper], list[Match]]:
        """The topic's papers announced, or first seen, since its last post, and those that stood in another
        topic then, and now in this one; and their matches."""
        matches = homes.matches[self._topic.name]
        papers = {paper.id: paper for paper in self._store.papers([match.paper for match in matches])}
        last = self._store.last_post(self._topic.name, GENRE, self._slot)
        if last is not None:
            arrived = self._store.arrivals(papers)
            day, seen = last
            moved = self._store.stood_elsewhere(self._topic.name)
            papers = {
                id_: paper
                for id_, paper in papers.items()
                if paper.announced > day or arrived[id_] > seen or id_ in moved
            }
        return papers, [match for match in matches if match.paper in papers]

    def _chosen(self, matches: Sequence[Match], papers: Mapping[str, Paper], homes: Home) -> Chosen:
        from digest import choose

        store, model = self._store, self._plan.model
        found, rows = store.vectors(model, list(papers))
        recent = store.posted_since(self._slot - NOVELTY_DAYS)
        return choose.choose(
            self._topic,
            matches,
            papers,
            dict(zip(found, rows, strict=True)),
            posted=store.posted_papers(),
            posted_vectors=store.vectors(model, recent)[1],
            posted_titles={choose.fold_title(paper.title) for paper in store.papers(recent)},
            topics=homes.topics,
            young=self._young,
        )

    def _reason(self, matches: Sequence[Match], chosen: Chosen, waiting: Sequence[date]) -> str:
        from digest import choose

        if chosen.choices and any(one.genre == GENRE for one in self._topic.series):
            return f"{len(chosen.choices)} papers wait for the next day of its series"
        last = self._store.last_post(self._topic.name, GENRE, self._slot)
        since = last[0] + timedelta(days=1) if last else self._slot - timedelta(days=self._plan.lookback)
        announced = sum(self._store.day_counts(since, self._slot).values())
        scores = [match.score for match in matches]
        return choose.empty_reason(
            self._topic,
            self._slot,
            announced=announced,
            scores=scores,
            left_out=chosen.left_out,
            waiting=waiting,
        )


def _stands(paper: str, topic: str) -> LeftOut:
    return LeftOut(paper, f"{ELSEWHERE}{topic}, which it fits better")


def missing(there: Sequence[Post], languages: Sequence[Language]) -> list[Language]:
    """The languages in which there is no post that was not rejected."""
    live = {post.language for post in there if post.state != "rejected"}
    return [language for language in languages if language not in live]


def before(there: Sequence[Post]) -> str:
    """Why no post is written where there are some."""
    if rejected := [str(post.id) for post in there if post.state == "rejected"]:
        return f"post {', '.join(rejected)} was rejected; `digest write` writes another"
    return "written before"


def draft(
    store: Store,
    writer: Writer,
    topic: Topic,
    slot: date,
    language: Language,
    choices: Sequence[Choice],
    updates: Sequence[Update] = (),
    *,
    words: Words | None = None,
) -> Draft:
    """A topic's roundup of a day in a language, of papers that were chosen and of updates, in other words
    as far as there are any."""
    from digest.render import write_post
    from digest.summarize import summarize

    told = [choice.paper for choice in choices] + [one.paper for one in updates]
    papers = {paper.id: paper for paper in store.papers(told)}
    sentences = {choice.paper: summarize(papers[choice.paper], SENTENCES[choice.tier]) for choice in choices}
    shown = [papers[choice.paper] for choice in choices if choice.tier != "named"]
    told_anew = {paper.id: _in_words(words, paper, sentences[paper.id], language) for paper in shown}
    writer = replace(writer, turn=store.turn(topic.name, GENRE, slot))
    return write_post(
        writer, topic, slot, language, choices, papers, sentences, updates=updates, told=told_anew
    )


def _in_words(words: Words | None, paper: Paper, sentences: Sequence[str], language: Language) -> Told:
    """A paper's title and sentences in other words, as far as there are any; in English the title stays."""
    if words is None or not sentences:
        return Told()
    text = words("tell" if language == "en" else "translate", " ".join(sentences), language)
    return Told(None if language == "en" else words("title", paper.title, language), text)


def _tally(chosen: Chosen) -> str:
    """How many papers were left out, by reason."""
    reasons = Counter(left.reason.split(" of ")[0] for left in chosen.left_out)
    return ", ".join(f"{number} {reason}" for reason, number in reasons.items()) or "none left out"
