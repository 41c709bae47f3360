"""Names in two spellings: OAI-PMH and RSS carry TeX (``Andr\\'e``), the API's Atom carries Unicode."""

from __future__ import annotations

import re
import unicodedata

_MARKS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u0304": "=",
    "\u0307": ".",
    "\u030a": "r",
    "\u030c": "v",
    "\u0306": "u",
    "\u0327": "c",
    "\u0328": "k",
    "\u030b": "H",
    "\u0323": "d",
}
_LETTERS = {
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "ı": "i",
}
_ACCENT = re.compile(r"""\\([`'^~"=.])\{?([A-Za-z])\}?|\\([rvucHkd])\{([A-Za-z])\}""")
_LETTER = re.compile(r"\{\\(ss|ae|AE|oe|OE|o|O|l|L|i)\}")
_GREEK = re.compile(
    r"\\(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon"
    r"|phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega)(?![A-Za-z]) ?"
)


def to_tex(text: str) -> str:
    """The text with TeX for the accents that arXiv knows; other letters stay as they are."""
    return (
        text
        if text.isascii()
        else "".join(_tex_letter(letter) for letter in unicodedata.normalize("NFC", text))
    )


def _tex_letter(letter: str) -> str:
    if letter in _LETTERS:
        return f"{{\\{_LETTERS[letter]}}}"
    base, mark = (*unicodedata.normalize("NFD", letter), "", "")[:2]
    if mark not in _MARKS or not (base.isascii() and base.isalpha()):
        return letter
    command = _MARKS[mark]
    return f"\\{command}{{{base}}}" if command.isalpha() else f"\\{command}{base}"


def to_unicode(text: str) -> str:
    """The text with letters for TeX accents, as the API gives it."""
    if "\\" not in text:
        return text
    marks = {command: mark for mark, command in _MARKS.items()}
    letters = {command: letter for letter, command in _LETTERS.items()}
    text = _LETTER.sub(lambda found: letters[found[1]], text)
    text = _ACCENT.sub(lambda found: (found[2] or found[4]) + marks[found[1] or found[3]], text)
    return unicodedata.normalize("NFC", text)


def greek(text: str) -> str:
    """Greek letters for their TeX names: the API does so in titles and abstracts."""
    if "\\" not in text:
        return text
    names = {"Lambda": "Lamda", "lambda": "lamda"}
    return _GREEK.sub(lambda found: _greek_letter(names.get(found[1], found[1])), text)


def _greek_letter(name: str) -> str:
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    return unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
