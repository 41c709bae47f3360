"""Mistakes that are planted by more than one test: each breaks a promise of posting."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from digest import delivery
from digest.errors import Refused
from digest.store import Store


def an_unclear_answer_is_taken_for_a_failure(patch: pytest.MonkeyPatch) -> None:
    """As most bots do: time-out, try again."""
    patch.setattr(delivery, "state_after", lambda error: "failed" if isinstance(error, Refused) else "queued")


def nothing_is_marked_before_it_is_sent(patch: pytest.MonkeyPatch) -> None:
    real = Store.claim_delivery

    def claim(store: Store, channel: str, now: datetime, *more: Any, **named: Any) -> Any:
        claimed = real(store, channel, now, *more, **named)
        if claimed is not None:
            store.set_delivery_state(claimed.id, ("sending",), "queued", now)
        return claimed

    def record(store: Store, id_: int, state: Any, now: datetime, **_: Any) -> None:
        store.set_delivery_state(id_, ("queued",), state, now)

    patch.setattr(Store, "claim_delivery", claim)
    patch.setattr(Store, "record_delivery", record)
