"""The light query encoder gives the vectors of sentence-transformers, and says so when it cannot."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.embed import DEFAULT_MODEL, SentenceEmbedder, find_model, load_embedder, load_query_encoder
from digest.encoder import QueryEncoder, gelu
from digest.errors import ModelError
from models import tiny_model

WORDS = {
    "en": ["machine", "unlearning", "forgets", "diffusion", "models", "the", "of", "explainable", "saliency"],
    "ru": ["машинное", "разобучение", "объяснимый", "ИИ", "диффузионные", "модели", "и", "не", "Ёлка"],
    "zh": ["机器遗忘", "扩散模型", "可解释", "人工智能", "梯度", "的"],
    "odd": [
        "🙂",
        "👩‍🔬",
        "\0",
        "\u200b",
        "\t\n",
        "$\\alpha$",
        "naïve",
        "İ",
        "ß",
        "x" * 120,
        "[MASK]",
        "##ing",
        "'s",
    ],
}
SPECIAL = ["", " ", "\0", "🙂", "машинное разобучение", "机器遗忘", "[CLS] [SEP]", "diffusion " * 300]


@pytest.fixture(scope="module")
def folder() -> Path:
    found = find_model(DEFAULT_MODEL)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def light(folder: Path) -> QueryEncoder:
    return QueryEncoder.load(folder)


@pytest.fixture(scope="module")
def library(folder: Path) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    return SentenceTransformer(str(folder), device="cpu")


def texts(count: int, longest: int) -> list[str]:
    """Texts of up to ``longest`` words in a mixture of languages, the special ones first."""
    dice = random.Random(7)
    made = list(SPECIAL)
    while len(made) < count:
        pool = [word for name in dice.sample(list(WORDS), dice.randint(1, 3)) for word in WORDS[name]]
        made.append(" ".join(dice.choices(pool, k=dice.randint(1, longest))))
    return made


def test_vectors_are_those_of_sentence_transformers(light: QueryEncoder, library: Any) -> None:
    sample = texts(60, longest=12)
    np.testing.assert_allclose(light.embed(sample), library.encode(sample), atol=1e-5)


@pytest.mark.slow
def test_a_thousand_vectors_are_those_of_sentence_transformers(light: QueryEncoder, library: Any) -> None:
    sample = texts(1000, longest=300)
    difference = np.abs(light.embed(sample) - library.encode(sample)).max()
    print(f"largest difference of a component: {difference:.1e}")
    assert difference < 1e-5


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("half", [False, True])
def test_other_berts_with_mean_or_cls_pooling_are_computed_too(
    tmp_path: Path, pooling: str, half: bool
) -> None:
    folder = tiny_model(tmp_path / "tiny", pooling=pooling, seed=3, half=half)
    reference = load_embedder(str(folder), "cpu")
    assert isinstance(reference, SentenceEmbedder)
    reference.network.float()
    light = QueryEncoder.load(folder)
    assert light.dimension == 32
    np.testing.assert_allclose(light.embed(SPECIAL), reference.embed(SPECIAL), atol=1e-5)


def test_a_query_is_one_row_of_float32_of_length_one(light: QueryEncoder) -> None:
    vector = light.embed_query("machine unlearning")
    assert vector.shape == (light.dimension,) == (384,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(light.embed(["machine unlearning"])[0], vector)
    assert light.embed([]).shape == (0, 384)


def test_a_lone_surrogate_is_read_as_a_question_mark(light: QueryEncoder) -> None:
    np.testing.assert_array_equal(light.embed_query("cut \udc00 here"), light.embed_query("cut ? here"))


def test_256_word_pieces_are_read_though_the_tokenizer_file_says_128(light: QueryEncoder) -> None:
    words = random.Random(2).choices(["model", "data", "graph", "loss", "image", "proof"], k=400)
    whole, seen, half = light.embed([" ".join(words[:n]) for n in (400, 254, 126)])
    np.testing.assert_array_equal(whole, seen)
    assert whole @ half < 1 - 1e-3


@given(st.floats(-30, 30, width=32))
def test_gelu_is_exact_to_single_precision(x: float) -> None:
    exact = 0.5 * x * math.erfc(-x / math.sqrt(2))
    assert gelu(np.array([x], np.float32))[0] == pytest.approx(exact, abs=5e-7, rel=3e-7)


def test_neither_torch_nor_sql_is_loaded_for_a_query() -> None:
    """In a fresh process, through the door that the program uses."""
    code = """
import sys
from digest.embed import load_query_encoder
load_query_encoder().embed(["machine unlearning"])
heavy = {"torch", "sentence_transformers", "transformers", "sqlalchemy", "scipy", "huggingface_hub"}
print(sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_path()
    )
    assert run.stdout == "[]\n"


def _path() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "PATH": "/usr/bin"}


# what the light encoder leaves to the full one


def change(name: str, **fields: Any) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        file = folder / name
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))

    return act


def add_module(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 3, "name": "3", "path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules, dense]))


def cut(name: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        file = folder / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return act


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny", pooling="mean", seed=0)


@pytest.mark.parametrize(
    "damage",
    [
        change("config.json", model_type="roberta"),
        change("config.json", hidden_act="gelu_new"),
        change("config.json", position_embedding_type="relative_key"),
        change("config.json", num_hidden_layers=3),
        change("sentence_bert_config.json", do_lower_case=True),
        change("config_sentence_transformers.json", default_prompt_name="query"),
        change("1_Pooling/config.json", pooling_mode="max"),
        change("1_Pooling/config.json", pooling_mode=["mean", "cls"]),
        change("1_Pooling/config.json", pooling_mode=None, pooling_mode_lasttoken=True),
        add_module,
        cut("model.safetensors"),
        cut("tokenizer.json"),
        cut("config.json"),
        cut("modules.json"),
        remove("model.safetensors"),
        remove("tokenizer.json"),
        remove("config.json"),
        remove("modules.json"),
        remove("1_Pooling/config.json"),
    ],
)
def test_any_other_model_is_refused_in_one_line(
    tiny: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "other")
    damage(folder)
    with pytest.raises(ModelError) as caught:
        QueryEncoder.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_light_encoder_refuses_the_full_one_embeds(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "tiny", pooling="mean", seed=0, act="gelu_new")
    with pytest.raises(ModelError):
        QueryEncoder.load(folder)
    assert isinstance(load_query_encoder(str(folder), "cpu"), SentenceEmbedder)
