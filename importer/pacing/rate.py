"""Requests per second, at most."""

from __future__ import annotations

import math


class RateCap:
    """Spreads requests evenly, at most `per_second` of them.

    After a timer that fired late it catches up with at most `catch_up` seconds' worth, at once or,
    with `evenly`, by hardly shorter gaps: a service may allow no burst at all.
    """

    #: The shortest gap of `evenly`, as a share of the usual one.
    _SHORTEST = 0.98
    #: Gaps below this, in seconds, cannot be kept.
    _EXACT = 0.001

    def __init__(self, per_second: float, *, catch_up: float = 0.05, evenly: bool = False) -> None:
        self.per_second = per_second
        self._catch_up = catch_up
        self._evenly = evenly
        self._next = self._latest = -math.inf

    def change(self, per_second: float) -> None:
        """Go by another rate, from the latest request on."""
        self.per_second = per_second
        self._next = min(self._next, self._latest + 1 / per_second)

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may start; 0 is now."""
        return max(0.0, self._next - now)

    def peek(self, now: float) -> float:
        """Return the same; `LeasedCap` tells the difference."""
        return self.wait(now)

    def start(self, now: float) -> None:
        """Use up one place."""
        self._latest = now
        gap = 1 / self.per_second
        self._next = max(self._next, now - self._catch_up) + gap
        if self._evenly and gap >= self._EXACT:
            self._next = max(self._next, now + self._SHORTEST * gap)
