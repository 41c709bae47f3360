"""Posts and their frozen parts.

A post, its parts and its queued deliveries are written in one transaction, and once: it is unique by
topic, slot, genre and language. What becomes of it is in ``history``, of the deliveries in ``outbox``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import structs
from sqlalchemy import ColumnElement, Connection, Row, Select, Text, func, select, type_coerce

from digest.errors import StoreError
from digest.store.base import StoreBase, columns, insert, insert_rows, known_numbers, read_as
from digest.store.dialect import is_one_of
from digest.store.prepared import prepared
from digest.store.tables import delivery, paper, part, post, post_change, post_paper, post_update, wording
from digest.store.topics import ensure_topic
from digest.types import Choice, Draft, Language, Part, Post, PostState, Wording

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
        were chosen from. A draft that is stored already (topic, slot, genre, language), and not rejected, is
        left as it is.
        """
        with self._writing() as connection:
            written = (_add(connection, one, state, seen, now) for one in drafts)
            added = [(one, id_) for one, id_ in zip(drafts, written, strict=True) if id_ is not None]
            for one, id_ in added:
                queue(connection, id_, len(one.parts), channels.get(one.language, ()), now)
        return [id_ for _, id_ in added]

    def last_post(self, topic_name: str, genre: str, before: date) -> tuple[date, int] | None:
        """Slot and ``seen`` of a topic's last post for a day before this one, if not rejected."""
        with self._reading() as connection:
            row = connection.execute(*_last_post(topic_name, genre, before)).one_or_none()
        return None if row is None else (row[0], row[1])

    def turn(self, topic_name: str, genre: str, before: date) -> int:
        """For how many days before this one a topic has posts of a genre."""
        query = select(func.count(post.c.slot.distinct()))
        wanted = query.where(post.c.topic == topic_name, post.c.genre == genre, post.c.slot < before)
        with self._reading() as connection:
            return connection.scalar(wanted) or 0

    def wording(self, key: str) -> Wording | None:
        """What an endpoint made of a text, by what it was asked."""
        query = select(*columns(wording, Wording).values()).where(wording.c.key == key)
        with self._reading() as connection:
            return next(iter(read_as(Wording, connection, query)), None)

    def put_wording(self, key: str, one: Wording) -> None:
        """Keep what an endpoint made of a text."""
        with self._writing() as connection:
            row = insert(connection, wording).values(key=key, **structs.asdict(one))
            connection.execute(row.on_conflict_do_nothing())

    def posted_papers(self, genre: str = "roundup") -> set[str]:
        """Ids of all papers in posts of a genre, and of the duplicates merged into them; papers of
        rejected posts are free again."""
        return self._posted(False, genre, date.min)

    def posted_since(self, day: date, genre: str = "roundup") -> list[str]:
        """As `posted_papers`, for posts of this day and later, sorted."""
        return sorted(self._posted(True, genre, day))

    def posts(
        self,
        *,
        topic: str | None = None,
        genre: str | None = None,
        language: str | None = None,
        state: PostState | None = None,
        since: date | None = None,
        until: date | None = None,
        bare: bool = False,
    ) -> list[Post]:
        """The posts that fit, oldest slot first; ``bare``: without their parts, to be listed."""
        equal = {post.c.topic: topic, post.c.genre: genre, post.c.language: language, post.c.state: state}
        conditions = [column == value for column, value in equal.items() if value is not None]
        conditions += [post.c.slot >= since] if since else []
        conditions += [post.c.slot <= until] if until else []
        with self._reading() as connection:
            return read_posts(connection, *conditions, bare=bare)

    def slots(self, until: date | None, count: int) -> list[date]:
        """The last days until this one that have posts, newest first."""
        query = select(post.c.slot).distinct().order_by(post.c.slot.desc()).limit(count)
        query = query.where(post.c.slot <= until) if until else query
        with self._reading() as connection:
            return list(connection.scalars(query))

    def published_mark(self) -> tuple[object, ...]:
        """Changes whenever a post, or what was delivered of it, does."""
        changes = select(func.max(post_change.c.id)).scalar_subquery()
        query = select(changes, func.count(delivery.c.id), func.max(delivery.c.updated))
        with self._reading() as connection:
            return tuple(connection.execute(query).one())

    def post(self, id_: int) -> Post | None:
        """One post; None also for a number that no row can have."""
        if id_.bit_length() >= 64:  # SQLite's integers end there, and a button's data may be forged
            return None
        with self._reading() as connection:
            return next(iter(read_posts(connection, post.c.id == id_)), None)

    def first_post(self, topic: str, genre: str, since: date) -> Post | None:
        """The first post of a topic for this day or later, without its parts."""
        query = select(post.c.id).where(post.c.topic == topic, post.c.genre == genre, post.c.slot >= since)
        first = query.order_by(post.c.slot, post.c.id).limit(1).scalar_subquery()
        with self._reading() as connection:
            return next(iter(read_posts(connection, post.c.id == first, bare=True)), None)

    def choices(self, id_: int) -> list[Choice]:
        """Why a post's papers were chosen, in their order."""
        query = select(post_paper.c.choice).where(post_paper.c.post == id_).order_by(post_paper.c.position)
        with self._reading() as connection:
            return list(connection.scalars(query))

    def posts_with(self, paper_id: str) -> list[Post]:
        """The posts that hold a paper, in whatever state, oldest first, without their parts."""
        numbers = select(post_paper.c.post).join(paper, paper.c.number == post_paper.c.paper)
        with self._reading() as connection:
            return read_posts(connection, post.c.id.in_(numbers.where(paper.c.id == paper_id)), bare=True)

    def merged_into(self, paper_id: str) -> str | None:
        """The paper of a post that stands for this one too, because they are near-identical."""
        held = type_coerce(post_paper.c.choice, Text)
        query = select(post_paper.c.choice).join(post).where(post.c.state.in_(LIVE))
        with self._reading() as connection:
            choices = connection.scalars(query.where(held.contains(f'"{paper_id}"', autoescape=True)))
            return next((one.paper for one in choices if paper_id in one.duplicates), None)

    def _posted(self, recent: bool, genre: str, day: date) -> set[str]:
        with self._reading() as connection:
            merging = connection.scalars(*_merging(recent, genre, day))
            merged = [one for choice in merging for one in choice.duplicates]
            return {*connection.scalars(*_posted(recent, genre, day)), *merged}


@prepared
def _last_post(topic: str, genre: str, before: date) -> Select[Any]:
    query = select(post.c.slot, post.c.seen).order_by(post.c.slot.desc(), post.c.seen.desc()).limit(1)
    wanted = query.where(post.c.topic == topic, post.c.genre == genre, post.c.state.in_(LIVE))
    return wanted.where(post.c.slot < before)


@prepared
def _posted(recent: bool, /, genre: str, day: date) -> Select[Any]:
    ids = select(paper.c.id).join(post_paper, post_paper.c.paper == paper.c.number)
    return ids.where(_of_live(recent, genre, day))


@prepared
def _merging(recent: bool, /, genre: str, day: date) -> Select[Any]:
    """Few choices merge any; the others, with all their evidence, need not be decoded."""
    merging = type_coerce(post_paper.c.choice, Text).like('%"duplicates":["%')
    return select(post_paper.c.choice).where(_of_live(recent, genre, day), merging)


def _of_live(recent: bool, genre: str, day: date) -> ColumnElement[bool]:
    live = select(post_paper.c.post).join(post).where(post.c.genre == genre, post.c.state.in_(LIVE))
    return post_paper.c.post.in_(select((live.where(post.c.slot >= day) if recent else live).subquery()))


def _add(connection: Connection, draft: Draft, state: PostState, seen: int, now: datetime) -> int | None:
    """The id of the new post; None where it is stored already."""
    ensure_topic(connection, draft.topics[0])
    row = insert(connection, post).values(
        topic=draft.topics[0],
        topics=draft.topics,
        slot=draft.slot,
        genre=draft.genre,
        language=draft.language,
        state=state,
        written_at=now,
        seen=seen,
        version=1,
    )
    id_: int | None = connection.scalar(row.on_conflict_do_nothing().returning(post.c.id))
    if id_ is not None:
        add_papers(connection, id_, draft)
        add_parts(connection, id_, draft.parts)
        written = {"post": id_, "version": 1, "at": now, "by": "digest", "what": "written"}
        insert_rows(connection, post_change, [written])
    return id_


def add_papers(connection: Connection, post_id: int, draft: Draft) -> None:
    """Store what a post tells of: its choices, each with the version the paper has now, and updates.
    Raises StoreError for a paper that is not stored."""
    told = [choice.paper for choice in draft.choices] + [one.paper for one in draft.updates]
    numbers = known_numbers(connection, told)
    versions: dict[int, int] = dict(connection.execute(*_versions(list(numbers.values()))).all())
    chosen: list[dict[str, object]] = [
        {
            "post": post_id,
            "position": position,
            "paper": numbers[one.paper],
            "tier": one.tier,
            "choice": one,
            "version": versions[numbers[one.paper]],
        }
        for position, one in enumerate(draft.choices)
    ]
    insert_rows(connection, post_paper, chosen)
    rows: list[dict[str, object]] = [
        {"post": post_id, "paper": numbers[one.paper], "told": one.told, "version": one.version}
        for one in draft.updates
    ]
    insert_rows(connection, post_update, rows)


@prepared
def _versions(numbers: list[int]) -> Select[Any]:
    return select(paper.c.number, paper.c.version).where(is_one_of(paper.c.number, numbers))


def add_parts(connection: Connection, post_id: int, parts: Sequence[Part]) -> None:
    """Store a post's parts."""
    insert_rows(connection, part, [part_row(post_id, at, one) for at, one in enumerate(parts)])


def queue(connection: Connection, post_id: int, parts: int, channels: Iterable[str], now: datetime) -> None:
    """Let each part wait for each of these channels."""
    waiting = {"post": post_id, "state": "queued", "attempts": 0, "updated": now}
    rows: list[dict[str, object]] = [
        {**waiting, "channel": channel, "part": number}
        for channel in dict.fromkeys(channels)
        for number in range(parts)
    ]
    insert_rows(connection, delivery, rows)


def read_posts(connection: Connection, *conditions: ColumnElement[bool], bare: bool = False) -> list[Post]:
    """The posts that fit, oldest slot first; ``bare``: without their parts."""
    rows = connection.execute(select(post).where(*conditions).order_by(post.c.slot, post.c.id)).all()
    papers: dict[int, list[str]] = {row.id: [] for row in rows}
    parts: dict[int, list[Part]] = {row.id: [] for row in rows}
    for id_, paper_id in connection.execute(*_papers_of(list(papers))):
        papers[id_].append(paper_id)
    for row in () if bare else connection.execute(*_parts_of(list(parts))):
        parts[row.post].append(_part(row))
    return [_post(row, papers[row.id], parts[row.id]) for row in rows]


@prepared
def _papers_of(posts: list[int]) -> Select[Any]:
    listed = select(post_paper.c.post, paper.c.id).join(paper, paper.c.number == post_paper.c.paper)
    return listed.where(is_one_of(post_paper.c.post, posts)).order_by(post_paper.c.position)


@prepared
def _parts_of(posts: list[int]) -> Select[Any]:
    return select(part).where(is_one_of(part.c.post, posts)).order_by(part.c.number)


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
        version=row.version,
    )


def _part(row: Row[Any]) -> Part:
    """The part as it was written; StoreError where the file was changed by another hand."""
    one = Part(row.html, row.text, row.entities, row.picture)
    if row.sha256 != one.sha256:
        raise StoreError(f"part {row.number} of post {row.post} is not what was written: it will not be sent")
    return one


def part_row(post_id: int, number: int, one: Part) -> dict[str, object]:
    """A part as it is stored."""
    return {
        "post": post_id,
        "number": number,
        "html": one.html,
        "text": one.text,
        "entities": one.entities,
        "sha256": one.sha256,
        "picture": one.picture,
    }
