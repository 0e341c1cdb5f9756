"""Requests per second that several runs may start together."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol


class Lease(NamedTuple):
    """The right to start some requests: `places` of them, `gap` seconds apart, from `first` on."""

    first: float
    gap: float
    places: int


class Budget(Protocol):
    """Where the runs of a group get their places from."""

    def take(self, now: float, places: int) -> Lease | None:
        """Return the next places that are free; None if that is not known right now."""
        ...


class LeasedCap:
    """Does what `RateCap` does with places that are leased from a budget, a few at a time.

    Places whose time has passed are lost. As long as they are used up, more are leased at a time.
    """

    #: The longest lease, in seconds, and how much later its places may be used.
    _LONGEST = 0.1
    _CATCH_UP = 0.05
    #: Seconds until the budget is asked again.
    _SOON = 0.002

    def __init__(self, per_second: float, budget: Budget) -> None:
        self._budget = budget
        self._most = max(1, int(per_second * self._LONGEST))
        self._size = 1
        self._left = 0
        self._next = self._end = -math.inf
        self._gap = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may start; 0 is now.

        Only for a request that is to be made: a place is leased for it.
        """
        if self._left and now > self._end + self._CATCH_UP:
            self._left, self._size = 0, 1
        if not self._left:
            if (lease := self._budget.take(now, self._size)) is None:
                return self._SOON
            self._next, self._gap, self._left = lease
            self._end = self._next + self._gap * self._left
        return max(0.0, self._next - now)

    def peek(self, now: float) -> float:
        """Return the seconds until the place that is leased; 0 without one. Leases none."""
        return max(0.0, self._next - now) if self._left else 0.0

    def start(self, now: float) -> None:  # noqa: ARG002 -- as RateCap has it
        """Use up one place."""
        self._next += self._gap
        self._left -= 1
        if not self._left:
            self._size = min(2 * self._size, self._most)
