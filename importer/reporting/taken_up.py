"""What has become of a job since: which others have taken up what it left over, or took it back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from importer.common.text import counted
from importer.errors import JournalError
from importer.jobs.folders import job_folders
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import UNDO_NAME, undone_job
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import JobRecord, job_number
from importer.model import Rank
from importer.reporting.endings import CARRIES_OVER, Step
from importer.reporting.left_overs import KIND_OF_FILE, LEFT_OVER_NAMES
from importer.reporting.summary import kept_since

_MOST_ROWS = 1_000_000
_CARRIED_OVER = "has taken over what could be tried again (--carry-over)"
#: With its command, or in words.
_Step = TypeVar("_Step", Step, str)


class TakenUp(NamedTuple):
    """What a job has left over and another has taken up, and how far that has come."""

    #: The name of the file that it is read from; empty if it was carried over.
    file: str
    job: str
    #: What was left over in it, as far as that is known; else what the file held.
    rows: int
    #: Those with which the other job is done for good.
    done: int
    #: It is read where it was written, with all its rows.
    is_whole: bool

    def __str__(self) -> str:
        if self.file == UNDO_NAME:
            many = f"{self.done:,} of {counted(self.rows, 'conversation')}"
            return f"It was taken back by {self.job} since: {many}."
        if not self.file:
            return f"{self.job} {_CARRIED_OVER}."
        many = f"{self.done:,} of {counted(self.rows, 'row')}"
        return f"{self.file} was imported by {self.job} since: {many}."


def taken_up(folder: Path) -> Iterator[TakenUp]:
    """Yield what others of its product, in folders beside it, have taken up of a job.

    A left-over file is known again by the ranks of its rows, wherever it was put. One of which no
    row is done is left out: what is to be done with it is as before. Raises `JournalError` if the
    job's own journal cannot be read.
    """
    with JournalReader(folder) as own:
        facts = own.facts()
    product, number = ProductKey.of(facts), job_number(facts["number"])
    takers: dict[int, str] = {}
    for other in job_folders(folder.parent):
        with suppress(JournalError), JournalReader(other) as journal:
            facts = journal.facts()
            if other == folder or ProductKey.of(facts) != product:
                continue
            files = journal.inputs()
            its_own = [file for file in files if _is_of(folder, file.path)]
            for file in its_own:
                name = Path(file.path).name
                done = journal.without_trouble(file.first_seq, file.first_seq + file.rows - 1)
                if done:
                    most = _left_over(folder, name) if name in KIND_OF_FILE else file.rows
                    is_whole = file.rows >= most
                    yield TakenUp(name, other.name, max(file.rows, most), done, is_whole)
            number_of_other = job_number(facts["number"])
            if files and not its_own and undone_job(file.path for file in files) is None:
                rows, done = journal.ranked_so(Rank(number, number_of_other))
                if done:
                    yield TakenUp(Path(files[0].path).name, other.name, rows, done, is_whole=False)
            if number_of_other > number and any(r.rank.first <= number for r in journal.carried()):
                takers[number_of_other] = other.name
    if takers and _has_left_overs(folder):
        yield TakenUp("", takers[min(takers)], 0, 0, is_whole=False)


def _left_over(folder: Path, name: str) -> int:
    with JournalReader(folder) as journal:
        return journal.totals().outcomes[KIND_OF_FILE[name]]


def _has_left_overs(folder: Path) -> bool:
    with JournalReader(folder) as journal:
        return journal.has_left_overs()


def still_to_do(folder: Path, steps: Sequence[_Step], taken: Sequence[TakenUp]) -> list[_Step]:
    """Return those of the steps of the job in `folder` that are about nothing which is taken up."""
    gone = [f"{folder.name}/{one.file}" for one in taken if one.is_whole]
    gone += [CARRIES_OVER for one in taken if not one.file]
    return [step for step in steps if not any(name in str(step) for name in gone)]


def jobs_behind(
    jobs: Sequence[JobRecord], inputs: Sequence[str], origins: Collection[int]
) -> Iterator[JobRecord]:
    """Yield those of the jobs of which an input is taken up, unless they are large.

    It is known by its path, or by the number of the job that had brought its rows first. To write
    summary and report of a job once more, its journal is read: seconds for millions.
    """
    for job in jobs:
        if job.folder is None:
            continue
        if job.number in origins or any(_is_of(job.folder, path) for path in inputs):
            with JournalReader(job.folder) as journal:
                rows = sum(file.rows for file in journal.inputs())
            if rows <= _MOST_ROWS:
                yield job


def is_told_as_carried_over(job: JobRecord) -> bool:
    """Return whether the summary of a job, whose folder is there, says so already."""
    assert job.folder is not None  # noqa: S101 -- its journal is there
    return _CARRIED_OVER in kept_since(job.folder)


def _is_of(folder: Path, path: str) -> bool:
    file = Path(path)
    return file.parent == folder.absolute() and file.name in (*LEFT_OVER_NAMES, UNDO_NAME)
