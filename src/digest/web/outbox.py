"""The outbox: what waits, what may have been sent, what a person says became of it."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response

from digest.actions import sending
from digest.errors import UsageError
from digest.types import DeliveryState, Pause
from digest.web.bubbles import called
from digest.web.visit import Visit, get, post

ORDER: tuple[DeliveryState, ...] = ("uncertain", "failed", "sending", "queued")


def outbox(visit: Visit) -> Response:
    """What is not done, what needs a person first."""
    found = sending.outbox(visit.app, everything=False)
    posts = {number: visit.app.store.post(number) for number in {one.post for one in found}}
    visit.section = "posts"
    return visit.page(
        "outbox.html.j2",
        groups=[(state, [one for one in found if one.state == state]) for state in ORDER],
        posts=posts,
        followups=sending.followups(visit.app, everything=False),
        title=called(visit.app),
        pauses=_pauses(visit),
    )


def _pauses(visit: Visit) -> list[Pause]:
    """The channels that take nothing now."""
    store, channels = visit.app.store, visit.app.settings.channels
    found = (store.pause(name, one.chat) for name, one in channels.items() if one.chat)
    return [pause for pause in found if pause]


def resolve(visit: Visit) -> Response:
    """A person says: it stands there as this message; try it again; give it up."""
    number, what = visit.path["id"], visit.form.get("do", "")
    if what not in ("sent", "retry", "drop"):
        raise HTTPException(400, "there is no such decision")
    message = visit.form.get("message", "").strip()
    if what == "sent" and not (message.isascii() and message.isdecimal() and 0 < len(message) < 10):
        raise UsageError("give the message's number: it is the last one in its link")
    sent = int(message) if what == "sent" else None
    done = sending.resolve(visit.app, number, sent=sent, retry=what == "retry")
    told = visit.t(f"outbox.told_{what}", channel=done.channel, post=done.post, part=done.part + 1)
    return visit.to("/posts/outbox", told)


ROUTES = (
    get("/posts/outbox", outbox),
    post("/posts/outbox/{id:int}", resolve),
)
