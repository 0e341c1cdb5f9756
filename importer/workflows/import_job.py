"""The one flow: the job is found or begun, its rows are sent and recorded, until nothing is left.

A new job is surveyed and compared with the earlier ones of its product before it begins, so which
rows are sent is known before the first request. Then a run of it reads and sends until it is done
or stopped, and the journal is turned into what a person needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.to_thread

from importer.clarityq.api_key import ApiKey
from importer.common.durations import format_duration
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.progress import Observer
from importer.engine.reader import read_rows
from importer.errors import (
    InputError,
    JobHeldError,
    StoppedError,
    one_error,
)
from importer.jobs.commands import Again
from importer.jobs.job import Job
from importer.jobs.product import Product, hold_product
from importer.model import OutcomeKind, RunEnd, exit_code
from importer.reporting.summary import Summary
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.base import RowSource
from importer.sources.copies.partial_copy import CopyWatch
from importer.survey.progress import SurveyProgress, SurveyStoppedError
from importer.survey.survey_pass import current_inputs
from importer.workflows.begin_job import Watch, begin_job
from importer.workflows.begin_run import begin_run
from importer.workflows.conclude import conclude
from importer.workflows.open_inputs import (
    copies_to_go_on_with,
    drop_copies,
    open_inputs,
    open_inputs_of,
    remove_needless_copies,
)
from importer.workflows.rewrite_summary import tell_taken_up
from importer.workflows.scale import crew_at_hand, run_opened
from importer.workflows.status import status_served

if TYPE_CHECKING:
    from importer.distributed.crew import Crew

#: Seconds between two tries to get hold of a product that another run holds.
_LOCK_INTERVAL = 0.5
#: A row that ended so is not read again.
_NOT_LEFT_OVER = (
    OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED, OutcomeKind.SUPERSEDED, OutcomeKind.SKIPPED
)  # fmt: skip


async def run_import_job(
    settings: ImportSettings,
    key: ApiKey,
    *,
    control: Control | None = None,
    observers: Sequence[Observer] = (),
    again: Again | None = None,
    clock: Clock | None = None,
) -> Summary:
    """Import the inputs of `settings`, or resume the job that an earlier run began.

    Returns the job's summary, also when the run was stopped or aborted: its `end` tells. Raises
    an `ImporterError` when the run could not start, or the journal could not be written. `again`
    are the commands that the summary names; without it, those that mean the same as `settings`.
    """
    control, clock, again = control or Control(), clock or Clock(), again or Again.of(settings)
    if any(key.redact(word) != word for word in again.key_source):  # they are kept in the journal
        again = again._replace(key_source=())
    with one_error(), ExitStack() as stack:
        async with anyio.create_task_group() as timing:
            timing.start_soon(_end_in_time, settings.job.max_duration, control)
            async with (
                AsyncExitStack() as running,
                status_served(settings, control, clock, observers) as all_observers,
            ):
                # What is wrong with local files is said before the product is held.
                sources = await anyio.to_thread.run_sync(_open_local, stack, settings)
                crew = await running.enter_async_context(crew_at_hand(settings, control))
                product = await _hold(stack, settings, control, again.key_source)
                importing = _Importing(
                    settings, key, crew, sources, control, all_observers,
                    again, clock,
                )  # fmt: skip
                summary = await importing.work_on(product)
            timing.cancel_scope.cancel()
    return summary


async def _end_in_time(longest: float | None, control: Control) -> None:
    """Stop the run when its time box has ended."""
    if longest is not None:
        await anyio.sleep(longest)
        control.stop(RunEnd.TIME_BOX, f"the time box of {format_duration(longest)} has ended")


def _open_local(stack: ExitStack, settings: ImportSettings) -> Sequence[RowSource]:
    """Open the inputs, which on a slow disk takes long; none if some have to be copied first."""
    sources = [] if settings.reading.is_copied else open_inputs(settings)
    for source in sources:
        stack.callback(source.close)
    return sources


async def _hold(
    stack: ExitStack, settings: ImportSettings, control: Control, key_source: Sequence[str]
) -> Product:
    """Hold the product; wait for another run to let go of it for as long as the user has said."""
    until = anyio.current_time() + settings.job.wait_for_lock
    while True:
        try:
            held = hold_product(settings, key_source)
            return await anyio.to_thread.run_sync(stack.enter_context, held)
        except JobHeldError:
            if anyio.current_time() >= until:
                raise
        await anyio.sleep(_LOCK_INTERVAL)
        if control.end is not None:
            raise StoppedError(exit_code(control.end, {}))


class _Importing:
    """One run of a job, from where the product is held."""

    def __init__(
        self,
        settings: ImportSettings,
        key: ApiKey,
        crew: Crew | None,
        sources: Sequence[RowSource],
        control: Control,
        observers: Sequence[Observer],
        again: Again,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._key = key
        key.told = self._notice
        self._crew = crew
        self._sources = sources
        self._control = control
        self._observers = observers
        self._again = again
        self._clock = clock
        #: The inputs in whose place an older copy is gone on with, and when that was taken.
        self._not_read: list[tuple[SourceAddress, str]] = []

    async def work_on(self, product: Product) -> Summary:
        """Resume the job that the settings mean, or begin it, and make one run of it."""
        job, excess = await anyio.to_thread.run_sync(self._find_or_begin, product)
        try:
            return await self._run(product, job, excess)
        finally:
            job.close()

    def _find_or_begin(self, product: Product) -> tuple[Job, str | None]:
        """Return the job, and why nothing of it is to be sent, None if it may be."""
        for remark in product.remarks:
            self._notice(remark)
        told = len(product.remarks)
        try:
            job = self._resumable(product)
            return self._begin(product) if job is None else (job, None)
        except StoppedError:
            raise  # the folder stays, as after a kill: `jobs` and the next run tell of it
        except Exception:
            product.leave_nothing()
            raise
        finally:
            for remark in product.remarks[told:]:
                self._notice(remark)

    def _begin(self, product: Product) -> tuple[Job, str | None]:
        watch = Watch(self._is_to_stop, self._tell)
        try:
            return begin_job(product, self._settings, self._sources, watch)
        except InputError:
            drop_copies(self._sources)  # the same command is to read what is there then
            raise
        except SurveyStoppedError as stopped:
            raise _stopped(stopped, self._control.end or RunEnd.SIGINT) from None

    def _resumable(self, product: Product) -> Job | None:
        """Return the job to go on with, if there is one; the inputs are open then in any case."""
        if self._settings.reading.is_copied:
            goes_on = copies_to_go_on_with(product, self._settings) is not None
            self._sources = open_inputs_of(
                product, self._settings,
                CopyWatch(
                    self._check_stop, self._notice,
                    lambda place, at: self._not_read.append((place, at)),
                ),
            )  # fmt: skip
            if not goes_on:
                return None
        return product.resumable(current_inputs(self._sources))

    def _check_stop(self) -> None:
        """Raise `StoppedError` if the run is to stop while inputs are copied."""
        if self._is_to_stop():
            raise StoppedError(
                exit_code(self._control.end or RunEnd.SIGINT, {}),
                "stopped while an input was copied: nothing was sent",
            )

    def _is_to_stop(self) -> bool:
        """Return whether the survey is to stop; raises if whoever waits for it is cancelled."""
        anyio.from_thread.check_cancelled()
        return self._control.end is not None

    def _notice(self, message: str) -> None:
        for observer in self._observers:
            anyio.from_thread.run_sync(observer.noticed, message)

    def _tell(self, progress: SurveyProgress) -> None:
        for observer in self._observers:
            anyio.from_thread.run_sync(observer.surveying, progress)

    async def _run(self, product: Product, job: Job, excess: str | None) -> Summary:
        settings, clock = self._settings, self._clock
        begun = await anyio.to_thread.run_sync(
            begin_run, job, product, settings, self._again, self._sources, clock.wall()
        )
        resumed = begun.resumed
        for observer in self._observers:
            observer.started(job.folder, settings, resumed.totals.settled)
        batches = read_rows(begun.inputs, resumed.settled, begun.not_sent)
        opened = run_opened(
            self._crew, settings, self._key, job, resumed, batches, self._control, self._observers,
            clock,
        )  # fmt: skip
        async with opened as run:
            try:
                if excess is not None:
                    self._control.stop(RunEnd.DATA_LIMIT, excess)
                    await run.record_unsent()
                else:
                    if not settings.target.sandbox:  # an embedded sandbox ends with its run
                        run.hold_back(begun.held, begun.ranks, all_rows=job.waits_for_unknown)
                    await run.work()
            finally:
                batches.close()
        read = [each.source for each in begun.inputs]
        summary, problems = await anyio.to_thread.run_sync(
            conclude, settings, self._again, job, read, resumed, run, clock, product.jobs,
            self._not_read,
        )  # fmt: skip
        for problem in problems:
            for observer in self._observers:
                observer.noticed(problem)
        await anyio.to_thread.run_sync(tell_taken_up, product.jobs, summary)
        for source in self._sources:
            source.close()
        left = summary.rows - sum(summary.outcomes[kind] for kind in _NOT_LEFT_OVER)
        remove_needless_copies(job.folder, settings, is_done=left == 0)
        return summary


def _stopped(stopped: SurveyStoppedError, end: RunEnd) -> StoppedError:
    """Return what is raised for a survey that was told to stop."""
    message = f"{stopped}: nothing was sent"
    left = stopped.progress.seconds_left
    if end is RunEnd.TIME_BOX and left is not None and left >= 1:
        message += (
            f". The survey alone needs about {format_duration(left)} more: give --max-duration more"
        )
    return StoppedError(exit_code(end, {}), message)
