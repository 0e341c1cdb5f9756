"""How rows go from the queue to workers, and what becomes of them after. Awaits nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from importer.distributed.seat import Seat
from importer.engine.answers import stop_at_max_failures
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.journal_writer import JournalWriter
from importer.engine.resume import lasting, restored
from importer.engine.row_queue import QueuedRow, RowQueue
from importer.jobs.entry import Entry
from importer.model import OutcomeKind
from importer.settings import ImportSettings


class HandOut:
    """Moves rows. A row is in flight to the `queue` as long as a worker has it."""

    def __init__(
        self, settings: ImportSettings, queue: RowQueue, writer: JournalWriter, clock: Clock
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._writer = writer
        self._clock = clock

    def hand_out(self, seat: Seat, most: int, now: float) -> None:
        """Let a worker have up to so many rows that can be sent now."""
        new, known = self._queue.take(most, now)
        deferred = [row for row in known if row.deferred_since is not None]
        seat.hand(new, known, [lasting(row, self._clock) for row in deferred])

    def take_in(self, seat: Seat, entry: Entry, control: Control) -> None:
        """Record what a worker has found out of its rows; stop the run at `--max-failures`."""
        for deferral in entry.deferrals:
            if deferral.seq in seat.rows:
                seat.deferrals[deferral.seq] = deferral
        if seat.known:
            _note_open(seat.known, entry)
        done = seat.settle(entry.seqs())
        self._queue.done_together(len(done))
        if len(done) < entry.rows:  # others have the rest by now
            entry.keep(set(done))
        self._writer.take_in(entry)
        failed = [each for each in entry.outcomes if each.kind is OutcomeKind.FAILED]
        if failed:
            stop_at_max_failures(self._settings, self._writer, control, failed[-1].detail)

    def return_all(self, seat: Seat, in_doubt: Collection[int]) -> None:
        """The work of a worker has ended; of what it leaves, these rows may have taken effect."""
        for row in self._recalled(seat):
            if row.feedback.seq in in_doubt:
                self._queue.answered(row, not row.attempts, sent=True, definite=False)
            self._return(seat, row)

    def return_lost(self, seat: Seat) -> None:
        """A worker is lost: each of its rows may have been sent, and may still take effect."""
        for row in self._recalled(seat):
            self._queue.answered(row, not row.attempts, sent=True, definite=False)
            self._return(seat, row)

    def _recalled(self, seat: Seat) -> list[QueuedRow]:
        known = seat.known
        rows = [self._queue.recall(known.get(seq, row)) for seq, row in seat.rows.items()]
        seat.rows.clear()
        return rows

    def _return(self, seat: Seat, row: QueuedRow) -> None:
        deferral = seat.deferrals.pop(row.feedback.seq, None)
        if deferral is None:
            self._queue.return_unsent(row)
        else:
            longest = self._settings.deferral.max
            self._queue.put_back(row, restored(deferral, self._clock, longest))


def _note_open(known: Mapping[int, QueuedRow], entry: Entry) -> None:
    """Note which rows are open, although the entry does not say so.

    A lost worker's request may still take effect.
    """
    still_open = {seq for seq in entry.seqs() if seq in known and known[seq].open}
    noted = {seq for seq, _ in entry.opened}
    entry.opened += [(seq, known[seq].feedback.conversation_id) for seq in still_open - noted]
    for outcome in entry.outcomes:
        if outcome.seq in still_open and outcome.kind is not OutcomeKind.SUCCEEDED:
            entry.bodies.pop(outcome.seq, None)
