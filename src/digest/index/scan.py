"""Which vectors may be near, by their sign bits: plain numpy, nothing to load and nothing to train.

The angle between two vectors shows in how many of their components are on the same side of the mean
(Charikar, STOC 2002, with the components in the place of random directions).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from digest.index import records
from digest.index.files import Files
from digest.index.records import F32, U64

I64 = npt.NDArray[np.int64]
U16 = npt.NDArray[np.uint16]


def candidates(files: Files, vector: F32, wanted: int) -> I64:
    """The places of the ``wanted`` vectors with the most sign bits of float32 [dimension], ascending;
    raises Unfit where the bits are damaged."""
    own = records.signs(vector[None], files.label.center)[:, 0]
    parts = [distances(plane, own) for plane in files.planes()]
    return nearest(np.concatenate(parts), wanted) if parts else np.empty(0, np.int64)


def distances(planes: U64, own: U64) -> U16:
    """How many bits of uint64 [words, n] differ from uint64 [words]: uint16 [n]."""
    n = planes.shape[1]
    total = np.zeros(n, np.uint16)
    differing, counted = np.empty(n, np.uint64), np.empty(n, np.uint8)
    for plane, word in zip(planes, own, strict=True):
        np.bitwise_xor(plane, word, out=differing)
        np.bitwise_count(differing, out=counted)
        np.add(total, counted, out=total)
    return total


def nearest(distance: U16, wanted: int) -> I64:
    """The places of the ``wanted`` smallest (the first ones of equal distance), ascending."""
    if wanted >= len(distance):
        return np.arange(len(distance))
    limit = int(np.searchsorted(np.bincount(distance).cumsum(), wanted))
    sure = np.flatnonzero(distance < limit)
    more = np.flatnonzero(distance == limit)[: wanted - len(sure)]
    return np.sort(np.concatenate([sure, more]))
