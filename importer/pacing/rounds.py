"""A round of the search for a rate: some time at one rate, and what its responses show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

#: More than expected by so many standard deviations, and by so many refusals, is no chance.
SURE = 3.0
#: So many times as long a round goes on that is neither clear in one way nor in the other.
_PATIENCE = 4
#: So many responses tell of more noise, also where the rate may be a little too high.
_PLENTY = 100
#: So many responses are remembered of the noise.
_MEMORY = 500


class End(Enum):
    """How a round ended."""

    QUIET = auto()
    #: More was refused than the round tolerates.
    LOUD = auto()
    #: Nothing was granted any more, and then the service granted again.
    STALLED = auto()


@dataclass(slots=True)
class Round:
    """Some time at one rate, and what came of it."""

    #: Requests per second; infinite is no cap.
    rate: float
    #: The share refused that ends the round early.
    tolerated: float
    #: How long it lasts at least, and how many responses it needs.
    seconds: float
    enough: float
    #: It goes on, up to `_PATIENCE` times as many responses, while more than this share is refused.
    unclear: float
    began: float = 0.0
    lasted: float = 0.0
    started: int = 0
    responses: int = 0
    refused: int = 0
    end: End = End.QUIET

    @property
    def share(self) -> float:
        """Return the share of responses that were refusals."""
        return self.refused / self.responses

    @property
    def used(self) -> float:
        """Return the requests sent per second: responses lag behind, not all equally."""
        return self.started / max(self.lasted, 0.01)

    @property
    def granted(self) -> float:
        """Return the requests granted per second, at least half of the cap."""
        granted = self.used * (1 - self.share)
        return granted if math.isinf(self.rate) else max(granted, self.rate / 2)

    def exceeds(self, share: float) -> bool:
        """Return whether certainly more than `share` is refused."""
        expected = self.responses * share
        return self.refused > expected + SURE * math.sqrt(expected) + SURE

    def is_over(self, started: float) -> bool:
        """Return whether enough is known, with the response to a request that `started` then."""
        if started < self.began + self.seconds or self.responses < self.enough:
            return False
        return self.responses >= _PATIENCE * self.enough or self.share <= self.unclear


@dataclass(slots=True)
class Noise:
    """The share that is refused whatever the rate is."""

    share: float = 0.0
    _known: float = 0.0

    def learn(self, seen: Round, *, surely: bool = False) -> None:
        """Take in what a round has shown; more responses weigh more."""
        if seen.share > self.share and seen.responses < _PLENTY and not surely:
            return
        if seen.share < self.share / 2 and seen.responses * self.share > SURE**2:
            self.forget()  # it is no longer what it was
        self._known = min(self._known + seen.responses, _MEMORY)
        self.share += min(1.0, seen.responses / self._known) * (seen.share - self.share)

    def forget(self) -> None:
        """Let the next round count alone."""
        self._known = 0.0
