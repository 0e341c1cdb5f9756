"""How long a row waits before it is tried again. The one place that knows tenacity.

Nothing sleeps here or in a worker: a row that has to wait goes back into its lane, so that a few
bad rows never hold the others up. tenacity supplies the schedule: full jitter for transient
failures, and steady growth for conversations that are not completed.
"""

from __future__ import annotations

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential
from tenacity import wait_random_exponential as wait_full_jitter


class RetryPolicy:
    """Waits after transient failures: exponential backoff with full jitter, then no more."""

    def __init__(self, *, max_attempts: int, first: float, longest: float) -> None:
        self._stop = stop_after_attempt(max_attempts)
        # tenacity counts from attempt 1, so the first window is `first` seconds wide.
        self._wait = wait_full_jitter(multiplier=first, max=longest)

    def next_wait(self, failures: int, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after `failures` failures in a row; None is "give up".

        `retry_after` (seconds), as the service asked, is a floor.
        """
        state = _after(failures)
        if self._stop(state):
            return None
        return max(self._wait(state), retry_after or 0.0)


class DeferralPolicy:
    """Waits for a conversation to complete: growing from `first` to `longest` seconds."""

    def __init__(self, *, first: float, longest: float, total: float) -> None:
        self._wait = wait_exponential(multiplier=first, max=longest)
        self._total = total

    def next_wait(self, checks: int, waited: float) -> float | None:
        """Return the seconds until the next look, or None at the deadline.

        `checks` is how often the row was told to wait, this time included; `waited` is how many
        seconds have gone by since the first time. The last look is at the deadline itself.
        """
        left = self._total - waited
        return min(self._wait(_after(checks)), left) if left > 0 else None


_UNUSED = Retrying()


def _after(attempts: int) -> RetryCallState:
    state = RetryCallState(_UNUSED, None, (), {})
    state.attempt_number = attempts
    return state
