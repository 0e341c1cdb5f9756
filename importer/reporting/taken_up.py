"""What has become of a job since: which others have taken up what it left over, or took it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted
from importer.errors import JournalError
from importer.jobs.folders import job_folders
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import JobRecord
from importer.reporting.endings import Step
from importer.reporting.left_overs import LEFT_OVER_NAMES

_MOST_ROWS = 1_000_000


class TakenUp(NamedTuple):
    """A file of a job's folder, by its name, the job that reads it, and how far that has come."""

    file: str
    job: str
    #: Of the file.
    rows: int
    #: Those with which the job is done for good.
    done: int

    def __str__(self) -> str:
        if self.file == UNDO_NAME:
            many = f"{self.done:,} of {counted(self.rows, 'conversation')}"
            return f"It was taken back by {self.job} since: {many}."
        many = f"{self.done:,} of {counted(self.rows, 'row')}"
        return f"{self.file} was imported by {self.job} since: {many}."


def taken_up(folder: Path) -> Iterator[TakenUp]:
    """Yield the files in the folder of a job that others of its product have taken up beside it.

    One of which no row is done is left out: what is to be done with it is as before. Raises
    `JournalError` if the job's own journal cannot be read.
    """
    with JournalReader(folder) as own:
        product = ProductKey.of(own.facts())
    for other in job_folders(folder.parent):
        with suppress(JournalError), JournalReader(other) as journal:
            files = [file for file in journal.inputs() if _is_of(folder, file.path)]
            for file in files if files and ProductKey.of(journal.facts()) == product else ():
                done = journal.without_trouble(file.first_seq, file.first_seq + file.rows - 1)
                if done:
                    yield TakenUp(Path(file.path).name, other.name, file.rows, done)


def still_to_do(folder: Path, steps: Sequence[Step], taken: Sequence[TakenUp]) -> list[Step]:
    """Return those of the steps of the job in `folder` that are about nothing which is taken up."""
    gone = [f"{folder.name}/{one.file}" for one in taken]
    return [step for step in steps if not any(name in str(step) for name in gone)]


def jobs_behind(jobs: Sequence[JobRecord], inputs: Sequence[str]) -> Iterator[JobRecord]:
    """Yield those of the jobs of which an input, by its path, is taken up, unless they are large.

    To write summary and report of a job once more, its journal is read: seconds for millions.
    """
    for job in jobs:
        if job.folder is not None and any(_is_of(job.folder, path) for path in inputs):
            with JournalReader(job.folder) as journal:
                rows = sum(file.rows for file in journal.inputs())
            if rows <= _MOST_ROWS:
                yield job


def _is_of(folder: Path, path: str) -> bool:
    file = Path(path)
    return file.parent == folder.absolute() and file.name in (*LEFT_OVER_NAMES, UNDO_NAME)
