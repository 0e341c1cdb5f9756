"""Pauses that the service asks single workers for (`Retry-After`), and who keeps them. Sans-I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

#: So many seconds after a pause was heard of, all have told what they had seen before, and after
#: twice as many what they have seen since.
_LATE = 0.1
#: So many requests of others that were granted since show that only one was meant.
_PROOF = 5


@dataclass(slots=True)
class _Asked:
    """A pause that a worker was asked for: since when it is known, and until when it lasts."""

    at: float
    until: float
    #: How many requests of others had been granted before; None if that is not known yet.
    granted_before: int | None = None
    is_for_one: bool = False


class Pauses:
    """All keep the pause of one, unless requests of the others go on to be granted (`Pause`)."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, _Asked] = {}
        self._granted: Counter[Hashable] = Counter()

    def heard(self, worker: Hashable, pause: float, granted: int, now: float) -> None:
        """A worker tells for how many seconds it pauses, and how many requests it was granted."""
        self._granted[worker] = granted
        if not pause:
            self._asked.pop(worker, None)
        elif worker in self._asked:
            self._asked[worker].until = now + pause
        else:
            self._asked[worker] = _Asked(now, now + pause)
        for other, asked in self._asked.items():
            granted_to_others = self._granted.total() - self._granted[other]
            if asked.granted_before is not None:
                asked.is_for_one |= granted_to_others >= asked.granted_before + _PROOF
            elif now >= asked.at + _LATE:
                asked.granted_before = granted_to_others

    def hold(self, worker: Hashable, now: float) -> float:
        """Return for how many seconds the worker has to keep pauses of others."""
        ends = (
            asked.until - now
            for other, asked in self._asked.items()
            if other != worker and not asked.is_for_one and now >= asked.at + 2 * _LATE
        )
        return max(0.0, max(ends, default=0.0))

    def lifts(self, worker: Hashable) -> bool:
        """Return whether its own pause means nothing, because others are granted all the same."""
        return worker in self._asked and self._asked[worker].is_for_one

    def gone(self, worker: Hashable) -> None:
        """A worker sends nothing any more."""
        self._asked.pop(worker, None)
        self._granted.pop(worker, None)
