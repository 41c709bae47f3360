"""An Atom feed for each topic and language (RFC 4287): a folder that any web server can show.

An entry's id is made of what the post is for, so a feed reader knows it again whatever happens to the
file. Adding an entry that is there already leaves the same bytes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.errors import NotSent, Refused
from digest.ids import abs_url
from digest.types import Language, Post
from digest.whole import make_folder, write_whole

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

KEPT = 50
"""Entries that a feed holds; older ones make room."""

GENRES: Mapping[str, Mapping[Language, str]] = {
    "links": {"en": "links", "ru": "ссылки", "zh": "链接"},
    "review": {"en": "a review", "ru": "обзор", "zh": "综述"},
    "essay": {"en": "an essay", "ru": "эссе", "zh": "随笔"},
    "listing": {"en": "all papers", "ru": "все работы", "zh": "论文目录"},
}
"""What the title of an entry says besides topic and day; a roundup's says no more."""

ATOM = "http://www.w3.org/2005/Atom"
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "digest")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PRE = re.compile(r"(<pre>.*?</pre>)", re.DOTALL)


class FeedChannel:
    """Writes ``FOLDER/TOPIC-LANGUAGE.atom``, whole and at once."""

    repeatable = True

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def send(self, post: Post, part: int) -> str:
        """Put the post into its feed, all parts with the first. Returns the file's path.

        Raises NotSent when the file cannot be written, Refused when what is there is no feed.
        """
        path = self.folder / f"{post.topics[0]}-{post.language}.atom"
        if part:
            return str(path)
        try:
            make_folder(self.folder)
            write_whole(path, _with(post, path).encode())
        except OSError as error:
            raise NotSent(f"{path}: {error.strerror}; free or change the channel's folder") from error
        return str(path)


def entry_id(post: Post) -> str:
    """The same for the same topic, day, genre and language, on any machine
    (https://www.rfc-editor.org/rfc/rfc4287#section-4.2.6)."""
    return _urn(f"{post.topics[0]}/{post.slot}/{post.genre}/{post.language}")


def _urn(name: str) -> str:
    return uuid.uuid5(_NAMES, name).urn


def feed(posts: Sequence[Post], name: str, title: str, language: str, page: Callable[[Post], str]) -> str:
    """A feed of these posts; ``name`` is what its id is made of, ``page`` gives an entry's address."""
    entries = [_entry(post) for post in posts]
    for entry, post in zip(entries, posts, strict=True):
        _add(entry, "link", rel="alternate", type="text/html", href=page(post))
    return _feed(entries, name, title, language)


def _with(post: Post, path: Path) -> str:
    """The feed in a file, with the post in it."""
    entries = {_text(one, "id"): one for one in _entries(path)} | {entry_id(post): _entry(post)}
    topic, language = post.topics[0], post.language
    return _feed(entries.values(), f"{topic}/{language}", f"{topic} ({language})", language)


def _feed(entries: Iterable[Element], name: str, title: str, language: str) -> str:
    from lxml import etree

    newest = sorted(entries, key=lambda one: (_text(one, "updated"), _text(one, "id")), reverse=True)
    root = etree.Element(f"{{{ATOM}}}feed", {_XML_LANG: language}, nsmap={None: ATOM})
    _add(root, "id", _urn(name))
    _add(root, "title", title)
    _add(root, "updated", _text(newest[0], "updated"))
    _add(_add(root, "author"), "name", "digest")
    root.extend(newest[:KEPT])
    etree.indent(root)
    return f"{etree.tostring(root, encoding='unicode')}\n"


def _entries(path: Path) -> list[Element]:
    """The entries of the file that is there; none where there is no file."""
    from lxml import etree

    if not path.exists():
        return []
    try:
        root = etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise Refused(f"{path}: is no feed ({error.msg}); remove it, and it is made anew") from error
    return list(root.findall(f"{{{ATOM}}}entry"))


def _entry(post: Post) -> Element:
    from lxml import etree

    entry = etree.Element(f"{{{ATOM}}}entry", nsmap={None: ATOM})
    _add(entry, "id", entry_id(post))
    _add(entry, "title", _title(post))
    _add(entry, "updated", f"{post.slot}T00:00:00Z")
    for paper in post.papers:
        _add(entry, "link", rel="related", href=abs_url(paper))
    _add(entry, "content", "\n<hr>\n".join(_html(part.html) for part in post.parts), type="html")
    return entry


def _title(post: Post) -> str:
    genre = GENRES.get(post.genre, {}).get(post.language)
    about = f"{', '.join(post.topics)}, {post.slot}"
    return f"{about}: {genre}" if genre else about


def _html(html: str) -> str:
    """Telegram's HTML with its line breaks written out, but in code."""
    pieces = _PRE.split(html)
    return "".join(one if at % 2 else one.replace("\n", "<br>\n") for at, one in enumerate(pieces))


def _add(parent: Element, name: str, text: str | None = None, **attributes: str) -> Any:
    from lxml import etree

    child = etree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    child.text = None if text is None else _NOT_XML.sub("\ufffd", text)
    return child


def _text(element: Element, name: str) -> str:
    return element.findtext(f"{{{ATOM}}}{name}") or ""
