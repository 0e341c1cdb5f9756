"""The rows that a new job takes over from earlier ones (docs/reference.md, A4, A5).

And which of them wait again, since those that had taken them over do not send them (A17).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from importer.common.row_set import RowSet
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import key_of
from importer.jobs.ledger import LeftOver
from importer.jobs.records import CarriedRow, GivenUp, JobRecord, JobState
from importer.jobs.undo_rows import given_up_rows
from importer.model import Rank


def pending_rows(folder: Path, number: int) -> Iterator[LeftOver]:
    """Yield the rows of the job with that number that are to be sent still, by key.

    Its journal has their bodies (`keeps_bodies`). Raises `JournalError`.
    """
    with closing(JournalFile(folder, read_only=True)) as journal:
        ranked, not_sent = journal.ranked(), journal.not_sent().values()
        for key, seq, conversation_id, rating, comment, ask_status in journal.pending():
            if not any(seq in rows for rows in not_sent):
                rank = ranked.get(seq, Rank(number, number))
                row = CarriedRow(0, conversation_id, rank, rating, comment, ask_status)
                yield LeftOver(key, row)


def carried_rows(folder: Path) -> list[LeftOver]:
    """Return the rows that the job in `folder` has taken over itself, by key.

    All of them: what it has decided on them rests on rows of its own, too. Raises `JournalError`.
    """
    with closing(JournalFile(folder, read_only=True)) as journal:
        rows = [LeftOver(key_of(row.conversation_id), row) for row in journal.carried()]
    return sorted(rows, key=attrgetter("key"))


def displaced_rows(folder: Path) -> Iterator[LeftOver]:
    """Yield the rows that the job in `folder` has taken over and sends others of its own for.

    They come by key. Raises `JournalError`.
    """
    with closing(JournalFile(folder, read_only=True)) as journal:
        for row in journal.displaced():
            yield LeftOver(key_of(row.conversation_id), row)


def carried_given_up(journal: JournalFile, given_up: GivenUp) -> RowSet:
    """Return the rows that a job has taken over and was still to send, and that are `given_up`.

    Raises `JournalError`.
    """
    return RowSet(seq for seq, _ in _carried_given_up(journal, given_up))


def _carried_given_up(journal: JournalFile, given_up: GivenUp) -> Iterator[tuple[int, bytes]]:
    """Yield the same rows with the keys of their conversations."""
    if not given_up.jobs:
        return
    done, not_sent = journal.with_outcome(), [*journal.not_sent().values()]
    for row in journal.carried():
        key = key_of(row.conversation_id)
        if (
            given_up.has(row.rank.version, key)
            and row.seq not in done
            and not any(row.seq in rows for rows in not_sent)
        ):
            yield row.seq, key


def still_to_send(
    job: JobRecord, jobs: Sequence[JobRecord], given_up: Collection[int]
) -> set[bytes]:
    """Return the rows, by key, that `job` has brought and an unfinished one was still to send.

    `jobs` are all of the product, and of those of the numbers `given_up` nothing is tried again: of
    the `job` itself they are among them also then. Raises `JournalError`.
    """
    found, others = set[bytes](), {*given_up} - {job.number}
    with_it, without = (given_up_rows(jobs, gone) for gone in ({*others, job.number}, others))
    for one in jobs[job.number :]:
        if one.state is JobState.UNFINISHED and one.holds_carried and one.folder is not None:
            with closing(JournalFile(one.folder, read_only=True)) as journal:
                given_up_with, anyway = (
                    {key for _, key in _carried_given_up(journal, gone)}
                    for gone in (with_it, without)
                )
                found |= given_up_with - anyway
    return found


def joined(job: JobRecord, by: Path) -> set[bytes]:
    """Return which rows without an outcome joined the job in the folder `by`, by key.

    They are of `job`, which that has replaced. Raises `JournalError`.
    """
    assert job.folder is not None  # noqa: S101 -- its folder is there
    with JournalReader(by) as journal:
        taken = journal.carried_ranks()
    with JournalReader(job.folder) as journal:
        had = journal.carried_ranks()
        rows = {
            key: rank
            for key, rank in taken.items()
            if rank.version == job.number or had.get(key) == rank
        }
        done = {key for key, rank, _ in journal.settled_among(rows) if rank == rows[key]}
    return rows.keys() - done


def highest_rows(rows: Iterator[LeftOver]) -> Iterator[CarriedRow]:
    """Yield of each conversation the row that ranks highest, from number 1; `rows` come by key."""
    for seq, (_, same) in enumerate(groupby(rows, attrgetter("key")), 1):
        row: CarriedRow = max((each.row for each in same), key=attrgetter("rank"))
        yield row._replace(seq=seq)


def still_sends(job: JobRecord, given_up: Collection[int]) -> bool:
    """Return whether the job tries again what it had taken over.

    `given_up` are the numbers of the jobs of which nothing is that is left over.
    """
    return not job.state.is_closed and job.number not in given_up


def left_over_of(job: JobRecord) -> dict[bytes, Rank]:
    """Return which rows the job, whose folder is there, has left over: their ranks, by key.

    Of one that was closed those that it had brought itself: an earlier job has the others. Raises
    `JournalError`.
    """
    assert job.folder is not None  # noqa: S101 -- its folder is there
    with JournalReader(job.folder) as journal:
        rows = journal.left_over_ranks()
    if job.state is JobState.REPLACED and job.sent_anything:
        rows |= {one.key: one.row.rank for one in pending_rows(job.folder, job.number)}
    if not job.state.is_closed:
        return rows
    return {key: rank for key, rank in rows.items() if rank.version == job.number}


def taken_over_by(job: JobRecord) -> dict[bytes, Rank]:
    """Return which rows a job, whose folder is there, had taken over: their ranks, by key."""
    assert job.folder is not None  # noqa: S101 -- its folder is there
    with JournalReader(job.folder) as journal:
        return journal.carried_ranks()


def left_over_again(
    rows: Mapping[bytes, Rank],
    later: Sequence[JobRecord],
    jobs: Sequence[JobRecord],
    given_up: Collection[int],
    floor: int,
) -> set[bytes]:
    """Return those of the rows, by key, that no job has any more: they are left over again.

    That is so where none of the `later` jobs has done them, or has settled a row that ranks higher,
    and they were not given up themselves. `jobs` are all of the product. Raises `JournalError`.
    """
    gone = given_up_rows(jobs, given_up)
    left = {
        key for key, rank in rows.items() if rank.first >= floor and not gone.has(rank.version, key)
    }
    for job in later:
        if left and job.folder is not None:
            with JournalReader(job.folder) as journal:
                left -= {
                    key
                    for key, rank, is_left_over in journal.settled_among(left)
                    if rank > rows[key] or (rank == rows[key] and not is_left_over)
                }
    return left
