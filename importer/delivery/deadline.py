"""Ends calls that last too long. Made for many short calls: one of them costs next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")


class Deadline:
    """Lets calls last for `seconds`, and up to a quarter (at most a second) longer.

    A timer for each call would cost more than the call's own bookkeeping, so one timer looks after
    all calls in flight. Time-outs on silence end nearly all calls that go wrong; this one is for
    answers that drip.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._interval = min(1.0, seconds / 4)
        self._loop = asyncio.get_running_loop()
        # In the order of their start, so that a look ends at the first that is in time.
        self._started: dict[asyncio.Task[object], float] = {}
        self._timer = self._loop.call_later(self._interval, self._look)

    def close(self) -> None:
        """Look after no call any more."""
        self._timer.cancel()

    async def limit(self, call: Awaitable[_T]) -> _T:
        """Return what `call` returns. Raises `TimeoutError` if it lasts too long."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- only a task can await
        self._started[task] = self._loop.time()
        try:
            return await call
        except asyncio.CancelledError:
            if task in self._started:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._started.pop(task, None)

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._interval, self._look)
        latest = self._loop.time() - self._seconds
        overdue = [task for task, started in self._started.items() if started <= latest]
        for task in overdue:
            del self._started[task]
            task.cancel()
