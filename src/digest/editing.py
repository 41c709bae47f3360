"""Changing a post by hand: its source for an editor, and what becomes of it when papers come and go.

A post is blocks parted by blank lines. A block belongs to the paper of the post that its first link
to arXiv names; the others are prose. Three states are compared: the blocks as the template wrote them
(``written``), as they stand (``current``), and as the template writes them for the papers wanted now
(``fresh``). What differs between the first two is by hand and stays; all else follows the template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher, unified_diff

from msgspec import Struct
from msgspec.structs import replace

from digest import ids
from digest.errors import InputError
from digest.markup import MarkupError, blocks, check_shown, parse
from digest.types import Choice, Limits, Part, Post, Tier

BAR = "==="
_HEAD = re.compile(r"post (\d+), version (\d+)", re.IGNORECASE)
_LINK = re.compile(r"https?://(?:www\.)?arxiv\.org/(?:abs|pdf)/([^\s\"'<>?#]+)", re.IGNORECASE)
_NUMBER = re.compile(r"<b>\d+([.、])</b>")  # before a paper, as the templates write it
_HELP = """\
# The papers, in their order. Delete a line to drop a paper, move it, or write the id of another one.
# Below the bar is the text, in Telegram's HTML: <b> <i> <u> <s> <a href="..."> <code> <blockquote>.
# Blank lines part its blocks. Deleting a paper's block drops it too. What you write stays as you write it;
# what you leave alone follows the papers: numbers, counts, the legend. An empty file changes nothing.
"""


class Source(Struct, frozen=True):
    """What an author has made of a post's source."""

    post: int
    version: int
    papers: tuple[str, ...]
    text: str


class Revised(Struct, frozen=True):
    """The blocks of a changed post, the same as the template alone would have them, and what a person
    should know of it."""

    blocks: tuple[str, ...]
    written: tuple[str, ...]
    notes: tuple[str, ...]


# --- the source, as a file ------------------------------------------------------------------------


def body(parts: Iterable[Part]) -> str:
    """The text of a post as one piece of Telegram's HTML."""
    return "\n\n".join(part.html for part in parts)


def write_source(post: Post, titles: Mapping[str, str]) -> str:
    """A post as a text to edit: a line that says which, a line for each paper, a bar, the text."""
    about = ", ".join((*post.topics, post.genre, post.language, str(post.slot)))
    papers = "\n".join(f"{paper}  {titles.get(paper, '')}".rstrip() for paper in post.papers)
    return (
        f"post {post.id}, version {post.version}: {about}\n\n{_HELP}{papers}\n\n{BAR}\n\n{body(post.parts)}\n"
    )


def read_source(text: str) -> Source:
    """What `write_source` wrote and a person changed. Raises InputError naming the line."""
    head, bar, rest = _at_bar(text.replace("\r\n", "\n"))
    lines = [(number, line.strip()) for number, line in enumerate(head.split("\n"), 1)]
    told = [(number, line) for number, line in lines if line and not line.startswith("#")]
    found = _HEAD.match(told[0][1]) if told else None
    if found is None:
        raise InputError("line 1: the first line must say which post: “post 7, version 1”")
    if not bar:
        raise InputError(f"there is no line {BAR} between the papers and the text: put it back")
    papers = [_paper(number, line) for number, line in told[1:]]
    twice = [paper for paper, count in Counter(papers).items() if count > 1]
    if twice:
        raise InputError(f"{', '.join(twice)} stands twice among the papers: delete one of the lines")
    return Source(int(found[1]), int(found[2]), tuple(papers), rest.strip())


def _at_bar(text: str) -> tuple[str, str, str]:
    found = re.search(rf"^{BAR}[ \t]*$", text, re.MULTILINE)
    return (text[: found.start()], BAR, text[found.end() :]) if found else (text, "", "")


def _paper(number: int, line: str) -> str:
    try:
        return ids.parse(line.split(maxsplit=1)[0]).base
    except InputError as error:
        raise InputError(f"line {number}: {error}") from None


# --- which papers are wanted ----------------------------------------------------------------------


def with_changes(
    papers: Sequence[str], drop: Collection[str], add: Sequence[str], order: Sequence[str]
) -> tuple[str, ...]:
    """The papers without some and with others, those of ``order`` first. Raises InputError for a paper
    that is to be dropped or moved and is not there."""
    for paper in drop:
        if paper not in papers:
            raise InputError(f"{paper} is not in the post; its papers are {', '.join(papers) or 'none'}")
    left = dict.fromkeys([*(paper for paper in papers if paper not in drop), *add])
    for paper in order:
        if paper not in left:
            raise InputError(f"{paper} cannot be put in order: it is not in the post")
    return tuple(dict.fromkeys([*order, *left]))


def wanted_papers(
    papers: Sequence[str], listed: Sequence[str], before: Sequence[str], after: Sequence[str]
) -> tuple[str, ...]:
    """The papers that an author wants who has changed the list of papers, the blocks, or both.

    A paper whose block was taken out is dropped, also where it is still listed; where the list was left
    alone, the blocks say the order.
    """
    had, has = set(_owners(before, papers)), list(_owners(after, papers))
    mentioned = [paper for block in after for paper in linked(block)]
    gone = {paper for paper in papers if paper not in (has if paper in had else mentioned)}
    kept = [paper for paper in listed if paper not in gone]
    if tuple(listed) != tuple(papers):
        return tuple(kept)
    return tuple(sorted(kept, key=lambda paper: has.index(paper) if paper in has else len(has)))


def linked(block: str) -> list[str]:
    """The papers that a block links to, without their versions; what is no id is left out."""
    found = []
    for text in _LINK.findall(block):
        try:
            found.append(ids.parse(text.removesuffix(".pdf")).base)
        except InputError:
            continue
    return found


def in_tiers(choices: Sequence[Choice], limits: Limits) -> tuple[Choice, ...]:
    """The choices in a new order: the first ones told at length, then those told in brief, as many as the
    limits say or as there were."""
    count = Counter(choice.tier for choice in choices)
    detailed = max(limits.detailed, count["detailed"])
    told = detailed + max(limits.brief, count["brief"])
    tiers: list[Tier] = [
        "detailed" if at < detailed else "brief" if at < told else "named" for at in range(len(choices))
    ]
    return tuple(replace(choice, tier=tier) for choice, tier in zip(choices, tiers, strict=True))


# --- three states of a post -----------------------------------------------------------------------

Name = tuple[str, int] | int | None
"""What a block is known by: the paper it is about and the how-manieth of its blocks it is; the number,
from 1, of the piece of the template's prose that it is, or was; None where it is neither."""


def revise(
    papers: Collection[str],
    written: Sequence[str],
    current: Sequence[str],
    fresh: Sequence[str],
    *,
    as_listed: bool,
) -> Revised:
    """Join what was written by hand with what the template writes now.

    ``papers`` are all that the post has or had, ``as_listed``: those wanted were given as a list, so the
    template says where each block stands; else the blocks stand as they are. Prose that was left alone is
    the template's.
    """
    ours, theirs = _named(current, written, papers), _named(fresh, written, papers)
    by_hand: dict[Name, str] = {name: block for name, block in ours if name and block not in written}
    if not as_listed:
        new: dict[Name, str] = {name: block for name, block in theirs if isinstance(name, int)}
        made = [block if name in by_hand else new.get(name, block) for name, block in ours]
        return Revised(tuple(_numbered(made, papers)), tuple(fresh), ())
    names = {name for name, _ in theirs}
    notes = [
        f"{'kept as you wrote it' if name in names else 'gone with its paper'}: “{_words(block)}”"
        for name, block in by_hand.items()
    ]
    made = list(_in_place(written, papers, ours, theirs, by_hand))
    return Revised(tuple(made), tuple(fresh), tuple(notes))


def _in_place(
    written: Sequence[str],
    papers: Collection[str],
    ours: Sequence[tuple[Name, str]],
    theirs: Sequence[tuple[Name, str]],
    by_hand: Mapping[Name, str],
) -> Iterator[str]:
    """The template's blocks in its order, each replaced by what was made of it by hand, without the prose
    that was taken out, and with what was put in behind the block that it stood behind."""
    there, stays = {name for name, _ in ours}, {name for name, _ in theirs}
    taken_out = {name for name, _ in _named(written, written, papers) if isinstance(name, int)} - there
    put_in: dict[Name, list[str]] = {}
    place: Name = None
    for name, block in ours:
        place = name if name in stays and name is not None else place
        if name is None:
            put_in.setdefault(place, []).append(block)
    yield from put_in.pop(None, ())
    for name, block in theirs:
        if name not in taken_out:
            yield _with_number(by_hand[name], block) if name in by_hand else block
        if name is not None:
            yield from put_in.pop(name, ())


def _named(texts: Sequence[str], written: Sequence[str], papers: Collection[str]) -> list[tuple[Name, str]]:
    """The blocks with their names; prose is compared with the template's, in order."""
    before = [block for block in written if _owner(block, papers) is None]
    after = [block for block in texts if _owner(block, papers) is None]
    was: dict[int, int] = {}
    for _, a, a_end, b, b_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        was.update(zip(range(b, b_end), range(a + 1, a_end + 1), strict=False))
    named: list[tuple[Name, str]] = []
    count, prose = Counter[str](), 0
    for block in texts:
        owner = _owner(block, papers)
        if owner is None:
            named.append((was.get(prose), block))
            prose += 1
        else:
            count[owner] += 1
            named.append(((owner, count[owner]), block))
    return named


def _owners(texts: Iterable[str], papers: Collection[str]) -> Iterator[str]:
    return (owner for block in texts if (owner := _owner(block, papers)) is not None)


def _owner(block: str, papers: Collection[str]) -> str | None:
    """The paper that a block is about: the first it links to, if that is one of these."""
    first = next(iter(linked(block)), None)
    return first if first in papers else None


def _numbered(texts: Iterable[str], papers: Collection[str]) -> list[str]:
    """The numbers before papers, counted anew."""
    number = 0
    made = []
    for block in texts:
        if _owner(block, papers) is not None and (found := _NUMBER.match(block)):
            number += 1
            made.append(f"<b>{number}{found[1]}</b>{block[found.end() :]}")
        else:
            made.append(block)
    return made


def _with_number(block: str, like: str) -> str:
    """A block with the number that the template gives the paper now."""
    found, wanted = _NUMBER.match(block), _NUMBER.match(like)
    if found is None:
        return block
    return (wanted[0] if wanted else "") + block[found.end() :].lstrip("" if wanted else " ")


# --- is it well? ----------------------------------------------------------------------------------


def problems(text: str, papers: Sequence[str]) -> list[str]:
    """What keeps a text from being a post with these papers, a line each: what Telegram would refuse or
    change without a word, links that lead nowhere, a paper that is not mentioned."""
    pieces = [piece.strip() for piece in re.split(r"\n[ \t]*\n", text) if piece.strip()]
    found = _markup_problems(text)
    if found:  # better said of the piece where it is, but a tag may reach over a blank line
        found = [line for piece in pieces for line in _markup_problems(piece)] or found
    elif not blocks(text):
        return ["there is no text: reject the post if it is not to go out"]
    found += [line for piece in pieces for line in _link_problems(piece)]
    mentioned = {paper for piece in pieces for paper in linked(piece)}
    return list(dict.fromkeys(found)) + [
        f"{paper} is in the post and not linked: link to {ids.abs_url(paper)}, or drop it"
        for paper in papers
        if paper not in mentioned
    ]


def _markup_problems(piece: str) -> list[str]:
    try:
        check_shown(piece)
    except MarkupError as error:
        return [f"“{_words(piece)}”: {error}"]
    return []


def _link_problems(piece: str) -> Iterator[str]:
    for text in _LINK.findall(piece):
        try:
            ids.parse(text.removesuffix(".pdf"))
        except InputError as error:
            yield f"“{_words(piece)}”: {error}"


def _words(piece: str) -> str:
    """The beginning of a piece of text, without its tags, to know it by."""
    try:
        plain = parse(piece).text
    except MarkupError:
        plain = re.sub(r"</?[a-zA-Z][^>]*>?", "", piece)
    line = " ".join(plain.split())
    return line if len(line) <= 40 else f"{line[:39]}…"


def difference(old: Post, new: Post) -> str:
    """What has changed between two versions of a post, as a unified diff of their text in HTML."""
    before, after = (body(post.parts).split("\n") for post in (old, new))
    name, other = (f"post {post.id}, version {post.version}" for post in (old, new))
    return "\n".join(unified_diff(before, after, name, other, n=1, lineterm=""))
