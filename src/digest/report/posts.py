"""Posts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from digest.report.table import WIDTH, table
from digest.types import Change, Edited, Post


def posts(found: Sequence[Post]) -> str:
    """Posts, a line each."""
    if not found:
        return "no posts yet; digest run writes them"
    heading = ("id", "version", "slot", "topics", "genre", "lang", "state", "papers", "parts")
    return table([heading, *map(_post_row, found)])


def _post_row(post: Post) -> tuple[str, ...]:
    about = (str(post.slot), ",".join(post.topics), post.genre, post.language, post.state)
    return (str(post.id), str(post.version), *about, str(len(post.papers)), str(len(post.parts)))


def history(found: Sequence[Change]) -> str:
    """What was done to a post, a line each."""
    heading = ("version", "when (UTC)", "by", "what")
    rows = ((str(one.version), f"{one.at:%Y-%m-%d %H:%M}", one.by, one.what) for one in found)
    return table([heading, *rows])


def edited(found: Sequence[Edited]) -> str:
    """Posts after they were edited: what happened, and what can be done now."""
    return "\n".join(line for one in found for line in _edited(one))


def _edited(one: Edited) -> Iterator[str]:
    post, papers = one.post, len(one.post.papers)
    parts = f"{len(post.parts)} messages" if len(post.parts) > 1 else "1 message"
    counted = "1 paper" if papers == 1 else f"{papers} papers"
    yield f"post {post.id} ({post.language}) is version {post.version}, {post.state}: {counted}, {parts}"
    for note in one.notes:
        yield f"  {note}"
    if post.state == "draft":
        approve = f"digest posts approve {post.id} --version {post.version}"
        yield f"  see: digest posts show {post.id}; then: {approve}"


def full_posts(found: Sequence[Post]) -> str:
    """Posts as a reader of the channel would see them: the text without its mark-up."""
    if not found:
        return "no posts yet; digest run writes them"
    return "\n\n".join(_full_post(post) for post in found)


def _full_post(post: Post) -> str:
    changed = (f"version {post.version}",) if post.version > 1 else ()
    facts = (*changed, str(post.slot), ",".join(post.topics), post.genre, post.language, post.state)
    head = f"post {post.id} · " + " · ".join(facts)
    parts = [f"── {head} " + "─" * max(0, WIDTH - len(head) - 4)]
    for number, part in enumerate(post.parts, start=1):
        if len(post.parts) > 1:
            parts.append(f"── part {number} of {len(post.parts)} ──")
        parts += [f"[picture: {part.picture}]"] if part.picture else []
        parts.append(part.text)
    return "\n".join(parts)
