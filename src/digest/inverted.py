"""The words of all papers in an inverted index by tantivy: a cache beside the database, which follows it.

SQLite's FTS5 ranks every paper that holds any of the words: half a CPU-second for a query of five words
over 400,000 papers. tantivy skips what cannot come among the best (block-max WAND: Ding and Suel, SIGIR
2011) and answers in a hundredth. What it holds comes from the database and can be made anew at any time,
4,500 papers in a CPU-second; up to which change of the database it goes stands in the index itself, as
a document that is written in the same commit. Where it cannot be used, FTS5 answers.
"""

from __future__ import annotations

import logging
import shutil
import struct
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from digest.query import Field, Query, Term
from digest.types import WordChange

if TYPE_CHECKING:
    import tantivy

FIELDS: Mapping[Field, float] = {"title": 2.0, "abstract": 1.0, "authors": 0.5}
"""What a word counts in each field. Of 1 to 4 for the title on 131 queries, 2 found most."""

_LABEL = "meta.json"  # tantivy's: which files make up the index
_MAGIC = 1337
_FORM = "1"  # of the documents; with another number an index is made anew
_ANALYZER = "paper"
_STATE = 0  # the number of the document that says how far the index goes; papers count from 1
_HEAP = 64 << 20  # bytes for each thread that indexes; 15 million is tantivy's least

logger = logging.getLogger(__name__)


class Texts(Protocol):
    """Where the words come from."""

    def change(self, state: str = "") -> WordChange:
        """What changed since a state."""

    def pending(self, change: WordChange) -> int:
        """How many papers a change is about."""

    def texts(self, change: WordChange) -> Iterator[tuple[int, str, str, str]]:
        """Row number, title, abstract and authors of these papers."""


class Damaged(Exception):
    """The index cannot be used: it was found damaged, and is not looked at again."""


class WordIndex:
    """An index as it was when it was opened; made by ``open_words``."""

    def __init__(self, index: tantivy.Index, folder: Path) -> None:
        self._index = index
        self._folder = folder
        files = [file for file in folder.glob("*.*") if file.name != _LABEL]  # never changed once written
        self._sizes = [(file, _size(file, gone=0)) for file in files]
        self._searcher = index.searcher()
        self._analyzer = _analyzer()

    @cached_property
    def state(self) -> str:
        """The state of the database that the index was made of; "" for one that says none."""
        found = self._searcher.search(self._exactly("number", _STATE), 1, count=False).hits
        said: Any = self._searcher.doc(found[0][1]).get_first("state") if found else ""
        form, _, state = str(said).partition(":")
        return state if form == _FORM else ""

    def search(self, query: Query, k: int, among: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """The ``k`` best papers for a query's terms by BM25, that hold what must be there and none of the
        rest, of those ``among`` where given: (row number, score), best first. Its window and ids are not
        looked at. Raises Damaged."""
        import tantivy

        occur = tantivy.Occur
        parts = [(occur.Should, clause) for term in query.terms for clause in self._anywhere(term)]
        if not parts:
            return []
        wanted = tantivy.Query.boolean_query(parts)
        limits = [(occur.Must, self._holding(term)) for term in query.must]
        limits += [(occur.MustNot, self._holding(term)) for term in query.without]
        if among is not None:
            those = tantivy.Query.term_set_query(self._index.schema, "number", among)
            limits.append((occur.Must, tantivy.Query.const_score_query(those, 0.0)))
        if limits:
            wanted = tantivy.Query.boolean_query([(occur.Must, wanted), *limits])
        with self._given_up_where_damaged():
            hits = self._searcher.search(wanted, k, count=False).hits
            numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        return [(int(number or 0), score) for number, (score, _) in zip(numbers, hits, strict=True)]

    def stems(self, text: str) -> list[str]:
        """A text as the index holds it: small letters, no accents, Porter's stems of English words."""
        return self._analyzer.analyze(text)

    @contextmanager
    def _given_up_where_damaged(self) -> Iterator[None]:
        """tantivy reads without a look at its checksums, and says what it stumbles over as a ValueError or
        as the panic of its Rust, which is no Exception. What is damaged is made anew by the next crawl. To
        read where a mapped file was cut off ends the process (mmap(2), SIGBUS): sizes are looked at first."""
        try:
            if any(_size(file, gone=size) < size for file, size in self._sizes):
                raise ValueError("a file was cut short")
            yield
        except BaseException as error:
            if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
                raise
            logger.warning("the words' index is damaged and will be made anew", extra={"why": str(error)})
            with suppress(OSError):
                (self._folder / _LABEL).unlink()
            raise Damaged(str(error)) from error

    def _anywhere(self, term: Term) -> Iterator[tantivy.Query]:
        import tantivy

        for field in FIELDS if term.where == "any" else (term.where,):
            if clause := self._in_field(term, field):
                yield tantivy.Query.boost_query(clause, FIELDS[field])

    def _holding(self, term: Term) -> tantivy.Query:
        """What holds a term, whatever it counts; nothing does where the term has no word."""
        import tantivy

        clauses = list(self._anywhere(term))
        any_of = tantivy.Query.boolean_query([(tantivy.Occur.Should, clause) for clause in clauses])
        return tantivy.Query.const_score_query(any_of, 0.0) if clauses else tantivy.Query.empty_query()

    def _in_field(self, term: Term, field: Field) -> tantivy.Query | None:
        import tantivy

        stems = self.stems(term.text)
        if len(stems) > 1:
            return tantivy.Query.phrase_query(self._index.schema, field, list(stems))
        return self._exactly(field, stems[0]) if stems else None

    def _exactly(self, field: str, value: str | int) -> tantivy.Query:
        import tantivy

        return tantivy.Query.term_query(self._index.schema, field, value, "freq")


def open_words(folder: Path, source: Texts, most: int | None = None) -> WordIndex | None:
    """The index as the database is now: what lies in ``folder``, brought up to it.

    None where that would take more than ``most`` papers, another process is at it, or the folder cannot
    be written: then ask the database.
    """
    found = _opened(folder)
    change = source.change(found.state if found else "")
    if found and found.state == change.state:
        return found
    if most is not None and source.pending(change) > most:
        return None
    try:
        if found is None:
            _clear(folder)
        _follow(folder, source, change)
    except (OSError, ValueError) as error:  # tantivy says ValueError for a lock that is held, too
        logger.info("words are searched in the database", extra={"why": str(error)})
        return None
    return _opened(folder)


def unfit(folder: Path, source: Texts) -> str | None:
    """Why the words are not found as quickly as they could be; None where the index in ``folder`` is whole,
    which is read through, and as far as the database."""
    found = _opened(folder)
    if found is None:
        return "there is none" if not (folder / _LABEL).exists() else "it is damaged"
    if damaged := next((file.name for file in sorted(folder.glob("*.*")) if not _is_whole(file)), None):
        return f"it is damaged ({damaged})"
    change = source.change(found.state)
    behind = 0 if found.state == change.state else source.pending(change)
    return f"it lacks {behind:,} of the papers as they are now" if behind else None


def _is_whole(file: Path) -> bool:
    """Whether a file of tantivy is as it was written: it ends with a JSON object that holds its CRC-32, the
    length of that object, and 1337 (https://docs.rs/tantivy, directory::footer)."""
    if file.name == _LABEL or file.name.startswith("."):
        return True
    data = file.read_bytes()
    length, magic = struct.unpack("<II", data[-8:].rjust(8, b"\0"))
    if magic != _MAGIC or length + 8 > len(data):
        return False
    try:
        footer = msgspec.json.decode(data[-8 - length : -8], type=_Footer)
    except msgspec.DecodeError:
        return False
    return footer.crc == zlib.crc32(memoryview(data)[: -8 - length])


class _Footer(msgspec.Struct):
    crc: int


def _opened(folder: Path) -> WordIndex | None:
    """What lies in a folder; None where it is no index, or one that cannot say how far it goes."""
    import tantivy

    try:
        index = tantivy.Index.open(str(folder))
        index.register_tokenizer(_ANALYZER, _analyzer())
        found = WordIndex(index, folder)
        with found._given_up_where_damaged():  # noqa: SLF001
            _ = found.state
    except (ValueError, Damaged):
        return None
    return found


def _size(file: Path, gone: int) -> int:
    """The size of a file; ``gone`` for one that was removed, of which what was opened stays."""
    try:
        return file.stat().st_size
    except OSError:
        return gone


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _follow(folder: Path, source: Texts, change: WordChange) -> None:
    """Write a change in one commit; raises ValueError where another process writes."""
    import tantivy

    started = time.perf_counter()
    index = tantivy.Index(_schema(), path=str(folder))
    index.register_tokenizer(_ANALYZER, _analyzer())
    with index.writer(heap_size=_HEAP, num_threads=1) as writer:
        if not change.after:
            writer.delete_all_documents()
        for number in (_STATE, *change.changed):
            writer.delete_documents_by_query(tantivy.Query.term_query(index.schema, "number", number))
        for number, title, abstract, authors in source.texts(change):
            writer.add_document(_document(number, title=title, abstract=abstract, authors=authors))
        writer.add_document(_document(_STATE, state=f"{_FORM}:{change.state}"))
        writer.commit()
    seconds = round(time.perf_counter() - started, 2)
    logger.info("words indexed", extra={"after": change.after, "seconds": seconds})


def _document(number: int, **texts: str) -> tantivy.Document:
    import tantivy

    document = tantivy.Document()
    document.add_unsigned("number", number)
    for field, text in texts.items():
        document.add_text(field, text)
    return document


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder().add_unsigned_field("number", indexed=True, fast=True)
    for field in FIELDS:
        builder.add_text_field(field, tokenizer_name=_ANALYZER)
    return builder.add_text_field("state", stored=True, tokenizer_name="raw", index_option="basic").build()


def _analyzer() -> tantivy.TextAnalyzer:
    """Splits where FTS5's tokenizer does, at what is no letter and no digit of any script."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase()).filter(Filter.ascii_fold())
    return builder.filter(Filter.stemmer("english")).build()
