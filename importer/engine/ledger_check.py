"""Whether a row has to be sent at all, by what the jobs of its product have done before."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from importer.clarityq.payload import body_digest
from importer.jobs.ledger import Applied, LedgerSession
from importer.model import Feedback
from importer.settings import ImportSettings


class Standing(Enum):
    """What the ledger says of a row that could be sent now."""

    TO_BE_SENT = auto()
    #: It is to be sent, but first the ledger must forget what is stored for its conversation.
    TO_BE_FORGOTTEN = auto()
    UNCHANGED = auto()
    SET_BY_LATER_JOB = auto()


class LedgerCheck:
    """Asks the ledger, row by row. `wall` is in Unix seconds."""

    def __init__(
        self, session: LedgerSession, settings: ImportSettings, wall: Callable[[], float]
    ) -> None:
        self._ledger, self._job = session
        self._skips = settings.ledger.skip_unchanged and not settings.job.restart
        self._refresh_after = settings.ledger.refresh_after
        self._wall = wall

    def standing(self, feedback: Feedback) -> Standing:
        """Return where the row stands, once the earlier rows of its conversation are done."""
        applied = self._ledger.applied(feedback.conversation_id)
        if applied is None:
            return Standing.TO_BE_SENT
        if applied.job > self._job:
            return Standing.SET_BY_LATER_JOB
        if applied.digest is None:
            return Standing.TO_BE_SENT
        if self._counts(applied) and applied.digest == body_digest(feedback):
            return Standing.UNCHANGED
        return Standing.TO_BE_FORGOTTEN

    def _counts(self, applied: Applied) -> bool:
        """Return whether what was stored then spares us to store it again."""
        age = self._wall() - applied.at
        return self._skips and (self._refresh_after is None or age < self._refresh_after)
