"""Topics: their keys with every decision about them, and the papers that match."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Delete, Executable, Select, delete, func, select, update

from digest.store import dialect
from digest.store.base import StoreBase, columns, insert_rows, known_numbers, put_cursor, put_row, read_as
from digest.store.dialect import is_one_of
from digest.store.prepared import prepared
from digest.store.tables import key_decision, match, paper, topic, topic_fit, topic_key
from digest.store.tables import left_out as kept_out
from digest.types import ELSEWHERE, Key, KeyDecision, KeyState, LeftOut, Match, Origin, Stage

_MATCHES = select(*{**columns(match, Match), "paper": paper.c.id.label("paper")}.values()).join(
    paper, paper.c.number == match.c.paper
)

CONFIGURATION = "configuration"
CONFIGURED: tuple[Origin, ...] = ("seed", "adjacent")
PROGRAM = "digest"
OPEN: tuple[KeyState, ...] = ("proposed", "lapsed")
"""Nobody has decided on these keys."""


class TopicStore(StoreBase):
    """Keys and matches."""

    def sync_keys(self, topic_name: str, keys: Sequence[Key], now: datetime) -> None:
        """Make the seed and adjacent keys of a topic those of the configuration, whatever was decided
        before: new ones become active, those no longer configured are retired.
        """
        with self._writing() as connection:
            ensure_topic(connection, topic_name)
            stored = _keys(connection, topic_name)
            for key in keys:
                active = replace(key, topic=topic_name, state="active")
                _put(connection, stored.get(key.normal), active, CONFIGURATION, "configured", now)
            configured = {key.normal for key in keys}
            for normal, old in stored.items():
                ours = old.origin in CONFIGURED and old.state == "active"
                if ours and normal not in configured:
                    retired = replace(old, state="retired")
                    _put(connection, old, retired, CONFIGURATION, "no longer configured", now)

    def keys(self, topic_name: str, states: Sequence[KeyState] | None = None) -> list[Key]:
        """The keys of a topic, all or those in some states, in the order in which they came."""
        with self._reading() as connection:
            found = _keys(connection, topic_name).values()
        return [key for key in found if states is None or key.state in states]

    def count_keys(self, state: KeyState) -> dict[str, int]:
        """How many keys in this state each topic has that has any."""
        counted = select(topic_key.c.topic, func.count()).where(topic_key.c.state == state)
        with self._reading() as connection:
            return dict(connection.execute(counted.group_by(topic_key.c.topic)).all())

    def propose_keys(
        self,
        keys: Sequence[Key],
        now: datetime,
        cursors: Mapping[str, str] | None = None,
        retired: Sequence[tuple[Key, str]] = (),
        looked: Collection[str] = (),
    ) -> list[Key]:
        """Store keys the program has found, and cursors by name with them; gives those that are new.

        One that is still proposed gets the new evidence and state; what was once decided stays.
        ``retired`` are active keys that are active no more, each with the reason; ``looked`` are topics
        of which all found keys are given: what else was proposed lapses.
        """
        with self._writing() as connection:
            known = {name: _keys(connection, name) for name in {*looked, *(key.topic for key in keys)}}
            found = {(key.topic, key.normal): key for key in keys}
            new = [key for key in found.values() if key.normal not in known[key.topic]]
            for key in found.values():
                ensure_topic(connection, key.topic)
                old = known[key.topic].get(key.normal)
                if old is None or old.state in OPEN:
                    _put(connection, old, key, PROGRAM, "found in the archive", now)
            for key in (key for name in looked for key in known[name].values()):
                if key.state == "proposed" and (key.topic, key.normal) not in found:
                    _put(connection, key, replace(key, state="lapsed"), PROGRAM, "not found again", now)
            for key, reason in retired:
                _put(connection, key, replace(key, state="retired"), PROGRAM, reason, now)
            for name, value in (cursors or {}).items():
                put_cursor(connection, name, value, now)
        return new

    def decide_key(
        self, topic_name: str, text: str, normal: str, state: KeyState, *, by: str, reason: str, now: datetime
    ) -> Key:
        """Set the state of a key by its normal form, as a person wants it; an unknown one is added."""
        with self._writing() as connection:
            ensure_topic(connection, topic_name)
            old = _keys(connection, topic_name).get(normal)
            fresh = Key(topic=topic_name, text=text, normal=normal, state=state, origin="human")
            key = fresh if old is None else replace(old, state=state)
            if key.origin == "auto" and state == "active":
                key = replace(key, origin="human")  # a person looked at it: its papers may lead to others
            _put(connection, old, key, by, reason, now)
        return key

    def key_history(self, topic_name: str, normal: str) -> list[KeyDecision]:
        """All that was decided about a key, oldest first."""
        query = select(*columns(key_decision, KeyDecision).values()).order_by(key_decision.c.id)
        of_key = query.where(key_decision.c.topic == topic_name, key_decision.c.normal == normal)
        with self._reading() as connection:
            return read_as(KeyDecision, connection, of_key)

    def put_matches(
        self,
        topic_name: str,
        matches: Sequence[Match],
        fingerprint: str,
        *,
        scored: Collection[str] | None = None,
        left_out: Sequence[LeftOut] = (),
        day: date = date.min,
    ) -> None:
        """Replace a topic's matches of the papers ``scored`` (by default those of ``matches``), and note
        what they were computed from, in one transaction. Other papers keep the match they have.
        ``left_out`` are those of the papers that something ruled out on a ``day``."""
        papers = {one.paper: one for one in matches}
        with self._writing() as connection:
            ensure_topic(connection, topic_name)
            numbers = known_numbers(connection, [*papers, *(scored or ())])
            again = list(numbers.values())
            connection.execute(*_forget_matches(topic_name, again))
            rows = [_match_row(topic_name, numbers[id_], one) for id_, one in papers.items()]
            insert_rows(connection, match, rows)
            connection.execute(*_forget_ruled_out(topic_name, again))
            _put_left_out(connection, topic_name, "match", day, left_out)
            put_row(connection, topic_fit, {"topic": topic_name, "fingerprint": fingerprint})

    def put_left_out(self, topic_name: str, day: date, left_out: Sequence[LeftOut]) -> None:
        """Note why papers were left out of a topic's post of a day; what was noted of them before is
        forgotten."""
        with self._writing() as connection:
            ensure_topic(connection, topic_name)
            _put_left_out(connection, topic_name, "write", day, left_out)

    def left_out(self, paper_id: str) -> dict[str, tuple[date, str]]:
        """By topic the day on which a paper was last left out, and why."""
        query = select(kept_out.c.topic, kept_out.c.day, kept_out.c.reason)
        query = query.join(paper, paper.c.number == kept_out.c.paper).where(paper.c.id == paper_id)
        with self._reading() as connection:
            return {row.topic: (row.day, row.reason) for row in connection.execute(query)}

    def stood_elsewhere(self, topic_name: str) -> set[str]:
        """The papers that were last left out of a topic's post because they stood in another topic."""
        with self._reading() as connection:
            return set(connection.scalars(*_elsewhere(topic_name)))

    def fit_fingerprint(self, topic_name: str) -> str | None:
        """What a topic's matches were last computed from; None where they never were."""
        with self._reading() as connection:
            return connection.scalar(select(topic_fit.c.fingerprint).where(topic_fit.c.topic == topic_name))

    def matches(self, topic_name: str, since: date, until: date, min_score: float) -> list[Match]:
        """A topic's matches among the papers announced on these days (both included), best first.

        Papers that were withdrawn since they matched are left out.
        """
        return self._find(*_matches(topic_name, since, until, min_score))

    def silent_matches(self, topic_name: str, min_score: float) -> list[str]:
        """The ids of all papers that match a topic without one of its seed keys."""
        query = select(paper.c.id).join(match, match.c.paper == paper.c.number)
        silent = query.where(
            match.c.topic == topic_name, match.c.silent, match.c.score >= min_score, ~paper.c.withdrawn
        )
        with self._reading() as connection:
            return list(connection.scalars(silent))

    def matches_of(self, paper_id: str) -> list[Match]:
        """A paper's match in each topic it was scored for."""
        return self._find(_MATCHES.where(paper.c.id == paper_id).order_by(match.c.topic))

    def scores(self, topic_name: str, ids: Sequence[str]) -> dict[str, float]:
        """The scores of those of these papers that match a topic."""
        query = select(paper.c.id, match.c.score).join(match, match.c.paper == paper.c.number)
        with self._reading() as connection:
            inside = is_one_of(paper.c.id, ids)
            return dict(connection.execute(query.where(match.c.topic == topic_name, inside)).all())

    def _find(self, query: Select[Any], given: dict[str, Any] | None = None) -> list[Match]:
        with self._reading() as connection:
            return read_as(Match, connection, query, given)


def ensure_topic(connection: Connection, name: str) -> None:
    """Make a topic known."""
    connection.execute(*_make_known(connection.dialect.name, name))


def _keys(connection: Connection, topic_name: str) -> dict[str, Key]:
    return {key.normal: key for key in read_as(Key, connection, *_keys_of(topic_name))}


@prepared
def _make_known(kind: str, /, name: str) -> Executable:
    return dialect.named(kind).insert(topic).values(name=name).on_conflict_do_nothing()


@prepared
def _keys_of(name: str) -> Select[Any]:
    query = select(*columns(topic_key, Key).values()).where(topic_key.c.topic == name)
    return query.order_by(topic_key.c.id)


@prepared
def _matches(name: str, since: date, until: date, min_score: float) -> Select[Any]:
    query = _MATCHES.where(
        match.c.topic == name,
        match.c.score >= min_score,
        paper.c.announced.between(since, until),
        ~paper.c.withdrawn,
    )
    return query.order_by(match.c.score.desc(), match.c.paper)


@prepared
def _elsewhere(name: str) -> Select[Any]:
    query = select(paper.c.id).join(kept_out, kept_out.c.paper == paper.c.number)
    return query.where(kept_out.c.topic == name, kept_out.c.reason.startswith(ELSEWHERE))


@prepared
def _forget_matches(name: str, papers: list[int]) -> Delete:
    return delete(match).where(match.c.topic == name, is_one_of(match.c.paper, papers))


@prepared
def _forget_ruled_out(name: str, papers: list[int]) -> Delete:
    ours = (kept_out.c.topic == name) & (kept_out.c.stage == "match")
    return delete(kept_out).where(ours, is_one_of(kept_out.c.paper, papers))


@prepared
def _forget_left_out(name: str, papers: list[int]) -> Delete:
    return delete(kept_out).where(kept_out.c.topic == name, is_one_of(kept_out.c.paper, papers))


def _put(connection: Connection, old: Key | None, key: Key, by: str, reason: str, now: datetime) -> None:
    """Write a key as it is to be; a decision is noted where its state or origin is new."""
    if old == key:
        return
    values = {"text": key.text, "state": key.state, "origin": key.origin, "evidence": key.evidence}
    if old is None:
        new = {"topic": key.topic, "normal": key.normal, "created": now}
        insert_rows(connection, topic_key, [{**new, **values}])
    else:
        where = (topic_key.c.topic == key.topic) & (topic_key.c.normal == key.normal)
        connection.execute(update(topic_key).where(where).values(values))
    if old is None or (old.state, old.origin) != (key.state, key.origin):
        decision = {"topic": key.topic, "normal": key.normal, "state": key.state, "evidence": key.evidence}
        about = {"decided_by": by, "decided_at": now, "reason": reason}
        insert_rows(connection, key_decision, [{**decision, **about}])


def _put_left_out(
    connection: Connection, topic_name: str, stage: Stage, day: date, left_out: Sequence[LeftOut]
) -> None:
    numbers = known_numbers(connection, [one.paper for one in left_out])
    connection.execute(*_forget_left_out(topic_name, list(numbers.values())))
    about = {"topic": topic_name, "day": day, "stage": stage}
    reasons = {numbers[one.paper]: one.reason for one in left_out}
    insert_rows(connection, kept_out, [{**about, "paper": at, "reason": why} for at, why in reasons.items()])


def _match_row(topic_name: str, number: int, one: Match) -> dict[str, object]:
    return {
        "topic": topic_name,
        "paper": number,
        "score": one.score,
        "silent": one.silent,
        "evidence": one.evidence,
        "scorer": one.scorer,
    }
