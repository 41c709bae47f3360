"""How fast a bot may post. Telegram does not publish its limits; these are the ones of its FAQ
(https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this), taken strictly:
one message a second in a chat with short bursts, 20 a minute in a group or channel."""

from __future__ import annotations

from collections import defaultdict, deque
from math import ceil

from botserver.request import ApiError

BURST = 5
IN_A_MINUTE = 20
_EVERYWHERE = 0


def too_many(seconds: float) -> ApiError:
    """429, with the whole seconds to wait."""
    wait = max(1, ceil(seconds))
    return ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)


class Flood:
    """Counts what is posted. ``early`` keeps what was asked before the time that a 429 named:
    (method, chat, seconds too early)."""

    def __init__(self) -> None:
        self.on = True
        self.early: list[tuple[str, int, float]] = []
        self._until: dict[int, float] = {}
        self._sent: dict[tuple[int, str], deque[float]] = defaultdict(deque)
        self._tokens: dict[int, tuple[float, float]] = {}

    def block(self, seconds: float, now: float, chat: int = _EVERYWHERE) -> ApiError:
        """Refuse a chat, or the whole bot, for so long; the answer that says so."""
        error = too_many(seconds)
        self._until[chat] = max(self._until.get(chat, 0.0), now + error.parameters["retry_after"])
        return error

    def check(self, method: str, chat: int, now: float) -> None:
        """Refuse a call that comes while the bot is told to wait. Raises ApiError."""
        left = max(self._until.get(_EVERYWHERE, 0.0), self._until.get(chat, 0.0)) - now
        if left > 0:
            self.early.append((method, chat, left))
            raise too_many(left)

    def take(self, method: str, chat: int, now: float) -> None:
        """Count a message sent or edited. Raises ApiError and counts nothing if it is one too many, or
        too early."""
        self.check(method, chat, now)
        if not self.on:
            return
        sent = self._sent[chat, "edit" if method.startswith("edit") else "send"]
        while sent and sent[0] <= now - 60:
            sent.popleft()
        if chat < 0 and len(sent) >= IN_A_MINUTE:
            raise self.block(sent[0] + 60 - now, now, chat)
        left, at = self._tokens.get(chat, (float(BURST), now))
        left = min(BURST, left + max(0.0, now - at))
        if left < 1:
            raise self.block(1 - left, now, chat)
        self._tokens[chat] = left - 1, now
        sent.append(now)
