"""One run of a job while it lasts: a reader and a pool of workers around the queue of rows.

All the state here can be lost at any moment; what lasts is the journal. The decisions are made
elsewhere: which row is next by `row_queue`, whether a request may start by `pacing`, what becomes
of a row by `next_step`. This module awaits, and carries the answers between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import anyio
import anyio.to_thread

from importer.clarityq.rotating_client import RotatingClient
from importer.engine.alarm import Alarm
from importer.engine.answers import Answers
from importer.engine.at_work import JobAtWork
from importer.engine.canary import canary_for
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.intake import FEWEST_MARKED
from importer.engine.job_run import JobRun
from importer.engine.progress import Observer, ProgressReporter
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.engine.row_queue import QueuedRow, RowState
from importer.errors import one_error
from importer.jobs.rate_budget import budget_for
from importer.pacing import CircuitBreaker, Finder, Pacer
from importer.settings import ImportSettings

#: Waits below this, in seconds, have to be exact.
_SHORT = 0.02
#: Seconds in which nothing but failures came until the service counts as unavailable.
_PATIENCE = 5.0


class Run(JobRun):
    """Reads, sends and records in this process, until all is settled or `control` stops it.

    The `finder` finds the pace; by default from what this run sees alone. With `is_marked`, the
    rows were marked in the journal before they came here.
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
        finder: Finder | None = None,
        *,
        is_marked: bool = False,
    ) -> None:
        fewest_marked = None if is_marked else FEWEST_MARKED
        super().__init__(settings, job, resumed, batches, control, clock, fewest_marked)
        self._client = client
        self._pacer = Pacer(
            self._started,
            concurrency=settings.pacing.concurrency,
            rate=settings.pacing.rate,
            budget=budget_for(settings),
            breaker=CircuitBreaker(
                self._started, patience=min(_PATIENCE, settings.abort_rules.outage_for)
            ),
            finder=finder,
        )
        self._canary = canary_for(settings, resumed.totals)
        self._reporter: ProgressReporter = ProgressReporter(
            self._queue, self._pacer, self._writer, self._statistics, resumed.totals, observers,
            clock, settings.deferral.deadline,
        )  # fmt: skip
        self._answers = Answers(
            settings, resumed.totals, self._queue, self._pacer, self._canary, self._writer,
            self._reporter, control, clock, stored=resumed.stored, is_handed_rows=is_marked,
        )  # fmt: skip
        self._turnstile = anyio.Lock()
        self._alarm: Alarm | None = None

    def allow_until(self, until: float) -> None:
        """Start no request from then on, in seconds of the run's clock; it may be told anew."""
        self._pacer.allow_until(until)
        self.control.changed.notify()

    def share(
        self, rate: float | None, concurrency: int, hold: float, *, lifts_pause: bool
    ) -> None:
        """Go from now on by these limits of one run, which others have their shares of.

        `rate` is in requests per second; None leaves it as it is. Others were asked for a pause
        that lasts for another `hold` seconds; or, with `lifts_pause`, they have seen that a pause
        asked for in this run means nothing.
        """
        self._pacer.share(rate, concurrency)
        self._pacer.hold(self._clock.monotonic(), hold, lifts=lifts_pause)
        self.control.changed.notify()

    def asked_pause(self) -> float:
        """Return the seconds that a pause still lasts which was asked for in this run itself."""
        return self._pacer.asked_for(self._clock.monotonic())

    async def work(self) -> None:
        """See `JobRun`."""
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
                    self._answers.run_ended()
                    self._alarm.close()
                    writing.cancel_scope.cancel()
                    try:
                        self._report(last=True)
                    finally:  # whatever an observer raises
                        await self._writer.write()

    def _send_nothing_before(self, time: float) -> None:
        self._pacer.hold_back(time)

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
                verdict = await self._client.status(
                    row.feedback.conversation_id, shows_key=self._answers.is_question(row)
                )
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

    def _take(self) -> QueuedRow | None:
        now = self._clock.monotonic()
        if self.control.end is not None or not self._has_slot():
            return None
        if not self._queue.has_ready(now, self._answers.asked_alone):
            self._intake.room_may_be()
            return None
        # The pacer last: a place in the rate of a group that it gives and nobody takes is lost.
        if self._pacer.wait(now) > 0:
            return None
        row = self._queue.next_ready(now)
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
        only = self._answers.asked_alone
        if self._queue.has_ready(now, only):
            return self._pacer.wait(now)
        due = self._queue.next_due(only)
        return math.inf if due is None else due - now

    def _written(self) -> None:
        """Tell how it goes."""
        self._answers.stop_if_hopeless()
        # Whoever waits at the turnstile may do so for a slot that a smaller window has taken.
        self.control.changed.notify()
        self._intake.room_may_be()
        self._report()

    def _report(self, *, last: bool = False) -> None:
        self._reporter.report(all_read=self._intake.is_over, last=last)
