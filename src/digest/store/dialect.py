"""What the two databases say differently, each said once: expressions that are written in the dialect of the
connection they reach, and the module that knows the rest of it, `sqlite` or `postgres`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Integer,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    extract,
    literal,
)
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

T = TypeVar("T")


class Opened(Protocol):
    """A database that is open. ``name`` is what a message calls it, ``file`` the one it is in. Transactions
    of ``writer`` come one after the other, and see what those before them wrote."""

    name: str
    file: Path | None
    engine: Engine
    writer: Engine

    def one_line_errors(self) -> AbstractContextManager[None]:
        """Turn what a user can do something about into a DigestError of one line; bugs pass untouched."""

    def held(self, duties: Sequence[str]) -> AbstractContextManager[None]:
        """Do what these words name as the only one on all machines. Raises TryAgain where another does."""

    def share(self, model: str, texts: list[bytes]) -> list[bytes]:
        """Of texts that wait for a model's vectors those that nobody else embeds: they are ours until this
        is closed."""

    def close(self) -> None:
        """Give all connections back."""


class Speaks(Protocol):
    """What the store asks of `sqlite` and `postgres` beside SQL that both understand."""

    def insert(self, table: Table) -> Insert:
        """An INSERT that can say what to do with rows that are there (PostgreSQL's has the same methods)."""

    def insert_columns(
        self, connection: Connection, table: Table, values: Mapping[str, Sequence[object]]
    ) -> None:
        """Insert rows given as the values of each column."""

    def holds_any(self, phrases: Iterable[str]) -> ColumnElement[bool]:
        """Whether a paper holds any of these phrases in title or abstract, up to stemming."""

    def index_words(self, connection: Connection, papers: ColumnElement[bool]) -> None:
        """Index papers that were written a moment ago."""

    def forget_words(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Take papers out of the words' index; their row still holds the words they were indexed with."""

    def rebuild_words(self, connection: Connection) -> None:
        """Make the words' index anew from the papers."""

    def added_vectors(self, connection: Connection, model: int, rows: Sequence[tuple[bytes, Any]]) -> None:
        """Index vectors (hash of text, float32 [dimension]) that were stored a moment ago."""


def of(connection: Connection) -> Speaks:
    """The module of a connection's database."""
    return named(connection.dialect.name)


def named(dialect: str) -> Speaks:
    """The module of a dialect, as SQLAlchemy calls it."""
    home = {"sqlite": "sqlite", "postgresql": "postgres"}[dialect]
    return cast("Speaks", import_module(f"digest.store.{home}"))


class _Many(TypeDecorator[Any]):
    """Many values as one parameter: JSON text for SQLite, an array for PostgreSQL."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.numbers = isinstance(item, Integer)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that goes over the wire."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(ARRAY(BigInteger() if self.numbers else Text()))

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> Any:
        """The values as that type."""
        return value if dialect.name == "postgresql" else msgspec.json.encode(value).decode()


class _OneOf(FunctionElement[bool]):
    name = "one_of"
    _is_implicitly_boolean = True  # else SQLAlchemy writes "... = 1" behind it, and SQLite uses no index
    type = Boolean()
    inherit_cache = True


def is_one_of(column: ColumnElement[T], values: Iterable[T]) -> ColumnElement[bool]:
    """``column IN (values)``, however many: all of them are one parameter, where SQLite takes 32,766 and
    SQLAlchemy names each (https://www.sqlite.org/json1.html#jeach). A bound parameter is given a list."""
    many = _Many(column.type)
    if isinstance(values, BindParameter):
        return _OneOf(column, bindparam(values.key, type_=many))
    return _OneOf(column, bindparam(None, list(values), type_=many, unique=True))


@compiles(_OneOf)
def _in_json(element: _OneOf, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(clause, **more) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_OneOf, "postgresql")
def _in_array(element: _OneOf, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(clause, **more) for clause in element.clauses)
    return f"{column} = ANY({values})"


class _Greatest(FunctionElement[Any]):
    name = "greatest"
    type = BigInteger()
    inherit_cache = True


def greatest(*numbers: Any) -> ColumnElement[int]:
    """The highest of some whole numbers of a row."""
    whole = (literal(one, BigInteger()) if isinstance(one, int) else one for one in numbers)
    return _Greatest(*whole)


@compiles(_Greatest)
def _scalar_max(element: _Greatest, compiler: SQLCompiler, **more: Any) -> str:
    return f"max({compiler.process(element.clauses, **more)})"


@compiles(_Greatest, "postgresql")
def _greatest(element: _Greatest, compiler: SQLCompiler, **more: Any) -> str:
    return f"greatest({compiler.process(element.clauses, **more)})"


class _Place(FunctionElement[int]):
    name = "place"
    type = Integer()
    inherit_cache = True


def place_of(part: Any, text: Any) -> ColumnElement[int]:
    """Where a text holds a part, from 1; 0 where it does not."""
    return _Place(text, part)


@compiles(_Place)
def _instr(element: _Place, compiler: SQLCompiler, **more: Any) -> str:
    return f"instr({compiler.process(element.clauses, **more)})"


@compiles(_Place, "postgresql")
def _strpos(element: _Place, compiler: SQLCompiler, **more: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **more)})"


def year_of(moment: Any) -> ColumnElement[int]:
    """The year of a moment in UTC, which is every session's time zone."""
    return as_type(extract("year", moment), Integer)
