"""Health as Prometheus reads it (https://prometheus.io/docs/instrumenting/exposition_formats/), and as a
probe does.

A library for a registry of counters would count only what happens in its own process; what is told here
stands in the database, whichever process did it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time

from msgspec import Struct

from digest import alarms
from digest.types import Health

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Probe(Struct, frozen=True):
    """The answer to a probe: ``ok`` where work goes on by itself, else ``wrong`` says what does not."""

    ok: bool
    wrong: Mapping[str, str] = {}


def probe(health: Health) -> Probe:
    """Whether work goes on; what only delays single posts is for the metrics and the editors."""
    wrong = {one.name: one.text for one in alarms.raised(health)}
    return Probe(not wrong, wrong)


def text(health: Health) -> str:
    """All figures, a family at a time."""
    return "".join(line for family in _families(health) for line in family)


def _families(health: Health) -> Iterator[Iterator[str]]:
    counts, waits, runs = health.counts, health.backlog, health.runs.values()
    yield _gauge("papers", "Papers in the archive.", counts["papers"])
    yield _gauge("vectors", "Vectors of the model that is used.", counts["vectors"])
    yield _gauge("texts_unembedded", "Texts without a vector.", waits.unembedded)
    yield _gauge("posts", "Posts by state.", health.posts, "state")
    yield _gauge(
        "deliveries", "Parts of posts on their way to channels, by state.", health.deliveries, "state"
    )
    if waits.queued_since is not None:
        since = waits.queued_since.timestamp()
        yield _gauge("queued_since_timestamp_seconds", "When the oldest part that waits was queued.", since)
    paused = {one.channel: one.since.timestamp() for one in health.paused}
    yield _gauge("channel_paused_timestamp_seconds", "Since when a channel takes nothing.", paused, "channel")
    if health.newest_batch is not None:
        day = datetime.combine(health.newest_batch, time(), UTC).timestamp()
        yield _gauge("newest_batch_timestamp_seconds", "The day of arXiv's newest batch.", day)
    last = {one.command: one.as_of.timestamp() for one in runs}
    yield _gauge("last_run_timestamp_seconds", "When a command last ran to its end.", last, "command")
    codes = {one.command: one.exit_code for one in runs}
    yield _gauge("last_run_exit_code", "How it ended; 0 is well, 75 is put off.", codes, "command")
    taken = {one.command: one.report.seconds for one in runs if one.report is not None}
    yield _gauge("last_run_duration_seconds", "How long its stages took.", taken, "command")
    yield _gauge("arxiv_gate_closed", "Whether arXiv is not to be asked.", health.gate_closed is not None)
    yield _gauge("database_bytes", "Size of the database, on its server where it has one.", health.database)
    yield _gauge("disk_free_bytes", "Room where the digest home lies.", health.room.free)


def _gauge(
    name: str, about: str, value: float | Mapping[str, float], label: str | None = None
) -> Iterator[str]:
    """A family of one figure, or of one for each value of a label. One without figures is left out."""
    rows: Iterable[tuple[str, float]]
    if isinstance(value, Mapping):
        rows = [(f'{{{label}="{_escaped(key)}"}}', figure) for key, figure in sorted(value.items())]
    else:
        rows = [("", value)]
    if rows:
        yield f"# HELP digest_{name} {about}\n# TYPE digest_{name} gauge\n"
        yield from (f"digest_{name}{labels} {float(figure):.17g}\n" for labels, figure in rows)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
