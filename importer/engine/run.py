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
from importer.engine.at_work import JobAtWork
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.intake import Intake
from importer.engine.journal_writer import JournalWriter
from importer.engine.progress import Observer, ProgressReporter
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.engine.row_queue import QueuedRow, RowQueue, RowState
from importer.errors import one_error
from importer.jobs.rate_budget import budget_for
from importer.model import Rank
from importer.pacing import CircuitBreaker, Limit, Pacer
from importer.settings import ImportSettings

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
        job: JobAtWork,
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
            self._queue, self._pacer, self._writer, resumed.totals, observers, clock,
            settings.deferral.deadline,
        )  # fmt: skip
        self._answers = Answers(
            settings, resumed.totals, self._queue, self._pacer, self._canary, self._writer,
            self._reporter, control, clock,
        )  # fmt: skip
        self._intake = Intake(
            settings, resumed, batches, self._queue, self._writer, self._reporter.statistics,
            control, clock,
        )  # fmt: skip
        self._turnstile = anyio.Lock()
        self._alarm: Alarm | None = None

    @property
    def admitted(self) -> int:
        """Return how many rows this run has taken in, those settled earlier left out."""
        return self._intake.admitted

    @property
    def recorded(self) -> int:
        """Return how many outcomes this run has recorded."""
        return self._writer.counts.total()

    @property
    def outstanding(self) -> int:
        """Return how many rows were taken in and are not done."""
        return len(self._queue)

    @property
    def begun(self) -> int:
        """Return for how many of these a request was made."""
        return self._queue.begun()

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
        return self._intake.has_reached_limit

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
        self._intake.hold_back(held, ranks, self._job.number)
        if all_rows:
            wait = self._settings.timeouts.late_effect
            self._pacer.hold_back(self._started + wait)
            self._reporter.notice(
                "a job is missing whose requests may still take effect: waiting "
                f"{format_duration(wait)}"
            )

    def allow_until(self, until: float) -> None:
        """Start no request from then on, in seconds of the run's clock; it may be told anew."""
        self._pacer.allow_until(until)
        self.control.changed.notify()

    def share(self, rate: float | None, concurrency: int) -> None:
        """Go from now on by these limits of one run, which others have their shares of.

        `rate` is in requests per second; None leaves it as it is.
        """
        self._pacer.share(rate, concurrency)
        self.control.changed.notify()

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
        await self._intake.record_unsent()

    async def _read(self) -> None:
        try:
            await self._intake.work()
        finally:
            self._answers.all_read()
            self.control.changed.notify()

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
        return self.control.end is not None or (self._intake.is_over and not len(self._queue))

    def _take(self) -> QueuedRow | None:
        now = self._clock.monotonic()
        if self.control.end is not None or not self._has_slot() or self._pacer.wait(now) > 0:
            return None
        row = self._queue.next_ready(now)
        if row is not None:
            self._pacer.start(now)
            self._canary.start()
        self._intake.room_may_be()
        return row

    def _has_slot(self) -> bool:
        in_flight = self._queue.count(RowState.IN_FLIGHT)
        return not self._canary.is_full and self._pacer.has_slot(in_flight)

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
        self._intake.room_may_be()
        self._report()

    def _report(self, *, last: bool = False) -> None:
        self._reporter.report(all_read=self._intake.is_over, last=last)
