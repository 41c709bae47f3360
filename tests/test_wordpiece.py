"""Word pieces of an ASCII text are those of `tokenizers`; of any other nothing is said."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from digest import wordpiece
from digest.embed import DEFAULT_MODEL, find_model

LIMIT = 24
WORDS = (
    "Unlearning pneumonoultramicroscopic dog's state-of-the-art don't C++ 3.14 RL[HF] \u007fy\t\n\x0b\x1c a_b"
)


@pytest.fixture(scope="module")
def file() -> Path:
    return (find_model(DEFAULT_MODEL) or pytest.fail("no model")) / "tokenizer.json"


@pytest.fixture(scope="module")
def pieces(file: Path) -> wordpiece.WordPieces:
    return wordpiece.load(file, LIMIT) or pytest.fail("of another kind")


@pytest.fixture(scope="module")
def library(file: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LIMIT)
    return tokenizer


@settings(deadline=None)  # the first text past fifty pieces reads the vocabulary
@example(WORDS)
@example("".join(map(chr, range(128))))
@example(f"{'a' * 100} {'a' * 101} {'z' * 99}q {'#' * 50}")
@given(st.text(st.characters(codec="ascii")) | st.lists(st.text(string.ascii_letters)).map(" ".join))
def test_ascii_is_split_as_the_library_splits_it(
    pieces: wordpiece.WordPieces, library: Tokenizer, text: str
) -> None:
    assert pieces.ids(text) == library.encode(text).ids


@pytest.mark.parametrize("text", ["naïve", "как", "扩散模型", "😀", "a [MASK] b", "[CLS]", "a\u00a0b"])
def test_other_texts_and_the_model_s_own_marks_are_left_to_the_library(
    pieces: wordpiece.WordPieces, text: str
) -> None:
    assert pieces.ids(text) is None


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("normalizer", {"type": "BertNormalizer", "clean_text": True, "lowercase": False}),
        ("normalizer", None), ("pre_tokenizer", {"type": "Whitespace"}),
        ("model", {"type": "BPE", "vocab": {}, "merges": []}), ("post_processor", None),
        ("added_tokens", [{"id": 1, "content": "a", "normalized": True}]),
        ("post_processor", {"type": "TemplateProcessing", "single": [], "special_tokens": {}}),
    ],
)  # fmt: skip
def test_another_kind_of_tokenizer_is_left_to_the_library(
    file: Path, tmp_path: Path, part: str, value: object
) -> None:
    changed = tmp_path / "tokenizer.json"
    changed.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {part: value}))
    assert wordpiece.load(changed, LIMIT) is None


def test_a_damaged_or_missing_file_is_left_to_the_library(tmp_path: Path) -> None:
    (tmp_path / "cut").write_text('{"normalizer": {"type": "Bert')
    assert wordpiece.load(tmp_path / "cut", LIMIT) is None
    assert wordpiece.load(tmp_path / "none", LIMIT) is None
