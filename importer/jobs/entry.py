"""What a run hands to its journal at once: how rows have ended, and what else there is of them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, NamedTuple

from importer.model import Attempt, Deferral, Feedback, Moment, Outcome


class StoredRows(NamedTuple):
    """Rows that were stored as they were sent, by column: nearly all rows of most jobs.

    The columns are those of `Outcome`, and what the service holds of each row (`feedback/body.py`).
    """

    seqs: list[int]
    conversations: list[str]
    http_statuses: list[int | None]
    attempts: list[int]
    updated_at: list[str | None]
    bodies: list[int]

    @classmethod
    def none(cls) -> StoredRows:
        """Return no rows, to be added to."""
        return cls([], [], [], [], [], [])

    def add(self, outcome: Outcome, conversation: str, body: int) -> None:
        """Add a row that ended so."""
        self.seqs.append(outcome.seq)
        self.conversations.append(conversation)
        self.http_statuses.append(outcome.http_status)
        self.attempts.append(outcome.attempts)
        self.updated_at.append(outcome.updated_at)
        self.bodies.append(body)

    def extend(self, more: StoredRows) -> None:
        """Add other rows."""
        columns: Iterable[Any] = zip(self, more, strict=True)
        for column, values in columns:
            column.extend(values)

    def among(self, seqs: Container[int]) -> StoredRows:
        """Return those that are among `seqs`."""
        are_there = [seq in seqs for seq in self.seqs]
        return StoredRows._make(list(compress(column, are_there)) for column in self)


@dataclass(slots=True)
class Entry:
    """What a journal records in one transaction."""

    #: How rows have ended that are not among `stored`.
    outcomes: list[Outcome] = field(default_factory=list)
    deferrals: list[Deferral] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    #: By seq, what the service holds after these outcomes (`feedback/body.py`); None: not known.
    bodies: dict[int, int | None] = field(default_factory=dict)
    #: Those of the rows that a request had no definite answer for, with their conversations.
    opened: list[tuple[int, str]] = field(default_factory=list)
    #: Those of the outcomes that may succeed in a later job, with what they would send.
    left_over: list[Feedback] = field(default_factory=list)
    stored: StoredRows = field(default_factory=StoredRows.none)
    #: When the entry is recorded, in Unix seconds.
    at: float = 0.0

    @property
    def rows(self) -> int:
        """Return how many rows have ended."""
        return len(self.stored.seqs) + len(self.outcomes)

    def seqs(self) -> list[int]:
        """Return the numbers of these rows."""
        return [*self.stored.seqs, *(outcome.seq for outcome in self.outcomes)]

    def keep(self, seqs: Container[int]) -> None:
        """Leave out how all other rows have ended."""
        self.stored = self.stored.among(seqs)
        self.outcomes = [outcome for outcome in self.outcomes if outcome.seq in seqs]
