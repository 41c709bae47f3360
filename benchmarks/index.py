"""How near, how fast, how large: the index of `digest` beside FAISS in full and other peers.

    pip install -r benchmarks/requirements.txt
    python benchmarks/index.py HOME --sizes 10000 100000 [1000000 3000000] [--write]

HOME is a digest home with vectors. 500 of them are kept out as questions, and so are the queries of
--queries FILE, which are what people type. Sizes beyond what HOME holds are filled up with made vectors:
each is a real one plus the difference of two neighbours elsewhere, at length 1. Gaps between the first, the
tenth and the hundredth neighbour of a question are then no larger than real ones (the line "gaps" says so),
so that recall is not flattered. One thread, CPU time of the process (user and system), medians over the
questions. Peers that are not installed are left out and named. With --write the section "The index beside
others" of RESULTS.md is written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import faiss
import numpy as np
import numpy.typing as npt
import results

from digest import index as ours
from digest.embed import load_query_encoder
from digest.index import Newest, Stored, Vectors, open_index
from digest.store import Store

F32 = npt.NDArray[np.float32]
Search = Callable[[F32], list[int]]
K = 10
BLOCK = 50_000
REFINED = 20  # candidates for each answer that FAISS compares once more
SLOW_UP_TO = 100_000  # beyond, graphs take tens of minutes to build


class Corpus:
    """Vectors in half precision, the real ones first; a block at a time in full."""

    def __init__(self, real: F32, pairs: npt.NDArray[np.int64], size: int) -> None:
        self.rows = np.empty((size, real.shape[1]), np.float16)
        held = min(size, len(real))
        self.rows[:held] = real[:held]
        dice = np.random.default_rng(1)
        for start in range(held, size, BLOCK):
            count = min(BLOCK, size - start)
            pair = pairs[dice.integers(len(pairs), size=count)]
            made = real[dice.integers(len(real), size=count)] + real[pair[:, 1]] - real[pair[:, 0]]
            self.rows[start : start + count] = made / np.linalg.norm(made, axis=1, keepdims=True)

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self, start: int = 0) -> Iterator[tuple[int, F32]]:
        for first in range(start, len(self.rows), BLOCK):
            yield first, self.rows[first : first + BLOCK].astype(np.float32)

    def nearest(self, questions: F32, k: int) -> tuple[F32, npt.NDArray[np.int64]]:
        """Cosines and places of the k nearest, in full."""
        best = np.full((len(questions), k), -2, np.float32)
        places = np.zeros((len(questions), k), np.int64)
        for first, rows in self.blocks():
            cosines = np.hstack([best, questions @ rows.T])
            own = np.broadcast_to(np.arange(first, first + len(rows)), (len(questions), len(rows)))
            names = np.hstack([places, own])
            order = np.argsort(-cosines, axis=1)[:, :k]
            best, places = np.take_along_axis(cosines, order, 1), np.take_along_axis(names, order, 1)
        return best, places


def neighbours(real: F32, count: int = 4000) -> npt.NDArray[np.int64]:
    """Pairs of real neighbours: some vectors, each with its twenty nearest."""
    some = np.random.default_rng(2).choice(len(real), min(count, len(real)), replace=False)
    flat = faiss.IndexFlatIP(real.shape[1])
    flat.add(real)
    _, near = flat.search(real[some], 21)
    return np.stack([np.repeat(some, 20), near[:, 1:].ravel()], axis=1)


def name(place: int) -> bytes:
    return place.to_bytes(16, "little")


def vectors(corpus: Corpus) -> Vectors:
    def since(number: int) -> Iterator[Stored]:
        for first, rows in corpus.blocks(max(0, number - 1)):
            places = range(first, first + len(rows))
            yield Stored(np.arange(first, first + len(rows)) + 1, [name(place) for place in places], rows)

    newest = Newest(len(corpus), name(len(corpus) - 1))
    return Vectors("benchmark", corpus.rows.shape[1], newest, since)


def digest(corpus: Corpus, folder: Path, *, fast: bool) -> Search:
    index = open_index(folder, vectors(corpus), fast=fast)
    return lambda question: [int.from_bytes(text, "little") for text in index.nearest(question, K)]


def in_faiss(kind: str) -> Callable[[Corpus, Path], Search]:
    def build(corpus: Corpus, folder: Path) -> Search:
        index = faiss.index_factory(corpus.rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        index.train(corpus.rows[:BLOCK].astype(np.float32))
        for _, rows in corpus.blocks():
            index.add(rows)
        if "Refine" in kind:
            index.k_factor = REFINED
        faiss.write_index(index, str(folder))
        return lambda question: index.search(question[None], K)[1][0].tolist()

    return build


def hnswlib(corpus: Corpus, folder: Path) -> Search:
    import hnswlib

    index = hnswlib.Index("ip", corpus.rows.shape[1])
    index.init_index(len(corpus), M=16, ef_construction=200)
    for first, rows in corpus.blocks():
        index.add_items(rows, np.arange(first, first + len(rows)), num_threads=1)
    index.save_index(str(folder))
    index.set_ef(64)
    return lambda question: index.knn_query(question, K, num_threads=1)[0][0].tolist()


def usearch(corpus: Corpus, folder: Path) -> Search:
    from usearch.index import Index

    index = Index(ndim=corpus.rows.shape[1], metric="ip", dtype="i8")
    for first, rows in corpus.blocks():
        index.add(np.arange(first, first + len(rows)), rows, threads=1)
    index.save(str(folder))
    return lambda question: index.search(question, K, threads=1).keys.tolist()


def sqlite_vec(corpus: Corpus, folder: Path) -> Search:
    import sqlite_vec
    from pysqlite3 import dbapi2 as sqlite3  # many a Python's own is built without extensions

    database = sqlite3.connect(folder)
    database.enable_load_extension(True)
    sqlite_vec.load(database)
    kind = f"embedding float[{corpus.rows.shape[1]}] distance_metric=cosine"
    database.execute(f"CREATE VIRTUAL TABLE vectors USING vec0({kind})")
    for first, rows in corpus.blocks():
        numbered = ((first + at + 1, row.tobytes()) for at, row in enumerate(rows))
        database.executemany("INSERT INTO vectors (rowid, embedding) VALUES (?, ?)", numbered)
    database.commit()
    ask = "SELECT rowid - 1 FROM vectors WHERE embedding MATCH ? AND k = ?"
    return lambda question: [row for (row,) in database.execute(ask, [question.tobytes(), K])]


def lancedb(corpus: Corpus, folder: Path) -> Search:
    import lancedb
    import pyarrow

    table = None
    database = lancedb.connect(folder)
    for first, rows in corpus.blocks():
        values = pyarrow.FixedSizeListArray.from_arrays(rows.reshape(-1), rows.shape[1])
        block = pyarrow.table({"vector": values, "place": np.arange(first, first + len(rows))})
        if table is None:
            table = database.create_table("vectors", block)
        else:
            table.add(block)
    assert table is not None

    def search(question: F32) -> list[int]:
        return [row["place"] for row in table.search(question).metric("dot").limit(K).to_list()]

    return search


WAYS: dict[str, tuple[Callable[[Corpus, Path], Search], int]] = {
    "faiss Flat": (in_faiss("Flat"), 1_000_000),
    "digest, a fresh process (sign bits, bytes)": (lambda c, f: digest(c, f, fast=False), 10**9),
    "digest, many queries (PQ fast scan, bytes)": (lambda c, f: digest(c, f, fast=True), 10**9),
    "faiss SQ8": (in_faiss("SQ8"), 10**9),
    "faiss PQ192x4fs,Refine(SQ8)": (in_faiss("PQ192x4fs,Refine(SQ8)"), 10**9),
    "hnswlib M16 ef 64": (hnswlib, SLOW_UP_TO),
    "usearch i8": (usearch, SLOW_UP_TO),
    "sqlite-vec, no index": (sqlite_vec, SLOW_UP_TO),
    "lancedb, no index": (lancedb, SLOW_UP_TO),
}


def measure(size: int, real: F32, pairs: npt.NDArray[np.int64], questions: dict[str, F32]) -> None:
    corpus = Corpus(real, pairs, size)
    wanted = {kind: corpus.nearest(asked, 100) for kind, asked in questions.items()}
    print(f"\n### {size:,} vectors\n\ngaps: {_gaps(wanted)}\n")
    heads = " | ".join(f"recall@10, {kind}" for kind in questions)
    print(f"| | build, CPU s | MB on disk | {heads} | CPU ms a query |")
    print("|---|---|---|---|" + "---|" * len(questions))
    missing = []
    with TemporaryDirectory() as place:
        for number, (way, (build, most)) in enumerate(WAYS.items()):
            if size > most:
                continue
            folder = Path(place) / ("ours" if way.startswith("digest") else str(number))
            began = time.process_time()
            try:
                search = build(corpus, folder)
            except ImportError as error:
                missing.append(f"{way} ({error})")
                continue
            built = time.process_time() - began
            recalls, times = [], []
            for kind, asked in questions.items():
                found = [_timed(search, question, times) for question in asked]
                right = wanted[kind][1][:, :K].tolist()
                recalls.append(np.mean([len({*a} & {*b}) / K for a, b in zip(found, right, strict=True)]))
            files = [folder] if folder.is_file() else folder.rglob("*")
            disk = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
            shown = " | ".join(f"{recall:.3f}" for recall in recalls)
            print(f"| {way} | {built:.1f} | {disk:.0f} | {shown} | {median(times) * 1000:.2f} |", flush=True)
        _day(corpus, Path(place) / "ours")
    if missing:
        print(f"\nnot installed: {'; '.join(missing)}")


def _timed(search: Search, question: F32, times: list[float]) -> list[int]:
    began = time.process_time()
    found = search(question)
    times.append(time.process_time() - began)
    return found


def _day(corpus: Corpus, folder: Path) -> None:
    """What 200 more vectors cost."""
    rows = corpus.rows
    corpus.rows = np.concatenate([rows, rows[:200][::-1]])
    began = time.process_time()
    open_index(folder, vectors(corpus))
    added = time.process_time() - began
    kind = json.loads((folder / "index.json").read_text())["kind"]
    print(f"\ndigest keeps them as {kind!r}; to add 200: {added * 1000:.0f} CPU ms", flush=True)
    corpus.rows = rows


def _gaps(wanted: dict[str, tuple[F32, npt.NDArray[np.int64]]]) -> str:
    parts = []
    for kind, (cosines, _) in wanted.items():
        gaps = [median((cosines[:, 0] - cosines[:, at]).tolist()) for at in (9, 99)]
        parts.append(f"{kind} {gaps[0]:.3f} from the 1st to the 10th, {gaps[1]:.3f} to the 100th")
    return "; ".join(parts)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("home", type=Path)
    options.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--queries", type=Path, help='a file of {"query": "..."} a line')
    options.add_argument("--model", default="all-MiniLM-L6-v2@a83e28c3", help="whose vectors")
    options.add_argument("--questions", type=int, default=100, help="of each kind")
    options.add_argument("--write", action="store_true", help="write RESULTS.md")
    given = options.parse_args()
    with results.section("The index beside others", write=given.write):
        compare(given)


def compare(given: argparse.Namespace) -> None:
    with Store.open(f"sqlite:///{given.home}/digest.sqlite3") as store:
        real = np.concatenate([rows for _, _, rows in store.vectors_since(given.model, 0)])
    order = np.random.default_rng(0).permutation(len(real))
    questions = {"papers": real[order[: given.questions]]}
    if given.queries:
        lines = given.queries.read_text().splitlines()[: given.questions]
        questions["typed"] = load_query_encoder().embed([json.loads(line)["query"] for line in lines])
    real = real[order[500:]]
    faiss.omp_set_num_threads(1)
    print(f"{datetime.now(UTC):%Y-%m-%d}, faiss {faiss.__version__}, exact up to {ours.EXACT_UP_TO:,},")
    load = " ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{len(real):,} real vectors of {given.model}; load {load}")
    pairs = neighbours(real)
    for size in given.sizes:
        measure(size, real, pairs, questions)


if __name__ == "__main__":
    main()
