"""How fast a bot may post. Telegram does not publish its limits; these are the ones of its FAQ
(https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this), taken strictly:
one message a second in a chat with short bursts, 20 a minute in a group or channel."""

from __future__ import annotations

from collections import defaultdict, deque
from math import ceil

from botserver.request import ApiError

BURST = 5
IN_A_MINUTE = 20


def too_many(seconds: float) -> ApiError:
    """429, with the whole seconds to wait."""
    wait = max(1, ceil(seconds))
    return ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)


class Flood:
    """Counts what is posted. ``early`` keeps what was asked before the time that a 429 named:
    (method, chat, seconds too early)."""

    def __init__(self, on: bool = True) -> None:
        self.on = on
        self.early: list[tuple[str, str, float]] = []
        self._until = 0.0
        self._sent: dict[tuple[int, str], deque[float]] = defaultdict(deque)
        self._tokens: dict[int, tuple[float, float]] = {}

    def block(self, seconds: float, now: float) -> None:
        """Refuse the whole bot for so long."""
        self._until = max(self._until, now + seconds)

    def check(self, method: str, chat: str, now: float) -> None:
        """Refuse a call that comes while the bot is told to wait. Raises ApiError."""
        if now < self._until:
            self.early.append((method, chat, self._until - now))
            raise too_many(self._until - now)

    def take(self, chat: int, kind: str, now: float) -> None:
        """Count a message sent or edited (``kind``). Raises ApiError and counts nothing if it is one
        too many."""
        if not self.on:
            return
        sent = self._sent[chat, kind]
        while sent and sent[0] <= now - 60:
            sent.popleft()
        if chat < 0 and len(sent) >= IN_A_MINUTE:
            raise too_many(sent[0] + 60 - now)
        left, at = self._tokens.get(chat, (float(BURST), now))
        left = min(BURST, left + max(0.0, now - at))
        if left < 1:
            raise too_many(1 - left)
        self._tokens[chat] = left - 1, now
        sent.append(now)
