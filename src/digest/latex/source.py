"""What stands in the source: accents, and stretches of maths."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from digest.patterns import pattern

# --- accents --------------------------------------------------------------------------------------

COMBINING = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331",
}  # fmt: skip
_LETTERS = {
    "l": "ł", "L": "Ł", "o": "ø", "O": "Ø", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "aa": "å",
    "AA": "Å", "dj": "đ", "DJ": "Đ", "th": "þ", "TH": "Þ", "dh": "ð", "DH": "Ð", "ng": "ŋ", "NG": "Ŋ",
    "i": "ı",
    "j": "ȷ",
}  # fmt: skip
_ACCENT = pattern(
    r"""(?=[\\{])  # told at once where nothing can begin: six times as fast
    (?: (?P<newline>\\\\)
    | (?P<apostrophe>(?<=[A-Za-z])\\'(?=(?:s|re|ve|ll|m)(?![^\W_])))      # it\'s, an escape too many
    | (?P<quote>(?<![\w}])\\"(?=[^"\\{}]{1,60}\\"(?![\w{\\])) | \\"(?=[\s.,;:!?)]|\Z))     # \"so\", the same
    | (?P<open>\{)?
      (?: \\(?P<sign>['`^"~=.])
            (?:\{(?P<in1>\\[ij]|[^\W\d_])\} | \{\{(?P<in2>[^\W\d_])\}\}
              | (?P<bare>\\[ij](?:\s+|(?![A-Za-z]))|[^\W\d_]))
        | \\(?P<mark>[cvuHkrdb]) \s* \{(?P<in3>\\[ij]|[^\W\d_])\}
        | \\(?P<spaced>[cvuHk]) \s+ (?P<next>[^\W\d_])
        | \\(?P<letter>ss|ae|AE|oe|OE|aa|AA|dj|DJ|th|TH|dh|DH|ng|NG|[lLoOij])
            (?:\{\}|\\(?=\s)|\s+|(?![A-Za-z(_^])) )
      (?P<close>\})?)""",
    re.VERBOSE,
)
# What an accent begins with; ten times as fast to look for, since it begins with one letter.
_PERHAPS = pattern(
    r"\\(?:['`^\"~=.]|(?:[cvuHkrdblLoOij]|ss|ae|AE|oe|OE|aa|AA|d[jh]|D[JH]|th|TH|ng|NG)(?![A-Za-z]))"
)
_COMMAND_BEFORE = pattern(r"\\[A-Za-z]+\*?\Z")


def accents(text: str) -> str:
    r"""Decode TeX accents and letters outside maths: ``Andr\'e`` to André, ``{\l}`` to ł.

    Only what Unicode has as one letter is decoded; the rest, and all maths, stays as it is.
    """
    if "\\" not in text or _PERHAPS.search(text) is None:
        return text
    return "".join(piece if span else _ACCENT.sub(_letter, piece) for piece, span in pieces(text))


def _letter(match: re.Match[str]) -> str:
    """The letter that an accent command stands for, or the command itself."""
    if match["newline"]:
        return match[0]
    if match["apostrophe"] or match["quote"]:
        return match[0][1:]
    if match["letter"]:
        letter = _LETTERS[match["letter"]]
    else:
        base = (match["in1"] or match["in2"] or match["bare"] or match["in3"] or match["next"]).strip("\\ ")
        letter = _accented(base, match["sign"] or match["mark"] or match["spaced"])
        if len(letter) > 1 or (match["sign"] in ("~", "^") and match.string[: match.start()][-1:] == "/"):
            return match[0]
    opening, closing = match["open"] or "", match["close"] or ""
    if (
        opening
        and closing
        and not _COMMAND_BEFORE.search(match.string, max(0, match.start() - 24), match.start())
    ):
        opening = closing = ""
    return opening + letter + closing


def _accented(base: str, accent: str) -> str:
    return unicodedata.normalize("NFC", base + COMBINING[accent])


# --- maths ----------------------------------------------------------------------------------------


class Span(NamedTuple):
    """A stretch of maths: ``text[start:end]`` with its delimiters, ``inner`` without."""

    start: int
    end: int
    inner: str


_MATHS = pattern(
    r"""\\\((?P<round>(?:[^\\]|\\[^()])*+)\\\)
    | \\\[(?P<square>(?:[^\\]|\\[^\[\]])*+)\\\]
    | \$\$(?P<display>(?:[^$\\]|\\.)++)\$\$
    | \$(?P<inline>(?:[^$\\]|\\.)++)\$
    | \\.""",
    re.VERBOSE | re.DOTALL,
)
_MATHS_SIGN = pattern(r"\\(?![%&#$ ])|[\^_={}<>|]")
_PRICE = pattern(r"\s*\d[^{}\\^_=]*?(?<![A-Za-z])[A-Za-z]{3,}")  # $5 million and ...
_AMOUNT = pattern(r"\d[\d.,]* ?\w+")  # $30 FPS$
_PROSE = pattern(r"[A-Za-z]{3,},? [A-Za-z]{2,} [A-Za-z]{2,}")


def maths(text: str) -> Iterator[Span]:
    """The stretches of maths of a text, in order: $...$, $$...$$, \\(...\\), \\[...\\].

    Dollars that are money are told from maths by what stands between them: "$5 and $6" is none.
    """
    at = 0
    while match := _MATHS.search(text, at):
        kind = match.lastgroup
        at = match.end()
        if kind is None:
            continue
        if kind != "inline" or _is_maths(match[kind], text[at : at + 1]):
            yield Span(match.start(), at, match[kind])
        else:
            at = match.start() + 1


def _is_maths(inner: str, after: str) -> bool:
    """Do dollars around ``inner`` mean maths? pandoc's rule (no space inside the dollars, no digit
    after them; https://pandoc.org/MANUAL.html#math), eased where only maths can be meant."""
    if inner.isspace() or (_PRICE.match(inner) and (after.isalnum() or not _AMOUNT.fullmatch(inner))):
        return False
    if _MATHS_SIGN.search(inner):
        return True
    if _PROSE.search(inner) or (inner[0].isdigit() and after.isdigit()):
        return False
    if inner[0].isspace() != inner[-1].isspace():
        return not inner[0].isdigit() and not after.isalnum() and len(inner.split()) == 1
    return True


def pieces(text: str) -> Iterator[tuple[str, Span | None]]:
    """The text in order, cut into maths and what stands between."""
    at = 0
    for span in maths(text):
        if span.start > at:
            yield text[at : span.start], None
        yield text[span.start : span.end], span
        at = span.end
    if at < len(text):
        yield text[at:], None
