"""Left alone: runs the program's own commands when they are due, in processes of their own.

    run      at the times of the schedule, and again after what failed or was late      schedule.next_run
    deliver  when a part may go out, and once an hour for what follows posts             store.next_due
    review   all the time, where drafts are shown in Telegram                            review.live
    watch    once an hour: what the editors must be told                                 alarms

What is due follows from the clock, the configuration and the database, looked at every few seconds, and not
from what this process remembers. So it does not matter who did it (cron, a person, a daemon before this
one), how long the machine slept, or what the clock was set to meanwhile. A command that ends badly, eats
memory or is killed takes nothing with it; it takes the lock of the digest home as it does by hand.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from digest import schedule
from digest.app import App
from digest.clock import Clock
from digest.days import NEW_YORK, new_york_day
from digest.errors import DigestError, StoreError, TryAgain
from digest.schedule import Rule, Try

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from digest.channels import Channel
    from digest.config import Settings

BEAT = 20.0
"""Seconds between two looks. Short, because a wait does not count the time in which a machine sleeps."""

AGAIN = timedelta(minutes=10)
"""Until a part that could not be sent is tried again, where nothing else is to be sent."""

HOURLY = timedelta(hours=1)
AFTER_POLL = 60.0
"""Seconds until the review begins again after it ended by itself."""

_LAST_WAIT = 70.0
"""A request to Telegram may be under way for a minute; who is killed in it leaves an uncertain part."""

logger = logging.getLogger(__name__)


class Daemon:
    """The schedule at work beside whatever else this process does, from ``start`` to ``stop``.

    ``load`` reads the settings, ``options`` are those of the command line that the commands get too, and
    ``told`` hears what a person would like to know, a line at a time.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        options: Sequence[str] = (),
        told: Callable[[str], None] = lambda _: None,
        *,
        clock: Clock | None = None,
        program: Sequence[str] = (sys.executable, "-m", "digest"),
        beat: float = BEAT,
    ) -> None:
        self._load, self._options, self._told = load, tuple(options), told
        self._settings = load()
        self._clock, self._program, self._beat = clock or Clock(), tuple(program), beat
        self._over = threading.Event()
        self._one = threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._threads: list[threading.Thread] = []
        self._lock: BaseFileLock | None = None
        self._failed: list[Try] = []
        self._next_run: datetime | None = None
        self._delivered: tuple[datetime, tuple[int | None, ...]] = (datetime.min.replace(tzinfo=UTC), ())
        self._watched = datetime.min.replace(tzinfo=UTC)

    def start(self) -> None:
        """Begin. Raises TryAgain where another one is at work in this home."""
        self._lock = _alone(self._settings)
        for duty in (self._run, self._deliver, self._review, self._watch):
            thread = threading.Thread(target=self._keep, args=(duty,), name=f"digest{duty.__name__}")
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End: what is under way stops at its next safe point."""
        self._over.set()
        for child in list(self._children.values()):
            child.terminate()
        for thread in self._threads:
            thread.join()
        if self._lock is not None:
            self._lock.release()

    def reload(self) -> None:
        """Read the settings again; where they are wrong, say so and go on with those that were."""
        try:
            self._settings = self._load()
        except DigestError as error:
            self._told(f"the configuration was not read again: {error}")
            return
        self._next_run = None
        self._told("the configuration was read again")
        if review := self._children.get("review"):
            review.terminate()

    def _keep(self, duty: Callable[[], None]) -> None:
        """Do a duty every few seconds; what goes wrong with it once may go well the next time."""
        while not self._over.is_set():
            try:
                duty()
            except DigestError as error:
                logger.warning("not now", extra={"duty": duty.__name__[1:], "why": str(error)})
            except Exception:
                logger.exception("failed", extra={"duty": duty.__name__[1:]})
            self._over.wait(self._beat)

    # The duties.

    def _run(self) -> None:
        now = self._clock.now()
        due = schedule.next_run(rule(self._settings), self._tries(now), now)
        if due <= now:
            with self._one:
                code = self._do("run", "run")
            if code not in (0, 1) and all(one.began < now for one in self._tries(now)):
                self._failed.append(Try(now, code))  # it ended before it could be recorded
            due = schedule.next_run(rule(self._settings), self._tries(now), self._clock.now())
        if due != self._next_run and not self._over.is_set():
            self._next_run = due
            self._told(
                f"next run: {due:%A %Y-%m-%d %H:%M} UTC ({due.astimezone(NEW_YORK):%H:%M} in New York)"
            )

    def _tries(self, now: datetime) -> list[Try]:
        """The runs since the newest moment: those that were recorded, and those here that could not be."""
        from digest.crawling import newest_batch

        due = rule(self._settings).last(now)
        self._failed = [one for one in self._failed if one.began >= due]
        with self._looking(now) as app:
            if app is None:
                return self._failed
            newest = newest_batch(app.store, now)
            there = newest is not None and newest >= new_york_day(due)
            found = [Try(run.as_of, run.exit_code, there) for run in app.store.runs_since("run", due)]
        return found + self._failed

    def _deliver(self) -> None:
        now = self._clock.now()
        with self._looking(now) as app:
            if app is None:
                return
            channels = app.channels()
            due = tuple(_due(app, channel, now) for channel in channels)
        last, before = self._delivered
        waits = any(number is not None for number in due)
        follows = any(one.type == "telegram" for one in self._settings.channels.values())
        fresh = waits and (due != before or now - last >= AGAIN or now < last)
        if fresh or (follows and abs(now - last) >= HOURLY):
            with self._one:
                self._do("deliver", "deliver")
            self._delivered = self._clock.now(), due

    def _review(self) -> None:
        telegram = any(one.type == "telegram" for one in self._settings.channels.values())
        if telegram and self._settings.telegram.editors:
            self._do("review", "review", "poll", "--live")
            self._over.wait(AFTER_POLL if not self._over.is_set() else 0)

    def _watch(self) -> None:
        now = self._clock.now()
        if self._settings.telegram.speaks_to and abs(now - self._watched) >= HOURLY:
            self._watched = now
            with self._one:
                self._do("watch", "watch")

    # Commands and the archive.

    def _do(self, name: str, *words: str) -> int:
        """Run a command of the program to its end; its exit code."""
        if self._over.is_set():
            return 0
        began = self._clock.now()
        command = [*self._program, *self._options, f"--child-of={os.getpid()}", *words]
        child = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - the program itself
        self._children[name] = child
        try:
            code = self._wait(child)
        finally:
            del self._children[name]
        seconds = (self._clock.now() - began).total_seconds()
        ended = _ENDS.get(code, f"ended with {code}")
        if not (name == "watch" and code == 0):
            self._told(f"digest {' '.join(words)}: {ended} after {seconds:.0f} s")
        return code

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        """The exit code; after ``stop`` a child has some time to end by itself."""
        while not self._over.is_set():
            try:
                return child.wait(1.0)
            except subprocess.TimeoutExpired:
                pass
        child.terminate()
        try:
            return child.wait(_LAST_WAIT)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    @contextmanager
    def _looking(self, now: datetime) -> Iterator[App | None]:
        """The program, to look into the archive; None where there is none that can be looked into: the
        next run makes it, upgrades it, or says why not."""
        with App(self._settings, now, quiet=True) as app:
            app.readonly = True
            try:
                _ = app.store
            except StoreError:
                yield None
            else:
                yield app


_ENDS = {0: "done", 75: "put off", 128 + signal.SIGTERM: "stopped", -signal.SIGTERM: "stopped"}


def start_schedule(load: Callable[[], Settings], options: Sequence[str] = ()) -> Daemon:
    """The schedule beside a server: begun here, ended by its ``stop``. Raises TryAgain where another one is
    at work in this home."""
    daemon = Daemon(load, options, logger.info)
    daemon.start()
    return daemon


def rule(settings: Settings) -> Rule:
    """When `digest run` is due."""
    return Rule(schedule.times(settings.schedule.run_at), NEW_YORK.key, schedule.WEEKDAYS)


def _alone(settings: Settings) -> BaseFileLock:
    from filelock import FileLock, Timeout

    from digest.errors import refused

    path = settings.home / "daemon.lock"
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, thread_local=False)
        lock.acquire(timeout=0)
    except Timeout:
        raise TryAgain(f"{path}: another digest daemon is at work in this home") from None
    except OSError as error:
        raise refused(error, "choose another --home") from error
    return lock


def _due(app: App, channel: Channel, now: datetime) -> int | None:
    """The part that may go to a channel now; None where there is none, or the channel takes nothing yet."""
    from digest.channels import RemoteChannel
    from digest.delivery import may_begin

    if not isinstance(channel, RemoteChannel):
        return app.store.next_due(channel.name, now)
    rests = app.store.sender_rests(channel.sender.name, now)
    if rests is not None or app.store.pause(channel.name, channel.address) is not None:
        return None
    return app.store.next_due(channel.name, now, **may_begin(channel, now))
