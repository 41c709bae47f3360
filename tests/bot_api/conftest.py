"""A strict loopback Bot API with one channel, and a client that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from botapi import BotApi
from botserver.client import Client


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi(flood=False) as server:
        yield server


@pytest.fixture
def bot(api: BotApi) -> Client:
    return Client(api.url)


@pytest.fixture
def channel(api: BotApi) -> int:
    return api.chat("channel", title="XAI daily", username="xai_daily")
