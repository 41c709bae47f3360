"""How the database is: whether its file is sound, what waits, and what takes nothing."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, func, select, text

from digest.store.base import StoreBase, read_as
from digest.store.tables import delivery, paper, pause, post
from digest.store.vectors import count_waiting
from digest.types import Backlog, Pause


class HealthStore(StoreBase):
    """What a doctor asks a database."""

    def damage(self) -> list[str]:
        """What is wrong with the database, in its own words. Of a file: pages, rows without their parent,
        papers that the words' index has not (https://www.sqlite.org/pragma.html#pragma_quick_check). A server
        looks after its pages and references itself; of it, vectors that are not indexed."""
        with self._reading() as connection:
            if connection.dialect.name == "postgresql":
                return _not_indexed(connection)
            pages = [said for said in connection.scalars(text("PRAGMA quick_check(3)")) if said != "ok"]
            if pages:
                return pages
            orphans = connection.execute(text("PRAGMA foreign_key_check")).fetchmany(3)
            indexed = connection.scalar(text("SELECT count(*) FROM paper_word_docsize")) or 0
            stored = connection.scalar(select(func.count()).select_from(paper)) or 0
        found = [f"row {row} of {table} has lost its row of {parent}" for table, row, parent, _ in orphans]
        if indexed != stored:
            found.append(f"the words' index holds {indexed} papers of {stored}")
        return found

    def journal(self) -> str:
        """How a transaction is kept safe: "wal", or "memory" for a database without a file."""
        with self._reading() as connection:
            if connection.dialect.name == "postgresql":
                return "wal"
            return str(connection.scalar(text("PRAGMA journal_mode")))

    def backlog(self, model: str) -> Backlog:
        """What waits, and since when (vectors: of one model)."""
        with self._reading() as connection:
            states = {state: (count, since) for state, count, since in connection.execute(_WAITING)}
            return Backlog(
                unembedded=connection.scalar(*count_waiting(False, model, date.min)) or 0,
                drafts=connection.scalar(_DRAFTS) or 0,
                queued=states.get("queued", (0,))[0],
                queued_since=states.get("queued", (0, None))[1],
                uncertain=states.get("uncertain", (0,))[0],
                failed=states.get("failed", (0,))[0],
            )

    def paused(self) -> tuple[Pause, ...]:
        """The channels that take nothing."""
        query = select(pause.c.channel, pause.c.reason, pause.c.since).order_by(pause.c.channel)
        with self._reading() as connection:
            return tuple(read_as(Pause, connection, query))


_WAITING = (
    select(
        delivery.c.state,
        func.count(),
        func.min(func.coalesce(delivery.c.not_before, post.c.decided_at, delivery.c.updated)),
    )
    .select_from(delivery.join(post, post.c.id == delivery.c.post))
    .where(post.c.state == "approved", delivery.c.state.in_(("queued", "uncertain", "failed")))
    .group_by(delivery.c.state)
)
_DRAFTS = select(func.count()).select_from(post).where(post.c.state == "draft")


def _not_indexed(connection: Connection) -> list[str]:
    stored, indexed = connection.execute(
        text("SELECT (SELECT count(*) FROM vector), (SELECT count(*) FROM near)")
    ).one()
    return [] if stored == indexed else [f"the index of vectors holds {indexed} of {stored}"]
