"""What earlier runs of a job have left behind, and how their times become those of this run."""

from __future__ import annotations

from dataclasses import dataclass

from importer.common.row_set import RowSet
from importer.engine.clock import Clock
from importer.engine.lanes import Lane
from importer.jobs.journal import Journal
from importer.jobs.records import Totals
from importer.model import Deferral


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What a run has to know of the runs before it."""

    #: The figures of the job so far.
    totals: Totals
    #: The rows that have an outcome.
    settled: RowSet
    #: Where the deferred rows stood, by seq.
    deferrals: dict[int, Deferral]

    @classmethod
    def load(cls, journal: Journal) -> ResumeState:
        """Read it from the journal; takes about a second for each million rows that are done."""
        return cls(journal.totals(), journal.settled(), journal.deferrals())


def lasting(lane: Lane, clock: Clock) -> Deferral:
    """Return where a deferred lane stands, in the time that outlives the process."""
    now = clock.monotonic()
    offset = clock.wall() - now
    since = now if lane.deferred_since is None else lane.deferred_since
    return Deferral(
        lane.feedback.seq, lane.attempts, since + offset, lane.due + offset, lane.looks,
        now + offset,
    )  # fmt: skip


def restored(deferral: Deferral, clock: Clock, longest: float) -> Deferral:
    """Return a recorded deferral in this run's time, sane even if the clock was set.

    `longest` is the longest wait (seconds) that there is.
    """
    now = clock.monotonic()
    offset = now - clock.wall()
    return deferral._replace(
        since=min(now, deferral.since + offset), due=min(now + longest, deferral.due + offset)
    )
