"""What a product's journals and ledger should say, by docs/design/across-jobs.md: a small model."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

from importer.model import OutcomeKind, Rank, Reason

_SETTLED = (
    OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED, OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED
)  # fmt: skip


class Ended(NamedTuple):
    """The outcome of a row, and the run that recorded it."""

    kind: OutcomeKind
    reason: Reason | None
    body: int | None
    run: int

    @property
    def is_set(self) -> bool:
        return (
            self.kind in (OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED)
            or self.reason is Reason.STORED_DIFFERS
        )

    @property
    def is_left_over(self) -> bool:
        return self.kind is OutcomeKind.NOT_COMPLETED or self.reason is Reason.RETRIES_EXHAUSTED


@dataclass
class ModelRow:
    conversation: str
    rank: Rank
    comment: str
    ended: Ended | None = None
    #: It is tried again: what ended stands until it ends anew. Only runs of the job itself go by
    #: this, so nothing is wrong if a power cut takes it back.
    again: bool = field(default=False, compare=False)
    #: In the run that is at work it may have been sent.
    marked: bool = False
    #: The runs of which a request may still take effect, and whether the row is in doubt since.
    doubts: dict[int, bool] = field(default_factory=dict)

    def end(self, ended: Ended, *, is_open: bool) -> None:
        """R5, R6."""
        self.ended, self.again, self.marked = ended, False, False
        if is_open:
            self.doubts[ended.run] = True
        if ended.is_set:
            self.doubts = dict.fromkeys(self.doubts, False)


@dataclass
class ModelJournal:
    rows: dict[int, ModelRow]
    finished: bool = False
    given_up: bool = False
    #: What of its own rows is left over is given up.
    rest_given_up: bool = False
    last_run: int = 0
    #: It began with --carry-over.
    keeps_bodies: bool = False
    #: How many rows it has taken over; they are numbered from 1.
    carried: int = 0

    @property
    def has_sent(self) -> bool:
        return any(row.doubts or row.marked or row.ended for row in self.rows.values())

    @property
    def taken_over(self) -> list[ModelRow]:
        """What --carry-over takes over when it replaces the job (A4)."""
        if not self.keeps_bodies:
            return []
        if self.has_sent:
            return [row for row in self.rows.values() if row.ended is None]
        return [self.rows[seq] for seq in range(1, self.carried + 1)]

    def all_doubts(self) -> set[tuple[int, int, bool]]:
        """Return seq, run and in doubt; what is marked right now counts."""
        found = {
            (seq, run, doubt) for seq, row in self.rows.items() for run, doubt in row.doubts.items()
        }
        return found | {(seq, self.last_run, True) for seq, row in self.rows.items() if row.marked}

    def interrupted(self) -> None:
        """The run ended without a word: R4."""
        for row in self.rows.values():
            if row.marked:
                row.doubts[self.last_run] = True
                row.marked = False

    def ended_cleanly(self, sent: set[int]) -> None:
        """R5: of the marked rows only those that were sent are in doubt."""
        for seq, row in self.rows.items():
            if row.marked and seq in sent:
                row.doubts[self.last_run] = True
            row.marked = False

    @property
    def pending(self) -> list[int]:
        return [seq for seq, row in self.rows.items() if row.ended is None or row.again]


@dataclass
class ModelLedger:
    """What the ledger remembers of jobs, here or gone."""

    known: set[int] = field(default_factory=set)
    complete: set[int] = field(default_factory=set)
    floor: int = 0
    taken: dict[int, ModelJournal] = field(default_factory=dict)
    #: The jobs of which nothing is tried again that is left over.
    given_up: set[int] = field(default_factory=set)


@dataclass
class ModelJob:
    number: int
    journal: ModelJournal
    here: bool = True
    closed: bool = False
    #: A job with --carry-over has taken its rows over.
    replaced: bool = False

    def lost(self, floor: int) -> list[ModelRow]:
        """Return what it had taken over and not settled when it was given up (R11)."""
        is_given_up = self.closed or self.journal.given_up or self.number < floor
        if not self.here or self.replaced or self.journal.finished or not is_given_up:
            return []
        carried = [row for seq, row in self.journal.rows.items() if seq <= self.journal.carried]
        return [row for row in carried if row.ended is None and row.rank.version != self.number]


def claims(jobs: list[ModelJob], ledger: ModelLedger) -> dict[str, tuple[Rank, Ended, ModelRow]]:
    """Return of each conversation the settled row that ranks highest (R8); later runs win."""
    found: dict[str, tuple[Rank, Ended, ModelRow]] = {}
    for job in jobs:
        journal = job.journal if job.here else ledger.taken.get(job.number)
        for row in journal.rows.values() if journal is not None else ():
            if row.ended is None or row.ended.kind not in _SETTLED:
                continue
            other = found.get(row.conversation)
            if other is None or (row.rank, row.ended.run) >= (other[0], other[1].run):
                found[row.conversation] = row.rank, row.ended, row
    return found


def overtaken(row: ModelRow, number: int, ledger: ModelLedger) -> Reason | None:
    """Return why the row of job `number` is not sent, by what is known of others (R3.1, R3.4)."""
    known = [ModelJob(job, journal) for job, journal in ledger.taken.items()]
    best = claims(known, ledger).get(row.conversation)
    if best is None:
        return None
    rank, ended, other = best
    own = ledger.taken.get(number)
    is_own = own is not None and any(other is each for each in own.rows.values())
    if rank > row.rank:
        return Reason.LATER_JOB
    return Reason.SET_BY_JOB if rank == row.rank and ended.is_set and not is_own else None


def stored_before(row: ModelRow, ledger: ModelLedger) -> int | None:
    """Return the body that is known to be stored before the row, with which it may be unchanged."""
    known = [ModelJob(job, journal) for job, journal in ledger.taken.items()]
    best = claims(known, ledger).get(row.conversation)
    if best is None or best[0] >= row.rank or not best[1].is_set:
        return None
    return best[1].body


def doubts(jobs: list[ModelJob], ledger: ModelLedger) -> set[tuple[str, Rank, int, int, bool]]:
    """Return conversation, rank, job, run and in doubt of every row that is open or in doubt."""
    return {
        (journal.rows[seq].conversation, journal.rows[seq].rank, job.number, run, doubt)
        for job in jobs
        for journal in [job.journal if job.here else ledger.taken.get(job.number)]
        if journal is not None
        for seq, run, doubt in journal.all_doubts()
    }


def notice(jobs: list[ModelJob], ledger: ModelLedger) -> None:
    """R9: what a run finds when it begins."""
    here = {job.number for job in jobs if job.here}
    highest = max(here | ledger.known, default=0)
    missing = set(range(1, highest + 1)) - here - ledger.complete
    ledger.floor = max({ledger.floor} | missing)
    ledger.known = set(range(1, highest + 1))
    ledger.given_up |= {job.number for job in jobs if job.here and job.journal.rest_given_up}


def take_in(jobs: list[ModelJob], ledger: ModelLedger) -> None:
    for job in jobs:
        if job.here:
            ledger.taken[job.number] = deepcopy(job.journal)
            if (
                job.journal.finished
                or job.closed
                or job.journal.given_up
                or job.number < ledger.floor
            ):
                ledger.complete.add(job.number)
