"""Sentence vectors without what a topic's name adds to them.

Words that name a topic can be left out of a text; its vector holds them all the same. So some of the
topic's papers are embedded again without these words: the main directions of the differences are what the
name adds, and are projected out of all vectors (as in Ravfogel et al. 2020, arXiv:2004.07667, where
directions are learned by classifiers).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.phrases import derived, stem, tokens

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], "Floats | None"]
"""From texts to vectors of length 1, by the model that an archive is embedded with: float32[n, dim]; None
where it cannot be had."""

DIRECTIONS = 4
_WORD = re.compile(r"[^\W_]+(?:[-‐‑'’][^\W_]+)*")
_ALONE = re.compile(r"\s+(?=[,.;:)])|(?<=\()\s+|(?<=\s)\s+")


@dataclass(frozen=True)
class Renamed:
    """The vectors of texts that name a topic, and of the same without the name, float32[n, dim] each."""

    named: Floats
    bare: Floats

    def alike(self, silent: Floats) -> float:
        """How far along what the name adds the bare texts lie, beside papers that are silent on it: the
        chance that of one of each the bare one lies further. A low one says that silent papers hold in
        other words what was left out of the bare ones."""
        along = (self.named - self.bare).mean(axis=0)
        bare, others = self.bare @ along, np.sort(silent @ along)
        return float(np.searchsorted(others, bare).mean() / max(1, len(others)))

    def directions(self) -> Floats:
        """The main directions of what the name adds, float32[k, dim], rows at right angles and of length 1;
        k = 0 where the texts are too few."""
        if len(self.bare) <= DIRECTIONS:
            return no_directions()
        main = np.linalg.svd(self.named - self.bare, full_matrices=False)[2]
        return np.asarray(main[:DIRECTIONS], dtype=np.float32)


def renamed(texts: Sequence[str], vectors: Floats, stems: Collection[str], embed: Embed) -> Renamed | None:
    """Those of some texts that hold words with some stems, with and without these; None where there are none,
    or the model cannot be had. ``vectors`` are the texts', float32[n, dim]."""
    bare = [unnamed(text, stems) for text in texts]
    at = [row for row, text in enumerate(bare) if text != texts[row]]
    found = embed([bare[row] for row in at]) if at else None
    return None if found is None else Renamed(vectors[at], found)


def no_directions() -> Floats:
    """Those of a name that is left in."""
    return np.zeros((0, 0), np.float32)


def projected(vectors: Floats, away: Floats) -> Floats:
    """Vectors without some directions, rows of length 1 again (or 0)."""
    if not len(away):
        return vectors
    left = vectors - (vectors @ away.T) @ away
    return np.asarray(left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-9))


def unnamed(text: str, stems: Collection[str]) -> str:
    """A text without the words that have one of the stems, or are derived from one."""

    def kept(found: re.Match[str]) -> str:
        return "" if any(derived(stem(word), stems) for word in tokens(found[0])) else found[0]

    bare = _WORD.sub(kept, text)
    return text if bare == text else _ALONE.sub("", bare.replace("()", "")).strip()
