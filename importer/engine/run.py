"""One run of a job while it lasts: a reader and a pool of workers around the queue of rows.

All the state here can be lost at any moment; what lasts is the journal. The decisions are made
elsewhere: which row is next by `row_queue`, whether a request may start by `pacing`, what becomes
of a row by `next_step`. This module awaits, and carries the answers between them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import anyio
import anyio.to_thread

from importer.clarityq.rotating_client import RotatingClient
from importer.common.durations import format_duration
from importer.engine.alarm import Alarm
from importer.engine.answers import Answers, canary_for
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.journal_writer import JournalWriter
from importer.engine.progress import Observer, ProgressReporter
from importer.engine.reader import Batch, Unsent
from importer.engine.resume import ResumeState, restored
from importer.engine.row_queue import QueuedRow, RowQueue, RowState
from importer.engine.wakeup import Wakeup
from importer.errors import InputError, one_error
from importer.jobs.job import Job
from importer.jobs.rate_budget import budget_for
from importer.model import Feedback, OutcomeKind, Rank, RunEnd
from importer.pacing import CircuitBreaker, Limit, Pacer
from importer.settings import ImportSettings

#: Rows that may be sent next are marked as such together: those of so many seconds, within bounds.
_WINDOW_SECONDS = 2.0
_FEWEST_MARKED = 500
_MOST_MARKED = 20_000
#: The reader stops while so many rows wait for a retry, are held back, or are deferred.
_MOST_RETRYING = 20_000
_MOST_DEFERRED = 1_000_000
#: Waits below this, in seconds, have to be exact.
_SHORT = 0.02
#: Seconds in which nothing but failures came until the service counts as unavailable.
_PATIENCE = 5.0


class Run:
    """Reads, sends and records until everything is settled, or until `control` stops it.

    `batches` are the rows that are not done (`reader.read_rows`), and `resumed` is what earlier
    runs have left.
    """

    def __init__(
        self,
        settings: ImportSettings,
        job: Job,
        resumed: ResumeState,
        batches: Iterator[Batch],
        client: RotatingClient,
        control: Control,
        observers: Sequence[Observer],
        clock: Clock,
    ) -> None:
        self.control = control
        self._settings = settings
        self._job = job
        self._client = client
        self._clock = clock
        self._started = clock.monotonic()

        self._queue = RowQueue()
        self._pacer = Pacer(
            self._started,
            concurrency=settings.pacing.concurrency,
            rate=settings.pacing.rate,
            budget=budget_for(settings),
            breaker=CircuitBreaker(
                self._started, patience=min(_PATIENCE, settings.abort_rules.outage_for)
            ),
        )
        self._canary = canary_for(settings, resumed.totals)
        self._writer = JournalWriter(job.journal, self._written, job.body_of, clock.wall)
        self._reporter = ProgressReporter(
            self._queue, self._pacer, self._writer, resumed.totals, observers, clock
        )
        self._answers = Answers(
            settings, resumed.totals, self._queue, self._pacer, self._canary, self._writer,
            self._reporter, control, clock,
        )  # fmt: skip
        self._resumed = resumed
        self._batches = batches
        self._held: Mapping[str, Collection[Rank]] = {}
        self._ranks: Mapping[int, Rank] = {}
        self._admitted = 0
        self._left_to_send = math.inf if settings.job.limit is None else settings.job.limit
        self._all_read = False
        self._room = Wakeup()
        self._reader_waits = False
        self._turnstile = anyio.Lock()
        self._alarm: Alarm | None = None

    @property
    def admitted(self) -> int:
        """Return how many rows this run has taken in, those settled earlier left out."""
        return self._admitted

    @property
    def recorded(self) -> int:
        """Return how many outcomes this run has recorded."""
        return self._writer.counts.total()

    @property
    def outstanding(self) -> int:
        """Return how many rows were taken in and are not done."""
        return len(self._queue)

    @property
    def limit(self) -> Limit:
        """Return what kept the run from being faster, most of its time."""
        return self._reporter.limit

    @property
    def service_rate(self) -> float | None:
        """Return the service's limit as it was found, in requests per second; None without one."""
        return self._pacer.service_rate

    @property
    def latencies(self) -> Sequence[int]:
        """Return how many answers fell into each of `common.histogram.BUCKETS`."""
        return self._reporter.statistics.all_answers

    @property
    def has_reached_limit(self) -> bool:
        """Whether as many rows were taken in as `--limit` allows."""
        return self._left_to_send <= 0

    def in_doubt(self) -> Iterator[QueuedRow]:
        """Yield the rows that are not done and may have taken effect, when the run is over."""
        return self._queue.in_doubt()

    def hold_back(
        self, held: Mapping[str, Collection[Rank]], ranks: Mapping[int, Rank], *, all_rows: bool
    ) -> None:
        """Send rows only when requests of other jobs can take no effect on them any more.

        That is when this run has lasted for `--late-effect` (docs/reference.md, A10). `held` has
        the ranks of those jobs' rows by conversation: a row of the same rank has the same feedback
        and need not wait. `ranks` are those of rows that an earlier job has brought. With
        `all_rows`, nothing is known of a job that is missing, and every row waits (A15).
        """
        self._held, self._ranks = held, ranks
        if all_rows:
            wait = self._settings.timeouts.late_effect
            self._pacer.hold_back(self._started + wait)
            self._reporter.notice(
                "a job is missing whose requests may still take effect: waiting "
                f"{format_duration(wait)}"
            )

    async def work(self) -> None:
        """Read and send until everything is settled, or until the run is stopped."""
        self.control.allow_grace(self._settings.timeouts.grace)
        self._alarm = Alarm(self.control.changed.notify)
        with one_error():
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._writer.write_forever)
                writing.start_soon(self._note_that_it_lasted)
                try:
                    with self.control.scope:
                        async with anyio.create_task_group() as workers:
                            workers.start_soon(self._read)
                            for _ in range(self._settings.pacing.concurrency):
                                workers.start_soon(self._send)
                finally:
                    self._alarm.close()
                    writing.cancel_scope.cancel()
                    self._report(last=True)
                    await self._writer.write()

    async def _note_that_it_lasted(self) -> None:
        """Note, once the run has lasted for `--late-effect`, that no run before it matters."""
        await anyio.sleep(self._settings.timeouts.late_effect)
        await self._writer.call(self._job.lasted)

    async def record_unsent(self) -> None:
        """Record the rows that would not be sent, and leave all others pending."""
        while batch := await anyio.to_thread.run_sync(next, self._batches, None):
            self._take_in(batch)
            await self._writer.write()

    async def _read(self) -> None:
        """Pull rows from the inputs while there is room for them, and queue them by windows."""
        rows: list[Feedback] = []
        try:
            while self.control.end is None and not self.has_reached_limit:
                batch = await anyio.to_thread.run_sync(next, self._batches, None)
                if batch is None:
                    break
                rows += self._take_in(batch)
                if len(rows) >= self._window():
                    await self._admit(rows)
                while not self._has_room() and self.control.end is None:
                    self._reader_waits = True
                    await self._room.wait()
                    self._reader_waits = False
            if self.control.end is None:
                await self._admit(rows)
        except InputError as error:
            self.control.stop(RunEnd.INPUT_FAILED, str(error))
        finally:
            self._all_read = True
            self._answers.all_read()
            self.control.changed.notify()

    def _take_in(self, batch: Batch) -> list[Feedback]:
        """Record the rows of a batch that are not sent, and return the others."""
        rows = []
        for item in batch:
            if self.has_reached_limit:
                break
            if isinstance(item, Feedback):
                rows.append(item)
                self._left_to_send -= 1
                continue
            self._admitted += 1
            if isinstance(item, Unsent):
                self._writer.settle_unsent(item.outcome, item.feedback)
            else:
                self._writer.settle_unsent(item)
                if item.kind is OutcomeKind.REJECTED:
                    self._reporter.statistics.met(f"rejected: {item.reason}", item.detail)
        return rows

    async def _admit(self, rows: list[Feedback]) -> None:
        """Mark the rows as in doubt, then queue them."""
        if rows:
            await self._writer.mark(rows)
        self._admitted += len(rows)
        for feedback in rows:
            deferral = self._resumed.deferrals.pop(feedback.seq, None)
            if deferral is not None:
                longest = self._settings.deferral.max
                self._queue.restore(feedback, restored(deferral, self._clock, longest))
            elif self._held and self._has_to_wait(feedback):
                late_effect = self._settings.timeouts.late_effect
                self._queue.hold(feedback, self._started + late_effect)
            else:
                # Cheaper than to try, where it was not completed the last time.
                ask_status = feedback.conversation_id in self._resumed.not_completed
                self._queue.add(feedback, ask_status=ask_status)
        rows.clear()
        self.control.changed.notify()

    def _has_to_wait(self, feedback: Feedback) -> bool:
        ranks = self._held.get(feedback.conversation_id)
        if not ranks:
            return False
        own = self._ranks.get(feedback.seq, Rank(self._job.number, self._job.number))
        return any(rank != own for rank in ranks)

    def _window(self) -> int:
        """Return how many rows are marked together: about those of the next seconds."""
        elapsed = max(1.0, self._clock.monotonic() - self._started)
        expected = _WINDOW_SECONDS * self._writer.counts.total() / elapsed
        return int(min(max(expected, _FEWEST_MARKED), _MOST_MARKED))

    async def _send(self) -> None:
        """Be a worker: take the next row, send it, act on the answer."""
        while (row := await self._next()) is not None:
            if row.ask_status:
                verdict = await self._client.status(row.feedback.conversation_id)
            else:
                verdict = await self._client.put(row.feedback)
            self._answers.answered(row, verdict)

    async def _next(self) -> QueuedRow | None:
        """Return the next row to send, when it may be sent; None at the end of the run.

        A worker that comes from a request takes the place of that request if it can. Otherwise one
        worker waits at the turnstile for all of them, and the others queue up behind it.
        """
        if (row := self._take()) is not None:
            return row
        async with self._turnstile:
            while not self._is_over():
                if (row := self._take()) is not None:
                    return row
                await self._wait(self._seconds_to_wait())
        return None

    async def _wait(self, seconds: float) -> None:
        """Return when something has changed, or after `seconds`."""
        if self._alarm is not None and 0 < seconds < _SHORT and self._pacer.is_capped:
            # A service that allows no burst refuses the second of two that come in a millisecond.
            self._alarm.set(seconds)
            seconds = _SHORT
        await self.control.changed.wait(seconds)

    def _is_over(self) -> bool:
        return self.control.end is not None or (self._all_read and not len(self._queue))

    def _take(self) -> QueuedRow | None:
        now = self._clock.monotonic()
        if self.control.end is not None or not self._has_slot() or self._pacer.wait(now) > 0:
            return None
        row = self._queue.next_ready(now)
        if row is not None:
            self._pacer.start(now)
            self._canary.start()
        if self._reader_waits and self._has_room():
            self._room.notify()
        return row

    def _has_slot(self) -> bool:
        in_flight = self._queue.count(RowState.IN_FLIGHT)
        return not self._canary.is_full and self._pacer.has_slot(in_flight)

    def _has_room(self) -> bool:
        count = self._queue.count
        return (
            count(RowState.READY) < self._window()
            and count(RowState.RETRYING) < _MOST_RETRYING
            and count(RowState.DEFERRED) + count(RowState.HELD) < _MOST_DEFERRED
            and self._writer.has_room
        )

    def _seconds_to_wait(self) -> float:
        if not self._has_slot():
            return math.inf  # whoever frees one takes it, or says that there are more
        now = self._clock.monotonic()
        if (pause := self._pacer.wait(now)) > 0:
            return pause
        due = self._queue.next_due()
        return math.inf if due is None else max(0.0, due - now)

    def _written(self) -> None:
        """The journal has been written: tell how it goes."""
        self._answers.stop_if_hopeless()
        # Whoever waits at the turnstile may do so for a slot that a smaller window has taken.
        self.control.changed.notify()
        self._room.notify()
        self._report()

    def _report(self, *, last: bool = False) -> None:
        self._reporter.report(all_read=self._all_read, last=last)
