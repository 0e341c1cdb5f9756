"""How the rows of a journal are told, and by which job each was brought, in SQL.

For whoever works out what it takes to take a job back, in the tables of undo.sql.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from importer.jobs import sqlite_file
from importer.jobs.journal_file import JournalFile, attached
from importer.jobs.journal_lines import KIND_IDS
from importer.jobs.keys import rank_number
from importer.jobs.records import JobRecord
from importer.model import OutcomeKind, Rank, Reason

SENT_AND_SET = (
    f"(kind = {KIND_IDS[OutcomeKind.SUCCEEDED]} "
    f"OR coalesce(reason = '{Reason.STORED_DIFFERS}', FALSE))"
)
OUTCOMES = "journal.outcome LEFT JOIN journal.ranked USING (seq)"
#: `:own` is the rank of rows that have none of their own.
RANK = "coalesce(rank, :own)"
VERSION = f"{RANK} & 0xffffffff"
#: The job that has brought a row may be another than the one that has it in its journal: that has
#: taken it over, or is an undo and has sent what the job that it takes back had outranked.
BROUGHT_BY = f"""
    coalesce(
        (SELECT job FROM sent_for WHERE key = conversation AND undo = {VERSION}), {VERSION}
    )
"""


def own_rank(job: JobRecord) -> int:
    """Return the rank, as a number, of the rows that a job has brought itself."""
    return rank_number(Rank(job.number, job.number))


def folder_of(job: JobRecord) -> Path:
    """Return the folder of a job whose journal is there."""
    assert job.folder is not None  # noqa: S101 -- its journal is there
    return job.folder


@contextmanager
def journal_of(db: sqlite_file.Connection, job: JobRecord) -> Iterator[list[tuple[bytes, int]]]:
    """Attach the journal of a job; yield the keys of its rows in doubt with their ranks."""
    folder, own = folder_of(job), own_rank(job)
    with closing(JournalFile(folder, read_only=True)) as journal:
        gone = journal.forgotten_rows()
        doubts = [each for each in journal.doubts() if each.in_doubt and each.seq not in gone]
        ranks = journal.ranked() if doubts else {}
    with attached(db, folder), sqlite_file.transaction(db):
        yield [
            (doubt.key, rank_number(ranks[doubt.seq]) if doubt.seq in ranks else own)
            for doubt in doubts
        ]
