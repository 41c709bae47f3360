"""The archive: search it, look into it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.errors import InputError, UsageError
from digest.types import Hit, Status, Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from digest.app import App
    from digest.index import VectorIndex


def search(app: App, query: str, count: int, window: Window) -> list[Hit]:
    """Search by words and by meaning."""
    from digest import search
    from digest.embed import load_query_encoder

    index = _index(app)
    chosen = app.settings.embed

    def encode(text: str) -> npt.NDArray[np.float32]:
        vectors: npt.NDArray[np.float32] = load_query_encoder(chosen.model, chosen.device).embed([text])
        return vectors.reshape(-1)

    return search.search(app.store, index, encode, query, count, window)


def similar(app: App, paper: str, count: int, window: Window) -> list[Hit]:
    """Papers near to a paper."""
    from digest import ids, search

    base = ids.parse(paper).base
    if not app.store.papers([base]):
        raise InputError(f"{base} is not in the archive; digest search finds what is")
    index = _index(app)
    if index is None:
        raise UsageError("nothing is embedded yet; run: digest embed")
    return search.similar(app.store, index, app.model, base, count, window)


def _index(app: App) -> VectorIndex | None:
    """The vector index, rebuilt where it does not fit the archive; None where nothing is embedded."""
    from digest.index import open_index

    dimension = app.store.model_dimension(app.model)
    if dimension is None:
        return None
    folder = app.settings.home / "index"
    state = app.store.vector_state(app.model)
    return open_index(folder, app.model, dimension, state, lambda: app.store.all_vectors(app.model))


def status(app: App) -> Status:
    """What the archive holds, what waits, and how the last runs went."""
    return replace(app.store.status(app.model), arxiv=app.arxiv.status(app.now), reactions=_reactions(app))


def _reactions(app: App, posts: int = 5) -> tuple[str, ...]:
    """What readers think of the last posts that they have reacted to, a line each."""
    found: dict[int, Counter[str]] = {}
    for one in app.store.reactions():
        found.setdefault(one.post, Counter()).update(one.counts)
    lines = []
    for number, counts in list(found.items())[:posts]:
        post = app.store.post(number)
        name = f"post {number}" + (f", {post.topics[0]} {post.slot} {post.language}" if post else "")
        lines.append(f"{name}: " + " ".join(f"{emoji} {count}" for emoji, count in counts.most_common()))
    return tuple(lines)
