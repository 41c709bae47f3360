"""What else can be quoted from abstracts, word for word: a definition, a question, a problem, a doubt,
what is open.

Each function gives a whole sentence of the abstract or title, or None. Nothing is put together: a
sentence that leans on one before it ("However, these...") is passed over.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from digest.text import sentences
from digest.types import Paper

SHORTEST, LONGEST = 6, 34
"""Words of a sentence that can stand alone in a post."""


def _one_of(words: str) -> str:
    """A group of words or phrases, parted by white space; an underscore is a space, a star goes on."""
    return "(?:" + "|".join(word.replace("_", " ").replace("*", r"\w*") for word in words.split()) + ")"


_LINKING = _one_of(
    """however but yet still thus hence therefore moreover furthermore in_addition as_a_result consequently
    instead specifically in_particular for_example for_instance similarly indeed importantly"""
)
_POINTING = _one_of(
    """this these those such it its they their he she both here doing_so the_former the_latter the_resulting
    the_proposed"""
)
_LEANS = re.compile(
    rf"^(?:{_LINKING},? )?{_POINTING}\b"
    r"|^(?:moreover|furthermore|additionally|in addition|also|then|finally|second|third|meanwhile)\b"
    r"|\b(?:these|those|such(?! as)|this (?!paper|work|study|article|survey|review|report|thesis))\b"
    r"|^to (?:\w+ ){1,2}(?:this|these|that|it|them)\b"
    r"|^(?:building|based|leveraging|motivated|inspired)\b",
    re.IGNORECASE,
)
_OURS = re.compile(r"\b(?:we|our|this (?:paper|work|study|article|survey|review))\b", re.IGNORECASE)
_LACK = re.compile(
    r"\b"
    + _one_of(
        """challeng* suffer* fail* lack* limits? limited limitations? limiting costly expensive prohibitive*
        vulnerab* degrad* struggl* risks? difficult* unreliable unstable inefficien* bottleneck
        overlook* ignor* leak* hallucinat* opaque black[-_]box poor poorly threat* concerns?
        insufficient* trade-?offs? hinder* brittle problem"""
    )
    + r"\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"^(?:however|but|yet|despite|although|while|existing|current|unfortunately)\b", re.IGNORECASE
)
_FINDS = re.compile(
    r"\b(?:we|our (?:results|experiments|findings|analysis|evaluation|study)|results|experiments)\b"
    r"[^.]{0,40}?\b"
    + _one_of("show* find* reveal* demonstrat* observ* prov* uncover* expos* identif* suggest* indicat*")
    + r"\b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b"
    + _one_of(
        """fails?_to failing_to do_not does_not did_not cannot can_not no_longer rarely not_necessarily
        not_always not_sufficient not_consistently not_reliably insufficient unreliable brittle illus*
        overestimat* misleading vulnerable can_be_recovered still_leak* still_retain* still_contain*
        collapses? worse_than little_to_no inconsisten* spurious shortcuts? superficial*"""
    )
    + r"\b",
    re.IGNORECASE,
)
_FOR = re.compile(
    r"\b(?:unlike|outperform\w*|improv\w+|guarante\w+|overcom\w+|our (?:approach|method|framework|model))\b",
    re.IGNORECASE,
)
_DEGREE = r"(?:(?:an?|largely|poorly|relatively|highly|still|mostly) )*"
_OPEN = re.compile(
    rf"\bremains? {_DEGREE}"
    + _one_of(
        """open unclear underexplored under-explored unexplored unknown unsolved elusive not_well_understood
        understood understudied unaddressed"""
    )
    + r"\b|\bopen (?:problem|question|challenge)s?\b"
    r"|\b(?:is|are) (?:still )?(?:poorly|not well|not yet) understood\b",
    re.IGNORECASE,
)
_KIND = _one_of(
    "class family type kind technique paradigm process field task problem procedure ability study"
)
_IS = (
    _one_of(
        """aims? seeks? refers? attempts? removes? studies concerns tries describes? generates? learns?
        enables?"""
    )
    + rf"|(?:is|are) (?:the|an?) (?:\w+ )?{_KIND}"
)


def stands_alone(sentence: str) -> bool:
    """Whether a sentence can be read without the one before it, and is neither too short nor too long."""
    return SHORTEST <= len(sentence.split()) <= LONGEST and not _LEANS.search(sentence)


def question(paper: Paper) -> str | None:
    """A question the paper asks: its title, or the part of it up to the question mark, else a sentence."""
    head = re.match(r"[^?]*\?", paper.title)
    if head and 4 <= len(head[0].split()) <= LONGEST:
        return head[0]
    asked = (one for one in sentences(paper.abstract) if one.endswith("?") and stands_alone(one))
    return next(asked, None)


def problem(paper: Paper) -> str | None:
    """What is amiss, as the abstract says before it comes to its own contribution."""
    before: list[str] = []
    for one in sentences(paper.abstract):
        if _OURS.search(one):
            break
        before.append(one)
    told = [one for one in before if _LACK.search(one) and stands_alone(one)]
    return max(told, key=lambda one: (bool(_TURN.search(one)), before.index(one)), default=None)


def doubt(paper: Paper) -> str | None:
    """A finding against something: that it fails, does not suffice, misleads."""
    told = (one for one in sentences(paper.abstract) if _FINDS.search(one) and _AGAINST.search(one))
    return next((one for one in told if stands_alone(one) and not _FOR.search(one)), None)


def unsolved(paper: Paper) -> str | None:
    """What is open, as the abstract says."""
    told = (one for one in sentences(paper.abstract) if _OPEN.search(one) and not _OURS.search(one))
    return next(filter(stands_alone, told), None)


def definition(paper: Paper, names: Sequence[str]) -> str | None:
    """The sentence that says what one of these names means: "Machine unlearning (MU) aims to..."."""
    name = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    begins = re.compile(
        rf"^(?:the (?:goal|aim|task) of )?(?:{name})s?(?: \([A-Za-z-]+\))?,? (?:{_IS})\b", re.IGNORECASE
    )
    told = (one for one in sentences(paper.abstract) if begins.search(one) and not _LEANS.search(one))
    return next((one for one in told if 8 <= len(one.split()) <= LONGEST and not _OPEN.search(one)), None)


def abbreviation(papers: Iterable[Paper], names: Sequence[str]) -> str | None:
    """What the papers call a term for short, where two of them agree: "machine unlearning (MU)"."""
    name = "|".join(re.escape(name) for name in names)
    short = re.compile(rf"\b(?:{name})s? \(([A-Z][A-Za-z]*[A-Z])s?\)", re.IGNORECASE)
    counts = Counter(
        found for paper in papers for found in set(short.findall(paper.abstract)) if found.isupper()
    )
    best = max(counts, key=lambda found: (counts[found], found), default=None)
    return best if best is not None and counts[best] > 1 else None
