"""The words of the page in each language: a file of TOML for each group of pages.

A word is a text, or its plural forms by the names of CLDR (one, few, many, other), chosen by ``n``
(https://cldr.unicode.org/index/cldr-spec/plural-rules). What speaks for and against a paper is said in
English where it is decided (``digest.why``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from string import Formatter
from typing import Any, cast
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup, escape

from digest.types import Language
from digest.why import ENGLISH

LANGUAGES: Mapping[Language, str] = {"en": "English", "ru": "Русский", "zh": "中文"}
"""The languages of the page, each in its own words."""
_LOCALES: Mapping[Language, str] = {"en": "en_GB", "ru": "ru", "zh": "zh_Hans"}
_FOLDER = Path(__file__).with_name("words")


class Words:
    """Says things in one language. What it gives is safe in HTML: values are escaped as they are put in."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._locale = Locale.parse(_LOCALES[language])
        files = sorted((_FOLDER / language).glob("*.toml"))
        self._texts: dict[str, Mapping[str, Any]] = {"why": ENGLISH} if language == "en" else {}
        self._texts |= {file.stem: tomllib.loads(file.read_text("utf-8")) for file in files}

    def __call__(self, name: str, /, **values: object) -> Markup:
        """The word of a name such as ``today.title``, with the values its braces name. Raises KeyError
        where there is no such word."""
        found = self._find(name)
        if isinstance(found, dict):
            found = found[self._locale.plural_form(cast("float", values["n"]))]
        said = (text + (escape(self._shown(values[hole])) if hole else "") for text, hole in _pieces(found))
        return Markup("".join(said))  # noqa: S704 - each piece is escaped

    def has(self, name: str) -> bool:
        """Whether there is a word of this name."""
        try:
            self._find(name)
        except KeyError:
            return False
        return True

    def names(self) -> dict[str, Any]:
        """All words, by name."""
        return {f"{group}.{key}": text for group, texts in self._texts.items() for key, text in texts.items()}

    def _find(self, name: str) -> Any:
        group, _, key = name.partition(".")
        return self._texts[group][key]

    def _shown(self, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return value
        return self.number(value)

    def quoted(self, texts: Iterable[str]) -> Markup:
        """Some texts, each in quotation marks."""
        return escape("、" if self.language == "zh" else ", ").join(
            self("layout.quoted", text=text) for text in texts
        )

    def number(self, value: float) -> str:
        """A number with the signs of the language."""
        return _number(value, self.language)

    def share(self, value: float) -> str:
        """A share of 1 in percent."""
        return _share(round(value, 2), self.language)

    def day(self, value: date, form: str = "medium") -> str:
        """A day: ``long`` with the month's name, ``medium`` short, ``full`` with the weekday."""
        return _day(value, form, self.language)

    def short_day(self, value: date) -> str:
        """A day without its year, for a chart."""
        return self.day(value, {"en": "d MMM", "ru": "d.MM", "zh": "M月d日"}[self.language])

    def decimal(self, value: float) -> str:
        """A number with two digits after the point."""
        return _decimal(round(value, 2), self.language)

    def moment(self, value: datetime, zone: str = "UTC") -> str:
        """A moment in a time zone, to the minute."""
        local = value.astimezone(ZoneInfo(zone))
        between = " " if self.language == "zh" else ", "
        return f"{self.day(local.date())}{between}{local:%H:%M} {zone}"


# Babel takes 0.1 ms for each, and a page has hundreds.


@lru_cache(10_000)
def _number(value: float, language: Language) -> str:
    return format_decimal(value, locale=_LOCALES[language])


@lru_cache(1_000)
def _share(value: float, language: Language) -> str:
    return format_percent(value, locale=_LOCALES[language])


@lru_cache(1_000)
def _decimal(value: float, language: Language) -> str:
    return format_decimal(value, "0.00", locale=_LOCALES[language])


@lru_cache(10_000)
def _day(value: date, form: str, language: Language) -> str:
    return format_date(value, form, locale=_LOCALES[language])


@cache
def _pieces(text: str) -> tuple[tuple[str, str | None], ...]:
    """A text with holes in braces as its pieces, escaped, each with the hole behind it."""
    return tuple((str(escape(piece)), hole) for piece, hole, _, _ in Formatter().parse(text))


@cache
def words(language: Language) -> Words:
    """The words of a language."""
    return Words(language)
