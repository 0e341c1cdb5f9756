"""When the next request may start. Each part decides one thing; `Pacing` asks them all.

Pure: times are seconds of a clock that does not run backwards, given as `now`.
"""

from __future__ import annotations

import math
from enum import StrEnum

from importer.pacing.breaker import Breaker
from importer.pacing.rate import RateCap, RateFinder
from importer.pacing.window import ConcurrencyWindow, Hold

__all__ = ["Breaker", "ConcurrencyWindow", "Limit", "Pacing", "RateCap", "RateFinder"]


class Limit(StrEnum):
    """What keeps a run from being faster."""

    CONCURRENCY = "concurrency"
    RATE = "rate"
    SERVICE = "service"
    CPU = "cpu"
    NOTHING = "nothing"


class Pacing:
    """All that holds requests back, asked in one place.

    Its owner asks `wait` and `has_slot` before each request, says `start` when it sends one, and
    `answered`, `refused` or `failed` afterwards.
    """

    def __init__(
        self, now: float, *, concurrency: int, rate: float | None, breaker: Breaker | None = None
    ) -> None:
        self.breaker = breaker or Breaker(now)
        self.window = ConcurrencyWindow(now, concurrency)
        self._rate = RateCap(rate) if rate is not None else None
        self._finder = RateFinder(now)
        self._paused_until = -math.inf
        self._hindered = True

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may start; 0 is now, inf is "not known"."""
        if not self._hindered:
            return 0.0
        wait = max(0.0, self._paused_until - now, self.breaker.wait(now))
        caps = [cap for cap in (self._rate, self._finder.cap) if cap is not None]
        for cap in caps:
            wait = max(wait, cap.wait(now))
        # Nothing hinders the run most of the time, and then this is asked for every row.
        self._hindered = bool(wait or caps or self.breaker.is_open)
        return wait

    def has_slot(self, in_flight: int) -> bool:
        """Return whether one more may be in flight."""
        return in_flight < self.window.size

    def start(self, now: float) -> None:
        """A request starts now; only after `wait` returned 0."""
        if not self._hindered:
            return
        self.breaker.start()
        for cap in (self._rate, self._finder.cap):
            if cap is not None:
                cap.start(now)

    def answered(self, now: float, started: float, in_flight: int) -> None:
        """The service gave a definite answer: it is alive."""
        self.breaker.answered(now)
        self._finder.granted(now)
        self.window.answered(now, now - started, in_flight)

    def refused(self, now: float, started: float, *, telling: bool = True) -> None:
        """The service said that it was too many requests, and not when to come again.

        `telling`: see `Breaker.failed`.
        """
        self._hindered = True
        self.breaker.failed(now, refused=True, telling=telling)
        self._finder.refused(now, started)

    def failed(self, now: float, in_flight: int, *, first: bool, telling: bool = True) -> None:
        """A request failed in a way that says nothing of its row; `first` for the first time.

        `telling`: see `Breaker.failed`.
        """
        self._hindered = True
        self.breaker.failed(now, telling=telling)
        self._finder.granted(now)
        if first:
            self.window.failed(now, in_flight)

    def pause(self, until: float) -> None:
        """Start nothing before `until`, and little at once after it."""
        self._hindered = True
        self._paused_until = max(self._paused_until, until)
        self.window.restart(until)

    def paused_for(self, now: float) -> float:
        """Return the seconds that a pause still lasts; 0 if there is none."""
        return max(0.0, self._paused_until - now)

    def limit(self, now: float, in_flight: int) -> Limit:
        """Return what holds the next request back at this moment."""
        if self.breaker.is_open or self._paused_until > now:
            return Limit.SERVICE
        user, found = self._rate, self._finder.cap
        if found is not None and found.wait(now) and not (user and user.wait(now)):
            return Limit.SERVICE
        if user is not None and user.wait(now):
            return Limit.RATE
        used_up = in_flight >= 0.9 * self.window.size
        return _LIMITS[self.window.hold] if used_up else Limit.NOTHING


_LIMITS = {
    Hold.CPU: Limit.CPU,
    Hold.SERVICE: Limit.SERVICE,
    Hold.BOUND: Limit.CONCURRENCY,
    Hold.NONE: Limit.NOTHING,
}
