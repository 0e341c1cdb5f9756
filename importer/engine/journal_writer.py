"""Takes outcomes from the workers and writes them to the journal, in order and in batches.

The workers never wait for the disk: they append to an entry in memory, and one writing thread at
a time takes it away. At most `INTERVAL` seconds of responses are unrecorded at any moment, unless
the disk is slower than the service; `has_room` then holds the reader back.

Each write also notes until when requests of this run may still take effect (`quiet_at`), so that
a run after a crash knows how long to wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import anyio
import anyio.to_thread

from importer.clarityq.payload import body_digest
from importer.engine.lanes import Lane
from importer.engine.wakeup import Wakeup
from importer.jobs.journal import Journal
from importer.jobs.ledger import LedgerSession
from importer.jobs.records import Entry
from importer.model import Attempt, Deferral, Feedback, Moment, Outcome, OutcomeKind, Reason

#: Seconds between two writes. The promise is that at most one second is asked for again.
INTERVAL = 0.1
#: The same while a row waits for the record of an earlier one of its conversation.
_SOON = 0.02
#: Every so often `quiet_at` is noted even if nothing else is to be written.
HEARTBEAT = 1.0
_BATCH = 1000
_MAY_SUCCEED_LATER = (Reason.RETRIES_EXHAUSTED, Reason.DEFERRAL_DEADLINE)
_MOST_UNWRITTEN = 20_000


class JournalWriter:
    """The only writer of a run's journal. `counts` are the outcomes recorded in this run.

    After each write `on_write` is called with the lanes of the outcomes that now last. `quiet_at`
    returns the time by which the requests made so far will have taken effect, and `wall` the time
    of day, both in Unix seconds. `ledger` is the product's, if it has one.
    """

    def __init__(
        self,
        journal: Journal,
        on_write: Callable[[Sequence[Lane]], None],
        quiet_at: Callable[[], float],
        wall: Callable[[], float],
        ledger: LedgerSession | None = None,
    ) -> None:
        self.counts: Counter[OutcomeKind] = Counter()
        self._journal = journal
        self._on_write = on_write
        self._quiet_at = quiet_at
        self._wall = wall
        self._ledger = ledger
        self._entry = Entry()
        self._lanes: list[Lane] = []
        self._rows_written = 0
        self._next_heartbeat = 0.0
        self._flushes_soon = False
        self._wake = Wakeup()
        self._one_at_a_time = anyio.Lock()

    def settle(self, outcome: Outcome, lane: Lane | None = None) -> None:
        """Record how a row ended; `lane` is where it stood, if it stood in one."""
        self.counts[outcome.kind] += 1
        self._entry.outcomes.append(outcome)
        if lane is not None:
            self._lanes.append(lane)
            if self._ledger is not None:
                self._note_in_ledger(outcome, lane.feedback)
        if len(self._entry.outcomes) >= _BATCH:
            self._wake.notify()

    def flush_soon(self) -> None:
        """Write soon: a row waits for it."""
        if not self._flushes_soon:
            self._flushes_soon = True
            self._wake.notify()

    def forget(self, lane: Lane) -> None:
        """Let the ledger forget what is stored for the lane's conversation, before it changes."""
        self._entry.forgotten.append(lane.feedback.conversation_id)
        self._lanes.append(lane)
        self.flush_soon()

    def _note_in_ledger(self, outcome: Outcome, feedback: Feedback) -> None:
        match outcome.kind:
            case OutcomeKind.SUCCEEDED:
                self._entry.applied.append((feedback, body_digest(feedback)))
            case OutcomeKind.SUPERSEDED:
                return  # the row that took its place says more
            case _ if outcome.reason in _MAY_SUCCEED_LATER:
                self._entry.left_over.append(feedback)
                return
        self._entry.done_with.append(feedback.conversation_id)

    def defer(self, deferral: Deferral) -> None:
        """Record where a waiting row stands."""
        self._entry.deferrals.append(deferral)

    def attempted(self, attempt: Attempt) -> None:
        """Record a request that did not end with stored feedback."""
        self._entry.attempts.append(attempt)

    def passed(self, moment: Moment) -> None:
        """Record how the run goes."""
        self._entry.moment = moment

    def read(self, rows_read: int, first_seqs: dict[int, int]) -> None:
        """Record how far the input has been read."""
        self._entry.rows_read = rows_read
        self._entry.first_seqs.update(first_seqs)

    @property
    def has_room(self) -> bool:
        """Whether the journal keeps up."""
        return len(self._entry.outcomes) < _MOST_UNWRITTEN

    async def write_forever(self) -> None:
        """Write at intervals until cancelled. Raises `JournalError`."""
        while True:
            if len(self._entry.outcomes) < _BATCH:
                if not self._flushes_soon:
                    await self._wake.wait(INTERVAL)
                if self._flushes_soon:
                    await anyio.sleep(_SOON)
            await self.write()

    async def write(self) -> None:
        """Write all that has been recorded so far. Raises `JournalError`.

        Once begun, a write is not interrupted: its entry would be lost.
        """
        with anyio.CancelScope(shield=True):
            async with self._one_at_a_time:
                entry, lanes = self._entry, self._lanes
                self._entry, self._lanes = Entry(rows_read=entry.rows_read), []
                self._flushes_soon = False
                now = anyio.current_time()
                if (
                    now >= self._next_heartbeat
                    or entry.outcomes
                    or entry.deferrals
                    or entry.attempts
                    or entry.moment
                    or entry.forgotten
                    or entry.rows_read != self._rows_written
                ):
                    entry.at, entry.quiet_at = self._wall(), self._quiet_at()
                    await anyio.to_thread.run_sync(self._save, entry)
                    self._rows_written = entry.rows_read
                    self._next_heartbeat = now + HEARTBEAT
        self._on_write(lanes)

    def _save(self, entry: Entry) -> None:
        self._journal.write(entry)
        if self._ledger is not None:
            self._ledger.ledger.write(self._ledger.job, entry)
