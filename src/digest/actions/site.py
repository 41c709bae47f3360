"""The archive as readers see it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from digest import site
from digest.errors import TryAgain
from digest.site import Archive, Built
from digest.text import readable
from digest.types import Delivery, Post

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest.app import App

_PICTURES = (".png", ".jpg", ".jpeg")
_PUBLIC = "https://t.me/"


def build(app: App, folder: Path) -> Built:
    """Write the site into a folder, or bring the one that is there up to date."""
    from filelock import FileLock, Timeout

    archive = published(app)
    path = app.settings.home / "site.lock"
    try:
        with FileLock(path, timeout=0):
            return site.put(folder, site.pages(archive))
    except Timeout:
        raise TryAgain(f"{path}: another digest builds a site; try again when it is done") from None


def published(app: App) -> Archive:
    """All that readers may see: drafts and what waits for its hour are not among it."""
    sent: dict[int, list[Delivery]] = defaultdict(list)
    for one in app.store.deliveries():
        sent[one.post].append(one)
    posts = [post for post in app.store.posts(state="approved") if site.is_public(post, sent[post.id])]
    papers = app.store.papers(list(dict.fromkeys(paper for post in posts for paper in post.papers)))
    return Archive(
        posts=tuple(posts),
        titles={paper.id: readable(paper.title) for paper in papers},
        topics=app.settings.topics,
        messages={post.id: link for post in posts if (link := _message(sent[post.id]))},
        pictures=_pictures(app, posts),
        names=app.settings.site.titles,
    )


def _message(sent: Sequence[Delivery]) -> str | None:
    """Where a post begins in a public channel; a private channel's address is not for readers."""
    links = (one.receipt or "" for one in sent if one.part == 0 and one.state == "sent")
    return next(
        (one for one in links if one.startswith(_PUBLIC) and not one.startswith(f"{_PUBLIC}c/")), None
    )


def _pictures(app: App, posts: Sequence[Post]) -> Mapping[str, Path]:
    """The files of the posts' pictures."""
    named = {part.picture for post in posts for part in post.parts if part.picture}
    return {name: file for name in sorted(named) if (file := picture_file(app, name))}


def picture_file(app: App, name: str) -> Path | None:
    """The file of a picture, if it is one by its name and lies in the digest home."""
    home = app.settings.home.resolve()
    file = (home / name).resolve()
    known = file.is_relative_to(home) and file.suffix.lower() in _PICTURES and file.is_file()
    return file if known else None
