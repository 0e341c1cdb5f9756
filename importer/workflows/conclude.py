"""How a run is concluded: its accounts, what a person needs, and its end in the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from yarl import URL

from importer.clarityq.proxy import names_proxy
from importer.common.text import counted, listed, sentence, was_or_were
from importer.engine.clock import Clock
from importer.engine.job_run import JobRun
from importer.engine.resume import ResumeState
from importer.errors import AccountingError, ImporterError, InputError
from importer.jobs.commands import FROM_A_COPY, Again, to_see_which
from importer.jobs.ends import closed_by
from importer.jobs.inputs import undone_job
from importer.jobs.job import Job
from importer.jobs.records import JobRecord, Totals
from importer.jobs.surveys import unread_before
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.endings import look_first, or_give_up
from importer.reporting.journal_steps import circumstances, steps_to_clear
from importer.reporting.left_overs import write_left_over_files
from importer.reporting.next_steps import next_steps, to_read_again
from importer.reporting.report import write_report
from importer.reporting.rows_to_do import Rest
from importer.reporting.steps import Step, StepKind, still_to_do
from importer.reporting.summary import Measured, Summary, summarise
from importer.reporting.taken_up import steps_of_earlier, taken_up
from importer.settings import ImportSettings
from importer.settings.places import FrameAddress, SourceAddress
from importer.sources.base import RowSource
from importer.survey.findings import Findings


def conclude(
    settings: ImportSettings,
    again: Again,
    job: Job,
    sources: Sequence[RowSource],
    resumed: ResumeState,
    run: JobRun,
    clock: Clock,
    jobs: Sequence[JobRecord],
    not_read: Sequence[tuple[SourceAddress, str]] = (),
) -> tuple[Summary, list[str]]:
    """Check the accounts, write what a person needs, and close the run in the journal.

    `jobs` are all of the product, and `not_read` the inputs in whose place this one went on with a
    copy, with the time of that in words.
    Returns the summary, and which files could not be made: that does not change how a run ends.
    """
    stands = job.journal.totals()
    # To count means to read the whole journal, and few runs try rows again.
    totals = job.journal.totals(to_do=True) if job.journal.again().count else stands
    _check_accounts(totals, resumed.totals.settled, run)
    end, message = _how_it_ended(run, totals)
    files: list[Path] = []
    problems: list[str] = []
    overtaken = Counter[tuple[OutcomeKind, Reason]]()
    more: list[Step] = []
    try:
        files, problems, overtaken = write_left_over_files(
            job.folder, job.journal, stands.outcomes, sources
        )
    except InputError as error:
        more = [
            Step(
                f"The rows that were not imported are in no file: {sentence(str(error))} "
                f"{FROM_A_COPY} To see which they are:",
                to_see_which(job.folder),
            )
        ]
    now = clock.wall()
    doubts = [(row.feedback.seq, row.feedback.conversation_id) for row in run.in_doubt()]
    pending = stands.outcomes[OutcomeKind.PENDING]
    # To look for what was begun means to read all attempts, and most runs leave nothing.
    begun = job.journal.begun(seq for seq, _ in doubts) if pending else 0
    rest = Rest(Counter(totals.outcomes), Counter(totals.reasons), overtaken)
    steps = next_steps(
        end, rest, job.folder, files, again, circumstances(job.journal, rest),
        carries_over=settings.ledger.carry_over,
        has_sent=bool(begun or stands.puts),
    )  # fmt: skip
    if end is RunEnd.FINISHED:
        steps += to_read_again(Findings.of_json(job.journal.survey()), again)
    # A job that runs for the first time has left nothing over before.
    taken = list(taken_up(job.folder)) if files and job.journal.run_count() > 1 else []
    steps = still_to_do(steps, taken)
    closed = closed_by(jobs, job.folder)
    unread = unread_before(jobs, job.folder, closed)
    earlier = steps_of_earlier(closed, unread, again.key_source)
    # The job itself comes first while it is not finished: what is imported for others would end it.
    steps = [*earlier, *steps] if end is RunEnd.FINISHED else [*steps, *earlier]
    steps += or_give_up(end, stands.outcomes, stands.reasons, pending - begun, job.folder)
    if undone_job(map(str, settings.reading.inputs)) is None:  # which has the target of its job
        steps = [*look_first(end, totals.outcomes, totals.reasons), *steps]
    if end is RunEnd.FINISHED:
        more += steps_to_clear(job.journal, again.resume)
        if not settings.retry:  # which is not meant for what is there now
            more += _to_read_anew(job.folder, not_read, again)
    target = settings.target
    is_direct = not (target.trust_env or target.sandbox)
    if end is RunEnd.SERVICE_DOWN and is_direct and names_proxy(URL(target.base_url)):
        more.append(Step("The environment names a proxy, which is not used without --trust-env."))
    summary = summarise(
        job.journal, stands, end, message, files, now, [*steps, *more],
        Measured(run.limit, run.service_rate, run.latencies, run.workers),
        not_begun=pending - begun, since=" ".join(map(str, taken)),
    )  # fmt: skip
    summary.write()
    try:
        write_report(summary)
    except ImporterError as error:
        problems.append(str(error))
    except Exception as error:  # noqa: BLE001 -- the job is done, whatever is wrong with its report
        problems.append(
            f"the report could not be made ({type(error).__name__}). This is a defect of the "
            "importer; please report it. Nothing else is missing"
        )
    job.journal.end_run(now, end, message, doubts)
    return summary, problems


def _how_it_ended(run: JobRun, totals: Totals) -> tuple[RunEnd, str]:
    """Return how a run has ended that leaves a job so, and why, in words."""
    end, pending = run.control.end or RunEnd.FINISHED, totals.outcomes[OutcomeKind.PENDING]
    if end is RunEnd.FINISHED and pending:
        return RunEnd.LIMIT, "the conversations of --limit are done"
    if end is RunEnd.TIME_BOX and not pending:
        return RunEnd.FINISHED, ""
    return end, run.control.message


def _to_read_anew(
    folder: Path, not_read: Sequence[tuple[SourceAddress, str]], again: Again
) -> list[Step]:
    """Return how those inputs are imported of which only an older copy was: now by a new job."""
    if not not_read:
        return []
    names = listed([place.label for place, _ in not_read])
    were, is_about = was_or_were(len(not_read)), (StepKind.READ_ANEW, folder.name)
    why = f"{names} {were} not read: this run went on with the copy of {not_read[0][1]}."
    if any(isinstance(place, FrameAddress) for place, _ in not_read):
        told = f"The {why} To import what was passed, give the same call again."
        return [Step(told, "", *is_about)]
    return [Step(f"{why} To import what is there now:", again.same(), *is_about)]


def _check_accounts(totals: Totals, settled_before: int, run: JobRun) -> None:
    """Raise `AccountingError` unless every row that was read is accounted for.

    The journal's count, the run's own and the queue's are taken independently of each other.
    """
    pending = totals.outcomes[OutcomeKind.PENDING]
    finished = run.control.end is None and not run.has_reached_limit
    if (
        run.admitted != run.recorded + run.outstanding
        or totals.settled != settled_before + run.recorded
        or pending < run.outstanding
        or (finished and pending)
    ):
        raise AccountingError(
            f"the outcomes do not add up: {counted(totals.rows, 'row')}, {totals.settled} done, "
            f"{settled_before} of them before this run, {run.admitted} admitted, {run.recorded} "
            f"recorded, {run.outstanding} outstanding. This is a defect of the importer; please "
            "report it. The journal is kept"
        )
