"""Which rows of later jobs count for nothing when a job is taken back (docs/reference.md, U1)."""

from __future__ import annotations

from collections.abc import Sequence

from importer.jobs import sqlite_file
from importer.jobs.journal_file import attached
from importer.jobs.journal_lines import IS_SET, IS_SETTLED
from importer.jobs.keys import rank_of
from importer.jobs.records import JobRecord, JobState
from importer.jobs.undo_rows import (
    BROUGHT_BY,
    OUTCOMES,
    SENT_AND_SET,
    folder_of,
    journal_of,
    own_rank,
)

#: Not by IN: negated, it looks at all lines for each row.
IS_VOID = f"""
    EXISTS (SELECT 1 FROM void WHERE void.key = conversation AND void.number = ({BROUGHT_BY}))
"""
#: What a job has not set that was taken back itself is in nobody's way.
_NOT_SET = f"""
    INSERT OR IGNORE INTO void (key, number)
    SELECT conversation, {BROUGHT_BY} FROM {OUTCOMES}
    WHERE {IS_SETTLED} AND conversation IN (SELECT key FROM target)
    AND ({BROUGHT_BY}) IN (SELECT number FROM job WHERE withdrawn)
"""
_SET_AFTER_ALL = f"""
    DELETE FROM void WHERE (key, number) IN (
        SELECT conversation, {BROUGHT_BY} FROM {OUTCOMES} WHERE {SENT_AND_SET}
    )
"""
#: What an undo has set, it has taken back; and where it was taken back itself, it has not.
_SET_BY_UNDO = f"""
    INSERT OR IGNORE INTO void (key, number)
    SELECT conversation, :undone FROM journal.outcome
    WHERE {IS_SET} AND conversation IN (SELECT key FROM target)
    AND NOT EXISTS (SELECT 1 FROM void WHERE void.key = conversation AND void.number = :number)
"""
_UNDO_ITSELF = f"""
    INSERT OR IGNORE INTO void (key, number)
    SELECT conversation, :number FROM journal.outcome
    WHERE {IS_SET} AND conversation IN (SELECT key FROM target)
"""
_TAKEN_BACK_BEFORE = """
    UPDATE target SET later = -1 WHERE (key, :job) IN (SELECT key, number FROM void)
"""


def note_void(db: sqlite_file.Connection, jobs: Sequence[JobRecord], number: int) -> None:
    """Note what counts for nothing when the job of that number is taken back.

    `jobs` are all of the product, by number; the tables `target` and `job` are filled.
    """
    later = jobs[number:]
    _note_not_set(db, [job for job in later if job.is_here])
    _note_undos(db, later, number)


def _note_not_set(db: sqlite_file.Connection, later: Sequence[JobRecord]) -> None:
    """Note what later jobs that were taken back themselves had not set."""
    (some,) = db.execute("SELECT EXISTS (SELECT 1 FROM job WHERE withdrawn)").fetchone()
    if not some:
        return
    for job in later:
        with attached(db, folder_of(job)), sqlite_file.transaction(db):
            db.execute(_NOT_SET, {"own": own_rank(job)})
    for job in later:
        with journal_of(db, job) as doubts:
            db.execute(_SET_AFTER_ALL, {"own": own_rank(job)})
            db.executemany(
                "DELETE FROM void WHERE key = ? AND number = ?",
                [(key, rank_of(rank).version) for key, rank in doubts],
            )


def _note_undos(db: sqlite_file.Connection, later: Sequence[JobRecord], number: int) -> None:
    """Note what later undos have set, and which jobs they have taken back.

    Of a later job that is gone nobody can list the rows, and what was taken back before or after
    it: then only earlier undos of the same job count.
    """
    taken_back = set[int]()
    all_here = all(job.is_here for job in later)
    undos = dict(db.execute("SELECT number, undoes FROM job WHERE undoes IS NOT NULL"))
    for job in reversed(later):
        undone = undos.get(job.number, 0)
        if not (undone == number or (undone and all_here)):
            continue
        if job.state is JobState.ENDED and job.number not in taken_back:
            taken_back.add(undone)
        if undone < number:  # it has left what this job has set
            continue
        with attached(db, folder_of(job)), sqlite_file.transaction(db):
            db.execute(_SET_BY_UNDO, {"undone": undone, "number": job.number})
            db.execute(_UNDO_ITSELF, {"number": job.number})
    db.execute(_TAKEN_BACK_BEFORE, {"job": number})
    db.executemany("INSERT INTO taken_back VALUES (?)", [(one,) for one in taken_back])
