"""What does each page of `digest serve` cost the server, and how much does it weigh?

    python benchmarks/page.py HOME [--large HOME] [--as-of MOMENT] [--write]

HOME: a digest home with papers, matches and posts, of which a copy is served; --large: one with more papers,
where only searches are asked for. What counts is the CPU time of the whole server process for one request,
as Linux tells it (/proc/PID/task/*/schedstat): the median and the least of many. A page weighs what its
answer holds and what its style sheets and scripts do, without pictures, nothing compressed. Searches are all
different: the first keys of the topics. With --write the section "The page" of RESULTS.md is written.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import quote_plus

import httpx

RESULTS = Path(__file__).with_name("RESULTS.md")
SOURCE = Path(__file__).parents[1] / "src"
WARM, ASKED = 3, 25
MOST_MS, MOST_SEARCH_MS, MOST_KB = 50, 120, 100


class Cost(NamedTuple):
    """What a page costs: CPU milliseconds, median and least, and kilobytes."""

    name: str
    middle: float
    least: float
    weight: float
    most: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--large", type=Path)
    parser.add_argument("--as-of", help="as it was at this moment, such as 2026-05-15T12:00Z")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        copy = shutil.copytree(given.home, Path(folder) / "home")
        costs = [*measured(copy, given.as_of, pages(copy)), *searched(copy, given.as_of)]
    if given.large:
        costs += searched(given.large, given.as_of)
    lines = "\n".join(report(costs, given.as_of))
    print(lines)
    if given.write:
        before, _, after = RESULTS.read_text("utf-8").partition("## The page, ")
        rest = after.partition("\n## ")[2]
        kept = [before.rstrip(), lines, *([f"## {rest}".rstrip()] if rest else [])]
        RESULTS.write_text("\n\n".join(kept) + "\n", "utf-8")


def pages(home: Path) -> dict[str, str]:
    """The pages that are asked for, by what they are called."""
    paper, topic = row(home, "SELECT paper.id, topic FROM match JOIN paper ON number = paper ORDER BY "
                             "paper.announced DESC, score DESC LIMIT 1")  # fmt: skip
    [post] = row(home, "SELECT id FROM post ORDER BY slot DESC, id LIMIT 1")
    [crowded] = row(home, "SELECT topic FROM topic_key GROUP BY topic ORDER BY count(*) DESC LIMIT 1")
    return {
        "today": "/",
        "search, before anything is asked": "/search",
        "a paper": f"/papers/{paper}",
        "posts": "/posts",
        "a post and its editor": f"/posts/{post}",
        "a post's history": f"/posts/{post}/history",
        "outbox": "/posts/outbox",
        "topics": "/topics",
        "keys to judge": f"/topics/{crowded}",
        "what keys bring, once it is counted": f"/topics/{crowded}/yield",
        "a new topic": "/topics/new",
        "trends": "/trends",
        "a map of a month, once it is drawn": f"/trends/map?topic={topic}",
        "jobs": "/jobs",
        "as readers see it": "/public/index.html",
    }


def row(home: Path, query: str) -> Sequence[str]:
    """The one row of a query."""
    with closing(sqlite3.connect(f"file:{home / 'digest.sqlite3'}?mode=ro", uri=True)) as connection:
        found: Sequence[str] = connection.execute(query).fetchone()
        return found


def measured(home: Path, as_of: str | None, asked: dict[str, str]) -> list[Cost]:
    """What each page costs."""
    with served(home, as_of) as (client, spent):
        return [cost(client, spent, name, [path] * ASKED, MOST_MS) for name, path in asked.items()]


def searched(home: Path, as_of: str | None) -> list[Cost]:
    """What searches cost: a phrase, a phrase in a topic."""
    texts = row(
        home, "SELECT group_concat(text, char(10)) FROM (SELECT text FROM topic_key ORDER BY id LIMIT 60)"
    )
    keys = (texts[0] or "").splitlines() or DEFAULT
    [count] = row(home, "SELECT count(*) FROM paper")
    [vectors] = row(home, "SELECT count(*) FROM vector")
    of = f"{int(count):,} papers" + ("" if int(vectors) else ", words alone")
    paths = [f"/search?q={quote_plus(key)}" for key in keys]
    with served(home, as_of) as (client, spent):
        return [
            cost(client, spent, f"**search**, {of}", paths, MOST_SEARCH_MS),
            cost(
                client,
                spent,
                f"**search** of a year, {of}",
                [f"{one}&year=2025" for one in paths],
                MOST_SEARCH_MS,
            ),
        ]


DEFAULT = [
    *("machine unlearning", "concept bottleneck", "sparse autoencoders", "diffusion models", "saliency maps"),
    *("score matching", "counterfactual explanations", "membership inference", "consistency models"),
    *("large language model agents", "graph neural networks", "reinforcement learning from human feedback"),
    *("quantum error correction", "dark matter halo", "protein folding", "vision transformer pruning"),
    *("federated learning privacy", "feature attribution", "text to image generation", "knowledge editing"),
]  # fmt: skip


def cost(
    client: httpx.Client, spent: Callable[[], float], name: str, paths: Sequence[str], most: int
) -> Cost:
    """What the requests for some paths cost, after the first few."""
    answer = settled(client, paths[0])
    for path in paths[:WARM]:
        client.get(path).raise_for_status()
    found = []
    for path in paths:
        before = spent()
        client.get(path).raise_for_status()
        found.append((spent() - before) * 1e3)
    print(f"  {name}: {median(found):.1f} ms", file=sys.stderr)
    files = {*re.findall(r'(?:src|href)="(/static/[^"]+\.(?:css|js)[^"]*)"', answer.text)}
    weight = len(answer.content) + sum(len(client.get(file).content) for file in files)
    return Cost(name, median(found), min(found), weight / 1e3, most)


def settled(client: httpx.Client, path: str) -> httpx.Response:
    """The page once what takes long is done behind it."""
    while (answer := client.get(path).raise_for_status()).status_code == 202:
        pass
    return answer


@contextmanager
def served(home: Path, as_of: str | None) -> Iterator[tuple[httpx.Client, Callable[[], float]]]:
    """A client of `digest serve` over a home, and the CPU seconds that the server has taken."""
    moment = ["--as-of", as_of] if as_of else []
    command = [sys.executable, "-m", "digest", "--home", str(home), "serve", "--port", "0", *moment]
    where = {**os.environ, "PYTHONPATH": str(SOURCE), "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=where) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.search(r"http://\S+", said)
            if not found:
                raise SystemExit(f"digest serve did not start: {said}")
            with httpx.Client(base_url=found[0], trust_env=False, timeout=600) as client:
                yield client, lambda: seconds(process.pid)
        finally:
            process.terminate()


def seconds(process: int) -> float:
    """The CPU seconds of a process, all its threads together, to the nanosecond
    (https://docs.kernel.org/scheduler/sched-stats.html)."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def report(costs: Sequence[Cost], as_of: str | None) -> list[str]:
    """The section of RESULTS.md."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    load = " ".join(f"{load:.1f}" for load in os.getloadavg())
    moment = f" --as-of {as_of}" if as_of else ""
    over = [one.name for one in costs if one.middle > one.most or one.weight > MOST_KB]
    return [
        f"## The page, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"    python benchmarks/page.py HOME --large HOME{moment} --write",
        "",
        f"{machine}; load at the end {load}. CPU milliseconds of the server a request, of {ASKED} or more,",
        "searches all different; kilobytes with style sheets and scripts, nothing compressed, no pictures.",
        f"Goals: {MOST_MS} ms, searches {MOST_SEARCH_MS} ms, {MOST_KB} kB: "
        + (f"not reached by {', '.join(over)}." if over else "all reached."),
        "",
        "| page | median ms | least ms | kB |",
        "|---|---|---|---|",
        *(f"| {one.name} | {one.middle:.1f} | {one.least:.1f} | {one.weight:.0f} |" for one in costs),
    ]


if __name__ == "__main__":
    main()
