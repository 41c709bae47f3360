"""Words, phrases and keys in the texts of papers: one normal form, and which keys stand in a text.

The normal form is lower case, hyphens and slashes are spaces ("multi-hop" is "multi hop", but a
prefix is joined: "un-learning" is "unlearning"), plurals are folded, and punctuation is kept as
``.`` between phrases, so that a phrase never runs over a comma. It is for matching and counting
only: what people read is a :func:`surface` form. Every statistic made from it is stored with
:data:`NORMALISER`; change that with the rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache

from digest.patterns import pattern

NORMALISER = "phrases-1"

BREAK = "."
LONGEST = 4
"""The most words a candidate phrase has."""

# Joined to the word after a hyphen, so that both spellings are one word.
_PREFIXES = "un|re|de|pre|non|anti|multi|auto|counter|hyper|super|sub|co|mis|dis"
_MARKUP = pattern(r"\\[a-z]+\*?|[{}]")
_PREFIX_HYPHEN = pattern(rf"(?<![\w-])({_PREFIXES})[-‐‑](?=[^\W\d_]{{3}})")
_POSSESSIVE = pattern(r"['’]s?(?![^\W_])|['’]")
_JOINED = pattern(r"(?<=\w)[-‐‑‒–/](?=\w)|[\"“”‘`´~]")
_NO_WORD = pattern(r"[^\w\s\u0300-\u036f]+|_+")

_IRREGULAR = {
    "analyses": "analysis", "axes": "axis", "bases": "basis", "biases": "bias", "buses": "bus",
    "caches": "cache", "calculi": "calculus", "canvases": "canvas", "corpora": "corpus", "focuses": "focus",
    "gases": "gas", "headaches": "headache", "hypotheses": "hypothesis", "indices": "index", "lenses": "lens",
    "losses": "loss", "matrices": "matrix", "niches": "niche", "parentheses": "parenthesis", "shoes": "shoe",
    "statuses": "status", "syntheses": "synthesis", "theses": "thesis", "vertices": "vertex",
    "viruses": "virus",
}  # fmt: skip
_NO_PLURAL_WORDS = """
    across alias always atlas bayes bias canvas chaos christmas clevr cosmos economics ethics
    genetics gps kudos laplace lens linguistics mathematics mechanics news pandas perhaps physics
    robotics series species statistics texas thanks thus towards was whereas
"""
_NO_PLURAL = frozenset(_NO_PLURAL_WORDS.split())
_ES = ("sses", "ches", "shes", "xes", "zzes")
_KEPT_S = ("ss", "us", "is")

_STOP_WORDS = """
    a about above according across additionally after again against all allow almost along already
    also although always am among an and another any are around as at available be became because
    become becomes been before being below better between both but by can cannot compared consider
    could current currently demonstrate despite did do does doing done down due during e each easily
    either enable especially et etc even every existing extensive far few finally find first five
    following for found four from full fully further furthermore g given gives good had has have
    having he hence her here highly how however i ie if important in include including increasingly
    instead into introduce is it its itself just known large largely less like made mainly make
    making many may me might more moreover most much must my namely need needs neither new next no
    nor not novel now of often on once one only onto or other our out over own paper particular
    particularly per perform possible present previous propose proposed provide provides quite
    rather recent recently remain requires respectively same second several shall she should show
    shows significant significantly since six small so some specifically still study such suggest
    than that the their them themselves then there thereby therefore these they third this those
    three through throughout thus to together too toward towards two typically under unlike until up
    upon us use used useful uses using usually various very via was way we well were what when where
    whereas whether which while who whom whose why wide widely will with within without work would
    year yet you your http https www com github code arxiv doi
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words a phrase neither begins nor ends with."""

_NO_START_WORDS = """
    based driven aware oriented like wise hoc guided art achieve contain different effective enable
    generate generating improve improving maintain maintaining mitigate mitigating perform preserve
    preserving prevent preventing reduce reducing remaining specific
"""
_NO_START = frozenset(_NO_START_WORDS.split())
"""A phrase that begins with one is a fragment: of a compound ("[post-]hoc method"), or of a clause."""

_INSIDE = frozenset(("of", "to", "in", "from", "for", "be"))
"""Stop words a phrase may hold inside ("right to be forgotten")."""


@lru_cache(maxsize=1 << 16)
def singular(word: str) -> str:
    """The word without its plural ending: approaches -> approach, studies -> study, bias -> bias."""
    irregular = _IRREGULAR.get(word)
    if irregular is not None:
        return irregular
    if len(word) < 4 or word[-1] != "s" or not word.isascii() or word in _NO_PLURAL or word.endswith(_KEPT_S):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(_ES) or (word.endswith("oes") and len(word) > 4):
        return word[:-2]
    return word[:-1]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The word without the endings of its inflection: unlearning, unlearned, unlearns -> unlearn.

    Derivation is left alone: "unlearnable" is not "unlearn", "interpretable" not "interpret".
    """
    word = singular(word)
    for ending in ("ing", "ied", "ed"):
        bare = word.removesuffix(ending)
        if bare != word and len(bare) >= 4:
            word = bare + "y" if ending == "ied" else bare
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeious":
        return word[:-1]  # forgetting -> forgett -> forget, modelling -> model
    return word[:-1] if len(word) > 4 and word[-1] == "e" else word


def derived(word: str, stems: Collection[str]) -> bool:
    """Whether the stem of a word is one of some, or begins with one of five letters and more ("unlearn" ->
    "unlearnable")."""
    return word in stems or word.startswith(tuple(each for each in stems if len(each) >= 5))


def normalise(text: str) -> str:
    """The normal form of a text: words, and ``.`` where a phrase ends, between single spaces.

    Any Unicode text is taken; the result of a normal form is itself.
    """
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).lower()
    text = _MARKUP.sub("", text)
    text = _PREFIX_HYPHEN.sub(r"\1", text)
    text = _POSSESSIVE.sub("", text)
    text = _JOINED.sub(" ", text)
    text = _NO_WORD.sub(" . ", text)
    words = [singular(word) for word in text.split()]
    kept = [word for at, word in enumerate(words) if word != BREAK or (at and words[at - 1] != BREAK)]
    return " ".join(kept).strip(" .")


def tokens(text: str) -> list[str]:
    """The words of a text in their normal form, without the breaks."""
    return [word for word in normalise(text).split() if word != BREAK]


def phrases(normal: str, longest: int = LONGEST) -> Iterator[tuple[str, ...]]:
    """Candidate phrases of a normal form: 1 to ``longest`` words within a phrase break, that neither
    begin nor end with a stop word or a number (after RAKE, Rose et al. 2010)."""
    words = normal.split()
    edge = [len(word) > 1 and word not in STOP_WORDS and not word[0].isdigit() for word in words]
    inner = [word not in STOP_WORDS or word in _INSIDE for word in words]
    for start, opens in enumerate(edge):
        if not opens or words[start] in _NO_START:
            continue
        for end in range(start, min(start + longest, len(words))):
            if words[end] == BREAK or not inner[end]:
                break
            if edge[end]:
                yield tuple(words[start : end + 1])


def key_form(words: Sequence[str]) -> tuple[str, ...]:
    """What makes two phrases one key: the words in normal form, the last one stemmed."""
    return (*words[:-1], stem(words[-1])) if words else ()


def is_acronym(key: str) -> bool:
    """Whether a key is one word in capitals (XAI, SHAP, LIME): such a key is matched by case."""
    return len(key) > 1 and key.isupper() and key.isalnum()


class KeyMatcher:
    """Finds which of some keys stand in a text.

    A key is matched as a phrase, whatever the hyphens and plurals, and with the inflections of its
    last word ("machine unlearning" also stands in "machine-unlearned"). A key of one word in
    capitals is matched as that word in capitals, or its plural ("SAEs"): the fruit is not LIME.
    What stands in an excluded phrase does not count.
    """

    def __init__(self, keys: Sequence[str], exclude: Sequence[str] = ()) -> None:
        self.keys = tuple(dict.fromkeys(keys))
        self._order = {key: at for at, key in enumerate(self.keys)}
        self._forms = _by_form(key for key in self.keys if not is_acronym(key))
        self._excluded = _by_form(exclude)
        self._acronyms = _acronym_pattern([key for key in self.keys if is_acronym(key)])
        self._lengths = _Lengths((*self._forms, *self._excluded))
        self.ends = frozenset(
            form[-1] for form in (*self._forms, *self._excluded, *_by_form(filter(is_acronym, self.keys)))
        )
        """The stems of the last words of all keys: a text without any of them holds no key."""

    def find(self, text: str, normal: str | None = None) -> tuple[str, ...]:
        """The keys that stand in a text, in the order they were given. ``normal`` spares making the
        normal form when the caller has it."""
        return tuple(sorted(self.count(text, normal), key=self._order.__getitem__))

    def count(self, text: str, normal: str | None = None) -> Counter[str]:
        """The keys that stand in a text, and how often."""
        found: Counter[str] = Counter()
        for _, _, keys in self._clean_spans(normalise(text) if normal is None else normal):
            found.update(keys)
        if self._acronyms is not None:
            found.update(self._acronyms.findall(text))
        return found

    def holds_excluded(self, text: str, normal: str | None = None) -> bool:
        """Whether an excluded phrase stands in a text."""
        words = (normalise(text) if normal is None else normal).split()
        return bool(self._excluded) and any(self._spans(words, self._excluded))

    def _clean_spans(self, normal: str) -> Iterable[tuple[int, int, tuple[str, ...]]]:
        words = normal.split()
        if self._excluded:
            for start, length, _ in list(self._spans(words, self._excluded)):
                words[start : start + length] = [BREAK] * length
        return self._spans(words, self._forms)

    def _spans(
        self, words: list[str], forms: dict[tuple[str, ...], tuple[str, ...]]
    ) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Where forms stand in the words: start, number of words, and the keys of the form."""
        lengths = self._lengths
        for at, word in enumerate(words):
            for length in lengths[word]:
                start = at + 1 - length
                keys = forms.get((*words[start:at], stem(word))) if start >= 0 else None
                if keys is not None:
                    yield start, length, keys


class _Lengths(dict[str, tuple[int, ...]]):
    """Per word the lengths of the keys that may end with it; a word is stemmed once."""

    def __init__(self, forms: Iterable[tuple[str, ...]]) -> None:
        super().__init__()
        self._by_stem: dict[str, set[int]] = {}
        for form in forms:
            self._by_stem.setdefault(form[-1], set()).add(len(form))

    def __missing__(self, word: str) -> tuple[int, ...]:
        lengths = self[word] = tuple(self._by_stem.get(stem(word), ()))
        return lengths


def _by_form(keys: Iterable[str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    forms: dict[tuple[str, ...], tuple[str, ...]] = {}
    for key in keys:
        form = key_form(tokens(key))
        if form:
            forms[form] = (*forms.get(form, ()), key)
    return forms


def _acronym_pattern(acronyms: Sequence[str]) -> re.Pattern[str] | None:
    if not acronyms:
        return None
    return re.compile(rf"(?<![^\W_])({'|'.join(map(re.escape, acronyms))})(?=s?(?![^\W_]))")


def surface(normal: str, texts: Iterable[str]) -> str | None:
    """How a phrase in normal form is mostly written in some texts; None where none holds it.

    "sparse autoencoder" is "sparse autoencoders" to most authors, "shap" is "SHAP". A capital that
    only begins a sentence or a title is lowered when the phrase is also seen without it.
    """
    pattern = _surface_pattern(tuple(normal.split()))
    forms = Counter(
        " ".join(found.split())
        for text in texts
        for found in pattern.findall(text)
        if normalise(found) == normal
    )
    if not forms:
        return None
    seen: Counter[str] = Counter()
    for form, count in forms.items():
        plain = _decapitalised(form)
        seen[plain if plain in forms or form.istitle() else form] += count
    return min(seen, key=lambda form: (-seen[form], len(form), form))


def _decapitalised(form: str) -> str:
    return " ".join(word.lower() if word.istitle() else word for word in form.split())


def _surface_pattern(words: Collection[str]) -> re.Pattern[str]:
    """Matches a superset of the ways to write a phrase: the first letters of each word are kept."""
    return re.compile(
        r"\b" + r"[\s/\-‐‑]+".join(_word_pattern(word) for word in words) + r"\b", re.IGNORECASE
    )


def _word_pattern(word: str) -> str:
    prefix = re.match(rf"({_PREFIXES})(?=[^\W\d_]{{3}})", word)
    head = prefix[0] if prefix else ""
    rest = word[len(head) :]
    kept = rest[: max(2, len(rest) - 3)]
    return rf"{re.escape(head)}{'[-‐‑]?' if head else ''}{re.escape(kept)}\w*"
