"""How a run is stopped from outside."""

from __future__ import annotations

import anyio

from importer.engine.wakeup import Wakeup
from importer.model import RunEnd


class Control:
    """Stops one run; it may be made before the run's event loop is there.

    `stop` may be called more than once: before the run, or on its event loop.
    """

    def __init__(self) -> None:
        self.end: RunEnd | None = None
        self.message = ""
        self.changed = Wakeup()
        self._scope: anyio.CancelScope | None = None
        #: Seconds that requests in flight have when the run is stopped; 0 before the first one.
        self.grace = 0.0

    @property
    def scope(self) -> anyio.CancelScope:
        """What is cancelled when the run has to end; it is made on the run's event loop."""
        if self._scope is None:
            self._scope = anyio.CancelScope()
            if self.end is not None:
                self._scope.deadline = anyio.current_time() + self.grace
        return self._scope

    def stop(self, end: RunEnd, message: str = "", *, grace: float | None = None) -> None:
        """Start nothing new; what is in flight may finish within `grace` seconds.

        Without it, within those of `allow_grace`. The first call's reason is kept.
        """
        if self.end is None:
            self.end, self.message = end, message
            self.grace = self.grace if grace is None else grace
            if self._scope is not None:
                self._scope.deadline = anyio.current_time() + self.grace
            self.changed.notify()

    def cancel(self, end: RunEnd) -> None:
        """Stop now. What has been recorded stays recorded."""
        self.stop(end)
        self.scope.cancel()

    def stopped(self) -> bool:
        """Return whether the run was told to stop; may be asked from any thread."""
        return self.end is not None

    def allow_grace(self, seconds: float) -> None:
        """From now on a stop lets requests in flight finish for up to `seconds`."""
        if self.end is None:
            self.grace = seconds
