"""Finds the rows of earlier jobs that are sent after all when a job is taken back.

The job had taken their place: it had taken them over, and was to send rows of its own for them; or
it had not, and they are left over below its own. Without the job they would have been sent, so its
undo does it (docs/reference.md, A13, U2). What is found stands in the tables of undo.sql.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from importer.jobs import sqlite_file
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_lines import IS_LEFT_OVER, IS_SETTLED, RANK
from importer.jobs.keys import key_of, own_rank, rank_number, rank_of
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import JobRecord
from importer.jobs.undo_rows import (
    BROUGHT_BY,
    IS_VOID,
    NOT_FORGOTTEN,
    OUTCOMES,
    brought_by,
    folder_of,
    journal_of,
)

#: Where the job has not come to its own row, the other is left over as before.
_DISPLACED = f"""
    INSERT INTO target (key, rank, in_doubt, waits, known, rating, comment)
    SELECT key, :own, 0, job, 1, rating, comment FROM displaced
    WHERE key IN (SELECT key FROM target) OR key IN (
        SELECT conversation FROM {OUTCOMES} WHERE {IS_SETTLED} AND {BROUGHT_BY} = :job
    )
    ON CONFLICT (key) DO UPDATE SET
        waits = excluded.waits, known = 1, rating = excluded.rating, comment = excluded.comment
"""
#: The run in which an outcome was recorded. Of rows of one rank the one of the latest run counts.
_RUN = "(SELECT max(number) FROM journal.run WHERE first_entry <= entry)"
_LEFT_OVER_BEFORE = f"""
    INSERT INTO displaced (key, rank, run, job, rating, comment)
    SELECT row.conversation, row.rank, row.run, row.by, said.rating, said.comment FROM (
        SELECT seq, conversation, {RANK} AS rank, {BROUGHT_BY} AS by, {_RUN} AS run
        FROM {OUTCOMES} WHERE {IS_LEFT_OVER} AND NOT {IS_VOID} AND {NOT_FORGOTTEN}
    ) AS row
    CROSS JOIN journal.kept AS said USING (seq)
    CROSS JOIN target ON target.key = row.conversation
    WHERE row.rank < target.rank AND row.rank >= target.before
    AND NOT target.later AND NOT target.waits
    ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, run = excluded.run,
        job = excluded.job, rating = excluded.rating, comment = excluded.comment
    WHERE (excluded.rank, excluded.run) > (displaced.rank, displaced.run)
"""
#: Of what earlier jobs have left over, no row is sent of which a higher one is settled. Of none is
#: a higher one in doubt: `before` is at least the rank of that.
_DECIDED = f"""
    DELETE FROM displaced WHERE key IN (
        SELECT target.key FROM (
            SELECT conversation, {RANK} AS rank, {_RUN} AS run FROM {OUTCOMES}
            WHERE {IS_SETTLED} AND NOT {IS_VOID} AND conversation IN (SELECT key FROM displaced)
        ) AS row
        CROSS JOIN displaced AS other ON other.key = row.conversation
        CROSS JOIN target ON target.key = row.conversation
        WHERE (row.rank, row.run) > (other.rank, other.run) AND row.rank < target.rank
        AND NOT target.waits
    )
"""
_SENT_AFTER_ALL = """
    UPDATE target SET
        waits = row.job, known = 1, body = NULL, rating = row.rating, comment = row.comment
    FROM displaced AS row
    WHERE row.key = target.key AND NOT target.later AND NOT target.waits
"""


def take_displaced(db: sqlite_file.Connection, product: ProductJobs, job: JobRecord) -> None:
    """Take the rows of earlier jobs that `job` had taken over and sent others for."""
    with closing(JournalFile(folder_of(job), read_only=True)) as journal:
        for row in journal.displaced():
            key, rank = key_of(row.conversation_id), rank_number(row.rank)
            line = (key, rank, 0, brought_by(db, key, rank), row.rating, row.comment)
            db.execute("INSERT INTO displaced VALUES (?, ?, ?, ?, ?, ?)", line)
    _pass_over_given_up(db, product)
    if db.execute("SELECT 1 FROM displaced").fetchone() is None:
        return  # else the whole journal is read
    with journal_of(db, job):
        db.execute(_DISPLACED, {"job": job.number, "own": own_rank(job.number)})


def take_left_overs(
    db: sqlite_file.Connection, product: ProductJobs, earlier: Iterable[JobRecord]
) -> None:
    """Take also the rows of `earlier` jobs that are left over, which it had not taken over.

    No later job sends them, as the row of the one that is taken back ranks higher.
    """
    earlier = list(earlier)
    for job in earlier:
        with journal_of(db, job):
            db.execute(_LEFT_OVER_BEFORE, {"own": own_rank(job.number)})
    for job in earlier:
        with journal_of(db, job):
            db.execute(_DECIDED, {"own": own_rank(job.number)})
    _pass_over_given_up(db, product)
    db.execute(_SENT_AFTER_ALL)


def _pass_over_given_up(db: sqlite_file.Connection, product: ProductJobs) -> None:
    given_up, floor = product.given_up_rows(), product.floor
    gone = [
        (key,)
        for key, rank in db.execute("SELECT key, rank FROM displaced").fetchall()
        if given_up.has(rank_of(rank).version, key) or rank_of(rank).first < floor
    ]
    db.executemany("DELETE FROM displaced WHERE key = ?", gone)
