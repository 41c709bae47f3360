"""The embedding model on a CPU by OpenVINO, in 8 bits where the archive's own texts allow it.

The network of sentence-transformers is converted, quantised after training on some of the archive's texts
(NNCF: https://docs.openvino.ai/2025/openvino-workflow/model-optimization.html) and compared with full
precision on others that it has not seen. It is kept only if every one of them has a cosine of ``ENOUGH``
or more, else the network stays as it is, in the processor's own precision (bfloat16 where it has that).
What was made is stored beside the archive, with the figures, and made once.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
import numpy as np

from digest.embed import F32, I64, SentenceEmbedder
from digest.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ENOUGH = 0.99
CALIBRATED_ON = 256
CHECKED_ON = 256
FEWEST = 64  # texts to calibrate on; with fewer the network stays as it is
_REPORT = "openvino.json"

logger = logging.getLogger(__name__)

Precision = Literal["int8", "own"]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """openvino.json: what the stored network is, and how near it is to full precision."""

    model: str
    version: str
    precision: Precision
    worst: float
    mean: float
    calibrated: int
    checked: int


class OpenVinoEmbedder(SentenceEmbedder):
    """As its parent, of the same name and within ``ENOUGH`` of the same vectors; made by ``load``."""

    def __init__(self, name: str, network: SentenceTransformer, compiled: Any, made: Made) -> None:
        super().__init__(name, network)
        self.made = made
        self.folder: Path | None = None
        """Where the network is kept, for other machines too; None where it is to be made anew."""
        self._compiled = compiled

    def _run(self, batches: Sequence[tuple[I64, I64]]) -> Iterator[F32]:
        """As many batches at a time as the processor takes. No callbacks: one that waits for the
        interpreter's lock while its queue is taken down stops the process for good."""
        count = min(len(batches), self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        requests = [self._compiled.create_infer_request() for _ in range(count)]
        for place, (words, mask) in enumerate(batches):
            if place >= count:
                yield _answer(requests[place % count])
            requests[place % count].start_async({"input_ids": words, "attention_mask": mask})
        for place in range(len(batches) - count, len(batches)):
            yield _answer(requests[place % count])


def _answer(request: Any) -> F32:
    request.wait()
    return np.array(request.get_output_tensor().data, np.float32)


def load(plain: SentenceEmbedder, folder: Path, texts: Callable[[int], list[str]]) -> SentenceEmbedder:
    """The model by OpenVINO: the one stored in ``folder``, else made and checked on texts of the archive,
    of which ``texts(n)`` gives up to n, spread over it.

    Gives ``plain`` back, with a warning, where even unquantised it is not near enough. Raises ModelError
    where OpenVINO is not installed or does not take the model.
    """
    try:
        import openvino
    except ImportError:
        reason = "pip install 'digest[openvino]', or set embed.backend"
        raise ModelError(f"openvino is not installed: {reason}") from None
    if not plain.reads_itself:
        raise ModelError(
            f"openvino does not take the model {plain.name} (it wants prompts): set embed.backend"
        )
    made = _read(folder, plain.name, openvino.__version__)
    if made is None:
        made = _make(plain, folder, texts(CALIBRATED_ON + CHECKED_ON))
    if made.worst < ENOUGH:
        logger.warning("openvino is not near enough to full precision: torch embeds", extra=_figures(made))
        return plain
    embedder = _embedder(plain, _compiled(str(folder / f"{made.precision}.xml")), made)
    embedder.folder = folder if (folder / _REPORT).exists() else None
    return embedder


def _read(folder: Path, model: str, version: str) -> Made | None:
    try:
        made = msgspec.json.decode((folder / _REPORT).read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return None
    fits = (made.model, made.version) == (model, version) and (folder / f"{made.precision}.bin").exists()
    return made if fits else None


def _make(plain: SentenceEmbedder, folder: Path, texts: list[str]) -> Made:
    """Convert, quantise, check and store; the report comes last."""
    import openvino

    folder.mkdir(parents=True, exist_ok=True)
    (folder / _REPORT).unlink(missing_ok=True)
    calibrating, checking = texts[::2], texts[1::2]
    own = _converted(plain)
    kinds: list[tuple[Precision, Any]] = [("own", own)]
    if len(calibrating) >= FEWEST:
        kinds.insert(0, ("int8", _quantised(own, _batches(plain, calibrating))))
    for precision, network in kinds:
        made = _checked(plain, network, precision, checking, len(calibrating))
        logger.info("openvino checked", extra=_figures(made))
        if made.worst >= ENOUGH:
            break
    openvino.save_model(network, folder / f"{precision}.xml", compress_to_fp16=False)
    if len(calibrating) >= FEWEST:  # a young archive is looked at again
        (folder / _REPORT).write_bytes(msgspec.json.encode(made))
    return made


def _checked(
    plain: SentenceEmbedder, network: Any, precision: Precision, texts: list[str], calibrated: int
) -> Made:
    """How near a network is to full precision on texts that it was not calibrated on."""
    import openvino

    made = Made(
        model=plain.name,
        version=openvino.__version__,
        precision=precision,
        worst=1,
        mean=1,
        calibrated=calibrated if precision == "int8" else 0,
        checked=len(texts),
    )
    if not texts:
        return made
    cosines = (plain.embed(texts) * _embedder(plain, _compiled(network), made).embed(texts)).sum(axis=1)
    return msgspec.structs.replace(made, worst=float(cosines.min()), mean=float(cosines.mean()))


def _figures(made: Made) -> dict[str, object]:
    return {
        "precision": made.precision,
        "worst_cosine": round(made.worst, 4),
        "mean_cosine": round(made.mean, 4),
        "texts": made.checked,
    }


def _embedder(plain: SentenceEmbedder, compiled: Any, made: Made) -> OpenVinoEmbedder:
    return OpenVinoEmbedder(plain.name, plain.network, compiled, made)


def _batches(plain: SentenceEmbedder, texts: list[str]) -> list[dict[str, I64]]:
    _, given = plain.batches(cast("list[I64]", plain.prepare(texts)))
    return [{"input_ids": words, "attention_mask": mask} for words, mask in given]


def _converted(plain: SentenceEmbedder) -> Any:
    """The network from word pieces to normalised vectors as OpenVINO's own."""
    import openvino
    import torch

    class Normalised(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = plain.network

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            output = self.network({"input_ids": input_ids, "attention_mask": attention_mask})
            return torch.nn.functional.normalize(output["sentence_embedding"], dim=1)

    like = torch.ones(2, 7, dtype=torch.long)
    try:
        with _quiet():
            example = {"input_ids": like, "attention_mask": like}
            return openvino.convert_model(Normalised().eval(), example_input=example)
    except Exception as error:  # OpenVINO raises whatever it likes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"openvino does not take the model {plain.name} ({reason}): set embed.backend"
        ) from error


def _quantised(network: Any, batches: list[dict[str, I64]]) -> Any:
    with _quiet():
        import nncf

        return nncf.quantize(
            network,
            nncf.Dataset(batches),
            subset_size=len(batches),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and warnings of what is not ours."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        yield


def _compiled(network: Any) -> Any:
    import openvino

    with _own_signal_stack():
        return openvino.Core().compile_model(network, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})


@contextmanager
def _own_signal_stack() -> Iterator[None]:
    """Keep the stack that this thread takes signals on. OpenVINO gives it another (sigaltstack(2)); after
    several models had come and gone in a process, the next signal was a segmentation fault."""
    import ctypes
    import os

    if os.name != "posix":
        yield
        return
    before = ctypes.create_string_buffer(64)  # a stack_t: 24 bytes
    libc = ctypes.CDLL(None)
    libc.sigaltstack(None, before)
    try:
        yield
    finally:
        libc.sigaltstack(before, None)
