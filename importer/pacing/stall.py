"""A while in which a service granted nothing, and what it had granted before. Sans-I/O."""

from __future__ import annotations

from dataclasses import dataclass

#: As much was granted as before another if the one is not so many times the other.
_ALIKE = 1.2
#: It came as late as another if the one took not so many times as long as the other.
_AS_LATE = 1.1
#: Fewer requests than this tell of no quota.
_ENOUGH = 20
#: Quotas of about so many seconds are for a minute.
_MINUTE = 60.0
_ABOUT_A_MINUTE = (15.0, 72.0)
#: A quota that is for longer is looked at as if it were for so many seconds.
_LONGEST_PERIOD = 100.0
#: A quota was used up at once if nothing was granted for this share of the time.
_AT_ONCE = 0.7


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing was granted for `seconds`, the last of the `elapsed` ones since the stall before."""

    #: How many requests were granted in these.
    granted: int
    elapsed: float
    seconds: float

    @property
    def speed(self) -> float:
        """Return the requests granted per second until it began."""
        return self.granted / self.granting

    @property
    def granting(self) -> float:
        """Return for how many seconds requests were granted until it began."""
        return max(self.elapsed - self.seconds, 0.01)

    @property
    def rate(self) -> float:
        """Return the requests granted per second, this while included."""
        elapsed = _MINUTE if self._is_a_minute else self.elapsed
        return self.granted / max(elapsed, 0.01)

    @property
    def period(self) -> float:
        """Return after how many seconds a quota that was used up is there again, or 100."""
        return _MINUTE if self._is_a_minute else min(self.seconds, _LONGEST_PERIOD)

    @property
    def is_telling(self) -> bool:
        """Whether enough was granted to tell of a quota."""
        return self.granted >= _ENOUGH

    def is_like(self, other: Stall | None) -> bool:
        """Return whether about as much was granted before the other."""
        return other is not None and (
            other.granted / _ALIKE < self.granted < _ALIKE * other.granted
        )

    def kept_speed(self, before: Stall | None, kept: float) -> float:
        """Return the speed to go back to if such stalls come whatever the rate is; 0 if not.

        They do if this one came as late as the one before, although much less was granted. While a
        speed is `kept`, it is enough that they come after the same time.
        """
        if before is None or not self.is_telling or not self._is_as_late_as(before):
            return 0.0
        is_less = self.granted < before.granted / _ALIKE
        return max(self.speed, before.speed) if kept or is_less else 0.0

    def or_faster(self, before: Stall | None) -> Stall:
        """Return the one to compare the next with: of two alike, the one at the higher speed.

        So the speed may have been lowered in several small steps.
        """
        if before is None or not self.is_like(before) or not self._is_as_late_as(before):
            return self
        return max(self, before, key=lambda stall: stall.granted)

    def _is_as_late_as(self, other: Stall) -> bool:
        return other.granting / _AS_LATE < self.granting < _AS_LATE * other.granting

    @property
    def _is_a_minute(self) -> bool:
        # The run did not begin with the minute, nor did the probe come at its end.
        shortest, longest = _ABOUT_A_MINUTE
        return self.seconds > _AT_ONCE * self.elapsed and shortest < self.elapsed < longest
