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
    r"\b(?:we|this (?:paper|work|article))\b[^.]{0,40}?\b(?:introduc|present|propos|releas|construct|creat|build"
    r"|built|develop|curat|collect|provid|contribut|open[- ]?sourc|design|establish)\w*\b"
)
_TITLE: dict[ResourceKind, re.Pattern[str]] = {
    "survey": re.compile(
        r"\b(?:surveys?(?! (?:data|respon|question|experiment|telescope|design|weight|item|research|sampl))"
        r"|systematic (?:literature )?(?:review|mapping)|(?:literature|scoping|systematic|umbrella|critical) reviews?"
        r"|(?:an?|the|brief|comprehensive|short|mini|state[- ]of[- ]the[- ]art) (?:\w+ )?review(?! (?:agent|system"
        r"|process|generat|bench))|review of|overview of|an overview|tutorial|primer|roadmap|taxonom(?:y|ies) of|SoK)\b",
        re.IGNORECASE,
    ),
    "benchmark": re.compile(
        r"\w*[-A-Za-z]Bench\b|\b(?:a|an|new|benchmark) [^:]{0,60}benchmark\b|\bbenchmark(?:s)? (?:for|of|and)\b"
        r"|: [^:]*\bbenchmark$"
    ),
    "dataset": re.compile(r"\b(?:data ?sets?|corpus|corpora)(?: (?:for|of|and|with)\b|$|:)", re.IGNORECASE),
    "library": re.compile(
        r"\b(?:librar(?:y|ies)|toolkit|toolbox|(?:python|software|open[- ]source) package)(?: (?:for|of|to)\b|$|:)",
        re.IGNORECASE,
    ),
}
_TEXT: dict[ResourceKind, re.Pattern[str]] = {
    "survey": re.compile(
        r"\bthis (?:\w+ )?(?:survey|(?:systematic|literature|scoping) review|review (?:paper|article)|tutorial)\b"
        r"|\bwe (?:\w+ )?(?:survey|systematically review|systemati[sz]e (?:the|existing))\b|\bin this (?:survey|review)\b",
        re.IGNORECASE,
    ),
    "benchmark": re.compile(rf"{_MAKE}[^.]{{0,80}}?\b(?:benchmark(?! dataset)\b|\w+-?Bench\b)"),
    "dataset": re.compile(
        rf"{_MAKE}[^.]{{0,80}}?\b(?:new|novel|first|large[- ]scale|public\w*|curated|annotated|open|\w+, an?) [^.,]{{0,40}}?"
        r"(?:data ?set|corpus)\b",
        re.IGNORECASE,
    ),
    "library": re.compile(
        rf"{_MAKE}[^.]{{0,60}}?\b(?:open[- ]source|python) [^.,]{{0,40}}?(?:library|toolkit|toolbox|package)\b",
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
