"""The archive: search it, look into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from digest.days import new_york_day
from digest.errors import InputError, UsageError
from digest.query import Query, as_term, plain, read
from digest.types import Answer, Hit, Results, Status, Window

if TYPE_CHECKING:
    from digest.app import App
    from digest.search import Mode, Searcher


def search(
    app: App, text: str, count: int, window: Window, mode: Mode = "both", *, expand: bool = False
) -> Answer:
    """Search by words and by meaning. ``expand`` adds the active keys of the topics asked for, or of
    those whose own keys stand in the query."""
    return searcher(app, mode, expand=expand)(text, count, window)


def search_file(
    app: App, file: Path, count: int, window: Window, mode: Mode = "both", *, expand: bool = False
) -> Iterator[tuple[str, Answer]]:
    """The answers to the queries of a file, one JSON object {"query": "..."} a line, each with its query.
    Raises InputError that names the line that is none."""
    ask = searcher(app, mode, expand=expand, fast=True)
    for text in _queries(file):
        try:
            yield text, ask(text, count, window)
        except UsageError as error:  # an unknown topic: the others are still to be answered
            yield text, Answer((), (str(error),))


def searcher(
    app: App, mode: Mode, *, expand: bool = False, fast: bool = False
) -> Callable[[str, int, Window], Answer]:
    """What answers queries; indexes and model are opened once for all of them. ``fast``: they are many."""
    asked = _searcher(app, mode, fast=fast)

    def ask(text: str, count: int, window: Window) -> Answer:
        query, keys = _read_wider(app, text, window, expand=expand)
        return _told(app, asked.search(query, count, mode), query, keys, asked)

    return ask


def results(
    app: App, text: str, window: Window, page: int, size: int, mode: Mode = "both", *, expand: bool = False
) -> Results:
    """A page of what a search finds, with the facets of all of it."""
    asked = _searcher(app, mode, fast=True)
    query, keys = _read_wider(app, text, window, expand=expand)
    found = asked.found(query, mode)
    answer = _told(app, asked.answer(query, found, (page - 1) * size, size, mode), query, keys, asked)
    facets = app.store.facets([number for number, _ in found.fused])
    return Results(answer=answer, total=len(found.fused), facets=facets)


def _searcher(app: App, mode: Mode, *, fast: bool) -> Searcher:
    asked = app.searcher(words=mode != "vectors", vectors=mode != "words", fast=fast)
    if mode == "vectors" and not asked.has_vectors:
        raise UsageError("nothing is embedded yet; run: digest embed")
    return asked


def _read_wider(app: App, text: str, window: Window, *, expand: bool) -> tuple[Query, tuple[str, ...]]:
    """A query, read, and the keys that were added to it."""
    query = read_query(app, text, window)
    keys = _keys_for(app, query) if expand else ()
    return replace(query, terms=tuple(dict.fromkeys((*query.terms, *map(as_term, keys))))), keys


def _told(app: App, answer: Answer, query: Query, keys: tuple[str, ...], asked: Searcher) -> Answer:
    """An answer with what is to be said of how it came about."""
    from digest.embed import is_default

    notes = list(answer.notes)
    if asked.has_vectors and _is_foreign(query.meaning) and is_default(app.settings.embed.model):
        notes.append(_FOREIGN)
    if not answer.hits and not app.reader.count():
        notes.append("the archive is empty; digest crawl or digest backfill TOPIC fills it")
    return replace(answer, expanded=keys, notes=tuple(notes))


def ranker(
    app: App, mode: Mode, count: int, among: Collection[str] | None = None
) -> Callable[[str], list[str]]:
    """What gives the ids of the best ``count`` papers for a query, of those ``among`` where given.
    Nothing in the query is syntax."""
    only = None if among is None else frozenset(app.reader.numbers(among).values())
    asked = app.searcher(words=mode != "vectors", vectors=mode != "words", among=only, fast=True)

    def rank(text: str) -> list[str]:
        found = asked.rank(plain(text), mode).fused[:count]
        return [one.id for one in app.reader.papers([number for number, _ in found])]

    return rank


_FOREIGN = (
    "the model knows English only: ask in English, or set embed.model to a multilingual one and embed again"
)


def _is_foreign(text: str) -> bool:
    """Whether more letters than not are of another alphabet than Latin (which ends at U+024F)."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter > "\u024f" for letter in letters) * 2 > len(letters)


class _Line(msgspec.Struct):
    query: str


def _queries(file: Path) -> Iterator[str]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield msgspec.json.decode(line, type=_Line).query
            except msgspec.DecodeError as error:
                example = '{"query": "concept bottleneck"}'
                raise InputError(f"{file}:{number}: is no query such as {example} ({error})") from error


def read_query(app: App, text: str, window: Window) -> Query:
    """A query whose topics are known ones; raises UsageError that names the nearest."""
    found = read(text, window)
    for name in (*found.window.topics, *found.window.not_topics):
        app.topic(name)
    return found


def _keys_for(app: App, query: Query) -> tuple[str, ...]:
    """The active keys of a query's topics that the query does not hold itself."""
    from digest.corpus import ACTIVE, configured_keys
    from digest.phrases import KeyMatcher

    keys: list[str] = []
    for topic in app.topics:
        own = {key.text for key in configured_keys(topic)}
        own |= set(app.reader.keys(topic.name, ACTIVE))
        asked = topic.name in query.window.topics
        if asked or (not query.window.topics and KeyMatcher(tuple(own)).find(query.meaning)):
            keys += sorted(own)
    return tuple(key for key in dict.fromkeys(keys) if not KeyMatcher((key,)).find(query.meaning))


def similar(app: App, paper: str, count: int, window: Window, *, fast: bool = False) -> list[Hit]:
    """Papers near to a paper. ``fast``: many are asked for."""
    from digest import ids

    base = ids.parse(paper).base
    number = app.reader.numbers([base]).get(base)
    if number is None:
        raise InputError(f"{base} is not in the archive; digest search finds what is")
    asked = app.searcher(words=False, vectors=True, fast=fast)
    if not asked.has_vectors:
        raise UsageError("nothing is embedded yet; run: digest embed")
    return asked.similar(number, count, Query(window=window))


def make_ready(app: App) -> None:
    """Load what searching needs, so that the first search does not wait for it."""
    app.searcher(fast=True).rank(plain("ready"), "both")


def status(app: App) -> Status:
    """What the archive holds, what waits, and how the last runs went."""
    found = app.store.status(app.model)
    arxiv = app.arxiv.status(app.now)
    return replace(found, arxiv=arxiv, reactions=_reactions(app), wants=tuple(_wants(app)))


def _wants(app: App) -> Iterator[str]:
    """What wants a person now, in sentences; the doctor says the rest."""
    from digest import doctor
    from digest.crawling import newest_batch

    store = app.store
    checks = [
        *doctor.backlog(app.now, store.backlog(app.model)),
        *doctor.paused(store.paused()),
        doctor.batch(new_york_day(app.now), newest_batch(store, app.now)),
        doctor.last_run(app.now, store.last_runs().get("run")),
    ]
    for one in checks:
        if one.level == "wrong" or (one.level == "note" and one.name in ("backlog", "last batch")):
            yield f"{one.name}: {one.text} → {one.advice.removeprefix('then: ')}"


def _reactions(app: App, posts: int = 5) -> tuple[str, ...]:
    """What readers think of the last posts that they have reacted to, a line each."""
    found: dict[int, Counter[str]] = {}
    for one in app.store.reactions():
        found.setdefault(one.post, Counter()).update(one.counts)
    lines = []
    for number, counts in list(found.items())[:posts]:
        post = app.store.post(number)
        name = f"post {number}" + (f", {post.topics[0]} {post.slot} {post.language}" if post else "")
        lines.append(f"{name}: " + " ".join(f"{emoji} {count}" for emoji, count in counts.most_common()))
    return tuple(lines)
