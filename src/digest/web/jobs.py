"""Jobs: long work begun from the page, how it goes, and the runs of before."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from digest.errors import InputError, UsageError
from digest.types import RunReport
from digest.web.visit import Visit, get, post
from digest.web.work import Job

MENU = "/jobs"
KINDS: Mapping[str, tuple[str, ...]] = {
    "run": ("run",),
    "crawl": ("crawl",),
    "embed": ("embed",),
    "match": ("match",),
    "write": ("write",),
    "deliver": ("deliver",),
}
"""What can be begun by one button: the command of each."""
SECONDS = 3
"""After so many the page of a job at work asks for itself again."""
RUNS = 15


def jobs(visit: Visit) -> Response:
    """What can be begun, what is at work, what was done."""
    return visit.page(
        "jobs.html.j2",
        kinds=KINDS,
        jobs=visit.site.jobs.all(),
        running=visit.site.jobs.running,
        runs=visit.app.store.runs(RUNS),
    )


def start(visit: Visit) -> Response:
    """Begin a piece of work."""
    kind = visit.form.get("kind", "")
    if kind not in KINDS:
        raise UsageError(f"there is no job {kind[:40]!r}; there are {', '.join(KINDS)}")
    job = visit.site.jobs.start(*KINDS[kind])
    return visit.to(f"/jobs/{job.number}")


def job(visit: Visit) -> Response:
    """How a piece of work goes. While it is at work the page renews itself, unless it is asked not to."""
    found = _find(visit)
    renews = found.code is None and "still" not in visit.query
    seconds = SECONDS if renews else None
    return visit.page("job.html.j2", job=found, seconds=seconds, report=_report(visit, found))


def _report(visit: Visit, job: Job) -> RunReport | None:
    """What a piece of work did; None while it is at work, or where it was ended before it could say."""
    if job.code is None:
        return None
    runs = visit.app.store.runs(RUNS)
    ours = (one for one in runs if one.started >= job.started and (one.command,) == job.arguments)
    return next((one.report for one in ours), None)


def stop(visit: Visit) -> Response:
    """Tell a piece of work to end."""
    found = _find(visit)
    found.stop()
    return visit.to(f"/jobs/{found.number}", visit.t("jobs.told_to_stop"))


def _find(visit: Visit) -> Job:
    found = visit.site.jobs.find(visit.path["number"])
    if found is None:
        raise InputError(f"there is no job {visit.path['number']}")
    return found


ROUTES = (
    get("/jobs", jobs),
    post("/jobs", start),
    get("/jobs/{number:int}", job),
    post("/jobs/{number:int}/stop", stop),
)
