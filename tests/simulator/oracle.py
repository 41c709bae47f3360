"""What must hold of a life, whatever goes wrong in it; read from arXiv's and Telegram's side, and from rows.

After each command: nothing that was stored is gone, what was sent stays so, versions only grow, the database
is sound. After each day: each part stands in its channel at most once and in order, no paper is in two
posts, or under two topics. At the end, after days without faults: the archive holds what arXiv
announced, all that is on topic was posted or left out for a reason, and each part stands in its channel, or
a person was told.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outbox import EDITOR
from simulator import papers

if TYPE_CHECKING:
    from simulator.life import Life

_STATES = {"queued", "sending", "sent", "uncertain", "failed", "cancelled"}
_POSTS = {"draft": {"draft", "approved", "rejected"}, "approved": {"approved"}, "rejected": {"rejected"}}
_TOLD = re.compile(r"(\w+): post (\d+) part (\d+) (?:may stand in the channel|was refused)")
_NOT_ROWS = {"run", "stamp", "word_change", "topic_fit", "sender"}
"""Tables that hold how long something took, or random words that say that something changed."""

# Reasons of a topic that a paper says, for which it may stand in no post. That it stands in another topic
# is none: then it stands in a post.
_REASONS = ("posted before", "near-duplicate", "withdrawn", "below the floor", "over the limit")


class Violation(AssertionError):
    """Something that must hold does not."""


class Witness:
    """Looks at a life from outside."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._papers: dict[str, int] = {}
        self._sent: set[int] = set()
        self._deliveries: set[int] = set()
        self._posts: dict[int, str] = {}

    # After each command.

    def after(self, command: str) -> None:
        """What was stored is there, and the database is sound."""
        with closing(self._connected()) as rows:
            self._look_at_papers(rows)
            self._look_at_posts(rows)
            self._look_at_deliveries(rows)
            if command == "run" or self._life.perils.struck:
                self._look_at_pages(rows, command)

    def _look_at_pages(self, rows: sqlite3.Connection, command: str) -> None:
        found = [row[0] for row in rows.execute("PRAGMA quick_check(3)")]
        self._expect(found == ["ok"], f"the database is damaged after {command}: {found}")
        orphans = rows.execute("PRAGMA foreign_key_check").fetchall()
        self._expect(not orphans, f"rows without their parent after {command}: {orphans}")

    def _look_at_papers(self, rows: sqlite3.Connection) -> None:
        now = dict(rows.execute("SELECT id, version FROM paper"))
        lost = [id_ for id_, version in self._papers.items() if now.get(id_, 0) < version]
        self._expect(not lost, f"papers are gone, or older than they were: {lost}")
        [indexed] = rows.execute("SELECT count(*) FROM paper_word_docsize").fetchone()
        self._expect(indexed == len(now), f"{indexed} papers in the words' index, {len(now)} stored")
        self._papers = now

    def _look_at_posts(self, rows: sqlite3.Connection) -> None:
        now = dict(rows.execute("SELECT id, state FROM post"))
        for id_, state in self._posts.items():
            self._expect(now.get(id_) in _POSTS[state], f"post {id_} was {state} and is {now.get(id_)}")
        self._posts = now

    def _look_at_deliveries(self, rows: sqlite3.Connection) -> None:
        now = dict(rows.execute("SELECT id, state FROM delivery"))
        self._expect(self._deliveries <= now.keys(), "deliveries are gone")
        self._expect(set(now.values()) <= _STATES, f"states nobody knows: {set(now.values()) - _STATES}")
        undone = [id_ for id_ in self._sent if now[id_] != "sent"]
        self._expect(not undone, f"what was sent is not any more: {undone}")
        self._sent = {id_ for id_, state in now.items() if state == "sent"}
        self._deliveries = set(now)

    # After each day.

    def look(self) -> None:
        """No doubles, no repeats, the order of parts, one topic for each paper; nobody asked too soon."""
        for channel in ("news", "club"):
            self._look_at_channel(channel)
        with closing(self._connected()) as rows:
            self._look_at_repeats(rows)
        early = [one for one in self._life.telegram.early() if one[0] != "getme" and one[2] > 0.5]
        heard = len(early) if not self._life.telegram.unheard else 0
        self._expect(not heard, f"sent while told to wait: {early}")

    def _look_at_channel(self, channel: str) -> None:
        intended, stands = self._intended(channel), Counter(text for _, text in self._messages(channel))
        strange = [text[:60] for text in stands if text not in intended]
        self._expect(not strange, f"{channel}: nobody wrote {strange}")
        doubled = {text[:60]: number for text, number in stands.items() if number > 1}
        self._expect(not doubled, f"{channel}: posted twice: {doubled}")
        place: dict[int, list[int]] = defaultdict(list)
        for _, text in self._messages(channel):
            post, part = intended[text]
            place[post].append(part)
        wrong = {post: parts for post, parts in place.items() if parts != sorted(parts)}
        self._expect(not wrong, f"{channel}: parts out of order: {wrong}")

    def _look_at_repeats(self, rows: sqlite3.Connection) -> None:
        query = """SELECT post.language, paper.id, count(*), count(DISTINCT post.topic) FROM post_paper
            JOIN post ON post.id = post_paper.post JOIN paper ON paper.number = post_paper.paper
            WHERE post.state != 'rejected' GROUP BY post.language, paper.id HAVING count(*) > 1"""
        again = rows.execute(query).fetchall()
        self._expect(not again, f"papers in two posts (language, paper, posts, topics): {again}")

    # At the end.

    def judge(self) -> None:
        """What must have come of it all."""
        self._archive_is_whole()
        self._on_topic_is_posted()
        for channel in ("news", "club"):
            self._parts_are_settled(channel)

    def _archive_is_whole(self) -> None:
        view = self._life.world.view("oai", self._life.clock.true())
        # What arXiv took out before anybody could see it is rightly not there; what was seen stays.
        there = [one for one in view.papers.values() if not one.deleted or one.record.id in self._papers]
        wanted = {one.record.id: one.record.version for one in there}
        self._expect(self._papers == wanted, f"the archive differs: {self._papers.items() ^ wanted.items()}")
        self._life.counts["papers"] += len(wanted)

    def _on_topic_is_posted(self) -> None:
        """Each paper on topic that was announced while the program was there, some days ago."""
        life = self._life
        until = life.clock.true().date() - timedelta(days=4)
        posted, reasons = self._posted(), self._left_out()
        for one in life.world.view("oai", life.clock.true()).papers.values():
            topics = papers.is_on(one.record)
            if not topics or one.mailed > until or one.before is not None or one.deleted:
                continue
            id_ = one.record.id
            told = {topic: reasons.get((id_, topic), "no reason") for topic in topics}
            excused = any(reason.startswith(_REASONS) for reason in told.values())
            self._expect(id_ in posted or excused, f"{id_} was lost: no post, {told}")
            life.counts["papers on topic posted"] += id_ in posted
            life.counts["papers on topic left out for a reason"] += id_ not in posted

    def _parts_are_settled(self, channel: str) -> None:
        stands = Counter(self._intended(channel)[text] for _, text in self._messages(channel))
        with closing(self._connected()) as rows:
            query = "SELECT post, part, state FROM delivery WHERE channel = ? ORDER BY id"
            known = rows.execute(query, (channel,)).fetchall()
        held: set[int] = set()
        for post, part, state in known:
            self._life.counts["parts"] += 1
            if stands[post, part] == 1:
                self._life.counts["parts that stand once"] += 1
                continue
            blocked = post in held or self.was_told(post, part, channel)
            self._expect(blocked, f"{channel}: post {post} part {part} is {state}, and nobody was told")
            held.add(post)
            self._life.counts["parts held, and told"] += 1

    # What is seen.

    def waits_for_a_person(self) -> bool:
        """Whether there is a draft, a pause, or a part that may stand in a channel."""
        wanted = ("post WHERE state = 'draft'", "pause", "delivery WHERE state = 'uncertain'")
        with closing(self._connected()) as rows:
            return any(rows.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in wanted)

    def was_told(self, post: int, part: int, channel: str) -> bool:
        """Whether the editor read that a part may stand there, or was refused."""
        text = "\n".join(one.text for one in self._life.telegram.messages(EDITOR))
        return (channel, str(post), str(part + 1)) in _TOLD.findall(text)

    def stands(self, post: int, part: int, channel: str) -> int | None:
        """The number of the message that a part became."""
        intended = self._intended(channel)
        found = (number for number, text in self._messages(channel) if intended.get(text) == (post, part))
        return next(found, None)

    def _messages(self, channel: str) -> Iterator[tuple[int, str]]:
        """Numbers and texts, as they were first sent, of what stands in a channel and its earlier group."""
        chats = [self._life.chats[name] for name in (f"old {channel}", channel) if name in self._life.chats]
        for chat in chats:
            for one in self._life.telegram.world.chats[chat].messages.values():
                if not one.is_service and one.by == self._life.telegram.world.bot["id"]:
                    first: dict[str, Any] = one.edits[0] if one.edits else one.content
                    yield one.message_id, str(first.get("text", ""))

    def _intended(self, channel: str) -> dict[str, tuple[int, int]]:
        """The parts of posts for a channel by their text."""
        query = """SELECT part.text, part.post, part.number FROM part
            JOIN delivery ON delivery.post = part.post AND delivery.part = part.number
            WHERE delivery.channel = ?"""
        with closing(self._connected()) as rows:
            return {text: (post, part) for text, post, part in rows.execute(query, (channel,))}

    def _posted(self) -> set[str]:
        query = "SELECT paper.id, choice FROM post_paper JOIN paper ON paper.number = post_paper.paper"
        with closing(self._connected()) as rows:
            return {row[0] for row in rows.execute(query)}

    def _left_out(self) -> dict[tuple[str, str], str]:
        query = """SELECT paper.id, left_out.topic, left_out.reason FROM left_out
            JOIN paper ON paper.number = left_out.paper"""
        with closing(self._connected()) as rows:
            return {(paper, topic): reason for paper, topic, reason in rows.execute(query)}

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._life.home / 'digest.sqlite3'}?mode=ro", uri=True)

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            life = self._life
            raise Violation(f"seed {life.seed}, {life.clock.true():%Y-%m-%d %H:%M} UTC: {otherwise}")


def rows(file: Path) -> Iterator[str]:
    """The rows of a database in order, but for those that hold random words or durations."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        for (name,) in connection.execute(query).fetchall():
            if name not in _NOT_ROWS:
                yield from sorted(f"{name} {row!r}" for row in connection.execute(f'SELECT * FROM "{name}"'))
