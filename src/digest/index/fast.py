"""Which vectors may be near, by FAISS: for a process that answers many queries.

On a CPU: product quantisation in 4-bit codes that are compared in registers (PQ fast scan; Andre,
Kermarrec, Le Scouarnec, VLDB 2015), 48 bytes a vector of 384 components. ``fast.faiss`` holds the codes of
the first vectors, ``fast.json`` says how many; the rest is added when it is opened, and stored again once
it is a tenth. On a GPU: all vectors in half precision, compared in full.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from digest.index import records
from digest.index.files import Files, Unfit, line
from digest.index.records import F32
from digest.whole import write_whole

I64 = npt.NDArray[np.int64]

TRAINED_ON = 20_000
_REST = 0.1  # of the vectors; so much may be encoded at each opening, 1 s for a million
_GPU_MOST = 2048  # the largest k that FAISS takes on a GPU

logger = logging.getLogger(__name__)


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """fast.json: of which files the codes are, of how many vectors, and in which file."""

    name: str
    factory: str
    faiss: str
    count: int
    crc32: int


def finder(folder: Path, files: Files) -> Callable[[F32, int], I64]:
    """What finds candidates: a vector float32 [dimension] and how many to their places."""
    index = _on_gpu(files) if _gpus() else None
    most = files.label.count if index is None else _GPU_MOST
    index = _on_cpu(folder, files) if index is None else index

    def find(vector: F32, wanted: int) -> I64:
        if wanted > most:
            return np.arange(files.label.count)
        _, places = index.search(vector[None], wanted)
        return np.sort(places[0][places[0] >= 0])

    return find


def factory(files: Files) -> str:
    """The kind of FAISS index: whole vectors for a small archive, else 4 bits for 4 components."""
    if files.label.kind == "exact":
        return "Flat"
    return f"PQ{files.label.dimension // 4}x4fs" if files.label.dimension % 4 == 0 else "SQ8"


def _on_cpu(folder: Path, files: Files) -> Any:
    try:
        index = _read(folder, files)
    except Unfit:
        index = _empty(files)
    rest = files.label.count - index.ntotal
    for chunk in files.chunks(index.ntotal):
        index.add(records.unpack(chunk))
    if files.label.kind == "bytes" and rest > _REST * files.label.count:
        try:
            _write(folder, files, index)
        except OSError as error:
            logger.warning("fast index not stored", extra={"why": line(error)})
    return index


def _empty(files: Files) -> Any:
    """An index that is trained on the first vectors and holds none."""
    faiss = _faiss()
    index = faiss.index_factory(files.label.dimension, factory(files), faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        first: list[F32] = []
        for chunk in files.chunks():
            first.append(records.unpack(chunk))
            if sum(map(len, first)) >= TRAINED_ON:
                break
        index.train(np.concatenate(first))
    return index


def _read(folder: Path, files: Files) -> Any:
    """The stored codes; raises Unfit."""
    faiss = _faiss()
    try:
        made = msgspec.json.decode((folder / "fast.json").read_bytes(), type=_Made)
        data = np.fromfile(folder / "fast.faiss", np.uint8)
    except (OSError, msgspec.DecodeError) as error:
        raise Unfit(line(error)) from error
    wanted = (files.label.name, factory(files), faiss.__version__, zlib.crc32(data.data))
    if (made.name, made.factory, made.faiss, made.crc32) != wanted or made.count > files.label.count:
        raise Unfit("it is of another index")
    return faiss.deserialize_index(data)


def _write(folder: Path, files: Files, index: Any) -> None:
    faiss = _faiss()
    data = faiss.serialize_index(index).tobytes()
    made = _Made(
        name=files.label.name,
        factory=factory(files),
        faiss=faiss.__version__,
        count=index.ntotal,
        crc32=zlib.crc32(data),
    )
    write_whole(folder / "fast.faiss", data, shared=True)
    write_whole(folder / "fast.json", msgspec.json.encode(made), shared=True)


def _on_gpu(files: Files) -> Any | None:
    """All vectors on all GPUs, in half precision; None where they do not fit."""
    faiss = _faiss()
    try:
        options = faiss.GpuMultipleClonerOptions()
        options.useFloat16 = options.shard = True
        flat = faiss.IndexFlatIP(files.label.dimension)
        index = faiss.index_cpu_to_all_gpus(flat, options)
        for chunk in files.chunks():
            index.add(records.unpack(chunk))
    except RuntimeError as error:
        logger.warning("index stays on the CPU", extra={"why": line(error)})
        return None
    return index


def _gpus() -> int:
    """How many GPUs FAISS can use; faiss-cpu has no StandardGpuResources."""
    faiss = _faiss()
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def _faiss() -> Any:
    """FAISS, imported late (0.1 s) and untyped: its SWIG names are not all known to a type checker."""
    import faiss

    return faiss
