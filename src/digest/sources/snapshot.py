"""A file in the schema of arXiv's metadata snapshot: one JSON object a line
(https://www.kaggle.com/datasets/Cornell-University/arxiv), plain or compressed."""

from __future__ import annotations

import gzip
import lzma
import os
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import msgspec
import zstandard

from digest import ids
from digest.errors import InputError
from digest.text import clean
from digest.types import Page, Paper, Skipped, Version

# --- from a record to a paper ---------------------------------------------------------------------


class RecordVersion(msgspec.Struct, frozen=True, gc=False):
    """A version as the snapshot has it: "v1", "Mon, 2 Apr 2007 19:18:42 GMT"."""

    version: str
    created: str


class Record(msgspec.Struct, frozen=True, gc=False, rename={"journal_ref": "journal-ref"}):
    """A line of the snapshot; fields that a paper does not need are left out."""

    id: str
    title: str
    abstract: str
    categories: str
    versions: list[RecordVersion]
    authors: str | None = None
    authors_parsed: list[list[str]] | None = None
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None


_NEW_YORK = ZoneInfo("America/New_York")
_WITHDRAWN = re.compile(r"\bwithdrawn\b", re.IGNORECASE)
_WITHDRAWN_ABSTRACT = "this paper has been withdrawn"


def paper_from_record(record: Record | Mapping[str, Any], announced: date | None = None) -> Paper:
    """The paper a record tells of.

    The snapshot does not say when a paper was announced: unless ``announced`` does, the day of the
    first version is the estimate. Withdrawal is told from comments and abstract: arXiv has no flag
    for it outside OAI-PMH (https://info.arxiv.org/help/withdraw.html). Raises InputError: a field is
    missing or cannot be read.
    """
    if not isinstance(record, Record):
        record = _converted(record)
    title = clean(record.title)
    if not title:
        raise InputError("the title is empty")
    abstract = clean(record.abstract)
    comments = _optional(record.comments)
    versions = _versions(record.versions)
    submitted = versions[0].submitted
    return Paper(
        id=ids.parse(record.id).base,
        version=versions[-1].number,
        title=title,
        abstract=abstract,
        authors=_authors(record),
        categories=_categories(record.categories),
        submitted=submitted,
        updated=versions[-1].submitted,
        announced=announced or _day(submitted),
        comments=comments,
        journal_ref=_optional(record.journal_ref),
        doi=_optional(record.doi),
        withdrawn=_is_withdrawn(comments, abstract),
        versions=versions,
        estimated=announced is None,
    )


def _converted(record: Mapping[str, Any]) -> Record:
    try:
        return msgspec.convert(record, Record)
    except msgspec.ValidationError as error:
        raise InputError(str(error)) from error


def _optional(text: str | None) -> str | None:
    return (clean(text) or None) if text else None


def _is_withdrawn(comments: str | None, abstract: str) -> bool:
    if comments and "withdrawn" in comments.lower() and _WITHDRAWN.search(comments):
        return True
    return abstract[: len(_WITHDRAWN_ABSTRACT)].lower() == _WITHDRAWN_ABSTRACT


@lru_cache(maxsize=1 << 14)
def _categories(text: str) -> tuple[str, ...]:
    """The categories of a paper, primary first; codes of other schemes are left out."""
    found = tuple(dict.fromkeys(code for code in text.split() if ids.is_category(code)))
    if not found:
        raise InputError(f"no category in {text[:60]!r}")
    return found


# Versions and days --------------------------------------------------------------------------------


def _versions(records: list[RecordVersion]) -> tuple[Version, ...]:
    """All versions, the first one first."""
    if not records:
        raise InputError("no version and so no date")
    versions = [Version(_number(record.version), _time(record.created)) for record in records]
    if len(versions) > 1:
        versions.sort(key=lambda version: version.number)
    return tuple(versions)


@lru_cache(maxsize=1 << 10)
def _number(text: str) -> int:
    if not text.startswith("v") or not text[1:].isdecimal() or len(text) > _LONGEST_VERSION:
        raise InputError(f"not a version: {text[:60]!r}")
    return int(text[1:])


_LONGEST_VERSION = len("v99999")
_MONTHS = {
    name: at for at, name in enumerate(re.findall("...", "JanFebMarAprMayJunJulAugSepOctNovDec"), start=1)
}


def _time(text: str) -> datetime:
    """A time such as "Mon, 2 Apr 2007 19:18:42 GMT" (RFC 2822), in UTC.

    The snapshot writes them all alike, so they are cut at fixed places counted from the end, twenty
    times as fast as email.utils, which reads the others.
    """
    try:
        if text[-4:] == " GMT":
            return datetime.fromisoformat(f"{_date(text[:-13])}T{text[-12:-4]}+00:00")
    except (ValueError, KeyError):
        pass
    try:
        time = parsedate_to_datetime(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(f"not a date: {text[:60]!r}") from error


@lru_cache(maxsize=1 << 14)
def _date(text: str) -> str:
    """The ISO date of a day such as "Mon, 2 Apr 2007"; arXiv has seen 13,000 of them."""
    return date(int(text[-4:]), _MONTHS[text[-8:-5]], int(text[5:-9])).isoformat()


def _day(time: datetime) -> date:
    """The New York day of a time. Midnight sharp is no time but a day: it is taken as it stands."""
    if not (time.hour or time.minute or time.second):
        return time.date()
    try:
        return time.astimezone(_NEW_YORK).date()
    except OverflowError as error:  # the first hours of year 1
        raise InputError(f"not a date: {time}") from error


# Authors ------------------------------------------------------------------------------------------

_BETWEEN = re.compile(r"[,;]\s*(?:and\s+)?|\sand\s")
_SUFFIXES = frozenset({"Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"})


def _authors(record: Record) -> tuple[str, ...]:
    """Names as they are said, first name first."""
    if not record.authors_parsed:
        return _split_authors(record.authors) if record.authors else ()
    names = [_name(parts) for parts in record.authors_parsed]
    together = " | ".join(names)
    if clean(together) is not together:  # one look for all of them
        names = [clean(name) for name in names]
    return tuple(filter(None, names))


def _name(parts: list[str]) -> str:
    """A name from [last, first, suffix, affiliation ...]."""
    last, first, suffix = parts[:3] if len(parts) > 2 else (*parts, "", "", "")[:3]
    return f"{first} {last} {suffix}" if suffix else f"{first} {last}"


def _split_authors(text: str) -> tuple[str, ...]:
    """Names from a line such as "A. Author (1), B. Author, Jr. and C. Author ((1) Somewhere)"."""
    names: list[str] = []
    for name in map(str.strip, _BETWEEN.split(clean(_outside_parentheses(text)))):
        if name in _SUFFIXES and names:
            names[-1] += f" {name}"
        elif name:
            names.append(name)
    return tuple(names)


def _outside_parentheses(text: str) -> str:
    if "(" not in text:
        return text
    kept, depth = [], 0
    for letter in text:
        depth += letter == "("
        if not depth:
            kept.append(letter)
        depth -= letter == ")" and depth > 0
    return "".join(kept)


# --- from a file to lines -------------------------------------------------------------------------

_CHUNK = 1 << 18
_ZSTD_CHUNK = 1 << 12  # unpacked at one go: at most 128 MiB, whatever the file was made to do
_ZSTD_WINDOW = 1 << 27  # bytes of memory; what zstd --ultra -22 needs
_LONGEST_LINE = 8 << 20
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """The file's bytes, unpacked as its first bytes ask for. Raises one of _DAMAGE where it is cut."""
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        yield from _unpack(gzip.GzipFile(fileobj=file))
    elif magic == b"\xfd7zXZ\x00":
        yield from _unpack(lzma.LZMAFile(file))  # noqa: SIM115 - _unpack closes it
    elif magic.startswith(b"\x28\xb5\x2f\xfd"):
        yield from _unpack_zstd(file)
    else:
        while chunk := file.read(_CHUNK):
            yield chunk


def _unpack(packed: gzip.GzipFile | lzma.LZMAFile) -> Iterator[bytes]:
    with packed:
        while chunk := packed.read1(_CHUNK):  # read() would lose what stands before a cut
            yield chunk


def _unpack_zstd(file: BinaryIO) -> Iterator[bytes]:
    """zstandard's reader takes a cut file for a whole one; its decompressor knows where frames end."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = decompressor.decompressobj()
    begun = False
    while packed := file.read(_ZSTD_CHUNK):
        while packed:
            chunk = frame.decompress(packed)
            begun = not frame.eof
            if chunk:
                yield chunk
            packed = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = decompressor.decompressobj()
    if begun:
        raise EOFError("the last frame does not end")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    """Lines without their end; None for one that is too long to be held."""
    rest, too_long = b"", False
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield None if too_long or len(line) > _LONGEST_LINE else line
            too_long = False
        if too_long or len(rest) > _LONGEST_LINE:
            rest, too_long = b"", True
    if rest or too_long:
        yield None if too_long else rest


# --- the source -----------------------------------------------------------------------------------

_decode = msgspec.json.Decoder(Record).decode
_MOST_BAD_LINES = 10_000  # at the beginning of a file, before it is given up


class _Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far which state of the file was read. A file that changed is another file."""

    size: int
    mtime: int
    line: int = 0
    done: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The papers of a snapshot file: plain, gzip, xz or zstd, told by its first bytes.

    Read as a stream, in pages of ``page_size`` lines; memory does not grow with the file. Papers
    are announced on the day ``announced``, if given.
    """

    path: Path
    announced: date | None = None
    page_size: int = 5000

    @property
    def name(self) -> str:
        """What the source is called: each file has a cursor of its own."""
        return f"snapshot:{self.shown}"

    @property
    def shown(self) -> str:
        """The path as it can be stored and printed, whatever bytes are in its names."""
        return os.fsencode(self.path).decode(errors="backslashreplace")

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:  # noqa: ARG002 - a file has no now
        """The pages after ``cursor``; nothing if the same file was read to its end.

        Raises InputError: the file cannot be opened, holds no record, or is cut; what stands before
        the cut is given first.
        """
        try:
            with self.path.open("rb") as file:
                start = _start(file, cursor)
                if not start.done:
                    yield from self._pages(file, start)
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror or error}") from error

    def _pages(self, file: BinaryIO, start: _Cursor) -> Iterator[Page]:
        reading = _Reading(self, start)
        try:
            for number, line in enumerate(_lines(_chunks(file)), start=1):
                if number > start.line:
                    if reading.full:
                        yield reading.turn()
                    reading.add(number, line)
        except _DAMAGE as error:
            if reading.papers or reading.skipped:
                yield reading.turn()
            where = f"after line {reading.line}" if reading.line else "before its first line ends"
            raise InputError(f"{self.path}: cut or damaged {where} ({error}): get the file again") from error
        reading.check()
        yield reading.turn(done=True)


def _start(file: BinaryIO, cursor: str | None) -> _Cursor:
    """Where to begin: at the cursor if it speaks of this very file, else at the beginning."""
    status = os.fstat(file.fileno())
    begin = _Cursor(status.st_size, status.st_mtime_ns)
    try:
        stored = msgspec.json.decode(cursor, type=_Cursor) if cursor else begin
    except msgspec.DecodeError:
        return begin
    return stored if (stored.size, stored.mtime) == (begin.size, begin.mtime) else begin


class _Reading:
    """The page that is being filled, and whether the file has shown itself to be a snapshot."""

    def __init__(self, source: Snapshot, start: _Cursor) -> None:
        self.source = source
        self.start = start
        self.line = start.line
        self.good = start.line > 0
        self.papers: list[Paper] = []
        self.skipped: list[Skipped] = []

    @property
    def full(self) -> bool:
        return self.good and len(self.papers) + len(self.skipped) >= self.source.page_size

    def add(self, number: int, line: bytes | None) -> None:
        """Add what a line holds: a paper, or why there is none."""
        self.line = number
        if line is None:
            self.skip(f"longer than {_LONGEST_LINE >> 20} MB")
        elif line and not line.isspace():
            try:
                record = _decode(line.removeprefix(BOM_UTF8) if number == 1 else line)
                self.papers.append(paper_from_record(record, self.source.announced))
                self.good = True
            except (msgspec.DecodeError, InputError, ValueError, RecursionError) as error:
                self.skip(str(error))

    def skip(self, reason: str) -> None:
        self.skipped.append(
            Skipped(f"{Path(self.source.shown).name}:{self.line}", " ".join(reason.split())[:200])
        )
        if len(self.skipped) >= _MOST_BAD_LINES:
            self.check()

    def turn(self, *, done: bool = False) -> Page:
        """The page as it is; a new one begins."""
        cursor = _Cursor(self.start.size, self.start.mtime, self.line, done)
        page = Page(tuple(self.papers), msgspec.json.encode(cursor).decode(), tuple(self.skipped))
        self.papers, self.skipped = [], []
        return page

    def check(self) -> None:
        """Raise InputError if not one line so far was a record."""
        if self.good:
            return
        what = "not a snapshot of arXiv's metadata (one JSON object a line)"
        if not self.skipped:
            raise InputError(f"{self.source.path}: {what}: the file is empty")
        first = self.skipped[0]
        raise InputError(
            f"{self.source.path}: {what}: none of its first {self.line} lines is a record; "
            f"{first.where}: {first.reason}"
        )
