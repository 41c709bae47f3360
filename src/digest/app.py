"""The wiring: settings to store, source, embedder, index, writer and channels."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from msgspec.structs import replace

from digest.clock import Clock
from digest.days import is_weekend, new_york_day
from digest.errors import DeliveryError, InputError, TryAgain, UsageError, refused
from digest.types import (
    Delivery,
    DeliveryState,
    Hit,
    Key,
    KeyState,
    Language,
    Part,
    Post,
    PostState,
    RunReport,
    StageReport,
    Status,
    TextEntity,
    Topic,
    Window,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from digest.channels import Channel
    from digest.channels.check import Finding
    from digest.channels.telegram import Bot, TelegramChannel
    from digest.config import Channel as ChannelSettings
    from digest.config import Settings
    from digest.crawling import Arxiv
    from digest.embed import Embedder
    from digest.index import VectorIndex
    from digest.pipeline import Plan
    from digest.render import Writer
    from digest.review import Polled
    from digest.sources import Source
    from digest.store import Store


class App:
    """The program over one set of settings, acting as if it were ``now``."""

    def __init__(self, settings: Settings, now: datetime, *, quiet: bool = False) -> None:
        self.settings = settings
        self.now = now
        self.clock = Clock()
        self._quiet = quiet
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    # The parts, each made when it is first needed.

    @cached_property
    def store(self) -> Store:
        """The archive, brought to the newest schema."""
        from digest.store import Store

        self._make_home()
        return self._open.enter_context(Store.open(self.settings.database))

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model on its device."""
        from digest.embed import load_embedder

        chosen = self.settings.embed
        return load_embedder(chosen.model, chosen.device, chosen.batch_size)

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

    def channels(self) -> list[Channel]:
        """The configured channels."""
        return [self._channel(name, chosen) for name, chosen in self.settings.channels.items()]

    def _channel(self, name: str, chosen: ChannelSettings) -> Channel:
        if chosen.type == "telegram":
            return self._telegram_channel(name, chosen)
        from digest.channels.feed import FeedChannel
        from digest.channels.files import FileChannel

        assert chosen.folder is not None
        made = FeedChannel if chosen.type == "feed" else FileChannel
        return made(name, chosen.folder)

    def _telegram_channel(self, name: str, chosen: ChannelSettings) -> TelegramChannel:
        from digest.channels.quiet import QuietHours
        from digest.channels.telegram import TelegramChannel

        assert chosen.chat is not None
        hours, zone = chosen.quiet_hours, chosen.time_zone
        quiet = QuietHours.parse(hours, zone) if hours and zone else None
        probe = self.settings.telegram.on_uncertain == "probe"
        return TelegramChannel(name, self.bot, chosen.chat, thread=chosen.thread, quiet=quiet, probe=probe)

    @cached_property
    def bot(self) -> Bot:
        """The bot of all Telegram channels; it is asked nothing before it is needed."""
        from digest.channels.telegram import Bot, Token
        from digest.config import bot_token

        chosen = self.settings.telegram
        bot = Bot(lambda: Token(bot_token(chosen, os.environ)), chosen.url, chosen.speaks_to)
        self._open.callback(bot.close)
        return bot

    @cached_property
    def model(self) -> str:
        """The name under which the model's vectors are kept."""
        from digest.embed import model_name

        return model_name(self.settings.embed.model)

    @cached_property
    def plan(self) -> Plan:
        """What match and write go by."""
        from digest.pipeline import Plan

        state: PostState = "draft" if self.settings.posts_wait else "approved"
        return Plan(
            topics=tuple(self.topics),
            model=self.model,
            lookback=self.settings.lookback_days,
            state=state,
            channels={topic.name: self._channels_of(topic) for topic in self.topics},
        )

    def _channels_of(self, topic: Topic) -> dict[Language, tuple[str, ...]]:
        channels = self.settings.channels.items()
        return {
            language: tuple(name for name, channel in channels if channel.takes(topic.name, language))
            for language in topic.languages
        }

    @cached_property
    def writer(self) -> Writer:
        """The templates and the author's voice."""
        from digest.data import data_dir
        from digest.render import PostSettings, Writer, templates

        posts = self.settings.posts
        voice = PostSettings(greetings=posts.greetings, sign_offs=posts.sign_offs)
        return Writer(templates(posts.templates, data_dir("templates")), voice, self.settings.topics)

    # The road.

    def run(self, source: str | None) -> RunReport:
        """All stages in order. A source that cannot be read now stops none of the others: posts are
        written from what the archive holds, and the run ends with 75 unless today's batch is there. A
        model that is not there is told before the first."""
        with self._alone():
            _ = self.plan, self.writer
            crawled = self._crawl(self.source(source))
            stages = [crawled, self._embed(), self._match()]
            wrote, posts = self._write()
            sent = self._deliver()
            exit_code = TryAgain.exit_code if self._batch_is_missing(crawled) else _exit_code(sent)
            return self._record("run", [*stages, wrote, sent], posts, exit_code)

    def crawl(self, source: str | None, since: date | None = None, *, check: bool = False) -> RunReport:
        """The first stage alone; it ends with 75 where arXiv is not to be asked any more. ``since``: the
        whole harvest since that day; ``check``: what is missing of it."""
        if (check or since) and (source or self.settings.source) != "oai":
            raise UsageError("--since and --check are for arXiv's harvest: --source oai")
        with self._alone():
            if check:
                chosen: Source = self.arxiv.check(since)
            else:
                chosen = self.arxiv.oai(since) if since else self.source(source)
            return self._record_crawl("crawl", self._crawl(chosen))

    def backfill(self, topic: str, since: date, until: date | None) -> RunReport:
        """The papers of a topic since a day, by the keys it has: seeds and active ones."""
        from digest import pipeline

        wanted = self.topic(topic)
        if since > min(until or since, new_york_day(self.now)):
            raise UsageError(f"--since {since} is later than {'--until' if until else 'today'}")
        with self._alone():
            self.store.sync_keys(topic, pipeline.configured_keys(wanted), self.now)
            keys = [key.text for key in self.store.keys(topic, states=pipeline.ACTIVE)]
            source = self.arxiv.backfill(wanted, keys, since, until)
            return self._record_crawl("backfill", self._read(source, every=0.0))

    def _record_crawl(self, command: str, crawled: StageReport) -> RunReport:
        exit_code = TryAgain.exit_code if "deferred" in crawled.counts else 0
        return self._record(command, [crawled], exit_code=exit_code)

    def import_files(self, files: Sequence[Path], announced: date | None) -> RunReport:
        """The first stage from snapshot files."""
        from digest import pipeline
        from digest.sources.snapshot import Snapshot

        with self._alone():
            sources = [Snapshot(path, announced) for path in files]
            return self._record("import", [pipeline.crawl(self.store, sources, self.now)])

    def stage(self, name: Literal["embed", "match", "write", "deliver"]) -> RunReport:
        """One of the later stages alone."""
        with self._alone():
            if name == "write":
                wrote, posts = self._write()
                return self._record(name, [wrote], posts)
            stages = {"embed": self._embed, "match": self._match, "deliver": self._deliver}
            done = stages[name]()
            return self._record(name, [done], exit_code=_exit_code(done))

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
            return pipeline.crawl_while_possible(self.store, source, self.now, told)
        finally:
            if told:
                told.end()

    def _batch_is_missing(self, crawled: StageReport) -> bool:
        """Whether a crawl was put off and the last batch there can be has not come in some other way."""
        day = new_york_day(self.now)
        while is_weekend(day):
            day -= timedelta(days=1)
        return "deferred" in crawled.counts and not self.store.day_counts(day, day)

    def _embed(self) -> StageReport:
        from digest import pipeline

        if not self.store.count_without_vector(self.model):
            return StageReport("embed", 0.0, {"embedded": 0})
        with progress("embed", quiet=self._quiet) as step:
            return pipeline.embed(self.store, self.embedder, step)

    def _match(self) -> StageReport:
        from digest import pipeline

        return pipeline.match(self.store, self.plan, self.now)

    def _write(self) -> tuple[StageReport, list[int]]:
        from digest import pipeline

        return pipeline.write(self.store, self.plan, self.writer, self.now)

    def _deliver(self) -> StageReport:
        from digest import delivery

        return delivery.deliver(self.store, self.channels(), self.clock)

    def _record(
        self, command: str, stages: Sequence[StageReport], posts: Sequence[int] = (), exit_code: int = 0
    ) -> RunReport:
        report = RunReport(as_of=self.now, stages=tuple(stages), posts=tuple(posts), exit_code=exit_code)
        self.store.put_run(command, report, self.now, exit_code=exit_code)
        return report

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the digest home, so that only one process changes it; the system lets go
        of it when the process ends, however it ends."""
        from filelock import FileLock, Timeout

        self._make_home()
        path = self.settings.home / "digest.lock"
        try:
            with FileLock(path, timeout=0):
                yield
        except Timeout:
            reason = "another digest is at work in this home; try again when it is done"
            raise TryAgain(f"{path}: {reason}") from None

    def _make_home(self) -> None:
        try:
            self.settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(error, "choose another --home") from error

    # The archive.

    def search(self, query: str, count: int, window: Window) -> list[Hit]:
        """Search by words and by meaning."""
        from digest import search
        from digest.embed import load_query_encoder

        index = self._index()
        chosen = self.settings.embed

        def encode(text: str) -> npt.NDArray[np.float32]:
            vectors: npt.NDArray[np.float32] = load_query_encoder(chosen.model, chosen.device).embed([text])
            return vectors.reshape(-1)

        return search.search(self.store, index, encode, query, count, window)

    def similar(self, paper: str, count: int, window: Window) -> list[Hit]:
        """Papers near to a paper."""
        from digest import ids, search

        base = ids.parse(paper).base
        if not self.store.papers([base]):
            raise InputError(f"{base} is not in the archive; digest search finds what is")
        index = self._index()
        if index is None:
            raise UsageError("nothing is embedded yet; run: digest embed")
        return search.similar(self.store, index, self.model, base, count, window)

    def _index(self) -> VectorIndex | None:
        """The vector index, rebuilt where it does not fit the archive; None where nothing is embedded."""
        from digest.index import open_index

        dimension = self.store.model_dimension(self.model)
        if dimension is None:
            return None
        folder = self.settings.home / "index"
        state = self.store.vector_state(self.model)
        return open_index(folder, self.model, dimension, state, lambda: self.store.all_vectors(self.model))

    def post(self, number: int) -> Post:
        """A post by its id; raises InputError where there is none."""
        found = self.store.post(number)
        if found is None:
            raise InputError(f"no post {number}; digest posts list shows what there is")
        return found

    def newest_posts(self) -> list[Post]:
        """The posts of the newest slot."""
        found = self.store.posts()
        newest = max((post.slot for post in found), default=None)
        return [post for post in found if post.slot == newest]

    def decide_post(self, number: int, decision: Literal["approve", "reject"]) -> Post:
        """Approve or reject a draft; saying the same again is harmless."""
        wanted: PostState = "approved" if decision == "approve" else "rejected"
        post = self.post(number)
        drafts: tuple[PostState, ...] = ("draft",)
        if post.state != wanted and not self.store.set_post_state(number, drafts, wanted, self.now):
            raise UsageError(f"post {number} is {post.state}: only a draft can be {wanted}")
        return self.post(number)

    # Posting.

    def outbox(self, *, everything: bool) -> list[Delivery]:
        """The deliveries that are not done, or all."""
        undone: tuple[DeliveryState, ...] = ("queued", "sending", "uncertain", "failed")
        return self.store.deliveries(states=None if everything else undone)

    def resolve(self, number: int, *, sent: int | None, retry: bool) -> Delivery:
        """A person says what became of a part: it stands there as message ``sent``, it is to be tried
        again, or (neither) it is given up."""
        found = self._delivery(number)
        to: DeliveryState = "sent" if sent is not None else "queued" if retry else "cancelled"
        settled: tuple[DeliveryState, ...] = ("uncertain", "failed")
        from_states: tuple[DeliveryState, ...] = (*settled, "queued") if to == "cancelled" else settled
        receipt = None if sent is None else self._receipt(found, sent)
        if not self.store.set_delivery_state(number, from_states, to, self.clock.now(), receipt=receipt):
            raise UsageError(
                f"delivery {number} is {found.state}: only {' or '.join(from_states)} becomes {to}"
            )
        if sent is not None and found.chat is not None:
            self.store.note_message(found.chat, sent)
        return self._delivery(number)

    def _delivery(self, number: int) -> Delivery:
        for found in self.store.deliveries():
            if found.id == number:
                return found
        raise InputError(f"no delivery {number}; digest outbox list shows what there is")

    def _receipt(self, found: Delivery, message: int) -> str:
        from digest.channels import RemoteChannel

        for channel in self.channels():
            if channel.name == found.channel and isinstance(channel, RemoteChannel):
                channel.chat = found.chat or channel.chat
                return channel.receipt(message)
        return f"message {message}"

    def check_channels(self, name: str | None) -> list[Finding]:
        """Whether the Telegram channels can be posted to; one where all is well again is resumed."""
        from digest.channels.check import MAY_POST, Finding, check
        from digest.channels.telegram import TelegramChannel

        channels = [channel for channel in self.channels() if isinstance(channel, TelegramChannel)]
        wanted = [channel for channel in channels if name in (None, channel.name)]
        if not wanted:
            known = ", ".join(channel.name for channel in channels) or "none: docs/telegram.md says how"
            raise UsageError(f"no Telegram channel {name or 'at all'}; there are {known}")
        found: list[Finding] = []
        for channel in wanted:
            channel.chat = self.store.chat(channel.address).id
            looked = check(channel, self._sample_part(channel.name))
            found += looked
            may_post = any(one.text == MAY_POST for one in looked)
            if may_post and self.store.resume_channel(channel.name):
                found.append(Finding(channel.name, True, "it was paused and goes on with the next delivery"))
        return found

    def _sample_part(self, channel: str) -> Part:
        """The first part of the newest post for a channel, else a few words in bold."""
        chosen = self.settings.channels[channel]
        for post in reversed(self.store.posts()):
            if chosen.takes(post.topics[0], post.language) and post.parts:
                return post.parts[0]
        text = "This is how posts will look: bold, and a link."
        bold, link = TextEntity("bold", 29, 4), TextEntity("text_link", 41, 4, url="https://arxiv.org")
        return Part("", text, (bold, link))

    def review(self) -> Polled:
        """Take the decisions that editors made in Telegram, and show them the drafts that wait."""
        from digest.review import poll

        telegram = self.settings.telegram
        if not telegram.editors:
            raise UsageError("nobody may approve: name telegram.editors, or use digest posts approve")
        return poll(self.store, self.bot, telegram.editors, self.now, self.clock)

    def keys(self, topic: str, *, everything: bool) -> list[Key]:
        """The keys of a topic: active and proposed, or all."""
        states: tuple[KeyState, ...] | None = None if everything else ("active", "proposed")
        return self.store.keys(self.topic(topic).name, states=states)

    def propose_keys(self, topic: str) -> list[Key]:
        """Look for adjacent keys of a topic now."""
        from digest import pipeline

        with self._alone():
            return pipeline.propose_keys(self.store, self.plan, self.topic(topic), self.now)

    def decide_key(self, topic: str, key: str, state: KeyState, reason: str) -> Key:
        """A person accepts or rejects a key, known or new."""
        from digest.phrases import normalise

        return self.store.decide_key(
            self.topic(topic).name, key, normalise(key), state, by="human", reason=reason, now=self.now
        )

    def status(self) -> Status:
        """What the archive holds, what waits, and how the last runs went."""
        return replace(self.store.status(self.model), arxiv=self.arxiv.status(self.now))


def _sample() -> Source:
    from digest.sources.sample import sample

    return sample()


def _exit_code(done: StageReport) -> int:
    """75 where something is to be sent again later, 1 where a person must look at what was sent."""
    if done.counts.get("queued"):
        return TryAgain.exit_code
    return DeliveryError.exit_code if done.counts.keys() & {"uncertain", "failed"} else 0


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr with rate and time left, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=what, unit=" papers", file=sys.stderr, leave=False) as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield step
