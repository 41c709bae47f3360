"""The vectors that a server indexes, searched as those of files are (`digest.index.VectorIndex`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from digest.store import postgres
from digest.store.database import Store
from digest.store.tables import model

Floats = npt.NDArray[np.float32]


class ServerIndex:
    """The vectors of a model by the hash of their text, searched by inner product. It is never behind: a
    vector is indexed in the transaction that stores it."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        with store._reading() as connection:  # noqa: SLF001 - a part of the store
            self._model, self._dimension = connection.execute(
                select(model.c.id, model.c.dimension).where(model.c.name == name)
            ).one()

    def __len__(self) -> int:
        with self._store._reading() as connection:  # noqa: SLF001
            return postgres.count_near(connection, self._model)

    def nearest(self, vector: Floats, k: int) -> dict[bytes, float]:
        """The k nearest of float32 [dimension] (normalised): cosine by hash of text, nearest first; fewer
        where there are fewer."""
        if vector.shape != (self._dimension,):
            raise ValueError(f"a vector of shape {vector.shape}, not [{self._dimension}]")
        if k < 1:
            raise ValueError(f"k is {k}, not 1 or more")
        asked = np.ascontiguousarray(vector, np.float32)
        with self._store._reading() as connection:  # noqa: SLF001
            found = postgres.nearest(connection, self._model, asked, k)
        if not found:
            return {}
        cosines = np.stack([np.frombuffer(data, "<f4") for _, data in found]) @ asked
        order = np.argsort(-cosines, kind="stable")[:k]
        return {found[place][0]: float(cosines[place]) for place in order}
