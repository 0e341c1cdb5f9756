"""Takes a journal into the ledger, in one transaction: plain SQL over both files."""

from __future__ import annotations

from collections.abc import Sequence

from importer.jobs import sqlite_file
from importer.jobs.doubts import Doubt
from importer.jobs.journal_file import attached
from importer.jobs.journal_lines import IS_LEFT_OVER, IS_SET, IS_SETTLED, KIND_IDS
from importer.jobs.keys import own_rank
from importer.jobs.records import JobRecord
from importer.model import OutcomeKind

_NEWER = "excluded.rank > rank OR (excluded.rank = rank AND excluded.run >= run)"

# Sorted, or each row would touch another page. An `unchanged` row leaves what is stored, and since
# when, as it was: the line that told that it is unchanged says so still.
_CONVERSATIONS = f"""
    INSERT INTO conversation (key, rank, run, body, at)
    SELECT conversation, {{rank}}, :run, iif({IS_SET}, body, NULL),
        iif(kind = {KIND_IDS[OutcomeKind.UNCHANGED]}, NULL, settled_at)
    FROM journal.outcome {{ranked}}
    WHERE entry BETWEEN :first AND :last AND {IS_SETTLED}
    ORDER BY conversation
    ON CONFLICT (key) DO UPDATE SET
        rank = excluded.rank, run = excluded.run,
        body = iif(excluded.at IS NULL, body, excluded.body), at = coalesce(excluded.at, at)
    WHERE {_NEWER}
"""
_LEFT_OVERS = f"""
    INSERT INTO left_over (key, rank, run, rating, comment, ask_status)
    SELECT outcome.conversation, {{rank}}, :run, rating, comment,
        kind = {KIND_IDS[OutcomeKind.NOT_COMPLETED]}
    FROM journal.kept JOIN journal.outcome USING (seq) {{ranked}}
    WHERE entry BETWEEN :first AND :last AND {IS_LEFT_OVER}
    ON CONFLICT (key) DO UPDATE SET
        rank = excluded.rank, run = excluded.run, rating = excluded.rating,
        comment = excluded.comment, ask_status = excluded.ask_status
    WHERE {_NEWER}
"""
_OUTRANKED = """
    DELETE FROM left_over WHERE EXISTS (
        SELECT 1 FROM conversation WHERE conversation.key = left_over.key AND (
            conversation.rank > left_over.rank
            OR (conversation.rank = left_over.rank AND conversation.run > left_over.run)
        )
    )
"""
#: Stands before the number of a run in the `state` of a ledger: when its job ended last.
ENDED = "ended: "
# The job may be gone when that is asked.
_ENDS = f"""
    INSERT OR REPLACE INTO state (name, value)
    SELECT '{ENDED}' || number, (SELECT max(coalesce(ended_at, started_at)) FROM journal.run)
    FROM journal.run
"""


def take_in(
    db: sqlite_file.Connection,
    job: JobRecord,
    known: int,
    doubts: Sequence[Doubt],
    *,
    synced: bool,
) -> None:
    """Take what the job's journal holds after its first `known` entries into the ledger `db`.

    `doubts` are all its rows that are open or in doubt.
    """
    assert job.folder is not None  # noqa: S101 -- its journal is there
    within = sqlite_file.synced if synced else sqlite_file.transaction
    with attached(db, job.folder), within(db):
        own = own_rank(job.number)
        ranks = dict(db.execute("SELECT seq, rank FROM journal.ranked")) if doubts else {}
        # Without ranks of its own, a join would only cost time.
        (some,) = db.execute("SELECT EXISTS (SELECT 1 FROM journal.ranked)").fetchone()
        rank = "coalesce(ranked.rank, :own)" if some else ":own"
        ranked = "LEFT JOIN journal.ranked USING (seq)" if some else ""
        for run, first, last in db.execute(
            "SELECT number, first_entry, entries FROM journal.run WHERE entries > ? "
            "ORDER BY number",
            (known,),
        ).fetchall():
            values = {"own": own, "run": run, "first": max(first, known + 1), "last": last}
            for statement in (_CONVERSATIONS, _LEFT_OVERS):
                db.execute(statement.format(rank=rank, ranked=ranked), values)
        db.execute(_OUTRANKED)
        db.execute(_ENDS)
        db.execute("DELETE FROM doubt WHERE job = ?", (job.number,))
        db.executemany(
            "INSERT OR REPLACE INTO doubt (key, job, rank, run, in_doubt) VALUES (?, ?, ?, ?, ?)",
            [
                (doubt.key, job.number, ranks.get(doubt.seq, own), doubt.run, doubt.in_doubt)
                for doubt in doubts
            ],
        )
        db.execute(
            "UPDATE job SET entries = ?, complete = ?, state = ?, last_run = ? WHERE number = ?",
            (job.entries, job.state.is_at_rest, job.state, job.last_run, job.number),
        )
