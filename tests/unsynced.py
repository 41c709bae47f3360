"""What a disk may hold of a folder when the power fails, by the calls of the process that wrote there.

What was synced is there. Of what was written to a file since, any write may be there, whole, in part (sectors
of 512 bytes) or not at all. Of what was done to the names of a folder (made, renamed, removed) since that
folder was synced, the first few are there: file systems keep their order. A file's own sync says nothing of
its name, as POSIX has it (https://pubs.opengroup.org/onlinepubs/9699919799/functions/fsync.html).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from soak_power import Step, _apply, _torn

CALLS = (
    "openat close write pwrite64 lseek ftruncate fsync fdatasync rename renameat renameat2 unlink unlinkat "
    "mkdir mkdirat rmdir"
).split()
_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>)?(.*)")
_WORD = re.compile(r'"([^"]*)"|([^,\s][^,]*)')


@dataclass
class Node:
    """A file, or a folder; ``sure`` is what the disk holds for sure, ``since`` what was done to it after."""

    is_folder: bool = False
    content: bytearray = field(default_factory=bytearray)
    since: list[Step] = field(default_factory=list)
    names: dict[str, Node] = field(default_factory=dict)
    done: list[tuple[str, Node | None]] = field(default_factory=list)
    """What was done to names since the folder was synced: a name and what it means; None: nothing."""

    def now(self) -> dict[str, Node]:
        """The names as processes see them."""
        return _named(self.names, self.done)

    def sync(self) -> None:
        """All that was done is there for sure."""
        for step in self.since:
            _apply(self.content, step)
        self.names = self.now()
        self.since, self.done = [], []


def _named(names: dict[str, Node], done: Sequence[tuple[str, Node | None]]) -> dict[str, Node]:
    found = dict(names)
    for name, node in done:
        if node is None:
            found.pop(name, None)
        else:
            found[name] = node
    return found


def read_tree(folder: Path) -> Node:
    """A folder as it is, all of it for sure."""
    made = Node(is_folder=True)
    for path in folder.iterdir():
        made.names[path.name] = (
            read_tree(path) if path.is_dir() else Node(content=bytearray(path.read_bytes()))
        )
    return made


class Watched:
    """A folder at ``at`` and what a process did to it."""

    def __init__(self, at: Path, tree: Node) -> None:
        self.at, self.tree = str(at), tree
        self._open: dict[int, Node] = {}
        self._places: dict[int, int] = {}
        self._appends: set[int] = set()

    def take(self, trace: str) -> None:
        """All calls of a trace that ended well."""
        begun: dict[str, str] = {}
        for line in trace.splitlines():
            if (found := _LINE.match(line)) is None:
                continue
            thread, call, rest = found.groups()
            if rest.endswith("<unfinished ...>"):
                begun[thread] = rest.removesuffix("<unfinished ...>")
                continue
            rest = begun.pop(thread, "") + rest if "resumed>" in line[:60] else rest
            given, equal, result = rest.rpartition(" = ")
            if equal and result.split()[0].isdecimal():
                words = [a or b for a, b in _WORD.findall(given.strip().removeprefix("(").rstrip(" )"))]
                self._call(call, words, int(result.split()[0]))

    def _call(self, call: str, words: list[str], result: int) -> None:
        match call:
            case "openat":
                self._opened(_text(words[1]), words[2], result)
            case "close":
                self._open.pop(int(words[0]), None)
            case "rename" | "renameat" | "renameat2":
                old, new = (words[0], words[1]) if call == "rename" else (words[1], words[3])
                self._rename(_text(old), _text(new))
            case "unlink" | "rmdir":
                self._name(_text(words[0]), None)
            case "unlinkat":
                self._name(_text(words[1]), None)
            case "mkdir" | "mkdirat":
                self._name(_text(words[call == "mkdirat"]), Node(is_folder=True))
            case _:
                if (node := self._open.get(int(words[0]))) is not None:
                    self._written(node, call, words, result)

    def _opened(self, path: str, how: str, number: int) -> None:
        self._open.pop(number, None)
        if (found := self._parent(path)) is None:
            return
        folder, name = found
        node = folder.now().get(name) if name else folder
        if node is None:
            node = Node()
            folder.done.append((name, node))
        elif "O_TRUNC" in how:
            node.since.append(Step("cut", at=0))
        self._open[number], self._places[number] = node, 0
        (self._appends.add if "O_APPEND" in how else self._appends.discard)(number)

    def _written(self, node: Node, call: str, words: list[str], result: int) -> None:
        number = int(words[0])
        match call:
            case "fsync" | "fdatasync":
                node.sync()
            case "ftruncate":
                node.since.append(Step("cut", at=int(words[1])))
            case "lseek":
                self._places[number] = result
            case "pwrite64":
                node.since.append(Step("write", data=_bytes(words[1])[:result], at=int(words[3])))
            case "write":
                at = self._places[number]
                if number in self._appends:
                    at = len(_content(node, node.since))
                node.since.append(Step("write", data=_bytes(words[1])[:result], at=at))
                self._places[number] = at + result

    def _rename(self, old: str, new: str) -> None:
        if (there := self._parent(old)) is None:
            return
        node = there[0].now()[there[1]]
        self._name(new, node)
        self._name(old, None)

    def _name(self, path: str, node: Node | None) -> None:
        if (found := self._parent(path)) is not None:
            found[0].done.append((found[1], node))

    def _parent(self, path: str) -> tuple[Node, str] | None:
        """The folder that a path is in, and its name there; None outside."""
        if path != self.at and not path.startswith(f"{self.at}/"):
            return None
        *folders, name = path.removeprefix(self.at).strip("/").split("/")
        node = self.tree
        for one in folders:
            node = node.now()[one]
        return node, name

    def left(self, chance: Random) -> Iterator[tuple[str, bytes | None]]:
        """Paths and contents as they may be when the power fails now; None: a folder."""
        return _left(self.tree, "", chance, chance.choice((0.0, 0.2, 0.5, 0.8, 1.0)))

    def all_of_it(self) -> dict[str, bytes | None]:
        """Paths and contents as processes see them."""
        return dict(_left(self.tree, "", None, 1.0))


def _left(node: Node, path: str, chance: Random | None, share: float) -> Iterator[tuple[str, bytes | None]]:
    if not node.is_folder:
        kept = node.since
        if chance is not None:
            some = [one for one in node.since if chance.random() < share]
            kept = [_torn(one, chance) if chance.random() < 0.2 else one for one in some]
        yield path, bytes(_content(node, kept))
        return
    if path:
        yield path, None
    number = len(node.done) if chance is None else chance.randint(0, len(node.done))
    for name, one in sorted(_named(node.names, node.done[:number]).items()):
        yield from _left(one, f"{path}/{name}", chance, share)


def _content(node: Node, steps: Sequence[Step]) -> bytearray:
    found = bytearray(node.content)
    for one in steps:
        _apply(found, one)
    return found


def put(folder: Path, left: Iterator[tuple[str, bytes | None]]) -> None:
    """Make a folder what is left of it."""
    shutil.rmtree(folder)
    folder.mkdir()
    for path, content in left:
        place = folder / path.lstrip("/")
        if content is None:
            place.mkdir()
        else:
            place.write_bytes(content)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(text: str) -> str:
    return _bytes(text).decode()
