"""All that holds requests back, asked in one place."""

from __future__ import annotations

import math
from enum import StrEnum

from importer.pacing.circuit_breaker import CircuitBreaker, Suspicion
from importer.pacing.concurrency import ConcurrencyWindow, Hold
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
    #: It is slow, asks for a pause, or is unavailable.
    SERVICE = "service"
    CPU = "cpu"
    NOTHING = "nothing"


#: A pause of so many seconds is asked for where a quota is used up; shorter ones are a habit.
_A_LONG_PAUSE = 2.0


class Pause:
    """A pause that the service asked for with `Retry-After`.

    It is lifted when requests that started after the refused one are granted all the same: then
    only that one was meant, and so with those that follow, until nothing is granted any more.
    """

    #: So many, and more than are refused, show it.
    _PROOF = 5

    def __init__(self) -> None:
        self.until = -math.inf
        self._asked = math.inf
        self._granted = self._refused = 0
        self._is_for_one = False

    def ask(self, now: float, started: float, until: float, *, stalled: bool) -> None:
        """A request that `started` then was told to come again at `until`.

        `stalled` says that nothing is granted at the moment.
        """
        if stalled:
            self._is_for_one = False
        elif self._is_for_one:
            return
        if now >= self.until:
            self._asked = started
            self._granted = self._refused = 0
        self._refused += 1
        self.until = max(self.until, until)

    def granted(self, started: float) -> None:
        """A request that `started` then was granted."""
        self._granted += started > self._asked
        if self._granted >= self._PROOF and self._granted > self._refused:
            self.until, self._is_for_one = -math.inf, True

    @property
    def is_asked(self) -> bool:
        """Whether there is a pause, or was one that nobody has seen the end of."""
        return not math.isinf(self.until)

    def is_over(self, now: float) -> bool:
        """Return, once, whether a pause has lasted until its end."""
        if not self.is_asked or now < self.until:
            return False
        self.until, self._asked = -math.inf, math.inf
        return True


class Pacer:
    """Says when the next request may start.

    Its owner asks `wait` and `has_slot` before each request, says `start` when it sends one, and
    `answered`, `refused` or `failed` afterwards. All times are seconds of one monotonic clock.
    With a `budget`, `rate` is shared with other runs.
    """

    def __init__(
        self,
        now: float,
        *,
        concurrency: int,
        rate: float | None,
        budget: Budget | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.breaker = breaker or CircuitBreaker(now)
        self.window = ConcurrencyWindow(now, concurrency)
        self.finder = RateFinder(now)
        self._rate: RateCap | LeasedCap | None = None
        if rate is not None:
            self._rate = RateCap(rate) if budget is None else LeasedCap(rate, budget)
        self._pause = Pause()
        # Since requests were granted the last time.
        self._has_paused = False
        self._throttled = True
        self._allowed_until = math.inf

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
        """Return the seconds until the next request may start; 0 is now, inf is "not known"."""
        if now >= self._allowed_until:
            return math.inf
        if not self._throttled:
            return 0.0
        wait = max(0.0, self._pause.until - now, self.breaker.wait(now))
        caps = [cap for cap in (self._rate, self.finder.cap) if cap is not None]
        for cap in caps:
            wait = max(wait, cap.wait(now))
        # Nothing throttles the run most of the time, and then this is asked for every row.
        self._throttled = bool(wait or caps or self.breaker.is_probing or self._pause.is_asked)
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
        self._allowed_until = until

    def share(self, rate: float | None, concurrency: int) -> None:
        """Go by other limits from now on: a share of what several runs may do together."""
        self.window.change_bound(concurrency)
        if rate is None:
            return
        self._throttled = True
        if isinstance(self._rate, RateCap):
            self._rate.change(rate)
        elif self._rate is None:
            self._rate = RateCap(rate)

    def hold_back(self, until: float) -> None:
        """Start nothing before `until`, whatever is granted meanwhile."""
        self._throttled = True
        self._pause.ask(-math.inf, math.inf, until, stalled=True)

    def paused_for(self, now: float) -> float:
        """Return the seconds that a pause still lasts; 0 if there is none."""
        return max(0.0, self._pause.until - now)

    def limit(self, now: float, in_flight: int) -> Limit:
        """Return what holds the next request back at this moment."""
        if self.breaker.is_probing or self._pause.until > now:
            return Limit.SERVICE
        user, found = (cap.wait(now) if cap else 0.0 for cap in (self._rate, self.finder.cap))
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
