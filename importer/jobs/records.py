"""What the pipeline asks of a journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from importer.common.row_set import RowSet
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

#: The input, in the job's own folder, of the rows that earlier jobs have left over.
CARRIED_OVER = "carried_over.csv"


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


class Journal(Protocol):
    """The lasting record of one job. Methods are called by one thread at a time.

    Every method raises `JournalError` when the record cannot be read or written.
    """

    def begin_run(self, now: float, quiet_at: float, settings: Mapping[str, object]) -> int:
        """Note that a run starts (Unix seconds), with what settings, and return its number."""
        ...

    def end_run(self, now: float, end: RunEnd, message: str, quiet_at: float) -> None:
        """Note how the run ended."""
        ...

    def write(self, entry: Entry) -> None:
        """Record all of `entry` or, if that fails, nothing."""
        ...

    def settled(self) -> RowSet:
        """Return the set of the rows that have an outcome."""
        ...

    def deferrals(self) -> dict[int, Deferral]:
        """Return the rows that are still deferred, by seq."""
        ...

    def totals(self) -> Totals:
        """Return the job's figures."""
        ...

    def outcomes(
        self, kind: OutcomeKind | None = None, first: int = 1, last: int | None = None
    ) -> Iterator[Outcome]:
        """Yield the recorded outcomes from seq `first` to `last`, by seq; of one kind, if given."""
        ...

    def overtaken(self, kind: OutcomeKind) -> set[int]:
        """Return the rows of `kind` (by seq) after which a row of their conversation was sent."""
        ...

    def first_seqs(self) -> list[int | None]:
        """Return where the rows of each input begin, as far as that is known."""
        ...
