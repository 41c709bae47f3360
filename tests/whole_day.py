"""A day of the whole program in processes that may be killed: crawl, embed, match, write, deliver.

A `Home` lives some days undisturbed and keeps what stood there before each of them. On any of these mornings
it begins again, in another folder and with the channel as it was, by processes that are forked from one that
has all in memory. arXiv is within each of them (it remembers nothing of a client); Telegram's server is a
process of its own and is never killed. What comes of the day is compared with what came of it undisturbed:
every row, every message, every file.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from mmap import mmap
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from botapi import TOKEN, Remote
from calls import forked
from digest import config
from digest.app import App
from digest.channels import telegram
from digest.sources.polite import Gate
from digest.store import sqlite
from fakes import ServerClock
from outbox import EDITOR, new_database
from simulator import papers
from simulator.life import Words, one_engine
from simulator.perils import Clock, Perils
from simulator.servers import Arxiv

BEGIN = date(2026, 6, 1)
MORNING = 5.6
"""The hour of a run, UTC: the batch of the day is out."""

_CONFIG = """
contact = "me@example.org"
approval = "automatic"
[telegram]
url = "{url}"
editors = [{editor}]
[channels.news]
type = "telegram"
chat = "{chat}"
languages = ["en"]
[channels.feed]
type = "feed"
folder = "feed"
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
[topics.xai]
term = "explainable AI"
titles = {{ en = "Explainable AI", ru = "Объяснимый ИИ" }}
seed_keys = ["explainable AI"]
categories = ["cs.LG", "stat.ML"]
languages = ["en"]
floor = 0.3
"""
NOT_COMPARED = {"run", "stamp", "word_change", "topic_fit", "sender"}
"""Tables that hold how long something took, or random words that say that something changed."""
STAGES = ("crawl", "embed", "match", "write", "deliver")
TRIES = 6
"""So many runs, an hour apart, in which a day is over."""
_DELIVERED = {"delivery": {"attempts"}, "followup": {"attempts"}}


class Left(NamedTuple):
    """What a day leaves: rows by table, the messages of the channel, files with their bytes."""

    rows: dict[str, list[tuple[Any, ...]]]
    messages: list[tuple[int, str]]
    files: dict[str, bytes]


@dataclass(frozen=True)
class Morning:
    """What stands there before a day, and what stands there after it, undisturbed."""

    day: date
    folder: Path
    chats: int
    after: Left


class Home:
    """A digest home in ``folder`` and its channel on a server."""

    def __init__(self, folder: Path, api: Remote, seed: int, days: int) -> None:
        self.folder, self.api, self.seed = folder, api, seed
        api.person(EDITOR)
        api.write(EDITOR, "/start")
        self.chat = api.chat("channel", username="daily_news")
        self.world = papers.world(Random(seed), BEGIN - timedelta(days=5), days + 5)
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        text = _CONFIG.format(url=api.url, editor=EDITOR, chat=self.chat)
        (self.home / "digest.toml").write_text(text, encoding="utf-8")
        (self.home / "digest.sqlite3").write_bytes(new_database())
        os.environ["DIGEST_TELEGRAM_TOKEN"] = TOKEN
        telegram.READ_TIMEOUT = 2.0
        self.settings = config.load(None, self.home, {})
        self._parts: dict[str, Any] = {"embedder": Words(), "model": Words.name}
        self.morning: Morning
        self._stage = mmap(-1, 1)  # shared with the processes that are forked
        sqlite.new_engine = one_engine

    def mornings(self, days: int) -> Iterator[Morning]:
        """Live so many days undisturbed; those on which something is posted."""
        for at in range(days):
            day = BEGIN + timedelta(days=at)
            kept, chats = self.folder / f"{day}", self.api.keep()
            shutil.copytree(self.home, kept)
            before = len(self.api.messages(self.chat))
            self.wake(day)
            code = self._run()
            assert code == 0, f"{day}: an undisturbed run ended with {code}"
            if len(self.api.messages(self.chat)) > before:
                yield Morning(day, kept, chats, self.left())

    def begin(self, morning: Morning | None = None) -> None:
        """It is that morning again, or the last one that was."""
        self.morning = morning = morning or self.morning
        shutil.rmtree(self.home)
        shutil.copytree(morning.folder, self.home)
        self.api.bring_back(morning.chats)
        self.wake(morning.day)

    def wake(self, day: date) -> None:
        """The first run of a day is due."""
        self.moment = datetime(*day.timetuple()[:3], tzinfo=UTC).timestamp() + MORNING * 3600
        self.api.clock(self.moment)

    def start(self, *, stopped: bool = False) -> int:
        """A run in a process of its own, which may wait to be traced; its id."""
        return forked(self._run, stopped=stopped)

    def end(self, child: int) -> int:
        """The exit code of a run, -9 where it was killed; the next one is due an hour later."""
        _, status = os.waitpid(child, 0)
        self.moment += 3600
        self.api.clock(self.moment)
        return os.waitstatus_to_exitcode(status)

    def _run(self) -> int:
        """`digest run` at the moment it is."""
        clock = Clock(datetime.fromtimestamp(self.moment, UTC), Perils(str(self.home)))
        with App(self.settings, clock.now(), quiet=True) as app:
            app.clock = ServerClock(self.api)  # type: ignore[assignment]
            app.__dict__.update(self._parts)
            app.arxiv.__dict__["gate"] = self._gate(clock)
            for at, name in enumerate(STAGES):
                app.__dict__[f"_{name}"] = self._noted(at, getattr(app, f"_{name}"))
            self._parts["writer"] = app.writer  # its templates take longer to compile than all else
            return app.run(None).exit_code

    def _noted(self, at: int, stage: Any) -> Any:
        def noted(*given: Any, **more: Any) -> Any:
            self._stage[0] = at
            return stage(*given, **more)

        return noted

    stages = STAGES

    @property
    def stage(self) -> str:
        """The stage that the last run began."""
        return STAGES[self._stage[0]]

    def _gate(self, clock: Clock) -> Gate:
        state, draw = self.home / "gate.json", Random(int(self.moment))
        gate = Gate("digest/day", state=state, clock=clock, sleep=clock.sleep, random=draw.random)
        arxiv = Arxiv(self.world, clock, clock._perils, draw, lambda _: None)
        gate._client = httpx.Client(transport=arxiv, headers={"Accept-Encoding": "gzip"})
        return gate

    def settle(self) -> str:
        """What the day came to after runs that are left alone: "whole", "held" where a part may stand in the
        channel, nobody can see whether, and the editor was told; or what is wrong."""
        wrong = ""
        for _ in range(TRIES):
            code = self.end(self.start())
            if code not in (0, 1, 75):
                return f"a run that was left alone ended with {code}"
            if not (wrong := f"runs go on ending with {code}" if code else self.wrong()):
                return "whole"
        return "held" if code == 1 and self._is_held() else wrong

    def _is_held(self) -> bool:
        """Whether what is missing are parts that are held, or behind them, and the editor knows of them."""
        now, then = (
            [text for _, text in self.left().messages],
            [text for _, text in self.morning.after.messages],
        )
        query = """SELECT part.text, held.post, held.part FROM delivery AS held
            JOIN part ON part.post = held.post AND part.number >= held.part
            WHERE held.state = 'uncertain' AND held.channel = 'news'"""
        with closing(sqlite3.connect(self.home / "digest.sqlite3")) as rows:
            held = rows.execute(query).fetchall()
        told = "\n".join(one.text for one in self.api.messages(EDITOR))
        known = {text for text, post, at in held if f"news: post {post} part {at + 1} may stand" in told}
        missing = Counter(then) - Counter(now)
        return bool(known) and missing.keys() <= known and now == [one for one in then if one in now]

    def left(self) -> Left:
        """What stands there now."""
        messages = [(one.message_id, one.text) for one in self.api.messages(self.chat)]
        return Left(dict(_rows(self.home / "digest.sqlite3")), messages, _files(self.home))

    def wrong(self) -> str:
        """How what stands there differs from what came of the day undisturbed; "" where it does not."""
        now, then = self.left(), self.morning.after
        texts = Counter(text for _, text in now.messages)
        if doubled := [text[:40] for text, times in texts.items() if times > 1]:
            return f"doubled: {doubled}"
        if now.messages != then.messages:
            return f"{len(now.messages)} messages, where there should be {len(then.messages)}"
        for name, rows in then.rows.items():
            if now.rows[name] != rows:
                return f"rows of {name}: {_first_difference(now.rows[name], rows)}"
        if now.files != then.files:
            return f"files: {sorted(dict(now.files.items() ^ then.files.items()))}"
        return unsound(self.home / "digest.sqlite3")


def unsound(database: Path) -> str:
    """What SQLite finds wrong with a file."""
    with closing(sqlite3.connect(database)) as rows:
        try:
            found = rows.execute("PRAGMA integrity_check(1)").fetchone()
            orphans = rows.execute("PRAGMA foreign_key_check").fetchone()
            rows.execute("INSERT INTO paper_word(paper_word, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:  # the words do not fit the papers, say
            return f"damaged: {error}"
    return "" if found == ("ok",) and not orphans else f"damaged: {found}, {orphans}"


def _rows(database: Path) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """The rows of each table in order, but for when something was done and how often it was tried."""
    with closing(sqlite3.connect(database)) as connection:
        for name, columns in _columns().items():
            yield name, sorted(connection.execute(f'SELECT {columns} FROM "{name}"'), key=repr)


@cache
def _columns() -> dict[str, str]:
    from digest.store.tables import UtcDateTime, metadata

    def is_compared(name: str, column: Any) -> bool:
        timed = isinstance(column.type, UtcDateTime) and name != "paper"
        return not timed and column.name not in _DELIVERED.get(name, ())

    return {
        name: ", ".join(f'"{one.name}"' for one in table.columns if is_compared(name, one))
        for name, table in metadata.tables.items()
        if name not in NOT_COMPARED
    }


def _files(home: Path) -> dict[str, bytes]:
    """Posts and feeds with their bytes."""
    found = (path for folder in ("posts", "feed") for path in (home / folder).rglob("*"))
    return {str(path.relative_to(home)): path.read_bytes() for path in found if path.is_file()}


def _first_difference(now: list[Any], then: list[Any]) -> str:
    more, fewer = [one for one in now if one not in then], [one for one in then if one not in now]
    return f"{len(more)} others, {len(fewer)} missing: {more[:1]!r:.300} {fewer[:1]!r:.300}"


@contextmanager
def server() -> Iterator[Remote]:
    """Telegram's server in a process of its own, without limits on posting."""
    command = [sys.executable, str(Path(__file__).with_name("botapi.py")), "--port", "0", "--no-flood"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Remote(process.stdout.readline().decode().strip())
        finally:
            process.terminate()
