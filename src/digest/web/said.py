"""What the program says in English where it is decided (errors, notes of runs), in a reader's language.

The modules that decide say one English line and know no languages. So what comes to a reader of the page is
known again by its English, as gettext knows messages (https://www.gnu.org/software/gettext/manual/).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from string import Formatter

from digest.types import Language
from digest.web.words import words

FILE = Path(__file__).with_name("words") / "said.toml"
LONGEST = 1_000
"""Of a line that is looked up, in characters."""
_DEPTH = 6
_DAY = re.compile(r"(?:[A-Z][a-z]+day )?(\d{4}-\d\d-\d\d)")
_COUNTED = re.compile(r"(?<=\d )([a-z].+?)(?=, \d+ [a-z]|$)")


@cache
def sentences() -> tuple[Mapping[str, str], ...]:
    """The catalogue: sentences by language, with named holes in braces."""
    return tuple(tomllib.loads(FILE.read_text("utf-8"))["said"])


def said(text: str, language: Language, depth: int = _DEPTH) -> str | None:
    """A line in a language; None where only its English is known."""
    if language == "en" or len(text) > LONGEST or not depth:
        return None
    for pattern, sentence in _patterns(language):
        if found := pattern.fullmatch(text):
            held = {name: _held(value, language, depth - 1) for name, value in found.groupdict().items()}
            return sentence.format(**held)
    return None


def _held(value: str, language: Language, depth: int) -> str:
    """What a sentence holds: a day, another sentence, counted things, or what is the same everywhere."""
    if day := _DAY.fullmatch(value):
        with suppress(ValueError):
            return words(language).day(date.fromisoformat(day[1]))
    if whole := said(value, language, depth):
        return whole
    counted = _COUNTED.sub(lambda found: said(found[0], language, depth) or found[0], value)
    return counted.replace(", ", "，") if language == "zh" and counted != value else counted


@cache
def _patterns(language: Language) -> tuple[tuple[re.Pattern[str], str], ...]:
    """What each sentence looks like in English, and the sentence; those that say most themselves first."""
    known = sorted(sentences(), key=lambda one: -len(re.sub(r"\{\w+\}", "", one["en"])))
    return tuple((_pattern(one["en"]), one[language]) for one in known)


def _pattern(sentence: str) -> re.Pattern[str]:
    pieces = Formatter().parse(sentence)
    return re.compile(
        "".join(re.escape(text) + (f"(?P<{hole}>.+?)" if hole else "") for text, hole, *_ in pieces)
    )
