"""What has become of left-over files since: which other jobs have taken them up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from importer.errors import JournalError
from importer.jobs.folders import job_folders
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import JobRecord
from importer.reporting.left_overs import LEFT_OVER_NAMES


class TakenUp(NamedTuple):
    """A left-over file, by its name, and the job of which it is an input."""

    file: str
    job: str

    def __str__(self) -> str:
        return f"{self.file} was imported by {self.job} since."


def taken_up(folder: Path) -> Iterator[TakenUp]:
    """Yield the left-over files of the job in `folder` that other jobs beside it have taken up."""
    for other in job_folders(folder.parent):
        with suppress(JournalError), JournalReader(other) as journal:
            for file in journal.inputs():
                if _is_of(folder, file.path):
                    yield TakenUp(Path(file.path).name, other.name)


def jobs_left_over(jobs: Sequence[JobRecord], inputs: Sequence[str]) -> Iterator[JobRecord]:
    """Yield those of the jobs of which an input, by its path, is a left-over file."""
    for job in jobs:
        if job.folder is not None and any(_is_of(job.folder, path) for path in inputs):
            yield job


def _is_of(folder: Path, path: str) -> bool:
    file = Path(path)
    return file.parent == folder.absolute() and file.name in LEFT_OVER_NAMES
