"""The delivery of each part to each channel, and who may send when.

A delivery goes queued, sending, sent. It is "sending", and committed as such, before anything leaves
the machine; what was being sent when the program died is uncertain and stays so until a look at the
channel, or a person, has settled it. Where several processes could send as one bot, a row says whose
turn it is: only the owner of the turn claims.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    Update,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from digest.errors import StoreError
from digest.store import dialect
from digest.store.base import StoreBase, columns, insert, put_cursor, put_row, read_as
from digest.store.dialect import greatest
from digest.store.prepared import prepared
from digest.store.tables import chat, delivery, part, pause, post, review, sender
from digest.types import Chat, Delivery, DeliveryState, Pause, Review, Turn


class OutboxStore(StoreBase):
    """Deliveries, turns, rests and pauses."""

    # Deliveries.

    def claim_delivery(
        self,
        channel: str,
        now: datetime,
        turn: Turn | None = None,
        *,
        begun: bool = False,
        before: datetime | None = None,
    ) -> Delivery | None:
        """Take the oldest part that may go to a channel now: it is "sending" and committed as such.

        That is a queued part of an approved post whose earlier parts were sent; with ``begun`` only of a
        post that stands there in part; with ``before`` of no new post that was approved later. With a
        ``turn`` there is none unless the turn is still its owner's and the sender need not rest. One
        UPDATE in a transaction of a writer, which come one after the other, so no two processes, nor two
        machines, take the same part.
        """
        due = begun, before is not None, channel, now, before or now
        claim = _claim(*due) if turn is None else _claim_in_turn(*due, turn.chat, turn.sender, turn.owner)
        with self._writing() as connection:
            row = connection.execute(*claim).mappings().one_or_none()
            if row is not None and turn is not None:
                put_turn(connection, turn)
        return None if row is None else Delivery(**row)

    def next_due(
        self, channel: str, now: datetime, *, begun: bool = False, before: datetime | None = None
    ) -> int | None:
        """The part that `claim_delivery` would take."""
        with self._reading() as connection:
            number: int | None = connection.scalar(
                *_next(begun, before is not None, channel, now, before or now)
            )
        return number

    def is_waiting(self, channel: str, now: datetime) -> bool:
        """Whether a part could go to a channel now, or one is uncertain there."""
        with self._reading() as connection:
            return any(
                connection.scalar(*query) is not None
                for query in (_next(False, False, channel, now, now), _uncertain(channel))
            )

    def record_delivery(
        self,
        id_: int,
        state: DeliveryState,
        now: datetime,
        *,
        receipt: str | None = None,
        message: int | None = None,
        error: str | None = None,
        not_before: datetime | None = None,
        rest: datetime | None = None,
    ) -> None:
        """Write down how sending ended, also after it was held as uncertain meanwhile.

        ``message`` is the number the part has in its chat, which rests until ``rest``; a part that is
        queued again waits until ``not_before``. Raises StoreError for a part that nobody was sending:
        what was sent never becomes anything else.
        """
        ended = {"receipt": receipt, "message": message, "error": error, "not_before": not_before}
        with self._writing() as connection:
            if not _move(connection, id_, ("sending", "uncertain"), state, now, ended):
                raise StoreError(f"{self.name}: delivery {id_} was not being sent and cannot become {state}")
            where = connection.scalar(select(delivery.c.chat).where(delivery.c.id == id_))
            if where is not None and message is not None:
                _note_message(connection, where, message)
            if where is not None and rest is not None:
                put_row(connection, chat, {"id": where, "rest": rest})

    def set_delivery_state(
        self,
        id_: int,
        from_states: Sequence[DeliveryState],
        to_state: DeliveryState,
        now: datetime,
        *,
        receipt: str | None = None,
        message: int | None = None,
    ) -> bool:
        """Move a delivery from one of these states by hand (it is there, try again, give up); whether it
        was in one."""
        values = {"not_before": None, "receipt": receipt, "message": message, "error": None}
        with self._writing() as connection:
            return _move(connection, id_, from_states, to_state, now, values)

    def recover_deliveries(
        self, now: datetime, repeatable: Collection[str] = (), channels: Collection[str] | None = None
    ) -> int:
        """At start: what was being sent when the last run ended is uncertain, and how many those are.

        On channels that are ``repeatable`` it is queued again instead. Call it only while no other process
        delivers to these ``channels`` (None: to any).
        """
        given = channels is not None, list(repeatable), now, list(channels or ())
        with self._writing() as connection:
            connection.execute(*_cut_off(True, *given))
            return connection.execute(*_cut_off(False, *given)).rowcount

    def hold_deliveries(self, channels: Collection[str], why: str, now: datetime) -> int:
        """What waits for these channels is uncertain, for a reason that a person has to look into; how
        many parts those are."""
        waiting = delivery.c.state.in_(("queued", "sending")), delivery.c.channel.in_(channels)
        held = update(delivery).where(*waiting).values(state="uncertain", error=why, updated=now)
        with self._writing() as connection:
            return connection.execute(held).rowcount

    def deliveries(
        self,
        *,
        post_id: int | None = None,
        channel: str | None = None,
        states: Sequence[DeliveryState] | None = None,
    ) -> list[Delivery]:
        """The deliveries that fit, oldest first."""
        wanted = {"post": post_id, "channel": channel, "state": None if states is None else tuple(states)}
        given = {name: value for name, value in wanted.items() if value is not None}
        with self._reading() as connection:
            return read_as(Delivery, connection, _deliveries(tuple(given)), given)

    # Turns and rests of a sender.

    def take_turn(self, name: str, owner: str, now: datetime, until: datetime) -> datetime | None:
        """Make it ``owner``'s turn to send until then, or go on with it; None when it is so now, else
        the time until which it is another's."""
        with self._writing() as connection:
            connection.execute(*_take_turn(connection.dialect.name, name, owner, until, now))
            found = connection.execute(*_turn(name)).one()
        return None if found.owner == owner else found.until

    def end_turn(self, name: str, owner: str) -> None:
        """Let others send, if it is still ``owner``'s turn."""
        with self._writing() as connection:
            connection.execute(*_end_turn(name, owner))

    def rest_sender(self, name: str, until: datetime) -> None:
        """Nothing goes through a sender until then."""
        with self._writing() as connection:
            put_row(connection, sender, {"name": name, "not_before": until})

    def sender_rests(self, name: str, now: datetime) -> datetime | None:
        """Until when a sender has to rest; None where it need not."""
        with self._reading() as connection:
            until: datetime | None = connection.scalar(*_rests(name, now))
        return until

    # Chats and pauses.

    def chat(self, address: str) -> Chat:
        """What is known of the chat that the configuration calls so, by the id it goes by now."""
        with self._reading() as connection:
            id_ = address
            for _ in range(3):  # a group becomes a supergroup, and that is all
                id_ = connection.scalar(*_moved(id_)) or id_
            known = read_as(Chat, connection, *_chat(id_))
        return known[0] if known else Chat(id=id_)

    def move_chat(self, old: str, new: str) -> None:
        """A chat goes by another id from now on."""
        if old != new:
            with self._writing() as connection:
                put_row(connection, chat, {"id": old, "moved": new})

    def note_message(self, id_: str, message: int) -> None:
        """A message with this number stands in a chat."""
        with self._writing() as connection:
            _note_message(connection, id_, message)

    def pause_channel(self, channel: str, address: str, reason: str, now: datetime) -> None:
        """The channel takes nothing at this address until it is resumed."""
        with self._writing() as connection:
            values = {"chat": address, "reason": reason, "since": now, "told": None}
            put_row(connection, pause, {"channel": channel, **values})

    def resume_channel(self, channel: str) -> bool:
        """End a pause; whether there was one."""
        with self._writing() as connection:
            return connection.execute(pause.delete().where(pause.c.channel == channel)).rowcount == 1

    def pause(self, channel: str, address: str) -> Pause | None:
        """The pause of a channel at this address."""
        with self._reading() as connection:
            return next(iter(read_as(Pause, connection, *_pause(channel, address))), None)

    # Reviews.

    def put_cursor(self, name: str, value: str, now: datetime) -> None:
        """Note how far what is named was read."""
        with self._writing() as connection:
            put_cursor(connection, name, value, now)

    def put_review(self, one: Review) -> None:
        """A post was shown to an editor."""
        with self._writing() as connection:
            values = {"version": one.version, "chat": one.chat, "message": one.message}
            put_row(connection, review, {"post": one.post, **values})

    def review(self, post_id: int) -> Review | None:
        """How a post was last shown to an editor."""
        query = select(review.c.post, review.c.version, review.c.chat, review.c.message)
        with self._reading() as connection:
            return next(iter(read_as(Review, connection, query.where(review.c.post == post_id))), None)


_COLUMNS = tuple(columns(delivery, Delivery).values())


def in_turn(name: str, owner: str, now: datetime) -> ColumnElement[bool]:
    """Whether it is still the owner's turn to send through a sender, which need not rest."""
    rested = or_(sender.c.not_before.is_(None), sender.c.not_before <= now)
    ours = (sender.c.name == name) & (sender.c.owner == owner) & (sender.c.until > now)
    return exists().where(ours & rested)


def put_turn(connection: Connection, turn: Turn) -> None:
    """A claim makes the turn last, and lets the chat rest."""
    put_row(connection, chat, {"id": turn.chat, "rest": turn.rest})
    put_row(connection, sender, {"name": turn.sender, "until": turn.until})


@prepared
def _claim(begun: bool, limited: bool, /, channel: str, now: datetime, before: datetime) -> Executable:
    return _claimed(_due(begun, limited, channel, now, before), now).returning(*_COLUMNS)


@prepared
def _claim_in_turn(
    begun: bool,
    limited: bool,
    /,
    channel: str,
    now: datetime,
    before: datetime,
    to: str,
    name: str,
    owner: str,
) -> Executable:
    last = select(chat.c.last).where(chat.c.id == to).scalar_subquery()
    claim = _claimed(_due(begun, limited, channel, now, before), now).where(in_turn(name, owner, now))
    return claim.values(chat=to, after=last).returning(*_COLUMNS)


def _claimed(due: Select[Any], now: datetime) -> Update:
    theirs = (part.c.post == delivery.c.post) & (part.c.number == delivery.c.part)
    sha256 = select(part.c.sha256).where(theirs).scalar_subquery()
    taken = {"state": "sending", "attempts": delivery.c.attempts + 1, "attempted": now, "updated": now}
    claim = update(delivery).where(delivery.c.id == due.scalar_subquery())
    return claim.values(**taken, error=None, sha256=sha256)


@prepared
def _next(begun: bool, limited: bool, /, channel: str, now: datetime, before: datetime) -> Select[Any]:
    return _due(begun, limited, channel, now, before)


def _due(begun: bool, limited: bool, channel: str, now: datetime, before: datetime) -> Select[Any]:
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
    if begun:
        due = due.where(delivery.c.part > 0)
    if limited:
        approved = func.coalesce(post.c.decided_at, post.c.written_at)
        due = due.where((delivery.c.part > 0) | (approved <= before))
    return due.order_by(delivery.c.id).limit(1)


@prepared
def _uncertain(channel: str) -> Select[Any]:
    held = (delivery.c.channel == channel) & (delivery.c.state == "uncertain")
    return select(delivery.c.id).where(held).limit(1)


@prepared
def _cut_off(
    again: bool, of_channels: bool, /, repeatable: list[str], now: datetime, channels: list[str]
) -> Update:
    sending = update(delivery).where(delivery.c.state == "sending")
    if of_channels:
        sending = sending.where(delivery.c.channel.in_(channels))
    if again:
        return sending.where(delivery.c.channel.in_(repeatable)).values(state="queued", updated=now)
    told = "the program ended while this was being sent: it may have arrived"
    held = sending.where(delivery.c.channel.not_in(repeatable))
    return held.values(state="uncertain", error=told, updated=now)


@cache
def _deliveries(names: tuple[str, ...]) -> Select[Any]:
    """Those with these values in some columns, in one of these states."""
    given: dict[str, Any] = {name: bindparam(name) for name in names}
    states = [delivery.c.state.in_(given.pop("state"))] if "state" in given else []
    fit = [delivery.c[name] == one for name, one in given.items()]
    return select(*_COLUMNS).where(*fit, *states).order_by(delivery.c.id)


@prepared
def _take_turn(kind: str, /, name: str, owner: str, until: datetime, now: datetime) -> Executable:
    free = or_(sender.c.until.is_(None), sender.c.until <= now, sender.c.owner == owner)
    taken = {"owner": owner, "until": until}
    new = dialect.named(kind).insert(sender).values(name=name, **taken)
    return new.on_conflict_do_update(index_elements=["name"], set_=taken, where=free)


@prepared
def _turn(name: str) -> Select[Any]:
    return select(sender.c.owner, sender.c.until).where(sender.c.name == name)


@prepared
def _end_turn(name: str, owner: str) -> Update:
    ours = (sender.c.name == name) & (sender.c.owner == owner)
    return update(sender).where(ours).values(owner=None, until=None)


@prepared
def _rests(name: str, now: datetime) -> Select[Any]:
    return select(sender.c.not_before).where(sender.c.name == name, sender.c.not_before > now)


@prepared
def _moved(id_: str) -> Select[Any]:
    return select(chat.c.moved).where(chat.c.id == id_)


@prepared
def _chat(id_: str) -> Select[Any]:
    return select(chat.c.id, chat.c.last, chat.c.rest).where(chat.c.id == id_)


@prepared
def _pause(channel: str, address: str) -> Select[Any]:
    query = select(pause.c.channel, pause.c.reason, pause.c.since)
    return query.where(pause.c.channel == channel, pause.c.chat == address)


def _move(
    connection: Connection,
    id_: int,
    from_states: Sequence[DeliveryState],
    to_state: DeliveryState,
    now: datetime,
    values: Mapping[str, object],
) -> bool:
    given = {"of": id_, "from_states": tuple(from_states), "state": to_state, "updated": now, **values}
    return connection.execute(_moving(tuple(values)), given).rowcount == 1


@cache
def _moving(names: tuple[str, ...]) -> Update:
    query = update(delivery).where(delivery.c.id == bindparam("of"))
    query = query.where(delivery.c.state.in_(bindparam("from_states")))
    return query.values(told=None, **{name: bindparam(name) for name in ("state", "updated", *names)})


def _note_message(connection: Connection, id_: str, message: int) -> None:
    newest = greatest(func.coalesce(chat.c.last, 0), message)
    row = insert(connection, chat).values(id=id_, last=message)
    connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"last": newest}))
