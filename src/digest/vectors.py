"""Vectors in one file, so that a machine with a GPU embeds and a small one serves.

A safetensors file (https://huggingface.co/docs/safetensors): "vectors" float32 [n, dimension], "texts"
uint8 [n, 16], the hash of the text of each, and as metadata the model's name and a SHA-256 of all that
follows the header. Written and read in blocks: memory does not grow with the archive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from digest.errors import InputError, refused
from digest.whole import written_whole

F32 = npt.NDArray[np.float32]

FORMAT = "digest-vectors-1"
HASH = 16  # bytes of a text's hash
_HEADER = 1024  # bytes beside the model's name, padded with spaces; the sizes are known at the end
_BLOCK = 4096  # vectors read at a time
_MOST = 100_000_000  # bytes of a header; the limit of the format's own reader


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class _Metadata(msgspec.Struct, frozen=True):
    format: str
    model: str
    sha256: str


class _Header(msgspec.Struct, frozen=True):
    vectors: _Tensor
    texts: _Tensor
    metadata: _Metadata = msgspec.field(name="__metadata__")


class VectorFile(NamedTuple):
    """A file whose header is in order; made by ``read``."""

    path: Path
    model: str
    dimension: int
    total: int
    start: int  # of the data
    sha256: str

    def blocks(self) -> Iterator[tuple[list[bytes], F32]]:
        """Hashes of texts and float32 [n, dimension], some thousands at a time."""
        row = self.dimension * 4
        with self.path.open("rb") as vectors, self.path.open("rb") as texts:
            vectors.seek(self.start)
            texts.seek(self.start + self.total * row)
            for first in range(0, self.total, _BLOCK):
                held = min(_BLOCK, self.total - first)
                rows = np.frombuffer(vectors.read(held * row), "<f4").reshape(held, self.dimension)
                names = texts.read(held * HASH)
                yield [names[at : at + HASH] for at in range(0, len(names), HASH)], rows

    def check(self) -> None:
        """Read it all; raises InputError where it is not what was written, or holds what is no vector."""
        hashed = hashlib.sha256()
        with self.path.open("rb") as file:
            file.seek(self.start)
            while data := file.read(1 << 20):
                hashed.update(data)
        if hashed.hexdigest() != self.sha256:
            raise _damaged(self.path, "its checksum is another")
        for _, rows in self.blocks():
            if not (np.abs(np.linalg.norm(rows, axis=1) - 1) < 1e-3).all():
                raise _damaged(self.path, "it holds vectors whose length is not 1")


def write(path: Path, model: str, dimension: int, blocks: Iterable[tuple[list[bytes], F32]]) -> int:
    """Store vectors in a file, which takes its name when it is whole; how many there were."""
    try:
        with written_whole(path, shared=True) as file:
            return _fill(file, model, dimension, blocks)
    except OSError as error:
        raise refused(OSError(error.errno, error.strerror, str(path))) from error


def _fill(file: BinaryIO, model: str, dimension: int, blocks: Iterable[tuple[list[bytes], F32]]) -> int:
    """The vectors as they come, then the hashes, then the header in the room that was left for it."""
    file.write(_header(model, dimension, 0, ""))
    hashed, texts = hashlib.sha256(), bytearray()
    for names, rows in blocks:
        data = np.ascontiguousarray(rows, "<f4").tobytes()
        hashed.update(data)
        file.write(data)
        texts += b"".join(names)
    hashed.update(texts)
    file.write(texts)
    count = len(texts) // HASH
    file.seek(0)
    file.write(_header(model, dimension, count, hashed.hexdigest()))
    return count


def _header(model: str, dimension: int, count: int, sha256: str) -> bytes:
    end = count * dimension * 4
    header = _Header(
        vectors=_Tensor("F32", (count, dimension), (0, end)),
        texts=_Tensor("U8", (count, HASH), (end, end + count * HASH)),
        metadata=_Metadata(FORMAT, model, sha256),
    )
    name = len(msgspec.json.encode(model))
    text = msgspec.json.encode(header).ljust(_HEADER + name + -name % 8 - 8)
    return len(text).to_bytes(8, "little") + text


def read(path: Path) -> VectorFile:
    """The header of a file of vectors; raises InputError where it is none, or was cut short."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            found = file.read(length) if length < min(size, _MOST) else b""
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        header = msgspec.json.decode(found, type=_Header)
    except msgspec.DecodeError:
        raise InputError(f"{path}: is no file of vectors; digest vectors export makes one") from None
    count, dimension = _shape(path, header)
    if size != 8 + length + count * (dimension * 4 + HASH):
        raise _damaged(path, "its size is not what its header says")
    return VectorFile(path, header.metadata.model, dimension, count, 8 + length, header.metadata.sha256)


def _shape(path: Path, header: _Header) -> tuple[int, int]:
    """How many vectors of which dimension; raises InputError where the tensors do not fit together."""
    if header.metadata.format != FORMAT:
        raise InputError(f"{path}: is of the format {header.metadata.format!r}, not {FORMAT}: update digest")
    shape: Any = header.vectors.shape
    if len(shape) != 2 or min(shape) < 0 or shape[1] < 1:
        raise _damaged(path, "its vectors are no table")
    count, dimension = shape
    if header != msgspec.json.decode(
        _header(header.metadata.model, dimension, count, header.metadata.sha256)[8:], type=_Header
    ):
        raise _damaged(path, "its tensors do not fit together")
    return count, dimension


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path}: is damaged, {why}: copy or export it again")
