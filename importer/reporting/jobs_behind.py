"""Of which other jobs summary and report are written once more, as one has taken up what they left.

What they say then: `importer.reporting.taken_up`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from importer.errors import JournalError
from importer.jobs.ends import is_begun_anew
from importer.jobs.folders import base_name
from importer.jobs.inputs import UNDO_NAME, undone_job
from importer.jobs.journal_reader import JournalReader
from importer.jobs.not_restored import is_set_by
from importer.jobs.read_again import Beside
from importer.jobs.records import InputFile, JobRecord, JobState
from importer.model import OutcomeKind
from importer.reporting.done_by_others import is_left_over_of
from importer.reporting.kept_summary import kept_since, kept_topics
from importer.reporting.left_overs import FILE_OF_KIND, SUMMARY_NAME
from importer.reporting.steps import StepKind, TakenUp, Topic, file_of_job
from importer.reporting.taken_back import brought_back_by
from importer.reporting.taken_up import HAS_CARRIED_OVER, taken_up

_MOST_ROWS = 1_000_000
#: What steps are about that only another undo or import makes needless, of the summary of an undo.
_OF_UNDO = (StepKind.CLEAR, StepKind.BRING_BACK)
#: What the name of an undo begins with, as that of its input does.
_UNDO = f"{Path(UNDO_NAME).stem}-"


def jobs_behind(
    jobs: Sequence[JobRecord], inputs: Sequence[str], origins: Collection[int]
) -> Iterator[JobRecord]:
    """Yield those of the jobs of which an input is taken up, unless they are large.

    It is known by its path, or by the number of the job that had brought its rows first; of an undo
    also by whose rows it was to send after all. To write summary and report of a job once more, its
    journal is read: seconds for millions.
    """
    origins = {*origins, *_sent_after_all(jobs, inputs)}
    for job in jobs:
        if job.folder is None:
            continue
        if job.number in origins or any(is_left_over_of(job.folder, path) for path in inputs):
            with JournalReader(job.folder) as journal:
                rows = sum(file.rows for file in journal.inputs())
            if rows <= _MOST_ROWS:
                yield job


def with_rows_of(jobs: Sequence[JobRecord], origins: Collection[int]) -> set[int]:
    """Return the numbers of those of the jobs that have rows of `origins`, as these first had them.

    They are these themselves, and those that have read what these left over.
    """
    found = {*origins}
    for job in jobs if origins else ():
        if job.folder is not None:
            with suppress(JournalError), JournalReader(job.folder) as journal:
                found |= {job.number} if journal.origins() & found else set()
    return found


def jobs_begun_anew(
    jobs: Sequence[JobRecord], folder: Path, inputs: Sequence[InputFile]
) -> Iterator[JobRecord]:
    """Yield those of the jobs whose summary has steps that the one in `folder` makes needless.

    It has these `inputs`, and begins anew what they have never sent, or brings back what they have
    cleared.
    """
    name = base_name(folder.name)
    for job in jobs:
        if job.folder is None or job.folder == folder:
            continue
        # Summaries are read of those alone that may hold such a step.
        is_unsent = not job.sent_anything or job.state is JobState.GIVEN_UP
        if not (is_unsent or job.name.startswith(_UNDO)):
            continue
        told = kept_topics(job.folder)
        # One that was killed before its run has no summary: that of the job which closed it tells.
        rejected = file_of_job(job.folder / FILE_OF_KIND[OutcomeKind.REJECTED])
        is_told = (
            (StepKind.BEGIN, job.name) in told
            or (StepKind.LEFT_OVERS, rejected) in told
            or not (job.folder / SUMMARY_NAME).exists()
        )
        if is_told or any(kind in _OF_UNDO for kind, _ in told):
            with JournalReader(job.folder) as journal:
                its_inputs, facts = journal.inputs(), journal.facts()
            if is_begun_anew(job.name, its_inputs, name, inputs) or any(
                brought_back_by(job.folder, facts, inputs, _names(told))
            ):
                yield job


def telling_of_not_restored(jobs: Sequence[JobRecord], folder: Path) -> Iterator[JobRecord]:
    """Yield the undos that did not restore a conversation which the one in `folder` has set.

    What is to be done about these conversations is to be told anew. Where an undo had nothing to
    send, the job that is taken back tells it. Unless they are large.
    """
    for job in jobs:
        if job.folder is None or job.folder == folder:
            continue
        tells = {True: job.name.startswith(_UNDO)}
        tells[False] = (StepKind.CLEAR, job.name) in kept_topics(job.folder)
        with suppress(JournalError):
            if any(
                is_set_by(job.folder, folder, _MOST_ROWS, of_undo=of_undo)
                for of_undo, it_tells in tells.items()
                if it_tells
            ):
                yield job


def telling_of_unread(
    jobs: Sequence[JobRecord], begun: Collection[str]
) -> Iterator[tuple[JobRecord, str]]:
    """Yield those of the jobs with a step about one of those `begun`, and the name of that one.

    It was not begun then.
    """
    for job in jobs:
        told = kept_topics(job.folder) if job.folder is not None else ()
        for name in begun:
            if name != job.name and (StepKind.BEGIN, name) in told:
                yield job, name


def closers_of(
    behind: Sequence[JobRecord], jobs: Sequence[JobRecord], beside: Sequence[Beside]
) -> Iterator[tuple[JobRecord, list[JobRecord]]]:
    """Yield the jobs that have closed some of those `behind`, with these, unless they are large.

    Their summaries name what is to be done about them as well, and so do those of the jobs that
    have closed these. `beside` are all jobs there.
    """
    closers = {closed: other for other in beside for closed in other.head.ends}
    found: dict[Path, list[JobRecord]] = {}
    for job in behind:
        closer = closers.get(job.id)
        while closer is not None:
            if sum(file.rows for file in closer.inputs) <= _MOST_ROWS:
                found.setdefault(closer.head.folder, []).append(job)
            closer = closers.get(closer.head.id)
    for one in jobs:
        if one.folder in found:
            yield one, found[one.folder]


def read_anew(jobs: Sequence[JobRecord], by: str) -> tuple[JobRecord, list[TakenUp]] | None:
    """Return the job whose inputs the one named `by` has read anew, with what became of it.

    None if no step of the one before it with the same inputs is about that any more.
    """
    names = [job.name for job in jobs]
    alike = (job for job in jobs[: names.index(by)] if base_name(job.name) == base_name(by))
    job = next(reversed([*alike]), None)
    if (
        job is None
        or job.folder is None
        or (topic := (StepKind.READ_ANEW, job.name)) not in kept_topics(job.folder)
    ):
        return None
    return job, [*taken_up(job.folder), TakenUp(f"{by} has read its inputs anew.", {topic})]


def _names(told: Collection[Topic]) -> list[str]:
    """Return which jobs are to be imported again."""
    return [about for kind, about in told if kind is StepKind.BRING_BACK]


def _sent_after_all(jobs: Sequence[JobRecord], inputs: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the jobs whose rows an undo with these inputs was to send after all."""
    undone = undone_job(inputs)
    for job in jobs:
        if job.folder is not None and job.name == undone:
            with JournalReader(job.folder) as journal:
                yield from (by for _, _, by in journal.after_all())


def is_told_as_carried_over(job: JobRecord) -> bool:
    """Return whether the summary of a job, whose folder is there, says so already."""
    assert job.folder is not None  # noqa: S101 -- its journal is there
    return HAS_CARRIED_OVER in kept_since(job.folder)
