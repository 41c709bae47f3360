"""The time as it passes. What a run writes goes by the moment it acts for; what may be sent when goes by
this."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current moment, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        time.sleep(seconds)
