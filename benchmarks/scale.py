"""What do all of arXiv and 250 million works cost? Rates measured now, on this machine, and what follows.

    python benchmarks/scale.py 2023.jsonl.xz [--records 20000] [--texts 256] [--sizes 100000 400000] [--write]

The file is of arXiv's metadata snapshot. What is measured is the CPU time of one process on one core, user
and system, so a busy machine changes little. Each rate is measured in a process of its own. What grows with
the archive is measured at two sizes, and the line through the two is drawn on; vectors for the index are made
up, since neither its time nor its size depends on what they say. With --write the tables of docs/scale.md are
written.

Nothing is measured of a GPU here: those rows are a calculation from makers' figures, and say so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import numpy.typing as npt

from digest import pipeline
from digest.sources.snapshot import Snapshot
from digest.store import Reader, Store

F32 = npt.NDArray[np.float32]
DOCS = Path(__file__).parents[1] / "docs/scale.md"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
MODEL, DIMENSION = "scale", 384
ARCHIVES = {"a busy year of arXiv": 300_000, "all of arXiv": 3_000_000, "250 million works": 250_000_000}
GFLOP = 5.68  # of a text of 256 word pieces by all-MiniLM-L6-v2: most abstracts are cut there
# Dense FP16 or BF16 tensor TFLOP/s by the makers' data sheets.
CARDS = {"NVIDIA L4": 121, "NVIDIA A100": 312, "NVIDIA H200": 989}
SHARE = 0.2  # of the peak that is assumed
QUESTIONS = 50


class Idle:
    """Workers that compute nothing, so that what is left is the driver's own work."""

    name, dimension, at_once, ahead = MODEL, DIMENSION, 256, 64
    notes = ()

    def __init__(self) -> None:
        self._dice = np.random.default_rng(0)

    def submit(self, texts: Sequence[str]) -> Future[F32]:
        rows = self._dice.normal(size=(len(texts), DIMENSION)).astype(np.float32)
        done: Future[F32] = Future()
        done.set_result(rows / np.linalg.norm(rows, axis=1, keepdims=True))
        return done


class Some(Snapshot):
    """The first records of a snapshot."""

    most = 0

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Any]:
        left = self.most
        for page in super().fetch(cursor, now):
            yield page
            if (left := left - len(page.papers)) <= 0:
                return


# Each in a process of its own, on one core.


def importing(home: Path, file: Path, records: int) -> dict[str, float]:
    source = Some(file)
    source.most = records
    with Store.open(_url(home)) as store:
        began = time.process_time()
        pipeline.crawl(store, [source], NOW)
        cpu = time.process_time() - began
        papers = store.count_papers()
    return {"papers": papers, "cpu": cpu, "bytes": _size(home)}


def words(home: Path, *_: object) -> dict[str, float]:
    from digest.inverted import open_words

    reader = Reader.open(_url(home))
    assert reader is not None
    with reader:
        began = time.process_time()
        index = open_words(home / "words", reader)
        cpu = time.process_time() - began
        assert index is not None
    return {"cpu": cpu, "bytes": _size(home / "words")}


def driving(home: Path, *_: object) -> dict[str, float]:
    before = _size(home)
    with Store.open(_url(home)) as store:
        began = time.process_time()
        done = pipeline.embed(store, Idle()).counts["embedded"]
        cpu = time.process_time() - began
    return {"texts": done, "cpu": cpu, "bytes": _size(home) - before}


def embedding(home: Path, _: Path, texts: int) -> dict[str, float]:
    import torch

    from digest.embed import load_embedder

    torch.set_num_threads(1)
    embedder = load_embedder(device="cpu")
    with Store.open(_url(home)) as store:
        drawn = store.some_texts(texts)
    embedder.embed(drawn[:16])
    began = time.process_time()
    prepared = embedder.prepare(drawn)
    tokens = time.process_time() - began
    embedder.compute(prepared)
    return {"texts": len(drawn), "cpu": time.process_time() - began, "tokens": tokens}


def made_up(size: int) -> Any:
    import index

    some = np.random.default_rng(0).normal(size=(5_000, DIMENSION)).astype(np.float32)
    some /= np.linalg.norm(some, axis=1, keepdims=True)
    return index.Corpus(some, index.neighbours(some, 500), size)


def indexing(home: Path, _: Path, size: int) -> dict[str, float]:
    """An index that is built: its files, and FAISS's codes for a process that answers many questions."""
    import index

    from digest.index import open_index

    vectors, began = index.vectors(made_up(size)), time.process_time()
    open_index(home / f"index-{size}", vectors)
    built = time.process_time() - began
    open_index(home / f"index-{size}", vectors, fast=True)
    codes = time.process_time() - began - built
    return {"size": size, "build": built, "codes": codes, "bytes": _size(home / f"index-{size}")}


def finding(home: Path, _: Path, size: int, *, fast: bool) -> dict[str, float]:
    """Questions to an index that is there."""
    import index

    from digest.index import Newest, Vectors, open_index

    there = Vectors("benchmark", DIMENSION, Newest(size, index.name(size - 1)), lambda _: iter(()))
    asked = np.random.default_rng(3).normal(size=(QUESTIONS, DIMENSION)).astype(np.float32)
    before = _memory()
    opened = open_index(home / f"index-{size}", there, fast=fast)
    times = []
    for question in asked / np.linalg.norm(asked, axis=1, keepdims=True):
        began = time.process_time()
        opened.nearest(question, 10)
        times.append(time.process_time() - began)
    return {"size": size, "search": median(times), "memory": _memory() - before}


def asking(home: Path, *_: object) -> dict[str, float]:
    """Questions of three words out of titles, by words."""
    from digest.inverted import open_words
    from digest.query import read

    reader = Reader.open(_url(home))
    assert reader is not None
    with reader, Store.open(_url(home)) as store:
        index = open_words(home / "words", reader)
        assert index is not None
        titles = [text.split(".")[0].split() for text in store.some_texts(QUESTIONS)]
        times = []
        for title in titles:
            query = read(" ".join(word for word in title[:3] if word.isalnum()) or "learning")
            began = time.process_time()
            list(index.search(query, 200))
            times.append(time.process_time() - began)
    return {"search": median(times)}


WAYS: dict[str, Callable[..., dict[str, float]]] = {
    "import": importing,
    "words": words,
    "drive": driving,
    "embed": embedding,
    "index": indexing,
    "scan": partial(finding, fast=False),
    "fast": partial(finding, fast=True),
    "ask": asking,
}


def _url(home: Path) -> str:
    return f"sqlite:///{home}/digest.sqlite3"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _memory() -> float:
    """Bytes in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def measured(way: str, home: Path, file: Path, number: int) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        str(file),
        "--way",
        way,
        "--home",
        str(home),
        "--number",
        str(number),
    ]
    print(f"  {way} {number or ''}", file=sys.stderr, flush=True)
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return dict(json.loads(out.splitlines()[-1]))


# What follows from the rates.


class Line:
    """What grows with the archive: a part that does not, and so much for each paper; never falling."""

    def __init__(self, small: dict[str, float], large: dict[str, float], what: str) -> None:
        run = large["size"] - small["size"]
        self.slope = max(0.0, (large[what] - small[what]) / run)
        self.start = max(0.0, large[what] - self.slope * large["size"])

    def __call__(self, papers: float) -> float:
        return self.start + self.slope * papers


def rates(given: argparse.Namespace, home: Path) -> dict[str, Any]:
    """All that is measured; what is measured at two sizes is a pair."""
    numbers = {"import": given.records, "embed": given.texts}
    found: dict[str, Any] = {
        way: measured(way, home, given.file, numbers.get(way, 0))
        for way in ("import", "words", "ask", "drive", "embed")
    }
    for way in ("index", "scan", "fast"):
        found[way] = [measured(way, home, given.file, size) for size in given.sizes]
    return found


def rate_table(found: dict[str, Any]) -> Iterator[str]:
    papers, embed, drive = found["import"]["papers"], found["embed"], found["drive"]
    texts, (small, large) = drive["texts"], found["index"]
    lines = {way: Line(*found[way], what) for way, what in (("index", "build"), ("fast", "memory"))}
    yield "| name | one core | measured |\n|---|---|---|"
    for name, what, number in (
        ("I", "papers imported, searchable, a CPU-second", papers / found["import"]["cpu"]),
        ("W", "papers into the words' index, a CPU-second", papers / found["words"]["cpu"]),
        ("E", "texts embedded, a CPU-second", embed["texts"] / embed["cpu"]),
        ("T", "texts cut into word pieces, a CPU-second", embed["texts"] / embed["tokens"]),
        ("D", "texts handed out and vectors stored, a CPU-second", texts / drive["cpu"]),
        ("V", "vectors into the index, a CPU-second", 1 / lines["index"].slope),
        ("C", "vectors coded for many questions, a CPU-second", 1 / Line(small, large, "codes").slope),
        ("b", "bytes of a paper in the database", found["import"]["bytes"] / papers),
        ("v", "bytes of its vector there", drive["bytes"] / texts),
        ("w", "bytes in the words' index", found["words"]["bytes"] / papers),
        ("x", "bytes in the index of vectors", large["bytes"] / large["size"]),
        ("m", "bytes in memory, where many questions are answered", lines["fast"].slope),
    ):
        yield (
            f"| {name} | {what} | {number:,.1f} |" if number < 100 else f"| {name} | {what} | {number:,.0f} |"
        )
    for way, who in (("scan", "a fresh process"), ("fast", "a process that answers many")):
        for one in found[way]:
            asked = f"CPU-ms of a question by meaning among {one['size']:,.0f} vectors, {who}"
            yield f"| | {asked} | {one['search'] * 1000:.1f} |"
    asked = f"CPU-ms of a question by words among {papers:,.0f} papers"
    yield f"| | {asked} | {found['ask']['search'] * 1000:.2f} |"


def archive_table(found: dict[str, Any]) -> Iterator[str]:
    papers, large = found["import"]["papers"], found["index"][1]
    taken, kept, embed = found["import"], found["words"], found["embed"]
    one, drive = embed["cpu"] / embed["texts"], found["drive"]["cpu"] / found["drive"]["texts"]
    disk = (taken["bytes"] + kept["bytes"]) / papers
    disk += found["drive"]["bytes"] / found["drive"]["texts"] + large["bytes"] / large["size"]
    build, codes = (Line(*found["index"], what) for what in ("build", "codes"))
    scan, fast = Line(*found["scan"], "search"), Line(*found["fast"], "search")
    memory = Line(*found["fast"], "memory")
    rows: list[tuple[str, str, Callable[[float], str]]] = [
        ("import, searchable", "n / I", lambda n: hours(n * taken["cpu"] / papers)),
        ("words' index", "n / W", lambda n: hours(n * kept["cpu"] / papers)),
        ("**embedding, one core**", "n / E", lambda n: hours(n * one)),
        ("embedding, 64 cores", "n / 64 E", lambda n: hours(n * one / 64)),
        ("the driver's own work meanwhile", "n / D", lambda n: hours(n * drive)),
        ("index of vectors", "n / V", lambda n: hours(build(n))),
        ("codes for many questions", "n / C", lambda n: hours(codes(n))),
        ("disk", "n (b + v + w + x)", lambda n: size_of(n * disk)),
        ("memory, many questions", "n m", lambda n: size_of(memory(n))),
        ("a question by meaning, fresh process", "line", lambda n: moment(scan(n))),
        ("a question by meaning, one of many", "line", lambda n: moment(fast(n))),
        ("a question by words, at most", "n", lambda n: moment(found["ask"]["search"] * n / papers)),
    ]
    yield f"| CPU time, on one core unless it says otherwise | formula | {' | '.join(ARCHIVES)} |"
    yield f"|---|---|{'---|' * len(ARCHIVES)}"
    yield f"| papers | n | {' | '.join(f'{n:,}' for n in ARCHIVES.values())} |"
    for what, formula, told in rows:
        yield f"| {what} | {formula} | {' | '.join(told(n) for n in ARCHIVES.values())} |"


def card_table(found: dict[str, Any]) -> Iterator[str]:
    tokens = found["embed"]["texts"] / found["embed"]["tokens"]
    heading = ("card", "peak TFLOP/s", f"texts a second at {SHARE:.0%}", "cores that cut as many", *ARCHIVES)
    yield f"| {' | '.join(heading)} |\n|{'---|' * len(heading)}"
    for card, peak in CARDS.items():
        rate = peak * 1000 / GFLOP * SHARE
        times = " | ".join(hours(n / rate) for n in ARCHIVES.values())
        yield f"| {card} | {peak} | {rate:,.0f} | {rate / tokens:.0f} | {times} |"


def hours(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:,.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    return f"{seconds / 3600:,.0f} h" if seconds < 72 * 3600 else f"{seconds / 86400:,.0f} days"


def size_of(number: float) -> str:
    if number >= 1e12:
        return f"{number / 1e12:,.1f} TB"
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"


def moment(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def tables(found: dict[str, Any], given: argparse.Namespace) -> dict[str, str]:
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    said = (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {found['import']['papers']:,.0f} papers of"
        f" {given.file.name}, {platform.machine()}, Python {platform.python_version()}, load {load}:\n"
    )
    return {
        "rates": "\n".join([said, *rate_table(found)]),
        "archives": "\n".join(archive_table(found)),
        "cards": "\n".join(card_table(found)),
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("file", type=Path)
    options.add_argument("--records", type=int, default=20_000)
    options.add_argument("--texts", type=int, default=256)
    options.add_argument("--sizes", type=int, nargs=2, default=[100_000, 400_000])
    options.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    for name, kind in {"--way": str, "--home": Path, "--number": int}.items():
        options.add_argument(name, type=kind, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.way:
        print(json.dumps(WAYS[given.way](given.home, given.file, given.number)))
        return
    with TemporaryDirectory() as folder:
        made = tables(rates(given, Path(folder)), given)
    for text in made.values():
        print(f"{text}\n")
    if given.write:
        page = DOCS.read_text()
        for name, text in made.items():
            inside = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
            page = re.sub(inside, lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page, flags=re.S)
        DOCS.write_text(page)


if __name__ == "__main__":
    main()
