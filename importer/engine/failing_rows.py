"""Which rows fail while others succeed: those failures tell of the row, not of the service."""

from __future__ import annotations

from dataclasses import dataclass

from importer.engine.row_queue import QueuedRow
from importer.pacing import Suspicion


@dataclass(slots=True)
class _Failing:
    """When the row failed the latest time, and how often others had succeeded in between."""

    latest: float
    contradicted: int = 0


class FailingRows:
    """Keeps what is known of the rows that fail, and takes back what an outage did to them.

    Sans-I/O; times are seconds of the run's monotonic clock. It is kept apart from the queue:
    hardly any row fails, and there may be a million of them.
    """

    def __init__(self) -> None:
        self._rows: dict[QueuedRow, _Failing] = {}
        # The rows whose failures count, since anything succeeded, once for each failure.
        self._since_success: list[QueuedRow] = []

    def suspicion(self, row: QueuedRow, last_success: float) -> Suspicion:
        """Return how far a failure of the row, now, is the row's own.

        `last_success` is when the latest request of any row succeeded. A row that fails again
        after others have succeeded is suspect; the second time there is hardly a doubt.
        """
        return Suspicion(min(self._contradicted(row, last_success), Suspicion.STRONG))

    def failed(self, row: QueuedRow, now: float, last_success: float) -> None:
        """The row has failed, and it counts: the service is not known to be unavailable."""
        self._rows[row] = _Failing(now, self._contradicted(row, last_success))
        self._since_success.append(row)

    def forget(self, row: QueuedRow) -> None:
        """The row has an outcome, or waits for its conversation."""
        self._rows.pop(row, None)

    def succeeded(self) -> None:
        """Some request has succeeded."""
        self._since_success.clear()

    def forgiven(self) -> list[QueuedRow]:
        """Nothing succeeds any more: return, once for each, the failures since the latest success.

        They are no row's own, and are forgotten.
        """
        rows, self._since_success = self._since_success, []
        return rows

    def _contradicted(self, row: QueuedRow, last_success: float) -> int:
        known = self._rows.get(row)
        if known is None or not row.failures:
            return 0
        return known.contradicted + (last_success > known.latest)
