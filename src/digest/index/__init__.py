"""The nearest vectors: a cache beside the database, which is added to, and rebuilt where it does not fit.

Up to ``EXACT_UP_TO`` vectors each is compared in full. Beyond, candidates are found by a short code of
each vector and compared by their bytes: in a fresh process by sign bits and numpy (``scan``), in one that
answers many queries by FAISS's PQ fast scan (``fast``), on a GPU by FAISS in full. What was measured to
choose them stands in benchmarks/RESULTS.md.

Vectors go by the hash of the text they are of, so that the store says which papers have that text now:
a new version or a paper that is gone is honoured at once and costs the index nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from digest.index import records, scan
from digest.index.files import Files, Label, Stored, Unfit, append, build, in_memory, line, open_files
from digest.index.records import F32, HASH

__all__ = ["EXACT_UP_TO", "Newest", "Stored", "VectorIndex", "Vectors", "open_index", "unfit"]

I64 = npt.NDArray[np.int64]
Candidates = Callable[[F32, int], I64]

# Up to here every inner product is computed in full: 31 MB, 10 ms in a fresh process.
EXACT_UP_TO = 20_000
_LOCK_SECONDS = 60  # a million vectors are written in 20

logger = logging.getLogger(__name__)


class Newest(NamedTuple):
    """The last vector that was stored: its number and the hash of its text."""

    number: int
    text: bytes


class Vectors(NamedTuple):
    """Where a model's vectors come from. ``since(number)`` gives blocks of those with this number or a
    higher one, in their order."""

    model: str
    dimension: int
    newest: Newest
    since: Callable[[int], Iterator[Stored]]


class VectorIndex:
    """Vectors by the hash of their text, searched by inner product; made by ``open_index``."""

    def __init__(self, folder: Path, vectors: Vectors, files: Files, *, fast: bool = False) -> None:
        self._folder, self._vectors, self._fast = folder, vectors, fast
        self._files, self._find = files, self._finder(files)

    def __len__(self) -> int:
        return self._files.label.count

    def nearest(self, vector: F32, k: int) -> dict[bytes, float]:
        """The k nearest of float32 [dimension] (normalised): cosine by hash of text, nearest first; fewer
        where the index holds fewer."""
        if vector.shape != (self._vectors.dimension,):
            raise ValueError(f"a vector of shape {vector.shape}, not [{self._vectors.dimension}]")
        if k < 1:
            raise ValueError(f"k is {k}, not 1 or more")
        try:
            return self._nearest(np.ascontiguousarray(vector, np.float32), k)
        except Unfit as unfit:  # what is read is checked when it is read
            self._files = _rebuilt(self._folder, self._vectors, str(unfit))
            self._find = self._finder(self._files)
            return self._nearest(np.ascontiguousarray(vector, np.float32), k)

    def _nearest(self, vector: F32, k: int) -> dict[bytes, float]:
        wanted = self._wanted(k)
        if self._find is None or wanted * 4 > len(self):
            return _best(self._files.chunks(), vector, k)
        return _best([self._files.at(self._find(vector, wanted).tolist())], vector, k)

    def _wanted(self, k: int) -> int:
        """How many candidates the k nearest are among."""
        if self._files.label.kind == "exact":
            return k
        return max(500, min(5 * k, 2 * k + 700)) if self._fast else max(2000, 10 * k, len(self) // 200)

    def _finder(self, files: Files) -> Candidates | None:
        """What finds candidates; None where all are compared."""
        if self._fast:
            from digest.index.fast import finder

            return finder(self._folder, files)
        return partial(scan.candidates, files) if files.label.kind == "bytes" else None


def _best(parts: Iterable[records.Records], vector: F32, k: int) -> dict[bytes, float]:
    """The k records nearest to a vector."""
    texts, found = [np.empty(0, f"V{HASH}")], [np.empty(0, np.float32)]
    for part in parts:
        texts.append(part["text"])
        found.append(records.similarities(part, vector[None])[0])
    cosines, names = np.concatenate(found), np.concatenate(texts)
    order = np.argsort(-cosines, kind="stable")[:k]
    return {names[place].tobytes(): float(cosines[place]) for place in order}


def open_index(folder: Path, vectors: Vectors, *, fast: bool = False) -> VectorIndex:
    """The index of a model's vectors as they are now: what lies in ``folder``, added to or rebuilt.

    ``fast``: for many queries; takes longer to open. What cannot be written is warned about and kept in
    memory.
    """
    return VectorIndex(folder, vectors, _current(folder, vectors), fast=fast)


def unfit(folder: Path, vectors: Vectors) -> str | None:
    """Why what lies in ``folder`` cannot be used, which is read through; None where it can, if only as a
    start."""
    try:
        files = open_files(folder, vectors.model, vectors.dimension)
        for part in (files.chunks(), files.planes()):
            for _ in part:
                pass
    except Unfit as why:
        return str(why)
    return None


def _current(folder: Path, vectors: Vectors) -> Files:
    """The files as they are, or as they become."""
    try:
        files = open_files(folder, vectors.model, vectors.dimension)
        if _is_new(files.label, vectors):
            return files
    except Unfit:
        pass
    return _locked(folder, vectors, lambda: _renewed(folder, vectors))


def _rebuilt(folder: Path, vectors: Vectors, why: str) -> Files:
    return _locked(folder, vectors, lambda: _built(folder, vectors, why))


def _locked(folder: Path, vectors: Vectors, act: Callable[[], Files]) -> Files:
    """Do what changes the files while nobody else does; where they cannot be changed, in memory."""
    from filelock import FileLock, Timeout  # 10 CPU-milliseconds, and most searches change nothing

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "index.lock", timeout=_LOCK_SECONDS):
            return act()
    except (OSError, Timeout) as error:
        logger.warning("index not stored, it will be rebuilt next time", extra={"why": line(error)})
        return in_memory(*_anew(vectors))


def _is_new(label: Label, vectors: Vectors) -> bool:
    return (label.last, label.text) == vectors.newest


def _renewed(folder: Path, vectors: Vectors) -> Files:
    """Add what is missing, or build anew."""
    try:
        files = open_files(folder, vectors.model, vectors.dimension)
        if not _is_new(files.label, vectors):
            append(folder, files.label, _missing(files.label, vectors))
        return open_files(folder, vectors.model, vectors.dimension)
    except Unfit as unfit:
        return _built(folder, vectors, str(unfit))


def _built(folder: Path, vectors: Vectors, why: str) -> Files:
    started = time.perf_counter()
    build(folder, *_anew(vectors))
    files = open_files(folder, vectors.model, vectors.dimension)
    seconds = round(time.perf_counter() - started, 2)
    logger.info("index rebuilt", extra={"why": why, "vectors": files.label.count, "seconds": seconds})
    return files


def _missing(label: Label, vectors: Vectors) -> Iterator[Stored]:
    """What the database has behind the index's last vector; raises Unfit where it is another database, or
    an exact index would grow beyond its limit."""
    blocks = iter(vectors.since(label.last))
    first = next(blocks, None)
    if first is None or (int(first.numbers[0]), first.texts[0]) != (label.last, label.text):
        raise Unfit("the database has other vectors")
    count = label.count
    for block in chain([Stored(first.numbers[1:], first.texts[1:], first.vectors[1:])], blocks):
        count += len(block.texts)
        if label.kind == "exact" and count > EXACT_UP_TO:
            raise Unfit(f"it has grown beyond {EXACT_UP_TO:,} vectors")
        yield block


def _anew(vectors: Vectors) -> tuple[Label, Iterator[Stored]]:
    """An empty label of the kind that fits, and all vectors."""
    blocks = iter(vectors.since(0))
    first: list[Stored] = []
    while sum(len(block.texts) for block in first) <= EXACT_UP_TO and (block := next(blocks, None)):
        first.append(block)
    label = Label(model=vectors.model, dimension=vectors.dimension, kind="exact", name="")
    if sum(len(block.texts) for block in first) > EXACT_UP_TO:
        mean = np.concatenate([block.vectors for block in first]).mean(axis=0)
        label = Label(
            model=label.model,
            dimension=label.dimension,
            kind="bytes",
            name="",
            mean=mean.astype("<f4").tobytes(),
        )
    return label, chain(first, blocks)
