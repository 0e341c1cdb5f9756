"""How the rows of a journal are told, and by which job each was brought.

For whoever works out what it takes to take a job back, in the tables of undo.sql, and for whoever
asks what is left over of one that was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from importer.jobs import sqlite_file
from importer.jobs.inputs import undone_job
from importer.jobs.journal_file import JournalFile, attached
from importer.jobs.journal_lines import VERSION
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import own_rank, rank_number, rank_of
from importer.jobs.records import GivenUp, JobRecord
from importer.jobs.undo_void import TakenBack

OUTCOMES = "journal.outcome LEFT JOIN journal.ranked USING (seq)"
#: The job that has brought a row may be another than the one that has it in its journal: that has
#: taken it over, or is an undo and has sent what the job that it takes back had displaced.
_BROUGHT_BY = """
    coalesce(
        (SELECT job FROM sent_for WHERE sent_for.key = {key} AND undo = {version}), {version}
    )
"""
BROUGHT_BY = _BROUGHT_BY.format(key="conversation", version=VERSION)
#: The job that has brought the row counts for nothing.
IS_VOID = f"({BROUGHT_BY}) IN (SELECT number FROM void)"
NOT_FORGOTTEN = "seq NOT IN (SELECT seq FROM journal.forgotten)"
#: The same of the lines of the ledger's doubts, as `other`.
BROUGHT_IN_LEDGER = _BROUGHT_BY.format(key="other.key", version="other.rank & 0xffffffff")


def told_of_undos(jobs: Sequence[JobRecord]) -> dict[int, TakenBack]:
    """Return what the journals of those of the jobs that are there say of undos, by number."""
    numbers = {job.name: job.number for job in jobs}
    told = {}
    for job in jobs:
        if job.is_here:
            with closing(JournalFile(folder_of(job), read_only=True)) as journal:
                undone = undone_job(file.path for file in journal.inputs())
                told[job.number] = TakenBack.of(undone, journal.facts(), numbers)
    return told


def sent_for(
    jobs: Sequence[JobRecord], told: Mapping[int, TakenBack]
) -> dict[tuple[int, bytes], int]:
    """Return which rows of undos (number and key) were to be sent for which earlier job.

    The job that the undo takes back had taken the place of them. `jobs` are all of the product by
    number. Of an undo of a job that is gone nobody knows it.
    """
    found: dict[tuple[int, bytes], int] = {}
    last: dict[int, int] = {}
    for undo, one in sorted(told.items()):
        if one.undoes is None or one.undoes not in told:
            continue
        with closing(JournalFile(folder_of(jobs[one.undoes - 1]), read_only=True)) as journal:
            for since, key, job in journal.after_all():
                if last.get(one.undoes, 0) <= since < undo:
                    found[undo, key] = job
        last[one.undoes] = undo
    return found


def given_up_rows(jobs: Sequence[JobRecord], given_up: Collection[int]) -> GivenUp:
    """Return which of the rows that are left over are not tried again.

    Those are what the jobs of the numbers `given_up` have brought. What an undo was to send for
    another job goes with that; with the undo only if the job that it takes back had set the
    conversation, since that is there again (docs/reference.md, U2).
    """
    told = told_of_undos(jobs) if given_up else {}
    undos = {undo: one.undoes for undo, one in told.items() if one.undoes in told}
    if not any(undo in given_up or min(given_up) < job for undo, job in undos.items()):
        return GivenUp(given_up)
    rows = sent_for(jobs, told)
    had_set: dict[int, set[bytes]] = {}
    for undo in undos.keys() & given_up:
        had_set[undo] = set_by(undos[undo], jobs, [key for by, key in rows if by == undo])
    others = {
        (undo, key)
        for (undo, key), job in rows.items()
        if (job in given_up or key in had_set.get(undo, ())) is not (undo in given_up)
    }
    return GivenUp(given_up, others)


def set_by(number: int, jobs: Sequence[JobRecord], keys: Sequence[bytes]) -> set[bytes]:
    """Return of which conversations a row was set that the job of that number has brought.

    Of those with these `keys`. `jobs` are all of the product by number.
    """
    found: set[bytes] = set()
    for job in jobs[number - 1 :]:  # a later one may have taken its rows over
        if keys and job.is_here:
            with JournalReader(folder_of(job)) as journal:
                found |= journal.set_among(keys, brought_by=number)
    return found


def folder_of(job: JobRecord) -> Path:
    """Return the folder of a job whose journal is there."""
    assert job.folder is not None  # noqa: S101 -- its journal is there
    return job.folder


@contextmanager
def journal_of(db: sqlite_file.Connection, job: JobRecord) -> Iterator[list[tuple[bytes, int]]]:
    """Attach the journal of a job; yield the keys of its rows in doubt with their ranks."""
    folder, own = folder_of(job), own_rank(job.number)
    with closing(JournalFile(folder, read_only=True)) as journal:
        gone = journal.forgotten_rows()
        doubts = [each for each in journal.doubts() if each.in_doubt and each.seq not in gone]
        ranks = journal.ranked() if doubts else {}
    with attached(db, folder), sqlite_file.transaction(db):
        yield [
            (doubt.key, rank_number(ranks[doubt.seq]) if doubt.seq in ranks else own)
            for doubt in doubts
        ]


def brought_by(db: sqlite_file.Connection, key: bytes, rank: int) -> int:
    """Return the number of the job that has brought the row with this key and rank."""
    version = rank_of(rank).version
    found = db.execute(
        "SELECT job FROM sent_for WHERE key = ? AND undo = ?", (key, version)
    ).fetchone()
    return version if found is None else int(found[0])


def counting(
    db: sqlite_file.Connection, doubts: Iterable[tuple[bytes, int]]
) -> list[dict[str, object]]:
    """Return those of the rows in doubt (key and rank) that count, with names for SQL."""
    void = {number for (number,) in db.execute("SELECT number FROM void")}
    brought = ((key, rank, brought_by(db, key, rank)) for key, rank in doubts)
    return [
        {"key": key, "rank": rank, "brought_by": by} for key, rank, by in brought if by not in void
    ]
