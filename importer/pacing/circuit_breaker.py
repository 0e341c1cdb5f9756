"""Lets single requests through while none succeeds, and tells an outage from a hiccup."""

from __future__ import annotations

import math
from enum import IntEnum

#: Scattered failures come so often in a row with this probability only: something else it must be.
_CHANCE = math.log(1e-7)
#: The share that is expected to fail at any time, and the memory of the true one, in answers.
_EXPECTED = 0.005
_MEMORY = 500
#: A share above this tells no more.
_MOST = 0.9
#: Seconds until the first probe, and the most between two.
_FIRST_PROBE = 0.125
_LONGEST_PROBE = 60.0
#: The growth of the wait between two probes. A service that is down is to be found soon when it is
#: back; one that refuses asks to be left alone. (Doubled, the ninth comes just after a minute.)
_AFTER_FAILURE = 1.1
_AFTER_REFUSAL = 2.0


class Suspicion(IntEnum):
    """How far a failure is its row's own: whether others succeeded between failures of the row."""

    NONE = 0
    #: Once.
    SOME = 1
    #: More often.
    STRONG = 2


class CircuitBreaker:
    """Probes with one request at a time while nothing succeeds.

    It begins to probe (`is_probing`) after more failures in a row than scattered ones explain, or
    when nothing but failures came for `patience` seconds, however few: then the service is
    unavailable (`is_open`). The first success ends both.
    """

    def __init__(self, now: float, *, patience: float = 5.0) -> None:
        self.is_probing = self.is_open = False
        #: When the latest definite response came, in seconds; at first, when the run began.
        self.last_success = now
        #: Since when nothing has succeeded, in seconds: the start of the first request that failed,
        #: but not before the latest success.
        self.failing_since = math.inf
        #: Since when it probes, in seconds, and with how many probes in vain.
        self.probing_since = -math.inf
        self.probes = 0
        #: Whether the latest failure was a refusal (429).
        self.refuses = False
        self._patience = patience
        self._in_a_row = 0
        self._share = 0.0
        self._next_probe = self._interval = 0.0
        self._is_probe_out = False

    def failing_for(self, now: float) -> float:
        """Return for how many seconds nothing has succeeded; 0 if the latest request did."""
        return max(0.0, now - self.failing_since)

    def wait(self, now: float) -> float:
        """Return the seconds until a request may start; infinite while a probe is out."""
        if not self.is_probing:
            return 0.0
        return math.inf if self._is_probe_out else max(0.0, self._next_probe - now)

    def hasten(self) -> None:
        """Probe at once, and then at short intervals again: nobody has looked for long."""
        self._next_probe, self._interval = -math.inf, _FIRST_PROBE

    def start(self) -> None:
        """A request starts; while the breaker probes, it is the probe."""
        self._is_probe_out = self.is_probing

    def succeeded(self, now: float, started: float) -> None:
        """A request that `started` then had a definite response."""
        self._share -= self._share / _MEMORY
        self._in_a_row, self.failing_since = 0, math.inf
        self.last_success = now
        # What was sent before the first probe does not show that the service is back.
        if self.is_probing and started >= self.probing_since:
            self.is_probing = self.is_open = self._is_probe_out = False

    def failed(
        self,
        now: float,
        started: float,
        *,
        refused: bool = False,
        suspicion: Suspicion = Suspicion.NONE,
    ) -> None:
        """A request that `started` then failed in a way that need not be its row's; `refused`: 429.

        A suspect row shows an outage only by the time in which nothing succeeds. A strongly
        suspect one shows nothing of the service.
        """
        self._share += (1 - self._share) / _MEMORY
        if suspicion < Suspicion.STRONG:
            self._in_a_row += suspicion is Suspicion.NONE
            self.failing_since = min(self.failing_since, max(started, self.last_success))
            if self.failing_for(now) >= self._patience:
                self.is_open = True
        if self.is_probing:
            if started < self.probing_since:
                return  # it was sent before the probes
            self.probes += 1
            growth = _AFTER_REFUSAL if refused else _AFTER_FAILURE
            self._interval = min(self._interval * growth, _LONGEST_PROBE)
        elif self.is_open or self._in_a_row >= self._enough():
            self.is_probing, self.probing_since, self.probes = True, now, 0
            self._interval = _FIRST_PROBE
        else:
            return
        self._is_probe_out = False
        self.refuses = refused
        self._next_probe = now + self._interval

    def _enough(self) -> float:
        """Return how many failures in a row chance does not explain."""
        return max(4.0, _CHANCE / math.log(min(_EXPECTED + self._share, _MOST)))
