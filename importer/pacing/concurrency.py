"""How many requests may be in flight at once."""

from __future__ import annotations

import math
from collections import deque
from enum import Enum, auto
from statistics import median


class Hold(Enum):
    """Why the window is not larger."""

    BOUND = auto()
    SERVICE = auto()
    CPU = auto()
    NONE = auto()


class ConcurrencyWindow:
    """Grows while that pays, below the user's bound; shrinks when the service suffers.

    Additive increase, multiplicative decrease, after a start that doubles. It is looked at once a
    turn: when about as many answers have come as may be in flight, so that the effect of the last
    change shows. The signs are those that a client can see: the share of rows that fail at their
    first attempt (a row that fails again and again says something of itself, not of the service),
    and the median latency against the lowest of the last minutes. While this machine's CPU is used
    up, latency tells of the machine and not of the service, and more concurrency brings nothing.

    `is_due` says that a turn is over: its owner then calls `turn`.
    """

    _START = 8
    _SHORTEST_TURN = 0.05
    #: Share of first attempts that fail above which the window shrinks.
    _MANY_FAILURES = 0.1
    #: Latency, as a multiple of the lowest, above which the window shrinks.
    _SLOW = 2.0
    _BUSY = 0.9
    #: A turn adds one, or this part of the size: ones take long to make up for hundreds.
    _PART = 32
    _AFTER_FAILURES = 0.6
    _AFTER_SLOWNESS = 0.85
    #: For how many seconds the lowest latency is remembered.
    _MEMORY = 120.0

    def __init__(self, now: float, bound: int) -> None:
        self.size = min(self._START, bound)
        self.hold = Hold.NONE
        self._bound = bound
        self._starting = True
        self._lowest: deque[tuple[float, float]] = deque()
        self._cpu = math.nan
        self.is_due = False
        self._full = False
        self._begin_turn(now)

    def answered(self, now: float, latency: float, in_flight: int) -> None:
        """A request was answered after `latency` seconds; `in_flight` were, it among them."""
        self._latencies.append(latency)
        if in_flight >= self.size:
            self._full = True
        if now >= self._ends:
            self.is_due = len(self._latencies) + self._failures >= self.size

    def failed(self, now: float, in_flight: int) -> None:
        """A row's first attempt failed."""
        self._failures += 1
        if in_flight >= self.size:
            self._full = True
        if now >= self._ends:
            self.is_due = len(self._latencies) + self._failures >= self.size

    def turn(self, now: float, cpu: float) -> None:
        """Change the size by what the turn has shown; `cpu` is the process's CPU time so far."""
        busy = (cpu - self._cpu) / max(now - self._began, 1e-9) >= self._BUSY
        self._cpu = cpu
        answers = len(self._latencies)
        if self._failures > self._MANY_FAILURES * (answers + self._failures):
            self._shrink(self._AFTER_FAILURES)
        elif answers:
            self._weigh(now, median(self._latencies), busy=busy)
        self._begin_turn(now)

    def change_bound(self, bound: int) -> None:
        """Let at most so many be in flight from now on, at least 1."""
        self._bound = bound
        self.size = min(self.size, bound)

    def restart(self, now: float) -> None:
        """Begin small again, as after a pause."""
        self.size = min(self._START, self._bound)
        self._starting = True
        self._cpu = math.nan  # what a pause has used is not this turn's
        self._begin_turn(now)

    def _weigh(self, now: float, latency: float, *, busy: bool) -> None:
        lowest = self._lowest_latency(now, latency)
        if busy:
            self.hold, self._starting = Hold.CPU, False
        elif latency > self._SLOW * lowest and self.size > self._START:
            self._shrink(0.5 if self._starting else self._AFTER_SLOWNESS)
        elif self.size >= self._bound:
            self.hold, self._starting = Hold.BOUND, False
        elif self._full:
            # Once the window has shrunk, its growth is but a cautious look at the limit.
            self.hold = Hold.SERVICE if self.hold is Hold.SERVICE else Hold.NONE
            more = self.size if self._starting else max(1, self.size // self._PART)
            self.size = min(self.size + more, self._bound)

    def _shrink(self, factor: float) -> None:
        self.size = max(1, int(self.size * factor))
        self.hold, self._starting = Hold.SERVICE, False

    def _lowest_latency(self, now: float, latency: float) -> float:
        """Return the lowest latency of a turn in the time that is remembered, this one included."""
        lowest = self._lowest
        while lowest and lowest[-1][1] >= latency:
            lowest.pop()
        lowest.append((now, latency))
        while lowest[0][0] < now - self._MEMORY:
            lowest.popleft()
        return lowest[0][1]

    def _begin_turn(self, now: float) -> None:
        self._began = now
        self._ends = now + self._SHORTEST_TURN
        self.is_due = False
        self._latencies: list[float] = []
        self._failures = 0
        self._full = False
