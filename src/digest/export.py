"""Papers and posts as files that other programs read: Markdown, BibTeX, JSON, CSV.

The same papers give the same bytes. A key in BibTeX is made of the paper's id alone, so it holds when
titles or authors change.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import msgspec
from msgspec import Struct

from digest import ids
from digest.links import links, venue
from digest.summarize import summarize
from digest.text import detached, readable
from digest.types import Paper, Part, Post

Format = Literal["markdown", "bibtex", "json", "csv"]

COLUMNS = ("id", "version", "title", "authors", "announced", "categories", "doi", "venue", "url", "code")


class Entry(Struct, frozen=True):
    """A paper to be written, and the posts that show it."""

    paper: Paper
    posts: tuple[str, ...] = ()


def papers(found: Sequence[Entry], form: Format, title: str) -> str:
    """Papers as a file of this form."""
    writers = {"markdown": _list, "bibtex": _bibtex, "json": _json, "csv": _csv}
    return writers[form](found, title)


def posts(found: Sequence[Post]) -> str:
    """Posts as one Markdown text, as they were or will be sent."""
    return "\n\n".join(_post(post) for post in found) + "\n"


# --- Markdown (https://spec.commonmark.org) -------------------------------------------------------


def _list(found: Sequence[Entry], title: str) -> str:
    return "\n".join([f"# {markdown(title)}", "", *map(_line, found)]) + "\n"


def _line(entry: Entry) -> str:
    paper = entry.paper
    by = ", ".join(map(readable, paper.authors[:3])) + (" et al." if len(paper.authors) > 3 else "")
    told = summarize(paper, 1)
    where = " · ".join(f"[{one.kind}]({_url(one.url)})" for one in links(paper) if one.kind != "paper")
    head = (
        f"- [{markdown(readable(paper.title))}]({ids.abs_url(paper.id)}), {markdown(by)}, {paper.announced}"
    )
    lines = [head, *(f"  {markdown(readable(detached(one)))}" for one in told), f"  {where}"]
    return "  \n".join(lines)


_MARKED = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
_BEGINS = re.compile(r"^([ \t]*\d*)([-+=.)])", re.MULTILINE)


def markdown(text: str) -> str:
    """Plain text as it can stand anywhere in Markdown."""
    return _BEGINS.sub(r"\1\\\2", _MARKED.sub(r"\\\1", text))


def _url(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def _post(post: Post) -> str:
    about = f"{', '.join(post.topics)}, {post.genre}, {post.language}, {post.slot}"
    return "\n\n".join([f"## {markdown(about)}", *(_marked_up(part) for part in post.parts)])


_SIGNS = {"bold": "**", "italic": "*", "strikethrough": "~~", "code": "`"}


def _marked_up(part: Part) -> str:
    """A message in Markdown: links, bold, italic, code and quotations; each line ends where it ended."""
    codes = part.text.encode("utf-16-le")
    marks: list[tuple[int, int, str]] = []
    for order, one in enumerate(part.entities):
        end = one.offset + one.length
        sign = _SIGNS.get(one.type, "")
        before, after = ("[", f"]({_url(one.url or '')})") if one.type == "text_link" else (sign, sign)
        marks += [(one.offset, order, before), (end, -order - 1, after)] if before else []
    quotes = [(one.offset, one.offset + one.length) for one in part.entities if "blockquote" in one.type]
    cuts = sorted({0, len(codes) // 2, *(at for at, _, _ in marks), *(at for pair in quotes for at in pair)})
    pieces = []
    for start, end in pairwise(cuts):
        pieces += [mark for at, order, mark in sorted(marks) if at == start and order < 0]
        pieces += ["> "] if any(start == first for first, _ in quotes) else []
        pieces += [mark for at, order, mark in sorted(marks) if at == start and order >= 0]
        text = markdown(codes[2 * start : 2 * end].decode("utf-16-le"))
        quoted = any(first <= start < last for first, last in quotes)
        pieces.append(text.replace("\n", "\n> ") if quoted else text)
    pieces += [mark for at, order, mark in sorted(marks) if at == len(codes) // 2 and order < 0]
    ended = re.sub(r"(?m)^(>.*)\n(?![>\n])", r"\1\n\n", "".join(pieces))  # or the next line would join it
    return re.sub(r"(?<!\n)\n(?!\n)", "  \n", ended)


# --- BibTeX (https://info.arxiv.org/help/hypertex/bibstyles) --------------------------------------


def _bibtex(found: Sequence[Entry], _: str) -> str:
    return "\n".join(_record(entry.paper) for entry in found)


def _record(paper: Paper) -> str:
    fields = {
        "title": f"{{{latex(paper.title)}}}",
        "author": " and ".join(_author(name) for name in paper.authors),
        "year": str(paper.submitted.year),
        "month": str(paper.submitted.month),
        "eprint": paper.id,
        "archiveprefix": "arXiv",
        "primaryclass": paper.primary,
        "doi": paper.doi or "",
        "journal": latex(paper.journal_ref or ""),
        "note": latex(paper.comments or ""),
        "url": ids.abs_url(paper.id),
    }
    rows = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{key(paper.id)},\n" + ",\n".join(rows) + "\n}\n"


def key(id_: str) -> str:
    """The key of a paper: ``arXiv:2107.05580``, ``arXiv:hep-th/9901001``."""
    return f"arXiv:{id_}"


_PARTICLES = frozenset(re.findall(r"\w+", "van von der den de del della di da dos du la le ter ten bin al"))


def _author(name: str) -> str:
    """``Last, First``; the particles of a last name stay with it, and a name of one word is itself."""
    words = unicodedata.normalize("NFC", name).replace("{", "").replace("}", "").split()
    suffix = (
        words.pop() if len(words) > 2 and words[-1].rstrip(".") in ("Jr", "Sr", "II", "III", "IV") else ""
    )
    at = next((n for n in range(1, len(words)) if words[n].lower() in _PARTICLES), len(words) - 1)
    if len(words) < 2:
        return f"{{{latex(name)}}}"
    last, first = " ".join(words[at:]), " ".join(words[:at])
    parts = [last, suffix, first] if suffix else [last, first]
    return ", ".join(latex(part) if part != "and" else "{and}" for part in parts)


_SPECIAL = {letter: f"\\{letter}" for letter in "&%#_$"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
}


def latex(text: str) -> str:
    r"""A text of arXiv as LaTeX that compiles: its maths and commands stay where they are whole, else it
    is written as plain text with LaTeX's specials escaped. Accents become commands (``{\"o}``), so that
    8-bit BibTeX sorts them; letters without a command, such as Chinese ones, stay."""
    if not _is_sound(text):
        return "".join(_SPECIAL.get(letter, letter) for letter in _encoded(readable(text)))
    pieces = re.split(r"((?<!\\)\$(?:\\.|[^$\\])*\$)", text)
    return "".join(one if at % 2 else _escaped(one) for at, one in enumerate(pieces))


def _escaped(text: str) -> str:
    """Specials outside maths that are not escaped yet."""
    return _encoded(re.sub(r"(?<!\\)[&%#_~^]", lambda found: _SPECIAL[found[0]], text))


def _encoded(text: str) -> str:
    if text.isascii():
        return text
    return "".join(map(_letter, unicodedata.normalize("NFC", text)))


@cache
def _letter(letter: str) -> str:
    if letter.isascii() or not unicodedata.name(letter, "").startswith("LATIN"):
        return letter
    return str(_encoder().unicode_to_latex(letter))


@cache
def _encoder() -> Any:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

    how = {"replacement_latex_protection": "braces-all", "unknown_char_policy": "keep"}
    return UnicodeToLatexEncoder(**how, unknown_char_warning=False)


def _is_sound(text: str) -> bool:
    """Whether dollars and braces of a LaTeX text are in pairs, in the right order. BibTeX counts braces
    that are escaped, too."""
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0 and re.sub(r"\\.", "", text).count("$") % 2 == 0 and not text.endswith("\\")


# --- JSON and CSV ---------------------------------------------------------------------------------


def _json(found: Sequence[Entry], _: str) -> str:
    rows = [_row(entry) | {"abstract": readable(entry.paper.abstract)} for entry in found]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n"


def _csv(found: Sequence[Entry], _: str) -> str:
    """RFC 4180, with a head. A cell that a spreadsheet would take for a formula begins with an apostrophe
    (https://owasp.org/www-community/attacks/CSV_Injection)."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow((*COLUMNS, "posts"))
    lines.writerows([[_cell(value) for value in _row(entry).values()] for entry in found])
    return text.getvalue()


def _row(entry: Entry) -> dict[str, object]:
    paper = entry.paper
    place = venue(paper.comments)
    code = next((one.url for one in links(paper) if one.kind == "code"), "")
    values = (paper.id, paper.version, readable(paper.title), [readable(name) for name in paper.authors])
    more = (str(paper.announced), list(paper.categories), paper.doi or "", place.name if place else "")
    row = dict(zip(COLUMNS, (*values, *more, ids.abs_url(paper.id), code), strict=True))
    return row | {"posts": list(entry.posts)}


def _cell(value: object) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r") else text
