"""How long a row waits before it is tried again. The one place that knows tenacity.

Nothing sleeps here or in a worker: a row that has to wait goes back into the row queue, so that a
few bad rows never hold the others up. Of a transient failure tenacity says how long the wait is
(full jitter) and when the attempts are used up; it is asked, and calls nothing. The waits for
conversations that are not completed follow from the time waited.
"""

from __future__ import annotations

from tenacity import RetryCallState, Retrying, stop_after_attempt
from tenacity import wait_random_exponential as wait_full_jitter


class RetryPolicy:
    """Waits after transient failures: exponential backoff with full jitter, then no more."""

    def __init__(self, *, max_attempts: int, first: float, longest: float) -> None:
        self._stop = stop_after_attempt(max_attempts)
        # tenacity counts from attempt 1, so the first window is `first` seconds wide.
        self._wait = wait_full_jitter(multiplier=first, max=longest)

    def next_wait(self, failures: int, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after `failures` failures in a row; None is "give up".

        It is 0 if none of them counts against the row. `retry_after` (seconds), as the service
        asked, is a floor.
        """
        if self._stop(_after(failures)):
            return None
        return max(self._wait(_after(max(1, failures))), retry_after or 0.0)


class DeferralPolicy:
    """Waits for a conversation to complete: growing from `first` to `longest` seconds.

    Each wait is a fifth of the time waited so far, so a completion is seen late by at most that
    share, however long it took. (Doubling waits see it late by up to all of it.)
    """

    _SHARE = 0.2

    def __init__(self, *, first: float, longest: float, total: float) -> None:
        self._first = first
        self._longest = longest
        self._total = total

    def next_wait(self, waited: float) -> float | None:
        """Return the seconds until the next status check, or None at the deadline.

        `waited` is how many seconds have gone by since the row was first told to wait. The last
        check is at the deadline itself.
        """
        left = self._total - waited
        if left <= 0:
            return None
        return min(max(self._first, self._SHARE * waited), self._longest, left)


_UNUSED = Retrying()


def _after(attempts: int) -> RetryCallState:
    state = RetryCallState(_UNUSED, None, (), {})
    state.attempt_number = attempts
    return state
