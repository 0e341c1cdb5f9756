"""A run that many processes work on: it reads, hands rows out, records what comes back.

A row that a worker has is in flight to the queue. What a lost worker leaves is given to the others
at once: every conversation has one row, so the same feedback at worst arrives twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import anyio

from importer.clarityq.api_key import ApiKey
from importer.distributed.budgets import SLOT_ROWS
from importer.distributed.crew import Crew
from importer.distributed.crew_keeper import CrewKeeper
from importer.distributed.dispatch import Dispatch
from importer.distributed.overview import Overview
from importer.engine.at_work import JobAtWork
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.job_run import JobRun
from importer.engine.progress import Observer
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.errors import one_error
from importer.model import WorkerFigures
from importer.settings import ImportSettings

#: Seconds between two writes to the journal.
_WRITE = 0.05


class Coordinator(JobRun):
    """Has the `crew` send the rows, until all is settled or `control` stops it."""

    def __init__(
        self,
        settings: ImportSettings,
        key: ApiKey,
        job: JobAtWork,
        resumed: ResumeState,
        batches: Iterator[Batch],
        crew: Crew,
        control: Control,
        observers: Sequence[Observer],
        clock: Clock,
    ) -> None:
        # What workers begin with must be at hand, or they wait for it.
        fewest_marked = SLOT_ROWS * settings.pacing.concurrency
        super().__init__(settings, job, resumed, batches, control, clock, fewest_marked)
        self._reporter: Overview = Overview(
            resumed.totals, self._queue, self._writer, self._statistics, observers, clock
        )
        self._dispatch = Dispatch(
            settings, resumed, self._queue, self._intake, self._writer, self._reporter, control,
            clock,
        )  # fmt: skip
        self._keeper = CrewKeeper(crew, key, self._dispatch, control, clock)

    @property
    def workers(self) -> Sequence[WorkerFigures]:
        """See `JobRun`."""
        return [seat.figures() for seat in self._keeper.seats]

    async def work(self) -> None:
        """See `JobRun`. When it returns, no worker starts a request for it any more."""
        self.control.allow_grace(self._settings.timeouts.grace)
        with one_error():
            async with anyio.create_task_group() as recording:
                recording.start_soon(self._record)
                recording.start_soon(self._note_that_it_lasted)
                try:
                    async with anyio.create_task_group() as working:
                        working.start_soon(self._intake.work)
                        await self._keeper.keep(working, recording, self._is_over)
                finally:
                    recording.cancel_scope.cancel()
                    await self._writer.write()
        await self._keeper.outlast_the_lost()
        self._report(last=True)
        await self._writer.write()

    def _send_nothing_before(self, time: float) -> None:
        self._dispatch.not_before = time

    async def _record(self) -> None:
        """Write what has come from the workers; only then it is acknowledged."""
        while True:
            await anyio.sleep(_WRITE)
            seats = list(self._keeper.seats)
            for seat in seats:
                seat.recording()
            await self._writer.write()
            for seat in seats:
                seat.recorded()
            self._intake.room_may_be()
            self._report()

    def _report(self, *, last: bool = False) -> None:
        self._reporter.report(
            self._keeper.seats, all_read=self._intake.is_over, last=last,
            waits_until=self._dispatch.not_before, service_rate=self._dispatch.service_rate,
        )  # fmt: skip
