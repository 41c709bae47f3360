"""Runs: what each command did and when, and what the archive holds now."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, case, func, select

from digest.store.base import StoreBase, put_row, read_as
from digest.store.prepared import prepared
from digest.store.tables import delivery, match, paper, post, run, topic_key, vector
from digest.store.vectors import id_of
from digest.types import Run, RunReport, Status


class RunStore(StoreBase):
    """The record of runs."""

    def put_run(
        self,
        command: str,
        report: RunReport,
        now: datetime,
        *,
        started: datetime | None = None,
        exit_code: int = 0,
    ) -> None:
        """Record a run that ends ``now``; a rerun as of the same moment takes its place."""
        values = {
            "started": started or report.as_of,
            "finished": now,
            "report": report,
            "exit_code": exit_code,
        }
        with self._writing() as connection:
            row = {"command": command, "as_of": report.as_of, **values}
            put_row(connection, run, row, by=("command", "as_of"))

    def runs(self, limit: int = 10) -> list[Run]:
        """The last runs, newest first."""
        query = select(run).order_by(run.c.as_of.desc(), run.c.id.desc()).limit(limit)
        with self._reading() as connection:
            return read_as(Run, connection, query)

    def runs_since(self, command: str, moment: datetime) -> list[Run]:
        """The runs of a command as of a moment or later, oldest first."""
        with self._reading() as connection:
            return read_as(Run, connection, *_runs_since(command, moment))

    def last_runs(self) -> dict[str, Run]:
        """The last run of each command, by its name."""
        with self._reading() as connection:
            found = read_as(Run, connection, *_last_runs())
        return {one.command: one for one in found}

    def status(self, model: str) -> Status:
        """What the archive holds (vectors: of one model), posts and deliveries by state, the last runs."""
        with self._reading() as connection:
            archive = _archive(connection, model)
            posts = _tally(connection, post.c.state)
            deliveries = _tally(connection, _STATE, _DELIVERIES)
        runs = tuple(map(_in_words, self.runs(5)))
        return Status(archive=archive, posts=posts, deliveries=deliveries, runs=runs)


def _archive(connection: Connection, model: str) -> dict[str, str | int]:
    newest: date | None = connection.scalar(_NEWEST_DAY)
    keys = _tally(connection, topic_key.c.state)
    return {
        "papers": connection.scalar(_counted(paper)) or 0,
        "withdrawn": connection.scalar(_counted(paper).where(paper.c.withdrawn)) or 0,
        "newest day": str(newest or "none"),
        "vectors": connection.scalar(*_vectors_of(model)) or 0,
        "matches": connection.scalar(_counted(match)) or 0,
        **{f"{state} keys": number for state, number in keys.items()},
    }


_NEWEST_DAY = select(func.max(paper.c.announced))


@cache
def _counted(table: Table) -> Select[Any]:
    return select(func.count()).select_from(table)


@prepared
def _vectors_of(model: str) -> Select[Any]:
    return _counted(vector).where(vector.c.model == id_of(model))


@prepared
def _runs_since(command: str, moment: datetime) -> Select[Any]:
    return select(run).where(run.c.command == command, run.c.as_of >= moment).order_by(run.c.as_of)


@prepared
def _last_runs() -> Select[Any]:
    last = select(run.c.command, func.max(run.c.as_of).label("as_of")).group_by(run.c.command).subquery()
    same = (run.c.command == last.c.command) & (run.c.as_of == last.c.as_of)
    return select(run).join(last, same).order_by(run.c.command)


_STATE = case((and_(post.c.state == "draft", delivery.c.state == "queued"), "draft"), else_=delivery.c.state)
"""The state of a delivery. What nobody has approved does not wait to be sent."""
_DELIVERIES = delivery.join(post, post.c.id == delivery.c.post)


def _tally(
    connection: Connection, state: ColumnElement[str], tables: FromClause | None = None
) -> dict[str, int]:
    """How many rows have each state."""
    return dict(connection.execute(_by_state(state, tables)).all())


@cache
def _by_state(state: ColumnElement[str], tables: FromClause | None) -> Select[str, int]:
    counted = select(state, func.count()).group_by(state).order_by(state)
    return counted if tables is None else counted.select_from(tables)


def _in_words(one: Run) -> str:
    notes = f"exit {one.exit_code}" if one.exit_code else "done"
    return f"{one.as_of:%Y-%m-%d %H:%M} UTC  {one.command}: {notes}"
