"""Ends calls that last too long. Made for many short calls: one of them costs next to nothing."""

from __future__ import annotations

import asyncio
from itertools import takewhile


class Deadline:
    """Lets each call last for `seconds`, and up to a quarter of it (at most a second) longer.

    A context manager around a call, for many tasks at a time. A timer for each call would cost more
    than the call's own bookkeeping, so one timer looks after all calls in flight. Time-outs on
    silence end nearly all calls that go wrong; this one is for responses that drip.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._interval = min(1.0, seconds / 4)
        self._loop = asyncio.get_running_loop()
        # In the order of their start, so that a check ends at the first that is in time.
        self._started: dict[asyncio.Task[object], float] = {}
        self._timer = self._loop.call_later(self._interval, self._check)

    def close(self) -> None:
        """Look after no call any more."""
        self._timer.cancel()

    def __enter__(self) -> None:
        """Look after the current task. Leaving raises `TimeoutError` if it took too long."""
        # To be told the loop spares asyncio a system call.
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 -- only a task can await
        self._started[task] = self._loop.time()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101
        if self._started.pop(task, None) is None and kind is asyncio.CancelledError:
            task.uncancel()
            raise TimeoutError from None

    def _check(self) -> None:
        self._timer = self._loop.call_later(self._interval, self._check)
        latest = self._loop.time() - self._seconds
        overdue = takewhile(lambda entry: entry[1] <= latest, self._started.items())
        for task, _ in list(overdue):
            del self._started[task]
            task.cancel()
