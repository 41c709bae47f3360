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

_LEANS = re.compile(
    r"^(?:(?:however|but|yet|still|thus|hence|therefore|moreover|furthermore|in addition|as a result|consequently|"
    r"instead|specifically|in particular|for example|for instance|similarly|indeed|importantly),? )?"
    r"(?:this|these|those|such|it|its|they|their|he|she|both|here|doing so|the (?:former|latter|resulting|proposed))\b"
    r"|\b(?:this|these|such) (?:challenge|issue|problem|limitation|gap|question|approach|method|setting|assumption|work)"
    r"|^(?:moreover|furthermore|additionally|in addition|also|then|finally|second|third|meanwhile)\b",
    re.IGNORECASE,
)
_OURS = re.compile(r"\b(?:we|our|this (?:paper|work|study|article|survey|review))\b", re.IGNORECASE)
_LACK = re.compile(
    r"\b(?:challeng\w+|suffer\w*|fail\w*|lack\w*|limit(?:s|ed|ation|ations|ing)?|costly|expensive|prohibitive\w*|"
    r"vulnerab\w+|degrad\w+|struggl\w+|risks?|difficult\w*|unreliable|unstable|inefficien\w+|bottleneck|overlook\w*|"
    r"ignor\w+|leak\w*|hallucinat\w+|opaque|black[- ]box|poor(?:ly)?|threat\w*|concerns?|insufficient\w*|trade-?offs?|"
    r"hinder\w*|brittle|problem)\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"^(?:however|but|yet|despite|although|while|existing|current|unfortunately)\b", re.IGNORECASE
)
_FINDS = re.compile(
    r"\b(?:we|our (?:results|experiments|findings|analysis|evaluation|study)|results|experiments)\b[^.]{0,40}?"
    r"\b(?:show|find|reveal|demonstrate|observe|prove|uncover|expose|identify|suggest|indicate)\w*\b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(?:fails? to|failing to|do(?:es)? not|did not|cannot|can not|no longer|rarely|not (?:necessarily|always|"
    r"sufficient|consistently|reliably)|insufficient|unreliable|brittle|illus\w+|overestimat\w+|misleading|vulnerable|"
    r"can be recovered|still (?:leak|retain|contain|recover)\w*|collapses?|worse than|little to no|inconsisten\w+|"
    r"spurious|shortcuts?|superficial\w*)\b",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\b(?:remains? (?:an? )?(?:largely |poorly |relatively |highly |still |mostly )?(?:open|unclear|underexplored|"
    r"under-explored|unexplored|unknown|unsolved|elusive|not well understood|poorly understood|understudied|unaddressed)|"
    r"open (?:problem|question|challenge)s?|(?:is|are) (?:still )?(?:poorly|not well|not yet) understood)\b",
    re.IGNORECASE,
)
_IS = (
    r"(?:aims?|seeks?|refers?|attempts?|removes?|studies|concerns|tries|describes?|generates?|learns?"
    r"|enables?|(?:is|are) (?:the (?:task|process|problem|ability|field|study)|an? (?:\w+ )?(?:class|family|type|kind|"
    r"technique|paradigm|process|field|task|problem|procedure)))"
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
    return next(filter(stands_alone, told), None)


def unsolved(paper: Paper) -> str | None:
    """What is open, as the abstract says."""
    told = (one for one in sentences(paper.abstract) if _OPEN.search(one) and not _OURS.search(one))
    return next(filter(stands_alone, told), None)


def definition(paper: Paper, names: Sequence[str]) -> str | None:
    """The sentence that says what one of these names means: "Machine unlearning (MU) aims to..."."""
    name = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    begins = re.compile(
        rf"^(?:the (?:goal|aim|task) of )?(?:{name})s?(?: \([A-Za-z-]+\))?,? {_IS}\b", re.IGNORECASE
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
