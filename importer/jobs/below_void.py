"""Rows of left-over files above which only rows stand that count for nothing.

Those are rows of jobs that were taken back, and of their undos. Such a row gives way to none of
them: without these jobs it would have been sent (docs/reference.md, A18, U1).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from importer.jobs import sqlite_file
from importer.jobs.journal_file import attached
from importer.jobs.journal_lines import IS_SETTLED, RANK
from importer.jobs.keys import own_rank, rank_number
from importer.jobs.records import JobRecord
from importer.jobs.undo_rows import BROUGHT_BY, OUTCOMES, folder_of, sent_for, told_of_undos
from importer.jobs.undo_void import void_now
from importer.model import Rank

_TABLES = """
    CREATE TABLE below (key BLOB PRIMARY KEY, rank INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE void (number INTEGER PRIMARY KEY);
    CREATE TABLE sent_for (
        undo INTEGER, key BLOB, job INTEGER, PRIMARY KEY (undo, key)
    ) WITHOUT ROWID;
"""
_BEATEN = f"""
    DELETE FROM below WHERE key IN (
        SELECT below.key FROM (
            SELECT conversation, {RANK} AS rank FROM {OUTCOMES}
            WHERE {IS_SETTLED} AND conversation IN (SELECT key FROM below)
            AND ({BROUGHT_BY}) NOT IN (SELECT number FROM void)
        ) AS row
        CROSS JOIN below ON below.key = row.conversation WHERE row.rank > below.rank
    )
"""


class Below(NamedTuple):
    """A row of a left-over file, and what ranks highest of its conversation."""

    key: bytes
    rank: Rank
    highest: Rank


def below_void(jobs: Sequence[JobRecord], rows: Sequence[Below]) -> set[bytes]:
    """Return the keys of those of the rows above which no row stands that counts.

    `jobs` are all of the product by number. Where one is gone that may have had such a row, nobody
    knows. Raises `JournalError`.
    """
    told = told_of_undos(jobs)
    void = void_now(told)
    gone = max((job.number for job in jobs if not job.is_here), default=0)
    some = [row for row in rows if row.highest.version in void and row.rank.first >= gone]
    if not some:
        return set()
    with closing(sqlite_file.in_memory()) as db:
        db.executescript(_TABLES)
        lines = [(row.key, rank_number(row.rank)) for row in some]
        db.executemany("INSERT INTO below VALUES (?, ?)", lines)
        db.executemany("INSERT INTO void VALUES (?)", [(number,) for number in void])
        sent = ((*row, job) for row, job in sent_for(jobs, told).items())
        db.executemany("INSERT INTO sent_for VALUES (?, ?, ?)", sent)
        for job in jobs[min(row.rank.first for row in some) :]:
            with attached(db, folder_of(job)):
                db.execute(_BEATEN, {"own": own_rank(job.number)})
        return {key for (key,) in db.execute("SELECT key FROM below")}
