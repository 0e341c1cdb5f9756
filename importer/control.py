"""How a run is stopped, and how it is watched, from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio

from importer.measurements import Problem
from importer.model import OutcomeKind, RunEnd
from importer.pacing import Limit
from importer.settings import ImportSettings
from importer.wakeup import Wakeup


class Control:
    """Stops one run; made on the run's event loop. `stop` may be called more than once."""

    def __init__(self) -> None:
        self.end: RunEnd | None = None
        self.message = ""
        self.changed = Wakeup()
        self.scope = anyio.CancelScope()
        self._grace = 0.0

    def stop(self, end: RunEnd, message: str = "", *, grace: float | None = None) -> None:
        """Start nothing new; what is in flight may finish within `grace` seconds.

        Without it, those of `allow_grace`. The first call's reason is kept.
        """
        if self.end is None:
            self.end, self.message = end, message
            self.scope.deadline = anyio.current_time() + (self._grace if grace is None else grace)
            self.changed.notify()

    def cancel(self, end: RunEnd) -> None:
        """Stop at once. What has been recorded stays recorded."""
        self.stop(end)
        self.scope.cancel()

    def stopped(self) -> bool:
        """Return whether the run was told to stop; may be asked from any thread."""
        return self.end is not None

    def allow_grace(self, seconds: float) -> None:
        """From now on a stop lets requests in flight finish for up to `seconds`."""
        self._grace = seconds


@dataclass(slots=True)
class Reading:
    """How far a run has come with its input: the reader alone changes it.

    `share` is how much of it has been read (0 to 1); `admitted` counts the rows that were taken in,
    those settled in earlier runs left out.
    """

    rows_read: int = 0
    share: float = 0.0
    admitted: int = 0
    all_read: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A run at one moment.

    `share` is how much of the input has been read (0 to 1). `outcomes` are the job's so far, over
    all its runs, and `settled_now` are those of this run. `next_due` is in seconds from now, None
    if nothing waits. `held_by` says in words what holds all requests back, or is empty; `limit` is
    what keeps the run from being faster; `concurrency` is how many requests may be in flight;
    `latencies` are the median and the 95th percentile of late, in seconds; `problems` are those met
    so far, the latest last.
    """

    rows_read: int
    share: float
    outcomes: Mapping[OutcomeKind, int]
    settled_now: int
    in_flight: int
    retrying: int
    deferred: int
    next_due: float | None
    only_deferred: bool
    held_by: str
    limit: Limit
    concurrency: int
    elapsed: float
    latencies: tuple[float | None, float | None]
    problems: Mapping[str, Problem]


class Observer(Protocol):
    """Is told how a run goes. Its methods are called on the run's event loop and must be quick."""

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        """The job is open; `already_settled` rows were settled by earlier runs."""
        ...

    def progressed(self, progress: Progress) -> None:
        """Called several times a second."""
        ...

    def noticed(self, message: str) -> None:
        """Something happened that a person may want to know, such as a pause."""
        ...
