"""A sentence encoder in numpy, for queries: BERT with mean or CLS pooling, straight from its safetensors.

Importing sentence-transformers costs seconds of CPU, a typed query deserves milliseconds. The
weights are memory-mapped, so only the rows of the words in the query are read from the embedding
table. The vectors are those of sentence-transformers within 1e-5, so a query may be held against
papers that the full model embedded. For texts by the thousand use ``digest.embed``: it is faster.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, lru_cache, partial
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from digest import wordpiece
from digest.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

F32 = npt.NDArray[np.float32]
T = TypeVar("T")

ROWS = 32  # of a weight matrix, multiplied at a time,
COLUMNS = 16  # by at most so many word pieces
_FOREVER = 10**9  # tokenizers without a limit of their own say 1e30


class _Module(msgspec.Struct, frozen=True):
    """One line of modules.json."""

    type: str
    path: str


class _Pooling(msgspec.Struct, frozen=True):
    """1_Pooling/config.json, in the form of sentence-transformers 6 and in the older one."""

    pooling_mode: Any = None
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False
    pooling_mode_lasttoken: bool = False


class _Sentence(msgspec.Struct, frozen=True):
    """sentence_bert_config.json, and what matters here of tokenizer_config.json."""

    max_seq_length: int | None = None
    model_max_length: float | None = None
    do_lower_case: bool = False


class _Prompts(msgspec.Struct, frozen=True):
    """config_sentence_transformers.json: the words that a model wants before each text."""

    default_prompt_name: str | None = None


class _Config(msgspec.Struct, frozen=True):
    """config.json of a BERT."""

    model_type: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    position_embedding_type: str = "absolute"


class _Tensor(msgspec.Struct, frozen=True):
    """One tensor in the header of a safetensors file (https://huggingface.co/docs/safetensors)."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class _Linear(NamedTuple):
    """In blocks of few rows: OpenBLAS multiplies these as they lie, and copies a large matrix first, which
    takes a third longer for a query's few columns (of 16, 32, 64, 96 and 128 rows 32 were quickest)."""

    weight: F32  # [out / rows, rows, in]
    bias: F32  # [out, 1]

    def __call__(self, x: F32) -> F32:
        few = x.shape[1] <= COLUMNS
        out: F32 = ((self.weight if few else self.weight.reshape(-1, len(x))) @ x).reshape(-1, x.shape[1])
        out += self.bias
        return out


class _Norm(NamedTuple):
    weight: F32  # [hidden, 1]
    bias: F32
    eps: float

    def __call__(self, x: F32) -> F32:
        x = x - x.mean(axis=0)
        variance = np.square(x).mean(axis=0)
        x *= self.weight / np.sqrt(variance + np.float32(self.eps))
        x += self.bias
        return x


class _Layer(NamedTuple):
    """One transformer layer, normalised after each half (https://arxiv.org/abs/1810.04805). A word piece is
    a column: a query has few, and BLAS multiplies a wide matrix by few columns in two thirds of the time that
    it takes for few rows."""

    heads: int
    query: _Linear
    key: _Linear
    value: _Linear
    attended: _Linear
    attended_norm: _Norm
    widen: _Linear
    narrow: _Linear
    narrow_norm: _Norm

    def __call__(self, x: F32) -> F32:
        x = self.attended_norm(x + self.attended(self.attend(x)))
        return self.narrow_norm(x + self.narrow(gelu(self.widen(x))))

    def attend(self, x: F32) -> F32:
        """Self-attention of all heads; [hidden, n] to [hidden, n]."""
        hidden, n = x.shape
        query, key, value = (
            linear(x).reshape(self.heads, -1, n) for linear in (self.query, self.key, self.value)
        )
        scores = key.swapaxes(1, 2) @ query  # [heads, n keys, n queries]
        scores /= np.float32(np.sqrt(hidden // self.heads))
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        out: F32 = (value @ shares).reshape(hidden, n)
        return out


def gelu(x: F32) -> F32:
    """x times the normal distribution function of x, written as max(x, 0) - |x|/2 erfc(|x|/sqrt 2).

    erfc by Abramowitz and Stegun 7.1.26 (error below 1.5e-7); in this form the error shrinks with
    the tail instead of being drowned in it.
    """
    size = np.abs(x)
    t = size * np.float32(0.3275911 * 0.5**0.5)
    t += 1
    np.reciprocal(t, out=t)
    series = t * np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += np.float32(factor)
        series *= t
    np.square(x, out=t)
    t *= np.float32(-0.5)
    series *= np.exp(t, out=t)
    size *= series
    size *= np.float32(0.5)
    value: F32 = np.maximum(x, 0)
    value -= size
    return value


class QueryEncoder:
    """Embeds a query without torch; an Embedder like the full one, and of the same name.

    Made by ``load``; holds the memory map of the weights.
    """

    def __init__(self, name: str, model: _Bert, ids: Callable[[str], list[int]]) -> None:
        self.name = name
        self.dimension = model.dimension
        self._model = model
        self._ids = ids
        self._one_thread = _one_thread()

    @classmethod
    def load(cls, folder: Path, name: str | None = None) -> QueryEncoder:
        """The encoder of a folder in the layout of sentence-transformers.

        Raises ModelError if the folder lacks a file, is damaged, or holds a model of another kind
        (then use ``digest.embed.load_embedder``).
        """
        config = _config(folder)
        try:
            weights = _read_weights(folder / "model.safetensors")
            model = _Bert(config, weights, cls_pooling=_pools_cls(folder))
        except (KeyError, ValueError, OSError) as error:
            raise ModelError(f"{folder}/model.safetensors is not a BERT-type model's: {error}") from error
        return cls(name or f"{folder.resolve().name}@{revision(folder)}", model, _word_pieces(folder, config))

    def embed_query(self, text: str) -> F32:
        """float32[dimension], normalised."""
        ids = np.asarray(self._ids(encodable(text)))
        with self._one_thread():
            vector = self._model(ids)
        return vector / max(np.linalg.norm(vector), np.float32(1e-12))

    def embed(self, texts: Sequence[str]) -> F32:
        """float32[n, dimension], one after the other."""
        rows = np.empty((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = self.embed_query(text)
        return rows


def _one_thread() -> Callable[[], AbstractContextManager[Any]]:
    """What limits BLAS to one thread: on a busy machine more wait for each other, 8 times the CPU time.
    Where the environment says so already, nothing is to be done, and 10 CPU-milliseconds are saved."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return nullcontext
    from threadpoolctl import ThreadpoolController

    return partial(ThreadpoolController().limit, limits=1, user_api="blas")


class _Bert:
    """The network: ids[n] to one vector, mean or CLS pooled and not yet normalised."""

    def __init__(self, config: _Config, weights: dict[str, F32], *, cls_pooling: bool) -> None:
        self.dimension = config.hidden_size
        self._cls = cls_pooling
        self._words = weights["embeddings.word_embeddings.weight"]
        positions = weights["embeddings.position_embeddings.weight"]
        self._places = positions + weights["embeddings.token_type_embeddings.weight"][0]
        self._norm = _norm(weights, "embeddings.LayerNorm", config)
        self._layers = [_layer(weights, number, config) for number in range(config.num_hidden_layers)]

    def __call__(self, ids: npt.NDArray[np.int64]) -> F32:
        x = self._norm(np.ascontiguousarray((self._words[ids] + self._places[: len(ids)]).T))
        for layer in self._layers:
            x = layer(x)
        pooled: F32 = x[:, 0] if self._cls else x.mean(axis=1)
        return pooled


def encodable(text: str) -> str:
    """The text with lone surrogates, which no tokenizer takes, turned into question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def revision(folder: Path) -> str:
    """Eight hexadecimal digits that mark what a model's folder holds: the commit of a folder in
    Hugging Face's cache, else a hash over samples of every configuration and weight file."""
    return folder.name[:8] if folder.parent.name == "snapshots" else _fingerprint(folder)


@lru_cache(maxsize=8)
def _fingerprint(folder: Path) -> str:
    """Takes about 64 pages of each file: to read 90 MB would cost more than to embed a query, and
    training changes every page of the weights."""
    digest = hashlib.sha256()
    for file in sorted(_model_files(folder)):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder).as_posix()} {size}\n".encode())
        with file.open("rb") as stream:
            for start in range(0, size, max(4096, size // 64)):
                stream.seek(start)
                digest.update(stream.read(4096))
    return digest.hexdigest()[:8]


def _model_files(folder: Path) -> Iterator[Path]:
    """Configuration, tokenizer and weights of all modules; nothing that tools leave beside them."""
    paths = {"", *(module.path for module in _modules(folder))}
    for path in paths:
        for pattern in ("*config*.json", "tokenizer.json", "modules.json", "*.safetensors", "*.bin"):
            yield from (folder / path).glob(pattern)


def _config(folder: Path) -> _Config:
    """config.json of a model that this module computes exactly; ModelError for any other."""
    config = _read_json(folder / "config.json", _Config)
    sentence = _read_json(folder / "sentence_bert_config.json", _Sentence, _Sentence())
    prompts = _read_json(folder / "config_sentence_transformers.json", _Prompts, _Prompts())
    kinds = [module.type.rsplit(".", 1)[-1] for module in _modules(folder)]
    plain = (
        (config.model_type, config.hidden_act, config.position_embedding_type) == ("bert", "gelu", "absolute")
        and kinds in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
        and not sentence.do_lower_case
        and prompts.default_prompt_name is None
    )
    if not plain:
        raise ModelError(f"{folder} is not a BERT-type model with plain pooling; use the full embedder")
    return config


def _pools_cls(folder: Path) -> bool:
    """Whether the first token's vector stands for the text; False for the mean of all."""
    path = next(module.path for module in _modules(folder) if module.type.endswith("Pooling"))
    pooling = _read_json(folder / path / "config.json", _Pooling)
    modes = [pooling.pooling_mode] if pooling.pooling_mode else _old_modes(pooling)
    if modes not in (["cls"], ["mean"]):
        raise ModelError(f"{folder} is not a BERT-type model with mean or CLS pooling; use the full embedder")
    return modes == ["cls"]


def _old_modes(pooling: _Pooling) -> list[str]:
    flags = [name for name in pooling.__struct_fields__[1:] if getattr(pooling, name)]
    return [
        name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") for name in flags
    ]


def _word_pieces(folder: Path, config: _Config) -> Callable[[str], list[int]]:
    """What splits texts, cut at the model's own length: tokenizer.json may say another, and pad."""
    sentence = _read_json(folder / "sentence_bert_config.json", _Sentence, _Sentence())
    words = _read_json(folder / "tokenizer_config.json", _Sentence, _Sentence())
    limit = sentence.max_seq_length or words.model_max_length or _FOREVER
    limit = int(min(limit, config.max_position_embeddings))
    file = folder / "tokenizer.json"
    plain = wordpiece.load(file, limit)
    if plain is None:
        tokenizer = _tokenizer(file, limit)
        return lambda text: tokenizer.encode(text).ids
    full = cache(partial(_tokenizer, file, limit))

    def ids(text: str) -> list[int]:
        found = plain.ids(text)
        return full().encode(text).ids if found is None else found

    return ids


def _tokenizer(file: Path, limit: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(os.fspath(file))
    except Exception as error:  # the bindings raise plain Exception
        raise ModelError(f"{file} cannot be read: {error}; install the model again") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return tokenizer


def _modules(folder: Path) -> list[_Module]:
    return _read_json(folder / "modules.json", list[_Module], [])


def _read_json(file: Path, kind: type[T], default: T | None = None) -> T:
    """A JSON file as a type; ``default`` stands for a missing one. Raises ModelError."""
    if default is not None and not file.exists():
        return default
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"{file} is not a BERT-type model's: {error}") from error


def _read_weights(file: Path) -> dict[str, F32]:
    """All float tensors of a safetensors file as views of its memory map, by name without "bert."."""
    data = np.asarray(np.memmap(file, np.uint8, mode="r"))
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header: dict[str, Any] = msgspec.json.decode(data[8:start].tobytes())
    header.pop("__metadata__", None)
    tensors = msgspec.convert(header, dict[str, _Tensor])
    return {
        name.removeprefix("bert."): _view(data[start:], tensor)
        for name, tensor in tensors.items()
        if tensor.dtype in ("F32", "F16")
    }


def _view(data: npt.NDArray[np.uint8], tensor: _Tensor) -> F32:
    """float32 without a copy, float16 widened. Raises ValueError where the file is too short."""
    first, last = tensor.data_offsets
    stored = np.dtype("<f4") if tensor.dtype == "F32" else np.dtype("<f2")
    return data[first:last].view(stored).reshape(tensor.shape).astype(np.float32, copy=False)


def _layer(weights: dict[str, F32], number: int, config: _Config) -> _Layer:
    def linear(name: str) -> _Linear:
        weight, bias = weights[f"{at}.{name}.weight"], weights[f"{at}.{name}.bias"]
        return _Linear(weight.reshape(-1, gcd(len(weight), ROWS), weight.shape[1]), bias[:, None])

    at = f"encoder.layer.{number}"
    return _Layer(
        heads=config.num_attention_heads,
        query=linear("attention.self.query"),
        key=linear("attention.self.key"),
        value=linear("attention.self.value"),
        attended=linear("attention.output.dense"),
        attended_norm=_norm(weights, f"{at}.attention.output.LayerNorm", config),
        widen=linear("intermediate.dense"),
        narrow=linear("output.dense"),
        narrow_norm=_norm(weights, f"{at}.output.LayerNorm", config),
    )


def _norm(weights: dict[str, F32], name: str, config: _Config) -> _Norm:
    weight, bias = (weights[f"{name}.{part}"][:, None] for part in ("weight", "bias"))
    return _Norm(weight, bias, config.layer_norm_eps)
