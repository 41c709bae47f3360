"""What leaves the archive as a file: posts, the papers of a topic, what a search finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from digest.days import new_york_day
from digest.errors import InputError, UsageError, refused
from digest.types import Language, Window
from digest.whole import write_whole

if TYPE_CHECKING:
    from digest.app import App
    from digest.export import Format

FOREVER = date(1991, 8, 14)
"""arXiv's first day."""


def posts(
    app: App,
    form: Format,
    numbers: Sequence[int] = (),
    *,
    topic: str | None = None,
    language: Language | None = None,
    since: date | None = None,
    until: date | None = None,
) -> str:
    """Posts that were not rejected: their texts as Markdown, else the papers they show."""
    from digest import export
    from digest.actions.posts import find

    if topic is not None:
        app.topic(topic)
    if numbers:
        found = [find(app, number) for number in numbers]
    else:
        found = app.store.posts(topic=topic, language=language, since=since, until=until)
        found = [post for post in found if post.state != "rejected"]
    if not found:
        raise InputError("no posts to export; digest posts list shows what there is")
    if form == "markdown":
        return export.posts(found)
    return _papers(app, form, (paper for post in found for paper in post.papers), "posts")


def topic(app: App, form: Format, name: str, *, since: date | None = None, until: date | None = None) -> str:
    """The papers of a topic that reach its floor, best first."""
    wanted = app.topic(name)
    last = until or new_york_day(app.now)
    matches = app.store.matches(name, since or FOREVER, last, wanted.floor)
    if not matches:
        raise InputError(f"no papers of {name} to export; digest match finds them")
    return _papers(app, form, (match.paper for match in matches), wanted.title("en"))


def search(app: App, form: Format, query: str, count: int, window: Window) -> str:
    """What a search finds, best first."""
    from digest.actions import archive

    hits = archive.search(app, query, count, window).hits
    if not hits:
        raise InputError("nothing found to export; fewer words or no filter may find more")
    return _papers(app, form, (hit.id for hit in hits), query)


def _papers(app: App, form: Format, found: Iterable[str], title: str) -> str:
    from digest import export

    shown: dict[str, list[str]] = {}
    for post in app.store.posts():
        if post.state != "rejected":
            for paper in post.papers:
                shown.setdefault(paper, []).append(f"{post.slot} {post.genre} {post.language}")
    papers = app.store.papers(list(dict.fromkeys(found)))
    entries = [export.Entry(paper, tuple(shown.get(paper.id, ()))) for paper in papers]
    return export.papers(entries, form, title)


def write(text: str, file: Path, form: Format) -> None:
    """Write an export, whole or not at all; CSV with a mark that tells spreadsheets it is UTF-8."""
    if not file.parent.is_dir():
        raise UsageError(f"{file.parent}: is no folder; make it, or name another file")
    try:
        write_whole(file, text.encode("utf-8-sig" if form == "csv" else "utf-8"))
    except OSError as error:
        raise refused(error, "name another file") from error
