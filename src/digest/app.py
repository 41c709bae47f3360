"""The wiring: settings to store, source, embedder, index, writer and channels."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from msgspec.structs import replace

from digest.clock import Clock
from digest.days import new_york_day
from digest.errors import DeliveryError, InputError, ModelError, TryAgain, UsageError
from digest.home import alone_in, make_home, refuse_emptied
from digest.kept import Kept
from digest.types import (
    Language,
    Plan,
    PostState,
    RunReport,
    Series,
    StageReport,
    Topic,
    Trend,
    WindowGenre,
)

if TYPE_CHECKING:
    from digest.channels import Channel
    from digest.channels.telegram import Bot
    from digest.config import Settings
    from digest.crawling import Arxiv
    from digest.embed import F32, BulkEmbedder
    from digest.index import Vectors
    from digest.inverted import WordIndex
    from digest.posting import Posting
    from digest.render import Writer
    from digest.search import Nearest, Searcher
    from digest.sources import Source
    from digest.store import Reader, ServerReader, Store
    from digest.wording import Words


logger = logging.getLogger(__name__)

_CATCH_UP = 2_000
"""So many papers a search adds to the words' index, half a second; a crawl adds what it brought."""


class App:
    """The program over one set of settings, acting as if it were ``now``."""

    def __init__(
        self, settings: Settings, now: datetime, *, quiet: bool = False, config: Path | None = None
    ) -> None:
        self.settings = settings
        self.config = config
        self.now = now
        self.clock = Clock()
        self.kept = Kept()
        self.readonly = False
        """Set before the archive is first needed: it is then neither made nor upgraded nor changed."""
        self._quiet = quiet
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def at(self, now: datetime, store: Store | None = None) -> Self:
        """The same program acting as if it were another time, over the parts that are made by now; or over
        another ``store``, such as one that is open for reading only."""
        other = copy(self)
        other.now = now
        if store is not None:
            other.__dict__["store"] = store  # where cached_property keeps it
        return other

    def open_to_read(self) -> Store:
        """The archive once more, for those who must not write."""
        from digest.store import Store

        return self._open.enter_context(Store.open(self.settings.database, readonly=True))

    def add_topic(self, topic: Topic) -> Path:
        """Write a topic into the configuration, and go on with it; store and model stay as they are."""
        from digest import config

        home = self.settings.home
        file = config.add_topic(config.find_config(self.config, home, os.environ), home, os.environ, topic)
        self.settings = config.load(file, home, os.environ)
        for name in ("plan", "writer"):
            self.__dict__.pop(name, None)
        return file

    # The parts, each made when it is first needed.

    @cached_property
    def store(self) -> Store:
        """The archive, brought to the newest schema."""
        from digest.store import Store
        from digest.store.sqlite import database_file

        if not self.readonly:
            make_home(self.settings.home)
        file = None if self.settings.on_server else database_file(self.settings.database)
        if file is not None:
            refuse_emptied(self.settings.home, file)
        return self._open.enter_context(Store.open(self.settings.database, readonly=self.readonly))

    @property
    def reader(self) -> Reader | ServerReader:
        """The archive for searching. Raises StoreError where it is in memory."""
        from digest.store.reading import open_reader

        def opened() -> Reader | ServerReader:
            found = open_reader(self.settings.database, lambda: self.store)
            self._open.callback(found.close)
            return found

        return self.kept.get("reader", None, opened)

    def searcher(
        self,
        *,
        words: bool = True,
        vectors: bool = True,
        among: frozenset[int] | None = None,
        fast: bool = False,
    ) -> Searcher:
        """What answers queries by words, by meaning or by both; indexes and model are opened once.
        ``fast``: for many queries."""
        from digest.search import Searcher

        return Searcher(
            self.reader,
            self.word_index(_CATCH_UP) if words else None,
            self.index(fast=fast) if vectors else None,
            self.model if vectors else "",
            lambda text: self.encode([text]).reshape(-1),
            among,
        )

    def word_index(self, most: int | None = None) -> WordIndex | None:
        """The words' index as the archive is now, unless that takes more than ``most`` papers: then the
        database is to be asked."""
        from digest.inverted import open_words

        return open_words(self.settings.home / "index" / "words", self.reader, most)

    def encode(self, texts: Sequence[str]) -> F32:
        """The vectors of a few texts, float32[n, dim]; the light encoder is loaded with the first ones.
        Raises ModelError where the model cannot be had."""
        from digest.embed import load_query_encoder

        chosen = self.settings.embed
        encoder = self.kept.get("encoder", None, lambda: load_query_encoder(chosen.model, chosen.device))
        return encoder.embed(texts)

    def encode_if_possible(self, texts: Sequence[str]) -> F32 | None:
        """The same; None, with a warning, where the model cannot be had: topics are then ranked by vectors
        that hold their name."""
        try:
            return self.encode(texts)
        except ModelError as error:
            logger.warning("topics' names left in vectors", extra={"why": str(error)})
            return None

    @cached_property
    def embedder(self) -> BulkEmbedder:
        """The embedding model on its device; OpenVINO is for the CPU only."""
        from digest.embed import load_embedder

        chosen = self.settings.embed
        plain = load_embedder(chosen.model, chosen.device, chosen.batch_size)
        if chosen.backend == "torch" or plain.network.device.type != "cpu":
            return plain
        from digest import openvino

        folder = self.settings.home / "models" / plain.name.replace("/", "--")
        return openvino.load(plain, folder, self.store.some_texts)

    def index(self, *, fast: bool = False) -> Nearest | None:
        """The vector index as the archive is now; None where nothing is embedded. ``fast``: for many
        queries."""
        from digest.index import open_index

        if self.settings.on_server:
            return self.store.near(self.model)
        vectors = self.vectors()
        if vectors is None:
            return None
        folder, name = self.settings.home / "index", "fast index" if fast else "index"
        return self.kept.get(name, vectors.newest, lambda: open_index(folder, vectors, fast=fast))

    def vectors(self) -> Vectors | None:
        """The model's vectors, for the index; None where nothing is embedded."""
        from digest.index import Newest, Stored, Vectors

        newest = self.reader.newest_vector(self.model)
        if newest is None:
            return None
        dimension = self.reader.model_dimension(self.model) or 0

        def since(number: int) -> Iterator[Stored]:
            return (Stored(*block) for block in self.store.vectors_since(self.model, number))

        return Vectors(self.model, dimension, Newest(*newest), since)

    @property
    def topics(self) -> list[Topic]:
        """The configured topics, in their order."""
        return list(self.settings.topics.values())

    def topic(self, name: str) -> Topic:
        """A topic by name; raises UsageError that names the nearest one."""
        if name in self.settings.topics:
            return self.settings.topics[name]
        from difflib import get_close_matches

        near = get_close_matches(name, self.settings.topics, n=1)
        hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(self.settings.topics)
        raise UsageError(f"no topic {name!r}; {hint}")

    def source(self, name: str | None) -> Source:
        """A source by name, the configured one by default."""
        known: dict[str, Callable[[], Source]] = {
            "oai": self.arxiv.oai,
            "rss": self.arxiv.rss,
            "api": self.arxiv.api,
            "sample": _sample,
        }
        chosen = name or self.settings.source
        if chosen not in known:
            raise UsageError(
                f"no source {chosen!r}; there are {', '.join(known)} (files: digest import FILE)"
            )
        return known[chosen]()

    @cached_property
    def arxiv(self) -> Arxiv:
        """arXiv, behind its gate."""
        from digest.crawling import Arxiv

        arxiv = Arxiv(self.settings, lambda: self.store)
        self._open.callback(arxiv.close)
        return arxiv

    @cached_property
    def _posting(self) -> Posting:
        from digest.posting import Posting

        posting = Posting(self.settings)
        self._open.callback(posting.close)
        return posting

    def channels(self) -> list[Channel]:
        """The configured channels."""
        return self._posting.channels()

    @property
    def bot(self) -> Bot:
        """The bot of all Telegram channels; it is asked nothing before it is needed."""
        return self._posting.bot

    @cached_property
    def model(self) -> str:
        """The name under which the model's vectors are kept."""
        from digest.embed import model_name

        return model_name(self.settings.embed.model)

    @property
    def person(self) -> str:
        """Who is at work, for the record: the name the system has for the user."""
        from getpass import getuser

        try:
            return getuser()
        except (OSError, KeyError):  # a container may run as a number
            return "a person"

    @cached_property
    def plan(self) -> Plan:
        """What match and write go by."""
        state: PostState = "draft" if self.settings.posts_wait else "approved"
        return Plan(
            topics=tuple(self.topics),
            model=self.model,
            lookback=self.settings.lookback_days,
            state=state,
            channels={topic.name: self.channels_of(topic, topic.languages) for topic in self.topics},
            applause=self.settings.telegram.applause,
        )

    def channels_of(
        self,
        topic: Topic,
        languages: Sequence[Language],
        types: Collection[str] = ("file", "feed", "telegram"),
    ) -> dict[Language, tuple[str, ...]]:
        """The names of the channels of some types that take a topic's posts, by language."""
        channels = [(name, one) for name, one in self.settings.channels.items() if one.type in types]
        return {
            language: tuple(name for name, channel in channels if channel.takes(topic.name, language))
            for language in languages
        }

    @cached_property
    def writer(self) -> Writer:
        """The templates and the author's voice."""
        from digest.data import data_dir
        from digest.render import PostSettings, Writer, templates

        posts = self.settings.posts
        voice = PostSettings(
            greetings=posts.greetings,
            sign_offs=posts.sign_offs,
            opening=posts.emoji.opening,
            closing=posts.emoji.closing,
        )
        return Writer(templates(self.own_templates, data_dir("templates")), voice, self.settings.topics)

    @property
    def own_templates(self) -> Path | None:
        """The folder of the user's templates: the one that is set, else ``templates`` in the digest home;
        None where there is none."""
        usual = self.settings.home / "templates"
        return self.settings.posts.templates or (usual if usual.is_dir() else None)

    @cached_property
    def words(self) -> Words | None:
        """The endpoint that words texts anew; None where there is none."""
        from digest.config import writer_key
        from digest.wording import Endpoint, Words

        chosen = self.settings.writer
        if chosen.url is None or chosen.model is None:
            return None
        endpoint = Endpoint(
            url=chosen.url,
            model=chosen.model,
            seconds=chosen.seconds,
            calls=chosen.calls,
            tokens=chosen.tokens,
        )
        words = Words(endpoint, lambda: writer_key(chosen, os.environ), self.store)
        self._open.callback(words.close)
        return words

    # The road.

    def run(self, source: str | None) -> RunReport:
        """All stages in order. A source that cannot be read now stops none of the others: posts are
        written from what the archive holds, and the run ends with 75 unless today's batch is there. A
        model that is not there is told before the first."""
        from digest.crawling import batch_is_missing

        with self.alone("run", f"crawl of {source or self.settings.source}"):
            _ = self.plan, self.writer
            crawled = self._crawl(self.source(source))
            stages = [crawled, self._embed(), self._match()]
            wrote, posts = self._write()
            sent = self._deliver()
            missing = batch_is_missing(self.store, self.now, crawled)
            exit_code = TryAgain.exit_code if missing else _exit_code(sent)
            return self.record("run", [*stages, *wrote, sent], posts, exit_code)

    def crawl(self, source: str | None, since: date | None = None, *, check: bool = False) -> RunReport:
        """The first stage alone; it ends with 75 where arXiv is not to be asked any more. ``since``: the
        whole harvest since that day; ``check``: what is missing of it."""
        if (check or since) and (source or self.settings.source) != "oai":
            raise UsageError("--since and --check are for arXiv's harvest: --source oai")
        with self.alone(f"crawl of {source or self.settings.source}"):
            if check:
                chosen: Source = self.arxiv.check(since)
            else:
                chosen = self.arxiv.oai(since) if since else self.source(source)
            return self._record_crawl("crawl", self._crawl(chosen))

    def backfill(self, topic: str, since: date, until: date | None) -> RunReport:
        """The papers of a topic since a day, by the keys it has: seeds and active ones."""
        from digest import corpus

        wanted = self.topic(topic)
        if since > min(until or since, new_york_day(self.now)):
            raise UsageError(f"--since {since} is later than {'--until' if until else 'today'}")
        with self.alone(f"backfill of {topic}"):
            self.store.sync_keys(topic, corpus.configured_keys(wanted), self.now)
            keys = [key.text for key in self.store.keys(topic, states=corpus.ACTIVE)]
            source = self.arxiv.backfill(wanted, keys, since, until)
            return self._record_crawl("backfill", self._read(source, every=0.0))

    def fetch(self, wanted: Sequence[str]) -> RunReport:
        """The papers with these ids, asked of arXiv; it ends with 65 where one of them is not to be had."""
        with self.alone():
            crawled = self._read(self.arxiv.lookup(wanted))
            missing = InputError.exit_code if crawled.counts["skipped"] else 0
            return self._record_crawl("papers fetch", crawled, missing)

    def _record_crawl(self, command: str, crawled: StageReport, read: int = 0) -> RunReport:
        exit_code = TryAgain.exit_code if "deferred" in crawled.counts else read
        return self.record(command, [crawled], exit_code=exit_code)

    def import_files(self, files: Sequence[Path], announced: date | None) -> RunReport:
        """The first stage from snapshot files."""
        from digest import pipeline
        from digest.sources.snapshot import Snapshot

        with self.alone():
            sources = [Snapshot(path, announced) for path in files]
            crawled = pipeline.crawl(self.store, sources, self.now)
            self.word_index()
            return self.record("import", [crawled])

    def match(self, since: date) -> RunReport:
        """Score the papers announced since a day, whenever that was."""
        if since > new_york_day(self.now):
            raise UsageError(f"--since {since} is later than today")
        with self.alone("run"):
            return self.record("match", [self._match(since)])

    def stage(self, name: Literal["embed", "match", "write", "deliver"], ray: str | None = None) -> RunReport:
        """One of the later stages alone; ``ray`` is the address of a cluster to embed on."""
        with self.alone(*(() if name == "embed" else ("run",))):
            if name == "write":
                wrote, posts = self._write(again=True)
                return self.record(name, wrote, posts)
            stages = {"embed": lambda: self._embed(ray), "match": self._match, "deliver": self._deliver}
            done = stages[name]()
            return self.record(name, [done], exit_code=_exit_code(done))

    def _crawl(self, source: Source) -> StageReport:
        """Read a source as far as it can be read, and say why a day is empty."""
        from digest.crawling import why_empty

        crawled = self._read(source)
        if source.name not in ("oai", "rss", "api"):
            return crawled
        return replace(crawled, notes=(*crawled.notes, *why_empty(self.store, self.now, crawled)))

    def _read(self, source: Source, *, every: float = 10.0) -> StageReport:
        from digest import pipeline
        from digest.crawling import Progress

        told = None if self._quiet else Progress(source.name, every=every)
        try:
            crawled = pipeline.crawl_while_possible(self.store, source, self.now, told)
        finally:
            if told:
                told.end()
        self.word_index()
        return crawled

    def _embed(self, ray: str | None = None) -> StageReport:
        from digest import cluster, pipeline
        from digest.embed import Threads
        from digest.progress import progress

        if not self.store.count_without_vector(self.model):
            return StageReport("embed", 0.0, {"embedded": 0})
        chosen = self.settings.embed
        how = cluster.How(chosen.model, chosen.device, chosen.batch_size, chosen.backend)
        workers = cluster.joined(ray, how, lambda: self.embedder) if ray else Threads(self.embedder)
        with workers as at_work, progress("embed", quiet=self._quiet) as step:
            report = pipeline.embed(self.store, at_work, step)
        self.index()
        return report

    def _match(self, since: date | None = None) -> StageReport:
        from digest import pipeline
        from digest.fits import Fits

        fits = Fits(self.settings.home / "fits")
        return pipeline.match(self.store, self.plan, self.now, fits, since, self.encode_if_possible)

    def _write(self, *, again: bool = False) -> tuple[list[StageReport], list[int]]:
        """The roundups that are due, then the posts of series; ``again``: those of today that were rejected,
        too. A run leaves them alone, or it would bring back what a person has just refused."""
        from digest import pipeline

        wrote, posts = pipeline.write(self.store, self.plan, self.writer, self.now, self.words, again=again)
        reports = [wrote]
        for topic in self.topics:
            for one in topic.series:
                if one.genre != "roundup":
                    report, ids = self._write_series(topic, one, one.genre, again=again)
                    reports += [report] if report.notes else []
                    posts += ids
        return reports, posts

    def _write_series(
        self, topic: Topic, one: Series, genre: WindowGenre, *, again: bool
    ) -> tuple[StageReport, list[int]]:
        from digest import series

        day = new_york_day(self.now)
        first = series.newest(one, day)
        there = self.store.posts(topic=topic.name, genre=genre, since=first, until=day)
        slot = series.due(one, day, {post.slot for post in there if not (again and post.state == "rejected")})
        if slot is None:
            return StageReport("write", 0.0, {}), []
        return self.write_window(topic, genre, series.window(one, slot), topic.languages, again=again)

    def write_window(
        self,
        topic: Topic,
        genre: WindowGenre,
        window: tuple[date, date],
        languages: Sequence[Language],
        *,
        again: bool = False,
    ) -> tuple[StageReport, list[int]]:
        """A post about a window of days, in these languages. A listing is a page, and no message."""
        from digest import windows

        types = ("file", "feed") if genre == "listing" else ("file", "feed", "telegram")
        channels = self.channels_of(topic, languages, types)
        trend = self._trend(topic) if genre == "review" else None
        return windows.write(
            self.store,
            self.plan,
            self.writer,
            topic,
            genre,
            window,
            channels,
            now=self.now,
            trend=trend,
            words=self.words,
            again=again,
        )

    def _trend(self, topic: Topic) -> Trend | None:
        """The topic's term over the years; None where the archive cannot tell."""
        from digest import terms

        try:
            return terms.trend(self.store, self.topics, topic.term, new_york_day(self.now), beside=True)
        except (InputError, UsageError):
            return None

    def _deliver(self) -> StageReport:
        from digest import delivery

        return delivery.deliver(self.store, self.channels(), self.clock)

    def record(
        self, command: str, stages: Sequence[StageReport], posts: Sequence[int] = (), exit_code: int = 0
    ) -> RunReport:
        """Store what a command did, and give it back."""
        report = RunReport(as_of=self.now, stages=tuple(stages), posts=tuple(posts), exit_code=exit_code)
        self.store.put_run(command, report, self.now, exit_code=exit_code)
        return report

    @contextmanager
    def alone(self, *duties: str) -> Iterator[None]:
        """Hold the lock of the digest home, and on a server that of these duties on all machines."""
        with alone_in(self.settings.home), ExitStack() as held:
            if self.settings.on_server:
                held.enter_context(self.store.held(duties))
            yield


def _sample() -> Source:
    from digest.sources.sample import sample

    return sample()


def _exit_code(done: StageReport) -> int:
    """75 where something is to be sent again later, 1 where a person must look at what was sent."""
    if done.counts.keys() & {"paused", "stopped", "uncertain", "failed", "held"}:
        return DeliveryError.exit_code
    return TryAgain.exit_code if done.counts.get("queued") else 0
