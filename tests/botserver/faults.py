"""What can go wrong between the server and its client, by name.

drop_before        the connection is closed, nothing was done
drop_after         done; the connection is closed without an answer
reset_before       as drop_before, but the connection is reset (RST)
reset, reset_after done; the connection is reset
hang_before:S      nothing for S seconds (3600), then the connection is closed, nothing was done
hang_after:S       done at once; the answer comes after S seconds (3600)
late:S             done only after S seconds (30), whether the client is still there or not
slow:S             done; the answer comes in small pieces over S seconds (5)
cut                done; half of the answer's body, then the connection is closed
429:S              not done: retry after S (5). The bot is refused until then, as a whole
500, 502           not done: an error of the server in JSON; a gateway's page in HTML
500_after, 502_after   the same, but it was done
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Plan:
    """What a fault does: whether the call is done, how long before and after that nothing happens
    (0 none, 1 the fault's seconds), and how it is answered."""

    done: bool
    answer: str
    wait_before: bool = False
    wait_after: bool = False
    seconds: float = 0.0


PLANS = {
    "drop_before": Plan(False, "close"),
    "drop_after": Plan(True, "close"),
    "reset_before": Plan(False, "reset"),
    "reset": Plan(True, "reset"),
    "reset_after": Plan(True, "reset"),
    "hang_before": Plan(False, "close", wait_before=True, seconds=3600),
    "hang_after": Plan(True, "whole", wait_after=True, seconds=3600),
    "late": Plan(True, "whole", wait_before=True, seconds=30),
    "slow": Plan(True, "drip", seconds=5),
    "cut": Plan(True, "cut"),
    "429": Plan(False, "429", seconds=5),
    "500": Plan(False, "500"),
    "502": Plan(False, "502"),
    "500_after": Plan(True, "500"),
    "502_after": Plan(True, "502"),
}


@dataclass(frozen=True)
class Fault:
    """A fault and its seconds."""

    name: str
    plan: Plan
    seconds: float


def named(text: str) -> Fault:
    """A fault from NAME or NAME:SECONDS. Raises ValueError."""
    name, _, seconds = text.partition(":")
    if name not in PLANS:
        raise ValueError(f"no such fault: {text}; there are {', '.join(PLANS)}")
    return Fault(name, PLANS[name], float(seconds) if seconds else PLANS[name].seconds)


class Faults:
    """Which request meets which fault: first those ordered, in order, then any at a rate."""

    def __init__(self) -> None:
        self._ordered: list[tuple[Fault, frozenset[str]]] = []
        self._rate = 0.0
        self._kinds: list[Fault] = []
        self._methods: frozenset[str] = frozenset()
        self._random = Random(0)

    def order(self, names: Iterable[str], methods: Iterable[str] = ()) -> None:
        """These, one each, for the next requests (of these methods)."""
        wanted = frozenset(method.lower() for method in methods)
        self._ordered += [(named(name), wanted) for name in names]

    def at_rate(self, rate: float, kinds: Sequence[str], methods: Iterable[str] = (), seed: int = 0) -> None:
        """From now on each request (of these methods) meets one of the kinds with this probability."""
        self._kinds = [named(kind) for kind in kinds]
        self._rate, self._random = rate, Random(seed)
        self._methods = frozenset(method.lower() for method in methods)

    def clear(self) -> None:
        """No more faults."""
        self._ordered.clear()
        self._rate = 0.0

    def next(self, method: str) -> Fault | None:
        """The fault that a request meets."""
        for at, (fault, methods) in enumerate(self._ordered):
            if not methods or method in methods:
                del self._ordered[at]
                return fault
        meant = not self._methods or method in self._methods
        if self._rate and meant and self._random.random() < self._rate:
            return self._random.choice(self._kinds)
        return None
