"""Statements that are put together once, not for each question.

SQLAlchemy takes half a millisecond to put a statement of some conditions together and to know it again among
those it has compiled, SQLite 10 µs to answer it. A statement that has its cache key takes a tenth.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import bindparam

P = ParamSpec("P")
Q = TypeVar("Q")


def prepared(build: Callable[P, Q]) -> Callable[P, tuple[Q, dict[str, Any]]]:
    """A function that builds a statement, as one that gives the statement and the values to run it with:
    ``connection.execute(*statement(...))``.

    Arguments before the ``/`` say which statement it is, each of which is built once; for all others
    ``build`` gets a bound parameter, of the type of the column that it is compared with or put into. So they
    are values, never None where that would be IS NULL, and ``build`` must not look at them.
    """
    names = list(signature(build).parameters.values())
    shape = sum(one.kind is Parameter.POSITIONAL_ONLY for one in names)
    values = [f"given_{one.name}" for one in names[shape:]]  # a column's own name is SQLAlchemy's

    @cache
    def built(*which: Any) -> Any:
        return build(*which, *map(bindparam, values))  # type: ignore[arg-type, call-arg]

    @wraps(build)
    def given(*args: Any) -> tuple[Any, dict[str, Any]]:
        return built(*args[:shape]), dict(zip(values, args[shape:], strict=True))

    return given  # type: ignore[return-value]
