"""Backups of a digest home, and a home from a backup."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.backup import Manifest, Restored


_ON_SERVER = (
    "the archive is in PostgreSQL, whose own tools back it up: pg_dump -Fc, pg_restore (docs/postgresql.md)"
)


def backup(app: App, target: Path, config: Path | None, *, force: bool) -> Manifest:
    """Back up the home of a wired program, also while another process works in it."""
    from digest import backup
    from digest.store.sqlite import database_file

    if app.settings.on_server:
        raise UsageError(_ON_SERVER)
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: is no file; name one")
    if target.exists() and not force:
        raise UsageError(f"{target}: there is a file already; give --force to replace it")
    database = database_file(app.settings.database)
    if database is None or not database.exists():
        raise UsageError(f"{database or 'the database in memory'}: there is nothing to back up")
    secrets = [file for file in (app.settings.telegram.token_file, app.settings.writer.key_file) if file]
    return backup.make(app.settings.home, database, config, secrets, target, app.clock.now())


def restore(file: Path, home: Path, environ: Mapping[str, str], *, force: bool) -> Restored:
    """Make a home what it was when a backup was made; nothing is changed unless all of it is whole.

    What was sent since then is not known, so that nothing may be sent by itself: parts that waited are
    held, and each Telegram channel is paused until a person has looked.
    """
    from digest import backup, config
    from digest.app import App
    from digest.clock import Clock
    from digest.home import alone_in
    from digest.store import Store, copies
    from digest.store.sqlite import database_file

    now = Clock().now()
    manifest = backup.read(file)
    with alone_in(home):
        folder = home / ".restoring"
        backup.unpack(file, manifest, folder)
        copies.check(folder / backup.DATABASE)
        given = folder / backup.CONFIG
        settings = config.load(given if given.exists() else None, home, environ)
        if settings.on_server:
            raise UsageError(_ON_SERVER)
        database = database_file(settings.database)
        if database is None:
            raise UsageError("database: is in memory by the configuration: name a file")
        if database.exists() and not force:
            raise UsageError(f"{database}: there is an archive already; --force moves it aside")
        Store.open(f"sqlite:///{folder / backup.DATABASE}", readonly=False).close()
        aside = backup.put_in_place(folder, home, database, now)
        with App(settings, now) as app:
            paused, held = _hold(app, manifest.made)
    return backup.Restored(
        made=manifest.made, home=home, files=len(manifest.files), aside=aside, paused=paused, held=held
    )


def _hold(app: App, made: datetime) -> tuple[tuple[str, ...], int]:
    """Nothing goes to a public channel before somebody has looked."""
    public = {name: one for name, one in app.settings.channels.items() if one.type == "telegram"}
    why = f"restored from a backup of {made:%Y-%m-%d %H:%M} UTC: look at what was sent since"
    now = app.clock.now()
    for name, one in public.items():
        app.store.pause_channel(name, str(one.chat), why, now)
    return tuple(public), app.store.hold_deliveries(public, why, now)
