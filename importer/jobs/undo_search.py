"""Finds out what each conversation held before a job that is to be taken back.

The rules are in docs/design/across-jobs.md. What is found stands in the tables of undo.sql.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from importer.feedback.body import BodyCoder
from importer.jobs import sqlite_file
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_lines import (
    IS_LEFT_OVER,
    IS_SENT_AND_SET,
    IS_SET,
    IS_SETTLED,
    KIND_IDS,
    RANK,
    VERSION,
)
from importer.jobs.keys import own_rank, rank_of
from importer.jobs.ledger import IF_DAMAGED
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import LEFT_OVERS_GIVEN_UP, JobRecord
from importer.jobs.undo_bodies import find_bodies
from importer.jobs.undo_rows import (
    BROUGHT_BY,
    BROUGHT_IN_LEDGER,
    IS_VOID,
    NOT_FORGOTTEN,
    OUTCOMES,
    brought_by,
    counting,
    folder_of,
    journal_of,
    sent_for,
    set_by,
    told_of_undos,
)
from importer.jobs.undo_void import Void, void_for
from importer.jobs.undo_waiting import take_displaced, take_left_overs
from importer.model import OutcomeKind

_TARGETS = f"""
    INSERT INTO target (key, rank, in_doubt)
    SELECT conversation, {RANK}, 0 FROM {OUTCOMES}
    WHERE {IS_SENT_AND_SET} AND ({BROUGHT_BY} = :job OR {VERSION} = :job) AND {NOT_FORGOTTEN}
    ON CONFLICT (key) DO UPDATE SET rank = max(rank, excluded.rank), in_doubt = 0
"""
#: What an undo was to send of the job's rows, the next job would send if it is left over.
_SENT_BY_UNDO = f"""
    INSERT INTO target (key, rank, in_doubt)
    SELECT conversation, {RANK}, 0 FROM {OUTCOMES}
    WHERE {IS_SETTLED} AND {BROUGHT_BY} = :job AND {VERSION} <> :job AND {NOT_FORGOTTEN}
    AND EXISTS (SELECT 1 FROM sent_for WHERE key = conversation AND undo = {VERSION})
    ON CONFLICT (key) DO UPDATE SET rank = max(rank, excluded.rank)
"""
_IN_DOUBT = """
    INSERT INTO target (key, rank, in_doubt) VALUES (?, ?, 1)
    ON CONFLICT (key) DO NOTHING
"""
_LEFT_OVER = f"""
    SELECT count(*) FROM {OUTCOMES}
    WHERE {IS_LEFT_OVER} AND {BROUGHT_BY} = :job AND {NOT_FORGOTTEN}
    AND conversation NOT IN (SELECT key FROM target)
    AND NOT EXISTS (SELECT 1 FROM journal.job WHERE name = '{LEFT_OVERS_GIVEN_UP}')
"""
#: What an undo has left over for another job is given up with it where its own job had set that.
_LEFT_OVER_FOR_OTHERS = f"""
    SELECT conversation FROM {OUTCOMES}
    WHERE {IS_LEFT_OVER} AND {BROUGHT_BY} <> :job AND {VERSION} = :job AND {NOT_FORGOTTEN}
    AND conversation NOT IN (SELECT key FROM target)
"""
#: What was sent and set is among the targets by then: it need not be looked up, nor below.
_NOT_SENT = f"""
    SELECT count(*) FROM {OUTCOMES}
    WHERE {IS_SETTLED} AND NOT {IS_LEFT_OVER} AND {BROUGHT_BY} = :job AND {NOT_FORGOTTEN}
    AND NOT {IS_SENT_AND_SET} AND conversation NOT IN (SELECT key FROM target)
"""
#: Of these an earlier job may have set what is there, which had to leave it because of this one.
_NOT_SET = f"""
    INSERT INTO target (key, rank, in_doubt, not_set)
    SELECT conversation, {RANK}, 0, iif({IS_LEFT_OVER}, 2, 1) FROM {OUTCOMES}
    WHERE {IS_SETTLED} AND NOT {IS_SENT_AND_SET} AND {BROUGHT_BY} = :job AND {NOT_FORGOTTEN}
    ON CONFLICT (key) DO NOTHING
"""
_NOT_OF_VOID = "DELETE FROM target WHERE not_set AND NOT is_void AND NOT waits"
_CARRIED = f"""
    SELECT count(*) FROM {OUTCOMES}
    WHERE {IS_SENT_AND_SET} AND {BROUGHT_BY} < :job AND {VERSION} <> :job
"""
#: The job that is in the way is the one that has brought the row, if that is a later one.
_LATER = f"""
    UPDATE target SET later = row.by FROM (
        SELECT conversation, iif(({BROUGHT_BY}) > :job, {BROUGHT_BY}, :number) AS by
        FROM {OUTCOMES} WHERE {IS_SETTLED} AND ({BROUGHT_BY}) <> :job AND NOT {IS_VOID}
    ) AS row
    WHERE row.conversation = target.key
"""
_LATER_IN_DOUBT = """
    UPDATE target SET later = iif(:brought_by > :job, :brought_by, :number)
    WHERE key = :key
"""
_SET_BY_ITS_UNDO = f"""
    UPDATE target SET later = -row.by FROM (
        SELECT conversation, {VERSION} AS by FROM {OUTCOMES} WHERE {IS_SET}
    ) AS row
    WHERE row.conversation = target.key AND row.by IN (SELECT number FROM own_undo)
"""
#: What is sent has to rank above them, though they count for nothing.
_ABOVE = f"""
    UPDATE target SET above = max(above, row.rank)
    FROM (
        SELECT conversation, {RANK} AS rank FROM {OUTCOMES} WHERE {IS_SETTLED} AND {IS_VOID}
    ) AS row
    WHERE row.conversation = target.key
"""
#: A row that was unchanged holds no body: it is what was stored before it.
_BEFORE = f"""
    UPDATE target SET
        stored = iif(row.is_unchanged, target.stored, row.body),
        is_void = NOT row.counts AND (target.is_void OR NOT row.is_unchanged),
        before = iif(row.counts, row.rank, target.before),
        set_by = iif(row.counts, row.by, target.set_by),
        body = iif(row.counts, iif(row.is_unchanged, target.stored, row.body), target.body)
    FROM (
        SELECT conversation, body, rank, by, is_unchanged,
            by NOT IN (SELECT number FROM void) AS counts
        FROM (
            SELECT conversation, body, {RANK} AS rank, {BROUGHT_BY} AS by,
                kind = {KIND_IDS[OutcomeKind.UNCHANGED]} AS is_unchanged
            FROM {OUTCOMES} WHERE {IS_SET}
        )
    ) AS row
    WHERE row.conversation = target.key AND row.rank < target.rank AND row.rank >= target.before
    AND NOT target.later AND NOT target.waits
"""
#: A row in doubt leaves unknown what the service held; somebody has meant something newer as well.
_UNSURE = """
    UPDATE target SET before = :rank, body = NULL, set_by = :brought_by, is_void = 0
    WHERE key = :key AND rank > :rank AND before < :rank
"""
#: What a job that is gone has set is known only if nothing has been set since.
_GAP = "UPDATE target SET before = -1, body = NULL, stored = NULL, is_void = 0"
#: Somebody has meant something newer than a job that was taken back: what that set stays.
_NOT_OF_VOID_ALONE = f"""
    UPDATE target SET is_void = 0 FROM (
        SELECT conversation, {RANK} AS rank FROM {OUTCOMES}
        WHERE {IS_SETTLED} AND NOT {IS_SET} AND NOT {IS_VOID}
    ) AS row
    WHERE row.conversation = target.key AND target.not_set AND row.rank < target.rank
"""
#: What a later job that is gone has settled need not rank higher: a row of this job may be in doubt
#: only. It was settled in a run that is neither that of a job that is there nor of an earlier one,
#: tried again since.
_LATER_IN_LEDGER = """
    UPDATE target SET later = -1 WHERE
        EXISTS (SELECT 1 FROM ledger.conversation AS other
                WHERE other.key = target.key
                AND other.rank & 0xffffffff <> :job
                AND other.run > (SELECT min(number) FROM run WHERE own)
                AND other.run NOT IN (SELECT number FROM run)
                AND other.run NOT IN (SELECT last_run FROM ledger.job WHERE number < :job))
        OR EXISTS (SELECT 1 FROM ledger.doubt AS other
                   WHERE other.key = target.key AND other.job > :job AND other.in_doubt
                   AND other.job NOT IN (SELECT number FROM job))
"""
_UNSURE_IN_LEDGER = f"""
    UPDATE target SET body = NULL WHERE EXISTS (
        SELECT 1 FROM ledger.doubt AS other WHERE other.key = target.key AND other.job < :job
        AND other.in_doubt AND other.rank < target.rank AND other.rank > target.before
        AND ({BROUGHT_IN_LEDGER}) NOT IN (SELECT number FROM void)
    )
"""


class UndoSearch:
    """Looks through the journals of all jobs of a product, and through what they have kept."""

    def __init__(self, db: sqlite_file.Connection, product: ProductJobs, job: JobRecord) -> None:
        self._db = db
        self._product = product
        self._job = job
        #: Rows of the job that wait to be tried again: they were never stored.
        self.left_over = 0
        self._left_over_for_others: list[bytes] = []
        self._void = Void(set(), set())
        #: Rows of it that were not sent, or refused.
        self.not_sent = 0
        #: It was taken back before.
        self.is_withdrawn = False
        #: Rows that it has stored for earlier jobs.
        self.carried = 0

    def find(self, coder: BodyCoder) -> None:
        """Enter what became of each conversation that the job has set, and what it held before."""
        number = self._job.number
        there = [job for job in self._product.jobs if job.is_here]
        self._take_jobs(there)
        for job in there[::-1]:
            if job.number >= number:
                self._take_targets(job)
        take_displaced(self._db, self._product, self._job)
        gone = [job.number for job in self._product.jobs if not job.is_here]
        first = max((other for other in gone if other < number), default=0)
        for job in there:
            if job.number > number:
                self._take_later(job)
        for job in [one for one in there if one.number < first]:
            self._take_earlier(job)
        self._db.execute(_GAP)
        earlier = [job for job in there if first < job.number < number]
        for job in earlier:
            self._take_earlier(job)
        take_left_overs(self._db, self._product, earlier)
        self._db.execute(_NOT_OF_VOID)
        (found,) = self._db.execute("SELECT count(*) FROM target WHERE not_set = 1").fetchone()
        self.not_sent -= found
        self._leave_what_is_anothers()
        path = self._product.key.ledger(self._product.jobs_dir)
        ledger = sqlite_file.attached(
            self._db, path, "ledger", what=f"the ledger {path}", if_damaged=IF_DAMAGED
        )
        with ledger, sqlite_file.transaction(self._db):
            self._db.execute(_LATER_IN_LEDGER, {"job": number})
            self._db.execute(_UNSURE_IN_LEDGER, {"job": number})
        find_bodies(self._db, self._product.jobs, coder)

    def _take_targets(self, job: JobRecord) -> None:
        """Take from a journal what the job has brought: a later one may have taken rows over."""
        names = {"job": self._job.number, "own": own_rank(job.number)}
        with journal_of(self._db, job) as doubts:
            self._db.execute(_TARGETS, names)
            self._db.execute(_SENT_BY_UNDO, names)
            in_doubt = [
                (key, rank)
                for key, rank in doubts
                if names["job"] in (brought_by(self._db, key, rank), rank_of(rank).version)
            ]
            self._db.executemany(_IN_DOUBT, in_doubt)
            if job.number == self._job.number:
                (self.left_over,) = self._db.execute(_LEFT_OVER, names).fetchone()
                others = self._db.execute(_LEFT_OVER_FOR_OTHERS, names)
                self._left_over_for_others = [key for (key,) in others]
                (self.not_sent,) = self._db.execute(_NOT_SENT, names).fetchone()
                (self.carried,) = self._db.execute(_CARRIED, names).fetchone()
                self._db.execute(_NOT_SET, names)

    def _take_jobs(self, there: Iterable[JobRecord]) -> None:
        """Take what the journals tell of their jobs, and which of them count for nothing."""
        told = told_of_undos(self._product.jobs)
        for job in there:
            with closing(JournalFile(folder_of(job), read_only=True)) as journal:
                runs = journal.run_numbers()
            self._db.executemany(
                "INSERT OR IGNORE INTO run (number, own) VALUES (?, ?)",
                [(number, job.number == self._job.number) for number in runs],
            )
            self._db.execute("INSERT INTO job VALUES (?, ?)", (job.number, told[job.number].undoes))
        rows = sent_for(self._product.jobs, told)
        self._db.executemany(
            "INSERT INTO sent_for VALUES (?, ?, ?)", [(*row, by) for row, by in rows.items()]
        )
        self.is_withdrawn = told[self._job.number].withdrawn is not None
        self._void = void_for(self._job.number, self._product.jobs, told)
        for table, found in (("void", self._void.jobs), ("own_undo", self._void.own_undos)):
            self._db.executemany(f"INSERT INTO {table} VALUES (?)", [(one,) for one in found])

    def _leave_what_is_anothers(self) -> None:
        """Leave what an undo has sent of earlier jobs, where its own job had not set anything."""
        number = self._job.number
        (undone,) = self._db.execute(
            "SELECT undoes FROM job WHERE number = ?", (number,)
        ).fetchone()
        if undone is not None:
            rows = self._db.execute("SELECT key FROM sent_for WHERE undo = ?", (number,)).fetchall()
            keys = [key for (key,) in rows]
            there_again = set_by(undone, self._product.jobs, keys)
            left = set(keys) - there_again
            self._db.executemany("DELETE FROM target WHERE key = ?", [(key,) for key in left])
            given_up = self._product.given_up_rows()
            self.left_over += sum(
                key in there_again and not given_up.has(number, key)
                for key in self._left_over_for_others
            )

    def _take_later(self, job: JobRecord) -> None:
        names = {"job": self._job.number, "number": job.number, "own": own_rank(job.number)}
        with journal_of(self._db, job) as doubts:
            (is_own_undo,) = self._db.execute(
                "SELECT undoes IS ? FROM job WHERE number = ?", (self._job.number, job.number)
            ).fetchone()
            if self._void.own_undos:
                self._db.execute(_SET_BY_ITS_UNDO, names)
            if is_own_undo:  # what it has not set is tried again
                return
            self._db.execute(_LATER, names)
            if self._void.jobs:
                self._db.execute(_ABOVE, names)
            brought = [(key, brought_by(self._db, key, rank)) for key, rank in doubts]
            self._db.executemany(
                _LATER_IN_DOUBT,
                [
                    {**names, "key": key, "brought_by": by}
                    for key, by in brought
                    if by != self._job.number and by not in self._void.jobs
                ],
            )

    def _take_earlier(self, job: JobRecord) -> None:
        with journal_of(self._db, job) as doubts:
            own = {"own": own_rank(job.number)}
            self._db.execute(_BEFORE, own)
            self._db.execute(_NOT_OF_VOID_ALONE, own)
            self._db.executemany(_UNSURE, counting(self._db, doubts))
