"""Statements that are put together once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Select, select

from digest.store import Store
from digest.store.dialect import is_one_of
from digest.store.prepared import prepared
from digest.store.tables import paper
from stored import page
from stored import paper as a_paper

NOW = datetime(2026, 7, 3, 12, tzinfo=UTC)


@prepared
def _since(newest_first: bool, /, day: date, ids: list[str]) -> Select[Any]:
    found = select(paper.c.id).where(paper.c.announced >= day, is_one_of(paper.c.id, ids))
    return found.order_by(paper.c.number.desc() if newest_first else paper.c.number)


def test_a_statement_is_built_once_for_each_shape_and_run_with_the_values_of_each_call() -> None:
    first, given = _since(True, date(2026, 1, 1), ["2607.00001"])
    again, others = _since(True, date(2026, 1, 2), [])
    assert again is first
    assert (list(given.values()), list(others.values())) == (
        [date(2026, 1, 1), ["2607.00001"]],
        [date(2026, 1, 2), []],
    )
    assert _since(False, date(2026, 1, 1), [])[0] is not first


def test_a_prepared_statement_binds_values_as_its_columns_do(store: Store) -> None:
    papers = [a_paper(number) for number in (1, 2, 3)]
    store.add_papers("oai", page(*papers, cursor="1"), NOW)
    day, ids = papers[0].announced, [one.id for one in papers]
    with store._reading() as connection:
        assert list(connection.scalars(*_since(False, day, ids[:2]))) == ids[:2]
        assert list(connection.scalars(*_since(True, day, ids))) == ids[::-1]
        assert list(connection.scalars(*_since(True, date.max, ids))) == []
        assert list(connection.scalars(*_since(True, day, []))) == []


def test_a_call_with_too_few_values_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        _since(True, date(2026, 1, 1))  # type: ignore[call-arg]
