"""Whether a text that a program wrote says no more than the text it was given.

What can be checked without understanding is checked: numbers, names, identifiers, links. A text that
holds one which is not in its source is refused. The words between them are the reader's to judge, which
is why the original is kept beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from digest.text import readable
from digest.types import Language

LONGEST = 3.0
"""A text may be so many times as long as its source, in letters; Chinese needs a third of that."""
SHORTEST = 0.1

_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|org|io|net|ai|co|cn|ru)\b(?:/\S*)?", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_./+][A-Za-z0-9]+)*")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|\]\(|^\s*(?:#|```)|\*\*", re.MULTILINE)
_CHAT = re.compile(
    r"\b(?:as an ai|i cannot|i can't|i'm sorry|here is|here's|sure[,!]|translation:|note:|summary:)"
    r"|как (?:языковая модель|ии)\b|вот перевод|перевод:|作为(?:一个)?(?:ai|人工智能)|翻译如下|翻译：|以下是",
    re.IGNORECASE,
)
_WORDS = {
    "en": dict(
        zip(
            ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"],
            (*range(1, 11), 12),
            strict=True,
        )
    ),
}


def problem(text: str, source: str, language: Language) -> str | None:
    """Why a text cannot stand for its source, in a few words; None where nothing speaks against it."""
    if not text.strip():
        return "it is empty"
    if _TAG.search(text):
        return "it holds mark-up"
    if _CHAT.search(text) and not _CHAT.search(source):
        return "it speaks of itself"
    shown = readable(source)
    if wrong := _shape(text, shown, language):
        return wrong
    for kind, found, known in (
        ("link", _links(text), _links(source) | _links(shown)),
        ("number", _numbers(text), _numbers(source) | _numbers(shown) | _spelled(source)),
        ("name", _names(text, language), _all_names(source) | _all_names(shown)),
    ):
        if new := sorted(found - known):
            return f"the {kind} {new[0]} is not in the source"
    return None


def _shape(text: str, source: str, language: Language) -> str | None:
    """Another language than was asked for, or a length that no faithful text has."""
    letters = max(1, sum(letter.isalpha() for letter in text))
    if language == "zh" and len(_HAN.findall(text)) < 0.2 * letters:
        return "it is not Chinese"
    if language == "ru" and len(_CYRILLIC.findall(text)) < 0.3 * letters:
        return "it is not Russian"
    if language == "en" and len(_HAN.findall(text)) + len(_CYRILLIC.findall(text)) > 0.1 * letters:
        return "it is not English"
    if len(text) > LONGEST * len(source) + 40:
        return "it is much longer than its source"
    return "it is much shorter than its source" if len(text) < SHORTEST * len(source) else None


def _links(text: str) -> set[str]:
    return {
        found.rstrip(".,;:)]}>»”。，").lower().removeprefix("https://").removeprefix("http://").rstrip("/")
        for found in _LINK.findall(text)
    }


def _numbers(text: str) -> set[str]:
    """Numbers as they are meant: ``1,000`` is ``1000``, ``98,5`` is ``98.5``, ``٣`` is 3."""
    plain = unicodedata.normalize("NFKC", text)
    plain = re.sub(r"(?<=\d)[\u00a0\u202f ](?=\d{3}\b)", "", plain)
    return {_number(found) for found in _NUMBER.findall(plain)}


def _number(text: str) -> str:
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    text = text.replace(",", ".")
    return text.rstrip("0").rstrip(".") if text.count(".") == 1 else text


def _spelled(source: str) -> set[str]:
    """Numbers that a source spells out, which a translation may write in figures."""
    words = set(re.findall(r"[a-z]+", source.lower()))
    return {str(value) for word, value in _WORDS["en"].items() if word in words}


def _names(text: str, language: Language) -> set[str]:
    """What must come from the source: in another script, every Latin word; in English, names and acronyms
    that do not only begin a sentence."""
    found = _NAME.findall(_LINK.sub(" ", text))
    if language != "en":
        return {_fold(word) for word in found if len(word) > 1}
    return set(_english_names(_LINK.sub(" ", text)))


def _english_names(text: str) -> Iterator[str]:
    for found in _NAME.finditer(text):
        word = found[0]
        inner = any(letter.isupper() for letter in word[1:]) or any(letter.isdigit() for letter in word)
        begins = not re.search(r"[\w,;:)'’”-]\s*\Z", text[: found.start()])
        if inner or (word[0].isupper() and not begins and len(word) > 1):
            yield _fold(word)


def _all_names(source: str) -> set[str]:
    """All words of a source, and their pieces: ``GPT-4`` may come back as ``GPT``."""
    whole = _NAME.findall(source)
    return {_fold(piece) for word in whole for piece in (word, *re.split(r"[-_./+]", word)) if piece}


def _fold(word: str) -> str:
    folded = word.casefold()
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") else folded
