"""What is stored of a paper's text, and where its sentences end. How LaTeX reads: test_latex.py."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text import clean, detached, readable, sentences, utf16_length

loose = st.text(alphabet=st.sampled_from("abAZ 09.,!?()$\\{}^_'`\"~-\n\té。！А\U0001f600"), max_size=120)
plain = st.text(
    alphabet=st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="\\$`~^_{}-'")
)


# --- clean ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "stored"),
    [
        (r"Andr\'e", "André"),
        (r"{\"o}", "ö"),
        (r"\"{o}", "ö"),
        (r"K{\"{u}}nstlich", "Künstlich"),
        (r"Fran\c{c}ois and Fran\c cois", "François and François"),
        (r"\v{S}r\'amek, Bro\v{n}a", "Šrámek, Broňa"),
        (r"Erd\H{o}s-R\'enyi", "Erdős-Rényi"),
        (r"{\L}ukasz P{\l}ociniczak, Mateusz \'Swita{\l}a", "Łukasz Płociniczak, Mateusz Świtała"),
        (r"na\"{\i}ve, na{\"i}ve, cha\^ine, cha\^\i ne", "naïve, naïve, chaîne, chaîne"),
        (r"Gau\ss -Radau, Weierstra\ss\ points, gro{\ss}e", "Gauß-Radau, Weierstraß points, große"),
        (r"J{\o}rgen \AA{}rhus, S\o ren", "Jørgen Århus, Søren"),
        (r"{\DJ}or{\dj}e Nikoli\'c", "Đorđe Nikolić"),
        (r"Padama\~njar\=i, M\=e\d{l}akarta", "Padamañjarī, Mēḷakarta"),
        (r"Spr\r{a}kbanken, 3,800\r{A}", "Språkbanken, 3,800Å"),
        (r"\.Istanbul, Erdo\u{g}an, {\'E}cole", "İstanbul, Erdoğan, École"),
        (r"Cze\k{s}\'c", r"Cze\k{s}ć"),
    ],
)
def test_accents_are_decoded(source: str, stored: str) -> None:
    assert clean(source) == stored


@pytest.mark.parametrize(
    "source",
    [
        r"$\'e$ and \(\"o\) and $$\c{c}$$",
        r"\emph{so} \alpha \cite{a} \textbf{b}",
        r"the \b black-box \b score-based attack",
        r"a \c{cite} and \v{var}",
        r"lines \\'end",
        r"~\user \^n \~t",
    ],
)
def test_maths_and_commands_stay_as_source(source: str) -> None:
    assert clean(source) == source


def test_a_braced_argument_keeps_its_braces() -> None:
    assert clean(r"\emph{\'e} and {\'e}") == r"\emph{é} and é"


def test_accents_between_dollars_that_are_money_are_decoded() -> None:
    assert clean(r"costs $5 for Andr\'e and $6 for \'Eric") == "costs $5 for André and $6 for Éric"


def test_an_apostrophe_with_a_backslash_too_many_is_an_apostrophe() -> None:
    assert clean(r"the LLM\'s scope, we\'ll see \"so\" soon") == "the LLM's scope, we'll see \"so\" soon"


def test_white_space_is_collapsed_and_control_characters_are_dropped() -> None:
    assert clean("  a\n  b\t\u00a0c\u2028d \x00e\x07\x1b\x7f\ufeff ") == "a b c d e"


def test_marks_that_turn_the_line_and_lone_surrogates_are_dropped() -> None:
    assert clean("a\u202eb\u2066c\ud800d") == "abcd"


def test_text_is_composed() -> None:
    assert clean("A\u030angstro\u0308m") == "Ångström"


def test_joiners_and_soft_hyphens_stay() -> None:
    assert clean("a\u200db\u00adc") == "a\u200db\u00adc"


def test_clean_text_comes_back_as_the_same_object() -> None:
    text = " ".join(["Nothing to do here."] * 20)
    assert clean(text) is text


@given(loose | st.text(max_size=200))
def test_stored_text_is_composed_printable_and_has_single_spaces(text: str) -> None:
    stored = clean(text)
    assert stored == unicodedata.normalize("NFC", stored)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in stored)
    assert "  " not in stored
    assert stored == stored.strip()
    stored.encode()


@given(st.text(alphabet=st.characters(exclude_characters="\\"), max_size=200))
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


# --- readable -------------------------------------------------------------------------------------


@given(loose | st.text(max_size=300))
def test_any_text_can_be_shown(text: str) -> None:
    shown = readable(text)
    assert shown == unicodedata.normalize("NFC", shown)
    shown.encode()


@given(plain)
def test_plain_text_is_shown_as_it_stands(text: str) -> None:
    assert readable(text) == clean(text)
    assert readable(readable(text)) == readable(text)


# --- UTF-16 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("We call it **DIM**, a *small* lamp.", "We call it DIM, a small lamp."),
        ("Run `dim --all` at night.", "Run dim --all at night."),
        ("Code: [this URL](https://github.com/example/dim).", "Code: this URL."),
        ("A* and B* search, 2*3*4, *-algebras and $x^{*}$", "A* and B* search, 2*3*4, *-algebras and x*"),
        ("f(x)[i](j) and [1](a)", "f(x)[i](j) and [1](a)"),
    ],
)
def test_markdown_is_shown_without_its_signs(written: str, shown: str) -> None:
    assert readable(written) == shown


@given(st.text())
def test_length_is_counted_in_utf16_units(text: str) -> None:
    assert utf16_length(text) == sum(2 if ord(letter) > 0xFFFF else 1 for letter in text)


# --- sentences ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one",
    [
        "We use methods, e.g. SHAP, i.e. Shapley values, and so on.",
        "Smith et al. We follow their work here.",
        "As Fig. 3 and Eq. (1) of Sec. 2 show, No. 5 wins.",
        "The loss w.r.t. X falls, cf. Table 2.",
        "It was shown by J. R. R. Tolkien and D. Knuth.",
        "Version 2.1.3 reaches 93.5 percent.",
        "The code is at https://github.com/a.b/c.d?x=1. now",
        "SGD vs. Adam is an old story.",
        "The bound $f(x). Then$ holds.",
        r"The bound \(f(x)! Then\) holds.",
        "1. We show that it works.",
        "Мы, т.е. авторы, см. рис. 3, показываем это.",
    ],
)
def test_this_is_one_sentence(one: str) -> None:
    assert sentences(one) == (one,)


@pytest.mark.parametrize(
    "expected",
    [
        ("We ask why.", "We answer."),
        ("Does it work?", "Yes!", "It does."),
        ("It is called X.", "GPT-4 is not."),
        ("We study class A.", "The others come later."),
        ("It holds (see Fig. 2).", '"Quoted," they say.', "[1] ends it."),
        ("It ends in 2020.", "10 models follow."),
        ("The first.", "iPhones and mBERT begin small."),
        ("The bound is $O(n).$", "It is tight."),
        ("We wait ...", "Then we go."),
        ("See https://a.b/c.", "The end."),
        ("Модели забывают.", "Мы проверяем это!", "Как?"),
    ],
)
def test_these_are_sentences(expected: tuple[str, ...]) -> None:
    assert sentences(" ".join(expected)) == expected


def test_chinese_sentences_need_no_space() -> None:
    assert sentences("我们提出一种方法。它有效吗？有效！") == ("我们提出一种方法。", "它有效吗？", "有效！")


def test_no_text_has_no_sentence() -> None:
    assert sentences("") == sentences(" \n ") == ()


@given(loose | st.text(max_size=200))
def test_sentences_stand_in_the_text_and_lose_nothing(text: str) -> None:
    found = sentences(text)
    at = 0
    for sentence in found:
        at = text.index(sentence, at) + len(sentence)
        assert sentence == sentence.strip() != ""
    assert "".join("".join(found).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("To address this, we propose a lamp of one wire.", "…we propose a lamp of one wire."),
        ("To address these limitations we propose a lamp of one wire.", "…we propose a lamp of one wire."),
        ("Building on this insight, we light a lamp of one wire.", "…we light a lamp of one wire."),
        ("However, no lamp has been lit by one wire.", "…no lamp has been lit by one wire."),
        ("In this paper, we propose a lamp of one wire.", None),
        ("To light the lamp, we propose one wire for all.", None),
        ("Under these assumptions, we prove that a lamp forgets.", None),  # a condition of the claim
        ("For such lamps, we show that one wire is enough.", None),
        ("Although these fail, we show that one wire is enough.", None),
        ("However, we fail.", None),  # too little would be left
        ("Howeverness, $x$ is a word that nobody says.", None),
    ],
)
def test_a_sentence_that_is_quoted_alone_loses_only_what_leans_on_others(
    sentence: str, expected: str | None
) -> None:
    assert detached(sentence) == (expected or sentence)
