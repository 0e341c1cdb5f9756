"""Whether rows that are turned away (403, 407, a redirect) are at fault, or all requests are."""

from __future__ import annotations

from importer.model import Feedback

#: So many different rows that are turned away one after the other show that all would be.
_MANY = 20


class TurnedAway:
    """Knows by the answers so far; docs/reference.md, T9 and T10. Sans-I/O.

    `accepted` says whether the service has stored anything in earlier runs of the job.
    """

    def __init__(self, *, accepted: bool) -> None:
        self._accepted = accepted
        #: The latest that the service has stored in this run; None before.
        self.stored: Feedback | None = None
        self._rows: set[int] = set()

    def answered(self) -> None:
        """A request had another definite answer than a success."""
        self._rows.clear()

    def succeeded(self, feedback: Feedback) -> None:
        """The service has stored feedback: key and address are right."""
        self._accepted, self.stored = True, feedback
        self._rows.clear()

    def concerns_all(self, seq: int) -> bool:
        """A row is turned away; return whether that concerns all rows."""
        self._rows.add(seq)
        return not self._accepted or len(self._rows) >= _MANY
