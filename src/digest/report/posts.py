"""Posts."""

from __future__ import annotations

from collections.abc import Sequence

from digest.report.table import WIDTH, table
from digest.types import Post


def posts(found: Sequence[Post]) -> str:
    """Posts, a line each."""
    if not found:
        return "no posts yet; digest run writes them"
    heading = ("id", "slot", "topics", "genre", "lang", "state", "papers", "parts")
    return table([heading, *map(_post_row, found)])


def _post_row(post: Post) -> tuple[str, ...]:
    about = (str(post.id), str(post.slot), ",".join(post.topics), post.genre, post.language, post.state)
    return (*about, str(len(post.papers)), str(len(post.parts)))


def full_posts(found: Sequence[Post]) -> str:
    """Posts as a reader of the channel would see them: the text without its mark-up."""
    if not found:
        return "no posts yet; digest run writes them"
    return "\n\n".join(_full_post(post) for post in found)


def _full_post(post: Post) -> str:
    facts = (str(post.slot), ",".join(post.topics), post.genre, post.language, post.state)
    head = f"post {post.id} · " + " · ".join(facts)
    parts = [f"── {head} " + "─" * max(0, WIDTH - len(head) - 4)]
    for number, part in enumerate(post.parts, start=1):
        if len(post.parts) > 1:
            parts.append(f"── part {number} of {len(post.parts)} ──")
        parts.append(part.text)
    return "\n".join(parts)
