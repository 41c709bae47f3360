"""Embedding spread over a Ray cluster (https://docs.ray.io): its machines compute, this process stores.

A batch of texts is a task of Ray's. A task only computes: where its worker or its machine is lost, Ray does
it again elsewhere, and no harm is done. A machine that joins the cluster is given tasks as well. Vectors come
back to this process, which alone has the archive; if it ends, so do its tasks, and the next run goes on with
what is not stored yet.

All workers compute with the model of this machine: a model that a worker has not, or not the same, is sent to
it, once to each machine.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
import numpy.typing as npt

from digest import __version__, openvino
from digest.embed import BulkEmbedder, SentenceEmbedder, find_model, is_default, load_embedder, model_name
from digest.encoder import revision
from digest.errors import DigestError, ModelError, TryAgain, UsageError

F32 = npt.NDArray[np.float32]

LOCAL = "local"
"""Instead of an address: a cluster of this machine's cores, which ends with the program."""
_TRIES = 10  # of a batch whose worker dies; a text that kills each of them must not go round for ever
_AHEAD = 3  # batches for each worker: one computed, one on its way, one back
_STARTS = 3  # tries to start a cluster of this machine
_WAIT = 5.0  # seconds for a head to answer
_A_CARD = 0.5  # of a GPU for one worker: while one cuts texts into word pieces the other one computes
_LOCAL_STORE = 200_000_000  # bytes for batches and their vectors under way; Ray takes a third of the memory

# The preface of HTTP/2 with empty settings, and the type of the frame it is answered with
# (https://www.rfc-editor.org/rfc/rfc9113#section-3.4): what is no gRPC server does not answer so, and Ray
# would try for three minutes.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4


class Folder(msgspec.Struct, frozen=True):
    """A folder that may be sent: where it is on this machine, a mark of what it holds, and references to the
    bytes of its files in Ray's store."""

    path: str
    mark: str
    files: tuple[tuple[str, Any], ...]


class How(msgspec.Struct, frozen=True):
    """The settings of the embedding model."""

    model: str
    device: str
    batch_size: int
    backend: str


class Recipe(msgspec.Struct, frozen=True):
    """What a worker makes its embedder of: settings, name of the vectors, and what may have to be sent."""

    how: How
    name: str
    weights: Folder | None
    openvino: Folder | None
    version: str = __version__


class Cluster:
    """The workers of a cluster behind ``digest.pipeline.Workers``; made by ``joined``."""

    def __init__(self, recipe: Recipe) -> None:
        import ray

        self._recipe = ray.put(recipe)
        self.name = recipe.name
        self._resource = "GPU" if self._count("GPU") and not recipe.how.device.startswith("cpu") else "CPU"
        share = {"num_gpus": _A_CARD, "num_cpus": 0} if self._resource == "GPU" else {"num_cpus": 1}
        task: Any = ray.remote(max_retries=_TRIES, max_calls=0, **share)
        self._hello, self._embed = task(_hello), task(_embed)
        self._begun = [self._hello.remote(self._recipe) for _ in range(self.workers)]  # all load at once
        [first], _ = ray.wait(self._begun)
        self.dimension, self.at_once = ray.get(first)

    def submit(self, texts: Sequence[str]) -> Future[F32]:
        """float32 [n, dimension] of some texts, once a worker has computed it."""
        answer: Future[F32] = self._embed.remote(self._recipe, list(texts)).future()
        return answer

    @property
    def ahead(self) -> int:
        """So many batches are under way at a time, by the machines that the cluster has now."""
        return _AHEAD * self.workers

    @property
    def workers(self) -> int:
        """So many tasks are computed at a time."""
        return max(1, int(self._count(self._resource) / (_A_CARD if self._resource == "GPU" else 1)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the cluster is, for the report."""
        machines = sum(node["Alive"] for node in _ray().nodes())
        place = "1 machine" if machines == 1 else f"{machines} machines"
        return (f"by Ray: {self.workers} workers ({self._resource}) on {place}",)

    @staticmethod
    def _count(resource: str) -> float:
        return float(_ray().cluster_resources().get(resource, 0))


@contextmanager
def joined(address: str, how: How, embedder: Callable[[], BulkEmbedder]) -> Iterator[Cluster]:
    """The workers of the cluster at an address: "host:port", "auto", or "local" for one of this machine's
    cores. What only this machine can do is done before, by making its own ``embedder``: fetch a model of the
    hub, let OpenVINO learn from the archive.

    Raises UsageError where ray is not installed or the address is none, TryAgain where no cluster answers or
    it is lost, ModelError where a worker cannot embed.
    """
    check(address)
    own = embedder() if how.backend == "openvino" or find_model(how.model) is None else None
    network = own.folder if isinstance(own, openvino.OpenVinoEmbedder) else None
    with _connected(address):
        from ray.exceptions import RayError

        theirs = None if address == LOCAL or is_default(how.model) else find_model(how.model)
        try:
            yield Cluster(Recipe(how, model_name(how.model), _sent(theirs), _sent(network)))
        except RayError as error:
            raise _as_ours(error) from error


def _as_ours(error: Exception) -> DigestError:
    """What Ray says of a task, or of itself."""
    from ray.exceptions import RayTaskError, WorkerCrashedError

    if isinstance(error, RayTaskError):
        cause = error.cause
        return cause if isinstance(cause, ModelError) else ModelError(f"a worker failed: {_line(cause)}")
    if isinstance(error, WorkerCrashedError):
        why = f"a worker died {_TRIES + 1} times over the same texts"
        return ModelError(f"{why}: look whether its machine has memory enough, then run the same again")
    return TryAgain(f"the Ray cluster is lost ({_line(error)}): what came back is stored; run the same again")


@contextmanager
def _connected(address: str) -> Iterator[None]:
    with ExitStack() as stack:
        given = _own_cluster(stack) if address == LOCAL else {}
        ray = _ray()
        stack.callback(ray.shutdown)
        _begin(ray, address, given)
        yield


def _begin(ray: Any, address: str, given: Mapping[str, Any]) -> None:
    """Join the cluster, or start this machine's: Ray gives up after 30 seconds, and a busy machine may want
    more. Raises TryAgain."""
    stopped = signal.getsignal(signal.SIGTERM)
    for left in reversed(range(_STARTS if address == LOCAL else 1)):
        try:
            with _silent():
                ray.init(address=address, log_to_driver=False, configure_logging=False, **given)
        except Exception as error:  # Ray raises whatever it likes
            ray.shutdown()
            if not left:
                raise TryAgain(f"no Ray cluster can be joined at {address}: {_line(error)}") from error
        else:
            break
        finally:
            signal.signal(signal.SIGTERM, stopped)  # Ray's own ends without a word


@contextmanager
def _silent() -> Iterator[None]:
    """Without what Ray's own part, which is no Python, writes to standard error of each try to join."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _ray() -> Any:
    """The library, silent and telling nobody of its use."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        import ray
    except ImportError:
        raise UsageError("ray is not installed: pip install 'digest[ray]'") from None
    return ray


def _own_cluster(stack: ExitStack) -> dict[str, Any]:
    """What a cluster of this machine is begun with. It has a token of its own (which Ray reads when it is
    imported), since its processes listen on all addresses, and leaves no files."""
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=uuid4().hex)
    folder = stack.enter_context(TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
    return {
        "num_cpus": os.cpu_count(),
        "include_dashboard": False,
        "object_store_memory": _LOCAL_STORE,
        "_temp_dir": folder,
    }


def check(address: str) -> None:
    """Ask whether something that speaks Ray's protocol answers; Ray itself would try for three minutes.
    Raises as ``joined`` does."""
    if address in (LOCAL, "auto"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        raise UsageError(f"{address!r} is no address of a Ray cluster: HOST:PORT (6379), auto or {LOCAL}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_WAIT) as line:
            line.settimeout(_WAIT)
            line.sendall(_PREFACE)
            answer = line.recv(9)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise TryAgain(
            f"no Ray cluster answers at {address} ({why}): is `ray start --head` on there?"
        ) from None
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise UsageError(
            f"what answers at {address} is no Ray cluster: give the head's port, 6379 by default"
        )


def _sent(folder: Path | None) -> Folder | None:
    """A folder, the bytes of its files in Ray's store."""
    import ray

    if folder is None:
        return None
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    put = ((file.relative_to(folder).as_posix(), ray.put(file.read_bytes())) for file in files)
    return Folder(str(folder), revision(folder), tuple(put))


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


# On a worker.


def _hello(recipe: Recipe) -> tuple[int, int]:
    embedder = _embedder(recipe)
    return embedder.dimension, embedder.at_once


def _embed(recipe: Recipe, texts: list[str]) -> F32:
    return _embedder(recipe).embed(texts)


@lru_cache(maxsize=1)
def _embedder(recipe: Recipe) -> SentenceEmbedder:
    """The embedder of this worker, made with its first task. Raises ModelError with the machine's name."""
    try:
        return _made(recipe)
    except ModelError as error:
        raise ModelError(f"{socket.gethostname()}: {error}") from error


def _made(recipe: Recipe) -> SentenceEmbedder:
    if recipe.version != __version__:
        reason = f"it has digest {__version__} and not {recipe.version}"
        raise ModelError(f"{reason}: install the same version on all machines")
    how, sent = recipe.how, recipe.weights
    own = sent is None or _mark(how.model) == sent.mark
    model = how.model if own or sent is None else str(_here(sent))
    plain = load_embedder(model, how.device, how.batch_size)
    if own and plain.name != recipe.name:
        reason = f"it has the model {plain.name} and not {recipe.name}"
        raise ModelError(f"{reason}: install the same version on all machines")
    plain.name = recipe.name
    if recipe.openvino is None or plain.network.device.type != "cpu":
        return plain
    return openvino.load(plain, _here(recipe.openvino), _no_texts)


def _mark(model: str) -> str | None:
    """What marks the model on this machine; None where it is not here."""
    try:
        folder = find_model(model)
    except ModelError:
        return None
    return None if folder is None else revision(folder)


def _no_texts(_: int) -> list[str]:
    raise ModelError("it has another version of OpenVINO than the machine of the archive: install the same")


def _here(sent: Folder) -> Path:
    """The folder on this machine, fetched if it is not there; a name holds only what is whole."""
    import ray

    if Path(sent.path).is_dir() and revision(Path(sent.path)) == sent.mark:
        return Path(sent.path)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digest" / "models"
    wanted = caches / f"{Path(sent.path).name}@{sent.mark}"
    if wanted.is_dir():
        return wanted
    part = caches / f".{wanted.name}-{uuid4().hex[:8]}"
    for name, reference in sent.files:
        file = part / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(ray.get(reference))
    try:
        part.rename(wanted)
    except OSError:  # another worker of this machine was quicker
        shutil.rmtree(part)
    return wanted
