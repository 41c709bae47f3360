"""The archive on a server for those that only search: what `reader.Reader` answers of a file.

Words are found by tsvector and ranked by what PostgreSQL says of each term (``ts_rank``: how often, in which
field, how near) times how rare the term is, which it leaves out
(https://www.postgresql.org/docs/current/textsearch-controls.html#TEXTSEARCH-RANKING).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import log
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import text

from digest.query import Query, Term
from digest.store.closing import Closing
from digest.store.database import Store
from digest.types import Paper, Window, WordChange

FloatMatrix = npt.NDArray[np.float32]

WEIGHTS = "'{0, 0.0625, 0.125, 1}'::real[]"
"""A word counts 8 in the title, 1 in the abstract, 0.5 in the authors, as in the file's `reader.WEIGHTS`."""

_LABELS = {"title": "A", "abstract": "B", "authors": "C"}
_PAGE = 4096


class ServerReader(Closing):
    """The archive of a server, read; a context manager. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def close(self) -> None:
        """Give all connections back."""
        self._store.close()

    # Words.

    def words(self, query: Query, k: int) -> list[tuple[int, float]]:
        """The ``k`` best papers for a query: (row number, score), best first; a higher score is better.
        Withdrawn papers are left out."""
        if not query.terms:
            return []
        inside, values = _within(query.window)
        asked = _Asked(values)
        terms = [asked.query(term) for term in query.terms]
        held = [f"paper.search @@ {asked.query(term)}" for term in query.must]
        held += [f"NOT paper.search @@ {asked.query(term)}" for term in query.without]
        values |= {f"w{at}": rarity for at, rarity in enumerate(self._rarity(terms, values))}
        score = " + ".join(
            f":w{at} * ts_rank({WEIGHTS}, paper.search, {one}, 1)" for at, one in enumerate(terms)
        )
        any_of = " || ".join(terms)
        where = " AND ".join((f"paper.search @@ ({any_of})", *held, inside))
        rows = self._rows(
            f"SELECT paper.number, {score} AS score FROM paper WHERE {where} "
            "ORDER BY score DESC, paper.number LIMIT :k",
            values | {"k": k},
        )
        return [(number, float(score)) for number, score in rows]

    def _rarity(self, terms: Sequence[str], values: dict[str, Any]) -> list[float]:
        """The inverse document frequency of each term, as BM25 has it."""
        counts = ", ".join(f"(SELECT count(*) FROM paper WHERE search @@ {term})" for term in terms)
        [found] = self._rows(f"SELECT (SELECT count(*) FROM paper), {counts}", values)
        every, *there = found
        return [log(1 + (every - one + 0.5) / (one + 0.5)) for one in there]

    def passing(self, numbers: Sequence[int], query: Query) -> list[int]:
        """Those of these row numbers whose papers pass a query's filters and stand, in the order given."""
        condition, values = _filters(query)
        found = self._rows(
            f"SELECT number FROM paper WHERE number = ANY(:numbers) AND {condition}",
            values | {"numbers": list(numbers)},
        )
        inside = {number for (number,) in found}
        return [number for number in numbers if number in inside]

    def newest(self, query: Query, limit: int) -> list[int]:
        """The row numbers of the last papers announced that pass a query's filters, newest first."""
        condition, values = _filters(query)
        found = self._rows(
            f"SELECT number FROM paper WHERE {condition} ORDER BY announced DESC, number LIMIT :most",
            values | {"most": limit},
        )
        return [number for (number,) in found]

    def change(self, state: str = "") -> WordChange:
        """What of the words changed since a state; since the beginning where the state is none of this
        database's."""
        number = state.partition(".")[0]
        marks = self._rows(
            "SELECT number, stamp, highest, changed FROM word_change WHERE number >= :number ORDER BY number",
            {"number": int(number) if number.isdecimal() else 0},
        ) or self._rows(
            "SELECT number, stamp, highest, changed FROM word_change ORDER BY number DESC LIMIT 1", {}
        )
        now = _state(marks[-1]) if marks else ""
        if not marks or _state(marks[0]) != state:
            return WordChange(now, 0, ())
        changed = {number for row in marks[1:] for number in msgspec.json.decode(row[3], type=list[int])}
        after = marks[0][2]
        return WordChange(now, after, tuple(sorted(number for number in changed if number <= after)))

    def texts(self, change: WordChange, size: int = _PAGE) -> Iterator[tuple[int, str, str, str]]:
        """Row number, title, abstract and authors of the papers of a change. Nothing is held open while
        they are used."""
        fields = "number, title, abstract, authors"
        listed = f"SELECT {fields} FROM paper WHERE number = ANY(:numbers)"
        for row in self._rows(listed, {"numbers": list(change.changed)}):
            yield tuple(row)
        after = change.after
        page = f"SELECT {fields} FROM paper WHERE number > :after ORDER BY number LIMIT :size"
        while rows := self._rows(page, {"after": after, "size": size}):
            for row in rows:
                yield tuple(row)
            after = rows[-1][0]

    def pending(self, change: WordChange) -> int:
        """How many papers a change is about."""
        [(new,)] = self._rows("SELECT count(*) FROM paper WHERE number > :after", {"after": change.after})
        return len(change.changed) + int(new)

    # Papers.

    def papers(self, numbers: Sequence[int]) -> list[Paper]:
        """The papers with these row numbers in the order asked for, left out where there is none."""
        return self._store.papers_at(numbers)

    def numbers(self, ids: Iterable[str]) -> dict[str, int]:
        """The row numbers of those of these papers that are stored."""
        return self._store.paper_numbers(ids)

    def count(self) -> int:
        """How many papers are stored."""
        return self._store.count_papers()

    def keys(self, topic: str, states: Sequence[str]) -> list[str]:
        """The keys of a topic in some states."""
        return [key.text for key in self._store.keys(topic) if key.state in states]

    # Vectors.

    def model_dimension(self, name: str) -> int | None:
        """The dimension of a model; None for one that never embedded anything here."""
        return self._store.model_dimension(name)

    def newest_vector(self, name: str) -> tuple[int, bytes] | None:
        """As `Store.newest_vector`."""
        return self._store.newest_vector(name)

    def passing_texts(self, texts: Sequence[bytes], query: Query) -> list[tuple[int, bytes]]:
        """As `digest.store.reader.Reader.passing_texts`."""
        condition, values = _filters(query)
        rows = self._rows(
            f"SELECT text_hash, number FROM paper WHERE text_hash = ANY(:texts) AND {condition}",
            values | {"texts": list(texts)},
        )
        found: dict[bytes, list[int]] = {}
        for each, number in rows:
            found.setdefault(bytes(each), []).append(number)
        return [(number, one) for one in texts for number in sorted(found.get(one, ()))]

    def vectors(self, name: str, numbers: Sequence[int]) -> tuple[list[int], FloatMatrix]:
        """Those of these row numbers that have a vector, in the order given, and float32 [n, dimension]."""
        rows = self._rows(
            "SELECT paper.number, vector.data FROM paper JOIN vector ON vector.text_hash = paper.text_hash "
            "AND vector.model = (SELECT id FROM model WHERE name = :name) "
            "WHERE paper.number = ANY(:numbers)",
            {"name": name, "numbers": list(numbers)},
        )
        found = dict(rows)
        there = [number for number in numbers if number in found]
        flat = np.frombuffer(b"".join(found[number] for number in there), dtype="<f4")
        return there, flat.reshape(len(there), -1) if there else np.empty((0, 0), np.float32)

    def _rows(self, query: str, values: dict[str, Any]) -> Sequence[Any]:
        with self._store._reading() as connection:  # noqa: SLF001 - a part of the store
            return connection.execute(text(query), values).all()


def _state(row: Sequence[Any]) -> str:
    return f"{row[0]}.{row[1]}"


class _Asked:
    """The terms of a query as tsqueries, each of whose texts is a parameter."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def query(self, term: Term) -> str:
        """A term; one of several words stands within one field."""
        name = f"t{len(self._values)}"
        self._values[name] = " ".join(term.words)
        labels = ("ABC",) if len(term.words) == 1 else ("A", "B", "C")
        if term.where != "any":
            labels = (_LABELS[term.where],)
        queries = [f"digest_query(:{name}, '{label}')" for label in labels]
        return f"({' || '.join(queries)})"


# A query's filters as conditions on `paper`, and the values of their parameters.


def _filters(query: Query) -> tuple[str, dict[str, Any]]:
    condition, values = _within(query.window)
    asked = _Asked(values)
    conditions = [condition]
    conditions += [f"paper.search @@ {asked.query(term)}" for term in query.must]
    conditions += [f"NOT paper.search @@ {asked.query(term)}" for term in query.without]
    if query.ids:
        conditions.append("paper.id = ANY(:ids)")
        values["ids"] = list(query.ids)
    return " AND ".join(conditions), values


def _within(window: Window) -> tuple[str, dict[str, Any]]:
    conditions, values = ["NOT paper.withdrawn"], dict[str, Any]()
    for name, sign, day in (("since", ">=", window.since), ("until", "<=", window.until)):
        if day:
            conditions.append(f"paper.announced {sign} :{name}")
            values[name] = day
    if window.topics or window.silent:
        conditions.append(_matched("topics", window.topics, silent=window.silent))
        values["topics"] = list(window.topics)
    if window.not_topics:
        conditions.append(f"NOT {_matched('not_topics', window.not_topics, silent=False)}")
        values["not_topics"] = list(window.not_topics)
    for name, word, codes in (
        ("categories", "", window.categories),
        ("not_categories", "NOT ", window.not_categories),
    ):
        if codes:
            conditions.append(f"{word}string_to_array(paper.categories, ' ') && CAST(:{name} AS text[])")
            values[name] = list(codes)
    return " AND ".join(conditions), values


def _matched(name: str, topics: Sequence[str], *, silent: bool) -> str:
    """The paper belongs to any of these topics (any at all where none is named)."""
    named = f" AND match.topic = ANY(:{name})" if topics else f" AND CAST(:{name} AS text[]) = '{{}}'"
    only = " AND match.silent" if silent else ""
    return f"EXISTS (SELECT FROM match WHERE match.paper = paper.number{named}{only})"
