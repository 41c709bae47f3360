"""A post as Telegram shows it: its parts with how full each is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from markupsafe import Markup
from msgspec import Struct

from digest.ids import abs_url
from digest.markup import CAPTION_LIMIT, ENTITY_LIMIT, TEXT_LIMIT, utf16_length, web
from digest.types import Language, Part, Post

if TYPE_CHECKING:
    from digest.app import App


class Bubble(Struct, frozen=True, dict=True):
    """One message: of ``units`` UTF-16 units no more than ``limit`` may be (fewer under a picture)."""

    number: int
    part: Part
    link: str | None = None

    @cached_property
    def html(self) -> Markup:
        """What it says, safe in a page: escaped where it was made."""
        return Markup(web(self.part.text, self.part.entities))  # noqa: S704

    @cached_property
    def units(self) -> int:
        """Its length as Telegram counts it."""
        return utf16_length(self.part.text)

    @property
    def limit(self) -> int:
        """What Telegram takes."""
        return CAPTION_LIMIT if self.part.picture else TEXT_LIMIT

    @property
    def entities(self) -> int:
        """Its entities that count; custom emoji do not."""
        return sum(one.type != "custom_emoji" for one in self.part.entities)

    @property
    def most_entities(self) -> int:
        """What Telegram keeps."""
        return ENTITY_LIMIT


def bubbles(post: Post, parts: Sequence[Part] | None = None) -> list[Bubble]:
    """The messages of a post; with other ``parts`` as it would be with them. The only paper of a post is
    shown below its first message, as a preview of the link."""
    link = abs_url(post.papers[0]) if len(post.papers) == 1 else None
    shown = post.parts if parts is None else parts
    return [Bubble(at, part, link if at == 1 else None) for at, part in enumerate(shown, 1)]


def called(app: App) -> Callable[[Post, Language], str]:
    """What a post is called in a language: by its topic."""
    topics = app.settings.topics

    def title(post: Post, language: Language) -> str:
        known = topics.get(post.topics[0])
        return known.title(language) if known else post.topics[0]

    return title
