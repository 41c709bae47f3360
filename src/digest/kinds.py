"""What a paper is besides a paper: a survey, a benchmark, a dataset, a library; and lists of papers.

Only what its authors say counts: the words of the title, else a sentence in which they say that they
make one.
"""

from __future__ import annotations

import re

from digest.links import links
from digest.types import Paper, ResourceKind

KINDS: tuple[ResourceKind, ...] = ("survey", "benchmark", "dataset", "library")

_MAKE = (
    r"\b(?:we|this (?:paper|work|article))\b[^.]{0,40}?\b(?:introduc|present|propos|releas|construct|creat"
    r"|build|built|develop|curat|collect|provid|contribut|open[- ]?sourc|design|establish)\w*\b"
)
_NO_SURVEY = r"(?! (?:data|respon|question|experiment|telescope|design|weight|item|research|sampl))"
_REVIEWS = r"(?:literature|scoping|systematic|umbrella|critical) (?:literature )?(?:reviews?|mapping)"
_A_REVIEW = (
    r"(?:an?|the|brief|comprehensive|short|mini|state[- ]of[- ]the[- ]art) (?:\w+ )?review"
    r"(?! (?:agent|system|process|generat|bench))"
)
_TITLE: dict[ResourceKind, re.Pattern[str]] = {
    "survey": re.compile(
        rf"\b(?:surveys?{_NO_SURVEY}|{_REVIEWS}|{_A_REVIEW}|review of|overview of|an overview|tutorial|primer"
        r"|roadmap|taxonom(?:y|ies) of|SoK)\b",
        re.IGNORECASE,
    ),
    "benchmark": re.compile(
        r"\w*[-A-Za-z]Bench\b|\b(?:a|an|new|benchmark) [^:]{0,60}benchmark\b|\bbenchmark for\b"
        r"|: [^:]*\bbenchmark$",
        re.IGNORECASE,
    ),
    "dataset": re.compile(
        r"\b(?:an?|new|annotated|large[- ]scale) [^:]{0,60}(?:data ?set|corpus)\b"
        r"|\b(?:data ?set|corpus) (?:for|of)\b",
        re.IGNORECASE,
    ),
    "library": re.compile(
        r"\b(?:librar(?:y|ies)|toolkit|toolbox|(?:python|software|open[- ]source) package)"
        r"(?: (?:for|of|to)\b|$)",
        re.IGNORECASE,
    ),
}
_TEXT: dict[ResourceKind, re.Pattern[str]] = {
    "survey": re.compile(
        r"\bthis (?:\w+ )?(?:survey|(?:systematic|literature|scoping) review|review (?:paper|article)"
        r"|tutorial)\b|\bwe (?:\w+ )?(?:survey|systematically review|systemati[sz]e (?:the|existing))\b"
        r"|\bin this (?:survey|review)\b",
        re.IGNORECASE,
    ),
    "benchmark": re.compile(
        rf"{_MAKE} [^.,]{{0,60}}?\b(?:benchmark (?:for|of|that|to|with|compris)|\w+-?Bench\b)",
        re.IGNORECASE,
    ),
    "dataset": re.compile(
        rf"{_MAKE} (?:\w+, )?(?:an?|the first|two|three) [^.,]{{0,50}}?\b(?:data ?sets?|corpus)\b"
        r"(?! (?:distill|condens|prun|select|generat))",
        re.IGNORECASE,
    ),
    "library": re.compile(
        rf"{_MAKE}[^.]{{0,60}}?\b(?:open[- ]source|python) [^.,]{{0,40}}?"
        r"(?:library|toolkit|toolbox|package)\b",
        re.IGNORECASE,
    ),
}
_LIST = re.compile(r"\bawesome-|\bpaper-?list|/papers?-?(?:list|collection)|-survey(?:/|$)", re.IGNORECASE)


def kind(paper: Paper) -> ResourceKind | None:
    """What a paper is by its title, else by what its authors say in the abstract; None for neither."""
    for text, patterns in ((paper.title, _TITLE), (paper.abstract, _TEXT)):
        for name in KINDS:
            if patterns[name].search(text):
                return name
    return None


def list_of_papers(paper: Paper) -> str | None:
    """The address of a repository that gathers papers ("awesome" lists), where the authors keep one."""
    code = [link.url for link in links(paper) if link.kind == "code"]
    return next((url for url in code if _LIST.search(url)), None)
