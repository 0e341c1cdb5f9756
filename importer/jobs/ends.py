"""What has come of jobs that another one has ended, or that were never begun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from importer.errors import JournalError
from importer.jobs.folders import unfinished_surveys
from importer.jobs.journal_head import read_head
from importer.jobs.records import JobRecord, JobState


def replaced_by(jobs: Sequence[JobRecord], folder: Path) -> list[JobRecord]:
    """Return those of `jobs` that the one in `folder` has replaced, and those that they had.

    The latest come first, up to one whose journal is not there or cannot be read.
    """
    known = {job.id: job for job in jobs}
    found: list[JobRecord] = []
    while True:
        try:
            head = read_head(folder)
        except JournalError:
            return found
        ends = (known.get(job) for job, state in head.ends.items()
                if state is JobState.REPLACED)  # fmt: skip
        job = next(filter(None, ends), None)
        if job is None or job.folder is None or job in found:
            return found
        found.append(job)
        folder = job.folder


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


def end_in_words(job: JobRecord) -> str:
    """Return what becomes of an unfinished job when another begins; its state is the one then."""
    had = "" if job.sent_anything else " had sent nothing, and"
    if job.state is JobState.GIVEN_UP:
        lost = ": its pending rows are not sent"
        if not job.sent_anything:
            lost = ": its own rows are not sent, unless its own command is given again"
        return f"the unfinished job {job.name}{had} is given up{lost}"
    rows = "it has not done" if job.sent_anything else "it had taken over from earlier jobs"
    return f"the unfinished job {job.name}{had} is replaced: the rows that {rows} join this one"


def stopped_surveys(jobs_dir: Path, since: float) -> Iterator[str]:
    """Yield what a person should know of jobs that were stopped before they had a journal.

    Only of those since then (Unix seconds): earlier ones were told before. They may be of other
    products: nobody knows yet.
    """
    for folder in unfinished_surveys(jobs_dir):
        with suppress(OSError):
            if folder.stat().st_mtime > since:
                yield (
                    f"{folder} was stopped before its inputs were read to the end: nothing of it "
                    "was sent, and no other job takes it over. Its own command begins it"
                )
