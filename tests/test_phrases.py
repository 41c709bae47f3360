"""Words, phrases and keys: what is one phrase, and what stands in a text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.phrases import (
    KeyMatcher,
    is_acronym,
    key_form,
    normalise,
    phrases,
    singular,
    stem,
    surface,
    tokens,
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Machine-Unlearning for LLMs", "machine unlearning for llm"),
        ("un-learning, de-noising and multi-agent", "unlearning . denoising and multiagent"),
        ("text/image models", "text image model"),
        ("human–machine teams — and others", "human machine team . and other"),
        ("the right to be forgotten (GDPR).", "the right to be forgotten . gdpr"),
        ("a model's weights; the models' weights", "a model weight . the model weight"),
        (r"\emph{Sparse} {A}uto-encoders with $k$-sparsity", "sparse autoencoder with . k . sparsity"),
        ("“Explainable” AI", "explainable ai"),
        ("Машинное разучивание", "машинное разучивание"),
        ("机器遗忘", "机器遗忘"),
        ("", ""),
        ("...", ""),
    ],
)
def test_a_text_has_one_normal_form(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("plural", "word"),
    [
        ("approaches", "approach"),
        ("biases", "bias"),
        ("bias", "bias"),
        ("classes", "class"),
        ("caches", "cache"),
        ("studies", "study"),
        ("series", "series"),
        ("analysis", "analysis"),
        ("analyses", "analysis"),
        ("matrices", "matrix"),
        ("boxes", "box"),
        ("images", "image"),
        ("causes", "cause"),
        ("corpus", "corpus"),
        ("physics", "physics"),
        ("vaes", "vae"),
        ("gas", "gas"),
        ("loss", "loss"),
        ("losses", "loss"),
    ],
)
def test_plurals_are_folded_to_words_that_exist(plural: str, word: str) -> None:
    assert singular(plural) == word


@pytest.mark.parametrize(
    "forms",
    [
        ("unlearning", "unlearned", "unlearns", "unlearn"),
        ("erasing", "erased", "erases", "erase"),
        ("forgetting", "forget", "forgets"),
        ("studied", "study", "studies", "studying"),
        ("modelling", "modeling", "models", "model"),
    ],
)
def test_the_inflections_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("unlearnable", "unlearn"), ("interpretable", "interpret"), ("loss", "lose"), ("string", "str")],
)
def test_derived_and_other_words_keep_their_own_stem(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@given(st.text(max_size=80))
def test_a_normal_form_is_its_own_normal_form(text: str) -> None:
    normal = normalise(text)
    assert normalise(normal) == normal
    assert ". ." not in normal
    assert normal == normal.strip(" .")


def test_tokens_are_the_words_without_the_breaks() -> None:
    assert tokens("Erasing concepts, safely.") == ["erasing", "concept", "safely"]


def test_phrases_do_not_cross_punctuation_nor_begin_with_stop_words() -> None:
    found = {
        " ".join(words) for words in phrases(normalise("The right to be forgotten, a law of data deletion"))
    }
    assert "right to be forgotten" in found
    assert "data deletion" in found
    assert "law of data deletion" in found
    assert not any(phrase.startswith(("the ", "a ", "of ", "to ")) for phrase in found)
    assert not any("forgotten law" in phrase or "." in phrase for phrase in found)


def test_phrases_have_at_most_four_words_and_no_number_at_the_edge() -> None:
    found = list(phrases(normalise("one two three deep sparse concept bottleneck model 2024 benchmark")))
    assert max(map(len, found)) == 4
    assert all(not words[0].isdigit() and not words[-1].isdigit() for words in found)


@pytest.mark.parametrize(
    "text",
    [
        "We unlearn data.",
        "Unlearned models",
        "un-learning",
        "UNLEARNING at scale",
        "machine-unlearning",
        "LLMs unlearn",
    ],
)
def test_a_seed_key_matches_its_inflections_and_spellings(text: str) -> None:
    assert KeyMatcher(["unlearning"]).find(text) == ("unlearning",)


@pytest.mark.parametrize("text", ["Unlearnable examples protect data", "learning to learn", "sun learning"])
def test_a_key_does_not_match_other_words_that_hold_it(text: str) -> None:
    assert KeyMatcher(["unlearning"]).find(text) == ()


def test_keys_match_as_phrases_with_hyphens_and_plurals() -> None:
    matcher = KeyMatcher(["diffusion model", "concept erasure"])
    assert matcher.find("Latent-diffusion-models and concept\nerasure") == (
        "diffusion model",
        "concept erasure",
    )
    assert matcher.find("diffusion. Model of concepts, erasure") == ()


def test_acronyms_are_matched_by_case_and_as_whole_words() -> None:
    matcher = KeyMatcher(["XAI", "LIME", "SHAP", "SAE"])
    assert matcher.find("We use SHAP, LIME-like masks and SAEs for XAI") == ("XAI", "LIME", "SHAP", "SAE")
    assert matcher.find("lime juice, a well-shaped sae, SHAPE and LIMESTONE") == ()
    assert is_acronym("GPT4")
    assert not is_acronym("A")
    assert not is_acronym("explainable AI")


def test_what_stands_in_an_excluded_phrase_does_not_count() -> None:
    matcher = KeyMatcher(["diffusion"], exclude=["heat diffusion", "anomalous diffusion"])
    assert matcher.find("Heat-diffusion on graphs") == ()
    assert matcher.holds_excluded("Heat diffusions on graphs")
    assert matcher.find("Heat diffusion and latent diffusion") == ("diffusion",)
    assert not matcher.holds_excluded("latent diffusion")


def test_two_spellings_of_one_key_are_both_reported_in_the_order_given() -> None:
    matcher = KeyMatcher(["zero shot", "auto-encoders", "autoencoder"])
    assert matcher.find("an auto-encoder, zero-shot") == ("zero shot", "auto-encoders", "autoencoder")
    assert KeyMatcher([]).find("anything") == ()
    assert KeyMatcher(["..."]).find("anything ...") == ()


@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=60))
def test_any_keys_and_any_text_are_taken(keys: list[str], text: str) -> None:
    assert set(KeyMatcher(keys, exclude=keys[:1]).find(text)) <= set(keys)


def test_the_surface_form_is_what_authors_write() -> None:
    texts = [
        "Sparse Autoencoders Explained. Sparse autoencoders (SAEs) are used. We train sparse auto-encoders.",
        "We study sparse autoencoders and an approach with SHAP values.",
        "Several approaches to sparse autoencoders. Approaches differ. SHAP is one; see SHAP.",
    ]
    assert surface("sparse autoencoder", texts) == "sparse autoencoders"
    assert surface("shap", texts) == "SHAP"
    assert surface("approach", texts) == "approaches"
    assert surface("concept erasure", texts) is None
    assert surface("concept bottleneck", ["Concept Bottleneck Models"]) == "concept bottleneck"


def test_inflected_keys_have_one_form() -> None:
    assert key_form(["concept", "erasing"]) == key_form(["concept", "erased"])
    assert key_form([]) == ()


def test_a_thousand_papers_are_matched_against_sixty_keys_in_well_under_a_second() -> None:
    text = "Concept erasure removes undesirable concepts from text-to-image diffusion models, safely. " * 15
    keys = [f"phrase number {at}" for at in range(57)] + ["diffusion models", "SHAP", "concept erasure"]
    matcher = KeyMatcher(keys, exclude=["heat diffusion"])
    started = time.process_time()
    for at in range(1000):
        assert len(matcher.find(f"{text} {at}")) == 2
    assert time.process_time() - started < 1.5
