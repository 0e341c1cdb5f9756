"""A pause that the service asks for."""

from __future__ import annotations

import math


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
            self.lift()

    def lift(self) -> None:
        """Only the one was meant, as others have seen."""
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
