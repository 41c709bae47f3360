"""How fast is `digest search`, in a fresh process and in one that answers many queries, beside others?

    pip install -r benchmarks/requirements.txt
    python benchmarks/search.py HOME QUERIES --large HOME [--write]

HOME: a digest home with vectors of all papers; --large: one with more papers, with vectors or without.
QUERIES: a file with {"query": "..."} a line, of which --first so many are asked. What counts is the CPU time
of a process, user and system. Fresh processes take turns and start with warm files and compiled modules, as
after an installation; each warm way runs in a process of its own, after three queries that do not count.
With --write the section "Search" of RESULTS.md is written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import results

from digest import config
from digest.app import App
from digest.query import Query, as_term, plain
from digest.search import Mode

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENCODE = (
    "from sentence_transformers import SentenceTransformer\n"
    "from digest.embed import find_model, DEFAULT_MODEL\n"
    "SentenceTransformer(str(find_model(DEFAULT_MODEL)), device='cpu').encode(['concept bottleneck'])"
)
FORWARD = (  # the least that a vector of a query takes: Python, numpy, the network, no word of digest's own
    "import os, gc; gc.disable(); os.environ['OPENBLAS_NUM_THREADS'] = '1'\n"
    "import numpy as np\n"
    "from digest import encoder, embed\n"
    "folder = embed.find_model(embed.DEFAULT_MODEL)\n"
    "weights = encoder._read_weights(folder / 'model.safetensors')\n"
    "network = encoder._Bert(encoder._config(folder), weights, cls_pooling=False)\n"
    "network(np.array([101, 4145, 5835, 18278, 102]))\n"
    "os._exit(0)"
)
SLOWEST = "SentenceTransformer.encode of the query, nothing else"
KEYS = 20  # of an expanded query
Ask = Callable[[Sequence[str]], object]  # words, or phrases


# Fresh processes.


def cold_ways(small: Path, large: Path) -> dict[str, list[str]]:
    def digest(home: Path, *options: str) -> list[str]:
        return ["-m", "digest", "--home", str(home), "search", *options, "concept", "bottleneck"]

    return {
        "python alone": ["-c", "pass"],
        "import numpy": ["-c", "import numpy"],
        "import tokenizers": ["-c", "import tokenizers"],
        "numpy and the network, of a query that is split already": ["-c", FORWARD],
        f"**digest search**, {count(small):,} papers with vectors": digest(small),
        f"digest search --mode words, {count(small):,} papers": digest(small, "--mode", "words"),
        f"digest search --mode words, {count(large):,} papers": digest(large, "--mode", "words"),
        f"digest search, {count(large):,} papers, with vectors where there are any": digest(large),
        SLOWEST: ["-c", ENCODE],
    }


def cold(command: Sequence[str]) -> tuple[float, float]:
    """CPU milliseconds and megabytes of a process."""
    source = str(Path(__file__).parents[1] / "src")
    where = {**os.environ, "PYTHONPATH": source, "HF_HUB_OFFLINE": "1", "PYTHONPYCACHEPREFIX": _COMPILED.name}
    where.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, env=where)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {command}")
    return (used.ru_utime + used.ru_stime) * 1e3, used.ru_maxrss / 1024


_COMPILED = TemporaryDirectory()  # the first run of each kind, which does not count, fills it


# Many queries in one process.


def digest_way(mode: Mode, *, keys: bool = False) -> Callable[[Path], Ask]:
    """Of an expanded query the keys rank, and what was typed, here the first, is compared in meaning."""

    def make(home: Path) -> Ask:
        searcher = opened(home).searcher(vectors=mode == "both", fast=True)
        return lambda phrases: searcher.search(
            Query(terms=tuple(map(as_term, phrases)), meaning=phrases[0] if keys else " ".join(phrases)),
            10,
            mode,
        )

    return make


def fts5(home: Path) -> Ask:
    """An OR of the words, porter, stop words out, the title's counting twice."""
    reader = opened(home).reader
    ask = (
        "SELECT rowid FROM paper_word WHERE paper_word MATCH ? AND rank MATCH 'bm25(2.0, 1.0, 0.5)' "
        "ORDER BY rank LIMIT 10"
    )
    return lambda phrases: reader._rows(ask, [" OR ".join(f'"{one}"' for one in phrases)])  # noqa: SLF001


def tantivy_alone(home: Path) -> Ask:
    from digest.inverted import open_words

    words = open_words(home / "index" / "words", opened(home).reader)
    if words is None:
        raise SystemExit(f"{home}: the words' index is being written by another process")
    index, searcher = words._index, words._searcher  # noqa: SLF001

    def ask(phrases: Sequence[str]) -> object:
        query = " ".join(f'"{one}"' for one in phrases)
        parsed = index.parse_query(query, ["title", "abstract"], {"title": 2.0})
        return searcher.search(parsed, 10, count=False).hits

    return ask


def bm25s_alone(home: Path) -> Ask:
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    texts = [f"{title} {abstract}" for _, title, abstract, _ in all_texts(home)]
    engine = bm25s.BM25()
    engine.index(bm25s.tokenize(texts, stemmer=stemmer, show_progress=False), show_progress=False)

    def ask(phrases: Sequence[str]) -> object:
        tokens = bm25s.tokenize(" ".join(phrases), stemmer=stemmer, show_progress=False)
        return engine.retrieve(tokens, k=10, show_progress=False)

    return ask


def tfidf(home: Path) -> Ask:
    from digest.evaluation import search

    texts = [(str(number), f"{title}. {abstract}") for number, title, abstract, _ in all_texts(home)]
    rank = search.tfidf([text for _, text in texts], [name for name, _ in texts])
    return lambda phrases: rank(" ".join(phrases))


WARM: dict[str, tuple[str, Callable[[Path], Ask], bool, bool]] = {
    # name: (what it says, how it is made, over the large home, queries of 20 keys)
    "fts5": ("plain FTS5, OR of the words", fts5, True, False),
    "words": (
        "**digest search --mode words**, hits with reasons and passages",
        digest_way("words"),
        True,
        False,
    ),
    "tantivy": ("tantivy alone, numbers only", tantivy_alone, True, False),
    "bm25s": ("bm25s alone, numbers only", bm25s_alone, False, False),
    "fts5 keys": (f"plain FTS5, {KEYS} keys", fts5, True, True),
    "words keys": (
        f"**digest search --mode words**, {KEYS} keys",
        digest_way("words", keys=True),
        True,
        True,
    ),
    "tantivy keys": (f"tantivy alone, {KEYS} keys", tantivy_alone, True, True),
    "both large": ("**digest search**, words and meaning", digest_way("both"), True, False),
    "both keys": (
        f"**digest search**, words and meaning, {KEYS} keys",
        digest_way("both", keys=True),
        True,
        True,
    ),
    "both": ("**digest search**, words and meaning", digest_way("both"), False, False),
    "fts5 small": ("plain FTS5, OR of the words", fts5, False, False),
    "tfidf": ("TF-IDF, arxiv-sanity's way", tfidf, False, False),
}


def warm(name: str, home: Path, queries: Sequence[Sequence[str]]) -> list[float]:
    """CPU milliseconds of each query, in a process of its own."""
    command = [sys.executable, __file__, str(home), "-", "--large", str(home), "--way", name]
    given = json.dumps(queries)
    done = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, text=True, check=False, env={**os.environ, **ONE_THREAD}
    )
    return [] if done.returncode else list(json.loads(done.stdout))


def measure(name: str, home: Path, queries: Sequence[Sequence[str]]) -> list[float]:
    ask = WARM[name][1](home)
    for query in queries[:3]:
        ask(query)
    spent = []
    for query in queries:
        began = time.process_time()
        ask(query)
        spent.append((time.process_time() - began) * 1e3)
    return spent


def words_of(query: str) -> list[str]:
    return [term.text for term in plain(query).terms]


def expanded(queries: Sequence[str]) -> list[list[str]]:
    """Queries of so many keys each, drawn at random."""
    draw = random.Random(0)
    keys = [" ".join(words_of(query)) for query in queries]
    return [draw.sample(keys, KEYS) for _ in range(min(60, len(keys)))]


# Common.

_OPEN: dict[Path, App] = {}


def opened(home: Path) -> App:
    if home not in _OPEN:
        _OPEN[home] = App(config.load(None, home, {}), datetime.now(UTC), quiet=True)
    return _OPEN[home]


def count(home: Path) -> int:
    return opened(home).reader.count()


def all_texts(home: Path) -> Any:
    from digest.types import WordChange

    return opened(home).reader.texts(WordChange("", 0))


def report(given: argparse.Namespace) -> str:
    small, large = given.home, given.large
    lines = given.queries.read_text("utf-8").splitlines()
    queries = [json.loads(line)["query"] for line in lines if line.strip()][: given.first]
    ways = cold_ways(small, large)
    fresh: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(given.repeat + 1):
        for name, command in ways.items():
            if name != SLOWEST or turn < 3:  # of which two are enough
                fresh[name].append(cold(command))
    spent = {}
    for name, (_, _, is_large, keys) in WARM.items():
        spent[name] = warm(
            name, large if is_large else small, expanded(queries) if keys else [*map(words_of, queries)]
        )
        print(f"  {name}: {median(spent[name]) if spent[name] else 'failed'}", file=sys.stderr)
    return "\n".join([*_head(), *_cold_table(fresh), *_warm_table(spent, small, large, len(queries))])


def _head() -> list[str]:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    load = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return [
        f"## Search, {datetime.now(UTC):%Y-%m-%d}",
        "",
        "    python benchmarks/search.py HOME QUERIES --large HOME --write",
        "",
        f"{machine}; load at the end {load}. Medians; CPU time of the process.",
        "",
    ]


def _cold_table(fresh: dict[str, list[tuple[float, float]]]) -> list[str]:
    rows = ["| a fresh process | CPU ms | least | MB |", "|---|---|---|---|"]
    for name, runs in fresh.items():
        milliseconds, megabytes = zip(*runs[1:], strict=True)  # the first warms the files
        middle, least = median(milliseconds), min(milliseconds)
        rows.append(f"| {name} | {middle:.0f} | {least:.0f} | {median(megabytes):.0f} |")
    return [*rows, ""]


def _warm_table(spent: dict[str, list[float]], small: Path, large: Path, queries: int) -> list[str]:
    rows = [
        "| many queries | papers | median CPU ms | 99th percentile | times plain FTS5 |",
        "|---|---|---|---|---|",
    ]
    for name, (says, _, is_large, keys) in WARM.items():
        papers = count(large if is_large else small)
        if not spent[name]:
            rows.append(f"| {says} | {papers:,} | not installed, or failed | | |")
            continue
        base = spent["fts5 keys" if keys else "fts5" if is_large else "fts5 small"]
        times = f"{median(base) / median(spent[name]):.1f}" if base else ""
        middle, last = median(spent[name]), quantiles(spent[name], n=100)[98]
        rows.append(f"| {says} | {papers:,} | {middle:.1f} | {last:.1f} | {times} |")
    return [
        *rows,
        "",
        f"{queries} queries; of those of {KEYS} keys 60 at most, the keys drawn from them.",
        "",
    ]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("home", type=Path)
    options.add_argument("queries", type=Path)
    options.add_argument("--large", type=Path, required=True)
    options.add_argument("--repeat", type=int, default=9, help="fresh processes of each kind")
    options.add_argument("--first", type=int, help="so many queries, all by default")
    options.add_argument("--write", action="store_true", help="write RESULTS.md")
    options.add_argument("--way", choices=WARM, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, given.home, json.loads(sys.stdin.read()))))
        return
    section = report(given)
    print(section)
    if given.write:
        results.put("Search", section)


if __name__ == "__main__":
    main()
