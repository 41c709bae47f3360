"""The links and the venue that a paper's own abstract and comments name.

Only what its authors wrote is used: no request is made, and nothing is guessed from a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from digest.ids import abs_url, pdf_url
from digest.types import Paper

LinkKind = Literal["paper", "pdf", "code", "huggingface", "project", "video", "demo"]
ORDER: tuple[LinkKind, ...] = ("paper", "pdf", "code", "huggingface", "project", "video", "demo")


class Link(Struct, frozen=True):
    """Where something of a paper is to be found."""

    kind: LinkKind
    url: str


class Venue(Struct, frozen=True):
    """Where a paper appears, in its authors' words; ``how`` is empty where they only name the place."""

    name: str
    how: Literal["accepted", "published", ""]


def links(paper: Paper) -> tuple[Link, ...]:
    """The paper's link cluster: one link a kind, the first named, in the order of ``ORDER``."""
    found: dict[LinkKind, str] = {
        "paper": abs_url(paper.id),
        "pdf": pdf_url(paper.id),
    }
    for text in (paper.abstract, paper.comments or ""):
        for url, before in _urls(text):
            kind = _kind(url, before)
            if kind is not None and url not in found.values():
                found.setdefault(kind, url)
    return tuple(Link(kind, found[kind]) for kind in ORDER if kind in found)


# A URL ends at white space, at a bracket or quotation mark that cannot stand in it, or at CJK punctuation.
_URL = re.compile(
    r"(?:https?://|(?<![\w./@-])(?:www\.|(?:github|gitlab|bitbucket|codeberg|huggingface)\.(?:com|org|co)/|"
    r"[\w-]+\.github\.io\b))[^\s<>\"{}|^`\\，。；：、）】》」]*",
    re.IGNORECASE,
)
_BROKEN = re.compile(r"\b(github|gitlab)\. (com)/(?=\w)|(https?:) ?/ ?/ ?(?=\w)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([_%#&~])|\\(?:textasciitilde|sim)\b(?:\{\})?")


def _urls(text: str) -> Iterator[tuple[str, str]]:
    """Each URL of a text, cleaned, with the words (up to 60 characters) before it."""
    plain = _BROKEN.sub(lambda m: f"{m[1]}.{m[2]}/" if m[1] else f"{m[3]}//", text)
    plain = _ESCAPED.sub(lambda m: m[1] or "~", plain)
    for match in _URL.finditer(plain):
        url = _trimmed(match[0])
        if not url.lower().startswith("http"):
            url = f"https://{url}"
        if "." in _host(url):
            yield url, plain[max(0, match.start() - 60) : match.start()].lower()


def _trimmed(url: str) -> str:
    """The URL without the sentence's punctuation and without brackets it did not open."""
    while url:
        last = url[-1]
        opening = {")": "(", "]": "["}.get(last)
        if last in ".,;:!?'*~$’”" or (opening and url.count(last) > url.count(opening)):
            url = url[:-1]
        else:
            break
    return url


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:  # an unclosed [ reads as a broken IPv6 address
        return ""


_CODE_HOSTS = ("github.com", "gist.github.com", "bitbucket.org", "codeberg.org", "anonymous.4open.science")
_VIDEO_HOSTS = ("youtube.com", "youtu.be", "vimeo.com", "bilibili.com")
_DEMO_HOSTS = ("colab.research.google.com", "replicate.com")
_DEMO_ENDS = (".streamlit.app", ".gradio.live", ".gradio.app", ".hf.space")
_PAGE_ENDS = (".github.io", ".gitlab.io", ".pages.dev", ".netlify.app", ".vercel.app")
_ELSEWHERE = ("arxiv.org", "doi.org", "openreview.net", "creativecommons.org", "zenodo.org")
_PAGE_WORDS = re.compile(r"(?:project|home|web) ?-?(?:page|site)|website|homepage")
_CODE_WORDS = re.compile(r"\b(?:code|implementation|repository|repo|toolkit)\b")
_DEMO_WORDS = re.compile(r"\bdemos?\b")


def _kind(url: str, before: str) -> LinkKind | None:
    """What a link leads to: by its host, else by the words before it; None when neither says."""
    host, path = _host(url), urlsplit(url).path.strip("/")
    if not path and host in (*_CODE_HOSTS, "gitlab.com", "huggingface.co"):
        return None
    by_host = _kind_of_host(host, path)
    if by_host is not None or host in _ELSEWHERE:
        return by_host
    return _kind_of_words(before)


def _kind_of_host(host: str, path: str) -> LinkKind | None:
    if host in _CODE_HOSTS or host.startswith("gitlab.") or host.endswith(".4open.science"):
        return "code"
    if host in ("huggingface.co", "hf.co"):
        return "demo" if path.startswith("spaces/") else "huggingface"
    if host in _VIDEO_HOSTS:
        return "video"
    if host in _DEMO_HOSTS or host.endswith(_DEMO_ENDS):
        return "demo"
    return "project" if host.endswith(_PAGE_ENDS) or host == "sites.google.com" else None


def _kind_of_words(before: str) -> LinkKind | None:
    """The kind named last before the URL."""
    named: dict[LinkKind, re.Pattern[str]] = {
        "project": _PAGE_WORDS,
        "code": _CODE_WORDS,
        "demo": _DEMO_WORDS,
    }
    ends = {kind: max((m.end() for m in word.finditer(before)), default=-1) for kind, word in named.items()}
    kind = max(ends, key=lambda k: ends[k])
    return kind if ends[kind] >= 0 else None


# Words of another paper or of a hope: what they say is no acceptance of this version.
_NOT_YET = re.compile(
    r"""\b(?: submi\w* | under\ (?:\w+\ )?(?:review|submission) | in\ review | revision | prepared\ for
        | extended\ (?:abstract\ )?version | extension\ of | journal\ version | rejected | withdrawn
        | conditionally )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_VERB = re.compile(
    r"""\b(?: (?P<accepted> accept(?:ed)?(?!\s+(?:author|manuscript|version)) | to\ appear
                          | to\ be\ (?:published|presented) | will\ (?:appear|be\ presented) )
           | (?P<published> published ) | (?P<presented> presented ) )\b
        (?: \s+(?:for|to|as|in)\s+ (?:an?\s+|the\s+|be\s+)?                   # for publication, as an oral,
            (?: (?: oral|poster|spotlight|conference|full|long|short|workshop|main|regular|journal|highlight
                  | research ) \s+ )?
            (?: publication|presentation|presented|published|appear|inclusion|oral|poster|spotlight|highlight
              | paper|article|talk|proceedings ) )?
        \s*,?\s+ (?:(?:at|to|by|for|in|with|on)\b|@) \s*:?\s*
        (?: appear\s+(?:at|in)\s+ | be\s+\w+\s+(?:at|in)\s+ )?
        (?: the\s+ )? (?: (?:proceedings|findings)\s+of\s+(?:the\s+)? )?""",
    re.IGNORECASE | re.VERBOSE,
)
# Where a venue's name ends.
_END = re.compile(
    r"""[.;|](?:\s|$) | \n | \s[-–—]\s | \s?https?:
      | ,\s*(?= \d+\s*(?:pages|pp|figures|tables)
              | (?:this|code|codes|project|source|camera|with|it|includ)\b )
      | [.!,]?\s*\(?\b(?: codes? | project\s?(?:page|website) | website | github
                        | \d+\ (?:pages|figures|tables) )\b
      | \s+and\s+(?:will|presented|published)\b""",
    re.IGNORECASE | re.VERBOSE,
)
# A name that stands alone: ICLR 2026, LaMAS@AAAI 2026 (Oral), CVPR 2026 Findings.
_BARE = re.compile(
    r"""(?: (?:IEEE|ACM|IEEE/CVF|ACM/IEEE)\ )?
        [A-Za-z@&*-]*[A-Z]{2}[A-Za-z@&*/-]* (?: \ [A-Z]{2}[A-Za-z]* )? [ -]?
        (?: 20\d\d | ['’]\d\d | (?<=-)\d\d )
        (?i: \s*[,(]?\s*(?: oral | spotlight | poster | highlight | main(?:\s(?:track|conference))?
                         | findings | workshop )\)? )*
        (?P<accepted> \ [Aa]ccepted )?""",
    re.VERBOSE,
)
_ACRONYM = re.compile(r"\(((?=[^()]*[A-Z]{2})[\w@&/+-]+(?:[ '’-]{1,2}\d{2,4})?)\)(?:,?\s+(20\d\d))?")


def venue(comments: str | None) -> Venue | None:
    """Where the comments say that the paper appears, the name as they write it; None where they do not.

    ``accepted (at|to|by|for|in) X``, ``to appear in X``, ``published in X`` or a bare ``X 2026 (oral)``.
    """
    hopeful = _NOT_YET.search(comments or "")
    for clause in re.split(r"(?<=[.;\n|])\s+", comments or ""):
        if _VERB.search(clause):
            found = None if _NOT_YET.search(clause) else _stated(clause)
        else:
            found = None if hopeful else _bare(clause)  # "MICCAI 2026; under review"
        if found is not None:
            return found
    return None


def _stated(clause: str) -> Venue | None:
    verb = _VERB.search(clause)
    if verb is None:
        return None
    rest = clause[verb.end() :]
    end = _END.search(rest)
    name = _short(rest[: end.start()] if end else rest)
    if not any(c.isupper() for c in name) or len(name) > 90:
        return None
    how: Literal["accepted", "published", ""] = "accepted" if verb["accepted"] else "published"
    return Venue(name, "" if verb["presented"] else how)


def _bare(clause: str) -> Venue | None:
    """``ICLR 2026``, ``CVPR 2026 (oral)``, ``ICRA2026 Accepted``: a piece that holds nothing else."""
    for piece in re.split(r"[,.;|]\s+|[.;]$|\s+[-–—]\s+", clause):
        match = _BARE.fullmatch(piece.strip(" .!"))
        if match:
            return Venue(
                match[0].removesuffix(match["accepted"] or ""), "accepted" if match["accepted"] else ""
            )
    return None


def _short(name: str) -> str:
    """The name without loose ends; where a long name gives its own acronym in brackets, that."""
    name = re.sub(r"^(?:the|an?)\s+|\s*\(\s*\)", "", name.strip(" \t.,;:!*"), flags=re.IGNORECASE)
    if name.count("(") > name.count(")"):
        name = name[: name.rindex("(")].rstrip(" ,") if len(name) - name.rindex("(") < 3 else f"{name})"
    acronym = _ACRONYM.search(name)
    if acronym is None or len(name) <= 40 or _BARE.match(name) or "workshop" in name.lower():
        return name  # the acronym of a workshop's host would claim more than the authors do
    return f"{acronym[1]} {acronym[2]}" if acronym[2] and acronym[2] not in acronym[1] else acronym[1]
