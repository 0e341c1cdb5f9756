"""What a journal takes in and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from importer.model import (
    Attempt,
    Deferral,
    Feedback,
    Moment,
    Outcome,
    OutcomeKind,
    Reason,
    RunEnd,
    Warn,
)


class InputFile(NamedTuple):
    """One input as the job began with it: `size` in bytes, `digest` of its content."""

    path: str
    size: int
    digest: str


@dataclass(slots=True)
class Entry:
    """What is recorded in one transaction.

    `rows_read` is how many rows this run has read so far. `first_seqs` says where the rows of
    inputs begin, by the input's position. `quiet_at` is when the last request made so far will have
    taken effect; it and `at`, the time of the record, are in Unix seconds.

    For the ledger: the conversations of which it shall forget what is stored (`forgotten`), the
    feedback that was stored, with its digest (`applied`), that which may succeed in a later job
    (`left_over`), and the conversations of which nothing is left over (`done_with`).
    """

    outcomes: list[Outcome] = field(default_factory=list)
    deferrals: list[Deferral] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    moment: Moment | None = None
    forgotten: list[str] = field(default_factory=list)
    applied: list[tuple[Feedback, bytes]] = field(default_factory=list)
    left_over: list[Feedback] = field(default_factory=list)
    done_with: list[str] = field(default_factory=list)
    first_seqs: dict[int, int] = field(default_factory=dict)
    rows_read: int = 0
    at: float = 0.0
    quiet_at: float = 0.0


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the latest run of a job ended; `end` is None if it is running or was killed.

    Times are Unix seconds. None of its requests takes effect after `quiet_at`.
    """

    number: int
    started_at: float
    ended_at: float | None
    end: RunEnd | None
    message: str
    quiet_at: float


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of a job over all its runs, `PENDING` included."""

    rows: int
    outcomes: Mapping[OutcomeKind, int]
    reasons: Mapping[tuple[OutcomeKind, Reason], int]
    warnings: Mapping[Warn, int]
    puts: int

    @property
    def settled(self) -> int:
        """Return how many rows have a final outcome."""
        return self.rows - self.outcomes[OutcomeKind.PENDING]
