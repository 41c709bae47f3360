"""OpenVINO embeds what torch embeds, as near as it says, or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from digest import openvino
from digest.embed import SentenceEmbedder, load_embedder
from digest.errors import ModelError
from models import tiny_model

pytest.importorskip("openvino")
pytest.importorskip("nncf")

WORDS = "lamp colour model forgets what it saw of a paper about light and shade in old pictures".split()


def texts(count: int) -> list[str]:
    dice = np.random.default_rng(0)
    return [" ".join(dice.choice(WORDS, size=dice.integers(1, 60))) for _ in range(count)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> SentenceEmbedder:
    folder = tiny_model(tmp_path_factory.mktemp("models") / "tiny", pooling="mean", seed=0)
    return load_embedder(str(folder), "cpu")


@pytest.fixture(autouse=True)
def _few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "default" not in request.node.name:
        for name, count in {"CALIBRATED_ON": 24, "CHECKED_ON": 24, "FEWEST": 12}.items():
            monkeypatch.setattr(openvino, name, count)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "tiny"


def worst(plain: SentenceEmbedder, other: SentenceEmbedder) -> float:
    asked = ["", "扩散模型", *texts(70)[50:]]
    return float((plain.embed(asked) * other.embed(asked)).sum(axis=1).min())


@pytest.mark.slow
def test_eight_bits_are_kept_where_all_held_back_texts_stay_near(
    plain: SentenceEmbedder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "ENOUGH", 0.5)  # a network of random weights is no easy one
    made = openvino.load(plain, folder, texts)
    assert isinstance(made, openvino.OpenVinoEmbedder)
    assert made.made.precision == "int8"
    assert (made.made.calibrated, made.made.checked) == (24, 24)
    assert 0.5 <= made.made.worst < made.made.mean < 1
    assert worst(plain, made) > made.made.worst - 0.1
    assert (made.name, made.dimension) == (plain.name, plain.dimension)
    assert made.embed([]).shape == (0, plain.dimension)
    assert {file.name for file in folder.iterdir()} == {"int8.bin", "int8.xml", "openvino.json"}

    def never(_: int) -> list[str]:
        raise AssertionError("made again")

    again = openvino.load(plain, folder, never)
    np.testing.assert_allclose(again.embed(texts(5)), made.embed(texts(5)), atol=1e-3)


@pytest.mark.slow
def test_eight_bits_that_are_too_far_give_way_to_the_network_as_it_is(
    plain: SentenceEmbedder, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openvino, "_quantised", lambda network, _: _spoilt(network))
    with caplog.at_level(logging.INFO, "digest.openvino"):
        made = openvino.load(plain, folder, texts)
    assert isinstance(made, openvino.OpenVinoEmbedder)
    assert made.made.precision == "own"
    assert worst(plain, made) >= openvino.ENOUGH
    first, second = (line.__dict__ for line in caplog.records if line.message == "openvino checked")
    assert (first["precision"], second["precision"]) == ("int8", "own")
    assert first["worst_cosine"] < openvino.ENOUGH <= second["worst_cosine"]


def _spoilt(network: object) -> object:
    """A network of another model: what a quantisation that went wrong would be."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as place:
        other = tiny_model(Path(place) / "other", pooling="cls", seed=1)
        return openvino._converted(load_embedder(str(other), "cpu"))


def test_where_nothing_is_near_enough_torch_embeds_and_says_so(
    plain: SentenceEmbedder, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openvino, "ENOUGH", 1.1)
    assert openvino.load(plain, folder, lambda _: texts(6)) is plain
    (warning,) = [
        line for line in caplog.records if (line.name, line.levelname) == ("digest.openvino", "WARNING")
    ]
    assert warning.message == "openvino is not near enough to full precision: torch embeds"


def test_a_young_archive_is_embedded_as_it_is_and_looked_at_again(
    plain: SentenceEmbedder, folder: Path
) -> None:
    for few in ([], texts(6)):
        made = openvino.load(plain, folder, lambda _, few=few: few)
        assert isinstance(made, openvino.OpenVinoEmbedder)
        assert made.made.precision == "own"
    assert not (folder / "openvino.json").exists()


@pytest.mark.parametrize("damage", ["{", '{"model": "another"}'])
def test_a_damaged_report_means_a_new_one(plain: SentenceEmbedder, folder: Path, damage: str) -> None:
    folder.mkdir(parents=True)
    (folder / "openvino.json").write_text(damage)
    assert isinstance(openvino.load(plain, folder, lambda _: []), openvino.OpenVinoEmbedder)


def test_a_model_that_wants_prompts_is_refused_in_one_line(tmp_path: Path) -> None:
    prompted = tiny_model(tmp_path / "prompted", pooling="mean", seed=0, prompt="query: ")
    with pytest.raises(ModelError, match="does not take the model"):
        openvino.load(load_embedder(str(prompted), "cpu"), tmp_path, texts)


def test_without_the_extra_one_line_says_what_to_install(
    plain: SentenceEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match="pip install 'digest\\[openvino\\]'"):
        openvino.load(plain, tmp_path, texts)


@pytest.mark.slow
def test_the_default_model_stays_near_in_eight_bits(tmp_path: Path) -> None:
    from road import papers

    own = [paper.text for paper in papers()]
    plain = load_embedder(device="cpu")
    made = openvino.load(plain, tmp_path, lambda _: own)
    assert isinstance(made, openvino.OpenVinoEmbedder)
    assert made.made.precision == "int8"
    assert made.made.worst >= openvino.ENOUGH


def test_signals_are_taken_on_the_stack_they_were(plain: SentenceEmbedder, folder: Path) -> None:
    import ctypes

    def stack() -> bytes:
        found = ctypes.create_string_buffer(24)  # a stack_t of 64-bit Linux
        assert ctypes.CDLL(None).sigaltstack(None, found) == 0
        return found.raw

    before = stack()
    made = openvino.load(plain, folder, texts)
    made.embed(texts(3))
    assert stack() == before
