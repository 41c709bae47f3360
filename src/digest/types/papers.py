"""Papers, as sources give them and the archive keeps them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

AnnounceType = Literal["new", "cross", "replace", "replace-cross"]


class Version(Struct, frozen=True, gc=False):
    """One version of a paper and when it was submitted."""

    number: int
    submitted: datetime


class Paper(Struct, frozen=True, kw_only=True, gc=False):
    """One paper of arXiv in its newest known version.

    ``title`` and ``abstract`` keep their LaTeX; accents are decoded, white space is collapsed, the
    text is NFC. ``categories`` begins with the primary category. ``announced`` is the day of the
    batch in which the paper was first seen as new or cross-listed; a source that does not say it
    gives the day of the first version, and ``estimated`` is true.
    """

    id: str
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    submitted: datetime
    updated: datetime
    announced: date
    announce_type: AnnounceType = "new"
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    withdrawn: bool = False
    versions: tuple[Version, ...] = ()
    estimated: bool = False

    @property
    def primary(self) -> str:
        """The primary category."""
        return self.categories[0]

    @property
    def text(self) -> str:
        """What is embedded and matched: title, full stop, abstract."""
        return f"{self.title}. {self.abstract}"


class Listed(Struct, frozen=True, kw_only=True):
    """A paper in a list: what the archive has of it, and as what it was announced on which day."""

    id: str
    version: int
    primary: str
    categories: tuple[str, ...]
    submitted: datetime
    announced: date
    announce_type: AnnounceType
    withdrawn: bool


class Skipped(Struct, frozen=True):
    """A record that could not be read: where it stands and why it was left out."""

    where: str
    reason: str


class Page(Struct, frozen=True):
    """What a source gives at a time: papers, what it had to skip, and how far it has read.

    ``cursor`` is the source's own note of where to go on; it is stored in the same transaction as
    the papers. A source that was read to its end says so in its last cursor; None says nothing.
    ``deleted`` are ids of papers that arXiv has taken out of its records: they are marked withdrawn,
    never erased. ``notes`` are sentences for a person, such as why a day is empty.
    """

    papers: tuple[Paper, ...]
    cursor: str | None
    skipped: tuple[Skipped, ...] = ()
    deleted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
