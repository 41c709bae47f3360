"""What is wrong, before anybody notices: facts to checks, each of which says that all is well or what to do.

Nothing is looked up here; actions/operations.py asks the database, the disk, arXiv and Telegram, and hands
over what they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from digest.days import is_alarm, why_no_batch
from digest.types import Backlog, Check, Level, Pause, Room, Run

WAL_RESET = ((3, 7, 0), (3, 51, 3))
"""From this version of SQLite until before that one two connections that write or checkpoint a file in WAL
mode at the same instant can damage it (https://www.sqlite.org/wal.html#walresetbug)."""

LEAST_ROOM = 1 << 30
SKEW = timedelta(minutes=2)
SKEW_WRONG = timedelta(minutes=10)
"""Parts that may have been sent are looked for by the time of messages, ten minutes either way."""

QUEUED_FOR = timedelta(days=1)
NO_RUN_FOR = timedelta(days=4)
"""From Friday's run to Tuesday's, and a day in which the machine was away."""


def configuration(
    file: str | None, topics: int, channels: Mapping[str, str], contact: str | None, editors: bool
) -> Iterator[Check]:
    """What was read, and what is missing though nothing demands it. ``channels``: their types by name."""
    what = f"{file or 'the defaults'}: {counted(topics, 'topic')}, {counted(len(channels), 'channel')}"
    yield Check("configuration", "ok", what)
    if contact is None:
        advice = "set contact to your mail address"
        yield Check("configuration", "note", "arXiv blocks first whom it cannot reach", advice)
    if "telegram" in channels.values() and not editors:
        why = "nobody is told in Telegram when something goes wrong"
        yield Check("configuration", "note", why, "name telegram.editors")


def database(damage: Sequence[str], size: int, schema: str) -> Check:
    """Whether it is sound; its bytes."""
    if damage:
        some = "; ".join(damage)
        advice = "digest doctor --repair; if that does not help, put a backup in its place"
        return Check("database", "wrong", some, advice)
    return Check("database", "ok", f"sound, {in_bytes(size)}, schema {schema}")


def sqlite(version: tuple[int, int, int], journal: str) -> Check:
    """Whether this SQLite keeps a file whole that several processes write."""
    name = "SQLite " + ".".join(map(str, version))
    first, mended = WAL_RESET
    if journal != "wal" or not first <= version < mended:
        return Check("sqlite", "ok", f"{name}, journal {journal}")
    why = f"{name} can, very rarely, damage a database that several processes write at the same instant"
    return Check("sqlite", "note", why, "use a Python with SQLite 3.51.3 or newer; until then keep backups")


def server(version: str, vector: str) -> Check:
    """What the archive is kept by, where that is no file."""
    return Check("postgresql", "ok", f"PostgreSQL {version}, pgvector {vector}; backups: pg_dump")


def disk(room: Room) -> Check:
    """Whether there is room for an upgrade, which copies the database, and for what comes."""
    free = in_bytes(room.free)
    if room.free < needed(room):
        what = f"{free} free; an upgrade of the database needs {in_bytes(needed(room))}"
        return Check("disk", "wrong", what, "make room, or move the digest home (--home)")
    return Check("disk", "ok", f"{free} free")


def needed(room: Room) -> int:
    """Bytes below which the disk is short."""
    return max(LEAST_ROOM, 2 * room.database)


def model(name: str, error: str | None, dimension: int | None, stored: int | None) -> Check:
    """Whether the model is there and makes vectors such as those that are stored."""
    if error is not None:
        return Check("model", "wrong", error, "install it, or correct embed.model")
    if stored is not None and dimension != stored:
        what = f"{name} makes vectors of {dimension} numbers; those stored have {stored}"
        return Check("model", "wrong", what, "put the model back, or give the new one a name of its own")
    return Check("model", "ok", f"{name} is there, and works: {dimension} dimensions")


def index(embedded: bool, unfit: str | None) -> Check:
    """Whether the stored index can be used. Where it cannot, the next search makes it anew."""
    if not embedded:
        return Check("index", "note", "nothing is embedded yet", "digest run")
    if unfit is not None:
        why = f"{unfit}; the next search makes it anew"
        return Check("index", "note", why, "digest doctor --repair does it now")
    return Check("index", "ok", "fits the archive")


def words(unfit: str | None) -> Check:
    """Whether the words' index beside the database can be used. Where it cannot, the database is searched."""
    if unfit is not None:
        why = f"{unfit}; until the next crawl words may be searched in the database, which is slower"
        return Check("words", "note", why, "digest doctor --repair does it now")
    return Check("words", "ok", "fit the archive")


def gpu(wanted: str, found: str | None) -> Check:
    """Whether there is the device that the configuration names."""
    if found is not None:
        return Check("gpu", "ok", found)
    if wanted.startswith("cuda"):
        advice = 'install torch for CUDA, or set embed.device = "auto"'
        return Check("gpu", "wrong", f"embed.device is {wanted}, and torch finds no GPU", advice)
    return Check(
        "gpu", "ok", "none, and none is wanted" if wanted == "cpu" else "none: embedding takes the CPU"
    )


def arxiv(closed: str | None, answered: str | None, *, asked: bool) -> Check:
    """Whether arXiv may be asked, and whether it answered."""
    if closed is not None:
        return Check("arxiv", "wrong", f"not to be asked: {closed}", "wait; runs go on from there")
    if not asked:
        return Check("arxiv", "ok", "may be asked; --online asks it")
    if answered is not None:
        return Check("arxiv", "wrong", answered, "look at the network of this machine; else wait")
    return Check("arxiv", "ok", "answers")


def clock(now: datetime, theirs: datetime | None, latest: datetime | None) -> Check:
    """Whether this machine's clock agrees with arXiv's, or at least with the last run."""
    if theirs is not None:
        off = abs(now - theirs)
        ahead = "ahead of" if now > theirs else "behind"
        if off > SKEW:
            what = f"{counted(int(off.total_seconds()), 'second')} {ahead} arXiv's"
            level: Level = "wrong" if off > SKEW_WRONG else "note"
            return Check("clock", level, what, "let this machine keep its time (timedatectl set-ntp true)")
        return Check("clock", "ok", "agrees with arXiv's")
    if latest is not None and latest > now + SKEW:
        what = f"the last run was at {latest:%Y-%m-%d %H:%M} UTC, which is still to come"
        return Check("clock", "note", what, "set the clock, unless that run was one with --as-of")
    return Check("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC; --online compares it with arXiv's")


def batch(day: date, newest: date | None) -> Check:
    """Whether arXiv's batches come in; ``day`` is New York's."""
    why = why_no_batch(day, newest)
    if newest is None:
        return Check("last batch", "note", "none was seen yet", "digest run")
    if why is None:
        return Check("last batch", "ok", f"{newest:%A} {newest}")
    if is_alarm(why):
        return Check("last batch", "wrong", why.partition(": ")[2], "digest run -v; digest doctor --online")
    return Check("last batch", "ok", f"{newest:%A} {newest}; {why.partition(';')[0]}")


def last_run(now: datetime, run: Run | None) -> Check:
    """Whether `digest run` is started, and how it ends."""
    if run is None:
        return Check("last run", "note", "there was none", "digest run; then docs/operations.md: every day")
    when = f"{run.as_of:%Y-%m-%d %H:%M} UTC"
    if now - run.as_of > NO_RUN_FOR:
        advice = "digest daemon, or a timer: docs/operations.md"
        return Check("last run", "wrong", f"{when}, {(now - run.as_of).days} days ago", advice)
    if run.exit_code:
        advice = "digest run -v" if run.exit_code != 75 else "wait, or digest run -v"
        level: Level = "note" if run.exit_code == 75 else "wrong"
        return Check("last run", level, f"{when} ended with {run.exit_code}", advice)
    return Check("last run", "ok", when)


def backlog(now: datetime, waits: Backlog) -> Iterator[Check]:
    """What waits, and for whom."""
    if waits.unembedded:
        yield Check(
            "backlog", "note", f"{counted(waits.unembedded, 'text')} without a vector", "digest embed"
        )
    if waits.drafts:
        what = f"{counted(waits.drafts, 'draft')} without a decision"
        yield Check("backlog", "note", what, "digest posts list; digest posts approve")
    if waits.uncertain:
        what = f"{counted(waits.uncertain, 'part')} that may have been sent"
        yield Check("backlog", "wrong", what, "digest deliver looks for them; else digest outbox list")
    if waits.failed:
        yield Check("backlog", "wrong", f"{counted(waits.failed, 'part')} refused", "digest outbox list")
    late = waits.queued_since is not None and now - waits.queued_since > QUEUED_FOR
    if waits.queued and late:
        what = f"{counted(waits.queued, 'part')} queued since {waits.queued_since:%Y-%m-%d %H:%M} UTC"
        yield Check("backlog", "wrong", what, "digest deliver says why")
    elif waits.queued:
        yield Check("backlog", "ok", f"{counted(waits.queued, 'part')} to be sent with the next delivery")
    if waits == Backlog():
        yield Check("backlog", "ok", "nothing waits")


def paused(pauses: Sequence[Pause]) -> Iterator[Check]:
    """Channels that take nothing."""
    for one in pauses:
        what = f"{one.channel} takes nothing since {one.since:%Y-%m-%d %H:%M} UTC: {one.reason}"
        yield Check("telegram", "wrong", what, f"then: digest channel check {one.channel}")


def rights(found: Sequence[tuple[str, bool, str]]) -> Iterator[Check]:
    """What Telegram says of each channel: its name, whether it is well, and why (channels/check.py)."""
    for channel, good, text in found:
        if not good:
            yield Check("telegram", "wrong", f"{channel}: {text}", f"then: digest channel check {channel}")
    good_ones = dict.fromkeys(name for name, _, _ in found)
    for name in good_ones:
        if all(good for channel, good, _ in found if channel == name):
            yield Check("telegram", "ok", f"the bot may post to {name}")


def counted(number: int, thing: str) -> str:
    """ "1 part", "2 parts", "12,345 parts"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def in_bytes(size: int) -> str:
    """ "512 kB", "66 MB", "1.4 GB"."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def response_date(body: bytes) -> datetime | None:
    """The moment of an answer in OAI-PMH (https://www.openarchives.org/OAI/openarchivesprotocol.html,
    responseDate); None where there is none."""
    found = re.search(rb"<responseDate>\s*([\dT:-]{19})Z\s*</responseDate>", body)
    return datetime.fromisoformat(found[1].decode() + "+00:00") if found else None
