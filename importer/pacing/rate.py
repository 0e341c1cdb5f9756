"""Requests per second: the user's cap, and the service's limit, which has to be found."""

from __future__ import annotations

import math
from collections import deque


class RateCap:
    """Spreads requests evenly, at most `per_second` of them.

    After a timer that fired late it catches up with at most `catch_up` seconds' worth at once.
    """

    def __init__(self, per_second: float, catch_up: float = 0.05) -> None:
        self.per_second = per_second
        self._catch_up = catch_up
        self._next = -math.inf

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may start; 0 is now."""
        return max(0.0, self._next - now)

    def start(self, now: float) -> None:
        """Use up one place."""
        self._next = max(self._next, now - self._catch_up) + 1 / self.per_second


class RateFinder:
    """Learns from 429s how many requests per second the service grants, and stays just below.

    Nobody publishes the limit, so it is measured: what is granted while requests are being refused
    is the limit. There is no cap before the first refusal. Then a cap is halved until few are
    refused, and raised fast until they are again: that is near the limit. From there on it is
    lowered to what was granted whenever more than a small share is refused, held while few are,
    and raised while none is: by little at first, and faster the longer it goes well, so that a
    higher limit is found as well.
    """

    #: What is measured begins with the latest cut, and at most so many seconds ago.
    _SLOT = 0.1
    _SLOTS = 10
    #: A measurement over less time than this, in seconds, says only "far too fast", and that only
    #: with so many answers.
    _ENOUGH = 0.2
    _ANSWERS = 10
    #: Shares of refused requests: below the first the cap rises, above the second it falls.
    _FEW = 0.005
    _MANY = 0.012
    _FAR_TOO_MANY = 0.3
    _BELOW = 0.98
    #: Growth per second: while the limit is searched for, and at first when it is known.
    _SEARCH = 1.0
    _CREEP = 0.01
    #: After so many quiet seconds the growth is double what it was at first; then it is quadratic.
    _PATIENCE = 3.0
    #: A cap grows only while at least this share of it is granted.
    _USED = 0.5
    #: Per second, what a cap regains of a rate that was granted before.
    _RETURN = 0.5
    _SLOWEST = 0.2
    #: The service may allow no burst at all.
    _CATCH_UP = 0.01

    def __init__(self, now: float) -> None:
        self.cap: RateCap | None = None
        self._searching = True
        self._peak = 0.0
        self._since = self._grown_at = self._refused_at = now
        # Of each slot: its number, the requests granted, and those refused.
        self._slots: deque[list[int]] = deque(maxlen=self._SLOTS + 1)
        self._latest = [0, 0, 0]
        self._latest_ends = -math.inf

    def granted(self, now: float) -> None:
        """A request was not refused."""
        self._slot(now)[1] += 1
        if self.cap is None:
            return
        since, self._grown_at = min(now - self._grown_at, 1.0), now
        rate, refused, _ = self._measure(now)
        cap = self.cap.per_second
        if refused <= self._FEW and rate >= self._USED * cap:
            quiet = (now - self._refused_at) / self._PATIENCE
            growth = self._SEARCH if self._searching else self._CREEP * (1 + quiet * quiet)
            lack = max(0.0, self._BELOW * self._peak - cap)
            self.cap.per_second += since * (min(growth, self._SEARCH) * cap + self._RETURN * lack)

    def refused(self, now: float, started: float) -> None:
        """A request that had `started` then was refused, and no time to wait was named."""
        if started < self._since:
            return  # it was sent before the latest cut could show
        self._slot(now)[2] += 1
        self._refused_at = now
        rate, refused, elapsed = self._measure(now)
        answers = sum(granted + refused for _, granted, refused in self._slots)
        if self.cap is None:
            if answers < self._ANSWERS and elapsed < self._ENOUGH:
                return
            self.cap = RateCap(max(answers / elapsed, self._SLOWEST), self._CATCH_UP)
            self._lower_to(self.cap.per_second * max(1 - refused, 0.5))
        elif elapsed >= self._ENOUGH and refused > self._MANY:
            self._peak = rate if rate > self._peak / 2 else 0.9 * self._peak
            self._searching = False
            # What was granted while the cap was still rising is too little.
            cap = self.cap.per_second
            self._lower_to(min(max(rate, cap * (1 - 2 * refused)), cap))
        elif refused > self._FAR_TOO_MANY and answers >= self._ANSWERS:
            self._lower_to(self.cap.per_second * max(1 - refused, 0.5))
        else:
            return
        self._since = self._grown_at = now
        self._slots.clear()
        self._latest_ends = -math.inf

    def _lower_to(self, rate: float) -> None:
        assert self.cap is not None  # noqa: S101 -- there is one after the first refusal
        self.cap.per_second = max(self._BELOW * rate, self._SLOWEST)

    def _slot(self, now: float) -> list[int]:
        if now >= self._latest_ends:
            number = int(now / self._SLOT)
            self._latest = [number, 0, 0]
            self._latest_ends = (number + 1) * self._SLOT
            self._slots.append(self._latest)
        return self._latest

    def _measure(self, now: float) -> tuple[float, float, float]:
        """Return what was granted per second lately, the share refused, and over what time."""
        earliest = int(now / self._SLOT) - self._SLOTS
        recent = [slot for slot in self._slots if slot[0] >= earliest]
        granted = sum(slot[1] for slot in recent)
        refused = sum(slot[2] for slot in recent)
        elapsed = max(now - max(self._since, earliest * self._SLOT), 0.001)
        return granted / elapsed, refused / max(1, granted + refused), elapsed
