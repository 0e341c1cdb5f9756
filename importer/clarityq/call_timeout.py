"""Ends calls that last too long. Made for many short calls: one of them costs next to nothing."""

from __future__ import annotations

import asyncio


class CallTimeouts:
    """Lets each call last for `total` seconds, and be silent for `silence`.

    A timer for each call would cost more than the call's own bookkeeping, so one timer looks after
    all calls in flight. It comes four times in the shorter of the two times, and at least once a
    second: so much longer may a call last.
    """

    def __init__(self, total: float, silence: float) -> None:
        self._total = total
        self._silence = silence
        self._interval = min(1.0, total / 4, silence / 4)
        self._calls: set[Call] = set()
        self.loop = asyncio.get_running_loop()
        self._timer = self.loop.call_later(self._interval, self._check)

    def close(self) -> None:
        """Look after no call any more."""
        self._timer.cancel()

    def call(self) -> Call:
        """Return a context manager around a call of the current task."""
        return Call(self.loop, self._calls)

    def _check(self) -> None:
        self._timer = self.loop.call_later(self._interval, self._check)
        now = self.loop.time()
        for call in list(self._calls):
            silent_since = call.silent_since
            if now - call.started >= self._total or (
                silent_since is not None and now - silent_since >= self._silence
            ):
                call.end()


class Call:
    """One call in flight. Leaving it raises `TimeoutError` if it was ended for taking too long."""

    __slots__ = ("_calls", "_cancelling", "_loop", "_task", "sent", "silent_since", "started")

    def __init__(self, loop: asyncio.AbstractEventLoop, calls: set[Call]) -> None:
        self._loop = loop
        self._calls = calls
        #: When it began, on the loop's clock.
        self.started = loop.time()
        #: When the other side was last heard; None while that is of no interest.
        self.silent_since: float | None = None
        #: The request was handed to a connection.
        self.sent = False

    def heard(self) -> None:
        """Count the silence from now on."""
        self.silent_since = self._loop.time()

    def end(self) -> None:
        """Cancel the call's task; leaving the call makes a time-out of it."""
        self._calls.discard(self)
        self._cancelling = self._task.cancelling()
        self._task.cancel()

    def __enter__(self) -> Call:
        # To be told the loop spares asyncio a system call.
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 -- only a task can await
        self._task = task
        self._calls.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self in self._calls:
            self._calls.discard(self)
            return
        # Someone else may have cancelled the task as well, and then it stays cancelled.
        is_alone = self._task.uncancel() <= self._cancelling
        if is_alone and kind is asyncio.CancelledError:
            raise TimeoutError from None
