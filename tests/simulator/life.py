"""A life: some weeks of a digest home that is left alone, on a machine and a network that are ill.

The daemon's own duties decide when a run, a delivery or a watch is due; each is done here by the program's
own App, with its clock, its encoder and both ends of the network exchanged. A seed gives the days (across
a change of the clocks, a leap day, a new year), the configuration, what arXiv announces and all that goes
wrong. Everything that happens is told to a log, which is the same for the same seed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from botapi import TOKEN
from digest import config, delivery
from digest.actions import operations, sending
from digest.app import App
from digest.daemon import Daemon
from digest.errors import DigestError
from digest.sources.polite import Gate
from digest.store import base, sqlite
from outbox import EDITOR, new_database
from simulator import oracle, papers
from simulator.perils import Clock, Crash, Perils, befalling
from simulator.servers import Arxiv, Telegram

DAYS = 37
QUIET = 9
"""The last days of a life are without faults: what could not be done before is to be done then."""

BEGINS = ("02-20", "10-20", "03-01", "12-10", "03-20", "06-01")
"""Around a leap day and the clocks' change in New York, in Berlin, a new year; and nothing in particular."""

_CONFIG = """
contact = "me@example.org"
approval = "{approval}"
[telegram]
editors = [{editor}]
on_uncertain = "{uncertain}"
[channels.news]
type = "telegram"
chat = "@sim_news"
languages = ["en"]
{hours}
[channels.club]
type = "telegram"
chat = "{club}"
languages = ["ru"]
[channels.files]
type = "file"
folder = "posts"
[topics.unlearning]
term = "unlearning"
titles = {{ en = "Machine unlearning", ru = "Машинное разобучение" }}
seed_keys = ["machine unlearning"]
categories = ["cs.LG", "stat.ML"]
languages = ["en", "ru"]
floor = 0.3
rhythm = {{ at_least = 2, at_latest_days = 3 }}
[topics.xai]
term = "explainable AI"
titles = {{ en = "Explainable AI", ru = "Объяснимый ИИ" }}
seed_keys = ["explainable AI"]
categories = ["cs.LG", "stat.ML"]
languages = ["en"]
floor = 0.3
"""
_ZONES = (ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin"))
_HOURS = (
    "",
    'post_at = ["09:00", "18:00"]\ntime_zone = "Europe/Berlin"',
    'quiet_hours = "23:00-08:00"\ntime_zone = "Asia/Shanghai"',
    'quiet_hours = "00:00-06:00"\ntime_zone = "America/New_York"',
)


class Words:
    """A cheap stand-in for the embedding model: the hashing trick, so that texts that share words are near.
    It is here so that thousands of days can be lived; the model itself is tested elsewhere."""

    name, dimension, at_once = "words", 64, 64

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """float32[n, 64]."""
        return self.compute(self.prepare(texts))

    def prepare(self, texts: Sequence[str]) -> list[str]:
        """The texts."""
        return list(texts)

    def compute(self, prepared: Any) -> npt.NDArray[np.float32]:
        """float32[n, 64]."""
        rows = np.zeros((len(prepared), self.dimension), np.float32)
        for row, text in zip(rows, prepared, strict=True):
            for word in text.lower().split():
                code = zlib.crc32(word.encode())
                row[code % self.dimension] += 1.0 if code & 1024 else -1.0
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class _LeftAlone(Daemon):
    """The daemon, whose commands are done within this process."""

    def __init__(self, life: Life) -> None:
        super().__init__(lambda: life.settings, clock=life.clock)  # type: ignore[arg-type]
        self._life = life

    def _do(self, name: str, *words: str) -> int:
        return self._life.command(words[0])

    @contextmanager
    def _looking(self, now: datetime) -> Iterator[App | None]:
        """As the daemon's, with an archive that stays open: opening it takes longer than looking."""
        yield self._life.onlooker.at(now)

    def beat(self) -> None:
        """One look at what is due."""
        for duty in (self._run, self._deliver, self._watch):
            try:
                duty()
            except DigestError as error:
                self._life.told(f"{duty.__name__[1:]} not now: {error}")


class Life:
    """A life in a folder; ``seed`` says all about it. ``ill``: the share of requests and of commands to which
    something happens before the last, quiet days."""

    def __init__(self, seed: int, folder: Path, days: int = DAYS, *, ill: float = 0.2) -> None:
        self.seed, self.home, self.days, self.ill = seed, folder / "home", days, ill
        self.random = Random(seed)
        self.log: list[str] = []
        self.counts: Counter[str] = Counter()
        self.begin = self._begin()
        self.perils = Perils(str(self.home))
        self.clock = Clock(datetime(*self.begin.timetuple()[:3], 11, tzinfo=UTC), self.perils)
        self._usual = Counter({"run": 900, "deliver": 120, "watch": 60})
        self.world = papers.world(self.random, self.begin - timedelta(days=5), days)
        self.arxiv = Arxiv(self.world, self.clock, self.perils, Random(seed + 1), self.told)
        self.telegram = Telegram(self.clock, self.perils, Random(seed + 2), self.told)
        self.telegram.write(EDITOR, "/start")
        self.chats = {
            "news": self.telegram.chat("channel", username="sim_news"),
            "club": self.telegram.chat("group"),
        }
        self._make_home()
        self._parts: dict[str, Any] = {}
        self.onlooker: App
        self.daemon = _LeftAlone(self)
        self.witness = oracle.Witness(self)

    def _begin(self) -> date:
        year = self.random.randint(2024, 2040)
        day = date.fromisoformat(f"{year}-{self.random.choice(BEGINS)}")
        return day + timedelta(days=self.random.randint(-9, 9))

    def _make_home(self) -> None:
        self.home.mkdir(parents=True)
        self.settled = self.random.random() < 0.75  # else nobody looks in the channel, and a person must
        given = {
            "approval": "automatic" if self.random.random() < 0.7 else "manual",
            "editor": EDITOR,
            "uncertain": "probe" if self.settled else "hold",
            "hours": self.random.choice(_HOURS),
            "club": self.chats["club"],
        }
        (self.home / "digest.toml").write_text(_CONFIG.format(**given), encoding="utf-8")
        (self.home / "digest.sqlite3").write_bytes(new_database())
        self.settings = config.load(None, self.home, {})

    def told(self, what: str) -> None:
        """Write down what happens."""
        self.log.append(f"{self.clock.true():%Y-%m-%d %H:%M:%S} {what}")

    @property
    def trace(self) -> str:
        """A checksum of all that happened and of what the archive holds."""
        all_of_it = "\n".join([*self.log, *oracle.rows(self.home / "digest.sqlite3")])
        return hashlib.sha256(all_of_it.replace(str(self.home), "HOME").encode()).hexdigest()

    # Days.

    def live(self) -> Counter[str]:
        """All days of it. Raises oracle.Violation."""
        with _in_the_world(self.seed), App(self.settings, self.clock.now(), quiet=True) as self.onlooker:
            self.onlooker.readonly = True
            _ = self.onlooker.store
            for number in range(self.days):
                self._day(
                    self.begin + timedelta(days=number), ill=self.ill > 0 and number < self.days - QUIET
                )
            self.witness.judge()
        self.counts["days"] += self.days
        return self.counts

    def _day(self, day: date, *, ill: bool) -> None:
        self.counts.update(_turns(day))
        self.arxiv.rate = self.telegram.rate = self.ill if ill else 0.0
        if not ill:
            self.clock.wrong, self.arxiv.down, self.telegram.down = 0.0, False, False
        if ill and self.random.random() < 0.06 and self._sleep(day):
            return
        if ill:
            self._weather(day)
        beats = [5.6, self.random.uniform(0, 24)]
        for hour in sorted(beats):
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + hour * 3600
            self.clock.at = max(self.clock.at, moment)
            self.beat(ill=ill)
        self.witness.look()

    def _sleep(self, day: date) -> bool:
        """Whether the machine is off all day; it never is for as long as the look-back window."""
        if self.counts["days off in a row"] >= 3:
            self.counts["days off in a row"] = 0
            return False
        self.counts["days off in a row"] += 1
        self.counts["days off"] += 1
        self.told(f"{day}: the machine is off")
        return True

    def _weather(self, day: date) -> None:
        """What is ill today beside single requests."""
        draw = self.random.random()
        self.arxiv.down, self.telegram.down = draw < 0.04, 0.04 < draw < 0.08
        self.clock.wrong = self.random.choice((-7200.0, 5400.0, 30 * 3600.0)) if 0.08 < draw < 0.12 else 0.0
        if 0.12 < draw < 0.14:
            self._migrate()
        if 0.14 < draw < 0.17:
            self.telegram.change(self.chats["news"], status="kicked")
            self.told("the bot is thrown out of the channel")
        if self.clock.wrong:
            self.counts["days on a wrong clock"] += 1
            self.told(f"the clock is wrong by {self.clock.wrong} s")

    def _migrate(self) -> None:
        """The group becomes a supergroup, once."""
        if "old club" in self.chats:
            return
        self.chats["old club"] = self.chats["club"]
        self.chats["club"] = self.telegram.chat("supergroup")
        self.telegram.change(self.chats["old club"], migrated_to=self.chats["club"])
        self.told("the group becomes a supergroup")

    def beat(self, *, ill: bool) -> None:
        """The daemon looks; a person looks after what waits for one."""
        self._ill = ill
        self.telegram.catch_up()
        for _ in range(2):  # the daemon looks every 20 seconds: what one command leaves the next may do
            before = self.counts["runs and deliveries"]
            self.daemon.beat()
            self.clock.at += 200
            self.telegram.catch_up()
            if self.counts["runs and deliveries"] == before:
                break
        self._person(ill=ill)

    # Commands.

    def command(self, name: str) -> int:
        """Do what `digest NAME` does, in an App of its own; -9 where the process died."""
        self.counts["commands"] += 1
        self.counts["runs and deliveries"] += name != "watch"
        if self._ill:
            self.perils.draw(self.random, self._usual[name], self.ill)
        else:
            self.perils.kind = None
        try:
            with befalling(self.perils), self._opened() as app:
                code = self._act(app, name)
        except Crash:
            code = -9
        except DigestError as error:
            code = error.exit_code
            self.told(f"{name}: {type(error).__name__}: {str(error).replace(str(self.home), 'HOME')}")
        except Exception as error:
            raise oracle.Violation(f"seed {self.seed}: {name} ended with {error!r}") from error
        self._note(name, code)
        self.perils.kind = None
        self.witness.after(name)
        return code

    def _note(self, name: str, code: int) -> None:
        if self.perils.struck:
            self.counts[f"{self.perils.kind}"] += 1
            self.told(f"{name}: {self.perils.kind} at step {self.perils.fatal}, {self.perils.struck}")
        elif self.perils.kind is not None and not self.perils.only:
            self._usual[name] = max(self.perils.steps, 1)
        self.counts[f"{name} ended with {code}"] += 1
        self.told(f"{name} ended with {code}")

    def _act(self, app: App, name: str) -> int:
        if name == "watch":
            operations.watch(app)
            return 0
        report = app.run(None) if name == "run" else app.stage("deliver")
        for stage in report.stages:
            for note in stage.notes:
                self.told(f"  {stage.stage}: {note.replace(str(self.home), 'HOME')}")
        return report.exit_code

    @contextmanager
    def _opened(self) -> Iterator[App]:
        """The program with this life's clock, encoder and network."""
        with App(self.settings, self.clock.now(), quiet=True) as app:
            app.clock = self.clock  # type: ignore[assignment]
            app.__dict__.update(self._parts, embedder=Words(), model=Words.name, encode=Words().embed)
            app.arxiv.__dict__["gate"] = self._gate()
            with self._speaking():
                yield app
            self._parts = {"writer": app.writer}  # its templates take longer to compile than all else

    def _gate(self) -> Gate:
        state, draw = self.home / "gate.json", Random(self.random.random())
        gate = Gate("digest/sim", state=state, clock=self.clock, sleep=self.clock.sleep, random=draw.random)
        gate._client = httpx.Client(transport=self.arxiv, headers={"Accept-Encoding": "gzip"})
        return gate

    def _speaking(self) -> AbstractContextManager[Any]:
        """Let python-telegram-bot speak to this life's Telegram."""
        from telegram.request import HTTPXRequest

        def request(httpx_kwargs: dict[str, Any], **more: Any) -> HTTPXRequest:
            return HTTPXRequest(httpx_kwargs={**httpx_kwargs, "transport": self.telegram}, **more)

        return patch("telegram.request.HTTPXRequest", request)

    # A person.

    def _person(self, *, ill: bool) -> None:
        """Approves drafts, settles what is held once it is told, brings the bot back; not at once."""
        if ill and self.random.random() < 0.6:
            return
        if self.telegram.world.chats[self.chats["news"]].status == "kicked":
            self.telegram.change(self.chats["news"], status="administrator")
        if not self.witness.waits_for_a_person():
            return
        with App(self.settings, self.clock.now(), quiet=True) as app:
            app.clock = self.clock  # type: ignore[assignment]
            now = self.clock.now()
            for post in app.store.posts(state="draft", bare=True):
                app.store.set_post_state(post.id, ("draft",), "approved", now, by="editor")
                self.told(f"a person approves post {post.id}")
            for channel in ("news", "club"):
                if app.store.resume_channel(channel):
                    self.told(f"a person resumes {channel}")
            self._settle(app)

    def _settle(self, app: App) -> None:
        """What a person can see in the channel, they say; only of what they were told."""
        for one in app.store.deliveries(states=("uncertain",)):
            waited = self.clock.now() - (one.attempted or self.clock.now())
            if not self.witness.was_told(one.post, one.part, one.channel) or waited < timedelta(minutes=3):
                continue
            message = self.witness.stands(one.post, one.part, one.channel)
            with self._speaking():
                sending.resolve(app, one.id, sent=message, retry=message is None)
            self.told(f"a person settles post {one.post} part {one.part} in {one.channel}: {message}")


def _turns(day: date) -> Iterator[str]:
    """What of the calendar befalls the clocks on a day."""
    if (day.month, day.day) == (2, 29):
        yield "leap days"
    if (day.month, day.day) == (1, 1):
        yield "new years"
    for zone in _ZONES:
        noons = (datetime(*one.timetuple()[:3], 12, tzinfo=zone) for one in (day - timedelta(days=1), day))
        if len({noon.utcoffset() for noon in noons}) == 2:
            yield "changes of the clock"


_new_engine = sqlite.new_engine


@cache
def one_engine(file: Path | None, *, readonly: bool, busy_timeout: float) -> Engine:
    """One engine for a file, since each compiles its statements anew; what it is disposed of opens again."""
    return _new_engine(file, readonly=readonly, busy_timeout=busy_timeout)


@contextmanager
def _in_the_world(seed: int) -> Iterator[None]:
    """Random words from the seed, and the token in the environment."""
    words = Random(seed + 3)

    def word() -> uuid.UUID:
        return uuid.UUID(int=words.getrandbits(128))

    with (
        patch.object(sqlite, "new_engine", one_engine),
        patch.object(base, "uuid4", word),
        patch.object(delivery.uuid, "uuid4", word),
        patch.dict(os.environ, {"DIGEST_TELEGRAM_TOKEN": TOKEN}),
        patch.object(logging.lastResort, "level", logging.CRITICAL),
    ):
        yield
