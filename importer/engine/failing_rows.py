"""Which rows fail while others succeed: those failures tell of the row, not of the service."""

from __future__ import annotations

from dataclasses import dataclass

from importer.engine.lanes import Lane
from importer.pacing import Suspicion

#: More rows are not remembered, but for those that still fail.
_MAXIMUM = 50_000


@dataclass(slots=True)
class _Failing:
    """When the row failed the latest time, and how often others had succeeded in between."""

    latest: float
    contradicted: int = 0


class FailingRows:
    """Keeps what is known of the rows that fail, and takes back what an outage did to them.

    Sans-I/O; times are seconds of the run's monotonic clock. It is kept apart from the lanes:
    hardly any lane fails, and there may be a million of them.
    """

    def __init__(self) -> None:
        self._rows: dict[Lane, _Failing] = {}
        # The rows whose failures count, since anything succeeded, once for each failure.
        self._since_success: list[Lane] = []

    def suspicion(self, lane: Lane, last_success: float) -> Suspicion:
        """Return how far a failure of the row, now, is the row's own.

        `last_success` is when the latest request of any row succeeded. A row that fails again
        after others have succeeded is suspect; the second time there is hardly a doubt.
        """
        return Suspicion(min(self._contradicted(lane, last_success), Suspicion.STRONG))

    def failed(self, lane: Lane, now: float, last_success: float) -> None:
        """The row has failed, and it counts: the service is not known to be unavailable."""
        contradicted = self._contradicted(lane, last_success)
        if len(self._rows) >= _MAXIMUM:
            self._rows = {lane: known for lane, known in self._rows.items() if lane.failures}
        self._rows[lane] = _Failing(now, contradicted)
        self._since_success.append(lane)

    def succeeded(self) -> None:
        """Some request has succeeded."""
        self._since_success.clear()

    def forgive(self) -> None:
        """Nothing succeeds any more: the failures since the latest success are no row's own."""
        for lane in self._since_success:
            lane.failures = max(0, lane.failures - 1)
            if not lane.failures:
                self._rows.pop(lane, None)
        self._since_success.clear()

    def _contradicted(self, lane: Lane, last_success: float) -> int:
        known = self._rows.get(lane)
        if known is None or not lane.failures:
            return 0
        return known.contradicted + (last_success > known.latest)
