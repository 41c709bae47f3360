"""The index on disk: records that are only ever added to, sign bits beside them, and a label.

    index.json      what the other files hold: model, kind, how many, up to which vector of the database
    rows-NAME       records, one after the other
    signs-NAME      blocks of sign bits: for each word of 64 components BLOCK words, one of each record

A day's vectors are written behind those that are there, then the label that counts them takes the
place of the old one in one rename: a kill at any moment leaves the old index or the new one. Whoever
has the files open goes on with what his label counts. To build anew is to write under another name.

Files are read and not mapped: a file that someone cuts short would end the process, and mapped pages
count as its memory.
"""

from __future__ import annotations

import os
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple
from uuid import uuid4

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from digest.index import records
from digest.index.records import F32, U64, Kind, Records
from digest.whole import write_whole

I64 = npt.NDArray[np.int64]

BLOCK = 16_384  # records whose sign bits lie together: 128 KB a word of each
_CHUNK = 4_096  # records read at a time
_LABEL = "index.json"

Part = Literal["rows", "signs"]


class Stored(NamedTuple):
    """Some vectors of the database, in its order."""

    numbers: I64  # [n]
    texts: list[bytes]  # n hashes of 16 bytes
    vectors: F32  # [n, dimension]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """index.json. ``last`` and ``text`` are the number and the text's hash of the last vector; ``signs``
    are CRC-32 of the blocks of sign bits."""

    model: str
    dimension: int
    kind: Kind
    name: str
    count: int = 0
    last: int = 0
    text: bytes = b""
    mean: bytes = b""
    block: int = BLOCK
    signs: tuple[int, ...] = ()
    check: int = 0

    @property
    def layout(self) -> np.dtype[np.void]:
        return records.layout(self.kind, self.dimension)

    @property
    def words(self) -> int:
        """Words of 64 sign bits a record."""
        return -(-self.dimension // 64)

    @property
    def center(self) -> F32:
        """What sign bits are above or not: float32 [dimension]."""
        return np.frombuffer(self.mean, "<f4")

    @property
    def checksum(self) -> int:
        return zlib.crc32(msgspec.json.encode(replace(self, check=0)))

    def file(self, part: Part) -> str:
        return f"{part}-{self.name}"


class Unfit(Exception):
    """Why what is stored cannot be used."""


class Files:
    """An index that is open: its label, and what the label counts."""

    def __init__(self, label: Label, read: Callable[[Part, int, int], bytes]) -> None:
        self.label = label
        self._read = read  # (part, offset, size) to bytes

    def at(self, places: Sequence[int]) -> Records:
        """The records at some places; raises Unfit where one is damaged."""
        size = self.label.layout.itemsize
        return self._sound(
            b"".join([self._read("rows", place * size, size) for place in places]), len(places)
        )

    def chunks(self, start: int = 0) -> Iterator[Records]:
        """All records from a place on, in order; raises Unfit where one is damaged."""
        size = self.label.layout.itemsize
        for first in range(start, self.label.count, _CHUNK):
            held = min(_CHUNK, self.label.count - first)
            yield self._sound(self._read("rows", first * size, held * size), held)

    def planes(self) -> Iterator[U64]:
        """All sign bits, uint64 [words, n] a block, in order; raises Unfit where a block is damaged."""
        words, block = self.label.words, self.label.block
        for number, crc32 in enumerate(self.label.signs):
            data = self._read("signs", number * words * block * 8, words * block * 8)
            if len(data) != words * block * 8:
                raise Unfit("the file of sign bits is cut short")
            held = min(block, self.label.count - number * block)
            plane = np.frombuffer(data, "<u8").reshape(words, block)[:, :held]
            if _crc32(plane) != crc32:
                raise Unfit("the file of sign bits is damaged")
            yield plane

    def _sound(self, data: bytes, count: int) -> Records:
        kind = self.label.layout
        if len(data) != count * kind.itemsize:
            raise Unfit("the file of vectors is cut short")
        found = np.frombuffer(data, kind)
        if not records.sound(found):
            raise Unfit("the file of vectors is damaged")
        return found


def open_files(folder: Path, model: str, dimension: int) -> Files:
    """What is stored of a model; raises Unfit."""
    label = _label(folder)
    wanted = {"model": model, "dimension": dimension, "block": BLOCK}
    for field, value in wanted.items():
        if getattr(label, field) != value:
            raise Unfit(f"it is of another {field}: {getattr(label, field)}")
    sizes = {"rows": label.count * label.layout.itemsize, "signs": len(label.signs) * label.words * BLOCK * 8}
    opened: dict[Part, int] = {}
    files = Files(label, lambda part, offset, size: os.pread(opened[part], size, offset))
    for part in _parts(label):
        try:
            opened[part] = os.open(folder / label.file(part), os.O_RDONLY)
        except OSError as error:
            raise Unfit(f"a file cannot be read: {line(error)}") from error
        weakref.finalize(files, os.close, opened[part])
        if os.fstat(opened[part]).st_size < sizes[part]:
            raise Unfit(f"the file {label.file(part)} is cut short")
    return files


def _parts(label: Label) -> tuple[Part, ...]:
    return ("rows",) if label.kind == "exact" else ("rows", "signs")


def _label(folder: Path) -> Label:
    try:
        label = msgspec.json.decode((folder / _LABEL).read_bytes(), type=Label)
    except FileNotFoundError:
        raise Unfit("there is none") from None
    except (OSError, msgspec.DecodeError) as error:
        raise Unfit(f"{_LABEL} cannot be read: {line(error)}") from error
    if label.check != label.checksum:
        raise Unfit(f"{_LABEL} is damaged")
    return label


def build(folder: Path, label: Label, blocks: Iterable[Stored]) -> None:
    """A new index beside the one that is there, which it replaces when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    label = replace(label, name=uuid4().hex[:8])
    for part in _parts(label):
        (folder / label.file(part)).touch()
    try:
        append(folder, label, blocks)
    except BaseException:
        _sweep(folder)
        raise
    _sweep(folder)


def append(folder: Path, label: Label, blocks: Iterable[Stored]) -> None:
    """Vectors behind those that are there."""
    opened = {part: (folder / label.file(part)).open("r+b") for part in _parts(label)}
    try:
        for block in blocks:
            label = _written(opened, label, block)
        for file in opened.values():
            file.flush()
            os.fsync(file.fileno())
    finally:
        for file in opened.values():
            file.close()
    write_whole(folder / _LABEL, msgspec.json.encode(replace(label, check=label.checksum)), shared=True)


def in_memory(label: Label, blocks: Iterable[Stored]) -> Files:
    """An index without a place on a disk."""
    held = {part: BytesIO() for part in _parts(label)}
    for block in blocks:
        label = _written(held, label, block)
    views = {part: file.getbuffer() for part, file in held.items()}
    return Files(label, lambda part, offset, size: bytes(views[part][offset : offset + size]))


def _written(files: Mapping[Part, BinaryIO], label: Label, block: Stored) -> Label:
    """Write a block's records, and their sign bits; the label that counts them."""
    if not block.texts:
        return label
    packed = records.pack(label.kind, block.texts, block.vectors)
    files["rows"].seek(label.count * packed.itemsize)
    files["rows"].write(packed.tobytes())
    signs = list(label.signs)
    if label.kind == "bytes":
        planes = records.signs(records.unpack(packed), label.center)
        _write_signs(files["signs"], signs, label, planes)
    count = label.count + len(packed)
    last, text = int(block.numbers[-1]), block.texts[-1]
    return replace(label, count=count, last=last, text=text, signs=tuple(signs))


def _write_signs(file: BinaryIO, crcs: list[int], label: Label, planes: U64) -> None:
    """Fill the last block and begin new ones."""
    done = 0
    while done < planes.shape[1]:
        number, held = divmod(label.count + done, BLOCK)
        taken = min(BLOCK - held, planes.shape[1] - done)
        file.seek(number * label.words * BLOCK * 8)
        whole = np.zeros((label.words, BLOCK), "<u8")
        if held:
            there = np.frombuffer(file.read(whole.nbytes), "<u8")
            whole.reshape(-1)[: len(there)] = there
            if _crc32(whole[:, :held]) != crcs[number]:
                raise Unfit("the file of sign bits is damaged")
        whole[:, held : held + taken] = planes[:, done : done + taken]
        file.seek(number * label.words * BLOCK * 8)
        file.write(whole.tobytes())
        crcs[number:] = [_crc32(whole[:, : held + taken])]
        done += taken


def _crc32(plane: U64) -> int:
    return zlib.crc32(np.ascontiguousarray(plane).data)


def _sweep(folder: Path) -> None:
    """Removes what the label does not name: an index that was replaced, or one a killed process began."""
    try:
        label = _label(folder)
        kept = {label.file(part) for part in _parts(label)}
    except Unfit:
        kept = set()
    for pattern in ("rows-*", "signs-*", ".*.tmp", "index.faiss"):
        for file in folder.glob(pattern):
            if file.name not in kept:
                with suppress(OSError):  # it is gone, or a folder that somebody made
                    file.unlink()


def line(error: Exception) -> str:
    """The last line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[-1]
