"""Vectors from one machine to another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from digest.errors import InputError, UsageError
from digest.types import Carried

if TYPE_CHECKING:
    from digest.app import App
    from digest.vectors import VectorFile

F32 = npt.NDArray[np.float32]


def export(app: App, path: Path) -> Carried:
    """The vectors of all papers' texts, by the configured model, in one file."""
    from digest import vectors

    dimension = app.store.model_dimension(app.model)
    if dimension is None or not app.store.newest_vector(app.model):
        raise UsageError("nothing is embedded yet; run: digest embed")
    count = vectors.write(path, app.model, dimension, _of_papers(app))
    waiting = app.store.count_without_vector(app.model)
    return Carried(app.model, dimension, count, waiting=waiting)


def _of_papers(app: App) -> Iterator[tuple[list[bytes], F32]]:
    """The vectors of texts that papers have now."""
    for _, texts, rows in app.store.vectors_since(app.model, 0):
        held = {text for _, text in app.store.papers_with_texts(texts)}
        kept = [at for at, text in enumerate(texts) if text in held]
        yield [texts[at] for at in kept], rows[kept]


def import_(app: App, path: Path) -> Carried:
    """Take the vectors of a file for those papers' texts that have none yet; the file is read through
    before anything is stored. A repeated import changes nothing."""
    from digest import vectors

    file = vectors.read(path)
    _refuse_foreign(app, file)
    file.check()
    with app.alone():
        store = app.store
        store.ensure_model(file.model, file.dimension)
        before, elsewhere = store.count_without_vector(file.model), 0
        for texts, rows in file.blocks():
            held = {text for _, text in store.papers_with_texts(texts)}
            elsewhere += len(texts) - len(held)
            store.add_vectors(
                file.model, ((text, row) for text, row in zip(texts, rows, strict=True) if text in held)
            )
        waiting = store.count_without_vector(file.model)
        app.index()
    return Carried(file.model, file.dimension, file.total, before - waiting, elsewhere, waiting)


def _refuse_foreign(app: App, file: VectorFile) -> None:
    if file.model != app.model:
        raise InputError(
            f"{file.path}: its vectors are of the model {file.model}, not of {app.model}:"
            " embed with the same model, or set embed.model"
        )
    known = app.store.model_dimension(app.model)
    if known not in (None, file.dimension):
        raise InputError(f"{file.path}: its vectors have {file.dimension} dimensions, not {known}")
