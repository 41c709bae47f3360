"""The nearest vectors by FAISS: a cache beside the database, rebuilt whenever it does not fit.

Two files: ``index.faiss``, and ``index.json`` that says what the first was made of and its checksum.
The vectors' home is the database; whatever is wrong with the files costs a rebuild (0.2 s for
50,000 vectors) and a line in the log, never an answer.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Rows = Callable[[], Iterator[tuple[I64, F32]]]

# Up to here every inner product is computed in full (77 MB, 8 ms a query). Beyond, each component is
# a byte: a quarter of memory, half of the time, recall@10 0.99.
EXACT_UP_TO = 50_000

_GPU_MOST = 2048  # the largest k that FAISS takes on a GPU
_LEFTOVER_SECONDS = 3600  # a temporary file this old belongs to nobody

logger = logging.getLogger(__name__)


class _Label(msgspec.Struct, frozen=True, kw_only=True):
    """index.json: what the index was made of, by what, and the file it is in."""

    model: str
    dimension: int
    state: str
    faiss: str
    kind: str
    count: int
    size: int
    crc32: int


class VectorIndex:
    """Vectors by number, searched by inner product; made by ``open_index``."""

    def __init__(self, index: Any, memory: npt.NDArray[np.uint8] | None = None) -> None:
        self._index = index
        self._memory = memory  # FAISS reads straight from these bytes
        self._fast = _on_gpu(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, vectors: F32, k: int) -> tuple[F32, I64]:
        """The k nearest of each row of float32[q, dimension] (normalised), nearest first.

        Returns similarities float32[q, k] and numbers int64[q, k]; where there are fewer than k
        vectors the number is -1 and the similarity -inf.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self._index.d:
            raise ValueError(f"vectors of shape {vectors.shape}, not [q, {self._index.d}]")
        if k < 1:
            raise ValueError(f"k is {k}, not 1 or more")
        similarities = np.full((len(vectors), k), -np.inf, np.float32)
        numbers = np.full((len(vectors), k), -1, np.int64)
        found = min(k, len(self))
        if found and len(vectors):
            index = self._fast if found <= _GPU_MOST else self._index
            similarities[:, :found], numbers[:, :found] = index.search(vectors, found)
            np.clip(similarities, -1, 1, out=similarities)  # byte components can say 1.0004
        similarities[numbers < 0] = -np.inf
        return similarities, numbers


def open_index(folder: Path, model: str, dimension: int, state: str, rows: Rows) -> VectorIndex:
    """The index of a model's vectors as they are now: from ``folder`` if what lies there fits, else
    rebuilt from ``rows`` and stored there.

    ``state`` is any string that changes when the vectors do. ``rows()`` gives blocks of numbers
    int64[n] and vectors float32[n, dimension]. A folder that cannot be written is warned about;
    the index is then kept in memory only.
    """
    try:
        return _read(folder, model, dimension, state)
    except _Unfit as unfit:
        why = str(unfit)
    started = time.perf_counter()
    kind, index = _build(dimension, rows())
    logger.info(
        "index rebuilt",
        extra={"why": why, "vectors": index.ntotal, "seconds": round(time.perf_counter() - started, 2)},
    )
    try:
        _write(folder, index, model=model, dimension=dimension, state=state, kind=kind)
    except (OSError, RuntimeError) as error:  # FAISS wraps a failed write in a RuntimeError
        logger.warning("index not stored, it will be rebuilt next time", extra={"why": _line(error)})
    return VectorIndex(index)


def unfit(folder: Path, model: str, dimension: int, state: str) -> str | None:
    """Why what lies in the folder cannot be used as the index of a model's vectors; None where it can."""
    try:
        _read(folder, model, dimension, state)
    except _Unfit as why:
        return str(why)
    return None


class _Unfit(Exception):
    """Why the stored index cannot be used."""


def _read(folder: Path, model: str, dimension: int, state: str) -> VectorIndex:
    """The stored index; raises _Unfit."""
    faiss = _faiss()
    try:
        label = msgspec.json.decode((folder / "index.json").read_bytes(), type=_Label)
    except FileNotFoundError:
        raise _Unfit("there is none") from None
    except (OSError, msgspec.DecodeError) as error:
        raise _Unfit(f"index.json cannot be read: {_line(error)}") from error
    wanted = {"model": model, "dimension": dimension, "state": state, "faiss": faiss.__version__}
    for field, value in wanted.items():
        if getattr(label, field) != value:
            raise _Unfit(f"it is of another {field}: {getattr(label, field)}")
    return _load(folder / "index.faiss", label)


def _load(file: Path, label: _Label) -> VectorIndex:
    """The index in a file whose checksum is right; raises _Unfit.

    The bytes are read once, checked, and then searched where they lie. No memory map: a file that
    someone cuts short would end the process.
    """
    faiss = _faiss()
    try:
        memory = np.fromfile(file, np.uint8)
        if (len(memory), zlib.crc32(memory.data)) != (label.size, label.crc32):
            raise _Unfit("the file is damaged")
        index = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(memory), memory.size))
    except (OSError, RuntimeError) as error:
        raise _Unfit(f"the file cannot be read: {_line(error)}") from error
    if (index.ntotal, index.d) != (label.count, label.dimension):
        raise _Unfit("the file is not the one that index.json describes")
    return VectorIndex(index, memory)


def _build(dimension: int, blocks: Iterator[tuple[I64, F32]]) -> tuple[str, Any]:
    """The kind of index and the index. Byte components are trained on the first blocks."""
    faiss = _faiss()
    first: list[tuple[I64, F32]] = []
    held = 0
    for block in blocks:
        first.append(block)
        held += len(block[0])
        if held > EXACT_UP_TO:
            break
    kind = "flat" if held <= EXACT_UP_TO or _gpus() else "sq8"
    if kind == "flat":
        inner = faiss.IndexFlatIP(dimension)
    else:
        inner = faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        inner.train(np.concatenate([vectors for _, vectors in first]))
    index = faiss.IndexIDMap2(inner)
    for numbers, vectors in chain(first, blocks):
        if len(numbers):
            index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.asarray(numbers, np.int64))
    return kind, index


def _write(folder: Path, index: Any, *, kind: str, **made_of: Any) -> None:
    """Stores index and label, each whole or not at all; raises OSError or RuntimeError.

    Of two processes that write at once the last file stays. Should one's index meet the other's
    label, the checksum says so and the next to open rebuilds.
    """
    faiss = _faiss()
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with _Replacing(folder / "index.faiss") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, 1 << 20))
    label = _Label(
        **made_of, kind=kind, count=index.ntotal, faiss=faiss.__version__, size=file.size, crc32=file.crc32
    )
    with _Replacing(folder / "index.json") as file:
        file.write(msgspec.json.encode(label))


class _Replacing:
    """A file that takes its name only when it is whole and on the disk; counts size and CRC-32."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.crc32 = 0
        handle, name = tempfile.mkstemp(prefix=".index-", suffix=".tmp", dir=path.parent)
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._temporary = Path(name)

    def write(self, data: bytes) -> int:
        self.crc32 = zlib.crc32(data, self.crc32)
        self.size += len(data)
        return self._file.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            with self._file:
                if failed:
                    return
                self._file.flush()
                os.fsync(self._file.fileno())
            self._temporary.replace(self.path)
            _sync(self.path.parent)
        finally:
            self._temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Makes a rename in the folder last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Removes what a killed process left half written."""
    for file in folder.glob(".index-*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _LEFTOVER_SECONDS:
                file.unlink()


def _faiss() -> Any:
    """FAISS, imported late (0.1 s) and untyped: its SWIG names are not all known to a type checker."""
    import faiss

    return faiss


def _gpus() -> int:
    """How many GPUs FAISS can use; faiss-cpu has no StandardGpuResources."""
    faiss = _faiss()
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def _on_gpu(index: Any) -> Any:
    """The index copied to all GPUs, or itself where there is none or it does not fit."""
    if not _gpus():
        return index
    try:
        return _faiss().index_cpu_to_all_gpus(index)
    except RuntimeError as error:
        logger.warning("index stays on the CPU", extra={"why": _line(error)})
        return index


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[-1]
