"""A rate that was found, and how much further the search dares to go. Sans-I/O."""

from __future__ import annotations

from dataclasses import dataclass

#: How far above the rate a probe goes, as a share of it: at first, at least and at most.
STEP = 0.4
LEAST_STEP = 0.025
_MOST_STEP = 1.0
#: With steps of this size the rate counts as found.
FINE = 0.1
#: A rate that was found is held for up to so many rounds between two probes.
_LONGEST_HOLD = 8


@dataclass(slots=True)
class Found:
    """A rate that is granted, and how the search goes on from it."""

    #: Requests per second.
    rate: float
    #: How far above it the next probe goes, as a share.
    step: float = STEP
    #: For how many rounds the rate is held before.
    rounds: int = 1
    #: Whether the next step is twice as long if this one goes well.
    doubles: bool = True
    #: Whether a probe has failed since the rate was last measured.
    is_old: bool = False

    def rise(self) -> None:
        """The step went well."""
        self.rate *= 1 + self.step
        if self.step > FINE:
            self.rounds = 1
        if self.doubles:
            self.step = min(2 * self.step, _MOST_STEP)
        self.doubles = True

    def stay(self, least_step: float) -> None:
        """The step went too far: the next one is half as long."""
        if self.step <= FINE:
            self.rounds = min(2 * self.rounds, _LONGEST_HOLD)
        self.step, self.doubles = max(self.step / 2, least_step), False
        self.is_old = True

    def change(self, rate: float) -> None:
        """The rate was measured anew."""
        self.rate, self.is_old = rate, False

    def restart(self, other: Found) -> None:
        """Go on from the other."""
        self.rate, self.step, self.rounds = other.rate, other.step, other.rounds
        self.doubles, self.is_old = True, False
