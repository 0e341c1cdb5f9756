"""How far a survey has come, and how it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import NamedTuple, TypeVar

from importer.common.text import counted

#: Seconds between two calls of the callback.
_INTERVAL = 0.1

_Batch = TypeVar("_Batch", bound=Sized)


class SurveyProgress(NamedTuple):
    """How far a survey has come."""

    #: From 0 to 1.
    share: float
    rows: int
    #: None as long as it cannot be told.
    seconds_left: float | None


class SurveyStoppedError(Exception):
    """The survey was told to stop: nothing was sent. `progress` says how far it has come."""

    def __init__(self, progress: SurveyProgress) -> None:
        super().__init__(f"stopped after {counted(progress.rows, 'row')} of the survey")
        self.progress = progress


def until_stopped(batches: Iterable[_Batch], stopped: Callable[[], bool]) -> Iterator[_Batch]:
    """Yield the batches of rows of inputs that are read again, once the survey knows them.

    `stopped` is asked before each of them. Raises `SurveyStoppedError`.
    """
    teller, rows = Teller(stopped, lambda _: None), 0
    for batch in batches:
        teller.tell(1, rows)
        yield batch
        rows += len(batch)


class Teller:
    """Tells how far a survey has come, a few times a second, and stops it when it is to stop.

    `stopped` is asked each time, `progress` is told.
    """

    def __init__(
        self, stopped: Callable[[], bool], progress: Callable[[SurveyProgress], None]
    ) -> None:
        self._stopped = stopped
        self._progress = progress
        self._began = self._told = time.monotonic()

    def tell(self, share: float, rows: int) -> None:
        """Note that `share` of the work (0 to 1) is done. Raises `SurveyStoppedError`."""
        now = time.monotonic()
        if self._stopped():
            raise SurveyStoppedError(self._reached(now, share, rows))
        if now - self._told >= _INTERVAL:
            self._told = now
            self._progress(self._reached(now, share, rows))

    def _reached(self, now: float, share: float, rows: int) -> SurveyProgress:
        left = (now - self._began) * (1 - share) / share if share > 0 else None
        return SurveyProgress(share, rows, left)
