from __future__ import annotations

import re

import pytest

from digest.patterns import pattern


def test_a_pattern_does_what_the_compiled_one_does() -> None:
    later, now = pattern(r"(?P<a>a+)b", re.IGNORECASE), re.compile(r"(?P<a>a+)b", re.IGNORECASE)
    for _ in range(2):
        assert later.sub("-", "AAb ab") == now.sub("-", "AAb ab") == "- -"
        assert [found["a"] for found in later.finditer("AAb ab")] == ["AA", "a"]
        assert later.pattern == now.pattern


def test_a_mistake_in_a_pattern_is_told_when_it_is_used() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.search("a")
