"""Does a channel repeat itself? Papers posted before, messages said twice, papers under two topics.

    python benchmarks/repeats.py HOME [--genre roundup]

In the archive of a real channel 41 % of a day's papers had been posted before, 57 messages repeated the one
before, and on 119 days a paper stood under two topics.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path

from digest import config
from digest.app import App
from digest.types import Post


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--genre", default="roundup")
    given = parser.parse_args()
    with App(config.load(None, given.home, {}), datetime.now(UTC), quiet=True) as app:
        posts = app.store.posts(genre=given.genre)
    for language in sorted({post.language for post in posts}):
        print(language, told([post for post in posts if post.language == language]))


def told(posts: list[Post]) -> str:
    """The counts of one language's posts, oldest first."""
    seen: set[str] = set()
    again = 0
    by_day: dict[date, Counter[str]] = defaultdict(Counter)
    for post in posts:
        again += sum(paper in seen for paper in post.papers)
        seen.update(post.papers)
        by_day[post.slot].update(set(post.papers))
    texts = Counter(part.text for post in posts for part in post.parts)
    doubled = sum(count > 1 for day in by_day.values() for count in day.values())
    papers = sum(len(post.papers) for post in posts)
    return (
        f"{len(by_day)} days, {len(posts)} posts, {papers} papers: {again} posted before, "
        f"{sum(count - 1 for count in texts.values())} messages said twice, {doubled} papers under two topics"
    )


if __name__ == "__main__":
    main()
