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
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
import numpy.typing as npt
import pytest

from digest import cluster, pipeline
from digest.embed import DEFAULT_MODEL, model_name
from digest.errors import TryAgain, UsageError
from digest.store import Store
from models import tiny_model
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


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def embedding(home: Path) -> Iterator[Start]:
    """Starts `digest embed`; what is still there at the end is ended, and its cluster ends with it."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: str, **environ: str) -> subprocess.Popen[str]:
        begun.append(started(home, *words, **environ))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate(timeout=PATIENCE)


def started(home: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "digest", "--home", str(home), "embed", *words],
        cwd=home, env={**os.environ, "DIGEST_EMBED_BATCH_SIZE": "1", **environ},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def stored(home: Path) -> int:
    with closing(sqlite3.connect(home / "digest.sqlite3")) as database:
        return int(database.execute("SELECT count(*) FROM vector").fetchone()[0])


def until(told: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something that a process does while it is at work, or that happens after all."""
    end = time.monotonic() + PATIENCE
    while not told():
        assert process is None or process.poll() is None, ended(process)
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.1)


def family(pid: int) -> dict[int, str]:
    """The processes below one, with their names, parents before children."""
    parents, names = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            names[int(entry.name)] = (entry / "cmdline").read_text().split("\0")[0]
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = [pid]
    for one in below:  # which grows meanwhile
        below += [child for child, parent in parents.items() if parent == one]
    return {one: names[one] for one in below[1:]}


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
    home: Path, sample_home: Path, embedding: Start
) -> None:
    process = embedding("--ray", "local")
    until(lambda: stored(home) and at_work(process.pid), process)
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
    home: Path, sample_home: Path, embedding: Start, number: signal.Signals, code: int
) -> None:
    process = embedding("--ray", "local")
    until(lambda: stored(home), process)
    begun = family(process.pid)
    process.send_signal(number)
    assert ended(process)[0] == code
    kept = stored(home)
    assert 0 < kept < TEXTS
    until(lambda: not alive(begun))
    code, out, _ = ended(embedding())
    assert (code, f"embedded {TEXTS - kept}" in out) == (0, True)
    np.testing.assert_allclose(vectors(home), vectors(sample_home), atol=1e-6)


# On several machines, all of them this one.

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}
Join = Callable[[int], subprocess.Popen[bytes]]


@pytest.fixture
def cluster_of(tmp_path: Path) -> Iterator[tuple[str, Join]]:
    """The address of a cluster whose head computes nothing, and what lets a machine join it with so many
    cores. A machine has a cache of its own, and other working folders than the archive's."""
    pytest.importorskip("ray", reason="ray is not installed (digest[ray])")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        **TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    begun: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        # Again where it fails: Ray gives up after 30 seconds, and a busy machine may want more.
        again = ["sh", "-c", 'until "$@"; do sleep 1; done', "sh"]
        command = [*again, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words]
        with (tmp_path / f"ray-{len(begun)}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                env=environ,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        begun.append(process)
        return process

    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        head = ("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")
        start(*head, f"--temp-dir={folder}")
        until(lambda: answers(port), None)
        yield f"127.0.0.1:{port}", lambda cores: start(f"--address=127.0.0.1:{port}", f"--num-cpus={cores}")
        there = {pid: name for one in begun for pid, name in family(one.pid).items()}
        for one in reversed(begun):
            gone(one)
        until(lambda: not alive(there))


def gone(machine: subprocess.Popen[bytes]) -> None:
    """Kill all that a machine runs."""
    for pid in [machine.pid, *family(machine.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    machine.wait(PATIENCE)


def answers(port: int) -> bool:
    try:
        cluster.check(f"127.0.0.1:{port}")
    except (TryAgain, UsageError):
        return False
    return True


@slow
def test_a_machine_that_is_lost_is_replaced_by_one_that_joins(
    home: Path, sample_home: Path, embedding: Start, cluster_of: tuple[str, Join]
) -> None:
    address, join = cluster_of
    first = join(1)
    process = embedding("--ray", address, **TOKEN)
    until(lambda: stored(home), process)
    gone(first)
    assert stored(home) < TEXTS
    join(1)
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert f"embedded {TEXTS}" in out
    np.testing.assert_allclose(vectors(home), vectors(sample_home), atol=1e-6)


@slow
def test_a_model_that_the_machines_have_not_is_sent_to_them(
    home: Path, embedding: Start, cluster_of: tuple[str, Join], tmp_path: Path
) -> None:
    """By a path that leads nowhere from where they work; another token is one line."""
    tiny_model(home / "tiny", pooling="mean", seed=0)
    address, join = cluster_of
    code, out, err = ended(embedding("--ray", address, **TOKEN | {"RAY_AUTH_TOKEN": "f" * 32}))
    assert (code, out, err.count("\n")) == (75, "", 1), err
    join(1)
    code, out, err = ended(embedding("--ray", address, DIGEST_EMBED_MODEL="./tiny", **TOKEN))
    assert (code, err) == (0, "")
    assert f"embedded {TEXTS}" in out
    [sent] = (tmp_path / "cache" / "digest" / "models").iterdir()
    assert sent.name.startswith("tiny@")
    by_cluster = vectors(home, str(home / "tiny"))
    with closing(sqlite3.connect(home / "digest.sqlite3")) as database, database:
        database.execute("DELETE FROM vector")
    assert ended(embedding(DIGEST_EMBED_MODEL="./tiny"))[0] == 0
    np.testing.assert_allclose(vectors(home, str(home / "tiny")), by_cluster, atol=1e-6)
