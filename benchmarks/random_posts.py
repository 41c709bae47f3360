"""Posts from random papers of an archive, in every genre and language, with TDLib's parser as the judge.

    python benchmarks/random_posts.py HOME [--posts 500] [--seed 1]

Prints per genre: posts, messages, seconds a post, and what went wrong: messages that Telegram would refuse or
change, that are too long, quotations that were cut, formulas that were cut. Needs tdjson (the extra "dev").
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import tdlib
from digest import config, latex
from digest.app import App
from digest.markup import TEXT_LIMIT, escape, utf16_length
from digest.overview import overview
from digest.render import write_post, write_window
from digest.summarize import summarize
from digest.text import readable
from digest.types import Choice, Draft, Evidence, Language, Overview, Paper, Tier, Topic, WindowGenre

LANGUAGES: tuple[Language, ...] = ("en", "ru", "zh")
SENTENCES: Mapping[Tier, int] = {"detailed": 2, "brief": 1, "named": 0}
SINCE, UNTIL = date(2026, 5, 1), date(2026, 5, 15)


class Bench:
    """Draws papers, writes posts, counts mistakes."""

    def __init__(self, app: App, seed: int) -> None:
        self.app, self.random = app, random.Random(seed)
        self.counts: dict[str, Counter[str]] = {}
        self.numbers = range(1, app.store.highest_number() + 1)
        self.background = app.store.newest_until(UNTIL, 50)

    def papers(self, least: int, most: int) -> list[Paper]:
        """Random papers of the archive."""
        wanted = self.random.sample(self.numbers, self.random.randint(least, most))
        return self.app.reader.papers(wanted)

    def choices(self, topic: Topic, papers: Sequence[Paper], *, named: bool) -> list[Choice]:
        """Choices as a roundup has them, or all of them named."""
        other = [name for name in self.app.settings.topics if name != topic.name]
        return [
            Choice(
                paper=one.id,
                tier="named" if named or at >= 10 else "detailed" if at < 5 else "brief",
                score=1 - at / 100,
                silent=silent,
                evidence=Evidence(other_keys=topic.adjacent_keys[:1])
                if silent
                else Evidence(seed_keys=topic.seed_keys[:2]),
                topics=(topic.name, *([other[0]] if at % 7 == 0 else [])),
            )
            for at, one in enumerate(papers)
            if (silent := self.random.random() < 0.3) in (True, False)
        ]

    def roundups(self) -> Iterator[tuple[Draft, Mapping[str, Paper]]]:
        """A roundup in all languages."""
        topic, papers = self.topic(), self.papers(1, 20)
        by_id = {one.id: one for one in papers}
        choices = self.choices(topic, papers, named=False)
        quotes = {one.paper: summarize(by_id[one.paper], SENTENCES[one.tier]) for one in choices}
        for language in LANGUAGES:
            yield write_post(self.app.writer, topic, UNTIL, language, choices, by_id, quotes), by_id

    def windows(self, genre: WindowGenre) -> Iterator[tuple[Draft, Mapping[str, Paper]]]:
        """A post about a window in all languages."""
        topic, papers = self.topic(), self.papers(1, 40)
        by_id = {one.id: one for one in papers}
        choices = self.choices(topic, papers, named=True)
        vectors = dict(zip(*self.app.store.vectors(self.app.model, list(by_id)), strict=True))
        seen: Overview = overview(topic, SINCE, UNTIL, choices, by_id, vectors, self.background)
        for language in LANGUAGES:
            yield write_window(self.app.writer, topic, genre, language, seen, by_id), by_id

    def topic(self) -> Topic:
        """A random topic of the configuration."""
        return self.random.choice(self.app.topics)

    def run(self, posts: int) -> None:
        """Write so many posts, the genres in turn."""
        genres = ("roundup", *get_args(WindowGenre))
        done = 0
        while done < posts:
            genre = genres[done // len(LANGUAGES) % len(genres)]
            count = self.counts.setdefault(genre, Counter())
            started = time.perf_counter()
            drafts = list(self.roundups() if genre == "roundup" else self.windows(genre))
            count["microseconds"] += round((time.perf_counter() - started) * 1e6)
            for draft, papers in drafts:
                count["posts"] += 1
                count.update(mistakes(draft, papers))
            done += len(drafts)


def mistakes(draft: Draft, papers: Mapping[str, Paper]) -> Iterator[str]:
    """What is wrong with a post, and how many messages it has."""
    for part in draft.parts:
        yield "messages"
        read = tdlib.parse(part.html)
        if read["@type"] != "formattedText":
            yield "refused"
        elif (read["text"], tdlib.entities(read)) != (part.text, part.entities):
            yield "changed"
        if utf16_length(part.text) > TEXT_LIMIT or len(part.entities) > 100:
            yield "too long"
    if draft.genre != "listing" and len(draft.parts) > 1:
        yield "of more than one message"
    whole = "\n\n".join(part.html for part in draft.parts)
    for choice in draft.choices:
        paper = papers[choice.paper]
        for sentence in summarize(paper, 2):
            if cuts_a_formula(paper.abstract, sentence):
                yield "formulas cut"
            shown = escape(readable(sentence))
            if shown in whole and not any(shown in part.html for part in draft.parts):
                yield "quotations cut"


def cuts_a_formula(abstract: str, sentence: str) -> bool:
    """Does a sentence begin or end inside a formula of its abstract?"""
    start = abstract.index(sentence)
    end = start + len(sentence)
    return any(span.start < edge < span.end for span in latex.maths(abstract) for edge in (start, end))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--posts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with App(config.load(None, given.home, {}), datetime.now(UTC), quiet=True) as app:
        bench = Bench(app, given.seed)
        bench.run(given.posts)
    for genre, count in bench.counts.items():
        seconds = count.pop("microseconds") / 1e6 / count["posts"]
        told = ", ".join(f"{name} {number}" for name, number in sorted(count.items()))
        print(f"{genre}: {seconds:.3f} s a post; {told}")


if __name__ == "__main__":
    main()
