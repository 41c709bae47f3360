"""Text of papers: what is stored, what is shown, and where its sentences end. All functions are
total: whatever comes in, they give an answer and raise nothing."""

from __future__ import annotations

import re
import unicodedata

from digest import latex
from digest.patterns import pattern

# --- what is stored -------------------------------------------------------------------------------

# Control characters, surrogates (no UTF-8 holds them), the byte order mark, and the marks that turn
# the direction of a whole line (https://www.unicode.org/reports/tr9/#Explicit_Directional_Embeddings).
_DROPPED = pattern("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")

_PRINTABLE = bytes(range(0x20, 0x7F))


def clean(text: str) -> str:
    r"""What is stored: TeX accents decoded outside maths (``Andr\'e`` to André), white space
    collapsed, control characters dropped, NFC. Maths and commands stay as source. Text that is clean
    already comes back as the same object: a snapshot holds millions of them."""
    text = text.replace("\n", " ").strip()  # all that most texts need; a snapshot's abstracts are wrapped
    if not _is_printable(text):
        text = " ".join(_DROPPED.sub("", text).split())
    elif "  " in text:
        text = " ".join(text.split())
    if "\\" in text:
        text = latex.accents(text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _is_printable(text: str) -> bool:
    """str.isprintable, for ASCII in a third of the time."""
    return not text.encode().translate(None, _PRINTABLE) if text.isascii() else text.isprintable()


# --- what is shown --------------------------------------------------------------------------------


def readable(text: str) -> str:
    r"""What is shown: the LaTeX of a title or abstract as Unicode, NFC: ``$x^2$`` is x²,
    ``\emph{so}`` is so, and Markdown without its signs. Plain text and plain dollars stay as they are."""
    return clean(_without_markdown(latex.read(clean(text))))


# **bold**, *so*, `code`, [text](address): https://spec.commonmark.org/0.31.2/#inlines
_MARKDOWN = pattern(
    r"(?<![\w*])(\*\*|\*)(?=[\w(“])(?P<strong>[^*]{1,200}?)(?<=[^\s*])\1(?![\w*])"
    r"|(?<![`\w])(`{1,2})(?=[^\s`])(?P<code>[^`]{1,200}?)(?<=[^\s`])\3(?![`\w])"
    r"|\[(?P<text>[^][]{1,200})\]\((?:https?://|www\.|[\w-]+\.[\w.-]+/)[^\s()]*\)"
)


def _without_markdown(text: str) -> str:
    if "*" not in text and "`" not in text and "](" not in text:
        return text
    return _MARKDOWN.sub(lambda found: found["strong"] or found["code"] or found["text"], text)


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, as Telegram counts (https://core.telegram.org/api/entities)."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


# --- sentences ------------------------------------------------------------------------------------


_POINTS_BACK = pattern(
    r"""^(?: (?:however|but|yet|still|thus|hence|therefore|moreover|furthermore|additionally|in\ addition
        |finally|as\ a\ result|consequently|instead|accordingly|specifically|in\ particular|notably
        |(?:first|second|third)(?:ly)?|then|next|also|here),\s
      | (?:to|in\ order\ to|build\w*|based|leverag\w*|exploit\w*|draw\w*|motivated|inspired|guided|driven
          |informed|with\ this\ in)\b
        [^,;:.]{0,120}? \b(?:this|these|those|such|it|them|both)\b
        (?!\ (?:paper|work|study|article|report|survey|thesis)\b) [^,;:.]{0,80}? ,?\s (?=(?:we|our)\b) )
      (?=\w)""",
    re.IGNORECASE | re.VERBOSE,
)


def detached(sentence: str) -> str:
    """A sentence as it is quoted alone: what only leans on the one before ("To address this, ...") is left
    out, and ``…`` stands for it. Conditions ("In this setting, ...") stay: a claim is never made wider."""
    rest = _POINTS_BACK.sub("", sentence)
    return f"…{rest}" if rest != sentence and len(rest.split()) > 4 else sentence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_END = pattern(r"""[.!?…]+(?:["'”’»)\]}$]|\\\))*(?=\s|\Z)|[。！？]+["'”’»）」』】)]*""")
_ABBREVIATIONS = _words(
    """e.g i.e al vs proc abbr cf w.r.t resp viz approx aka a.k.a i.i.d etal ca esp incl s.t st dr mr
    mrs ms prof jr ph.d т.е т.к т.н т.д т.п напр см рис табл стр им др проф акад гг"""
)
# Before a number.
_NUMBERED = _words(
    """fig figs eq eqs eqn eqns sec secs ch chap no nos vol pp p def thm lem prop cor tab alg algs app
    ref refs ex art n nr г с п гл"""
)
_STARTERS = _words(
    """A An The This These That Those We Our In It Its To For On As At By From With However Moreover
    Here There Then Thus Hence If When While Using Based Experiments Results Such Both"""
)
_ITEMS = frozenset(map(str, range(1, 21)))  # "1. We show"
_LAST_WORD = pattern(r"[\w.]*\w(?=\W*\Z)")
_ENUMERATOR = pattern(r"(?:[:;,(]|\b(?:and|or))\s*\d{1,2}\Z")  # in three ways: 1. By day, 2. By night
_OPENING = "\"'“‘«([{*`„"


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of an abstract, each as it stands in the text. None ends inside maths, after an
    abbreviation or an initial, or inside a number or an address."""
    maths = list(latex.maths(text)) if "$" in text or "\\" in text else []
    found, start, ahead = [], 0, 0
    for end in _END.finditer(text):
        while ahead < len(maths) and maths[ahead].end <= end.start():
            ahead += 1
        inside = ahead < len(maths) and maths[ahead].start < end.start() and end.end() < maths[ahead].end
        if not inside and _ends_sentence(text, start, end):
            found.append(text[start : end.end()].strip())
            start = end.end()
    found.append(text[start:].strip())
    return tuple(sentence for sentence in found if sentence)


def _ends_sentence(text: str, start: int, end: re.Match[str]) -> bool:
    """Does the sentence that began at ``start`` end with this punctuation?"""
    following = text[end.end() : end.end() + 40].split(maxsplit=1)
    if not following or end[0][0] in "。！？":
        return True
    after = following[0].lstrip(_OPENING)
    if after[:1].islower() and not _mixed(after):
        return False
    return end[0][0] in "!?…" or not _abbreviates(text[max(start, end.start() - 24) : end.start()], after)


def _mixed(word: str) -> bool:
    """A name that begins small and goes on large: iPhone, mBERT."""
    return any(letter.isupper() for letter in word[1:])


def _abbreviates(before: str, after: str) -> bool:
    """Does the full stop after ``before`` belong to an abbreviation or an initial?"""
    last = _LAST_WORD.search(before)
    if last is None:
        return False
    word = last[0].lower()
    if word in _ABBREVIATIONS or before.strip(_OPENING + " ") == word in _ITEMS:
        return True
    if word in _NUMBERED:
        return after[:1].isdigit() or after[:1] in "$\\" or word in ("fig", "figs", "eq", "eqs")
    if _ENUMERATOR.search(before):
        return True
    initial = len(word.rpartition(".")[2]) == 1 and last[0][-1].isupper()
    return initial and _may_be_name(re.split(r"\W", after, maxsplit=1)[0])


def _may_be_name(word: str) -> bool:
    """May this follow an initial? Another initial or a name does, The and GPT do not."""
    return word not in _STARTERS and word[:1].isupper() and (len(word) == 1 or word[1:].islower())
