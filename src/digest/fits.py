"""The weights that papers are scored by, kept in the digest home between runs.

A file for each topic, ``fits/TOPIC.npz``: arrays and a label, no pickle. It is a cache: whatever is
wrong with it (damaged, of another version, of a future day, or no longer what the topic is), the weights
are fitted anew, and a word says why.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from digest.archive import Vocabulary
from digest.errors import refused
from digest.ranking import Fitted, Linear, Own
from digest.relevance import SCORER, Belief, Scorer
from digest.whole import written_whole

FORMAT = 3
EVERY = timedelta(days=7)
MOST_FEEDBACK = 20
"""So many judgements of people are not waited with for the week to end."""
GROWN = 1.25
"""An archive so many times as large as the one the weights were fitted on is another one."""

Arrays = Mapping[str, Any]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What weights were fitted on: when, by which scorer, for what (``topic`` changes with all of a
    topic that weights depend on), how many papers and vectors, own ones among them, and how often people
    had judged."""

    day: date
    topic: str
    papers: int
    vectors: int
    own: int
    judged: int
    scorer: str = SCORER
    format: int = FORMAT


@dataclass(frozen=True)
class Kept:
    """Weights with their label."""

    label: Label
    scorer: Scorer


def stale(kept: Label, now: Label) -> str | None:
    """Why weights are not to be used as things are now; None where they are."""
    age, judged = (now.day - kept.day).days, now.judged - kept.judged
    reasons = (
        ((kept.format, kept.scorer) != (now.format, now.scorer), "made by another version of digest"),
        (kept.topic != now.topic, "the topic's keys or settings have changed"),
        (age < 0, f"the ones there are of {kept.day}, which is later"),
        (age >= EVERY.days, f"the last ones were {age} days old"),
        (judged >= MOST_FEEDBACK, f"people judged {judged} times since"),
        (now.papers > GROWN * kept.papers, _grown(kept.papers, now.papers, "papers")),
        (now.vectors > GROWN * kept.vectors, _grown(kept.vectors, now.vectors, "vectors")),
    )
    return next((reason for is_so, reason in reasons if is_so), None)


def _grown(then: int, today: int, what: str) -> str:
    return f"the archive grew from {then:,} to {today:,} {what}"


class Fits:
    """The weights of all topics in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, topic: str, now: Label) -> tuple[Kept | None, str]:
        """A topic's weights, or None and why there are none to be used."""
        try:
            with self._file(topic).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                label = msgspec.json.decode(file["label"].tobytes(), type=Label)
                reason = stale(label, now)
                return (None, reason) if reason else (Kept(label, _scorer({**file})), "")
        except FileNotFoundError:
            return None, "there were none before"
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
            return None, f"the file was damaged ({str(error).splitlines()[0] if str(error) else 'empty'})"

    def save(self, topic: str, kept: Kept) -> None:
        """Keep a topic's weights, whole or not at all. Raises InputError where the folder is refused."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with written_whole(self._file(topic)) as out:
                label = np.frombuffer(msgspec.json.encode(kept.label), dtype=np.uint8)
                np.savez(out, label=label, **_arrays(kept.scorer))
        except OSError as error:
            raise refused(error, "make room, or choose another --home") from error

    def _file(self, topic: str) -> Path:
        return self._folder / f"{topic}.npz"


def _arrays(scorer: Scorer) -> dict[str, Any]:
    vocabulary, belief = scorer.vocabulary, scorer.belief
    arrays = {
        "names": _packed(vocabulary.names),
        "rarity": vocabulary.rarity,
        "silent": belief.silent,
        "expected": np.array(belief.expected),
        "titles": _packed(scorer.titles),
        "told": _packed(sorted(scorer.told)),
    }
    return arrays if scorer.fitted is None else arrays | _fitted_arrays(scorer.fitted)


def _fitted_arrays(fitted: Fitted) -> dict[str, Any]:
    own = fitted.own
    arrays: dict[str, Any] = {
        "hidden": fitted.hidden,
        "name_directions": fitted.name_directions,
        "folds": np.array(fitted.folds),
        "again": fitted.again,
        "marks": fitted.marks,
        "own": _packed(own.ids),
        "own_folds": own.folds,
    }
    if own.embedded:
        arrays["own_vectors"] = own.rows
    else:
        parts = {"data": own.rows.data, "indices": own.rows.indices, "indptr": own.rows.indptr}
        arrays |= {f"own_{name}": part for name, part in parts.items()}
    for name, way in fitted.linear.items():
        arrays |= {f"weights.{name}": way.weights, f"bias.{name}": way.bias}
    return arrays | {f"background.{name}": each for name, each in fitted.background.items()}


def _scorer(arrays: Arrays) -> Scorer:
    vocabulary = Vocabulary(_unpacked(arrays["names"]), arrays["rarity"])
    if len(vocabulary.names) != len(vocabulary.rarity):
        raise ValueError("names and rarity differ")
    return Scorer(
        vocabulary,
        _fitted(arrays, len(vocabulary.names)) if "marks" in arrays else None,
        Belief(arrays["silent"], float(arrays["expected"])),
        _unpacked(arrays["titles"]),
        frozenset(_unpacked(arrays["told"])),
    )


def _fitted(arrays: Arrays, features: int) -> Fitted:
    from scipy.sparse import csr_matrix

    ids = _unpacked(arrays["own"])
    embedded = "own_vectors" in arrays
    if embedded:
        rows = arrays["own_vectors"]
    else:
        parts = (arrays["own_data"], arrays["own_indices"], arrays["own_indptr"])
        rows = csr_matrix(parts, shape=(len(ids), features))
    weights = _under(arrays, "weights.").items()
    return Fitted(
        arrays["hidden"],
        arrays["name_directions"],
        int(arrays["folds"]),
        {name: Linear(each, arrays[f"bias.{name}"]) for name, each in weights},
        Own(ids, arrays["own_folds"], rows, embedded),
        _under(arrays, "background."),
        arrays["again"],
        arrays["marks"],
    )


def _under(arrays: Arrays, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)}


def _packed(texts: tuple[str, ...] | list[str]) -> Any:
    return np.frombuffer(msgspec.json.encode(texts), dtype=np.uint8)


def _unpacked(packed: Any) -> tuple[str, ...]:
    return msgspec.json.decode(packed.tobytes(), type=tuple[str, ...])
