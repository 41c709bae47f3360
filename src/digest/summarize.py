"""Sentences taken from an abstract, word for word: what was done, then what came of it.

A sentence is weighed by how central it is to its abstract, by words that announce a contribution or
a result, by the title's words in it, and by its length; the second is chosen by maximal marginal
relevance (Carbonell & Goldstein 1998), so that it does not say the first again.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from digest.text import sentences
from digest.types import Paper

CENTRAL, TITLE, CUE, LENGTH = 0.35, 0.15, 0.5, 0.4
MMR_LAMBDA = 0.7
SHORT, LONG = 8, 40  # words; a sentence outside is taken only for want of a better one

Terms = Counter[str]


def summarize(paper: Paper, count: int) -> tuple[str, ...]:
    """Up to ``count`` sentences of the abstract, verbatim and in its order: the contribution, then results.

    The first is always the contribution, so it can stand alone. Empty when the abstract holds no
    sentence worth a quotation.
    """
    candidates = [one for one in sentences(paper.abstract) if _tells(one)]
    terms = [_terms(one) for one in candidates]
    central = _centrality(candidates, terms, _terms(paper.title))
    picked: list[int] = []
    rest = list(range(len(candidates)))
    while rest and len(picked) < count:
        cue = _result if picked else _contribution
        scores = [central[n] + CUE * cue(candidates[n]) for n in range(len(candidates))]
        picked.append(max(rest, key=lambda n: _gain(n, scores, terms, picked)))
        rest = [n for n in rest if n > picked[0] and n not in picked]  # results follow what gave them
    return tuple(candidates[n] for n in sorted(picked))


def _gain(number: int, scores: Sequence[float], terms: Sequence[Terms], picked: Sequence[int]) -> float:
    nearest = max((_cosine(terms[number], terms[other]) for other in picked), default=0.0)
    return MMR_LAMBDA * scores[number] - (1 - MMR_LAMBDA) * nearest


def _centrality(candidates: Sequence[str], terms: Sequence[Terms], title: Terms) -> list[float]:
    """How much each sentence says of the abstract's and the title's words, less what its length costs."""
    whole = sum(terms, Counter[str]())
    return [
        CENTRAL * _cosine(own, whole) + TITLE * _share(title, own) - LENGTH * _misfit(sentence)
        for sentence, own in zip(candidates, terms, strict=True)
    ]


_WE = (
    r"\b(?:we|our (?:work|paper|study|team)|(?:this|the (?:current|present)) (?:\w+ )?"
    r"(?:paper|work|study|article|survey|thesis|report|review))\b"
)
_MAKE = r"(?:propos|introduc|present|develop|design)(?:es?|s|ed|ing)?\b"
_DO = (
    r"(?:build|built|show|find|found|study|studies|investigate|examine|analy[sz]e|explore|address|describe|provide|"
    r"argue|demonstrate|prove|derive|survey|review|ask|formali[sz]e|establish|release|revisit|offer|report|evaluate|"
    r"benchmark|conduct|create|construct|bridge|identify|extend|consider|characteri[sz]e)(?:e?s|d)?\b"
)
_STRONG = re.compile(
    rf"{_WE}(?:\W+\w+){{0,3}}?\W+{_MAKE}|{_WE}.{{0,100}}\bby {_MAKE}|"
    rf"\b(?:is|are) (?:proposed|introduced|presented)\b|\b(?:called|named|termed|dubbed)\b",
    re.IGNORECASE,
)
_WEAK = re.compile(rf"{_WE}(?:\W+\w+){{0,3}}?\W+{_DO}|^(?:in )?{_WE}", re.IGNORECASE)
_LATER = re.compile(
    r"^(?:furthermore|moreover|additionally|in addition|second(?:ly)?|third(?:ly)?|finally|lastly|also|"
    r"besides|then)\b|\bwe (?:also|then|further|additionally|finally)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d+(?:\.\d+)?\s*(?:\\?%|x\b|\\times|×|percent|points?|fold|times|F1|dB|BLEU)", re.IGNORECASE
)
_OUTCOME = re.compile(
    r"\b(?:outperform\w*|state[- ]of[- ]the[- ]art|sota|improv\w+|achiev\w+|surpass\w*|exceed\w*|reduc\w+|"
    r"results?|experiments?|find(?:ings)?|show[sn]?|demonstrat\w+|reveal\w*|significant(?:ly)?|better|faster)\b",
    re.IGNORECASE,
)
_HOPE = re.compile(
    r"\b(?:promis\w+ (?:direction|avenue)|future (?:work|research)|pave\w* the way|hope|recent(?:ly)?|"
    r"despite|existing|prior|previous|traditional(?:ly)?|conventional|however)\b",
    re.IGNORECASE,
)


def _contribution(sentence: str) -> float:
    """1 for "we propose", .6 for "we study" or "this paper", less for one more; below 0 for a look back."""
    cue = 1.0 if _STRONG.search(sentence) else 0.6 if _WEAK.search(sentence) else 0.0
    if not cue:
        return -0.3 * bool(_HOPE.search(sentence))
    return cue - 0.3 if _LATER.search(sentence) else cue


def _result(sentence: str) -> float:
    """Up to 1 for a figure and words of an outcome; less where the sentence looks back or hopes."""
    outcome = min(len(_OUTCOME.findall(sentence)), 2) * 0.25
    return 0.5 * bool(_NUMBER.search(sentence)) + outcome - 0.25 * bool(_HOPE.search(sentence))


_LINK = re.compile(
    r"https?://\S+|\\(?:url|href)\{[^}]*\}|\b(?:www\.|github\.com|huggingface\.co)\S+", re.IGNORECASE
)
_NOTICE = re.compile(
    r"\b(?:codes?|data(?:sets?)?|models?|weights|checkpoints?|demos?|project|website|homepage|page|implementation|"
    r"repository|toolkit|scripts?|materials?|videos?|benchmarks?|resources?|samples?|everything)\b.{0,80}?"
    r"\b(?:(?:is|are|be|made|been)\s+(?:\w+[\s-]){0,3}?(?:available|released|accessible|found|provided|hosted|"
    r"open[- ]?sourced?|public)|available (?:at|on|from|here|online)|(?:can|may) be \w+ (?:at|on|here|from))|"
    r"^\W*(?:code|project|github|website|homepage|demo|data|models?|repository)(?:\s(?:page|link|repo|website))?\s*:",
    re.IGNORECASE,
)


def _tells(sentence: str) -> bool:
    """Does a sentence say something of the work, not only where to find its code?"""
    rest = _LINK.sub(" ", sentence)
    words = re.findall(r"[^\W\d_]{2,}", rest)
    if len(words) < 4:
        return False
    return not (_NOTICE.search(rest) and (rest != sentence or len(words) < 16))


_STOP = frozenset(
    re.findall(
        r"\w+",
        """a an and are as at be been but by can for from has have in into is it its of on or our such than
        that the their them these they this to use used using via was we were which while will with without
        both more most not also between across through under over how""",
    )
)


def _terms(text: str) -> Terms:
    """The words of a text that carry meaning, a plural s taken off, with their counts."""
    words = re.findall(r"[^\W\d_]{2,}", text.lower())
    return Counter(
        word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words if word not in _STOP
    )


def _cosine(one: Terms, other: Terms) -> float:
    norm = math.sqrt(sum(c * c for c in one.values()) * sum(c * c for c in other.values()))
    return sum(count * other[word] for word, count in one.items()) / norm if norm else 0.0


def _share(title: Terms, own: Terms) -> float:
    return len(title.keys() & own.keys()) / len(title) if title else 0.0


def _misfit(sentence: str) -> float:
    """0 for a sentence of 8 to 40 words, growing to 1 outside."""
    words = len(sentence.split())
    if words < SHORT:
        return 1 - words / SHORT
    return min(1.0, max(0, words - LONG) / LONG)
