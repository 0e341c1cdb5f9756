"""The rate that the runs of a `--rate-group` share: a small file with a lock.

The file holds the time from which on places are free. A run takes the next few and moves the time
on, so that each gets as much as it needs and as the others leave.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from importer.common.files import private_opener
from importer.pacing.shared_rate import Lease
from importer.settings import ImportSettings

#: A time further ahead than so many seconds, and so many places, is of a clock that was set back.
_MOST_AHEAD = 60.0
_MOST_PLACES_AHEAD = 1000


class RateBudget:
    """Leases places; a `Budget`. Nothing stays open, and a process that ends leaves nothing."""

    def __init__(
        self, path: Path, per_second: float, wall: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._gap = 1 / per_second
        self._most_ahead = max(_MOST_AHEAD, _MOST_PLACES_AHEAD * self._gap)
        self._wall = wall

    def take(self, now: float, places: int) -> Lease | None:
        """Return the next places that are free; None while another run is at the file.

        If the file cannot be used, the run has the rate for itself.
        """
        try:
            file = private_opener(str(self.path), os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                wall = self._wall()
                free = self._free(os.pread(file, 64, 0), wall)
                os.pwrite(file, f"{free + places * self._gap:<24.6f}".encode(), 0)
            finally:
                os.close(file)
        except BlockingIOError:
            return None
        except OSError:
            return Lease(now, self._gap, places)
        return Lease(now + free - wall, self._gap, places)

    def _free(self, content: bytes, wall: float) -> float:
        """Return from when on places are free, which is now if the file tells no sensible time."""
        try:
            free = float(content)
        except ValueError:
            return wall
        return free if 0 <= free - wall <= self._most_ahead else wall


def budget_for(settings: ImportSettings) -> RateBudget | None:
    """Return the budget that the runs of this group share; None without a group."""
    pacing = settings.pacing
    if pacing.rate_group is None or pacing.rate is None:
        return None
    return RateBudget(settings.job.jobs_dir / f".{pacing.rate_group}.rate", pacing.rate)
