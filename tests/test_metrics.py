"""Metrics and probe, read by Prometheus's own parser."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from digest import metrics
from digest.types import Backlog, Health, Pause, Room, Run, RunReport, StageReport

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
DONE = RunReport(as_of=NOW, stages=(StageReport("crawl", 1.5, {}), StageReport("embed", 2.0, {})))
WELL = Health(
    now=NOW,
    counts={"papers": 13_402, "vectors": 13_400},
    posts={"approved": 93, "draft": 2},
    deliveries={"sent": 93},
    backlog=Backlog(unembedded=2),
    room=Room(free=50 << 30, database=66_000_000),
    database=66_000_000,
    runs={"run": Run(id=1, command="run", as_of=NOW, started=NOW, finished=NOW, report=DONE, exit_code=0)},
    newest_batch=date(2026, 5, 12),
)


def read(health: Health) -> dict[tuple[str, str], float]:
    found = {}
    for family in text_string_to_metric_families(metrics.text(health)):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            found[sample.name, "".join(sample.labels.values())] = sample.value
    return found


def test_figures_arrive_as_they_are() -> None:
    found = read(WELL)
    assert found["digest_papers", ""] == 13_402
    assert found["digest_posts", "draft"] == 2
    assert found["digest_last_run_timestamp_seconds", "run"] == NOW.timestamp()
    assert found["digest_last_run_duration_seconds", "run"] == 3.5
    assert found["digest_newest_batch_timestamp_seconds", ""] == datetime(2026, 5, 12, tzinfo=UTC).timestamp()
    assert found["digest_disk_free_bytes", ""] == 50 << 30
    assert found["digest_database_bytes", ""] == 66_000_000
    assert found["digest_arxiv_gate_closed", ""] == 0
    assert not [name for name, _ in found if "queued_since" in name or "paused" in name]


def test_a_database_on_a_server_has_a_size_and_takes_none_of_the_disk_here() -> None:
    there = replace(WELL, room=Room(free=2 << 30), database=100 << 30)
    assert read(there)["digest_database_bytes", ""] == 100 << 30
    assert metrics.probe(there).ok


names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]) | st.sampled_from('\n"\\'),
    min_size=1,
    max_size=20,
)


@given(names)
def test_whatever_a_channel_is_called_is_read_back(name: str) -> None:
    paused = (Pause(name, "kicked", NOW),)
    line = metrics.text(replace(WELL, paused=paused))
    families = {one.name: one for one in text_string_to_metric_families(line)}
    [sample] = families["digest_channel_paused_timestamp_seconds"].samples
    assert sample.value == NOW.timestamp()
    assert sample.labels == {"channel": name}


def test_a_probe_is_well_where_work_goes_on_and_else_says_what_does_not() -> None:
    assert metrics.probe(WELL).ok
    ill = replace(WELL, room=Room(free=0), newest_batch=date(2026, 5, 1))
    found = metrics.probe(ill)
    assert (found.ok, set(found.wrong)) == (False, {"disk", "batch"})
    old = replace(WELL.runs["run"], as_of=NOW - timedelta(days=5))
    assert set(metrics.probe(replace(WELL, runs={"run": old})).wrong) == {"runs"}
