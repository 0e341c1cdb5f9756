"""Notices that the service as a whole fails."""

from __future__ import annotations

import math


class Breaker:
    """Notices that the service as a whole fails, and lets single probes through until it answers.

    It opens after `threshold` failures with no definite answer among them and none for `patience`
    seconds, or, where many requests fail quickly, after `certain` failures. A probe is allowed
    after `first_probe` seconds, then at doubling intervals up to `max_probe`.
    """

    def __init__(
        self,
        now: float,
        *,
        threshold: int = 20,
        certain: int = 50,
        patience: float = 5.0,
        first_probe: float = 1.0,
        max_probe: float = 30.0,
    ) -> None:
        self._threshold = threshold
        self._certain = certain
        self._patience = patience
        self._first_probe = first_probe
        self._max_probe = max_probe
        self._failures = self._broken = 0
        #: When the latest definite answer came, in seconds.
        self.last_answer = now
        self._opened_at: float | None = None
        self._interval = first_probe
        self._next_probe = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether only probes are allowed."""
        return self._opened_at is not None

    def open_for(self, now: float) -> float:
        """Return for how many seconds the breaker has been open; 0 if it is closed."""
        return 0.0 if self._opened_at is None else now - self._opened_at

    def wait(self, now: float) -> float:
        """Return the seconds until a request may start; infinite while a probe is out."""
        if self._opened_at is None:
            return 0.0
        return math.inf if self._probing else max(0.0, self._next_probe - now)

    def start(self) -> None:
        """A request starts; while the breaker is open it is the probe."""
        self._probing = self.is_open

    def answered(self, now: float) -> None:
        """The service gave a definite answer: it is alive."""
        self.last_answer = now
        if self._failures:
            self._failures = self._broken = 0
            self._opened_at = None
            self._probing = False
            self._interval = self._first_probe

    def failed(self, now: float, *, refused: bool = False, telling: bool = True) -> None:
        """A request failed in a way that says nothing of its row.

        `refused`: the service said that it was too many, which it can say only while it is alive.
        Not `telling` is the failure of a row that has failed since before the last answer: while
        others were answered, it was not, so it tells of the row and not of the service.
        """
        self._failures += telling
        self._broken += telling and not refused
        if self._opened_at is None:
            patient = now - self.last_answer < self._patience
            enough = self._failures >= self._threshold
            if not telling or not enough or (patient and self._broken < self._certain):
                return
            self._opened_at = now
        elif not self._probing:
            return  # it was sent before the breaker opened
        else:
            self._interval = min(self._interval * 2, self._max_probe)
        self._probing = False
        self._next_probe = now + self._interval
