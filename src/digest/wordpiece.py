"""BERT's word pieces of an ASCII text, as `tokenizers` makes them.

To load `tokenizers` and its model costs a third of a whole search in a fresh process, and most queries are
ASCII, where there is no doubt about what a letter, a control character or punctuation is. All other texts,
and all other kinds of tokenizer, are left to the library.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec

_CONTROL = {number: None for number in (*range(0x20), 0x7F) if chr(number) not in "\t\n\r"}
_NUMBER = re.compile(rb"\s*\d+")
_WORD = re.compile(r"[a-z0-9]+|[^a-z0-9\s]")


class _Normalizer(msgspec.Struct, frozen=True):
    type: Literal["BertNormalizer"]
    clean_text: Literal[True]
    lowercase: Literal[True]


class _PreTokenizer(msgspec.Struct, frozen=True):
    type: Literal["BertPreTokenizer"]


class _Template(msgspec.Struct, frozen=True):
    type: Literal["TemplateProcessing"]
    single: list[dict[str, Any]]
    special_tokens: dict[str, Any]


class _WordPiece(msgspec.Struct, frozen=True):
    type: Literal["WordPiece"]
    unk_token: str
    continuing_subword_prefix: str
    max_input_chars_per_word: int
    vocab: msgspec.Raw


class _Added(msgspec.Struct, frozen=True):
    content: str
    normalized: Literal[False]


class _Tokenizer(msgspec.Struct, frozen=True):
    """tokenizer.json, where it is of the usual kind
    (https://huggingface.co/docs/tokenizers/api/normalizers)."""

    normalizer: _Normalizer
    pre_tokenizer: _PreTokenizer
    post_processor: _Template
    model: _WordPiece
    added_tokens: list[_Added]


class _Vocabulary:
    """The ids of pieces. The first are looked up in the JSON as it stands: to read all 30,000 takes ten
    CPU-milliseconds, and a query asks for ten."""

    def __init__(self, raw: msgspec.Raw) -> None:
        self._raw = bytes(raw)
        self._all: dict[str, int] | None = None
        self._left = 0 if rb"\u" in self._raw else 50

    def get(self, piece: str) -> int | None:
        if self._left:
            self._left -= 1
            name = msgspec.json.encode(piece) + b":"
            at = self._raw.find(name)
            found = _NUMBER.match(self._raw, at + len(name)) if at >= 0 else None
            return int(found[0]) if found else None
        if self._all is None:
            self._all = msgspec.json.decode(self._raw, type=dict[str, int])
        return self._all.get(piece)


class WordPieces:
    """The word pieces of a model; made by ``load``."""

    def __init__(self, read: _Tokenizer, before: list[int], after: list[int], limit: int) -> None:
        self._model = read.model
        self._vocabulary = _Vocabulary(read.model.vocab)
        unknown = self._vocabulary.get(read.model.unk_token)
        if unknown is None:
            raise ValueError("no word for what is unknown")
        self._unknown = unknown
        self._added = [token.content for token in read.added_tokens]
        self._before, self._after = before, after
        self._limit = limit - len(before) - len(after)

    def ids(self, text: str) -> list[int] | None:
        """The ids of a text, cut at the model's length; None for one that only the library reads."""
        if not text.isascii() or any(token in text for token in self._added):
            return None
        words = _WORD.findall(text.translate(_CONTROL).lower())
        found = [piece for word in words[: self._limit] for piece in self._pieces(word)]
        return [*self._before, *found[: self._limit], *self._after]

    def _pieces(self, word: str) -> list[int]:
        """The longest pieces from left to right, or one that says unknown
        (https://arxiv.org/abs/1609.08144)."""
        found = self._longest(word) if len(word) <= self._model.max_input_chars_per_word else None
        return [self._unknown] if found is None else found

    def _longest(self, word: str) -> list[int] | None:
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = self._model.continuing_subword_prefix if start else ""
            for end in range(len(word), start, -1):
                number = self._vocabulary.get(prefix + word[start:end])
                if number is not None:
                    break
            else:
                return None
            found.append(number)
            start = end
        return found


def load(file: Path, limit: int) -> WordPieces | None:
    """The word pieces of a tokenizer.json, at most ``limit`` a text; None for one of another kind, or one
    that cannot be read."""
    try:
        read = msgspec.json.decode(file.read_bytes(), type=_Tokenizer)
        return WordPieces(read, *_around(read.post_processor), limit)
    except (OSError, msgspec.DecodeError, KeyError, ValueError):
        return None


def _around(template: _Template) -> tuple[list[int], list[int]]:
    """The ids that stand before and after a text's own; raises KeyError, ValueError."""
    ids: list[int | None] = []
    for part in template.single:
        special = part.get("SpecialToken")
        ids += template.special_tokens[special["id"]]["ids"] if special else [None]
    at = ids.index(None)
    return [one for one in ids[:at] if one is not None], [one for one in ids[at + 1 :] if one is not None]
