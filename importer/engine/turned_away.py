"""Whether rows that are turned away (403, 407, a redirect) are at fault, or all requests are."""

from __future__ import annotations

from http import HTTPStatus

from importer.clarityq.responses import Verdict

#: So many different rows that are turned away one after the other show that all would be.
_MANY = 20


def is_forbidden(verdict: Verdict) -> bool:
    """Return whether the service itself turns a row away: because of the row, or of the key."""
    return verdict.http_status == HTTPStatus.FORBIDDEN


class TurnedAway:
    """Knows by the answers so far; docs/reference.md, T9 and T10. Sans-I/O.

    `accepted` says whether the service has stored anything of the job so far, and `stored` is the
    conversation for which it did so last, if that is known.
    """

    def __init__(self, *, accepted: bool, stored: str | None = None) -> None:
        self._accepted = accepted
        #: The conversation that the job stored last: it can be asked about. None before.
        self.stored = stored
        #: Something was stored in this run.
        self.has_stored = False
        self._rows: set[int] = set()

    def answered(self) -> None:
        """A request had another definite answer than a success."""
        self._rows.clear()

    def succeeded(self, conversation_id: str) -> None:
        """The service has stored feedback: key and address are right."""
        self._accepted = self.has_stored = True
        self.stored = conversation_id
        self._rows.clear()

    def concerns_all(self, seq: int) -> bool:
        """A row is turned away; return whether that concerns all rows."""
        self._rows.add(seq)
        return not self._accepted or self.are_many

    @property
    def are_many(self) -> bool:
        """Whether many rows in a row were turned away, up to now."""
        return len(self._rows) >= _MANY
