"""What a channel would have posted, before anything is switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.corpus import known_keys
from digest.types import Draft, Rehearsal, Topic

if TYPE_CHECKING:
    from digest.app import App


def backtest(app: App, topic: Topic, days: int) -> tuple[Rehearsal, list[Draft]]:
    """What a topic, configured or not, would have posted in the last days that the archive knows, and the
    drafts. Nothing is changed: the archive is opened for reading only. Raises InputError where it holds no
    announcements."""
    from digest.backtest import rehearse

    app.readonly = True
    keys = [key for key in known_keys(app.store, topic) if key.state == "active"]
    writer = replace(app.writer, topics={**app.settings.topics, topic.name: topic})
    return rehearse(app.store, app.plan, writer, topic, keys, app.now, days, app.encode_if_possible)
