"""Which jobs a product has and where each stands: decided from what journals and ledger say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from importer.errors import SettingsError
from importer.jobs.journal_head import Head
from importer.jobs.ledger import LedgerJob
from importer.jobs.records import JobRecord, JobState


class Census(NamedTuple):
    """The jobs of a product."""

    #: By number, from 1 on: each number is there.
    jobs: list[JobRecord]
    #: The number at or below which nothing is sure (docs/reference.md, A15).
    floor: int
    #: The highest number of a run, or of one that a missing job may have had.
    last_run: int


def take_census(heads: Sequence[Head], known: Sequence[LedgerJob], floor: int) -> Census:
    """Return the jobs of a product, by the journals that are there and what the ledger knows.

    A job that is not there raises the floor, unless all of its journal was taken in. Raises
    `SettingsError` if two journals say that they are the same job.
    """
    _check_unique(heads)
    here = {head.number: head for head in heads}
    indexed = {job.number: job for job in known}
    last_run = max((one.last_run for ones in (heads, known) for one in ones), default=0)
    numbers = range(1, max((*here, *indexed), default=0) + 1)
    gone = [number for number in numbers if number not in here]
    missing = [number for number in gone if not _is_known(indexed.get(number))]
    if any(_is_news(indexed.get(number)) for number in missing):
        # It may have made a run that nobody knows of: no run is sure to be later but the next one.
        last_run += 1
    floor = max((floor, *missing))
    closed = _closed(heads, known)
    jobs = []
    for number in numbers:
        if number in here:
            jobs.append(_of_journal(here[number], indexed.get(number), closed, floor))
        else:
            jobs.append(_of_ledger(number, indexed.get(number), last_run))
    return Census(jobs, floor, last_run)


def _check_unique(heads: Sequence[Head]) -> None:
    for attribute in ("id", "number"):
        folders: dict[object, Head] = {}
        for head in heads:
            other = folders.setdefault(getattr(head, attribute), head)
            if other is not head:
                raise SettingsError(
                    f"{other.folder} and {head.folder} are the same job, or both are number "
                    f"{head.number} of this product: move the copy out of the jobs folder"
                )


def _is_known(job: LedgerJob | None) -> bool:
    return job is not None and job.complete


def _is_news(job: LedgerJob | None) -> bool:
    return job is None or job.state is not JobState.MISSING


def _closed(heads: Iterable[Head], known: Iterable[LedgerJob]) -> Mapping[str, JobState]:
    """Return the jobs that are not resumed because a person or a later job ended them, by id."""
    closed = {job.id: job.state for job in known if job.id and job.state.is_closed}
    closed |= {
        job.id: JobState.GIVEN_UP for job in known if job.id and job.state is JobState.MISSING
    }
    for head in heads:
        closed.update(head.ends)
        if head.given_up:
            closed[head.id] = JobState.GIVEN_UP
    return closed


def _of_journal(
    head: Head, known: LedgerJob | None, closed: Mapping[str, JobState], floor: int
) -> JobRecord:
    if head.finished:
        state = JobState.ENDED
    elif head.id in closed:
        state = closed[head.id]
    else:
        # A removed job counts as given up, and so do those before it: they cannot be resumed.
        state = JobState.GIVEN_UP if head.number < floor else JobState.UNFINISHED
    return JobRecord(
        head.number, head.id, head.folder.name, head.folder, state, head.sent_anything,
        max(head.last_run, known.last_run if known is not None else 0), head.entries,
        head.has_doubts, head.keeps_bodies, head.holds_carried, head.began_at,
    )  # fmt: skip


def _of_ledger(number: int, known: LedgerJob | None, last_run: int) -> JobRecord:
    if known is None:
        return JobRecord(number, "", "", None, JobState.MISSING, last_run=last_run)
    if known.complete:
        state, run = JobState.PRUNED, known.last_run
    else:
        state = JobState.MISSING
        run = known.last_run if known.state is JobState.MISSING else last_run
    return JobRecord(
        number, known.id or "", known.folder or "", None, state, last_run=run, entries=known.entries
    )
