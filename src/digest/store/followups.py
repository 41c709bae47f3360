"""What comes after a part was sent: edits, polls and pins; alarms; readers' reactions; questions to editors.

A follow-up goes queued, sending, sent as a delivery does. An edit and a pin leave the same when they are
made twice, so what was cut off is queued again; a poll is not, and never asked twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Executable, Select, Update, exists, false, func, or_, select, update

from digest.store.base import columns, insert, insert_rows, put_row, read_as
from digest.store.dialect import is_one_of, place_of
from digest.store.outbox import OutboxStore, in_turn, put_turn
from digest.store.prepared import prepared
from digest.store.tables import (
    chat,
    delivery,
    followup,
    paper,
    part,
    pause,
    post,
    post_paper,
    question,
    reaction,
)
from digest.types import (
    Delivery,
    DeliveryState,
    FollowUp,
    FollowUpKind,
    Part,
    Pause,
    Question,
    Reactions,
    Turn,
)


class FollowUpStore(OutboxStore):
    """Follow-ups and what readers and editors say."""

    # Edits, polls, pins.

    def standing(
        self, channel: str, since: datetime, *, marked: bool = False, genres: Collection[str] = ()
    ) -> list[Delivery]:
        """The parts that stand in a channel, by a number that is known, and that something may have to
        follow, oldest first: those whose text was changed, or changed back; and of those sent since then
        the ones of these genres, and (``marked``) of posts one of whose papers was withdrawn or has a
        newer version."""
        with self._reading() as connection:
            return read_as(Delivery, connection, *_standing(marked, channel, since, list(genres)))

    def last_edits(self, deliveries: Collection[int]) -> dict[int, str]:
        """The sha256 of the newest edit of each delivery that has one, whatever became of it."""
        with self._reading() as connection:
            return dict(connection.execute(*_last_edits(list(deliveries))).all())

    def add_edit(self, delivery_id: int, content: Part, base: str, why: str, now: datetime) -> None:
        """Queue an edit of what stands there; one that still waits is cancelled."""
        waiting = (followup.c.delivery == delivery_id) & (followup.c.kind == "edit")
        row = _row(delivery_id, "edit", why, now) | {
            "content": content,
            "sha256": content.sha256,
            "base": base,
        }
        with self._writing() as connection:
            stale = update(followup).where(waiting, followup.c.state == "queued")
            connection.execute(stale.values(state="cancelled", error="a later edit takes its place"))
            connection.execute(followup.insert().values(row))

    def add_once(self, delivery_id: int, kind: FollowUpKind, why: str, now: datetime) -> None:
        """Queue a poll or a pin, unless there is one."""
        there = select(followup.c.id).where(followup.c.delivery == delivery_id, followup.c.kind == kind)
        with self._writing() as connection:
            if connection.scalar(there.limit(1)) is None:
                connection.execute(followup.insert().values(_row(delivery_id, kind, why, now)))

    def claim_followup(
        self, channel: str, kinds: Collection[FollowUpKind], now: datetime, turn: Turn
    ) -> FollowUp | None:
        """Take the oldest follow-up of these kinds that is due; as `claim_delivery`."""
        with self._writing() as connection:
            id_ = connection.scalar(*_claim(channel, list(kinds), now, turn.sender, turn.owner))
            if id_ is None:
                return None
            put_turn(connection, turn)
            return read_as(FollowUp, connection, _followups().where(followup.c.id == id_))[0]

    def followup_waits(self, channel: str, kinds: Collection[FollowUpKind], now: datetime) -> bool:
        """Whether one is due."""
        with self._reading() as connection:
            return connection.scalar(*_next(channel, list(kinds), now)) is not None

    def record_followup(
        self,
        one: FollowUp,
        state: DeliveryState,
        now: datetime,
        *,
        error: str | None = None,
        not_before: datetime | None = None,
        rest: datetime | None = None,
    ) -> None:
        """Write down how it ended. A part that was edited is from then on what it was edited to."""
        ended = {"state": state, "error": error, "not_before": not_before, "updated": now}
        with self._writing() as connection:
            query = update(followup).where(followup.c.id == one.id, followup.c.state == "sending")
            connection.execute(query.values(**ended))
            if state == "sent" and one.base is not None:
                edited = update(delivery).where(delivery.c.id == one.delivery)
                connection.execute(edited.values(sha256=one.base))
            if rest is not None:
                put_row(connection, chat, {"id": one.chat, "rest": rest})

    def recover_followups(self, channels: Collection[str], now: datetime) -> None:
        """At start: what was cut off is done again, but for polls, which may have been asked. Call it as
        `recover_deliveries`."""
        with self._writing() as connection:
            connection.execute(*_cut_off(True, list(channels), now))
            connection.execute(*_cut_off(False, list(channels), now))

    def followups(
        self, *, post_id: int | None = None, states: Sequence[DeliveryState] | None = None
    ) -> list[FollowUp]:
        """The follow-ups that fit, oldest first."""
        query = _followups()
        if post_id is not None:
            query = query.where(delivery.c.post == post_id)
        if states is not None:
            query = query.where(followup.c.state.in_(states))
        with self._reading() as connection:
            return read_as(FollowUp, connection, query)

    # Alarms.

    def untold(self, channels: Collection[str]) -> tuple[list[Delivery], list[Pause]]:
        """What is held or refused, and what is paused, of which nobody was told."""
        with self._reading() as connection:
            held = read_as(Delivery, connection, *_untold_parts(list(channels)))
            return held, read_as(Pause, connection, *_untold_pauses(list(channels)))

    def put_told(self, deliveries: Collection[int], pauses: Collection[str], now: datetime) -> None:
        """The editors were told of these."""
        with self._writing() as connection:
            connection.execute(update(delivery).where(delivery.c.id.in_(deliveries)).values(told=now))
            connection.execute(update(pause).where(pause.c.channel.in_(pauses)).values(told=now))

    # What readers and editors say.

    def put_reactions(self, chats: Collection[str], message: int, counts: Mapping[str, int]) -> bool:
        """The reactions to a message of a chat (by any of its names) now; whether it is a part of a post."""
        where = func.lower(delivery.c.chat).in_([chat.lower() for chat in chats])
        query = select(delivery.c.id).where(where, delivery.c.message == message)
        with self._writing() as connection:
            connection.execute(reaction.delete().where(reaction.c.delivery.in_(query)))
            id_ = connection.scalar(query.limit(1))
            if id_ is None:
                return False
            rows: list[dict[str, object]] = [
                {"delivery": id_, "emoji": emoji, "count": count} for emoji, count in counts.items()
            ]
            insert_rows(connection, reaction, rows)
        return True

    def reactions(self, post_id: int | None = None) -> list[Reactions]:
        """Readers' reactions to the parts of posts, newest post first; to one post."""
        sums = (delivery.c.post, delivery.c.part, reaction.c.emoji, func.sum(reaction.c.count))
        query = select(*sums).join(delivery, delivery.c.id == reaction.c.delivery)
        query = query.group_by(*sums[:3]).order_by(delivery.c.post.desc(), delivery.c.part, sums[3].desc())
        if post_id is not None:
            query = query.where(delivery.c.post == post_id)
        found: dict[tuple[int, int], dict[str, int]] = {}
        with self._reading() as connection:
            for post_, part_, emoji, count in connection.execute(query):
                found.setdefault((post_, part_), {})[emoji] = count
        return [Reactions(post=at[0], part=at[1], counts=counts) for at, counts in found.items()]

    def paper_reactions(self, topic: str) -> list[Reactions]:
        """Readers' reactions to the parts of a topic's posts that show papers, with these."""
        link = place_of("arxiv.org/abs/" + paper.c.id, part.c.html)
        one = (delivery.c.post, delivery.c.part, paper.c.id, reaction.c.emoji)
        query = (
            select(*one, func.sum(reaction.c.count))
            .select_from(reaction)
            .join(delivery, delivery.c.id == reaction.c.delivery)
            .join(post, post.c.id == delivery.c.post)
            .join(post_paper, post_paper.c.post == post.c.id)
            .join(paper, paper.c.number == post_paper.c.paper)
            .join(part, (part.c.post == delivery.c.post) & (part.c.number == delivery.c.part))
            .where(post.c.topic == topic, link > 0)
            .group_by(*one)
        )
        found: dict[tuple[int, int], tuple[dict[str, int], dict[str, None]]] = {}
        with self._reading() as connection:
            for post_, part_, paper_, emoji, count in connection.execute(query):
                counts, papers = found.setdefault((post_, part_), ({}, {}))
                counts[emoji], papers[paper_] = count, None
        return [
            Reactions(post=at[0], part=at[1], counts=counts, papers=tuple(papers))
            for at, (counts, papers) in found.items()
        ]

    def put_question(self, one: Question) -> None:
        """An editor was asked."""
        values = {name: getattr(one, name) for name in Question.__struct_fields__}
        with self._writing() as connection:
            connection.execute(insert(connection, question).values(values).on_conflict_do_nothing())

    def question(self, chat: str, message: int) -> Question | None:
        """What was asked by a message."""
        query = select(question).where(question.c.chat == chat, question.c.message == message)
        with self._reading() as connection:
            return next(iter(read_as(Question, connection, query)), None)


def _row(delivery_id: int, kind: FollowUpKind, why: str, now: datetime) -> dict[str, object]:
    asked = {"delivery": delivery_id, "kind": kind, "why": why}
    return {**asked, "state": "queued", "attempts": 0, "updated": now}


def _followups() -> Select[Any]:
    own = [followup.c[name] for name in FollowUp.__struct_fields__ if name in followup.c]
    where = [delivery.c[name] for name in ("post", "part", "channel", "chat", "message")]
    query = select(*own, *where).join(delivery, delivery.c.id == followup.c.delivery)
    return query.order_by(followup.c.id)


@prepared
def _standing(marked: bool, /, channel: str, since: datetime, genres: list[str]) -> Select[Any]:
    theirs = (part.c.post == delivery.c.post) & (part.c.number == delivery.c.part)
    shown = (post_paper.c.post == delivery.c.post) & (paper.c.number == post_paper.c.paper)
    newer = (paper.c.version > 1) & (paper.c.updated > delivery.c.attempted)
    news = exists().where(shown, or_(paper.c.withdrawn, newer)) if marked else false()
    wanted = or_(news, post.c.genre.in_(genres)) & (delivery.c.attempted >= since)
    waiting = (followup.c.delivery == delivery.c.id) & (followup.c.state == "queued")
    stale = exists().where(waiting, followup.c.base != part.c.sha256)
    there = (delivery.c.state == "sent") & delivery.c.message.is_not(None) & delivery.c.chat.is_not(None)
    query = select(*columns(delivery, Delivery).values()).order_by(delivery.c.id)
    query = query.join(part, theirs).join(post, post.c.id == delivery.c.post)
    query = query.where(there, or_(part.c.sha256 != delivery.c.sha256, stale, wanted))
    return query.where(delivery.c.channel == channel)


@prepared
def _last_edits(deliveries: list[int]) -> Select[Any]:
    edits = (followup.c.kind == "edit") & is_one_of(followup.c.delivery, deliveries)
    newest = select(func.max(followup.c.id)).where(edits).group_by(followup.c.delivery)
    return select(followup.c.delivery, followup.c.sha256).where(followup.c.id.in_(newest))


@prepared
def _untold_parts(channels: list[str]) -> Select[Any]:
    bad = delivery.c.state.in_(("uncertain", "failed")) & delivery.c.told.is_(None)
    held = select(*columns(delivery, Delivery).values()).where(bad, delivery.c.channel.in_(channels))
    return held.order_by(delivery.c.id)


@prepared
def _untold_pauses(channels: list[str]) -> Select[Any]:
    query = select(pause.c.channel, pause.c.reason, pause.c.since)
    return query.where(pause.c.told.is_(None), pause.c.channel.in_(channels))


@prepared
def _claim(channel: str, kinds: list[FollowUpKind], now: datetime, name: str, owner: str) -> Executable:
    due = _due(channel, kinds, now).scalar_subquery()
    query = update(followup).where(followup.c.id == due, in_turn(name, owner, now))
    taken = {"state": "sending", "attempts": followup.c.attempts + 1, "updated": now, "error": None}
    return query.values(**taken).returning(followup.c.id)


@prepared
def _next(channel: str, kinds: list[FollowUpKind], now: datetime) -> Select[Any]:
    return _due(channel, kinds, now)


@prepared
def _cut_off(again: bool, /, channels: list[str], now: datetime) -> Update:
    theirs = select(delivery.c.id).where(delivery.c.channel.in_(channels))
    cut = update(followup).where(followup.c.state == "sending", followup.c.delivery.in_(theirs))
    if again:
        return cut.where(followup.c.kind != "poll").values(state="queued", updated=now)
    told = "the program ended while it was being asked: it may stand there, and is not asked again"
    return cut.where(followup.c.kind == "poll").values(state="failed", error=told, updated=now)


def _due(channel: str, kinds: Collection[FollowUpKind], now: datetime) -> Select[Any]:
    ready: ColumnElement[bool] = or_(followup.c.not_before.is_(None), followup.c.not_before <= now)
    query = select(followup.c.id).join(delivery, delivery.c.id == followup.c.delivery)
    query = query.where(delivery.c.channel == channel, delivery.c.state == "sent", ready)
    query = query.where(followup.c.state == "queued", followup.c.kind.in_(kinds))
    return query.order_by(followup.c.id).limit(1)
