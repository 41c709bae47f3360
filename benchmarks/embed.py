"""How fast are papers embedded, beside SentenceTransformer.encode?

    python benchmarks/embed.py HOME [--texts 400] [--repeat 3] [--write]

HOME is a digest home with papers. The ways take turns on the same texts, so that a busy machine slows all
of them. What counts is the CPU time of the process, all threads together; one thread each. OpenVINO is
calibrated on other texts of HOME, which counts for nothing, and left out where it is not installed. On a
GPU what counts is the time that passes, and the share of what the card gives in matrix products. With
--write the section "Embedding" of RESULTS.md is written.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import numpy.typing as npt
import results

from digest import openvino
from digest.embed import SentenceEmbedder, load_embedder
from digest.errors import ModelError
from digest.store import Store

F32 = npt.NDArray[np.float32]
GFLOP = 5.68  # for a text of 256 word pieces by all-MiniLM-L6-v2


def ways(
    plain: SentenceEmbedder, calibrating: list[str], folder: Path
) -> dict[str, Callable[[list[str]], F32]]:
    def library(texts: list[str]) -> F32:
        return np.asarray(
            plain.network.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        )

    found = {"SentenceTransformer.encode, batches of 32": library, "digest": plain.embed}
    if plain.network.device.type == "cpu":
        try:
            made = openvino.load(plain, folder, lambda _: calibrating)
            found[f"digest[openvino], {_precision(made)}"] = made.embed
        except ModelError as error:
            print(f"left out: {error}")
    return found


def _precision(made: SentenceEmbedder) -> str:
    if not isinstance(made, openvino.OpenVinoEmbedder):
        return "refused"
    said = made.made
    return f"{said.precision}, held back {said.checked}: cosine {said.worst:.4f} at least"


def matmul_rate(device: str) -> float:
    """TFLOP/s of half-precision products of 8192 x 8192 on a card."""
    import torch

    one = torch.randn(8192, 8192, dtype=torch.bfloat16, device=device)
    for _ in range(3):
        one @ one
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(20):
        one @ one
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - began) / 1e12


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("home", type=Path)
    options.add_argument("--texts", type=int, default=400)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--device", default="cpu")
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--write", action="store_true", help="write RESULTS.md")
    given = options.parse_args()
    with results.section("Embedding", write=given.write):
        compare(given)


def compare(given: argparse.Namespace) -> None:
    with Store.open(f"sqlite:///{given.home}/digest.sqlite3") as store:
        held = openvino.CALIBRATED_ON + openvino.CHECKED_ON
        drawn = store.some_texts(given.texts + held)
    dice = np.random.default_rng(0)
    drawn = [drawn[place] for place in dice.permutation(len(drawn))]
    texts, calibrating = drawn[: given.texts], drawn[given.texts :]
    plain = load_embedder(device=given.device, batch_size=given.batch_size)
    on_card = plain.network.device.type == "cuda"
    if not on_card:
        import torch

        torch.set_num_threads(1)
    clock = time.perf_counter if on_card else time.process_time
    with TemporaryDirectory() as folder:
        named = ways(plain, calibrating, Path(folder))
        times: dict[str, list[float]] = {way: [] for way in named}
        rows: dict[str, F32] = {}
        for turn in range(given.repeat + 1):
            for way, embed in named.items():
                began = clock()
                rows[way] = embed(texts)
                if turn:  # the first warms up
                    times[way].append(clock() - began)
    rates = {way: median(len(texts) / seconds for seconds in spent) for way, spent in times.items()}
    first = next(iter(rates))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {len(texts)} texts, medians of {given.repeat}, {given.device}\n")
    unit = "second" if on_card else "CPU-second"
    print(f"| way | texts per {unit} | times | cosine to the first: mean, least |\n|---|---|---|---|")
    for way, rate in rates.items():
        cosines = (rows[way] * rows[first]).sum(axis=1)
        print(
            f"| {way} | {rate:.1f} | {rate / rates[first]:.2f} | {cosines.mean():.4f}, {cosines.min():.4f} |"
        )
    if on_card:
        peak = matmul_rate(given.device)
        share = rates["digest"] * GFLOP / 1000 / peak
        print(f"\nthe card's products: {peak:.0f} TFLOP/s; digest, were all texts full: {share:.0%}")
    print(f"\nload {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
