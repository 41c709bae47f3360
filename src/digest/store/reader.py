"""The archive for those that only search: SQLite itself, read-only, without SQLAlchemy.

To import SQLAlchemy costs more CPU than a whole search. A reader holds no lock between two questions and
never keeps a writer waiting (WAL). PostgreSQL would get a reader of its own, with the same methods.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Self
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt

from digest.data import data_dir
from digest.query import Query, Term
from digest.store.closing import Closing
from digest.store.refusals import one_line_errors
from digest.types import Paper, Window, WordChange

FloatMatrix = npt.NDArray[np.float32]

WEIGHTS = "bm25(8.0, 1.0, 0.5)"
"""A word counts 8 in the title, 1 in the abstract, 0.5 in the authors: of the weights 1 to 12 on 131
queries made of expert lists' headings, those from 5 did best."""

_PRAGMAS = ("query_only=ON", "cache_size=-65536", "mmap_size=0")


class Reader(Closing):
    """An open database, read; a context manager. Threads may share it: they ask in turn."""

    def __init__(self, connection: sqlite3.Connection, file: Path | None) -> None:
        self.file = file
        self._connection = connection
        self._turn = Lock()

    @classmethod
    def open(cls, url: str, busy_timeout: float = 5.0) -> Self | None:
        """Open the file of ``sqlite:///path``; None where there is none, or one that only
        ``Store.open`` can open or refuse: of another program, of another version."""
        name = url.partition(":///")[2].partition("?")[0]
        if name in ("", ":memory:") or not Path(name).is_file():
            return None
        file = Path(name)
        with one_line_errors(file, readonly=True):
            raw = sqlite3.connect(
                f"file:{quote(str(file))}?mode=ro",
                uri=True,
                timeout=busy_timeout,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                found = cls(raw, file)
                if found._is_ours():
                    return found
            except BaseException:
                raw.close()
                raise
            raw.close()
        return None

    def _is_ours(self) -> bool:
        """Whether the tables are those of this version of the program."""
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('alembic_version', 'paper_word')"
        if self._scalar(tables) != 2:
            return False
        return bool(self._scalar("SELECT version_num FROM alembic_version") == newest_revision())

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    # Words.

    def words(self, query: Query, k: int) -> list[tuple[int, float]]:
        """The ``k`` best papers for a query by BM25: (row number, score), best first; a higher score is
        better. Withdrawn papers are left out."""
        if not query.terms:
            return []
        inside, values = _within(query.window)
        return self._rows(
            "SELECT paper.number, -paper_word.rank "
            "FROM paper_word JOIN paper ON paper.number = paper_word.rowid "
            f"WHERE paper_word MATCH ? AND paper_word.rank MATCH '{WEIGHTS}' AND {inside} "
            "ORDER BY paper_word.rank LIMIT ?",
            [_expression(query), *values, k],
        )

    def passing(self, numbers: Sequence[int], query: Query) -> list[int]:
        """Those of these row numbers whose papers pass a query's filters and stand, in the order given."""
        condition, values = _filters(query)
        listed = msgspec.json.encode(list(numbers)).decode()
        found = self._rows(
            f"SELECT number FROM paper WHERE number IN (SELECT value FROM json_each(?)) AND {condition}",
            [listed, *values],
        )
        inside = {number for (number,) in found}
        return [number for number in numbers if number in inside]

    def newest(self, query: Query, limit: int) -> list[int]:
        """The row numbers of the last papers announced that pass a query's filters, newest first."""
        condition, values = _filters(query)
        found = self._rows(
            f"SELECT number FROM paper WHERE {condition} ORDER BY announced DESC, number LIMIT ?",
            [*values, limit],
        )
        return [number for (number,) in found]

    def change(self, state: str = "") -> WordChange:
        """What of the words changed since a state; since the beginning where the state is none of this
        database's."""
        marks = self._rows(
            "SELECT number, stamp, highest, changed FROM word_change WHERE number >= ? ORDER BY number",
            [_number_of(state)],
        )
        now = _state(marks[-1]) if marks else self._word_state()
        if not marks or _state(marks[0]) != state:
            return WordChange(now, 0, ())
        changed = {number for row in marks[1:] for number in msgspec.json.decode(row[3], type=list[int])}
        after = marks[0][2]
        return WordChange(now, after, tuple(sorted(number for number in changed if number <= after)))

    def texts(self, change: WordChange, size: int = 4096) -> Iterator[tuple[int, str, str, str]]:
        """Row number, title, abstract and authors of the papers of a change. Nothing is held open while
        they are used."""
        yield from self._rows(
            f"SELECT {_WORDS} FROM paper WHERE number IN (SELECT value FROM json_each(?))",
            [msgspec.json.encode(change.changed).decode()],
        )
        after = change.after
        page = f"SELECT {_WORDS} FROM paper WHERE number > ? ORDER BY number LIMIT ?"
        while rows := self._rows(page, [after, size]):
            yield from rows
            after = rows[-1][0]

    def pending(self, change: WordChange) -> int:
        """How many papers a change is about."""
        new = self._scalar("SELECT count(*) FROM paper WHERE number > ?", [change.after])
        return len(change.changed) + int(new or 0)

    def _word_state(self) -> str:
        rows = self._rows("SELECT number, stamp, highest FROM word_change ORDER BY number DESC LIMIT 1", [])
        return _state(rows[0]) if rows else ""

    # Papers.

    def papers(self, numbers: Sequence[int]) -> list[Paper]:
        """The papers with these row numbers in the order asked for, left out where there is none."""
        listed = msgspec.json.encode(list(numbers)).decode()
        names = ", ".join(_COLUMNS)
        rows = self._rows(
            f"SELECT number, told, {names} FROM paper WHERE number IN (SELECT value FROM json_each(?))",
            [listed],
        )
        found = {row[0]: _paper(row[1], dict(zip(_COLUMNS, row[2:], strict=True))) for row in rows}
        return [found[number] for number in numbers if number in found]

    def numbers(self, ids: Iterable[str]) -> dict[str, int]:
        """The row numbers of those of these papers that are stored."""
        listed = msgspec.json.encode(list(ids)).decode()
        return dict(
            self._rows("SELECT id, number FROM paper WHERE id IN (SELECT value FROM json_each(?))", [listed])
        )

    def count(self) -> int:
        """How many papers are stored."""
        return int(self._scalar("SELECT count(*) FROM paper") or 0)

    def keys(self, topic: str, states: Sequence[str]) -> list[str]:
        """The keys of a topic in some states."""
        among = ", ".join("?" * len(states))
        query = f"SELECT text FROM topic_key WHERE topic = ? AND state IN ({among}) ORDER BY id"
        return [text for (text,) in self._rows(query, [topic, *states])]

    # Vectors.

    def model_dimension(self, name: str) -> int | None:
        """The dimension of a model; None for one that never embedded anything here."""
        found = self._scalar("SELECT dimension FROM model WHERE name = ?", [name])
        return None if found is None else int(found)

    def newest_vector(self, name: str) -> tuple[int, bytes] | None:
        """As `Store.newest_vector`."""
        rows = self._rows(
            # + 0: SQLite must go by number and not sort by it
            "SELECT number, text_hash FROM vector WHERE model + 0 = (SELECT id FROM model WHERE name = ?) "
            "ORDER BY number DESC LIMIT 1",
            [name],
        )
        return rows[0] if rows else None

    def passing_texts(self, texts: Sequence[bytes], query: Query) -> list[tuple[int, bytes]]:
        """Row numbers of the papers that have one of these texts now, pass a query's filters and stand, in
        the order of the texts, each with its text's hash."""
        condition, values = _filters(query)
        found: dict[bytes, list[int]] = {}
        for start in range(0, len(texts), _PARAMETERS):
            some = texts[start : start + _PARAMETERS]
            marks = ", ".join("?" * len(some))
            rows = self._rows(
                # by their texts, whatever the filters: a year's papers are no few
                "SELECT text_hash, number FROM paper INDEXED BY ix_paper_text_hash "
                f"WHERE text_hash IN ({marks}) AND {condition}",
                [*some, *values],
            )
            for text, number in rows:
                found.setdefault(text, []).append(number)
        return [(number, text) for text in texts for number in sorted(found.get(text, ()))]

    def vectors(self, name: str, numbers: Sequence[int]) -> tuple[list[int], FloatMatrix]:
        """Those of these row numbers that have a vector, in the order given, and float32 [n, dimension]."""
        listed = msgspec.json.encode(list(numbers)).decode()
        found = dict(
            self._rows(
                # CROSS JOIN: in this order, or SQLite goes through all vectors of the model.
                "SELECT paper.number, vector.data FROM json_each(?) AS asked "
                "CROSS JOIN paper ON paper.number = asked.value "
                "CROSS JOIN vector ON vector.text_hash = paper.text_hash "
                "AND vector.model = (SELECT id FROM model WHERE name = ?)",
                [listed, name],
            )
        )
        there = [number for number in numbers if number in found]
        flat = np.frombuffer(b"".join(found[number] for number in there), dtype="<f4")
        return there, flat.reshape(len(there), -1) if there else np.empty((0, 0), np.float32)

    def _rows(self, query: str, values: Sequence[object]) -> list[Any]:
        with self._turn, one_line_errors(self.file, readonly=True):
            return self._connection.execute(query, values).fetchall()

    def _scalar(self, query: str, values: Sequence[object] = ()) -> Any:
        rows = self._rows(query, values)
        return rows[0][0] if rows else None


def newest_revision() -> str:
    """The revision of the tables that this version of the program has."""
    return known_revisions(data_dir("migrations"))[-1]


def known_revisions(folder: Path) -> list[str]:
    """The revisions of a migrations folder, oldest first."""
    return sorted(file.name.split("_")[0] for file in folder.glob("versions/[0-9]*_*.py"))


_PARAMETERS = 10_000  # of one statement; SQLite takes 32,766
_WORDS = "number, title, abstract, authors"
_COLUMNS = tuple(name for name in Paper.__struct_fields__ if name != "estimated")
_MOMENTS = ("submitted", "updated")
_LISTS = ("authors", "versions")


def _paper(told: int, row: dict[str, Any]) -> Paper:
    """A row as a paper; moments are stored without their zone, which is UTC."""
    for name in _MOMENTS:
        row[name] = f"{row[name]}Z"
    for name in _LISTS:
        row[name] = msgspec.json.decode(row[name])
    row["categories"] = row["categories"].split()
    return msgspec.convert(row | {"estimated": not told, "withdrawn": bool(row["withdrawn"])}, Paper)


def _state(row: Sequence[Any]) -> str:
    return f"{row[0]}.{row[1]}"


def _number_of(state: str) -> int:
    number = state.partition(".")[0]
    return int(number) if number.isdecimal() else 0


# FTS5's expressions (https://sqlite.org/fts5.html#full_text_query_syntax). Each term is a string of bare
# words, so nothing in a query can be read as syntax.


def _expression(query: Query) -> str:
    """Any of the terms, all that must be there, none of the rest."""
    held = " AND ".join([f"({_any_of(query.terms)})", *map(_string, query.must)])
    return f"({held}) NOT ({_any_of(query.without)})" if query.without else held


def _any_of(terms: Iterable[Term]) -> str:
    return " OR ".join(map(_string, terms))


def _string(term: Term) -> str:
    words = " ".join(term.words)
    return f'"{words}"' if term.where == "any" else f'{term.where} : "{words}"'


# A query's filters as conditions on `paper`, and the values of their parameters.


def _filters(query: Query) -> tuple[str, list[object]]:
    condition, values = _within(query.window)
    conditions = [condition]
    if query.must:
        conditions.append("number IN (SELECT rowid FROM paper_word WHERE paper_word MATCH ?)")
        values.append(" AND ".join(map(_string, query.must)))
    if query.without:
        conditions.append("number NOT IN (SELECT rowid FROM paper_word WHERE paper_word MATCH ?)")
        values.append(_any_of(query.without))
    if query.ids:
        conditions.append("id IN (SELECT value FROM json_each(?))")
        values.append(msgspec.json.encode(query.ids).decode())
    return " AND ".join(conditions), values


def _within(window: Window) -> tuple[str, list[object]]:
    conditions, values = ["NOT paper.withdrawn"], list[object]()
    for sign, day in ((">=", window.since), ("<=", window.until)):
        if day:
            conditions.append(f"paper.announced {sign} ?")
            values.append(day.isoformat())
    for word, topics, asked in (
        ("", window.topics, window.topics or window.silent),
        ("NOT ", window.not_topics, window.not_topics),
    ):
        if asked:
            found, those = _matched(topics, silent=window.silent and not word)
            conditions.append(f"{word}{found}")
            values += those
    for word, codes in (("", window.categories), ("NOT ", window.not_categories)):
        if codes:
            each = ["instr(' ' || paper.categories || ' ', ?)"] * len(codes)
            conditions.append(f"{word}({' OR '.join(each)})")
            values += [f" {code} " for code in codes]
    return " AND ".join(conditions), values


def _matched(topics: Sequence[str], *, silent: bool) -> tuple[str, list[object]]:
    """The paper belongs to any of these topics (any at all where none is named)."""
    named = f' AND "match".topic IN ({", ".join("?" * len(topics))})' if topics else ""
    only = ' AND "match".silent' if silent else ""
    return f'paper.number IN (SELECT paper FROM "match" WHERE true{named}{only})', list(topics)
