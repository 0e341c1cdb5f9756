"""The first few rows of a new job: they show a wrong product or key before all others are sent."""

from __future__ import annotations

from importer.jobs.records import Totals
from importer.model import OutcomeKind
from importer.settings import ImportSettings

#: How many rows go ahead of a new job with more rows than that, unless the user says otherwise.
_CANARY = 20
_MANY_ROWS = 1000


class Canary:
    """Lets only `rows` rows go ahead until one of them shows that the others are worth sending.

    Every definite response other than a refusal shows that. So do two different refusals: what is
    wrong then lies with the rows. Its owner says `start` for each request and `failed`, `returned`
    or `passed` for each end of one, and asks `is_full` before.
    """

    def __init__(self, rows: int) -> None:
        self.is_open = rows > 0
        self.is_full = False
        self.rows = rows
        self._slots = rows
        self._failed = 0
        self._cause: object = None

    def start(self) -> None:
        """A request starts; only while `is_full` is not set."""
        if self.is_open:
            self._slots -= 1
            self.is_full = self._slots <= 0

    def returned(self) -> None:
        """A row comes back to be sent again, which says nothing yet."""
        if self.is_open:
            self._slots += 1
            self.is_full = False

    def passed(self) -> None:
        """The others may follow."""
        self.is_open = self.is_full = False

    def failed(self, cause: object) -> bool:
        """A row has failed for good for `cause`; return whether all have, for the same cause."""
        if not self.is_open:
            return False
        if self._failed and cause != self._cause:
            self.passed()
            return False
        self._cause = cause
        self._failed += 1
        return self._failed >= self.rows


def canary_for(settings: ImportSettings, before: Totals) -> Canary:
    """Return the canary of a job: none if rows of it have succeeded in earlier runs."""
    rows = settings.abort_rules.canary
    if rows is None:
        rows = _CANARY if before.rows > _MANY_ROWS else 0
    return Canary(0 if before.outcomes[OutcomeKind.SUCCEEDED] else rows)
