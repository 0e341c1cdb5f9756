"""What journals and the ledger take in and give back."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from importer.common.row_set import RowSet
from importer.model import (
    Feedback,
    Meaning,
    OutcomeKind,
    Rank,
    Reason,
    RunEnd,
    Warn,
)

#: What stands for the name of a file where rows were carried over from earlier jobs.
CARRIED_OVER = "carried over"
#: More jobs than any product has: where one has a higher number, that is damaged.
_MOST_JOBS = 100_000
#: The fact of a journal that later jobs of its product are compared with.
FIGURES = "figures"
#: The fact of a journal that says when a person gave the job up.
GIVEN_UP = "given_up"
#: The fact of a journal that says when what the job has left over was given up.
LEFT_OVERS_GIVEN_UP = "left_overs_given_up"
#: The fact of a journal that the job was taken back, with the number of the latest job then.
WITHDRAWN = "withdrawn"
#: The facts of the journal of a job that was taken back: in how many conversations its feedback
#: stays, as it is not known what they held before; and how many rows of earlier jobs wait again
#: that it had taken over.
NOT_TAKEN_BACK, WAIT_AGAIN = "not_taken_back", "wait_again"
#: The same of the conversations that its undo clears: which earlier jobs came last to them, oldest
#: first, and to how many: an object of JSON.
CLEARED_OF = "cleared_of"
#: The facts of the journal of an undo that say the same of the job that it takes back: it may be
#: taken back itself.
LEAVES_STORED, LETS_WAIT, CLEARS_OF = "leaves_stored", "lets_wait", "clears_of"
#: The facts of the journal of a job that was taken back that say how many conversations the undo
#: sets again, and whether it clears those of which it is not known what they held before. Before it
#: was taken back, the latter says that its undo has given up what others were to send of it, and
#: waits for one of them.
UNDO_SENDS, CLEARS_UNKNOWN = "undo_sends", "clears_unknown"
#: The fact of a journal that says what the job was to take away from what was stored before it.
CHANGES = "changes"
#: The fact of a journal that says how many left-overs the job did not take over for their age.
TOO_OLD = "too_old"
#: The fact of a journal that says when the job began, in Unix seconds.
BEGUN_AT = "begun_at"
#: The fact of a journal that names the jobs without one whose inputs held the same: it has begun
#: them, under another name. A list of JSON.
BEGINS = "begins"
#: The facts of a journal that say from where its latest run had the key, as arguments, and in which
#: working folder they were given.
KEY_SOURCE = "key_source"
KEY_GIVEN_IN = "key_given_in"
#: The fact that says what its latest run had to take back of a configuration for left-over files.
TAKEN_BACK = "taken_back"


class InputFile(NamedTuple):
    """One input as the job began with it."""

    path: str
    #: In bytes.
    size: int
    #: When it was modified, in nanoseconds since 1970.
    modified: int
    #: Of its content.
    digest: str
    #: How many rows it holds.
    rows: int
    #: The number of its first row in the job.
    first_seq: int
    #: 16 bytes for each of its blocks, in order.
    blocks: bytes = b""

    def line(self) -> tuple[object, ...]:
        """Return it as a database takes it: a path that is not UTF-8 as bytes."""
        raw = os.fsencode(self.path)
        try:
            path: str | bytes = raw.decode("utf-8")
        except UnicodeDecodeError:
            path = raw
        return path, *self[1:]

    @classmethod
    def of_line(cls, path: str | bytes, *more: Any) -> InputFile:
        """Return what `line` made a line of."""
        return cls(os.fsdecode(path), *more)


class CarriedRow(NamedTuple):
    """A row that a job takes over from an earlier one, with what it sends."""

    #: Its number in the job that takes it over, from 1.
    seq: int
    #: A UUID in its canonical form.
    conversation_id: str
    rank: Rank
    rating: Meaning | None
    comment: str | None
    #: The conversation was not completed: its status is asked for before the row is sent.
    ask_status: bool


class RankedRow(NamedTuple):
    """A row of a left-over file: its rank is not that of the job that imports it."""

    seq: int
    rank: Rank


class Placed(NamedTuple):
    """Where a row of a left-over file stood before it came there; see journal.sql."""

    seq: int
    #: The number of the job that first brought it, and its number there.
    job: int
    place: int


class GivenUp(NamedTuple):
    """Which of the rows that are left over are not tried again."""

    #: The numbers of the jobs of which no row is that they have brought.
    jobs: Collection[int]
    #: The rows of undos (number and key) of which it is the other way round.
    others: Collection[tuple[int, bytes]] = frozenset()

    def has(self, version: int, key: bytes) -> bool:
        """Return whether it has the row with that number in its rank, and that conversation."""
        return (version in self.jobs) is not ((version, key) in self.others)


NOTHING_GIVEN_UP = GivenUp(frozenset())


class JobState(StrEnum):
    """Where a job stands."""

    #: It may have rows to send.
    UNFINISHED = "unfinished"
    #: Each row has an outcome.
    ENDED = "ended"
    #: It is not resumed: its rows without an outcome are given up.
    GIVEN_UP = "given_up"
    #: The same, and a later job has taken its rows over.
    REPLACED = "replaced"
    #: Its folder was removed after all of it was taken in by the ledger.
    PRUNED = "pruned"
    #: Its journal is not there, and not all of it is known.
    MISSING = "missing"

    @property
    def is_closed(self) -> bool:
        """Whether somebody has ended it before all of its rows had an outcome."""
        return self in (JobState.GIVEN_UP, JobState.REPLACED)

    @property
    def is_at_rest(self) -> bool:
        """Whether it is at no work any more, unless a run of it says so first."""
        return self is JobState.ENDED or self.is_closed


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job of a product, as the others see it."""

    #: In the order in which the product's jobs began, from 1.
    number: int
    #: Empty if nothing but the number is known.
    id: str
    #: The name of its folder; empty if it is not known.
    name: str
    #: None if its journal is not there.
    folder: Path | None
    state: JobState
    #: Whether a request may have been made.
    sent_anything: bool = False
    #: The number of its latest run through the product, 0 without one.
    last_run: int = 0
    #: How many transactions of outcomes its journal holds.
    entries: int = 0
    #: Whether a row of its journal may be open or in doubt.
    has_doubts: bool = False
    #: Whether the bodies of all its rows are in its journal (`--carry-over`).
    keeps_bodies: bool = False
    #: Whether it has taken over rows of earlier jobs.
    holds_carried: bool = False
    #: When its first run started, in Unix seconds; 0 if that is not known, or there was none.
    began_at: float = 0.0

    @property
    def is_here(self) -> bool:
        """Whether its journal is there."""
        return self.folder is not None

    @property
    def is_in_the_way(self) -> bool:
        """Whether another job would pass over its rows (docs/reference.md, A2)."""
        unfinished = self.state is JobState.UNFINISHED
        return unfinished and (self.sent_anything or self.holds_carried)


@dataclass(slots=True)
class NewJob:
    """All that a job begins with; it is written in one piece."""

    inputs: Sequence[InputFile]
    #: All its rows, carried-over ones included.
    rows: int
    #: What describes the job: no secrets.
    facts: Mapping[str, str] = field(default_factory=dict)
    #: The findings of the survey, as JSON.
    survey: str = "{}"
    #: The rows that are not sent, by why.
    not_sent: Mapping[Reason, RowSet] = field(default_factory=dict)
    #: The rows of the inputs whose rank is not that of the job.
    ranked: Iterable[RankedRow] = ()
    #: The rows of left-over files that say where they stood.
    placed: Iterable[Placed] = ()
    #: The rows that it takes over: numbered from 1, before those of the inputs.
    carried: Sequence[CarriedRow] = ()
    #: With `--carry-over`, the rows of the inputs that are to be sent.
    kept: Iterable[Feedback] | None = None
    #: The unfinished job that it replaces.
    replaces: JobRecord | None = None


class Line(NamedTuple):
    """A conversation in the ledger: of its settled rows the one that ranks highest."""

    #: The conversation's id, reversed (`keys.key_of`).
    key: bytes
    rank: Rank
    #: What the service holds after it (`feedback/body.py`); None if it is not set, or not known.
    body: int | None
    #: When that was stored, in Unix seconds; 0 if it is not known.
    at: float
    #: The number of its run through the product.
    run: int


class Unsure(NamedTuple):
    """A row that is open or in doubt."""

    #: The conversation's id, reversed.
    key: bytes
    rank: Rank
    #: The number of its job.
    job: int
    #: The number of the run that made the request.
    run: int
    in_doubt: bool
    #: The request may still take effect.
    open: bool
    #: Its job is unfinished, so it may be sent again.
    unfinished: bool


@dataclass(frozen=True, slots=True)
class LastRun:
    """How a run of a job ended. Times are Unix seconds."""

    #: Through the product, from 1.
    number: int
    started_at: float
    #: None if it is running or was killed.
    ended_at: float | None
    #: None if it is running or was killed.
    end: RunEnd | None
    #: Why it ended early, in words; empty if it did not.
    message: str


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

    @property
    def set(self) -> int:
        """Return of how many rows it is known what the service holds, or was when it answered."""
        differs = self.reasons.get((OutcomeKind.FAILED, Reason.STORED_DIFFERS), 0)
        return self.outcomes[OutcomeKind.SUCCEEDED] + self.outcomes[OutcomeKind.UNCHANGED] + differs


def job_number(found: str | int) -> int:
    """Return the number of a job that a file names. Raises `ValueError` for one that cannot be."""
    number = int(found)
    if not 1 <= number <= _MOST_JOBS:
        raise ValueError(f"a job of number {number}")
    return number
