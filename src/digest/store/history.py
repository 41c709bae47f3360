"""What becomes of a post until it is sent: decisions and versions, none of which is ever lost.

A post stands in ``post``, ``post_paper`` and ``part`` as it is now. Changing it keeps what it was in
``post_version``; ``post_change`` says who did what and when. Rows of both are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from msgspec.structs import replace
from sqlalchemy import Connection, delete, func, select, union_all, update
from sqlalchemy.exc import NoResultFound

from digest.markup import blocks
from digest.store.base import StoreBase, insert_rows, read_as
from digest.store.posts import LIVE, add_papers, add_parts, part_row, queue, read_posts
from digest.store.tables import (
    delivery,
    paper,
    part,
    post,
    post_change,
    post_paper,
    post_update,
    post_version,
)
from digest.types import Change, Choice, Draft, Part, Post, PostState, Update

UNSENT = ("queued", "cancelled")
"""The states of a delivery of which nothing has left the machine."""


class HistoryStore(StoreBase):
    """Decisions about posts, their versions and their history."""

    def set_post_state(
        self,
        id_: int,
        from_states: Sequence[PostState],
        to_state: PostState,
        now: datetime,
        *,
        version: int | None = None,
        by: str = "digest",
    ) -> bool:
        """Move a post from one of these states; whether it was in one (so two people cannot both decide),
        and still in this ``version`` where one is given."""
        query = update(post).where(post.c.id == id_, post.c.state.in_(from_states))
        if version is not None:
            query = query.where(post.c.version == version)
        moved = query.values(state=to_state, decided_at=now).returning(post.c.version)
        with self._writing() as connection:
            now_at = connection.scalar(moved)
            if now_at is not None:
                _note(connection, id_, now_at, now, by, to_state)
        return now_at is not None

    def put_off(self, id_: int, until: datetime, now: datetime, *, by: str) -> bool:
        """Let what waits of a post wait until a time; whether anything did."""
        live = select(post.c.id).where(post.c.id == id_, post.c.state.in_(LIVE))
        waiting = update(delivery).where(delivery.c.post.in_(live), delivery.c.state == "queued")
        with self._writing() as connection:
            moved = connection.execute(waiting.values(not_before=until, updated=now)).rowcount
            if moved:
                version = connection.execute(select(post.c.version).where(post.c.id == id_)).scalar_one()
                _note(connection, id_, version, now, by, f"not before {until:%Y-%m-%d %H:%M} UTC")
        return moved > 0

    def put_version(
        self,
        id_: int,
        version: int,
        draft: Draft,
        as_written: Sequence[str],
        now: datetime,
        *,
        by: str,
        what: str,
    ) -> bool:
        """Make a draft of a post's next version, if it still is ``version`` and nothing of it has left
        the machine; whether it was so.

        ``draft`` gives choices, parts and updates, ``as_written`` the blocks as the template wrote them.
        What was approved has to be approved again. Queued deliveries follow the number of parts.
        """
        sent = select(delivery.c.id).where(delivery.c.post == id_, delivery.c.state.not_in(UNSENT))
        ours = (post.c.id == id_) & (post.c.version == version) & post.c.state.in_(LIVE)
        values = {
            "version": version + 1,
            "state": "draft",
            "decided_at": None,
            "as_written": tuple(as_written),
        }
        with self._writing() as connection:
            changed = update(post).where(ours, ~sent.exists()).values(**values)
            if not connection.execute(changed).rowcount:
                return False
            [old] = read_posts(connection, post.c.id == id_)
            _keep(connection, id_, version, old.parts)
            _replace(connection, id_, draft, now)
            _note(connection, id_, version + 1, now, by, what)
        return True

    def replace_part(
        self,
        id_: int,
        number: int,
        new: Part,
        old: Part,
        *,
        now: datetime,
        by: str,
        state: PostState = "draft",
    ) -> bool:
        """Put a part in the place of ``old`` in a post of this state; False where it is in another, or the
        part is another by now. The post has its next version then. Where the part was sent, the next
        delivery edits the message."""
        ours = select(post.c.id).where(post.c.id == id_, post.c.state == state)
        query = update(part).where(
            part.c.post.in_(ours), part.c.number == number, part.c.sha256 == old.sha256
        )
        with self._writing() as connection:
            before = read_posts(connection, post.c.id == id_)
            if not connection.execute(query.values(part_row(id_, number, new))).rowcount:
                return False
            _keep(connection, id_, before[0].version, before[0].parts)
            written = connection.scalar(select(post.c.as_written).where(post.c.id == id_))
            html = "\n\n".join(one.html for one in before[0].parts)
            after = {"version": before[0].version + 1, "as_written": written or blocks(html)}
            connection.execute(update(post).where(post.c.id == id_).values(**after))
            _note(connection, id_, before[0].version + 1, now, by, f"part {number + 1} changed")
        return True

    def as_written(self, id_: int) -> tuple[str, ...] | None:
        """The blocks of a post as the template wrote them; None where its parts still are those."""
        with self._reading() as connection:
            return connection.scalar(select(post.c.as_written).where(post.c.id == id_))

    def history(self, id_: int) -> list[Change]:
        """What was done to a post, oldest first."""
        columns = (post_change.c.version, post_change.c.at, post_change.c.by, post_change.c.what)
        query = select(*columns).where(post_change.c.post == id_).order_by(post_change.c.id)
        with self._reading() as connection:
            return read_as(Change, connection, query)

    def post_at(self, id_: int, version: int) -> Post | None:
        """A post with the papers and parts of one of its versions; None where there is no such one."""
        kept = select(post_version.c.choices, post_version.c.parts)
        kept = kept.where(post_version.c.post == id_, post_version.c.version == version)
        with self._reading() as connection:
            now = next(iter(read_posts(connection, post.c.id == id_)), None)
            if now is None or now.version == version:
                return now
            try:
                choices, parts = connection.execute(kept).one()
            except NoResultFound:
                return None
        return replace(now, version=version, papers=tuple(one.paper for one in choices), parts=parts)

    def updates(self, topic: str, genre: str, since: date) -> list[Update]:
        """The papers in a topic's posts of a genre since a day of which a newer version has come that no
        post tells of, the newest first. Withdrawn papers are left out."""
        of_topic = (post.c.topic == topic) & (post.c.genre == genre) & (post.c.slot >= since)
        live = select(post.c.id).where(of_topic, post.c.state.in_(LIVE))
        told = union_all(
            select(post_paper.c.paper, post_paper.c.version).where(post_paper.c.post.in_(live)),
            select(post_update.c.paper, post_update.c.version).where(post_update.c.post.in_(live)),
        ).subquery()
        newest = func.max(told.c.version)
        query = (
            select(paper.c.id.label("paper"), newest.label("told"), paper.c.version)
            .join(told, told.c.paper == paper.c.number)
            .where(~paper.c.withdrawn)
            .group_by(paper.c.number)
            .having(paper.c.version > newest)
            .order_by(paper.c.updated.desc(), paper.c.number)
        )
        with self._reading() as connection:
            return read_as(Update, connection, query)

    def updates_of(self, id_: int) -> list[Update]:
        """The newer versions that a post tells of."""
        columns = (paper.c.id.label("paper"), post_update.c.told, post_update.c.version)
        query = select(*columns).join(paper, paper.c.number == post_update.c.paper)
        of_post = query.where(post_update.c.post == id_).order_by(paper.c.number)
        with self._reading() as connection:
            return read_as(Update, connection, of_post)


def _keep(connection: Connection, id_: int, version: int, parts: Sequence[Part]) -> None:
    """Keep what a post was."""
    choices = select(post_paper.c.choice).where(post_paper.c.post == id_).order_by(post_paper.c.position)
    kept: tuple[Choice, ...] = tuple(connection.scalars(choices))
    row = {"post": id_, "version": version, "choices": kept, "parts": tuple(parts)}
    insert_rows(connection, post_version, [row])


def _replace(connection: Connection, id_: int, draft: Draft, now: datetime) -> None:
    """Put other papers and parts in the place of a post's own; what was given up for a channel stays so."""
    of_post = select(delivery.c.channel).where(delivery.c.post == id_).distinct().order_by(delivery.c.channel)
    channels = list(connection.scalars(of_post))
    given_up = list(connection.scalars(of_post.where(delivery.c.state == "cancelled")))
    for table in (delivery, part, post_paper, post_update):
        connection.execute(delete(table).where(table.c.post == id_))
    add_papers(connection, id_, draft)
    add_parts(connection, id_, draft.parts)
    queue(connection, id_, len(draft.parts), channels, now)
    again = update(delivery).where(delivery.c.post == id_, delivery.c.channel.in_(given_up))
    connection.execute(again.values(state="cancelled"))


def _note(connection: Connection, id_: int, version: int, now: datetime, by: str, what: str) -> None:
    insert_rows(
        connection, post_change, [{"post": id_, "version": version, "at": now, "by": by, "what": what}]
    )
