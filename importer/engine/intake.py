"""How rows come into a run: read while there is room for them, marked in the journal, then queued.

A row may be sent only once the journal says, so that it lasts, that it may be: whatever is killed
afterwards, what the service holds for it is then known to be in doubt (docs/reference.md, A7). Each
mark is a sync, so rows are marked by windows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import anyio.to_thread

from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.journal_writer import JournalWriter
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState, restored
from importer.engine.row_queue import RowQueue, RowState
from importer.engine.statistics import Statistics
from importer.engine.wakeup import Wakeup
from importer.errors import InputError
from importer.model import Feedback, Outcome, OutcomeKind, Rank, RunEnd
from importer.settings import ImportSettings

#: Rows that may be sent next are marked as such together: those of so many seconds, within bounds.
_WINDOW_SECONDS = 1.0
FEWEST_MARKED = 50
_MOST_MARKED = 20_000
#: The reader stops while so many rows wait for a retry, are held back, or are deferred.
_MOST_RETRYING = 20_000
_MOST_DEFERRED = 1_000_000


class Intake:
    """Takes the rows of `batches` into `queue`, or records that they are not sent.

    `resumed` is what earlier runs have left. Rows are marked `fewest_marked` at a time at least;
    with None they were marked before they came.
    """

    def __init__(
        self,
        settings: ImportSettings,
        resumed: ResumeState,
        batches: Iterator[Batch],
        queue: RowQueue,
        writer: JournalWriter,
        statistics: Statistics,
        control: Control,
        clock: Clock,
        fewest_marked: int | None,
    ) -> None:
        #: How many rows were taken in; those settled earlier are left out.
        self.admitted = 0
        #: No more rows will come.
        self.is_over = False
        self._settings = settings
        self._resumed = resumed
        self._batches = batches
        self._queue = queue
        self._writer = writer
        self._statistics = statistics
        self._control = control
        self._clock = clock
        self._fewest_marked = fewest_marked
        self._started = clock.monotonic()
        self._held: Mapping[str, Collection[Rank]] = {}
        self._ranks: Mapping[int, Rank] = {}
        self._own = Rank(0, 0)
        self._left_to_send = math.inf if settings.job.limit is None else settings.job.limit
        self._room = Wakeup()
        self._waits = False

    @property
    def has_reached_limit(self) -> bool:
        """Whether as many rows were taken in as `--limit` allows."""
        return self._left_to_send <= 0

    def hold_back(
        self, held: Mapping[str, Collection[Rank]], ranks: Mapping[int, Rank], job: int
    ) -> None:
        """Hold rows back of which requests of other jobs may still take effect; see `Run`.

        `held` are the ranks of those jobs' rows by conversation, and `ranks` those of rows that the
        job of number `job` does not bring first.
        """
        self._held, self._ranks, self._own = held, ranks, Rank(job, job)

    def room_may_be(self) -> None:
        """Something has changed: go on reading if there is room again, or stop."""
        if self._waits and (self._has_room() or self._control.end is not None):
            self._room.notify()

    async def record_unsent(self) -> None:
        """Record the rows that would not be sent, and leave all others pending."""
        self._left_to_send = math.inf  # nothing is
        while (batch := await self._next()) is not None:
            self._take_in(batch)
            await self._writer.write()

    async def work(self) -> None:
        """Take rows in until there are no more, or the run is stopped. Raises `JournalError`."""
        rows: list[Feedback] = []
        try:
            while self._control.end is None and not self.has_reached_limit:
                batch = await self._next()
                if batch is None:
                    break
                rows += self._take_in(batch)
                # An empty batch: nothing comes at the moment, so no window is waited for.
                is_all = not batch or self._fewest_marked is None
                await self._admit_windows(rows, also_last=is_all)
            await self._admit_windows(rows, also_last=True)
        except InputError as error:
            self._control.stop(RunEnd.INPUT_FAILED, str(error))
        finally:
            self.is_over = True

    async def _admit_windows(self, rows: list[Feedback], *, also_last: bool) -> None:
        """Admit rows window by window, each when there is room; the last may not be full."""
        while self._control.end is None and (
            len(rows) >= (window := self._window()) or (rows and also_last)
        ):
            await self._admit(rows[:window])
            del rows[:window]
            while not self._has_room() and self._control.end is None:
                self._waits = True
                await self._room.wait()
                self._waits = False

    async def _next(self) -> Batch | None:
        return await anyio.to_thread.run_sync(next, self._batches, None)

    def _take_in(self, batch: Batch) -> list[Feedback]:
        """Record the rows of a batch that are not sent, and return the others."""
        rows = [item for item in batch if isinstance(item, Feedback)]
        if len(rows) >= self._left_to_send:
            rows = rows[: int(self._left_to_send)]
            batch = batch[: batch.index(rows[-1]) + 1] if rows else ()
        self._left_to_send -= len(rows)
        for item in batch if len(batch) > len(rows) else ():
            if isinstance(item, Outcome):
                self.admitted += 1
                self._writer.settle_unsent(item)
                if item.kind is OutcomeKind.REJECTED:
                    self._statistics.met(f"rejected: {item.reason}", item.detail)
        return rows

    async def _admit(self, rows: Sequence[Feedback]) -> None:
        """Mark the rows as in doubt, then queue them."""
        if self._fewest_marked is not None:
            await self._writer.mark(rows)
        self.admitted += len(rows)
        resumed = self._resumed
        if resumed.deferrals or resumed.not_completed or self._held:
            rows = [feedback for feedback in rows if not self._has_past(feedback)]
        self._queue.add(rows)
        self._control.changed.notify()

    def _has_past(self, feedback: Feedback) -> bool:
        """Queue a row of which something is known; return whether it is one."""
        deferral = self._resumed.deferrals.pop(feedback.seq, None)
        if deferral is not None:
            longest = self._settings.deferral.max
            self._queue.restore(feedback, restored(deferral, self._clock, longest))
        elif self._held and self._has_to_wait(feedback):
            late_effect = self._settings.timeouts.late_effect
            self._queue.hold(feedback, self._started + late_effect)
        elif feedback.conversation_id in self._resumed.not_completed:
            # Cheaper than to try, where it was not completed the last time.
            self._queue.add_to_ask(feedback)
        else:
            return False
        return True

    def _has_to_wait(self, feedback: Feedback) -> bool:
        own = self._ranks.get(feedback.seq, self._own)
        return any(rank != own for rank in self._held.get(feedback.conversation_id, ()))

    def _window(self) -> int:
        """Return how many rows are marked together: about those of the next seconds."""
        if self._fewest_marked is None:
            return _MOST_MARKED
        elapsed = max(1.0, self._clock.monotonic() - self._started)
        expected = _WINDOW_SECONDS * self._writer.counts.total() / elapsed
        return int(min(max(expected, self._fewest_marked), _MOST_MARKED))

    def _has_room(self) -> bool:
        count = self._queue.count
        return (
            count(RowState.READY) < self._window()
            and count(RowState.RETRYING) < _MOST_RETRYING
            and count(RowState.DEFERRED) + count(RowState.HELD) < _MOST_DEFERRED
            and self._writer.has_room
        )
