"""Where papers come from. A source reads from arXiv, or from a copy of its metadata, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from digest.types import Page


class Source(Protocol):
    """Papers page by page, each page with a note of how far the source has been read."""

    @property
    def name(self) -> str:
        """What the source is called; its cursor is kept under this name."""

    def fetch(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        """The pages that follow ``cursor``, the last one stored; None begins at the beginning.

        ``now`` is aware; a source that asks for "everything since" counts from it. A caller stores a
        page's papers and its cursor together and may stop after any page: fetching again with that
        cursor goes on there. A source that was read to its end says so in its last cursor, and
        yields nothing for it until there is something new. Raises InputError where the source
        cannot be read; the pages before that were good. A record that cannot be read is no error: it
        is named in ``Page.skipped``.
        """
