"""The one flow: rows are read, sent in the right order, and recorded, until nothing is left.

The inputs are opened and checked, the job is found or begun, a run of it reads and sends until
it is done or stopped, and the journal is turned into what a person needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import anyio
import anyio.to_thread

from importer.clarityq.api_key import ApiKey
from importer.clarityq.rotating_client import RotatingClient
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.progress import Observer
from importer.engine.reader import Input
from importer.engine.resume import ResumeState
from importer.engine.run import Run
from importer.errors import AccountingError, InputError, JobHeldError, StoppedError
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.jobs.identity import fingerprint
from importer.jobs.open_job import Job, open_job
from importer.jobs.records import InputFile, Totals
from importer.model import OutcomeKind, RunEnd, exit_code
from importer.reporting.left_overs import write_left_over_files
from importer.reporting.report import write_report
from importer.reporting.summary import Summary, summarise
from importer.settings import ImportSettings, LongComments
from importer.sources.base import RowSource
from importer.sources.registry import open_carried_over, open_source

#: Seconds between two tries to get hold of a job that another run holds.
_LOCK_INTERVAL = 0.5


async def run_import_job(
    settings: ImportSettings,
    key: ApiKey,
    *,
    control: Control | None = None,
    observers: Sequence[Observer] = (),
    clock: Clock | None = None,
) -> Summary:
    """Import the inputs of `settings`, or resume the job that an earlier run began.

    Returns the job's summary, also when the run was stopped or aborted: its `end` tells. Raises
    an `ImporterError` when the run could not start, or the journal could not be written.
    """
    control, clock = control or Control(), clock or Clock()
    with ExitStack() as stack:
        sources = [open_source(path, settings) for path in settings.reading.inputs]
        for source in sources:
            stack.callback(source.close)
        inputs = await anyio.to_thread.run_sync(
            fingerprint, settings.reading.inputs, control.stopped
        )
        if control.end is not None:
            raise StoppedError(exit_code(control.end, {}))
        job = await _open_job(stack, settings, inputs, control)
        job.journal.begin_run(
            clock.wall(), clock.wall() + settings.timeouts.late_effect, settings.as_record()
        )
        normalise = Normaliser(
            settings.mapping.ratings,
            truncate_comments=settings.mapping.long_comments is LongComments.TRUNCATE,
        )
        read = [Input(source, normalise) for source in sources]
        if (carried := job.carried_over) is not None:
            source = open_carried_over(carried, settings)
            stack.callback(source.close)
            sources.insert(0, source)
            # Most of them wait for their conversation: to ask is cheaper than to try.
            read.insert(0, Input(source, Normaliser(RatingTable()), ask_status=True))
        resumed = await anyio.to_thread.run_sync(ResumeState.load, job.journal)
        for observer in observers:
            observer.started(job.folder, settings, resumed.totals.settled)
        async with RotatingClient(settings, key, wall=clock.wall) as client:
            run = Run(
                settings, job.journal, resumed, read, client, control, observers, clock, job.ledger
            )
            if not settings.target.sandbox:  # an embedded sandbox ends with its run
                run.wait_until_quiet(job.quiet_at)
            await run.work()
        return await anyio.to_thread.run_sync(_conclude, job, sources, resumed, run, clock)


async def _open_job(
    stack: ExitStack, settings: ImportSettings, inputs: Sequence[InputFile], control: Control
) -> Job:
    """Open the job, and wait for another run to let go of it for as long as the user has said."""
    until = anyio.current_time() + settings.job.wait_for_lock
    while True:
        try:
            return stack.enter_context(open_job(settings, inputs))
        except JobHeldError:
            if anyio.current_time() >= until:
                raise
        await anyio.sleep(_LOCK_INTERVAL)
        if control.end is not None:
            raise StoppedError(exit_code(control.end, {}))


def _conclude(
    job: Job, sources: Sequence[RowSource], resumed: ResumeState, run: Run, clock: Clock
) -> Summary:
    """Check the accounts, write what a person needs, and close the run in the journal."""
    _check_accounts(job.journal.totals(), resumed.totals.settled, run)
    end, message = run.control.end or RunEnd.FINISHED, run.control.message
    try:
        files = write_left_over_files(job.folder, job.journal, sources)
    except InputError as error:
        files, end, message = [], RunEnd.INPUT_FAILED, str(error)
    now = clock.wall()
    summary = summarise(
        job.folder, job.journal, end, message, files, now,
        limited_by=run.limit, service_rate=run.service_rate, latencies=run.latencies,
    )  # fmt: skip
    summary.write()
    write_report(summary)
    quiet_at = run.quiet_at()
    job.journal.end_run(now, end, message, quiet_at)
    if job.ledger is not None:
        job.ledger.ledger.end_run(quiet_at)
    return summary


def _check_accounts(totals: Totals, settled_before: int, run: Run) -> None:
    """Raise `AccountingError` unless every row that was read is accounted for.

    The journal's count, the run's own and the lanes' are taken independently of each other.
    """
    pending = totals.outcomes[OutcomeKind.PENDING]
    finished = run.control.end is None
    if (
        run.admitted != run.recorded + run.outstanding
        or totals.settled != settled_before + run.recorded
        or pending < run.outstanding
        or (finished and pending)
    ):
        raise AccountingError(
            f"the outcomes do not add up: {totals.rows} rows read, {totals.settled} done, "
            f"{settled_before} of them before this run, {run.admitted} admitted, {run.recorded} "
            f"recorded, {run.outstanding} outstanding. This is a defect of the importer; please "
            "report it. The journal is kept"
        )
