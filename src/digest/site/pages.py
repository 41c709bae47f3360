"""From what was published to the files of the site."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from itertools import groupby
from pathlib import Path
from posixpath import dirname, relpath
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from digest.channels.feed import feed
from digest.markup import MarkupError, blocks, read_text, web_blocks
from digest.render import long_day
from digest.site import words
from digest.types import Delivery, Language, Post, Topic

if TYPE_CHECKING:
    from jinja2 import Environment

Made = Callable[[], bytes]

NEWEST = 20
"""Posts on the first page; all others stand on the pages of months and topics."""

NAMED = 4
"""Papers that a post is told by in a list."""

_HERE = Path(__file__).parent
_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LEAD, _SHORTEST = 400, 80


class Archive(Struct, frozen=True, kw_only=True):
    """What was published: posts, the titles of their papers by id, topics by name, where a post stands in
    Telegram by the post's id, the files of pictures by what parts call them, and what the site is called by
    language."""

    posts: tuple[Post, ...]
    titles: Mapping[str, str] = {}
    topics: Mapping[str, Topic] = {}
    messages: Mapping[int, str] = {}
    pictures: Mapping[str, Path] = {}
    names: Mapping[Language, str] = {}


def is_public(post: Post, deliveries: Collection[Delivery]) -> bool:
    """Whether readers have a post, or it was let go for no channel: it is approved, and if it goes to
    channels, all of it stands in one of them. What waits for its hour is nobody's to see yet."""
    if post.state != "approved" or not post.parts:
        return False
    left = {one.channel for one in deliveries if one.state != "sent"}
    return not deliveries or any(one.channel not in left for one in deliveries)


def pages(archive: Archive) -> dict[str, Made]:
    """How each file of the site is made, by its name: relative, of small letters, digits and ``-_./``."""
    site = _Site(archive)
    made: dict[str, Made] = {
        "site.css": (_HERE / "site.css").read_bytes,
        "search.js": (_HERE / "search.js").read_bytes,
        "icon.svg": (_HERE / "icon.svg").read_bytes,
        "index.html": partial(site.index, site.languages[0], "index.html"),
    }
    for language in site.languages:
        made |= site.files(language)
    used = {part.picture for entry in site.entries for part in entry.post.parts}
    return made | {
        picture_name(one): file.read_bytes for one, file in archive.pictures.items() if one in used
    }


def picture_name(picture: str) -> str:
    """The file of a picture, whatever its path holds."""
    return f"pictures/{hashlib.sha256(picture.encode()).hexdigest()[:16]}{Path(picture).suffix.lower()}"


def slug(name: str) -> str:
    """A name as part of a file's name: itself where that is safe, else a word made of it."""
    return name if _SAFE.fullmatch(name) else f"x{hashlib.sha256(name.encode()).hexdigest()[:12]}"


class Entry(Struct, frozen=True, kw_only=True):
    """A post as lists show it."""

    post: Post
    path: str
    topic: str
    title: str
    day: str
    papers: str
    lead: str

    @property
    def month(self) -> str:
        """The post's month, as ``2026-05``."""
        return f"{self.post.slot:%Y-%m}"


class _Site:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        posts = sorted(archive.posts, key=lambda one: (one.slot, one.id), reverse=True)
        self.entries = [self._entry(post) for post in posts if post.language in words.WORDS]
        held = {entry.post.language for entry in self.entries}
        asked = {one for topic in archive.topics.values() for one in topic.languages}
        self.languages = [one for one in words.WORDS if one in (held or asked)] or ["en"]

    def files(self, language: Language) -> dict[str, Made]:
        """The files of a language."""
        entries = self.of(language)
        made: dict[str, Made] = {f"{language}/index.html": partial(self.index, language)}
        made[f"{language}/titles.js"] = partial(self.titles, language)
        for topic in self.topics(language):
            made[_topic(language, topic)] = partial(self.topic, language, topic)
            made[_feed(language, topic)] = partial(self.feed, language, topic)
        for month in self.months(language):
            made[_month(language, month)] = partial(self.month, language, month)
        made |= {entry.path: partial(self.post, entry) for entry in entries}
        return made | ({_feed(language): partial(self.feed, language, None)} if entries else {})

    def of(self, language: Language, topic: str | None = None) -> list[Entry]:
        """The posts of a language, or of its topic, newest first."""
        own = [entry for entry in self.entries if entry.post.language == language]
        return [entry for entry in own if topic in (None, entry.post.topics[0])]

    @cache  # noqa: B019  # a site lives as long as it is built
    def topics(self, language: Language) -> dict[str, str]:
        """The topics that have posts in a language, in the order of the configuration, with their titles."""
        held = {entry.post.topics[0]: entry.topic for entry in self.of(language)}
        order = [*self._archive.topics, *held]
        return {name: held[name] for name in dict.fromkeys(order) if name in held}

    @cache  # noqa: B019
    def months(self, language: Language) -> dict[str, str]:
        """The months that have posts in a language, newest first, in words."""
        return {one.month: words.month(one.month, language) for one in self.of(language)}

    # The files.

    def index(self, language: Language, path: str | None = None) -> bytes:
        """The newest posts."""
        at = path or f"{language}/index.html"
        return self._page("index", language, at, entries=self.of(language)[:NEWEST])

    def topic(self, language: Language, name: str) -> bytes:
        """All posts of a topic."""
        entries = self.of(language, name)
        by_month = [(key, list(group)) for key, group in groupby(entries, key=lambda one: one.month)]
        return self._page(
            "topic", language, _topic(language, name), name=name, by_month=by_month, title=entries[0].topic
        )

    def month(self, language: Language, month: str) -> bytes:
        """All posts of a month."""
        entries = [entry for entry in self.of(language) if entry.month == month]
        path = _month(language, month)
        return self._page("month", language, path, entries=entries, title=self.months(language)[month])

    def post(self, entry: Entry) -> bytes:
        """One post, with the ones before and after it."""
        same = self.of(entry.post.language, entry.post.topics[0])
        at = same.index(entry)
        return self._page(
            "post",
            entry.post.language,
            entry.path,
            title=f"{entry.title}{words.WORDS[entry.post.language]['comma']}{entry.day}",
            entry=entry,
            parts=[(self._picture(one.picture), _blocks(one.html)) for one in entry.post.parts],
            telegram=self._archive.messages.get(entry.post.id),
            newer=same[at - 1] if at else None,
            older=same[at + 1] if at + 1 < len(same) else None,
        )

    def titles(self, language: Language) -> bytes:
        """What the search looks through: of each post its page, title, day and the titles of its papers. A
        script and no JSON, as a page opened from a disk may load no other file."""
        rows = [(one.path, one.title, one.day, self._titles(one.post)) for one in self.of(language)]
        return b"window.digestTitles = " + msgspec.json.encode(rows) + b";\n"

    def feed(self, language: Language, topic: str | None) -> bytes:
        """The feed of a topic, or of all."""
        path, entries = _feed(language, topic), self.of(language, topic)
        pages = {entry.post.id: relpath(entry.path, dirname(path)) for entry in entries}
        said = self._said(language)
        title = f"{said['site']}{said['comma']}{entries[0].topic}" if topic else said["site"]
        name = f"{topic}/{language}" if topic else language
        posts = [entry.post for entry in entries]
        return feed(posts, name, title, language, lambda post: pages[post.id]).encode()

    # What they are made of.

    def _page(self, template: str, language: Language, path: str, **values: Any) -> bytes:
        said = self._said(language)
        made = _environment().get_template(f"{template}.html.j2")
        text = made.render(
            site=self,
            language=language,
            names=words.NAMES,
            said=said,
            to=lambda target: relpath(target, dirname(path) or "."),
            elsewhere={one: self._elsewhere(one, path) for one in self.languages},
            topic_path=partial(_topic, language),
            month_path=partial(_month, language),
            feed_path=partial(_feed, language),
            **values,
        )
        return text.encode()

    def _said(self, language: Language) -> Mapping[str, str]:
        """What the pages of a language say, with the site's own name."""
        named = self._archive.names.get(language)
        return {**words.WORDS[language], **({"site": named} if named else {})}

    def _elsewhere(self, language: Language, path: str) -> str:
        """The same page in another language, else that language's first."""
        twin = f"{language}/{path.partition('/')[2]}"
        return twin if twin in self._names else f"{language}/index.html"

    @cached_property
    def _names(self) -> set[str]:
        posts = {entry.path for entry in self.entries}
        topics = {_topic(one, name) for one in self.languages for name in self.topics(one)}
        return posts | topics | {_month(one, name) for one in self.languages for name in self.months(one)}

    def _entry(self, post: Post) -> Entry:
        language, said = post.language, words.WORDS[post.language]
        topic = self._archive.topics.get(post.topics[0])
        title = topic.title(language) if topic else post.topics[0]
        name = f"{post.slot}-{slug(post.topics[0])}-{slug(post.genre)}"
        return Entry(
            post=post,
            path=f"{language}/posts/{name}.html",
            topic=title,
            title=said.get(post.genre, "{topic}").format(topic=title),
            day=long_day(post.slot, language),
            papers=words.papers(len(post.papers), language),
            lead=self._lead(post),
        )

    def _lead(self, post: Post) -> str:
        """What a list tells of a post: the beginning of a text, the first papers of anything else."""
        said = words.WORDS[post.language]
        if post.genre in ("review", "essay"):
            return next((one for one in map(read_text, _text_blocks(post)) if len(one) >= _SHORTEST), "")[
                :_LEAD
            ]
        titles = self._titles(post)
        more = [said["more"].format(n=len(titles) - NAMED)] if len(titles) > NAMED else []
        return said["semicolon"].join([*titles[:NAMED], *more])

    def _titles(self, post: Post) -> list[str]:
        return [self._archive.titles[one] for one in post.papers if one in self._archive.titles]

    def _picture(self, picture: str | None) -> str | None:
        return picture_name(picture) if picture in self._archive.pictures and picture else None


def _topic(language: Language, name: str) -> str:
    return f"{language}/topics/{slug(name)}.html"


def _month(language: Language, month: str) -> str:
    return f"{language}/months/{month}.html"


def _feed(language: Language, topic: str | None = None) -> str:
    return f"feeds/{slug(topic)}-{language}.atom" if topic else f"feeds/{language}.atom"


def _text_blocks(post: Post) -> Iterator[str]:
    for part in post.parts:
        yield from blocks(part.html)


def _blocks(html: str) -> Sequence[str]:
    """The blocks of a part as a page shows them."""
    try:
        return [web_blocks(block) for block in blocks(html)]
    except MarkupError:  # what an older program stored: told as it stands
        return [html]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
