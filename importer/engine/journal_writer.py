"""Takes outcomes from the workers and writes them to the journal, in order and in batches.

The workers never wait for the disk: they append to an entry in memory, and one writing thread at
a time takes it away. At most `INTERVAL` seconds of responses are unrecorded at any moment, unless
the disk is slower than the service; `has_room` then holds the reader back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter

import anyio
import anyio.to_thread

from importer.clarityq.responses import Stored
from importer.engine.at_work import Record
from importer.engine.row_queue import QueuedRow
from importer.engine.wakeup import Wakeup
from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry
from importer.model import Attempt, Deferral, Feedback, Moment, Outcome, OutcomeKind, Reason

#: Seconds between two writes. The promise is that at most one second is asked for again.
INTERVAL = 0.1
_BATCH = 1000
_LEFT_OVER = (Reason.RETRIES_EXHAUSTED, Reason.DEFERRAL_DEADLINE)
_MOST_UNWRITTEN = 20_000
_KIND = attrgetter("kind")


class JournalWriter:
    """The only writer of a run's journal. `counts` are the outcomes recorded in this run.

    After each write `on_write` is called. `body_of` makes the numbers by which later jobs tell
    what is stored, and `wall` is the time of day in Unix seconds.
    """

    def __init__(
        self,
        journal: Record,
        on_write: Callable[[], None],
        body_of: BodyCoder,
        wall: Callable[[], float],
    ) -> None:
        self.counts: Counter[OutcomeKind] = Counter()
        self._journal = journal
        self._on_write = on_write
        self._body_of = body_of
        self._wall = wall
        self._entry = Entry()
        self._wake = Wakeup()
        self._one_at_a_time = anyio.Lock()

    def settle_unsent(self, outcome: Outcome) -> None:
        """Record the outcome of a row that is not sent."""
        self.counts[outcome.kind] += 1
        self._entry.outcomes.append(outcome)
        if self._entry.rows >= _BATCH:
            self._wake.notify()

    def settle(self, outcome: Outcome, row: QueuedRow, stored: Stored | None = None) -> None:
        """Record how a row that was sent has ended.

        `stored` is what the service holds of it, where that differs from what was sent.
        """
        entry, feedback = self._entry, row.feedback
        self.counts[outcome.kind] += 1
        if row.open:
            entry.opened.append((outcome.seq, feedback.conversation_id))
        if outcome.kind is OutcomeKind.SUCCEEDED and outcome.warning is None and stored is None:
            entry.stored.add(outcome, feedback.conversation_id, self._body_of.of(feedback))
        else:
            entry.outcomes.append(outcome)
            self._note_rest(outcome, row, stored)
        if entry.rows >= _BATCH:
            self._wake.notify()

    def _note_rest(self, outcome: Outcome, row: QueuedRow, stored: Stored | None) -> None:
        """Note what is stored of a row, or what it would send in a later job."""
        entry, feedback = self._entry, row.feedback
        if stored is not None and row.open:
            pass  # an earlier request may still change it: nobody knows
        elif outcome.kind is OutcomeKind.SUCCEEDED:
            entry.bodies[outcome.seq] = self._body_of.of(feedback)
        elif stored is not None:
            entry.bodies[outcome.seq] = self._body_of(*stored)
        elif outcome.reason in _LEFT_OVER:
            entry.left_over.append(feedback)

    def defer(self, deferral: Deferral) -> None:
        """Record where a waiting row stands."""
        self._entry.deferrals.append(deferral)

    def attempted(self, attempt: Attempt) -> None:
        """Record a request that did not end with stored feedback."""
        self._entry.attempts.append(attempt)

    def take_in(self, other: Entry) -> None:
        """Record what another process has found out."""
        entry = self._entry
        self.counts.update(map(_KIND, other.outcomes))
        self.counts[OutcomeKind.SUCCEEDED] += len(other.stored.seqs)
        entry.outcomes += other.outcomes
        entry.stored.extend(other.stored)
        entry.deferrals += other.deferrals
        entry.attempts += other.attempts
        entry.bodies.update(other.bodies)
        entry.opened += other.opened
        entry.left_over += other.left_over

    def passed(self, moment: Moment) -> None:
        """Record how the run goes."""
        self._entry.moments.append(moment)

    @property
    def has_room(self) -> bool:
        """Whether the journal keeps up."""
        return self._entry.rows < _MOST_UNWRITTEN

    async def write_forever(self) -> None:
        """Write at intervals until cancelled. Raises `JournalError`."""
        while True:
            if self._entry.rows < _BATCH:
                await self._wake.wait(INTERVAL)
            await self.write()

    async def write(self) -> None:
        """Write all that has been recorded so far. Raises `JournalError`.

        Once begun, a write is not interrupted: its entry would be lost.
        """
        with anyio.CancelScope(shield=True):
            async with self._one_at_a_time:
                await self._write()
        self._on_write()

    async def mark(self, rows: Sequence[Feedback]) -> None:
        """Note, so that it lasts whatever happens, that these rows may be sent from now on.

        Raises `JournalError`. Only then may any of them be sent (docs/reference.md, A7).
        """
        with anyio.CancelScope(shield=True):
            async with self._one_at_a_time:
                await self._write()
                keys = [(row.seq, row.conversation_id) for row in rows]
                await anyio.to_thread.run_sync(self._journal.mark, keys)

    async def call(self, do: Callable[[], None]) -> None:
        """Call what changes the journal, on the writing thread. Raises `JournalError`."""
        with anyio.CancelScope(shield=True):
            async with self._one_at_a_time:
                await anyio.to_thread.run_sync(do)

    async def _write(self) -> None:
        entry = self._entry
        if entry.rows or entry.deferrals or entry.attempts or entry.moments:
            self._entry = Entry()
            entry.at = self._wall()
            await anyio.to_thread.run_sync(self._journal.write, entry)
