"""What has come of jobs that another one has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from importer.common.text import counted, is_or_are
from importer.errors import JournalError
from importer.jobs.folders import base_name
from importer.jobs.inputs import undone_job
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_head import read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import InputFile, JobRecord, JobState
from importer.model import OutcomeKind


def closed_by(jobs: Sequence[JobRecord], folder: Path) -> list[JobRecord]:
    """Return those of `jobs` that the one in `folder` has replaced, or given up.

    With those that they had, the latest first. A journal that cannot be read tells of none.
    """
    known = {job.id: job for job in jobs}
    found: dict[Path, JobRecord] = {}
    folders = [folder]
    for each in folders:
        ends: Mapping[str, JobState] = {}
        with suppress(JournalError):
            ends = read_head(each).ends
        for name in ends:
            job = known.get(name)
            if job is not None and job.folder is not None and job.folder not in found:
                found[job.folder] = job
                folders.append(job.folder)
    return [*found.values()]


def successors_of(jobs: Sequence[JobRecord], job: JobRecord) -> Iterator[Path]:
    """Yield the folder of the one of `jobs` that has replaced that one, of its successor, and on.

    A journal that cannot be read is passed over.
    """
    ended = {job.id}
    for later in sorted(jobs, key=lambda one: one.number):
        if later.number <= job.number or later.folder is None:
            continue
        with suppress(JournalError):
            ends = read_head(later.folder).ends
            if any(ends.get(one) is JobState.REPLACED for one in ended):
                ended.add(later.id)
                yield later.folder


def end_in_words(job: JobRecord, name: str, inputs: Sequence[InputFile]) -> str:
    """Return what becomes of an unfinished job when another begins; its state is the one then.

    The other has these `inputs`, and that `name` but for its number. Raises `JournalError`.
    """
    unfinished = f"the unfinished job {job.name}"
    is_given_up = job.state is JobState.GIVEN_UP
    if job.sent_anything and is_given_up:
        return f"{unfinished} is given up: {_own_rows_in_words(job, name, inputs)}"
    if job.sent_anything:
        return f"{unfinished} is replaced: the rows that it has not done join this one"
    became = "given up"
    if not is_given_up:
        became = "replaced: the rows that it had taken over from earlier jobs join this one"
    own = _own_rows_in_words(job, name, inputs)
    and_own = f"{': ' if is_given_up else ', and '}{own}" if own else ""
    return f"{unfinished} had sent nothing, and is {became}{and_own}"


def _own_rows_in_words(job: JobRecord, name: str, inputs: Sequence[InputFile]) -> str:
    """Return what becomes of the rows without an outcome that a job has not taken over.

    Empty if it had sent nothing and has none.
    """
    number, its_inputs = 0, list[InputFile]()
    if job.folder is not None:
        with JournalReader(job.folder) as journal:
            number, its_inputs = own_pending(journal), journal.inputs()
    if not number:
        return "none of its own rows is pending" if job.sent_anything else ""
    rows = counted(number, "row")
    if is_begun_anew(job.name, its_inputs, name, inputs):
        return f"of its own {rows} those are sent that this one brings again"
    if (undone := undone_job(file.path for file in its_inputs)) is not None:
        return (
            f"{counted(number, 'conversation')} of {undone} {is_or_are(number)} not taken back, "
            "unless its own command is given again"
        )
    return f"its own {rows} {is_or_are(number)} not sent, unless its own command is given again"


def before_the_next(*, has_sent: bool) -> str:
    """Return until when the command of a job with `--carry-over` is to be given again.

    The next one takes its rows over; of one that has sent nothing they would count as newer than
    those of the next (docs/reference.md, A4).
    """
    takes = " with --carry-over begins, which takes over what is pending"
    return f" before the next import{takes if has_sent else ' begins'}"


def own_pending(journal: JournalFile) -> int:
    """Return how many rows without an outcome a job has, but for those that it has taken over."""
    carried = journal.carried_count()
    done = sum(1 for _ in journal.outcomes(last=carried)) if carried else 0
    return journal.totals().outcomes[OutcomeKind.PENDING] - (carried - done)


def is_begun_anew(
    name: str, inputs: Sequence[InputFile], by: str, its_inputs: Sequence[InputFile]
) -> bool:
    """Return whether the job `by` is the job `name`, which had sent nothing, begun anew.

    It is of the same command, whatever its inputs hold by now, or has the same inputs. An undo is
    begun anew by one of the same job: those of other jobs may hold the same.
    """
    if (undone := undone_job(file.path for file in inputs)) is not None:
        return undone == undone_job(file.path for file in its_inputs)
    return has_same_content(inputs, its_inputs) or base_name(name) == by


def has_same_content(inputs: Sequence[InputFile], others: Sequence[InputFile]) -> bool:
    """Return whether two jobs have read the same; False if that is not known."""
    digests = [file.digest for file in inputs]
    return all(digests) and digests == [file.digest for file in others]
