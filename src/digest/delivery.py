"""The last stage: what is queued goes out, a part at a time; then what follows it.

    store.claim_delivery | channel.send           | store.record_delivery
    store.claim_followup | channel.edit, ask, pin | store.record_followup

A claim is committed before anything leaves the machine. A part whose sending was cut off is sent again
only where that does no harm (a file), or where a look at the channel shows that it is not there;
elsewhere it is held as uncertain, because a public double is worse than a gap that a person can close.
What is promised is: at most once, and told (docs/telegram.md).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TypedDict

from digest import followup
from digest.channels import Channel, RemoteChannel, Seen, Sender
from digest.clock import Clock
from digest.errors import (
    DeliveryError,
    DigestError,
    DiskFailed,
    Gone,
    Moved,
    NotSent,
    Paused,
    Refused,
    Stopped,
    StoreError,
    Uncertain,
)
from digest.pipeline import Counting
from digest.stopping import STOP
from digest.store import Store
from digest.types import (
    Delivery,
    DeliveryState,
    FollowUp,
    FollowUpKind,
    Part,
    Pause,
    Post,
    StageReport,
    Turn,
)

TURN = timedelta(seconds=150)
"""How long a turn lasts after each step. No step takes half as long, so another process may take over
from one that has died, and only from such a one."""

PACE = timedelta(seconds=3.5)
"""Between two messages to a chat: 20 a minute are allowed (https://core.telegram.org/bots/faq)."""

NAP = timedelta(seconds=60)
"""The longest that a process sleeps; what has to wait longer stays queued."""

BACK_OFF = timedelta(seconds=30)
"""After the first connection that could not be made; twice as long after each further one, to an hour."""

LOOK_AFTER = timedelta(seconds=120)
"""A request may be under way for a minute; only then can a part's absence be seen."""

_TOO_EARLY = "it may still be on its way, and is looked for two minutes after it was sent"

FIRST_LOOKS = timedelta(minutes=70)
"""For so long the first message of all is looked for, at the beginning of a channel: also by a timer that
delivers each hour. After that each look would only forward old messages once more."""

_NO_EARLIER = "no earlier message of the channel is known, so nobody can see that it is not there"

MISSES = 10
"""So many numbers in a row with no message: nothing follows. Message ids of a chat are consecutive."""

LOOKS = 40
MOVES = 3
CLOCKS_DIFFER = timedelta(minutes=10)
ALIKE = 0.6
_FOLLOWING: tuple[FollowUpKind, ...] = ("edit", "poll", "pin")
_QUIETLY: tuple[FollowUpKind, ...] = ("edit",)


def deliver(store: Store, channels: Sequence[Channel], clock: Clock) -> StageReport:
    """Send what is queued and due. Channels that share a sender take their turn together; a process that
    finds it taken by another leaves it at that."""
    count = Counting("deliver", "sent")
    local = [channel for channel in channels if not isinstance(channel, RemoteChannel)]
    remote = [channel for channel in channels if isinstance(channel, RemoteChannel)]
    repeatable = {channel.name for channel in local if channel.repeatable}
    held = store.recover_deliveries(clock.now(), repeatable, {channel.name for channel in local})
    if held:
        count.add("uncertain", held)
    for channel in local:
        _send_all(store, channel, clock, count)
    for sender in dict.fromkeys(channel.sender for channel in remote):
        group = [channel for channel in remote if channel.sender is sender]
        _Round(store, sender, group, clock, count).run()
    return count.report()


def _send_all(store: Store, channel: Channel, clock: Clock, count: Counting) -> None:
    going = True
    while going:
        with STOP.held():
            going = _send_next(store, channel, clock, count)


def _send_next(store: Store, channel: Channel, clock: Clock, count: Counting) -> bool:
    """Whether there was a part, and it did not have to be queued again."""
    delivery = store.claim_delivery(channel.name, clock.now())
    if delivery is None:
        return False
    try:
        receipt = channel.send(_to_send(store, delivery), delivery.part)
    except (DeliveryError, StoreError) as error:  # a damaged post must not hold up the others
        state = state_after(error)
        store.record_delivery(delivery.id, state, clock.now(), error=str(error))
        count.notes.append(f"{_named(delivery)} {state}: {error}")
        count.add(state)
        return state != "queued"
    store.record_delivery(delivery.id, "sent", clock.now(), receipt=receipt)
    count.add("sent")
    return True


def state_after(error: DeliveryError | StoreError) -> DeliveryState:
    """What a part becomes that could not be sent; without a class of its own an error is not certain."""
    match error:
        case NotSent():
            return "queued"
        case Refused() | StoreError():
            return "failed"
        case _:
            return "uncertain"


class _Round:
    """A sender's turn: alone, it settles what is uncertain, then sends what is due."""

    def __init__(
        self, store: Store, sender: Sender, group: Sequence[RemoteChannel], clock: Clock, count: Counting
    ) -> None:
        self._store, self._sender, self._group = store, sender, group
        self._clock, self._count = clock, count
        self._names = {channel.name for channel in group}
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex}"
        self._held: dict[int, str] = {}
        self._paused: set[str] = set()
        self._alarms: list[str] = []

    def run(self) -> None:
        with self._turn() as ours:
            if not ours:
                return
            self._recover()
            self._remind()
            if not self._may_go():
                return
            try:
                self._sender.open()
                for channel in self._group:
                    self._settle(channel)
                for channel in self._group:
                    self._send(channel)
                    self._follow(channel)
            except NotSent as error:
                self._count.add("stopped" if isinstance(error, Stopped) else "queued")
                self._rest(error, 1)
            except _Over:
                pass
            self._tell()

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        busy = self._take_turn()
        if busy is not None:
            why = f"another process is sending; if it has died, its turn ends at {busy:%H:%M:%S} UTC"
            self._note(f"{self._sender.name}: {why}")
        try:
            yield busy is None
        finally:
            if busy is None:
                self._store.end_turn(self._sender.name, self._owner)

    def _take_turn(self) -> datetime | None:
        now = self._clock.now()
        return self._store.take_turn(self._sender.name, self._owner, now, now + TURN)

    def _recover(self) -> None:
        now = self._clock.now()
        held = self._store.recover_deliveries(now, (), self._names)
        if held:
            self._count.add("uncertain", held)
        self._store.recover_followups(self._names, now)
        for channel in self._group:
            followup.plan(self._store, channel, now)

    def _remind(self) -> None:
        """Say at each run what was refused before: it holds up its post until a person has settled it."""
        for one in self._store.deliveries(states=("failed",)):
            if one.channel in self._names:
                self._count.add("held")
                self._note(f"{_named(one)} was refused{_THEN['failed']}")

    def _may_go(self) -> bool:
        """Whether there is something to do, and the sender need not rest."""
        now = self._clock.now()
        if not any(self._is_waiting(channel, now) for channel in self._group) and not any(self._untold()):
            return False
        until = self._store.sender_rests(self._sender.name, now)
        if until is not None:
            self._count.add("queued")
            self._note(
                f"{self._sender.name}: no request before {until:%Y-%m-%d %H:%M:%S} UTC; the parts wait"
            )
        return until is None

    def _is_waiting(self, channel: RemoteChannel, now: datetime) -> bool:
        following = self._store.followup_waits(channel.name, _FOLLOWING, now)
        return following or self._store.is_waiting(channel.name, now)

    # What is uncertain.

    def _settle(self, channel: RemoteChannel) -> None:
        """Look for each uncertain part: where it stands it was sent, where it surely does not it is
        queued again, and otherwise a person has to say."""
        channel.chat = self._store.chat(channel.address).id
        for delivery in self._store.deliveries(channel=channel.name, states=("uncertain",)):
            reason = self._cannot_look(channel, delivery)
            if reason is None:
                try:
                    self._settle_one(channel, delivery)
                    continue
                except (Paused, Moved) as error:  # that concerns the looking, not the sending
                    reason = str(error)
                except NotSent:
                    raise
                except DigestError as error:
                    reason = str(error)
            self._note(f"{_named(delivery)} is held: {reason}; digest outbox list says what to do")
            if reason != _TOO_EARLY:
                self._held[delivery.id] = reason
                self._count.add("held")

    def _cannot_look(self, channel: RemoteChannel, delivery: Delivery) -> str | None:
        """Why an uncertain part cannot be looked for now; None where it can."""
        if not channel.can_look:
            return "it may have been sent, and nobody looks for it"
        if delivery.attempted is None:
            return "it is not known when it was sent, so it cannot be looked for"
        if delivery.chat != channel.chat:
            return f"it was for another chat, {delivery.chat}"
        if delivery.sha256 != _post(self._store, delivery).parts[delivery.part].sha256:
            return "its text was changed since, so it cannot be looked for"
        waited = self._clock.now() - delivery.attempted
        if waited < LOOK_AFTER:
            return _TOO_EARLY
        return _NO_EARLIER if delivery.after is None and waited > FIRST_LOOKS else None

    def _settle_one(self, channel: RemoteChannel, delivery: Delivery) -> None:
        part = _post(self._store, delivery).parts[delivery.part]
        message = self._find(channel, delivery, part)
        now = self._clock.now()
        if message is None:
            self._store.set_delivery_state(delivery.id, ("uncertain",), "queued", now)
            self._note(f"{_named(delivery)} is not in the channel: it is sent again")
        else:
            receipt = channel.receipt(message)
            self._store.record_delivery(delivery.id, "sent", now, receipt=receipt, message=message)
            self._count.add("found")
            self._note(f"{_named(delivery)} had arrived: {receipt}")

    def _find(self, channel: RemoteChannel, delivery: Delivery, part: Part) -> int | None:
        """The number of the message that a part became; None where MISSES in a row are not there. Raises
        Uncertain, or what `look` raises, for anything that is neither. Where no earlier message is known it
        may be found at the beginning of a new channel, but never be missed."""
        assert delivery.attempted is not None
        after = delivery.after or 0
        sent = self._store.deliveries(channel=channel.name, states=("sent",))
        taken = {one.receipt for one in sent}
        misses = 0
        for message in range(after + 1, after + 1 + LOOKS):
            if self._take_turn() is not None:
                raise Uncertain("another process took over")
            if channel.receipt(message) in taken:
                misses = 0
                continue
            seen = channel.look(message)
            if seen is not None and is_same(seen, part, delivery.attempted):
                return message
            misses = misses + 1 if seen is None else 0
            if misses == MISSES and delivery.after is None:
                raise Uncertain(_NO_EARLIER)
            if misses == MISSES:
                return None
        raise Uncertain(f"it is not among the {LOOKS} messages that follow")

    # What is due.

    def _send(self, channel: RemoteChannel) -> None:
        while self._store.is_waiting(channel.name, self._clock.now()) and self._ready(channel):
            with STOP.held():
                delivery = self._send_next(channel)
            if delivery is None:
                return
            if _is_last(self._store, delivery):  # its poll comes before the next post
                followup.plan(self._store, channel, self._clock.now(), delivery.post)
                self._follow(channel)

    def _send_next(self, channel: RemoteChannel) -> Delivery | None:
        """The part that was tried; None where none may go."""
        now = self._clock.now()
        delivery = self._store.claim_delivery(
            channel.name, now, self._claim(channel, now), **may_begin(channel, now)
        )
        if delivery is not None:
            self._send_one(channel, delivery)
        return delivery

    def _claim(self, channel: RemoteChannel, now: datetime) -> Turn:
        return Turn(
            sender=self._sender.name,
            owner=self._owner,
            until=now + TURN,
            chat=channel.chat,
            rest=now + PACE,
        )

    def _ready(self, channel: RemoteChannel) -> bool:
        """Whether something can go to the channel now, after a nap where the pace asks for one."""
        known, now = self._store.chat(channel.address), self._clock.now()
        channel.chat = known.id
        pause = self._store.pause(channel.name, channel.address)
        if pause is not None:
            self._paused.add(channel.name)
            self._count.counts["paused"] = len(self._paused)
            self._note(
                f"{channel.name}: paused since {pause.since:%Y-%m-%d %H:%M} UTC: {pause.reason}. "
                f"Then: digest channel check {channel.name}"
            )
            return False
        if channel.quiet is not None and (until := channel.quiet.until(now)):
            self._note(f"{channel.name}: quiet until {until:%Y-%m-%d %H:%M} UTC; new posts wait")
        rest = (known.rest or now) - now
        if rest > NAP:
            self._note(f"{channel.name}: may go on at {known.rest:%Y-%m-%d %H:%M:%S} UTC")
            return False
        if rest > timedelta(0):
            self._clock.sleep(rest.total_seconds())
        return True

    def _send_one(self, channel: RemoteChannel, delivery: Delivery) -> None:
        try:
            receipt = channel.send(_to_send(self._store, delivery), delivery.part)
        except DeliveryError as error:
            self._not_sent(channel, delivery, error)
        except StoreError as error:  # a part that was changed in the file
            self._not_sent(channel, delivery, Refused(str(error)))
        else:
            message, now = channel.message(receipt), self._clock.now()
            self._store.record_delivery(
                delivery.id, "sent", now, receipt=receipt, message=message, rest=now + PACE
            )
            self._count.add("sent")

    def _not_sent(self, channel: RemoteChannel, delivery: Delivery, error: DeliveryError) -> None:
        """Write down that a part was not, or may not have been, sent, and what follows from it for the
        channel and the sender. Raises _Over where the round ends with it."""
        state, now = state_after(error), self._clock.now()
        self._store.record_delivery(delivery.id, state, now, error=str(error), rest=now + PACE)
        if not isinstance(error, (Paused, Moved)):  # that is told of the channel, and this is sent at once
            self._count.add(state)
            self._note(f"{_named(delivery)} {state}: {error}{_THEN.get(state, '')}")
        match error:
            case Moved():
                self._store.move_chat(channel.chat, error.chat)
                if delivery.attempts > MOVES:
                    raise _Over
            case Paused():
                self._store.pause_channel(channel.name, channel.address, str(error), now)
            case NotSent():
                self._rest(error, delivery.attempts, told=True)
                raise _Over
            case Refused():
                pass
            case _:  # the network is ill: no further part is risked
                raise _Over

    def _rest(self, error: NotSent, attempts: int, *, told: bool = False) -> None:
        """Let the sender rest: as long as it was told to, else longer after each attempt."""
        if not told:
            self._note(f"{error}; the parts wait")
        if not isinstance(error, Stopped):
            back_off = min(BACK_OFF * 2 ** min(attempts - 1, 10), timedelta(hours=1))
            self._store.rest_sender(self._sender.name, self._clock.now() + (error.wait or back_off))

    # What follows.

    def _follow(self, channel: RemoteChannel) -> None:
        """Make the edits, polls and pins that are due; none of them ends the sending of posts, but for
        what concerns the whole sender."""
        while self._store.followup_waits(channel.name, _FOLLOWING, self._clock.now()):
            if not self._ready(channel):
                return
            now = self._clock.now()
            kinds = _QUIETLY if _is_quiet(channel, now) else _FOLLOWING
            with STOP.held():
                one = self._store.claim_followup(channel.name, kinds, now, self._claim(channel, now))
                if one is None:
                    return
                self._follow_one(channel, one)

    def _follow_one(self, channel: RemoteChannel, one: FollowUp) -> None:
        try:
            self._do(channel, one)
        except DeliveryError as error:
            self._not_done(one, error)
        except StoreError as error:
            self._not_done(one, Refused(str(error)))
        else:
            now = self._clock.now()
            self._store.record_followup(one, "sent", now, rest=now + PACE)
            self._count.add(_DONE[one.kind])

    def _do(self, channel: RemoteChannel, one: FollowUp) -> None:
        post = _to_send(self._store, one)
        if one.chat != channel.chat:
            raise Gone(f"it stands in another chat, {one.chat}")
        match one.kind:
            case "edit":
                assert one.content is not None
                channel.edit(one.message, post, one.part, one.content)
            case "poll":
                self._store.note_message(channel.chat, channel.ask(post))
            case "pin":
                channel.pin(one.message)

    def _not_done(self, one: FollowUp, error: DeliveryError) -> None:
        """Write down that a follow-up was not done. Raises _Over where the sender has to rest."""
        state, wait = followup.outcome(one, error)
        now = self._clock.now()
        self._store.record_followup(one, state, now, error=str(error), not_before=now + wait, rest=now + PACE)
        told = f"{_named(one)}: the {one.kind} ({one.why}) is {state}: {error}"
        self._note(told)
        if state == "failed" and one.kind == "edit":
            self._alarms.append(told)
        if isinstance(error, NotSent) and not isinstance(error, (Paused, Moved)):
            self._rest(error, one.attempts, told=True)
            raise _Over

    # Words.

    def _note(self, text: str) -> None:
        if text not in self._count.notes:
            self._count.notes.append(text)

    def _untold(self) -> tuple[list[Delivery], list[Pause]]:
        """What the editors have to know and were not told. A part that may have been sent is told when
        nobody but them can settle it."""
        held, paused = self._store.untold(self._names)
        blind = {channel.name for channel in self._group if not channel.can_look}
        mine = (one for one in held if one.id in self._held or one.channel in blind or one.state == "failed")
        return list(mine), paused

    def _tell(self) -> None:
        """Tell the editors what happened, once: again only where it may not have arrived, as two alarms are
        better than none. While the sender has to rest the next round does it."""
        if self._store.sender_rests(self._sender.name, self._clock.now()) is not None:
            return
        held, paused = self._untold()
        lines = [_alarm(one, self._held.get(one.id) or one.error or "") for one in held]
        lines += [
            f"{one.channel} is paused: {one.reason}. Then: digest channel check {one.channel}"
            for one in paused
        ]
        if lines := list(dict.fromkeys([*lines, *self._alarms])):
            try:
                self._sender.tell("\n\n".join(lines))
            except NotSent as error:
                if error.wait is not None:
                    self._rest(error, 1, told=True)
                return
            except Uncertain:
                return
            except DigestError:  # the report says it too
                pass
            now = self._clock.now()
            self._store.put_told([one.id for one in held], [one.channel for one in paused], now)


_THEN = {
    "uncertain": "; it may have been posted: the next delivery in two minutes or later looks for it",
    "failed": "; the parts after it wait: digest outbox list says what to do",
}
_DONE = {"edit": "edited", "poll": "asked", "pin": "pinned"}


class _Over(Exception):
    """Nothing more is to be sent in this round."""


def is_same(seen: Seen, part: Part, attempted: datetime) -> bool:
    """Whether a message is what a part became. Raises Uncertain for one that could be: the same text at
    another time, or nearly the same text at that time (somebody has edited it)."""
    in_time = abs(seen.posted - attempted) <= CLOCKS_DIFFER
    if seen.text is None:
        if in_time:
            raise Uncertain("a message stands there that the bot cannot read")
        return False
    there, ours = _clean(seen.text), _clean(part.text)
    if there == ours:
        if not in_time:
            raise Uncertain(f"the same text stands there, posted on {seen.posted:%Y-%m-%d %H:%M} UTC")
        return True
    if in_time and _alike(there, ours):
        raise Uncertain("a message that is nearly the same stands there")
    return False


def _alarm(one: Delivery, reason: str) -> str:
    if one.state == "failed":
        return f"{_named(one)} was refused: {reason}. The parts after it wait: digest outbox list"
    what = f"{_named(one)} may stand in the channel, and nobody can tell but you ({reason})"
    return f"{what}. The parts after it wait: digest outbox list says what to do"


def _alike(there: str, ours: str) -> bool:
    some, others = set(there.split()), set(ours.split())
    return len(some & others) > ALIKE * len(some | others)


def _clean(text: str) -> str:
    """A text as Telegram would keep it."""
    from digest.markup import escape, parse

    return parse(escape(text)).text


def _to_send(store: Store, delivery: Delivery | FollowUp) -> Post:
    """The post of a part that is claimed. Raises NotSent where the disk failed: that says nothing of the
    post, which is read another time; any other StoreError says that it is damaged. It is read twice before
    that is believed: SQLite may call damaged what a disk did not give (SQLITE_CORRUPT after one EIO)."""
    with suppress(StoreError):
        return _post(store, delivery)
    try:
        return _post(store, delivery)
    except DiskFailed as error:
        raise NotSent(str(error)) from error


def _post(store: Store, delivery: Delivery | FollowUp) -> Post:
    post = store.post(delivery.post)
    if post is None:  # a delivery refers to its post by a foreign key
        raise StoreError(f"delivery {delivery.id} has lost its post {delivery.post}")
    return post


def _is_last(store: Store, delivery: Delivery) -> bool:
    return delivery.part == len(_post(store, delivery).parts) - 1


class MayBegin(TypedDict):
    """Which posts may be claimed for a channel: see `Store.claim_delivery`."""

    begun: bool
    before: datetime | None


def may_begin(channel: RemoteChannel, now: datetime) -> MayBegin:
    """Which posts the hours of a channel let out now."""
    before = channel.times.last(now) if channel.times else None
    return MayBegin(begun=_is_quiet(channel, now), before=before)


def _is_quiet(channel: RemoteChannel, now: datetime) -> bool:
    return channel.quiet is not None and channel.quiet.until(now) is not None


def _named(delivery: Delivery | FollowUp) -> str:
    return f"{delivery.channel}: post {delivery.post} part {delivery.part + 1}"
