"""What earlier runs of a job have left behind, and how their times become those of this run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from importer.common.row_set import RowSet
from importer.engine.clock import Clock
from importer.engine.row_queue import QueuedRow
from importer.jobs.journal import Journal
from importer.jobs.records import Totals
from importer.model import Deferral


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What a run has to know of the runs before it."""

    #: The figures of the job so far; rows that are tried again are pending in them.
    totals: Totals
    #: The rows that are done.
    settled: RowSet
    #: Where the deferred rows stood, by seq.
    deferrals: dict[int, Deferral]
    #: The conversations that were not completed when an earlier job asked for the last time.
    not_completed: Collection[str] = ()
    #: The last conversation for which the job has stored feedback; None if there is none.
    stored: str | None = None

    @classmethod
    def load(cls, journal: Journal) -> ResumeState:
        """Read it from the journal; takes about a second for each million rows that are done."""
        not_completed = {row.conversation_id for row in journal.carried() if row.ask_status}
        return cls(
            journal.totals(to_do=True), journal.settled(), journal.deferrals(), not_completed,
            journal.last_stored(),
        )  # fmt: skip


def lasting(row: QueuedRow, clock: Clock) -> Deferral:
    """Return where a deferred row stands, in the time that outlives the process."""
    now = clock.monotonic()
    offset = clock.wall() - now
    since = now if row.deferred_since is None else row.deferred_since
    return Deferral(
        row.feedback.seq, row.attempts, since + offset, row.due + offset, row.looks, now + offset
    )


def restored(deferral: Deferral, clock: Clock, longest: float) -> Deferral:
    """Return a recorded deferral in this run's time, sane even if the clock was set.

    `longest` is the longest wait (seconds) that there is.
    """
    now = clock.monotonic()
    offset = now - clock.wall()
    return deferral._replace(
        since=min(now, deferral.since + offset), due=min(now + longest, deferral.due + offset)
    )
