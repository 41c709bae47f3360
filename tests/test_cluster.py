"""Embedding on a Ray cluster: each text once, whoever dies; a real cluster of several processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import numpy.typing as npt
import pytest

from digest import cluster, pipeline
from digest.embed import DEFAULT_MODEL, model_name
from digest.errors import TryAgain, UsageError
from digest.store import Store
from stored import MODEL, NOW, page, paper

F32 = npt.NDArray[np.float32]


# What no cluster is needed for.


class LastFirst:
    """Workers that are done with the last of three batches first."""

    name, dimension, at_once, ahead = MODEL, 2, 2, 2
    notes = ()

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.given: list[str] = []
        self.done: list[str] = []
        self._pool = pool

    def submit(self, texts: Sequence[str]) -> Future[F32]:
        batch = len(self.given) // 2
        self.given += texts
        return self._pool.submit(self._compute, list(texts), 0.1 * (2 - batch % 3))

    def _compute(self, texts: list[str], seconds: float) -> F32:
        time.sleep(seconds)
        self.done += texts
        return np.array([[float(text.split()[1].strip(".")), 1] for text in texts], np.float32)


def test_batches_that_come_back_in_another_order_keep_their_texts_and_each_text_is_given_once(
    tmp_path: Path,
) -> None:
    twins = [paper(number, title=f"Paper {number % 6}", abstract="Same.") for number in range(12)]
    with Store.open(f"sqlite:///{tmp_path}/digest.sqlite3") as store:
        store.add_papers("oai", page(*twins), NOW)
        with ThreadPoolExecutor(3) as pool:
            workers = LastFirst(pool)
            assert pipeline.embed(store, workers).counts == {"embedded": 6}
        assert workers.done != workers.given
        assert sorted(workers.given) == [f"Paper {number}. Same." for number in range(6)]
        _, rows = store.vectors(MODEL, [one.id for one in twins])
    assert rows[:, 0].tolist() == [number % 6 for number in range(12)]


@contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """The address of a server that says the same to everybody."""

    def serve() -> None:
        line, _ = server.accept()
        with line:
            line.recv(99)
            line.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_what_is_no_ray_cluster_is_told_at_once(answer: bytes) -> None:
    with listening(answer) as address, pytest.raises(UsageError, match=f"at {address} is no Ray cluster"):
        cluster.check(address)


@pytest.mark.parametrize("address", ["", "somewhere", "host:", "host:port", "ray://host:10001", ":6379"])
def test_what_is_no_address_is_wrong_use(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Ray cluster: HOST:PORT"):
        cluster.check(address)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_an_address_where_nobody_answers_is_one_line(address: str) -> None:
    with pytest.raises(TryAgain, match=f"^no Ray cluster answers at {address} .*ray start --head") as caught:
        cluster.check(address)
    assert "\n" not in str(caught.value)


def test_ray_is_not_loaded_unless_it_is_asked_for(sample_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(sample_home, tmp_path / "home")
    code = "import sys\nfrom digest.cli import main\ntry: main()\nfinally: print('ray' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(home), "embed"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "False"


# On a cluster.

slow = pytest.mark.slow
TEXTS = 239  # of the sample, in eight batches
PATIENCE = 900  # seconds: a minute on an idle machine of two cores, ten on one where ten others are at work


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """The sample without its vectors."""
    pytest.importorskip("ray", reason="ray is not installed (digest[ray])")
    home = tmp_path / "home"
    shutil.copytree(sample_home, home)
    with closing(sqlite3.connect(home / "digest.sqlite3")) as database, database:
        database.execute("DELETE FROM vector")
    return home


def embedding(home: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "digest", "--home", str(home), "embed", *words],
        env={**os.environ, "DIGEST_EMBED_BATCH_SIZE": "1", "XDG_CACHE_HOME": str(home / "cache"), **environ},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def stored(home: Path) -> int:
    with closing(sqlite3.connect(home / "digest.sqlite3")) as database:
        return int(database.execute("SELECT count(*) FROM vector").fetchone()[0])


def until(told: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not told():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.1)


def family(pid: int) -> dict[int, str]:
    """The processes below one, with their names."""
    parents, names = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            names[int(entry.name)] = (entry / "cmdline").read_text().split("\0")[0]
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = {pid}
    while more := {one for one, parent in parents.items() if parent in below} - below:
        below |= more
    return {one: names[one] for one in below - {pid}}


def at_work(pid: int) -> list[int]:
    """The workers that embed now."""
    return [one for one, name in family(pid).items() if name == "ray::_embed"]


def vectors(home: Path, model: str = DEFAULT_MODEL) -> F32:
    with Store.open(f"sqlite:///{home}/digest.sqlite3") as store:
        ids = sorted(one.id for one in store.listed_between(None, None))
        found, rows = store.vectors(model_name(model), ids)
        assert found == ids
    return rows


@slow
def test_a_worker_that_is_killed_loses_nothing_and_the_vectors_are_the_plain_ones(
    home: Path, sample_home: Path
) -> None:
    process = embedding(home, "--ray", "local")
    until(lambda: stored(home) and at_work(process.pid))
    begun = family(process.pid)
    os.kill(at_work(process.pid)[0], signal.SIGKILL)
    assert stored(home) < TEXTS
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert f"embedded {TEXTS}" in out
    assert f"by Ray: {os.cpu_count()} workers (CPU) on 1 machine" in out
    np.testing.assert_allclose(vectors(home), vectors(sample_home), atol=1e-6)
    until(lambda: not alive(begun))


def alive(processes: dict[int, str]) -> list[str]:
    """Those that are still there, by the name they had."""
    return [name for pid, name in processes.items() if Path(f"/proc/{pid}/exe").exists()]


@slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_driver_that_is_killed_keeps_what_was_stored_and_leaves_no_process(
    home: Path, sample_home: Path, number: signal.Signals, code: int
) -> None:
    process = embedding(home, "--ray", "local")
    until(lambda: stored(home))
    begun = family(process.pid)
    process.send_signal(number)
    assert ended(process)[0] == code
    kept = stored(home)
    assert 0 < kept < TEXTS
    until(lambda: not alive(begun))
    code, out, _ = ended(embedding(home))
    assert (code, f"embedded {TEXTS - kept}" in out) == (0, True)
    np.testing.assert_allclose(vectors(home), vectors(sample_home), atol=1e-6)
