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
LONGEST = 600
"""Of a line that is looked up, in characters."""
_DEPTH = 6
_DAY = re.compile(r"(?:[A-Z][a-z]+day )?(\d{4}-\d\d-\d\d)")
_COUNTED = re.compile(r"(?<=\d )([a-z].+?)(?=, \d+ [a-z]|$)")


@cache
def sentences() -> tuple[Mapping[str, str], ...]:
    """The catalogue: sentences by language, with named holes in braces."""
    return tuple(tomllib.loads(FILE.read_text("utf-8"))["said"])


def said(text: str, language: Language) -> str | None:
    """A line in a language; None where only its English is known."""
    if language == "en" or len(text) > LONGEST:
        return None
    return _read(text, language, _DEPTH)[1]


def _read(text: str, language: Language, depth: int) -> tuple[int, str | None]:
    """A line in a language by the sentences that account for most of it, and for how many characters."""
    best: tuple[int, str | None] = 0, None
    for pattern, own, sentence in _patterns(language) if depth else ():
        if found := pattern.fullmatch(text):
            held = {name: _held(value, language, depth - 1) for name, value in found.groupdict().items()}
            known = own + sum(number for number, _ in held.values())
            if known > best[0]:
                best = known, sentence.format(**{name: value for name, (_, value) in held.items()})
    return best


def _held(value: str, language: Language, depth: int) -> tuple[int, str]:
    """What a sentence holds: a day, another sentence, counted things, or what is the same everywhere."""
    if day := _DAY.fullmatch(value):
        with suppress(ValueError):
            return 0, words(language).day(date.fromisoformat(day[1]))
    known, whole = _read(value, language, depth)
    if whole:
        return known, whole
    counted = _COUNTED.sub(lambda found: _read(found[0], language, depth)[1] or found[0], value)
    return 0, counted.replace(", ", "，") if language == "zh" and counted != value else counted


@cache
def _patterns(language: Language) -> tuple[tuple[re.Pattern[str], int, str], ...]:
    """What each sentence looks like in English, how many characters it says itself, and the sentence."""
    return tuple(
        (_pattern(one["en"]), len(re.sub(r"\{\w+\}", "", one["en"])), one[language]) for one in sentences()
    )


def _pattern(sentence: str) -> re.Pattern[str]:
    """What a sentence looks like; ``{n}`` is a number."""
    held = {"n": r"[\d.,]+"}
    pieces = [
        re.escape(text) + (f"(?P<{hole}>{held.get(hole, '.+?')})" if hole else "")
        for text, hole, *_ in Formatter().parse(sentence)
    ]
    return re.compile("".join(pieces))
