"""LaTeX read as Unicode: one pass over its commands, braces and words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from digest.latex.source import COMBINING, pieces
from digest.latex.symbols import (
    AROUND,
    ARROWS,
    DOUBLE_STRUCK,
    HATS,
    OPERATORS,
    PUNCTUATION,
    RAISED,
    SPACES,
    SUB,
    SUPER,
    SWITCHES,
    SYMBOLS,
    UNSEEN,
    symbols,
)
from digest.patterns import pattern

_SIGNS = frozenset("+-=<>")
_TOKEN = pattern(r"\\[A-Za-z]+\*?|\\.|\s+|[{}^_~&]|[^\\{}^_~&\s]+|\\", re.DOTALL)
_RUN = pattern(  # the same, words that stand together taken at once: 2.6 s for 13,397 texts, not 4.1
    r"\\[A-Za-z]+\*?|\\.|\s+|[{}^_~&]|[^\\{}^_~&\s]+(?: +[^\\{}^_~&\s]+)*|\\", re.DOTALL
)
_SIGNED = pattern("--|``|''")  # what prose reads word by word
_PLAIN_GROUP = pattern(r"[\w\s.:/+'’-]*")
_QUOTES = pattern("``|''")
_OPTION = pattern(r"[`'\"(\[]?--[A-Za-z]")
_DASHES = pattern(r"(?<![<-])-{2,}(?![->])")  # not the arrows --> and <--
_QUOTED = pattern(r"(?<![\w`])`([^`']{1,80})'(?![\w'])")
_LOOSE = pattern(r"(?<=[(\[⌊⌈⟨]) +| +(?=[)\]⌋⌉⟩,;])")  # TeX does not show these spaces
_MARKED = pattern(r"[\\$`~^{]|--")
_DEEPEST = 40  # groups inside groups; deeper braces are shown as they stand


class _Maths(str):
    """A piece that is maths already read."""

    __slots__ = ()


def read(text: str) -> str:
    """The text with its LaTeX read as Unicode; white space is left to the caller."""
    if _MARKED.search(text) is None:
        return text
    tokens: list[str] = []
    for piece, span in pieces(text):
        if span:
            tokens.append(_Maths(_read_maths(span.inner)))
        else:
            tokens += (_TOKEN if _SIGNED.search(piece) else _RUN).findall(piece)
    return _QUOTED.sub(r"‘\1’", _Reader(tokens, maths=False).all())


def _read_maths(inner: str) -> str:
    return _LOOSE.sub("", _Reader(_TOKEN.findall(inner), maths=True).all().strip())


class _Reader:
    """Reads tokens once, from left to right, in prose or in maths."""

    def __init__(self, tokens: list[str], *, maths: bool) -> None:
        self.tokens = tokens
        self.at = 0
        self.maths = maths
        self.depth = 0
        self.quotes = 0

    def all(self) -> str:
        out: list[str] = []
        while self.at < len(self.tokens):
            self.one(out)
        return "".join(out)

    # One element ----------------------------------------------------------------------------------

    def one(self, out: list[str]) -> None:
        """Read the next element and add what it shows to ``out``."""
        piece = self.tokens[self.at]
        self.at += 1
        if isinstance(piece, _Maths):
            self.inset(piece, out)
        elif piece[0] == "\\" and len(piece) > 1:
            self.command(piece[1:].rstrip("*") or "*", out)
        elif piece == "{":
            out.append(self.braces())
        elif piece in ("^", "_"):
            self.script(piece, out)
        elif piece == "~":
            out.append(self.tie(out))
        elif self.maths:
            out.append(self.formula(piece))
        else:
            out.append(self.prose(piece, out))

    def inset(self, piece: str, out: list[str]) -> None:
        """Maths within prose; a lone arrow draws its neighbours near: A→B."""
        if piece in ARROWS and self.peek().isspace() and out and out[-1].isspace():
            out.pop()
            self.at += 1
        out.append(piece)

    def braces(self) -> str:
        """A group in braces: they are TeX's, unless prose stands in them, as in {a, b}."""
        if self.depth >= _DEEPEST:
            return "{"
        start = self.at
        shown, closed = self.group()
        inside = "".join(self.tokens[start : self.at - closed])
        if not closed:
            return "{" + shown
        if self.maths or inside.startswith("\\") or _PLAIN_GROUP.fullmatch(inside):
            return shown
        return "{" + shown + "}"

    def group(self) -> tuple[str, bool]:
        """What stands up to the closing brace, and whether there is one."""
        out: list[str] = []
        self.depth += 1
        while self.at < len(self.tokens) and self.tokens[self.at] != "}":
            self.one(out)
        self.depth -= 1
        closed = self.at < len(self.tokens)
        self.at += closed
        return "".join(out), closed

    def script(self, sign: str, out: list[str]) -> None:
        """A super- or subscript; in prose only where it can be nothing else."""
        if not self.maths and self.peek() != "{":
            digits = re.match(r"[-+]?\d+", self.peek()) if sign == "^" else None
            if digits and out and out[-1][-1:].isalnum():
                self.tokens[self.at] = self.peek()[digits.end() :] or "{"
                if self.tokens[self.at] == "{":
                    self.at += 1
                sign = _raise(digits[0])
            out.append(sign)
            return
        argument = self.argument()
        out.append(_raise(argument) if sign == "^" else _lower(argument))

    def tie(self, out: list[str]) -> str:
        """``~`` ties words in TeX, and says "about" or "home" in plain text."""
        before, after = (out[-1][-1:] if out else ""), self.peek()[:1]
        if self.maths or after == "\\":
            return " "
        loose = not before or before.isspace() or not after or after.isspace() or before in "/(["
        return "~" if loose or (before.isdigit() and after.isdigit()) else " "

    def formula(self, piece: str) -> str:
        """A run of plain characters in maths."""
        if piece == "&":
            return " "
        if piece == "}":
            return ""
        return piece.replace("'", "′").replace("-", "−")

    def prose(self, piece: str, out: list[str]) -> str:
        """A run of plain characters in prose: dashes and quotes as TeX means them."""
        if "--" in piece and ("`" not in piece or "``" in piece):
            option = _OPTION.match(piece) and (not out or out[-1].isspace())
            if not option:
                piece = _DASHES.sub(lambda dash: "–" if len(dash[0]) == 2 else "—", piece)
        if "``" in piece or ("''" in piece and self.quotes):
            piece = _QUOTES.sub(self.quote, piece)
        return piece

    def quote(self, match: re.Match[str]) -> str:
        """Two primes close a quotation only where one is open: 5'' stays."""
        if match[0] == "``":
            self.quotes += 1
            return "“"
        if not self.quotes:
            return match[0]
        self.quotes -= 1
        return "”"

    # Commands -------------------------------------------------------------------------------------

    def command(self, name: str, out: list[str]) -> None:
        """A command without its backslash."""
        if not name[0].isalpha() or not name.isascii():
            out.append(self.sign(name))
        elif name in SWITCHES:
            self.switch(name)
        elif name in SPACES:
            out.append(" ")
        elif name in UNSEEN:
            self.argument()
        elif name in _COMMANDS:
            out.append(_COMMANDS[name](self))
        elif name in HATS:
            out.append(self.hat(name))
        elif name in AROUND:
            left, right = AROUND[name][0], AROUND[name][1]
            out.append(left + self.argument() + right)
        else:
            self.symbol(name, out)

    def sign(self, name: str) -> str:
        """A command of one sign: an accent, a space, or the sign itself."""
        if name in COMBINING and not self.maths and self.peek() == "{":
            return self.over(COMBINING[name], self.argument())
        return " " if name.isspace() else PUNCTUATION.get(name, name)

    def switch(self, name: str) -> None:
        """A command that changes how it looks and shows nothing."""
        self.blank()
        if name in ("left", "right", "middle") and self.peek()[:1] == ".":
            self.take(1)

    def hat(self, name: str) -> str:
        if name == "not":
            self.blank()
            return self.over(HATS[name], self.element())
        return self.over(HATS[name], self.argument())

    @staticmethod
    def over(mark: str, base: str) -> str:
        return unicodedata.normalize("NFC", base + mark) if len(base) == 1 else base

    def symbol(self, name: str, out: list[str]) -> None:
        """A symbol, the argument of a command we do not know, or its name: never nothing."""
        shown = SYMBOLS.get(name) if self.maths or len(name) > 1 else None
        if shown is None and not (self.maths and len(name) == 1):
            shown = symbols().get(name)
        if self.peek() == "{" and (shown is None or not shown):
            argument = self.argument()
            whole = symbols().get(name + argument) if len(name) == 1 and len(argument) > 1 else None
            out.append(whole or argument or name)  # \r{ho}: arXiv's own trace of a lost \rho
        elif shown is None or (self.maths and len(shown) > 1 and shown.isalpha()):
            self.word(shown or name, out)
        elif self.maths:
            self.operator(shown, out)
        else:
            out.append(shown)

    def word(self, name: str, out: list[str]) -> None:
        """A name such as \\log, set off from the letters beside it."""
        if self.maths:
            if out and (out[-1][-1:].isalnum() or out[-1][-1:] in ")]"):
                out.append(" ")
            self.blank()
            out.append(
                name + (" " if self.peek()[:1].isalnum() or self.peek()[:2].lstrip("\\").isalpha() else "")
            )
        else:
            out.append(name)

    def operator(self, shown: str, out: list[str]) -> None:
        """A symbol in maths: the space after a command is TeX's, that around an operator is even."""
        at = self.at
        self.blank()
        spaced = (
            bool(out) and out[-1].isspace()
            if shown in OPERATORS
            else self.at > at and self.peek()[:1] in _SIGNS
        )
        out.append(shown + " " if spaced else shown)

    # Arguments ------------------------------------------------------------------------------------

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def blank(self) -> None:
        if self.peek().isspace():
            self.at += 1

    def take(self, count: int) -> str:
        """The first characters of the next run."""
        piece = self.tokens[self.at]
        if len(piece) <= count:
            self.at += 1
        else:
            self.tokens[self.at] = piece[count:]
        return piece[:count]

    def argument(self) -> str:
        """A command's argument: a group; in maths also the next single element."""
        at = self.at
        self.blank()
        if self.peek() == "{" and self.depth < _DEEPEST:
            self.at += 1
            return self.group()[0].strip()
        if not self.maths or not self.peek() or self.peek() in "}^_{":
            self.at = at
            return ""
        if self.peek()[0] != "\\":
            return self.formula(self.take(1))
        return self.element()

    def element(self) -> str:
        """The next single element, unless it lies too deep."""
        shown: list[str] = []
        if self.peek() not in ("", "}") and self.depth < _DEEPEST:
            self.depth += 1
            self.one(shown)
            self.depth -= 1
        return "".join(shown).strip()

    def raw(self) -> str:
        """An argument as it is written, for addresses; escapes of single signs are undone."""
        if self.peek() != "{":
            return ""
        end = self.at
        while end < len(self.tokens) and self.tokens[end] != "}":
            end += 1
        source = "".join(self.tokens[self.at + 1 : end])
        self.at = min(end + 1, len(self.tokens))
        return re.sub(r"\\([%&#_~{}$])", r"\1", source).strip()

    def option(self) -> str:
        """An argument in brackets, if there is one within the next tokens."""
        if self.peek()[:1] != "[":
            return ""
        for end in range(self.at, min(self.at + 12, len(self.tokens))):
            head, bracket, rest = self.tokens[end].partition("]")
            if bracket:
                source = "".join([*self.tokens[self.at : end], head])[1:]
                self.tokens[end] = rest
                self.at = end if rest else end + 1
                return source
        return ""

    def plain(self) -> str:
        """An argument that is prose, also within maths."""
        outer, self.maths = self.maths, False
        self.blank()
        shown = self.argument() if self.peek() == "{" else ""
        self.maths = outer
        return shown


# --- commands with a way of their own -------------------------------------------------------------


def _raise(shown: str) -> str:
    return RAISED.get(shown) or _script(shown, "^", SUPER)


def _lower(shown: str) -> str:
    return _script(shown, "_", SUB)


_WORD = pattern(r"[A-Za-z]{3,}")


def _script(shown: str, sign: str, table: dict[int, int]) -> str:
    """Raised or lowered as far as Unicode has the letters; words stay words: d_min, not dₘᵢₙ."""
    tight = "".join(shown.split())
    if not tight:
        return ""
    if all(ord(letter) in table or letter == "," for letter in tight) and not _WORD.search(tight):
        return tight.translate(table)
    return sign + _wrapped(shown)


def _wrapped(shown: str) -> str:
    """In parentheses unless it is one word, number or symbol."""
    if (
        len(shown) == 1
        or shown.replace(".", "").isalnum()
        or (shown[:1] == "(" and shown.find(")") == len(shown) - 1)
    ):
        return shown
    return f"({shown})"


def _fraction(reader: _Reader) -> str:
    above, below = reader.argument(), reader.argument()
    if not above or not below:
        return above or below
    return f"{_wrapped(above)}/{_wrapped(below)}"


def _root(reader: _Reader) -> str:
    degree, inner = reader.option(), reader.argument()
    sign = "√" if degree in ("", "2") else _raise(degree) + "√"
    return sign + (_wrapped(inner) if inner else "")


def _binomial(reader: _Reader) -> str:
    above, below = reader.argument(), reader.argument()
    return f"({above} choose {below})"


def _stacked(reader: _Reader) -> str:
    above, below = reader.argument(), reader.argument()
    return below + (_raise(above) if above else "")


def _set_below(reader: _Reader) -> str:
    below, base = reader.argument(), reader.argument()
    return base + (_lower(below) if below else "")


def _double_struck(reader: _Reader) -> str:
    shown = reader.argument()
    return "".join(DOUBLE_STRUCK.get(letter) or _shifted(letter) for letter in shown)


def _shifted(letter: str) -> str:
    """The double-struck letter: U+1D538 on for capitals, U+1D552 for small ones, U+1D7D8 for digits."""
    if not letter.isascii() or not letter.isalnum():
        return letter
    first, block = (
        ("0", 0x1D7D8) if letter.isdigit() else ("A", 0x1D538) if letter.isupper() else ("a", 0x1D552)
    )
    return chr(block + ord(letter) - ord(first))


def _citation(reader: _Reader) -> str:
    reader.option()
    reader.option()
    keys = reader.raw()
    return f"[{keys}]" if keys else ""


def _link(reader: _Reader) -> str:
    address = reader.raw()
    shown = reader.argument()
    if not shown or shown in address:
        return address or shown
    return f"{shown} ({address})" if address else shown


def _coloured(reader: _Reader) -> str:
    reader.raw()
    return reader.argument()


def _character(reader: _Reader) -> str:
    """MathJax's \\unicode{x2013}."""
    code = reader.raw()
    match = re.fullmatch(r"[xX]([0-9A-Fa-f]{2,6})", code)
    number = int(match[1], 16) if match else 0
    return chr(number) if 0x20 <= number < 0xD800 or 0xE000 <= number < 0x110000 else code


def _quantity(reader: _Reader) -> str:
    return f"{reader.argument()} {reader.argument()}".strip()


_COMMANDS: dict[str, Callable[[_Reader], str]] = {
    **dict.fromkeys(["frac", "tfrac", "dfrac", "cfrac", "nicefrac", "sfrac"], _fraction),
    **dict.fromkeys(
        ["text", "textrm", "textit", "textbf", "textsc", "texttt", "mbox", "hbox"], _Reader.plain
    ),
    **dict.fromkeys(
        ["mathrm", "mathit", "mathbf", "mathsf", "mathtt", "mathcal", "mathscr"], _Reader.argument
    ),
    **dict.fromkeys(["mathfrak", "boldsymbol", "bm", "pmb", "underline", "smash"], _Reader.argument),
    **dict.fromkeys(["mathbb", "mathds", "Bbb", "mathbbm"], _double_struck),
    **dict.fromkeys(["cite", "citep", "citet", "citealp", "citeauthor", "parencite", "textcite"], _citation),
    **dict.fromkeys(["url", "path", "ref", "eqref", "cref", "Cref", "autoref"], _Reader.raw),
    **dict.fromkeys(["binom", "tbinom", "dbinom"], _binomial),
    **dict.fromkeys(["stackrel", "overset"], _stacked),
    **dict.fromkeys(["SI", "qty"], _quantity),
    "sqrt": _root,
    "underset": _set_below,
    "href": _link,
    "hyperlink": _coloured,
    "textcolor": _coloured,
    "unicode": _character,
    "footnote": lambda reader: f" ({reader.argument()})",
    "pmod": lambda reader: f" (mod {reader.argument()})",
    "textsuperscript": lambda reader: _raise(reader.argument()),
    "textsubscript": lambda reader: _lower(reader.argument()),
    "over": lambda _: "/",
    "choose": lambda _: " choose ",
    "bmod": lambda _: " mod ",
    "mod": lambda _: " mod ",
}
