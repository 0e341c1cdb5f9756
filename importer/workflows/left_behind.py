"""What a job leaves behind that ends without its own command: it was replaced, or given up.

A run that was killed has written none of a job's files, and one that ended early has not come to
all rows (docs/reference.md, F1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from importer.common.text import counted, is_or_are, listed, sentence
from importer.engine.reader import read_rows
from importer.errors import ImporterError, InputError, JournalError
from importer.jobs.commands import to_see_which
from importer.jobs.copies import file_of
from importer.jobs.entry import Entry
from importer.jobs.inputs import UNDO_NAME, undone_job
from importer.jobs.journal import Journal
from importer.jobs.journal_reader import JournalReader
from importer.jobs.overtaken import Awaited, awaited_of
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import CARRIED_OVER, JobRecord, Totals
from importer.model import Outcome, OutcomeKind
from importer.reporting.jobs_behind import jobs_behind
from importer.reporting.left_overs import (
    FILE_OF_KIND,
    LEFT_OVER_NAMES,
    WRITE_AGAIN,
    write_left_over_files,
)
from importer.reporting.rows_to_do import joined_no_other, unread_rejected
from importer.reporting.steps import TakenUp
from importer.reporting.taken_up import taken_up
from importer.reporting.wording import unread_in_words, words
from importer.sources.base import RowSource
from importer.sources.copies.carriers import open_recorded
from importer.survey.findings import Findings
from importer.survey.progress import SurveyStoppedError, until_stopped
from importer.workflows.open_inputs import carried_source, settings_to_read, surveyed
from importer.workflows.rewrite_summary import LeftBehind, rewrite_summary


def leave_files(
    product: ProductJobs,
    job: JobRecord,
    *,
    for_good: bool = False,
    is_wrong: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> LeftBehind | None:
    """Write the left-over files of a job that is about to be replaced or given up.

    `job` is as it stands then; a person ends it `for_good`. Of one that `is_wrong`,
    as it is taken back, no row is to be imported. Returns None if it has never run.
    Whatever goes wrong is a remark: what ends the job goes on, unless it is `stopped` while the
    inputs are read; then `SurveyStoppedError` is raised.
    """
    assert job.folder is not None  # noqa: S101 -- its journal is there
    try:
        with closing(Journal(job.folder)) as journal:
            left = _left_by(product, job, journal, stopped, for_good=for_good)
            if left is not None and is_wrong:
                totals = journal.totals()
                return left._replace(remarks=_told(job, totals, left.files, "", is_wrong=True))
            return left
    except SurveyStoppedError:
        raise
    except Exception as error:  # noqa: BLE001 -- see above
        text = (
            str(error) if isinstance(error, ImporterError) else f"{type(error).__name__}: {error}"
        )
        why = text.removesuffix(f". {WRITE_AGAIN}")
        return LeftBehind([], [f"the files of the job {job.name} could not be made: {why}"])


def close_summary(
    job: JobRecord, left: LeftBehind | None, taken: Sequence[TakenUp] | None = None
) -> list[str]:
    """Let summary and report of a job that was replaced or given up say so; see `rewrite_summary`.

    Returns what a person should know of it. Nothing is raised.
    """
    remarks = [] if left is None else list(left.remarks)
    try:
        rewrite_summary(job, taken=taken, left=left)
    except Exception as error:  # noqa: BLE001 -- see above
        remarks.append(f"the report of the job {job.name} could not be made: {error}")
    return remarks


def tell_undone(product: ProductJobs, folder: Path) -> None:
    """Let summary and report of the job that the one in `folder` takes back, if any, say so.

    That one has begun, or was replaced or given up. Nothing is raised.
    """
    with suppress(JournalError):
        with JournalReader(folder) as journal:
            undone = undone_job(file.path for file in journal.inputs())
        jobs = [job for job in product.jobs if job.folder is not None and job.name == undone]
        for job in jobs_behind(jobs, [str(folder.parent.absolute() / str(undone) / UNDO_NAME)], ()):
            close_summary(job, None, [*taken_up(folder.parent / job.name)])


def _left_by(
    product: ProductJobs,
    job: JobRecord,
    journal: Journal,
    stopped: Callable[[], bool],
    *,
    for_good: bool,
) -> LeftBehind | None:
    if journal.last_run() is None:
        return None
    before, problem, unread = journal.totals(), "", 0
    if job.sent_anything and unread_rejected(journal, before):  # else it is begun anew as a whole
        problem = _read_on(product, journal, stopped)
        unread = unread_rejected(journal, journal.totals())
    folder, totals = journal.folder, journal.totals()
    pending = totals.outcomes[OutcomeKind.PENDING]
    begun = journal.begun(doubt.seq for doubt in journal.doubts()) if pending else 0
    kinds = [kind for kind in FILE_OF_KIND if totals.outcomes[kind]]
    awaited = awaited_of(job)
    files, remarks = _written(journal, kinds), list[str]()
    is_as_now = (
        files is not None
        and totals == before
        and (
            awaited is Awaited.ALL
            or all(journal.overtaken(kind) == journal.overtaken(kind, awaited) for kind in kinds)
        )
    )
    # That there are such rows is known also if their file cannot be made.
    for kind in {*([] if is_as_now else kinds), *([OutcomeKind.REJECTED] if unread else [])}:
        if journal.written(FILE_OF_KIND[kind]) is None:
            journal.note_written(FILE_OF_KIND[kind], "")
    if not is_as_now:
        try:
            with ExitStack() as stack:
                sources = _opened(stack, product, journal) if kinds else []
                files, remarks, _ = write_left_over_files(
                    folder, journal, totals.outcomes, sources, job
                )
        except InputError as error:
            problem = str(error)
            if files is not None:
                remarks = [f"the files of {job.name} stay as its latest run wrote them: {problem}"]
            else:
                for kind in kinds:  # what may be there is of an earlier run
                    journal.note_written(FILE_OF_KIND[kind], "")
    files = files or []
    if job.sent_anything or for_good:  # else the same command begins it anew
        remarks = [*remarks, *_told(job, totals, files, problem)]
    if unread:
        remarks.append(f"{problem}: {unread_in_words(job.name, unread)}")
    return LeftBehind(files, remarks, pending - begun)


def _read_on(product: ProductJobs, journal: Journal, stopped: Callable[[], bool]) -> str:
    """Record the rejected rows to which no run of a job has come, as far as they can be read.

    Returns why they cannot all be read; empty if they can. Raises `SurveyStoppedError`; what was
    recorded by then stays.
    """
    files, findings = journal.inputs(), Findings.of_json(journal.survey())
    last = journal.last_run()
    assert last is not None  # noqa: S101 -- the job has sent something
    at = last.ended_at or last.started_at  # not now: when the job was at work last stays as it was
    try:
        with ExitStack() as stack:
            sources = _opened(stack, product, journal)[-len(files) :]
            settings = settings_to_read(sources[0].path, journal.latest_settings())
            inputs = surveyed(sources, settings, files, findings)
            for batch in until_stopped(read_rows(inputs, journal.with_outcome()), stopped):
                ended = (item for item in batch if isinstance(item, Outcome))
                rejected = [one for one in ended if one.kind is OutcomeKind.REJECTED]
                if rejected:
                    journal.write(Entry(rejected, at=at))
    except InputError as error:
        return str(error)
    return ""


def _written(journal: Journal, kinds: Sequence[OutcomeKind]) -> list[Path] | None:
    """Return the files of these kinds; None if the latest run of the job has not written them."""
    last = journal.last_run()
    names = {FILE_OF_KIND[kind] for kind in kinds}
    if last is None or last.ended_at is None or not names.issubset(journal.written_files()):
        return None
    return [journal.folder / name for name in LEFT_OVER_NAMES if name in names]


def _opened(stack: ExitStack, product: ProductJobs, journal: Journal) -> list[RowSource]:
    """Open what the rows of a job are read from, as its latest run did. Raises `InputError`."""
    folder, record = journal.folder, journal.latest_settings()
    sources: list[RowSource] = []
    if journal.places()[0][0] == CARRIED_OVER:
        sources.append(carried_source(folder, product))
    for position, file in enumerate(journal.inputs()):
        path = file_of(folder, position, file)
        source = open_recorded(path, file.path, settings_to_read(path, record))
        stack.callback(source.close)
        sources.append(source)
    return sources


def _told(
    job: JobRecord,
    totals: Totals,
    files: Sequence[Path],
    problem: str,
    *,
    is_wrong: bool = False,
) -> list[str]:
    """Return how many rows of the job no other has, and in which files they are.

    Of one that `is_wrong` nothing is to be done about them.
    """
    assert job.folder is not None  # noqa: S101 -- its journal is there
    rows = joined_no_other(job.state, totals.outcomes, totals.reasons)
    if not rows:
        return []
    where = {kind: path for kind, name in FILE_OF_KIND.items()
             if (path := job.folder / name) in files}  # fmt: skip
    groups = [
        f"{number:,} {words(kind)}{f' ({where[kind]})' if kind in where else ''}"
        for kind, number in rows.items()
    ]
    number = sum(rows.values())
    why = "joined no other job"
    if is_wrong:
        why = f"{is_or_are(number)} not to be fixed, as the job is taken back"
    told = f"{counted(number, 'row')} of {job.name} {why}: {listed(groups)}"
    if problem and not files:
        told += (
            f". They are in no file: {sentence(problem)} To see which they are: "
            f"{to_see_which(job.folder)}"
        )
    return [told]
