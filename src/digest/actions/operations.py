"""Keeping it running: how program and machine are, and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from digest import alarms, doctor
from digest.days import new_york_day
from digest.errors import DigestError, NotSent, OlderDatabase, TryAgain, UsageError
from digest.types import Check, Health, Room

if TYPE_CHECKING:
    from digest.app import App


TOLD = "alarms:told"
"""The cursor that says which alarms the editors know of."""


def check(app: App, file: Path | None, *, online: bool) -> Iterator[Check]:
    """Look at everything, one thing after the other; nothing is changed. ``file`` is the configuration
    that was read; ``online`` asks arXiv, once, and Telegram."""
    app.readonly = True
    yield from _configuration(app, file)
    room = _room(app)
    yield doctor.disk(room)
    yield _gpu(app)
    answer = _ask_arxiv(app) if online else None
    closed = app.arxiv.gate.closed(app.clock.now()) if answer is None else None
    error = answer if isinstance(answer, str) else None
    yield doctor.arxiv(closed, error, asked=online)
    latest = None
    try:
        latest = max((run.as_of for run in app.store.last_runs().values()), default=None)
        yield from _archive(app)
    except OlderDatabase as older:
        advice = "any other command upgrades it, and keeps a copy"
        yield Check("database", "note", str(older).partition(": run")[0], advice)
        yield _model(app, None)
    except DigestError as wrong:
        there = room.database > 0 or app.settings.on_server
        advice = "mend what it says, or put a backup in its place" if there else "digest run makes it"
        yield Check("database", "wrong" if there else "note", str(wrong), advice)
        yield _model(app, None)
    theirs = doctor.response_date(answer) if isinstance(answer, bytes) else None
    yield doctor.clock(app.clock.now(), theirs, latest)
    if online:
        yield from doctor.rights(_rights(app))


def repair(app: App) -> list[str]:
    """Make anew what is made from the papers, the words' index and the index of vectors; what was done,
    in sentences."""
    import shutil

    with app.alone("run"):
        app.store.rebuild_words()
        shutil.rmtree(app.settings.home / "index", ignore_errors=True)
        app.word_index()
        done = [f"the words' index was made anew: {app.store.count_papers():,} papers"]
        index = app.index()
        if index is not None:
            done.append(f"the index of vectors was made anew: {len(index):,} vectors")
    return done


def health(app: App) -> Health:
    """What can be told without asking anybody outside, and in some milliseconds."""
    from digest.crawling import newest_batch

    status, store = app.store.status(app.model), app.store
    return Health(
        now=app.now,
        counts={name: count for name, count in status.archive.items() if isinstance(count, int)},
        posts=status.posts,
        deliveries=status.deliveries,
        backlog=store.backlog(app.model),
        room=_room(app),
        database=store.size(),
        runs=store.last_runs(),
        newest_batch=newest_batch(store, app.now),
        paused=store.paused(),
        gate_closed=app.arxiv.gate.closed(app.clock.now()),
    )


def watch(app: App) -> list[str]:
    """Tell the editors what they must know and were not told; what was told: nothing while the bot has to
    rest. Raises DeliveryError, and UsageError where there is nobody to tell."""
    if app.settings.telegram.speaks_to is None:
        raise UsageError("there is nobody to tell: name telegram.editors")
    there = alarms.raised(health(app))
    told = msgspec.json.decode(app.store.cursor(TOLD) or "{}", type=dict[str, str])
    lines = list(alarms.news(there, told))
    if app.store.sender_rests(app.bot.name, app.clock.now()) is not None:
        return []
    if lines:
        _tell(app, "\n\n".join(lines))
        app.store.put_cursor(TOLD, msgspec.json.encode(alarms.noted(there)).decode(), app.clock.now())
    return lines


def _tell(app: App, text: str) -> None:
    try:
        app.bot.tell(text)
    except NotSent as error:
        if error.wait is not None:
            app.store.rest_sender(app.bot.name, app.clock.now() + error.wait)
        raise


def _configuration(app: App, file: Path | None) -> Iterator[Check]:
    settings = app.settings
    channels = {name: channel.type for name, channel in settings.channels.items()}
    yield from doctor.configuration(
        str(file) if file else None,
        len(settings.topics),
        channels,
        settings.contact,
        bool(settings.telegram.speaks_to),
    )


def _archive(app: App) -> Iterator[Check]:
    """What the database tells of itself and of the work."""
    from digest.crawling import newest_batch

    store = app.store
    yield doctor.database(store.damage(), store.size(), store.schema)
    if app.settings.on_server:
        yield doctor.server(*store.server())
    else:
        yield doctor.sqlite(store.sqlite_version, store.journal())
    yield _model(app, store.model_dimension(app.model))
    yield _words(app)
    yield _index(app)
    yield doctor.batch(new_york_day(app.now), newest_batch(store, app.now))
    yield doctor.last_run(app.now, store.last_runs().get("run"))
    yield from doctor.backlog(app.now, store.backlog(app.model))
    yield from doctor.paused(store.paused())


def _room(app: App) -> Room:
    """Bytes at the digest home, or where it would be made."""
    from digest.store import size_of

    home = app.settings.home
    there = next(folder for folder in (home, *home.parents) if folder.is_dir())
    return Room(free=shutil.disk_usage(there).free, database=size_of(app.settings.database))


def _model(app: App, stored: int | None) -> Check:
    from digest.embed import load_query_encoder

    chosen = app.settings.embed
    try:
        encoder = load_query_encoder(chosen.model, chosen.device)
        dimension = len(encoder.embed(["a paper"])[0])
    except DigestError as error:
        return doctor.model(chosen.model, str(error), None, stored)
    return doctor.model(encoder.name, None, dimension, stored)


def _words(app: App) -> Check:
    from digest.inverted import unfit

    return doctor.words(unfit(app.settings.home / "index" / "words", app.reader))


def _index(app: App) -> Check:
    from digest.index import unfit

    if app.settings.on_server:  # what is wrong with it is the database's damage
        return doctor.index(app.index() is not None, None)
    vectors = app.vectors()
    if vectors is None:
        return doctor.index(False, None)
    return doctor.index(True, unfit(app.settings.home / "index", vectors))


def _gpu(app: App) -> Check:
    wanted = app.settings.embed.device
    if wanted == "cpu":
        return doctor.gpu(wanted, None)
    import torch

    return doctor.gpu(wanted, torch.cuda.get_device_name() if torch.cuda.is_available() else None)


def _ask_arxiv(app: App) -> bytes | str:
    """arXiv's answer, or why there is none."""
    try:
        return app.arxiv.identify()
    except TryAgain as error:
        return str(error)


def _rights(app: App) -> list[tuple[str, bool, str]]:
    from digest.channels.check import rights
    from digest.channels.telegram import TelegramChannel

    channels = [channel for channel in app.channels() if isinstance(channel, TelegramChannel)]
    return [(one.channel, one.good, one.text) for channel in channels for one in rights(channel)]
