"""Expert lists as labels: which papers of an archive are on topic, off it, or not to be counted.

A file of labels has one JSON object a line, plain or gzipped: ``arxiv_id`` and ``labels``, which
gives for each topic core, adjacent, mixed or off; ``subfields`` may give for each topic a list of
names. A file of ids has one arXiv id a line.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from digest import ids
from digest.archive import Archive
from digest.errors import InputError, UsageError, refused

Mark = Literal["core", "adjacent", "mixed", "off"]
ON_TOPIC: tuple[Mark, ...] = ("core", "adjacent")

_GZIP = b"\x1f\x8b"


class Label(msgspec.Struct, frozen=True, rename={"paper": "arxiv_id"}):
    """What the lists say of one paper, by topic."""

    paper: str
    labels: Mapping[str, Mark]
    subfields: Mapping[str, tuple[str, ...]] = {}

    def is_on(self, topic: str, subfields: Collection[str] = ()) -> bool:
        """Whether the paper is listed for a topic, and for one of the subfields where some are given."""
        if self.labels.get(topic) not in ON_TOPIC:
            return False
        return not subfields or not set(subfields).isdisjoint(self.subfields.get(topic, ()))

    def is_drift(self, topic: str) -> bool:
        """Whether the paper is listed as off a topic, or for other topics only."""
        mark = self.labels.get(topic)
        return mark == "off" or (mark is None and any(each in ON_TOPIC for each in self.labels.values()))


@dataclass(frozen=True)
class Truth:
    """What the lists say of the rows of an archive, bool[n] each: on topic, drift, not to be counted."""

    positive: NDArray[np.bool_]
    drift: NDArray[np.bool_]
    ignored: NDArray[np.bool_]


def read_labels(path: Path) -> list[Label]:
    """The labels of a file.

    Raises InputError, with the line, for what is no label, for a paper that is labelled twice in
    different ways, and for a file without labels.
    """
    decode = msgspec.json.Decoder(Label).decode
    found: dict[str, Label] = {}
    for number, line in lines_of(path):
        try:
            label = decode(line)
            label = msgspec.structs.replace(label, paper=ids.parse(label.paper).base)
        except (msgspec.MsgspecError, UnicodeDecodeError, InputError) as error:
            raise InputError(f"{path}, line {number}: no label: {error}") from None
        if found.setdefault(label.paper, label) != label:
            raise InputError(f"{path}, line {number}: {label.paper} has another label before; keep one")
    if not found:
        raise InputError(f"{path}: no labels; give a file with one JSON object a line")
    return list(found.values())


def read_ids(path: Path) -> list[str]:
    """The ids of a file, without versions, each once. Raises InputError, with the line, for others."""
    found: dict[str, None] = {}
    for number, line in lines_of(path):
        try:
            found[ids.parse(line.decode()).base] = None
        except (UnicodeDecodeError, InputError) as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    if not found:
        raise InputError(f"{path}: no ids; give a file with one arXiv id a line")
    return list(found)


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, numbered from 1, of a plain or gzipped file."""
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file: {error}; fetch it again") from None
    except OSError as error:
        raise refused(error, "give a file that can be read") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    return ((number, line) for number, line in enumerate(content.splitlines(), start=1) if line.strip())


def truth(labels: Sequence[Label], topic: str, subfields: Collection[str], archive: Archive) -> Truth:
    """What the labels say of an archive's papers about a topic, or some subfields of it."""
    positive, drift, ignored = (np.zeros(len(archive), dtype=bool) for _ in range(3))
    for label in labels:
        row = archive.row.get(label.paper)
        if row is not None:
            positive[row] = label.is_on(topic, subfields)
            drift[row] = label.is_drift(topic)
            ignored[row] = label.labels.get(topic) == "mixed"
    return Truth(positive, drift, ignored)


def check_names(labels: Sequence[Label], topic: str, subfields: Collection[str]) -> None:
    """Raises UsageError for a topic or subfield that no label names."""
    topics = {name for label in labels for name in label.labels}
    if topic not in topics:
        raise UsageError(
            f"--topic {topic}: no label names it; there are {', '.join(sorted(topics)) or 'none'}"
        )
    known = {name for label in labels for name in label.subfields.get(topic, ())}
    for name in subfields:
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "the labels give none"
            raise UsageError(f"--subfield {name}: no label of {topic} names it; {there}")
