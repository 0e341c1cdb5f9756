"""All that holds requests back, asked in one place."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Protocol

from importer.pacing.circuit_breaker import CircuitBreaker, Suspicion
from importer.pacing.concurrency import ConcurrencyWindow, Hold
from importer.pacing.pause import Pause
from importer.pacing.rate import RateCap
from importer.pacing.rate_finder import RateFinder
from importer.pacing.shared_rate import Budget, LeasedCap


class Limit(StrEnum):
    """What keeps a run from being faster."""

    CONCURRENCY = "concurrency"
    #: The user's.
    RATE = "rate"
    #: The service's, as it was found.
    SERVICE_LIMIT = "service_limit"
    #: Requests are refused, and it is not known yet what for.
    CAUTION = "caution"
    #: It answers more slowly the more is asked of it at once.
    SERVICE = "service"
    #: The service asked for one.
    PAUSE = "pause"
    #: Requests of earlier runs may still take effect.
    LATE_EFFECT = "late_effect"
    #: The service is unavailable, and asked now and then whether it is back.
    OUTAGE = "outage"
    CPU = "cpu"
    NOTHING = "nothing"


#: A pause of so many seconds is asked for where a quota is used up; shorter ones are a habit.
_A_LONG_PAUSE = 2.0


class Finder(Protocol):
    """Finds the rate that a service grants; `RateFinder` tells the details."""

    @property
    def cap(self) -> RateCap | None:
        """What to go by; None while there is no limit."""
        ...

    @property
    def is_searching(self) -> bool:
        """Whether the cap is tried, and not found yet."""
        ...

    def start(self) -> None:
        """A request starts."""
        ...

    def granted(self, now: float, started: float) -> None:
        """A request that `started` then was not refused."""
        ...

    def refused(self, now: float, started: float) -> None:
        """A request that `started` then was refused with a 429."""
        ...

    def restart(self, now: float) -> None:
        """The service was down: what was seen lately tells nothing."""
        ...

    def resumed(self, now: float, *, stalled_at: float, waited: bool) -> None:
        """The service grants again after it had granted nothing since `stalled_at`."""
        ...


class Pacer:
    """Says when the next request may start.

    Its owner asks `wait` and `has_slot` before each request, says `start` when it sends one, and
    `answered`, `refused` or `failed` afterwards. All times are seconds of one monotonic clock.
    With a `budget`, `rate` is shared with other runs. The `finder` is one of its own by default.
    """

    def __init__(
        self,
        now: float,
        *,
        concurrency: int,
        rate: float | None,
        budget: Budget | None = None,
        breaker: CircuitBreaker | None = None,
        finder: Finder | None = None,
    ) -> None:
        self.breaker = breaker or CircuitBreaker(now)
        self.window = ConcurrencyWindow(now, concurrency)
        self.finder: Finder = finder or RateFinder(now)
        self._rate: RateCap | LeasedCap | None = None
        if rate is not None:
            self._rate = RateCap(rate) if budget is None else LeasedCap(rate, budget)
        self._pause = Pause()
        # Since requests were granted the last time.
        self._has_paused = False
        self._throttled = True
        self._allowed_until = math.inf
        self._held_until = -math.inf
        self._held_back_until = -math.inf

    @property
    def is_probing(self) -> bool:
        """Whether nothing succeeds at the moment, so that a failure tells nothing of its row."""
        return self.breaker.is_probing

    @property
    def is_capped(self) -> bool:
        """Whether the service refuses, so that the times of requests have to be exact."""
        return self.finder.cap is not None

    @property
    def service_rate(self) -> float | None:
        """The service's limit in requests per second, if one was found."""
        cap = self.finder.cap
        return cap.per_second if cap is not None and not self.finder.is_searching else None

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may start; 0 is now, inf is "not known".

        Only for a request that is to be made: of a budget, a place is taken for it.
        """
        if now >= self._allowed_until:
            return math.inf
        if not self._throttled:
            return 0.0
        wait = max(0.0, self._pause.until - now, self._held_until - now, self.breaker.wait(now))
        caps = [cap for cap in (self._rate, self.finder.cap) if cap is not None]
        if not wait:  # else the place that is taken would be lost
            wait = max((cap.wait(now) for cap in caps), default=0.0)
        # Nothing throttles the run most of the time, and then this is asked for every row.
        self._throttled = bool(
            wait or caps or self.breaker.is_probing or self._pause.is_asked
            or not math.isinf(self._held_until)
        )  # fmt: skip
        return wait

    def has_slot(self, in_flight: int) -> bool:
        """Return whether one more may be in flight."""
        return in_flight < self.window.size

    def start(self, now: float) -> None:
        """A request starts now; only after `wait` returned 0."""
        self.finder.start()
        if not self._throttled:
            return
        if self._pause.is_over(now):
            self._has_paused = True
            self.window.restart(now)
        if not math.isinf(self._held_until):
            self._held_until = -math.inf
            self.window.restart(now)
        self.breaker.start()
        for cap in (self._rate, self.finder.cap):
            if cap is not None:
                cap.start(now)

    def answered(self, now: float, started: float, in_flight: int) -> None:
        """The service gave a definite answer: it is alive."""
        self._succeeded(now, started)
        self._pause.granted(started)
        self.finder.granted(now, started)
        self.window.answered(now, now - started, in_flight)

    def refused(
        self,
        now: float,
        started: float,
        *,
        retry_after: float | None = None,
        suspicion: Suspicion = Suspicion.NONE,
    ) -> None:
        """The service said that it was too many requests (429).

        `retry_after` (seconds) is when to come again; `suspicion`: see `CircuitBreaker.failed`.
        """
        self._failed(now, started, retry_after, suspicion, refused=True)
        if not self.breaker.is_probing:
            self.finder.refused(now, started)

    def failed(
        self,
        now: float,
        started: float,
        in_flight: int,
        *,
        first: bool,
        retry_after: float | None = None,
        suspicion: Suspicion = Suspicion.NONE,
    ) -> None:
        """A request failed in a way that says nothing of its row; `first` for the first time."""
        self._failed(now, started, retry_after, suspicion, refused=False)
        if self.breaker.is_probing:
            return
        self.finder.granted(now, started)
        if first:
            self.window.failed(now, in_flight)

    def _failed(
        self,
        now: float,
        started: float,
        retry_after: float | None,
        suspicion: Suspicion,
        *,
        refused: bool,
    ) -> None:
        self._throttled = True
        self.breaker.failed(now, started, refused=refused, suspicion=suspicion)
        if retry_after:
            self._pause.ask(now, started, now + retry_after, stalled=self.breaker.is_probing)

    def _succeeded(self, now: float, started: float) -> None:
        breaker = self.breaker
        was_probing, since = breaker.is_probing, breaker.probing_since
        breaker.succeeded(now, started)
        if was_probing and not breaker.is_probing:
            if breaker.refuses:
                waited = breaker.probes > 1 or (self._has_paused and now - since > _A_LONG_PAUSE)
                self.finder.resumed(now, stalled_at=since, waited=waited)
            else:
                self.finder.restart(now)
                self.window.restart(now)
            self._has_paused = False

    def allow_until(self, until: float) -> None:
        """Start nothing from then on; it may be told anew."""
        if self._allowed_until < until and math.isinf(self._allowed_until):
            self.breaker.hasten()  # nothing was allowed before
        self._allowed_until = until

    def share(self, rate: float | None, concurrency: int) -> None:
        """Go by other limits from now on: a share of what several processes may do together."""
        self.window.change_bound(concurrency)
        self._throttled = True  # the finder may have been told of a rate as well
        if rate is None:
            return
        if isinstance(self._rate, RateCap):
            self._rate.change(rate)
        elif self._rate is None:
            self._rate = RateCap(rate)

    def hold_back(self, until: float) -> None:
        """Start nothing before `until`, whatever is granted meanwhile."""
        self._throttled = True
        self._held_back_until = until
        self._pause.ask(-math.inf, math.inf, until, stalled=True)

    def hold(self, now: float, seconds: float, *, lifts: bool) -> None:
        """Start nothing for so many seconds: the service asks another process for a pause.

        It may be told anew; 0 lifts what still lasts. With `lifts`, the pause that was asked for
        here was for one request only: others are granted.
        """
        if lifts and self._pause.until > now:
            self._pause.lift()
        if seconds > 0:
            self._held_until, self._throttled = now + seconds, True
        elif self._held_until > now:
            self._held_until = -math.inf

    def asked_for(self, now: float) -> float:
        """Return the seconds that a pause still lasts which the service asks this process for."""
        return max(0.0, self._pause.until - now)

    def paused_for(self, now: float) -> float:
        """Return the seconds that a pause still lasts; 0 if there is none."""
        return max(0.0, self._held_until - now, self._pause.until - now)

    def limit(self, now: float, in_flight: int) -> Limit:
        """Return what holds the next request back at this moment."""
        is_paused = self.paused_for(now) > 0
        if self.breaker.is_open or (self.breaker.is_probing and not is_paused):
            return Limit.OUTAGE
        if now < self._held_back_until:
            return Limit.LATE_EFFECT
        if is_paused:
            return Limit.PAUSE
        user, found = (cap.peek(now) if cap else 0.0 for cap in (self._rate, self.finder.cap))
        if found > user:
            return Limit.CAUTION if self.finder.is_searching else Limit.SERVICE_LIMIT
        if user:
            return Limit.RATE
        used_up = in_flight >= 0.9 * self.window.size
        return _LIMITS[self.window.hold] if used_up else Limit.NOTHING


_LIMITS = {
    Hold.CPU: Limit.CPU,
    Hold.SERVICE: Limit.SERVICE,
    Hold.BOUND: Limit.CONCURRENCY,
    Hold.NONE: Limit.NOTHING,
}
