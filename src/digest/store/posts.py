"""Posts and their frozen parts.

A post, its parts and its queued deliveries are written in one transaction, and once: it is unique by
topic, slot, genre and language. What becomes of the deliveries is in ``outbox``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, select, type_coerce, update

from digest.errors import StoreError
from digest.store import sqlite
from digest.store.base import StoreBase, insert_rows, known_numbers
from digest.store.tables import delivery, paper, part, post, post_paper
from digest.store.topics import ensure_topic
from digest.types import Choice, Draft, Language, Part, Post, PostState

LIVE: tuple[PostState, ...] = ("draft", "approved")
"""The states in which a post holds its papers; a rejected one gives them back."""


class PostStore(StoreBase):
    """Posts."""

    def add_posts(
        self,
        drafts: Sequence[Draft],
        channels: Mapping[Language, Sequence[str]],
        state: PostState,
        seen: int,
        now: datetime,
    ) -> list[int]:
        """Store drafts with parts and queued deliveries, all together or none; the ids of the new posts.

        ``channels`` are the channels' names by language, ``seen`` is the highest paper number the drafts
        were chosen from. A draft that is stored already (topic, slot, genre, language) is left as it is.
        """
        with self._writing() as connection:
            written = (_add(connection, one, state, seen, now) for one in drafts)
            added = [(one, id_) for one, id_ in zip(drafts, written, strict=True) if id_ is not None]
            for one, id_ in added:
                _queue(connection, id_, len(one.parts), channels.get(one.language, ()), now)
        return [id_ for _, id_ in added]

    def last_post(self, topic_name: str, genre: str, before: date) -> tuple[date, int] | None:
        """Slot and ``seen`` of a topic's last post for a day before this one, if not rejected."""
        query = select(post.c.slot, post.c.seen).order_by(post.c.slot.desc(), post.c.seen.desc()).limit(1)
        wanted = query.where(post.c.topic == topic_name, post.c.genre == genre, post.c.state.in_(LIVE))
        with self._reading() as connection:
            row = connection.execute(wanted.where(post.c.slot < before)).one_or_none()
        return None if row is None else (row[0], row[1])

    def posted_papers(self, genre: str = "roundup") -> set[str]:
        """Ids of all papers in posts of a genre, and of the duplicates merged into them; papers of
        rejected posts are free again."""
        return self._posted(post.c.genre == genre)

    def posted_since(self, day: date, genre: str = "roundup") -> list[str]:
        """As `posted_papers`, for posts of this day and later, sorted."""
        return sorted(self._posted((post.c.genre == genre) & (post.c.slot >= day)))

    def posts(
        self,
        *,
        topic: str | None = None,
        genre: str | None = None,
        language: str | None = None,
        state: PostState | None = None,
        since: date | None = None,
        until: date | None = None,
    ) -> list[Post]:
        """The posts that fit, oldest slot first."""
        equal = {post.c.topic: topic, post.c.genre: genre, post.c.language: language, post.c.state: state}
        conditions = [column == value for column, value in equal.items() if value is not None]
        conditions += [post.c.slot >= since] if since else []
        conditions += [post.c.slot <= until] if until else []
        with self._reading() as connection:
            return _read(connection, *conditions)

    def post(self, id_: int) -> Post | None:
        """One post."""
        with self._reading() as connection:
            return next(iter(_read(connection, post.c.id == id_)), None)

    def set_post_state(
        self, id_: int, from_states: Sequence[PostState], to_state: PostState, now: datetime
    ) -> bool:
        """Move a post from one of these states; whether it was in one (so two people cannot both decide)."""
        query = update(post).where(post.c.id == id_, post.c.state.in_(from_states))
        with self._writing() as connection:
            return connection.execute(query.values(state=to_state, decided_at=now)).rowcount == 1

    def replace_part(
        self, id_: int, number: int, new: Part, old: Part, *, state: PostState = "draft"
    ) -> bool:
        """Put a part in the place of ``old`` in a post of this state; False where it is in another, or the
        part is another by now. Where the part was sent, the next delivery edits the message."""
        ours = select(post.c.id).where(post.c.id == id_, post.c.state == state)
        query = update(part).where(part.c.post.in_(ours), part.c.number == number)
        with self._writing() as connection:
            values = _part_row(id_, number, new)
            return connection.execute(query.where(part.c.sha256 == old.sha256).values(values)).rowcount == 1

    def choices(self, id_: int) -> list[Choice]:
        """Why a post's papers were chosen, in their order."""
        query = select(post_paper.c.choice).where(post_paper.c.post == id_).order_by(post_paper.c.position)
        with self._reading() as connection:
            return list(connection.scalars(query))

    def posts_with(self, paper_id: str) -> list[Post]:
        """The posts that hold a paper, in whatever state, oldest first."""
        numbers = select(post_paper.c.post).join(paper, paper.c.number == post_paper.c.paper)
        with self._reading() as connection:
            return _read(connection, post.c.id.in_(numbers.where(paper.c.id == paper_id)))

    def merged_into(self, paper_id: str) -> str | None:
        """The paper of a post that stands for this one too, because they are near-identical."""
        held = type_coerce(post_paper.c.choice, Text)
        query = select(post_paper.c.choice).join(post).where(post.c.state.in_(LIVE))
        with self._reading() as connection:
            choices = connection.scalars(query.where(held.contains(f'"{paper_id}"', autoescape=True)))
            return next((one.paper for one in choices if paper_id in one.duplicates), None)

    def _posted(self, condition: ColumnElement[bool]) -> set[str]:
        live = select(post_paper.c.post).join(post).where(condition, post.c.state.in_(LIVE)).subquery()
        of_live = post_paper.c.post.in_(select(live))
        ids = select(paper.c.id).join(post_paper, post_paper.c.paper == paper.c.number).where(of_live)
        # Few choices merge any; the others, with all their evidence, need not be decoded.
        merging = type_coerce(post_paper.c.choice, Text).like('%"duplicates":["%')
        choices = select(post_paper.c.choice).where(of_live, merging)
        with self._reading() as connection:
            merged = (one for choice in connection.scalars(choices) for one in choice.duplicates)
            return {*connection.scalars(ids), *merged}


def _add(connection: Connection, draft: Draft, state: PostState, seen: int, now: datetime) -> int | None:
    """The id of the new post; None where it is stored already."""
    ensure_topic(connection, draft.topics[0])
    numbers = known_numbers(connection, [choice.paper for choice in draft.choices])
    row = sqlite.insert(post).values(
        topic=draft.topics[0],
        topics=draft.topics,
        slot=draft.slot,
        genre=draft.genre,
        language=draft.language,
        state=state,
        written_at=now,
        seen=seen,
    )
    id_: int | None = connection.scalar(row.on_conflict_do_nothing().returning(post.c.id))
    if id_ is not None:
        chosen = [_choice_row(id_, at, one, numbers) for at, one in enumerate(draft.choices)]
        insert_rows(connection, post_paper, chosen)
        insert_rows(connection, part, [_part_row(id_, at, one) for at, one in enumerate(draft.parts)])
    return id_


def _queue(connection: Connection, post_id: int, parts: int, channels: Iterable[str], now: datetime) -> None:
    waiting = {"post": post_id, "state": "queued", "attempts": 0, "updated": now}
    rows: list[dict[str, object]] = [
        {**waiting, "channel": channel, "part": number}
        for channel in dict.fromkeys(channels)
        for number in range(parts)
    ]
    insert_rows(connection, delivery, rows)


def _read(connection: Connection, *conditions: ColumnElement[bool]) -> list[Post]:
    rows = connection.execute(select(post).where(*conditions).order_by(post.c.slot, post.c.id)).all()
    papers: dict[int, list[str]] = {row.id: [] for row in rows}
    parts: dict[int, list[Part]] = {row.id: [] for row in rows}
    listed = select(post_paper.c.post, paper.c.id).join(paper, paper.c.number == post_paper.c.paper)
    of_posts = listed.where(sqlite.is_one_of(post_paper.c.post, papers)).order_by(post_paper.c.position)
    for id_, paper_id in connection.execute(of_posts):
        papers[id_].append(paper_id)
    theirs = select(part).where(sqlite.is_one_of(part.c.post, parts)).order_by(part.c.number)
    for row in connection.execute(theirs):
        parts[row.post].append(_part(row))
    return [_post(row, papers[row.id], parts[row.id]) for row in rows]


def _post(row: Row[Any], papers: Sequence[str], parts: Sequence[Part]) -> Post:
    return Post(
        id=row.id,
        topics=row.topics,
        slot=row.slot,
        genre=row.genre,
        language=row.language,
        state=row.state,
        papers=tuple(papers),
        parts=tuple(parts),
    )


def _part(row: Row[Any]) -> Part:
    """The part as it was written; StoreError where the file was changed by another hand."""
    one = Part(row.html, row.text, row.entities, row.picture)
    if row.sha256 != one.sha256:
        raise StoreError(f"part {row.number} of post {row.post} is not what was written: it will not be sent")
    return one


def _part_row(post_id: int, number: int, one: Part) -> dict[str, object]:
    return {
        "post": post_id,
        "number": number,
        "html": one.html,
        "text": one.text,
        "entities": one.entities,
        "sha256": one.sha256,
        "picture": one.picture,
    }


def _choice_row(post_id: int, position: int, one: Choice, numbers: Mapping[str, int]) -> dict[str, object]:
    return {
        "post": post_id,
        "position": position,
        "paper": numbers[one.paper],
        "tier": one.tier,
        "choice": one,
    }
