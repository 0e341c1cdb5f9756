"""A way for tasks to wait until something changes."""

from __future__ import annotations

import math

import anyio


class Wakeup:
    """Tasks `wait`; `notify` wakes them all. It costs next to nothing while none is waiting."""

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def notify(self) -> None:
        """Wake every task that is waiting now."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self, timeout: float = math.inf) -> None:  # noqa: ASYNC109 -- a bound, no error
        """Return at the next `notify`, or after `timeout` seconds."""
        if self._event is None:
            self._event = anyio.Event()
        event = self._event
        with anyio.move_on_after(timeout):
            await event.wait()
