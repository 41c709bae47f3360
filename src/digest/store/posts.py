"""Posts, their frozen parts, and the delivery of each part to each channel.

A post, its parts and its queued deliveries are written in one transaction, and once: it is unique by
topic, slot, genre and language. A delivery goes queued, sending, sent; what was being sent when the
program died is uncertain and stays so until a person, or a look at the channel, has settled it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, exists, or_, select, type_coerce, update

from digest.errors import StoreError
from digest.store import sqlite
from digest.store.base import StoreBase, columns, insert_rows, known_numbers, read_as
from digest.store.tables import delivery, paper, part, post, post_paper
from digest.store.topics import ensure_topic
from digest.types import Choice, Delivery, DeliveryState, Draft, Language, Part, Post, PostState

LIVE: tuple[PostState, ...] = ("draft", "approved")
"""The states in which a post holds its papers; a rejected one gives them back."""


class PostStore(StoreBase):
    """Posts and deliveries."""

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

    def choices(self, id_: int) -> list[Choice]:
        """Why a post's papers were chosen, in their order."""
        query = select(post_paper.c.choice).where(post_paper.c.post == id_).order_by(post_paper.c.position)
        with self._reading() as connection:
            return list(connection.scalars(query))

    def claim_delivery(self, channel: str, now: datetime) -> Delivery | None:
        """Take the oldest part that may go to a channel now: it is "sending" and committed as such.

        That is a queued part of an approved post whose earlier parts were sent. One UPDATE, so no two
        processes take the same part. (PostgreSQL: FOR UPDATE SKIP LOCKED in the subquery.)
        """
        due = _due(channel, now).scalar_subquery()
        taken = {"state": "sending", "attempts": delivery.c.attempts + 1, "updated": now, "error": None}
        query = update(delivery).where(delivery.c.id == due).values(taken).returning(*_COLUMNS)
        with self._writing() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else Delivery(**row)

    def record_delivery(
        self,
        id_: int,
        state: DeliveryState,
        now: datetime,
        *,
        receipt: str | None = None,
        error: str | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """Write down how sending ended, also after it was held as uncertain meanwhile.

        ``not_before``: a part that is queued again waits until then. Raises StoreError for a part that
        nobody was sending: what was sent never becomes anything else.
        """
        ended = {"receipt": receipt, "error": error, "not_before": not_before}
        if not self._move(id_, ("sending", "uncertain"), state, now, ended):
            raise StoreError(f"{self.file}: delivery {id_} was not being sent and cannot become {state}")

    def set_delivery_state(
        self, id_: int, from_states: Sequence[DeliveryState], to_state: DeliveryState, now: datetime
    ) -> bool:
        """Move a delivery from one of these states by hand (try again, give up); whether it was in one."""
        return self._move(id_, from_states, to_state, now, {"not_before": None})

    def recover_deliveries(self, now: datetime, repeatable: Collection[str] = ()) -> int:
        """At start: what was being sent when the last run ended is uncertain, and how many those are.

        On channels that are ``repeatable`` it is queued again instead. Call it only while no other process
        delivers.
        """
        sending = update(delivery).where(delivery.c.state == "sending")
        again, held = delivery.c.channel.in_(repeatable), delivery.c.channel.not_in(repeatable)
        told = "the program ended while this was being sent: it may have arrived"
        with self._writing() as connection:
            connection.execute(sending.where(again).values(state="queued", updated=now))
            return connection.execute(
                sending.where(held).values(state="uncertain", error=told, updated=now)
            ).rowcount

    def deliveries(
        self,
        *,
        post_id: int | None = None,
        channel: str | None = None,
        states: Sequence[DeliveryState] | None = None,
    ) -> list[Delivery]:
        """The deliveries that fit, oldest first."""
        query = select(*_COLUMNS).order_by(delivery.c.id)
        if post_id is not None:
            query = query.where(delivery.c.post == post_id)
        if channel is not None:
            query = query.where(delivery.c.channel == channel)
        if states is not None:
            query = query.where(delivery.c.state.in_(states))
        with self._reading() as connection:
            return read_as(Delivery, connection, query)

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

    def _move(
        self,
        id_: int,
        from_states: Sequence[DeliveryState],
        to_state: DeliveryState,
        now: datetime,
        values: Mapping[str, object],
    ) -> bool:
        query = update(delivery).where(delivery.c.id == id_, delivery.c.state.in_(from_states))
        with self._writing() as connection:
            return connection.execute(query.values(state=to_state, updated=now, **values)).rowcount == 1


_COLUMNS = tuple(columns(delivery, Delivery).values())


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


def _due(channel: str, now: datetime) -> Select[Any]:
    earlier = delivery.alias("earlier")
    unsent_before = exists().where(
        earlier.c.post == delivery.c.post,
        earlier.c.channel == delivery.c.channel,
        earlier.c.part < delivery.c.part,
        earlier.c.state != "sent",
    )
    due = select(delivery.c.id).join(post, post.c.id == delivery.c.post)
    due = due.where(
        delivery.c.channel == channel,
        delivery.c.state == "queued",
        post.c.state == "approved",
        or_(delivery.c.not_before.is_(None), delivery.c.not_before <= now),
        ~unsent_before,
    )
    return due.order_by(delivery.c.id).limit(1)


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
    if row.sha256 != _sha256(row.html, row.text):
        raise StoreError(f"part {row.number} of post {row.post} is not what was written: it will not be sent")
    return Part(html=row.html, text=row.text, entities=row.entities)


def _part_row(post_id: int, number: int, one: Part) -> dict[str, object]:
    return {
        "post": post_id,
        "number": number,
        "html": one.html,
        "text": one.text,
        "entities": one.entities,
        "sha256": _sha256(one.html, one.text),
    }


def _choice_row(post_id: int, position: int, one: Choice, numbers: Mapping[str, int]) -> dict[str, object]:
    return {
        "post": post_id,
        "position": position,
        "paper": numbers[one.paper],
        "tier": one.tier,
        "choice": one,
    }


def _sha256(html: str, text: str) -> str:
    return hashlib.sha256(f"{html}\0{text}".encode()).hexdigest()
