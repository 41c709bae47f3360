"""Vectors: one per text and model, never mixed, kept as little-endian float32.

A vector belongs to a text (by its hash) and not to a paper, so a changed abstract has none until it
is embedded, and a paper that returns to an old text has its vector back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from digest.errors import StoreError
from digest.store import dialect
from digest.store.base import StoreBase, insert, insert_rows, read_stamp, renew_stamp
from digest.store.dialect import is_one_of
from digest.store.papers import TEXTS, as_paper
from digest.store.prepared import prepared
from digest.store.tables import model, paper, vector

FloatMatrix = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

_PARAMETERS = 10_000  # of one statement; SQLite takes 32,766


class VectorStore(StoreBase):
    """Vectors in and out. Models go by the name they were made known with."""

    def ensure_model(self, name: str, dimension: int) -> None:
        """Make a model known; StoreError where it is known with another dimension."""
        with self._writing() as connection:
            known = connection.scalar(select(model.c.dimension).where(model.c.name == name))
            if known is None:
                insert_rows(connection, model, [{"name": name, "dimension": dimension}])
            elif known != dimension:
                raise StoreError(
                    f"{self.name}: has vectors of {name} with {known} dimensions, not {dimension}: "
                    "give the changed model a name of its own"
                )

    def model_dimension(self, name: str) -> int | None:
        """The dimension of a model; None for one that never embedded anything here."""
        with self._reading() as connection:
            dimension: int | None = connection.scalar(*_dimension(name))
        return dimension

    def count_without_vector(self, name: str, since: date | None = None) -> int:
        """How many texts wait to be embedded by a model, known or not: all, or those of papers announced
        since a day."""
        with self._reading() as connection:
            return connection.scalar(*count_waiting(since is not None, name, since or date.min)) or 0

    def texts_without_vector(self, name: str, size: int) -> Iterator[list[tuple[bytes, str]]]:
        """All texts that wait to be embedded, ``size`` at a time as (hash, text), newest papers first.

        No transaction is held open in between, and the next batch goes on where the last one ended, so that
        the whole costs one pass over the papers. What another machine is embedding now is left to it.
        """
        after: ColumnElement[bool] | None = None
        while rows := self._waiting(name, size, after):
            texts = {row.text_hash: (row.text_hash, as_paper(row).text) for row in rows}
            if ours := self._opened.share(name, list(texts)):
                yield [texts[one] for one in ours]
            day, number = rows[-1].announced, rows[-1].number
            after = or_(paper.c.announced < day, and_(paper.c.announced == day, paper.c.number > number))

    def some_texts(self, count: int) -> list[str]:
        """The texts of up to so many papers, spread over all that are stored; the same ones each time."""
        with self._reading() as connection:
            step = max(1, (connection.scalar(select(func.max(paper.c.number))) or 0) // count)
            rows = connection.execute(select(paper).where(paper.c.number % step == 0).limit(count)).all()
            return [as_paper(row).text for row in rows]

    def add_vectors(self, name: str, rows: Iterable[tuple[bytes, FloatMatrix]]) -> None:
        """Store (text hash, float32 [dimension]) pairs of a known model; a text keeps its first vector.

        Raises StoreError for an unknown model, another dimension, and what is no finite number.
        """
        with self._writing() as connection:
            known = connection.execute(select(model).where(model.c.name == name)).one_or_none()
            if known is None:
                raise StoreError(f"{self.name}: knows no model {name}: nothing was stored")
            given = list(rows)
            packed = [
                {"model": known.id, "text_hash": text_hash, "data": _packed(row, known.dimension, name)}
                for text_hash, row in given
            ]
            if packed:
                connection.execute(insert(connection, vector).on_conflict_do_nothing(), packed)
                dialect.of(connection).added_vectors(connection, known.id, given)
                renew_stamp(connection, _stamp(name))

    def vectors(self, name: str, ids: Sequence[str]) -> tuple[list[str], FloatMatrix]:
        """Those of these papers that have a vector, in the order given, and float32 [n, dimension]."""
        with self._reading() as connection:
            dimension = connection.scalar(*_dimension(name)) or 0
            rows = connection.execute(*_vectors(name, list(ids))).all()
            found = {id_: data for id_, data in rows if data is not None}
        there = [id_ for id_ in ids if id_ in found]
        return there, _matrix([found[id_] for id_ in there], dimension)

    def newest_vector(self, name: str) -> tuple[int, bytes] | None:
        """The number of a model's last vector and the hash of its text; None where there is none."""
        with self._reading() as connection:
            row = connection.execute(*_newest(name)).one_or_none()
            return None if row is None else (row.number, row.text_hash)

    def vectors_since(
        self, name: str, number: int, size: int = 4096
    ) -> Iterator[tuple[Numbers, list[bytes], FloatMatrix]]:
        """The vectors of a model from a number on, ``size`` at a time in the order they were stored:
        numbers int64 [n], hashes of their texts, and float32 [n, dimension].

        Vectors are only ever added, so what is read stays true. Nothing is held open in between.
        """
        dimension = self.model_dimension(name) or 0
        while rows := self._page(name, number, size):
            numbers, texts, blobs = zip(*rows, strict=True)
            number = numbers[-1] + 1
            yield np.array(numbers, dtype=np.int64), list(texts), _matrix(blobs, dimension)

    def papers_with_texts(self, texts: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """Row numbers of the papers that have one of these texts now, in the order of the texts, each with
        its text's hash."""
        found: dict[bytes, list[int]] = {}
        with self._reading() as connection:
            for start in range(0, len(texts), _PARAMETERS):
                wanted = paper.c.text_hash.in_(texts[start : start + _PARAMETERS])
                rows = connection.execute(select(paper.c.text_hash, paper.c.number).where(wanted))
                for text, number in rows:
                    found.setdefault(text, []).append(number)
        return [(number, text) for text in texts for number in sorted(found.get(text, ()))]

    def vector_state(self, name: str) -> str:
        """A word that changes whenever a paper's text or a vector of this model is added or changed, or a
        paper that was here before is announced."""
        with self._reading() as connection:
            return f"{read_stamp(connection, TEXTS)}.{read_stamp(connection, _stamp(name))}"

    def _waiting(self, name: str, size: int, after: ColumnElement[bool] | None) -> Sequence[Row[Any]]:
        query = select(paper).where(without_vector(name)).limit(size)
        query = query.order_by(paper.c.announced.desc(), paper.c.number)
        with self._reading() as connection:
            return connection.execute(query if after is None else query.where(after)).all()

    def _page(self, name: str, number: int, size: int) -> Sequence[tuple[int, bytes, bytes]]:
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(*_since(name, number, size))]


def _stamp(name: str) -> str:
    return f"vector:{name}"


def id_of(name: str) -> ColumnElement[int]:
    """A model's id as a subquery; NULL, which equals nothing, for one that is not known."""
    return select(model.c.id).where(model.c.name == name).scalar_subquery()


def _of_model(name: str) -> ColumnElement[bool]:
    return vector.c.model + 0 == id_of(name)  # + 0: SQLite must go by number and not sort by it


def without_vector(name: str) -> ColumnElement[bool]:
    of_model = select(vector.c.text_hash).where(vector.c.model == id_of(name))
    return ~of_model.where(vector.c.text_hash == paper.c.text_hash).exists()


@prepared
def _dimension(name: str) -> Select[Any]:
    return select(model.c.dimension).where(model.c.name == name)


@prepared
def count_waiting(recent: bool, /, name: str, since: date) -> Select[Any]:
    """How many texts have no vector of a model; ``recent``: of papers announced since a day."""
    waiting = select(func.count(paper.c.text_hash.distinct())).where(without_vector(name))
    return waiting.where(paper.c.announced >= since) if recent else waiting


@prepared
def _vectors(name: str, ids: list[str]) -> Select[Any]:
    # An outer join begins with these papers; of an inner one SQLite begins with all vectors of the model.
    own = (vector.c.text_hash == paper.c.text_hash) & (vector.c.model == id_of(name))
    joined = select(paper.c.id, vector.c.data).select_from(paper).join(vector, own, isouter=True)
    return joined.where(is_one_of(paper.c.id, ids))


@prepared
def _newest(name: str) -> Select[Any]:
    query = select(vector.c.number, vector.c.text_hash).where(_of_model(name))
    return query.order_by(vector.c.number.desc()).limit(1)


@prepared
def _since(name: str, number: int, size: int) -> Select[Any]:
    query = select(vector.c.number, vector.c.text_hash, vector.c.data)
    return query.where(_of_model(name), vector.c.number >= number).order_by(vector.c.number).limit(size)


def _packed(row: FloatMatrix, dimension: int, name: str) -> bytes:
    if row.shape != (dimension,):
        raise StoreError(f"a vector of {name} has {dimension} dimensions, not the shape {row.shape}")
    if not np.isfinite(row).all():
        raise StoreError(f"a vector of {name} holds what is no finite number: the model's answer is broken")
    return row.astype("<f4").tobytes()


def _matrix(blobs: Iterable[bytes], dimension: int) -> FloatMatrix:
    """float32 [n, dimension], in memory of its own that may be written."""
    flat = np.frombuffer(bytearray().join(blobs), dtype="<f4")
    return flat.astype(np.float32, copy=False).reshape(-1, dimension or 1)[:, :dimension]
