"""What a journal takes in and gives back."""

from __future__ import annotations

import os
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
    """One input as the job began with it."""

    path: str
    #: In bytes.
    size: int
    #: Of its content.
    digest: str

    def line(self) -> tuple[str | bytes, int, str]:
        """Return it as a database takes it: a path that is not UTF-8 as bytes."""
        raw = os.fsencode(self.path)
        try:
            path: str | bytes = raw.decode("utf-8")
        except UnicodeDecodeError:
            path = raw
        return path, self.size, self.digest

    @classmethod
    def of_line(cls, path: str | bytes, size: int, digest: str) -> InputFile:
        """Return what `line` made a line of."""
        return cls(os.fsdecode(path), size, digest)


@dataclass(slots=True)
class Entry:
    """What is recorded in one transaction: by the journal and, if there is one, by the ledger."""

    outcomes: list[Outcome] = field(default_factory=list)
    deferrals: list[Deferral] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    moment: Moment | None = None
    #: For the ledger: the conversations of which it shall forget what is stored.
    forgotten: list[str] = field(default_factory=list)
    #: For the ledger: the feedback that was stored, with the digest of its body.
    applied: list[tuple[Feedback, bytes]] = field(default_factory=list)
    #: For the ledger: the feedback that may succeed in a later job.
    left_over: list[Feedback] = field(default_factory=list)
    #: For the ledger: the conversations of which nothing is left over.
    done_with: list[str] = field(default_factory=list)
    #: Where the rows of inputs begin, by the input's position.
    first_seqs: dict[int, int] = field(default_factory=dict)
    #: How many rows this run has read so far.
    rows_read: int = 0
    #: When the entry is recorded, in Unix seconds.
    at: float = 0.0
    #: When the last request made so far will have taken effect, in Unix seconds.
    quiet_at: float = 0.0


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the latest run of a job ended. Times are Unix seconds."""

    #: From 1.
    number: int
    started_at: float
    #: None if it is running or was killed.
    ended_at: float | None
    #: None if it is running or was killed.
    end: RunEnd | None
    #: Why it ended early, in words; empty if it did not.
    message: str
    #: None of its requests takes effect after this.
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
