"""The words of the page: the same in every language, and nothing that is put into them is markup."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from string import Formatter

import pytest
from babel import Locale

from digest.types import Language
from digest.web import words as module
from digest.web.words import LANGUAGES, Words, words

NAMES = words("en").names()
LOCALES = {"en": "en", "ru": "ru", "zh": "zh"}


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", ["ru", "zh"])
def test_every_word_is_said_in_every_language(language: Language) -> None:
    assert words(language).names().keys() == NAMES.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_have_all_plural_forms_and_the_same_values_in_every_language(language: Language) -> None:
    forms = {*Locale.parse(LOCALES[language]).plural_form.rules, "other"}
    for name, english in NAMES.items():
        said = words(language).names()[name]
        if isinstance(said, dict):
            assert said.keys() == forms, name
            assert all(holes(text) <= holes(english["other"]) for text in said.values()), name
            assert holes(said["other"]) == holes(english["other"]), name
        else:
            assert holes(said) == holes(english), name


@pytest.mark.parametrize("language", ["ru", "zh"])
def test_no_word_was_left_in_english(language: Language) -> None:
    alphabet = {"ru": "[А-яё]", "zh": "[\u4e00-\u9fff]"}[language]
    for name, said in words(language).names().items():
        for text in said.values() if isinstance(said, dict) else [said]:
            bare = re.sub(r"\{\w+\}|\b[A-Z]\w*\b", "", text)  # names, such as PDF, are the same everywhere
            assert re.search(alphabet, text) or not re.search("[a-z]", bare), name


def test_numbers_choose_the_form_and_are_written_as_the_language_does() -> None:
    assert words("en")("layout.papers", n=1) == "1 paper"
    assert words("ru")("layout.papers", n=1_022) == "1\u00a0022 статьи"
    assert words("ru")("layout.papers", n=5) == "5 статей"
    assert words("zh")("layout.papers", n=5) == "5 篇论文"


def test_what_is_put_into_a_word_is_no_markup() -> None:
    said = words("en")("paper.said_like", topic="<b>")
    assert "<b>" not in said
    assert "&lt;b&gt;" in said
    assert words("en").quoted(["<i>"]) == "“&lt;i&gt;”"


def test_days_and_moments_are_written_as_the_language_does() -> None:
    assert words("en").day(date(2026, 7, 3), "full") == "Friday, 3 July 2026"
    assert words("ru").day(date(2026, 7, 3), "long") == "3 июля 2026\u202fг."
    assert words("zh").day(date(2026, 7, 3), "full") == "2026年7月3日星期五"
    late = datetime(2026, 7, 3, 21, 5, tzinfo=UTC)
    assert words("en").moment(late) == "3 Jul 2026, 21:05 UTC"
    assert words("zh").moment(late) == "2026年7月3日 21:05 UTC"
    assert words("en").moment(late, "Europe/Moscow") == "4 Jul 2026, 00:05 Europe/Moscow"


def test_an_unknown_word_is_an_error_and_no_blank() -> None:
    with pytest.raises(KeyError):
        words("en")("today.nonsense")
    assert module.words("en") is words("en")
    assert isinstance(words("en"), Words)
